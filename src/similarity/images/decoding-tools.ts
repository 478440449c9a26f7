import { isRawFormat } from '../../domain/photo-kind.js'
import { hasLibheif } from './heif/libheif.js'

/** What decodes pictures beside the library that every node has. */
export type DecodingTool = 'heif'

/** @param init.heic - whether the operator wants it: the decoder of HEVC is installed where its licence and patents allow it */
export function findDecodingTools({ heic }: { readonly heic: boolean }): ReadonlySet<DecodingTool> {
  return new Set(heic && hasLibheif() ? ['heif'] : [])
}

/**
 * @param format - of a file, as its head says
 * @returns the tool that a picture of it takes; undefined: none
 */
export function toolFor(format: string | undefined): DecodingTool | 'raw' | undefined {
  if (format === 'heic') return 'heif'
  return isRawFormat(format) ? 'raw' : undefined
}
