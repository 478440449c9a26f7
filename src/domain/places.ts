import type { Place } from './photo-facts.js'

/** What people call a place. */
export interface PlaceNames {
  /** Of the town or village nearest to it. */
  readonly name: string
  /** Of the first division of its country: a state, a province. */
  readonly region: string | undefined
  /** Of its country, in several languages, English first. */
  readonly countries: readonly string[]
}

/** Names of places. Those of one table are always the same. */
export interface Places {
  /** @returns undefined where no place with a name is near */
  near(place: Place): PlaceNames | undefined
}
