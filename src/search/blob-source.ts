import type { PhotoReader } from '../photos/photo-reader.js'
import type { ByteSource } from '../similarity/images/heads/head-bytes.js'
import type { PhotoBlob } from '../store/photo-needles.js'

/** @returns the bytes of a photo, to be read anywhere */
export function sourceOfBlob(reader: Pick<PhotoReader, 'stream'>, blob: PhotoBlob): ByteSource {
  return {
    size: blob.size,
    read: async (at, length) => {
      const pieces: Uint8Array[] = []
      for await (const piece of reader.stream(blob, at, Math.min(at + length, blob.size))) pieces.push(piece)
      return Buffer.concat(pieces)
    }
  }
}
