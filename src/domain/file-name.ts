import type { PhotoId } from './ids.js'

/** Leaves room for a suffix, `.json` and the temporary name in the 255 bytes of most file systems. */
const STEM_BYTES_MAX = 150
/** Names that Windows keeps for devices. */
const DEVICE_NAME = /^(con|prn|aux|nul|com\d|lpt\d)$/i

/**
 * What a photo is called as a file, on every file system, whatever its name is.
 *
 * @param extension - of its media type, where the name has none; false: that has none, either
 */
export function fileName(name: string, extension: string | false): { readonly stem: string; readonly suffix: string } {
  const clean = cleanedName(name)
  const given = /\.[a-z0-9]{1,10}$/i.exec(clean)?.[0]
  return {
    stem: fileStem(given === undefined ? clean : clean.slice(0, -given.length)),
    suffix: given ?? (extension === false ? '' : `.${extension}`)
  }
}

/** @returns what a photo is called by those who are told nothing of it */
export function neutralName(id: PhotoId): string {
  return `photo-${id.slice(-8)}`
}

/** @returns text that can be part of a name on every file system */
export function cleanedName(text: string): string {
  return text
    .normalize('NFC')
    .replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}]/gu, '')
    .replace(/[/\\:*?"<>|]/g, '_')
    .replace(/^[\s.]+|[\s.]+$/g, '')
}

/** @returns it as the name of a folder, or of a file before its extension: not empty, not too long, no device */
export function fileStem(text: string): string {
  const stem = cutToBytes(cleanedName(text), STEM_BYTES_MAX).replace(/[\s.]+$/, '')
  return stem === '' ? 'photo' : DEVICE_NAME.test(stem) ? `_${stem}` : stem
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
