import type { PhotoReader } from '../photos/photo-reader.js'
import type { ByteSource } from '../similarity/images/heads/head-bytes.js'
import type { PhotoBlob } from '../store/photo-needles.js'

/** A file of which any part can be read. */
export interface ReadableFile {
  readonly size: number
  /** Bytes [from, to). */
  readonly stream: (from: number, to: number) => AsyncIterable<Uint8Array>
}

export function fileOfBlob(reader: Pick<PhotoReader, 'stream'>, blob: PhotoBlob): ReadableFile {
  return { size: blob.size, stream: (from, to) => reader.stream(blob, from, to) }
}

export function fileOfBytes(bytes: Uint8Array): ReadableFile {
  return {
    size: bytes.length,
    stream: async function* (from, to) {
      yield bytes.subarray(from, to)
    }
  }
}

/** @returns bytes [at, at + length), fewer where the file ends */
export async function readFrom({ size, stream }: ReadableFile, at: number, length: number): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  for await (const piece of stream(at, Math.min(at + length, size))) pieces.push(piece)
  return Buffer.concat(pieces)
}

/** @returns the same for the reader of heads */
export function sourceOf(file: ReadableFile): ByteSource {
  return { size: file.size, read: (at, length) => readFrom(file, at, length) }
}
