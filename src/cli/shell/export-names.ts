import { extension } from 'mime-types'
import { parsePhotoId } from '../../domain/ids.js'

/** The parts of a photo's metadata that decide where it is exported to. */
export interface Exported {
  readonly photo_id: string
  readonly name: string
  readonly content_type: string
  readonly created_at: string
  readonly taken_at?: string | null
}

/** Leaves room for a suffix, `.json` and the temporary name in the 255 bytes of most file systems. */
const STEM_BYTES_MAX = 150
/** The date at the beginning of a time, as far as it is known. */
const DATE = /^(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?(?:T|$)/
/** Names that Windows keeps for devices. */
const DEVICE_NAME = /^(con|prn|aux|nul|com\d|lpt\d)$/i

/**
 * Where a photo may lie under the export folder, best first: `2026/11/20/IMG_1.jpg`, then with the tail of its id (the
 * random part of a UUID), then with all of it. Year, month and day are those where the picture was taken, where that is known.
 *
 * @returns relative paths with `/`, safe on every file system whatever the node says of the photo
 * @throws for an id that is no UUID
 */
export function exportPaths(photo: Exported): readonly [string, string, string] {
  if (parsePhotoId(photo.photo_id) === undefined)
    throw new Error('the node gave an id that is no UUID; do not trust it')
  const folder = exportFolder(photo)
  const { stem, suffix } = exportName(photo)
  const tail = photo.photo_id.slice(-6)
  return [
    `${folder}/${stem}${suffix}`,
    `${folder}/${stem}_${tail}${suffix}`,
    `${folder}/${stem}_${photo.photo_id}${suffix}`
  ]
}

/** The day, or what is known of it, where the photo was taken. */
function exportFolder({ taken_at, created_at }: Exported): string {
  const [, year, month, day] = DATE.exec(taken_at ?? created_at) ?? []
  return year === undefined ? 'undated' : [year, month, day].filter(part => part !== undefined).join('/')
}

function exportName({ name, content_type }: Exported): { readonly stem: string; readonly suffix: string } {
  const cleaned = name
    .normalize('NFC')
    .replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}]/gu, '')
    .replace(/[/\\:*?"<>|]/g, '_')
    .replace(/^[\s.]+|[\s.]+$/g, '')
  const given = /\.[a-z0-9]{1,10}$/i.exec(cleaned)?.[0]
  const guessed = extension(content_type)
  const base = given === undefined ? cleaned : cleaned.slice(0, -given.length)
  const stem = cutToBytes(base, STEM_BYTES_MAX).replace(/[\s.]+$/, '')
  return {
    stem: stem === '' ? 'photo' : DEVICE_NAME.test(stem) ? `_${stem}` : stem,
    suffix: given ?? (guessed === false ? '' : `.${guessed}`)
  }
}

/** @returns the longest beginning of whole characters that fits in so many bytes of UTF-8 */
function cutToBytes(text: string, bytesMax: number): string {
  let byteCount = 0
  let end = 0
  for (const character of text) {
    byteCount += Buffer.byteLength(character)
    if (byteCount > bytesMax) break
    end += character.length
  }
  return text.slice(0, end)
}
