import { fileTypeFromBuffer } from 'file-type'
import { lookup } from 'mime-types'

const UNKNOWN = 'application/octet-stream'
/** Bytes from the start of a file that suffice to detect its image type. */
export const SNIFF_BYTES = 4_100
const TYPE_CHARACTERS_MAX = 255

// The first byte of every image format that file-type knows. Other files are spared the full check, up to 60 µs.
const IMAGE_FIRST_BYTES = new Set([0x00, 0x38, 0x41, 0x42, 0x46, 0x47, 0x49, 0x4d, 0x52, 0x67, 0x69, 0x89, 0xab, 0xff])

/**
 * @param start - the first {@link SNIFF_BYTES} of the file, or all of it; more is harmless
 * @param declared - the client's Content-Type of the file, if any
 * @returns the sniffed image type, else the declared type, else the one of the file name's extension
 */
export async function mediaType(start: Uint8Array, declared: string | undefined, filename: string): Promise<string> {
  return (await sniffImageType(start)) ?? declaredType(declared) ?? typeOfExtension(filename) ?? UNKNOWN
}

async function sniffImageType(start: Uint8Array): Promise<string | undefined> {
  if (!IMAGE_FIRST_BYTES.has(start[0] ?? -1)) return undefined
  const sample = start.subarray(0, SNIFF_BYTES)
  // The parser rejects bytes that begin like a format but break its rules: they are not of that format.
  const found = await fileTypeFromBuffer(sample).catch(() => undefined)
  return found?.mime.startsWith('image/') ? found.mime : undefined
}

/** Types that clients send for "unknown" count as undeclared. */
function declaredType(declared: string | undefined): string | undefined {
  const text = declared?.trim() ?? ''
  if (text.length > TYPE_CHARACTERS_MAX || !/^[\w!#$&^.+-]+\/[\w!#$&^.+-]+(\s*;[\x20-\x7e]*)?$/.test(text))
    return undefined
  const [type = '', ...parameters] = text.split(';')
  const plain = type.trim().toLowerCase()
  if (plain === UNKNOWN || plain.startsWith('multipart/')) return undefined
  const charset = parameters
    .map(parameter => parameter.trim().toLowerCase())
    .find(text => /^charset=[\w-]+$/.test(text))
  return charset === undefined ? plain : `${plain}; ${charset}`
}

function typeOfExtension(filename: string): string | undefined {
  return (filename.includes('.') && lookup(filename)) || undefined
}
