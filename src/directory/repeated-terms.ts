import type { PhotoId } from '../domain/ids.js'
import type { Database } from './database.js'
import { type IndexTables, photoIdOfPosition, termOfKey, termStartPrefix } from './index-keys.js'
import { rangeOf } from './keys.js'

const READ_KEYS = 1_000
/** Photos listed per term. */
const IDS_MAX = 1_000

/** A term that several photos share. */
export interface RepeatedTerm {
  readonly term: string
  /** Oldest first, at most {@link IDS_MAX}. */
  readonly ids: readonly PhotoId[]
}

/** Walks the index rows of all terms that begin with `start`, in a snapshot. Yields the terms with several photos. */
export async function* repeatedTerms(
  database: Database,
  { order }: IndexTables,
  start: string
): AsyncGenerator<RepeatedTerm> {
  const keys = database.keys(rangeOf(termStartPrefix(order.added, start)))
  let term: string | undefined
  let ids: PhotoId[] = []
  try {
    for (;;) {
      const page = await keys.nextv(READ_KEYS)
      if (page.length === 0) break
      for (const key of page) {
        const next = termOfKey(key)
        if (next !== term) {
          if (term !== undefined && ids.length > 1) yield { term, ids }
          term = next
          ids = []
        }
        if (ids.length < IDS_MAX) ids.push(photoIdOfPosition(key))
      }
    }
    if (term !== undefined && ids.length > 1) yield { term, ids }
  } finally {
    await keys.close()
  }
}
