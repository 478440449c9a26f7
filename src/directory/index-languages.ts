import {
  INDEX_LANGUAGE_1,
  INDEX_LANGUAGE_2,
  INDEX_LANGUAGE_3,
  INDEX_LANGUAGE_5,
  INDEX_LANGUAGE_7,
  INDEX_LANGUAGE_9,
  placedLanguage4,
  placedLanguage6,
  placedLanguage8,
  placedLanguage10
} from '../domain/past-terms.js'
import type { Places } from '../domain/places.js'
import { INDEX_LANGUAGE, type IndexLanguage, placedLanguage } from '../domain/terms.js'

/** The languages in which this program can keep an index. */
export interface IndexLanguages {
  /** Oldest first. */
  readonly known: readonly IndexLanguage[]
  /** The one that the index is to be in. */
  readonly wanted: IndexLanguage
}

/** Without names of places. */
export const PLAIN_LANGUAGES: IndexLanguages = languagesWith(undefined, false)

/**
 * @param places - undefined: there is no table here, and an index with names from one cannot be kept
 * @param isWanted - whether the index is to have names of places
 */
export function languagesWith(places: Places | undefined, isWanted: boolean): IndexLanguages {
  const plain = [
    INDEX_LANGUAGE_1,
    INDEX_LANGUAGE_2,
    INDEX_LANGUAGE_3,
    INDEX_LANGUAGE_5,
    INDEX_LANGUAGE_7,
    INDEX_LANGUAGE_9,
    INDEX_LANGUAGE
  ]
  if (places === undefined) return { known: plain, wanted: INDEX_LANGUAGE }
  const placed = placedLanguage(places)
  return {
    known: [
      ...plain,
      placedLanguage4(places),
      placedLanguage6(places),
      placedLanguage8(places),
      placedLanguage10(places),
      placed
    ],
    wanted: isWanted ? placed : INDEX_LANGUAGE
  }
}
