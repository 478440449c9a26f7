import { isMovieFormat, isRawFormat } from '../../domain/photo-kind.js'
import { hasLibheif } from './heif/libheif.js'

/** What decodes pictures beside the library that every node has. */
export type DecodingTool = 'heif' | 'ffmpeg'

/**
 * @param init.heic - whether the operator wants it: the decoder of HEVC is installed where its licence and patents allow it
 * @param init.ffmpeg - whether the program was found
 */
export function decodingTools(init: { readonly heic: boolean; readonly ffmpeg: boolean }): ReadonlySet<DecodingTool> {
  const { heic, ffmpeg } = init
  return new Set([...(heic && hasLibheif() ? (['heif'] as const) : []), ...(ffmpeg ? (['ffmpeg'] as const) : [])])
}

/**
 * @param format - of a file, as its head says
 * @returns the tool that a picture of it takes; undefined: none
 */
export function toolFor(format: string | undefined): DecodingTool | 'raw' | undefined {
  if (format === 'heic') return 'heif'
  if (isMovieFormat(format)) return 'ffmpeg'
  return isRawFormat(format) ? 'raw' : undefined
}
