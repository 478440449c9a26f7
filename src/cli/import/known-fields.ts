import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { takenAtText } from '../../domain/date-text.js'
import { SOURCE_BYTES_MAX } from '../../domain/limits.js'
import { localMs, type Place, type TakenAt } from '../../domain/photo-facts.js'
import { offsetInZone } from '../../domain/zones.js'
import { XMP_BYTES_MAX } from '../../similarity/images/heads/head-bytes.js'
import { type Head, HeadFacts } from '../../similarity/images/heads/head-facts.js'
import { readHead } from '../../similarity/images/heads/read-head.js'
import { readXmp } from '../../similarity/images/heads/xmp.js'
import { offsetAtPlace } from '../../similarity/images/heads/zone-of-place.js'
import type { WantedFields } from '../shell/merge-photo.js'
import { type PlannedPhoto, readStart, type SidecarFile } from './plan.js'
import { type FoundFile, timeOf } from './walk.js'

/** All that is known of a file beside its bytes. */
export interface KnownFields extends WantedFields {
  readonly name: string
  readonly fileTimeMs: number | undefined
  readonly source: string | undefined
  readonly zone: string | undefined
  readonly importedFrom?: string | undefined
}

/** A date that differs by more was corrected by somebody: zones differ by at most 26 hours, and mostly by less. */
const CORRECTED_MS_MIN = 25 * 3_600_000
/** Where names were cut, see takeout-names.ts. */
const CUT_NAME_LENGTH_MIN = 44

/**
 * @param sha256 - of the bytes: a sidecar of Sheaf for other bytes is none of theirs
 * @param init.zone - of clocks that do not say theirs
 * @param init.nowMs - dates later by more than a day are not believed
 */
export async function knownFieldsOf(
  photo: PlannedPhoto,
  sha256: string,
  init: { readonly zone: string; readonly nowMs: number }
): Promise<KnownFields> {
  const { file, sheaf, albums } = photo
  if (sheaf?.said.sha256 === sha256) {
    sheaf.isUsed = true
    const { photoId, name = file.name, albums: own, tags, ...said } = sheaf.said
    return { ...said, name, tags, albums: [...new Set([...own, ...albums])], importedFrom: photoId }
  }
  const { takeout, xmp, editedOf } = photo
  const said = xmp === undefined ? undefined : await readXmpFile(xmp, init.nowMs)
  if (takeout !== undefined) takeout.isUsed = true
  const takenMs = takeout?.said.takenMs
  const needsHead = [takenMs, said?.head.takenAt, takeout?.said.place].some(one => one !== undefined)
  const head = needsHead ? await readFileHead(file, init) : undefined
  // Google's is a guess where the file says nothing, and else the file's
  const place = said?.head.place ?? (head?.place === undefined ? takeout?.said.place : undefined)
  const rating = said?.head.rating
  return {
    name: takeout === undefined ? file.name : fullName(file.name, takeout.said.title),
    fileTimeMs: takenMs ?? timeOf(file.state),
    source: sourceText(file.source),
    zone: init.zone,
    place,
    takenAt: takenAtOf(head, said?.head.takenAt, takenMs, ms => offsetAt(place ?? head?.place, init.zone, ms)),
    caption: said?.head.caption ?? takeout?.said.caption,
    rating: rating !== undefined && rating >= 0 ? rating : undefined,
    ...(takeout?.said.isFavourite === true && { favourite: true }),
    ...(takeout?.said.isArchived === true && { archived: true }),
    tags: [...(takeout?.said.tags ?? []), ...(said?.head.keywords ?? []), ...(rating === -1 ? ['rejected'] : [])],
    albums,
    attributes: {
      ...(editedOf !== undefined && { edited_of: editedOf }),
      ...(said !== undefined && { xmp_sha256: said.sha256 })
    }
  }
}

/** @param offsetOf - by how many minutes clocks were ahead of UTC at a moment. @returns the date that the file itself lacks, or has otherwise */
function takenAtOf(
  head: Head | undefined,
  byXmp: TakenAt | undefined,
  takenMs: number | undefined,
  offsetOf: (ms: number) => number
): string | undefined {
  const own = head?.takenAt
  if (byXmp !== undefined) return own && localMs(own) === localMs(byXmp) ? undefined : takenAtText(byXmp)
  if (takenMs === undefined) return undefined
  const isOwnWeak = own === undefined || own.source === 'modified' || (own.source === 'name' && own.precision === 'day')
  if (!isOwnWeak && Math.abs(own.ms - takenMs) <= CORRECTED_MS_MIN) return undefined
  return takenAtText({ ms: takenMs, offsetMinutes: offsetOf(takenMs), precision: 'second' })
}

/** The place knows better than a zone that is said for all files. */
function offsetAt(place: Place | undefined, zone: string, ms: number): number {
  return (place && offsetAtPlace(place, ms, 'utc')) ?? offsetInZone(zone, ms) ?? 0
}

async function readXmpFile(
  sidecar: SidecarFile,
  nowMs: number
): Promise<{ readonly head: Head; readonly sha256: string } | undefined> {
  const bytes = await readStart(sidecar.file, XMP_BYTES_MAX)
  if (bytes === undefined) return undefined
  sidecar.isUsed = true
  const facts = new HeadFacts(nowMs)
  readXmp(bytes, facts)
  return { head: facts.finish('jpeg'), sha256: createHash('sha256').update(bytes).digest('hex') }
}

async function readFileHead(
  { path, name, state }: FoundFile,
  { zone, nowMs }: { readonly zone: string; readonly nowMs: number }
): Promise<Head | undefined> {
  const handle = await open(path)
  try {
    const read = async (at: number, length: number): Promise<Uint8Array> => {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, at)
      return buffer.subarray(0, bytesRead)
    }
    return await readHead({ size: state.byteCount, read }, { latestMs: nowMs, name, zone })
  } finally {
    await handle.close()
  }
}

/** @returns the title, where the name is only its beginning */
function fullName(name: string, title: string): string {
  const [, stem = name, extension = ''] = /^(.*?)(\.[^.]*)?$/s.exec(name) ?? []
  const isCut = [...name].length >= CUT_NAME_LENGTH_MIN && title.length > name.length
  return isCut && title.startsWith(stem) && title.toLowerCase().endsWith(extension.toLowerCase()) ? title : name
}

/** @returns as many of the last folders as are kept */
function sourceText(source: string): string | undefined {
  const folders = source.replace(/\p{Cc}/gu, '').split('/')
  while (folders.length > 0 && Buffer.byteLength(folders.join('/')) > SOURCE_BYTES_MAX) folders.shift()
  return folders.join('/') || undefined
}
