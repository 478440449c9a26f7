/*
 * A tile: what a time line shows of a photo, beside its id and time, before there is its picture.
 *
 *   bytes  field
 *       2  width / height × 1000, as shown, at most 65,535; 0: not known
 *       1  flags, see below
 *       …  ThumbHash, 5 to 25 bytes; none: there is none
 */
import { viewLooks } from './findings.js'
import type { Photo } from './photo.js'
import { kindOf } from './photo-kind.js'
import { conflictVersions } from './record.js'
import { sizeState } from './size-states.js'
import { traitsOf } from './traits.js'

const TILE_FLAGS = {
  raw: 1,
  video: 2,
  /** It has no date, and stands where it was added. */
  undated: 4,
  /** It has versions that lost against the shown one. */
  conflicts: 8,
  /** Its thumb can be had. */
  thumb: 16,
  favourite: 32,
  motion: 64,
  live: 128
} as const

/** What the picture itself, or the type of its file, tells as well. */
const BARE_FLAGS = TILE_FLAGS.raw | TILE_FLAGS.video | TILE_FLAGS.thumb

const NO_HASH = new Uint8Array(0)
const ASPECT_MAX = 0xffff
const HEAD_BYTES = 3

export interface Tile {
  /** Width / height × 1000; undefined: not known. */
  readonly aspect: number | undefined
  /** Sum of the flags above. */
  readonly flags: number
  /** A picture in a few bytes; empty: there is none. */
  readonly thumbhash: Uint8Array
}

/** @returns those flags that tell nothing that people or cameras say of a photo */
export function bareFlags(flags: number): number {
  return flags & BARE_FLAGS
}

/** @returns the bytes of a photo's tile; undefined for what is not shown in time lines */
export function tileOf(photo: Photo): Buffer | undefined {
  const kind = kindOf(photo)
  if (kind === 'other') return undefined
  const { width = 0, height = 0, takenAt, record } = photo
  const aspect = height === 0 ? 0 : Math.min(Math.round((width / height) * 1_000), ASPECT_MAX)
  let flags = kind === 'image' ? 0 : TILE_FLAGS[kind]
  if (takenAt === undefined) flags |= TILE_FLAGS.undated
  if (conflictVersions(record).length > 0) flags |= TILE_FLAGS.conflicts
  if (sizeState(photo, 'thumb') === 'ready') flags |= TILE_FLAGS.thumb
  if (photo.marks.has('favourite')) flags |= TILE_FLAGS.favourite
  for (const trait of traitsOf(photo)) flags |= TILE_FLAGS[trait]
  const thumbhash = viewLooks(record).image?.thumbhash ?? NO_HASH
  return Buffer.from([aspect >>> 8, aspect & 0xff, flags, ...thumbhash])
}

/** @returns undefined when these are not the bytes of a tile */
export function readTile(bytes: Uint8Array): Tile | undefined {
  const [high, low, flags] = bytes
  if (high === undefined || low === undefined || flags === undefined) return undefined
  const aspect = high * 256 + low
  return { aspect: aspect === 0 ? undefined : aspect, flags, thumbhash: bytes.subarray(HEAD_BYTES) }
}
