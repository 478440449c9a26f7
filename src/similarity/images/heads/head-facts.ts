import { type DateRead, readDate } from '../../../domain/date-text.js'
import {
  type Camera,
  DATE_SOURCES,
  type DateSource,
  type Media,
  type Motion,
  OFFSET_MINUTES_MAX,
  type Place,
  type TakenAt,
  type ZoneSource
} from '../../../domain/photo-facts.js'
import { placeAt } from '../../../domain/place-text.js'
import { offsetInZone } from '../../../domain/zones.js'
import { CAPTION_BYTES_MAX, cleanText, KEYWORDS_MAX, MOTION_PLACES_MAX, PREVIEW_PLACES_MAX } from './head-bytes.js'
import { offsetAtPlace } from './zone-of-place.js'

/** Version of the reader. Increment it when it reads more, or otherwise: then all photos are read again, at leisure. */
export const HEAD_READER = 3

export const HEAD_FORMATS = [
  'jpeg',
  'png',
  'webp',
  'gif',
  'tiff',
  'dng',
  'cr2',
  'cr3',
  'nef',
  'arw',
  'pef',
  'srw',
  'rw2',
  'orf',
  'raf',
  'raw',
  'heic',
  'avif',
  'heif',
  'mp4',
  'mov',
  'matroska',
  'avi',
  'mpeg',
  'mpegts',
  'asf'
] as const
export type HeadFormat = (typeof HEAD_FORMATS)[number]

/** Some bytes in a file. */
export interface Span {
  readonly at: number
  readonly length: number
}

/** A JPEG in a file. */
export interface PreviewPlace extends Span {
  readonly width: number
  readonly height: number
}

/** Pictures of a movie, each to be decoded by itself. */
export interface MovieFrames {
  /** The data of 'stsd'. */
  readonly config: Span
  /** Which of its entries is theirs, from 1. */
  readonly configIndex: number
  /** The one to be shown, and the first. */
  readonly frames: readonly Span[]
}

/** What the head of a file says. */
export interface Head {
  readonly format: HeadFormat
  /** As shown: after turning the picture upright. */
  readonly width?: number
  readonly height?: number
  /** As in EXIF, 1…8: how the stored picture is turned. Absent: upright, or not said. */
  readonly orientation?: number
  readonly takenAt?: TakenAt
  readonly camera?: Camera
  readonly place?: Place
  readonly media?: Media
  /** Whole, −1 (rejected) to 5. */
  readonly rating?: number
  readonly caption?: string
  readonly keywords?: readonly string[]
  /** JPEGs of the picture in the file, stored like it, the largest first. Not kept in records. */
  readonly previews?: readonly PreviewPlace[]
  /** Pictures of a movie, not turned. Not kept in records. */
  readonly movie?: MovieFrames
}

/** What is known of a file beside its bytes, for the zone of its date. */
interface KnownBeside {
  readonly zone?: string | undefined
  readonly place?: Place | undefined
}

/** An offset that the file does not say. */
interface Offset {
  readonly offsetMinutes: number
  readonly zoneSource: ZoneSource
}

/** Larger sides are not of pictures. */
const SIDE_MAX = 2 ** 31 - 1
/** A date may be as much later than the upload: clocks are wrong, and zones unknown. */
const FUTURE_MS_MAX = 86_400_000
/** A year. */
const DURATION_S_MAX = 31_536_000
const QUARTER_MINUTES = 15
/** How far two clocks may differ beside the offset. */
const TOLERANCE_MINUTES = 3

const NOTHING = { previews: [], motion: undefined }

/** Gathers what the parts of a file say. The first to say something is believed, except for dates: there the source counts. */
export class HeadFacts {
  #size: { readonly width: number; readonly height: number } | undefined
  #orientation: number | undefined
  readonly #dates = new Map<DateSource, DateRead>()
  readonly #weakOffsets: number[] = []
  #camera: Camera = {}
  #place: Place | undefined
  #media: Media = {}
  #rating: number | undefined
  #caption: string | undefined
  readonly #keywords = new Set<string>()
  readonly #previews: Span[] = []
  #movie: MovieFrames | undefined
  readonly #motions: Span[] = []
  readonly #latestMs: number

  /** @param latestMs - no picture was taken later, ms since the Unix epoch */
  constructor(latestMs: number) {
    this.#latestMs = latestMs
  }

  get hasSize(): boolean {
    return this.#size !== undefined
  }

