/*
 * What belongs together: the video of a live photo, a RAW file and the picture that the camera made of it. One of them is the
 * entry that lists show; the others are its parts. That is written into the records of both, as the fact
 *
 *   key     value
 *   'pair'  of?: id of the entry, in a part; or parts?: ids of the parts, in the entry; live?: true, one of these is a movie
 *
 * Files may belong together when they have a term in common:
 *
 *   name  value
 *   pair  'id' · U+0000 · the identifier that a telephone writes into both
 *   pair  'stem' · U+0000 · owner · U+0000 · folder · U+0000 · name without its extension, folded
 */
import { viewLooks } from './findings.js'
import { type PhotoId, parsePhotoId } from './ids.js'
import type { Photo } from './photo.js'
import { factOf, localMs, mediaOf, OFFSET_MINUTES_MAX } from './photo-facts.js'
import { kindOf, type PhotoKind } from './photo-kind.js'
import type { Change, DirectoryRecord } from './record.js'
import { foldText } from './text.js'
import { mapOf, textOf } from './value-fields.js'

export interface Pair {
  /** Of a part: the entry that it belongs to. */
  readonly of: PhotoId | undefined
  /** Of an entry. */
  readonly parts: readonly PhotoId[]
  /** Of an entry with a movie among its parts. */
  readonly isLive?: true
}

export const ALONE: Pair = { of: undefined, parts: [] }

/** The entry is the first of these that is there; of each there may be one. */
const ROLES: readonly PhotoKind[] = ['image', 'raw', 'video']
/** A picture and its RAW file say the same second, or the next. */
const RAW_MS_MAX = 1_000
/** The video of a live photo begins before it, and is short. */
const VIDEO_MS_MAX = 5_000
const VIDEO_S_MAX = 10
/** Offsets of zones are multiples of it. */
const QUARTER_MS = 15 * 60_000

export function pairOf(record: DirectoryRecord): Pair {
  const fields = factOf(record, 'pair')
  if (fields === undefined) return ALONE
  const of = parsePhotoId(textOf(fields, 'of') ?? '')
  const parts = fields.get('parts')
  const ids = Array.isArray(parts) ? parts.map(part => (typeof part === 'string' ? parsePhotoId(part) : undefined)) : []
  if (of !== undefined) return { of, parts: [] }
  const isLive = fields.get('live') === true
  return { of, parts: ids.filter(id => id !== undefined).slice(0, ROLES.length - 1), ...(isLive && { isLive }) }
}

export function pairChange({ of, parts, isLive }: Pair): Change {
  if (of === undefined && parts.length === 0) return { kind: 'remove', field: 'facts', key: 'pair' }
  const value = of === undefined ? mapOf({ parts: [...parts], live: isLive }) : mapOf({ of })
  return { kind: 'add', field: 'facts', key: 'pair', value }
}

export function isSamePair(a: Pair, b: Pair): boolean {
  return a.of === b.of && a.parts.join() === b.parts.join() && a.isLive === b.isLive
}

/** Whether the photo may have terms at all: at a fraction of the cost of finding them. */
export function mayBePaired({ entries }: DirectoryRecord): boolean {
  return entries.some(({ field, key, value }) => {
    return (
      field === 'facts' &&
      (key === 'pair' || (key === 'media' && value.has('live_id')) || (key === 'file' && value.has('source')))
    )
  })
}

/** @returns the terms under which a photo's others are found */
export function pairTerms(photo: Photo): string[] {
  const { owner = '', name, file, record } = photo
  if (kindOf(photo) === 'other') return []
  const terms: string[] = []
  const { liveId } = mediaOf(record)
  if (liveId !== undefined) terms.push(`pair\0id\0${liveId}`)
  const stem = foldText(name.replace(/\.[^.]*$/, ''))
  if (file.source !== undefined && stem !== '') terms.push(`pair\0stem\0${owner}\0${foldText(file.source)}\0${stem}`)
  return terms
}

/**
 * @param photos - live ones, each of which has a term in common with another one
 * @returns what each of them is; photos that are left out are alone
 */
export function pairsAmong(photos: readonly Photo[]): Map<PhotoId, Pair> {
  const pairs = new Map<PhotoId, Pair>()
  for (const term of new Set(photos.flatMap(pairTerms).sort())) {
    const some = photos.filter(photo => pairTerms(photo).includes(term) && !pairs.has(photo.id))
    const inRoles = ROLES.map(role => some.filter(photo => kindOf(photo) === role))
    // of two that could be the one, nobody knows which it is
    if (inRoles.some(({ length }) => length > 1)) continue
    const [entry, ...others] = inRoles.flat()
    const parts = entry === undefined ? [] : others.filter(other => belongs(entry, other))
    if (entry === undefined || parts.length === 0) continue
    const isLive = parts.some(part => kindOf(part) === 'video')
    pairs.set(entry.id, { of: undefined, parts: parts.map(({ id }) => id), ...(isLive && { isLive }) })
    for (const { id } of parts) pairs.set(id, { of: entry.id, parts: [] })
  }
  return pairs
}

function belongs(entry: Photo, part: Photo): boolean {
  if ((entry.owner ?? '') !== (part.owner ?? '')) return false
  const [media, other] = [mediaOf(entry.record), mediaOf(part.record)]
  if (media.liveId !== undefined && media.liveId === other.liveId) return true
  // what their heads say is not known yet
  if (viewLooks(entry.record).head === undefined || viewLooks(part.record).head === undefined) return false
  const apartMs = msBetween(entry, part)
  if (kindOf(part) !== 'video') return apartMs !== undefined && apartMs <= RAW_MS_MAX
  const { durationS = Number.POSITIVE_INFINITY } = other
  return durationS <= VIDEO_S_MAX && (apartMs === undefined || apartMs <= VIDEO_MS_MAX)
}

/**
 * By what clocks on the wall showed, or by the moments, whichever is nearer: many a movie says only the latter. Where the other one does
 * not say its offset, that may be any.
 *
 * @returns undefined when it is not known of both when they were taken
 */
function msBetween({ takenAt: a }: Photo, { takenAt: b }: Photo): number | undefined {
  if (a === undefined || b === undefined || a.source === 'file' || b.source === 'file') return undefined
  const byClocks = Math.abs(localMs(a) - localMs(b))
  if (a.offsetMinutes !== undefined && b.offsetMinutes !== undefined) return Math.min(byClocks, Math.abs(a.ms - b.ms))
  const byMoment = Math.abs(a.ms - b.ms)
  const isUtc = a.source === 'container' || b.source === 'container'
  if (!isUtc || byMoment > OFFSET_MINUTES_MAX * 60_000) return byClocks
  const beyond = byMoment % QUARTER_MS
  return Math.min(byClocks, beyond, QUARTER_MS - beyond)
}
