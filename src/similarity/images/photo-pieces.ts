import { SheafError } from '../../core/errors.js'
import type { AnalysisRequest } from './image-analyzer.js'
import { PIECE_BYTES_MAX } from './image-process-messages.js'

/**
 * Cuts a photo's bytes into pieces of at most {@link PIECE_BYTES_MAX}.
 *
 * @throws `ERR_TRUNCATED_BODY` when there are not `size` bytes; errors from reading them
 */
export async function* piecesOf({ bytes, size }: Pick<AnalysisRequest, 'bytes' | 'size'>): AsyncGenerator<Uint8Array> {
  let used = 0
  for await (const part of bytes instanceof Uint8Array ? [bytes] : bytes()) {
    used += part.length
    if (used > size)
      throw new SheafError('ERR_TRUNCATED_BODY', `the photo has more than the ${size} bytes that its record says`)
    for (let at = 0; at < part.length; at += PIECE_BYTES_MAX) yield part.subarray(at, at + PIECE_BYTES_MAX)
  }
  if (used < size) throw new SheafError('ERR_TRUNCATED_BODY', `the photo ends after ${used} of ${size} bytes`)
}
