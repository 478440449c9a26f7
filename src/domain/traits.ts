import { pairOf } from './pairs.js'
import type { Photo } from './photo.js'
import { type Motion, mediaOf } from './photo-facts.js'

/**
 * What there is of a photo beside a picture. `motion`: a movie in its file, as telephones put it behind the picture. `live`: one of its
 * parts is a movie.
 */
export const TRAITS = ['motion', 'live'] as const
export type Trait = (typeof TRAITS)[number]

type Evidence = Pick<Photo, 'record' | 'size'>

export function traitsOf(photo: Evidence): Trait[] {
  const has = { motion: motionOf(photo) !== undefined, live: pairOf(photo.record).isLive === true }
  return TRAITS.filter(trait => has[trait])
}

/** @returns the movie in the photo's file; undefined also for one that would not fit into it */
export function motionOf({ record, size }: Evidence): Motion | undefined {
  const { motion } = mediaOf(record)
  return motion !== undefined && motion.at + motion.length <= size ? motion : undefined
}
