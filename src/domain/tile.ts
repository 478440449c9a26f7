/*
 * A tile: what a time line shows of a photo, beside its id and time, before there is its picture.
 *
 *   bytes  field
 *       2  width / height × 1000, as shown, at most 65,535; 0: not known
 *       1  flags, see TILE_FLAGS
 */
import type { Photo } from './photo.js'
import { kindOf } from './photo-kind.js'
import { conflictVersions } from './record.js'

const TILE_FLAGS = {
  raw: 1,
  video: 2,
  /** It has no date, and stands where it was added. */
  undated: 4,
  /** It has versions that lost against the shown one. */
  conflicts: 8
} as const

const ASPECT_BYTES = 2
const ASPECT_MAX = 0xffff
const TILE_BYTES = 3

export interface Tile {
  /** Width / height × 1000; undefined: not known. */
  readonly aspect: number | undefined
  /** Sum of the flags above. */
  readonly flags: number
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
  const bytes = Buffer.alloc(TILE_BYTES)
  bytes.writeUInt16BE(aspect)
  bytes.writeUInt8(flags, ASPECT_BYTES)
  return bytes
}

/** @returns undefined when these are not the bytes of a tile */
export function readTile(bytes: Uint8Array): Tile | undefined {
  const [high, low, flags] = bytes
  if (high === undefined || low === undefined || flags === undefined) return undefined
  const aspect = high * 256 + low
  return { aspect: aspect === 0 ? undefined : aspect, flags }
}
