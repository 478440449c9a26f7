import type { UserId } from './ids.js'
import type { Photo } from './photo.js'
import { endOf } from './tombstone.js'

/** What somebody's photos take: the originals of those that live and of those in the trash. */
export interface Usage {
  readonly bytes: number
  readonly photos: number
}

/** What one photo adds to that. */
export interface PhotoUsage {
  readonly owner: UserId
  readonly bytes: number
}

/** The name of counters of usage: older indexes have none. */
export const USED = 'used'
/** No photo counts more, whatever a node says of it: so many that the sum of thousands is exact. */
const PHOTO_BYTES_MAX = 2 ** 40

/** @returns undefined where it counts for nobody: it has no owner, or the trash was emptied of it */
export function usageOf({ owner, size, record }: Pick<Photo, 'owner' | 'size' | 'record'>): PhotoUsage | undefined {
  if (owner === undefined || endOf(record)?.isPurgeWanted === true) return undefined
  return { owner, bytes: Math.min(size, PHOTO_BYTES_MAX) }
}

/** @returns the name of a counter: no photo has it as a term */
export function usageCounter(owner: UserId, what: keyof Usage): string {
  return `${USED}\0${owner}\0${what}`
}
