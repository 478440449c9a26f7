import { viewLooks } from './findings.js'
import type { Photo } from './photo.js'

/** What a file is, as people see it. */
export const PHOTO_KINDS = ['image', 'raw', 'video', 'other'] as const
export type PhotoKind = (typeof PHOTO_KINDS)[number]

/** Formats of a sensor's data, as heads say them. */
const RAW_FORMATS = ['dng', 'cr2', 'cr3', 'nef', 'arw', 'pef', 'srw', 'rw2', 'orf', 'raf', 'raw']

export function isRawFormat(format: string | undefined): boolean {
  return format !== undefined && RAW_FORMATS.includes(format)
}

/** Many a RAW file comes as `image/tiff`; its head tells. */
export function kindOf({ contentType, record }: Pick<Photo, 'contentType' | 'record'>): PhotoKind {
  if (isRawFormat(viewLooks(record).head?.format)) return 'raw'
  const [first] = contentType.toLowerCase().split('/', 1)
  return first === 'image' || first === 'video' ? first : 'other'
}
