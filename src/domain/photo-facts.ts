/*
 * What the head of a file says about the picture in it, as facts of a record:
 *
 *   key           value
 *   'dimensions'  width, height: pixels, as shown
 *   'taken_at'    ms, offset?: minutes, source?, precision?, zone_source?
 *   'camera'      make?, model?, lens?: texts; focal_mm?, focal35_mm?, f_number?, exposure_s?, iso?: numbers; flash?: bool
 *   'place'       latitude, longitude: degrees; altitude?: metres
 *   'media'       duration_s?: number; live_id?: the identifier that a telephone writes into both files of a live photo;
 *                 motion_at?, motion_bytes?, motion_type?: where a movie is in the file of a picture, and its media type
 *
 * and what the client said of the file beside its bytes, written once, with the photo:
 *
 *   'file'        ms?: when it was last changed; offset?: of the zone then, minutes; zone?, source?, imported_from?: texts;
 *                 latitude?, longitude?, altitude?: of the place in a sidecar
 *
 * Versions before this one wrote dimensions, and ms of taken_at. Reading is lenient, as in value-fields.ts.
 */
import type { Value } from './cbor.js'
import { compareVersions } from './entry.js'
import { type Change, type DirectoryRecord, elementsOf } from './record.js'
import { integerOf, mapOf, numberOf, textOf, timeOf } from './value-fields.js'

/**
 * Where a date is from, strongest first:
 *
 *   user       a person has set it: a field of the version, and no fact
 *   exif       DateTimeOriginal
 *   xmp        exif:DateTimeOriginal, photoshop:DateCreated or xmp:CreateDate
 *   quicktime  com.apple.quicktime.creationdate, or ©day
 *   digitized  EXIF DateTimeDigitized
 *   iptc       date and time created
 *   container  a movie's creation time, in UTC
 *   gps        GPS date and time, in UTC
 *   name       the name of the file
 *   modified   EXIF DateTime
 *   file       the file was last changed then, as its client said
 */
export const DATE_SOURCES = [
  'user',
  'exif',
  'xmp',
  'quicktime',
  'digitized',
  'iptc',
  'container',
  'gps',
  'name',
  'modified',
  'file'
] as const
export type DateSource = (typeof DATE_SOURCES)[number]

/** How much of a date is known. */
export const DATE_PRECISIONS = ['year', 'month', 'day', 'minute', 'second'] as const
export type DatePrecision = (typeof DATE_PRECISIONS)[number]

/**
 * Where the offset of a date is from that does not say it itself, or says UTC and no local time:
 *
 *   gps     the time of the GPS, which is in UTC
 *   place   the zone of the place
 *   name    the local time in the name of the file
 *   import  the zone that the client said
 *   utc     nothing is known: the local time is that of UTC
 */
export const ZONE_SOURCES = ['gps', 'place', 'name', 'import', 'utc'] as const
export type ZoneSource = (typeof ZONE_SOURCES)[number]

/** No zone is farther from UTC. */
export const OFFSET_MINUTES_MAX = 14 * 60

/** When a picture was taken. */
export interface TakenAt {
  /** The moment, ms since the Unix epoch; when the offset is unknown, what a clock on the wall showed, as if in UTC. */
  readonly ms: number
  /** How far that clock was ahead of UTC, minutes; undefined: unknown. */
  readonly offsetMinutes?: number | undefined
  /** Undefined in records of before. */
  readonly source?: DateSource | undefined
  readonly precision?: DatePrecision | undefined
  /** Undefined: the date says its offset itself, or there is none. */
  readonly zoneSource?: ZoneSource | undefined
}

/** With what a picture was taken; texts of at most 64 bytes. */
export interface Camera {
  readonly make?: string | undefined
  readonly model?: string | undefined
  readonly lens?: string | undefined
  readonly focalMm?: number | undefined
  /** As on a camera for 35 mm film. */
  readonly focal35Mm?: number | undefined
  readonly fNumber?: number | undefined
  readonly exposureS?: number | undefined
  readonly iso?: number | undefined
  readonly flash?: boolean | undefined
}