  /** As stored. */
  size(width: number, height: number): void {
    const isSide = (side: number): boolean => Number.isSafeInteger(side) && side > 0 && side <= SIDE_MAX
    if (isSide(width) && isSide(height)) this.#size ??= { width, height }
  }

  /** @param orientation - as in EXIF; others than 1…8 are not believed */
  orientation(orientation: number): void {
    if (Number.isInteger(orientation) && orientation >= 1 && orientation <= 8) this.#orientation ??= orientation
  }

  /** @param date - a text, or a date that was read; what cannot have been is left out */
  date(source: DateSource, date: DateRead | string | undefined): void {
    const read = typeof date === 'string' ? readDate(date) : date
    if (read === undefined || read.localMs > this.#latestMs + FUTURE_MS_MAX) return
    const known = this.#dates.get(source)
    // of one moment, written in two places, the one that has a zone
    const isBetter = known?.offsetMinutes === undefined && sameSecond(known, read) && read.offsetMinutes !== undefined
    if (known === undefined || isBetter) this.#dates.set(source, read)
  }

  /** An offset that is said, but of another date. */
  weakOffset(minutes: number | undefined): void {
    if (minutes !== undefined) this.#weakOffsets.push(minutes)
  }

  camera(camera: Camera): void {
    const said = Object.entries(camera).filter(([, value]) => value !== undefined)
    this.#camera = { ...Object.fromEntries(said), ...this.#camera }
  }

  place(place: Place): void {
    this.#place ??= placeAt(place)
  }

  /** @param seconds - of a video */
  duration(seconds: number): void {
    if (seconds > 0 && seconds <= DURATION_S_MAX)
      this.#media = { durationS: Math.round(seconds * 1_000) / 1_000, ...this.#media }
  }

  /** @param text - what both files of a live photo say */
  liveId(text: string | undefined): void {
    const liveId = text === undefined ? undefined : cleanText(text)
    if (liveId !== undefined) this.#media = { liveId, ...this.#media }
  }

  rating(rating: number): void {
    if (Number.isInteger(rating) && rating >= -1 && rating <= 5) this.#rating ??= rating
  }

  caption(text: string): void {
    this.#caption ??= cleanText(text, CAPTION_BYTES_MAX)
  }

  keyword(text: string): void {
    const keyword = cleanText(text)
    if (keyword !== undefined && this.#keywords.size < KEYWORDS_MAX) this.#keywords.add(keyword)
  }

  /** A JPEG of the picture is said to be there. */
  preview(at: number, length: number): void {
    const isPlace = Number.isSafeInteger(at) && at > 0 && Number.isSafeInteger(length) && length > 0
    const isNew = this.#previews.every(other => other.at !== at)
    if (isPlace && isNew && this.#previews.length < PREVIEW_PLACES_MAX) this.#previews.push({ at, length })
  }

  movie(frames: MovieFrames | undefined): void {
    this.#movie ??= frames
  }

  /** A movie is said to be there, behind the picture. */
  motion({ at, length }: Span): void {
    const isPlace = Number.isSafeInteger(at) && at > 0 && Number.isSafeInteger(length) && length > 0
    if (isPlace && this.#motions.length < MOTION_PLACES_MAX) this.#motions.push({ at, length })
  }

  /** Places that were named; what is there is not known. */
  get motions(): readonly Span[] {
    return this.#motions
  }

  get make(): string | undefined {
    return this.#camera.make
  }

  /** The same. */
  get previews(): readonly Span[] {
    return this.#previews
  }

  /**
   * @param known - beside the file: see `HeadHints`
   * @param found - at the places that were named
   */
  finish(
    format: HeadFormat,
    known: KnownBeside = {},
    { previews, motion }: { readonly previews: readonly PreviewPlace[]; readonly motion: Motion | undefined } = NOTHING
  ): Head {
    const orientation = this.#orientation
    const isTurned = orientation !== undefined && orientation > 4
    const { width, height } = this.#size ?? {}
    const takenAt = this.#takenAt(known)
    const camera = cameraOf(this.#camera)
    const media = { ...this.#media, ...(motion !== undefined && { motion }) }
    return {
      format,
      ...(width !== undefined &&
        height !== undefined &&
        (isTurned ? { width: height, height: width } : { width, height })),
      ...(orientation !== undefined && orientation !== 1 && { orientation }),
      ...(takenAt !== undefined && { takenAt }),
      ...(camera !== undefined && { camera }),
      ...(this.#place !== undefined && { place: this.#place }),
      ...(Object.keys(media).length > 0 && { media }),
      ...(this.#rating !== undefined && { rating: this.#rating }),
      ...(this.#caption !== undefined && { caption: this.#caption }),
      ...(this.#keywords.size > 0 && { keywords: [...this.#keywords] }),
      ...(previews.length > 0 && { previews }),
      ...(this.#movie !== undefined && { movie: this.#movie })
    }
  }

  #takenAt({ zone, place = this.#place }: KnownBeside): TakenAt | undefined {
    const source = DATE_SOURCES.find(one => this.#dates.has(one))
    const date = source && this.#dates.get(source)
    if (date === undefined) return undefined
    const { localMs, precision } = date
    const isUtc = source === 'container' || source === 'gps' || (source === 'name' && date.offsetMinutes === 0)
    if (isUtc) return { ms: localMs, ...this.#offsetOfUtc(date, place, zone), source, precision }
    const said = date.offsetMinutes ?? this.#offsetSaid(date)
    const offset = said === undefined ? this.#offsetFor(date, place) : { offsetMinutes: said }
    return { ms: localMs - (offset?.offsetMinutes ?? 0) * 60_000, ...offset, source, precision }
  }

  /** @param date - in UTC: what showed clocks where the picture was taken? */
  #offsetOfUtc(date: DateRead, place: Place | undefined, zone: string | undefined): Offset {
    const byPlace = place && offsetAtPlace(place, date.localMs, 'utc')
    if (byPlace !== undefined) return { offsetMinutes: byPlace, zoneSource: 'place' }
    const byName = this.#offsetByName(date)
    if (byName !== undefined) return { offsetMinutes: byName, zoneSource: 'name' }
    const byZone = zone === undefined ? undefined : offsetInZone(zone, date.localMs)
    if (byZone !== undefined) return { offsetMinutes: byZone, zoneSource: 'import' }
    return { offsetMinutes: 0, zoneSource: 'utc' }
  }

  /** @returns the offset that the file says elsewhere than beside the date */
  #offsetSaid(date: DateRead): number | undefined {
    for (const other of this.#dates.values())
      if (other.offsetMinutes !== undefined && sameSecond(other, date)) return other.offsetMinutes
    return this.#weakOffsets[0]
  }

  /** @returns the offset of a date of which the file says none; undefined: nothing tells it */
  #offsetFor(date: DateRead, place: Place | undefined): Offset | undefined {
    const byGps = this.#offsetByGps(date)
    if (byGps !== undefined) return { offsetMinutes: byGps, zoneSource: 'gps' }
    const isTime = date.precision === 'second' || date.precision === 'minute'
    const byPlace = isTime && place ? offsetAtPlace(place, date.localMs, 'local') : undefined
    return byPlace === undefined ? undefined : { offsetMinutes: byPlace, zoneSource: 'place' }
  }

  #offsetByGps({ localMs, precision }: DateRead): number | undefined {
    const gps = this.#dates.get('gps')
    const isTime = precision === 'second' || precision === 'minute'
    return gps?.precision === 'second' && isTime ? offsetBetween(localMs, gps.localMs) : undefined
  }

  /** @param date - in UTC */
  #offsetByName({ localMs }: DateRead): number | undefined {
    const name = this.#dates.get('name')
    const isLocal = name?.precision === 'second' && name.offsetMinutes === undefined
    return isLocal ? offsetBetween(name.localMs, localMs) : undefined
  }
}

/** @returns by how many minutes local time is ahead of UTC, if that is about a whole number of quarters of an hour */
function offsetBetween(localMs: number, utcMs: number): number | undefined {
  const minutes = (localMs - utcMs) / 60_000
  const offset = Math.round(minutes / QUARTER_MINUTES) * QUARTER_MINUTES
  const isOffset = Math.abs(minutes - offset) <= TOLERANCE_MINUTES && Math.abs(offset) <= OFFSET_MINUTES_MAX
  return isOffset ? offset + 0 : undefined // not −0
}

function sameSecond(a: DateRead | undefined, b: DateRead): boolean {
  return a !== undefined && Math.floor(a.localMs / 1_000) === Math.floor(b.localMs / 1_000)
}

/** @returns the camera without what its model says twice; undefined when nothing is known */
function cameraOf(camera: Camera): Camera | undefined {
  const { make, model } = camera
  const prefix = `${make?.toLowerCase()} `
  const isTwice = model?.toLowerCase().startsWith(prefix) === true
  const whole = isTwice ? { ...camera, model: model.slice(prefix.length).trim() } : camera
  return Object.keys(whole).length === 0 ? undefined : whole
}
