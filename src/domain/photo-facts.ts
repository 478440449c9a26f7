/** What the head of a file says about the picture in it, in the words of records. */

/**
 * Where a date is from, strongest first:
 *
 *   exif       DateTimeOriginal
 *   xmp        exif:DateTimeOriginal, photoshop:DateCreated or xmp:CreateDate
 *   quicktime  com.apple.quicktime.creationdate, or ©day
 *   digitized  EXIF DateTimeDigitized
 *   iptc       date and time created
 *   container  a movie's creation time, in UTC
 *   gps        GPS date and time, in UTC
 *   modified   EXIF DateTime
 */
export const DATE_SOURCES = ['exif', 'xmp', 'quicktime', 'digitized', 'iptc', 'container', 'gps', 'modified'] as const
export type DateSource = (typeof DATE_SOURCES)[number]

/** How much of a date is known. */
export const DATE_PRECISIONS = ['year', 'month', 'day', 'minute', 'second'] as const
export type DatePrecision = (typeof DATE_PRECISIONS)[number]

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

/** Degrees north and east, metres above the sea. */
export interface Place {
  readonly latitude: number
  readonly longitude: number
  readonly altitude?: number | undefined
}