/** What the client said of the file that it sent. */
export interface FileFacts {
  /** When it was last changed, ms since the Unix epoch. */
  readonly ms?: number | undefined
  /** By how much clocks of the zone were ahead of UTC then, minutes; undefined: nobody said where that was. */
  readonly offsetMinutes?: number | undefined
  /** Where its clocks were when they did not say: a name such as `Europe/Berlin`, or an offset. */
  readonly zone?: string | undefined
  /** The folder that it was in, as its owner knows it. */
  readonly source?: string | undefined
  /** The photo's id where it was exported. */
  readonly importedFrom?: string | undefined
  /** Where it was taken, as was said beside the file. */
  readonly place?: Place | undefined
}

/** Degrees north and east, metres above the sea. */
export interface Place {
  readonly latitude: number
  readonly longitude: number
  readonly altitude?: number | undefined
}

/** What there is beside the picture. */
export interface Media {
  /** Of a video. */
  readonly durationS?: number | undefined
  /** At most 64 bytes. */
  readonly liveId?: string | undefined
  readonly motion?: Motion | undefined
}

export const MOTION_TYPES = ['video/mp4', 'video/quicktime'] as const

/** A movie in the file of a picture. */
export interface Motion {
  /** Where it begins: behind something else. */
  readonly at: number
  /** In bytes; at least one. */
  readonly length: number
  readonly contentType: (typeof MOTION_TYPES)[number]
}

type Fields = ReadonlyMap<string, Value>

/** @returns what a clock on the wall showed, in ms as if it had been in UTC */
export function localMs({ ms, offsetMinutes = 0 }: TakenAt): number {
  return ms + offsetMinutes * 60_000
}

/** Concurrent facts differ only if program versions differ; the latest counts. */
export function factOf(record: DirectoryRecord, key: string): Fields | undefined {
  return elementsOf(record, 'facts')
    .filter(element => element.key === key)
    .sort(compareVersions)
    .at(-1)?.value
}

export function dimensionsChange(width: number, height: number): Change {
  return factChange('dimensions', mapOf({ width, height }))
}

/** @returns what the head of the file says, whatever a person has said since */
export function takenAtOf(record: DirectoryRecord): TakenAt | undefined {
  const fields = factOf(record, 'taken_at')
  return fields && takenAtFrom(fields)
}

/** @returns the date in some fields, as {@link takenAtFields} wrote them */
export function takenAtFrom(fields: Fields): TakenAt | undefined {
  const ms = timeOf(fields, 'ms')
  if (ms === undefined) return undefined
  const offsetMinutes = offsetOf(fields)
  const source = DATE_SOURCES.find(one => one === textOf(fields, 'source'))
  const precision = DATE_PRECISIONS.find(one => one === textOf(fields, 'precision'))
  const zoneSource = ZONE_SOURCES.find(one => one === textOf(fields, 'zone_source'))
  return {
    ms,
    ...(offsetMinutes !== undefined && { offsetMinutes }),
    ...(source !== undefined && { source }),
    ...(precision !== undefined && { precision }),
    ...(zoneSource !== undefined && { zoneSource })
  }
}

export function takenAtFields({ ms, offsetMinutes, source, precision, zoneSource }: TakenAt): Fields {
  return mapOf({ ms, offset: offsetMinutes, source, precision, zone_source: zoneSource })
}

export function takenAtChange(takenAt: TakenAt): Change {
  return factChange('taken_at', takenAtFields(takenAt))
}

export function fileFactsOf(record: DirectoryRecord): FileFacts {
  const fields = factOf(record, 'file')
  if (fields === undefined) return {}
  return {
    ms: timeOf(fields, 'ms'),
    offsetMinutes: offsetOf(fields),
    zone: textOf(fields, 'zone'),
    source: textOf(fields, 'source'),
    importedFrom: textOf(fields, 'imported_from'),
    place: placeFrom(fields)
  }
}

