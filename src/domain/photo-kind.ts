import { viewLooks } from './findings.js'
import type { Photo } from './photo.js'

/** What a file is, as people see it. */
export const PHOTO_KINDS = ['image', 'raw', 'video', 'other'] as const
export type PhotoKind = (typeof PHOTO_KINDS)[number]

/** Formats of a sensor's data, as heads say them. */
const RAW_FORMATS = ['dng', 'cr2', 'cr3', 'nef', 'arw', 'pef', 'srw', 'rw2', 'orf', 'raf', 'raw']

/** Formats of pictures that move, as heads say them. */
const MOVIE_FORMATS = ['mp4', 'mov', 'matroska', 'avi', 'mpeg', 'mpegts', 'asf']

export function isMovieFormat(format: string | undefined): boolean {
  return format !== undefined && MOVIE_FORMATS.includes(format)
}

/** Whether there is something to be seen in a file of this type: a picture, or one that moves. */
export function isVisual(contentType: string): boolean {
  return /^(image|video)\//i.test(contentType)
}

export function isRawFormat(format: string | undefined): boolean {
  return format !== undefined && RAW_FORMATS.includes(format)
}

/** Many a RAW file comes as `image/tiff`; its head tells. */
export function kindOf({ contentType, record }: Pick<Photo, 'contentType' | 'record'>): PhotoKind {
  if (isRawFormat(viewLooks(record).head?.format)) return 'raw'
  const [first] = contentType.toLowerCase().split('/', 1)
  return first === 'image' || first === 'video' ? first : 'other'
}
