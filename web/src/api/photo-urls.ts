export type Size = 'thumb' | 'small' | 'large'

/** @param digest - of the size, if it is known: then the browser keeps it and asks no more */
export function sizeUrl(id: string, size: Size, digest?: string): string {
  const version = digest === undefined ? '' : `&v=${digest.slice(0, 16)}`
  return `/photo/${id}?alt_key=${size}${version}`
}

export function originalUrl(id: string): string {
  return `/photo/${id}`
}

/** @returns where the movie inside a picture's file is to be had */
export function motionUrl(id: string): string {
  return `/photo/${id}?part=motion`
}

/** As many photos as an address can name. */
export const ZIPPED_MAX = 300

/** @param ids - at most {@link ZIPPED_MAX}. @returns where their originals are to be had as one file */
export function zipUrl(ids: readonly string[]): string {
  return `/photos/zip?${ids.map(id => `id=${id}`).join('&')}`
}

/** @returns which size shows a picture so large sharply @param px - of the screen's own pixels, the longer side */
export function sizeFor(px: number): Size {
  if (px <= THUMB_PX) return 'thumb'
  return px <= SMALL_PX ? 'small' : 'large'
}

/** Longest sides of what nodes make. */
const THUMB_PX = 256
const SMALL_PX = 640