/** @returns no change when nothing is said */
export function fileFactsChanges({ ms, offsetMinutes, zone, source, importedFrom, place }: FileFacts): Change[] {
  const said = { ms, offset: offsetMinutes, zone, source, imported_from: importedFrom }
  const fields = mapOf({ ...said, ...place })
  return fields.size === 0 ? [] : [factChange('file', fields)]
}

/** @returns when the file was last changed, for want of a better date */
export function takenAtOfFile({ ms, offsetMinutes }: FileFacts): TakenAt | undefined {
  if (ms === undefined) return undefined
  const zoneSource = offsetMinutes === undefined ? 'utc' : 'import'
  return { ms, offsetMinutes: offsetMinutes ?? 0, source: 'file', precision: 'second', zoneSource }
}

function offsetOf(fields: Fields): number | undefined {
  const offset = numberOf(fields, 'offset')
  return offset !== undefined && Number.isInteger(offset) && Math.abs(offset) <= OFFSET_MINUTES_MAX ? offset : undefined
}

export function cameraOf(record: DirectoryRecord): Camera | undefined {
  const fields = factOf(record, 'camera')
  if (fields === undefined) return undefined
  const flash = fields.get('flash')
  return {
    make: textOf(fields, 'make'),
    model: textOf(fields, 'model'),
    lens: textOf(fields, 'lens'),
    focalMm: numberOf(fields, 'focal_mm'),
    focal35Mm: numberOf(fields, 'focal35_mm'),
    fNumber: numberOf(fields, 'f_number'),
    exposureS: numberOf(fields, 'exposure_s'),
    iso: numberOf(fields, 'iso'),
    flash: typeof flash === 'boolean' ? flash : undefined
  }
}

export function cameraChange(camera: Camera): Change {
  const { make, model, lens, focalMm, focal35Mm, fNumber, exposureS, iso, flash } = camera
  return factChange(
    'camera',
    mapOf({
      make,
      model,
      lens,
      focal_mm: focalMm,
      focal35_mm: focal35Mm,
      f_number: fNumber,
      exposure_s: exposureS,
      iso,
      flash
    })
  )
}

export function mediaOf(record: DirectoryRecord): Media {
  const fields = factOf(record, 'media')
  if (fields === undefined) return {}
  return { durationS: numberOf(fields, 'duration_s'), liveId: textOf(fields, 'live_id'), motion: motionFrom(fields) }
}

function motionFrom(fields: Fields): Motion | undefined {
  const [at = 0, length = 0] = [integerOf(fields, 'motion_at'), integerOf(fields, 'motion_bytes')]
  const contentType = MOTION_TYPES.find(type => type === textOf(fields, 'motion_type'))
  return at > 0 && length > 0 && contentType !== undefined ? { at, length, contentType } : undefined
}

export function mediaChange({ durationS, liveId, motion }: Media): Change {
  const said = { motion_at: motion?.at, motion_bytes: motion?.length, motion_type: motion?.contentType }
  return factChange('media', mapOf({ duration_s: durationS, live_id: liveId, ...said }))
}

/** @returns where it was taken, as the head of the file says */
export function placeOf(record: DirectoryRecord): Place | undefined {
  const fields = factOf(record, 'place')
  return fields && placeFrom(fields)
}

/** @returns the place in some fields, as {@link placeFields} wrote it; undefined for none, and for what is not on Earth */
export function placeFrom(fields: Fields): Place | undefined {
  const latitude = numberOf(fields, 'latitude')
  const longitude = numberOf(fields, 'longitude')
  if (latitude === undefined || longitude === undefined) return undefined
  if (!(Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180)) return undefined
  const altitude = numberOf(fields, 'altitude')
  return { latitude, longitude, ...(altitude !== undefined && { altitude }) }
}

export function placeFields({ latitude, longitude, altitude }: Place): Fields {
  return mapOf({ latitude, longitude, altitude })
}

export function placeChange(place: Place): Change {
  return factChange('place', placeFields(place))
}

function factChange(key: string, value: Fields): Change {
  return { kind: 'add', field: 'facts', key, value }
}
