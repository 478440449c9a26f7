import { viewLooks } from './findings.js'
import { ALT_KEYS, type AltKey, type Photo } from './photo.js'
import { isVisual } from './photo-kind.js'

export type SizeName = Exclude<AltKey, 'orig'>
/** The sizes that are made of a photo. */
export const SIZE_NAMES: readonly SizeName[] = ALT_KEYS.filter(alt => alt !== 'orig')

/**
 * Whether a size can be had: it is `ready`; it is `pending`, nobody has looked at the photo yet; there is `none`, as of a file without
 * a picture, or where no node has the tool that it takes; or making it has `failed`.
 */
export const SIZE_STATES = ['ready', 'pending', 'none', 'failed'] as const
export type SizeState = (typeof SIZE_STATES)[number]

/** By the record alone. */
export function sizeState(photo: Photo, alt: SizeName): SizeState {
  if (photo.variants.has(alt)) return 'ready'
  if (!isVisual(photo.contentType)) return 'none'
  if (standsIn(photo)) return 'ready'
  const { image } = viewLooks(photo.record)
  if (image === undefined) return 'pending'
  return image.error === undefined ? 'none' : 'failed'
}

/** Whether the original is shown for a size that there is not: that was not made because the original fits it. */
export function standsIn({ record }: Photo): boolean {
  return viewLooks(record).image?.state === 'whole'
}
