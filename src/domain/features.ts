/*
 * Features: what a model says of an image, as the data of one needle. All numbers little-endian.
 *
 *   offset  bytes  field
 *        0      4  magic 'SHFT'
 *        4      1  version, 1
 *        5      1  vectors, 1…4
 *        6      2  0
 *        8     32  digest of the model
 *       40         vectors: space u8 (1 image, 2 text) · 0 u8 · dimension u16 · dimension × f32
 *
 * Vectors have unit length, so that a dot product is their cosine. Those of one space and one model can be compared, no others.
 */
import { malformed } from './cbor.js'

/** `image`: what a picture looks like. `text`: what it is about, where words have places, too. */
export type Space = 'image' | 'text'

/** 16 lower-case hex digits: the first 8 bytes of a model's digest. */
export type ModelId = string & { readonly __brand: 'ModelId' }

export interface Features {
  /** SHA-256 of the model, lower-case hex. */
  readonly modelDigest: string
  readonly vectors: ReadonlyMap<Space, Float32Array>
}

export const DIMENSION_MAX = 4096
/** Longest that a needle of features may be. */
export const FEATURES_BYTES_MAX = 128 * 1024

const MAGIC = 0x54464853 // 'SHFT' read little-endian
const VERSION = 1
const HEAD_BYTES = 40
const DIGEST_BYTES = 32
const SPACES = [undefined, 'image', 'text'] as const
const MODEL_ID = /^[0-9a-f]{16}$/
/** Rounding to 32 bits moves a length by less. */
const UNIT_TOLERANCE = 1e-3

/** @param digest - SHA-256, lower-case hex */
export function modelIdOf(digest: string): ModelId {
  return digest.slice(0, 16) as ModelId
}

export function parseModelId(text: string): ModelId | undefined {
  return MODEL_ID.test(text) ? (text as ModelId) : undefined
}

export function encodeFeatures({ modelDigest, vectors }: Features): Uint8Array {
  const byteCount = Array.from(vectors.values(), ({ length }) => 4 + 4 * length).reduce((a, b) => a + b, HEAD_BYTES)
  const bytes = Buffer.alloc(byteCount)
  bytes.writeUInt32LE(MAGIC)
  bytes.writeUInt8(VERSION, 4)
  bytes.writeUInt8(vectors.size, 5)
  bytes.write(modelDigest, 8, DIGEST_BYTES, 'hex')
  let at = HEAD_BYTES
  for (const [space, vector] of vectors) {
    bytes.writeUInt8(SPACES.indexOf(space), at)
    bytes.writeUInt16LE(vector.length, at + 2)
    at += 4
    for (const value of vector) at = bytes.writeFloatLE(value, at)
  }
  return bytes
}

/** @throws `ERR_RECORD_MALFORMED`: cut short, of another version, of a space named twice, not finite or not of unit length */
export function decodeFeatures(bytes: Uint8Array): Features {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (view.length < HEAD_BYTES || view.readUInt32LE(0) !== MAGIC || view.readUInt8(4) !== VERSION) {
    throw malformed('these are no features of a version known here')
  }
  const vectors = new Map<Space, Float32Array>()
  let at = HEAD_BYTES
  for (let count = view.readUInt8(5); count > 0; count--) {
    const space = at + 4 <= view.length ? SPACES[view.readUInt8(at)] : undefined
    const dimension = space === undefined ? 0 : view.readUInt16LE(at + 2)
    at += 4
    const end = at + 4 * dimension
    if (
      space === undefined ||
      vectors.has(space) ||
      dimension === 0 ||
      dimension > DIMENSION_MAX ||
      end > view.length
    ) {
      throw malformed('a vector of these features is cut short, or named twice')
    }
    const vector = Float32Array.from({ length: dimension }, (_, i) => view.readFloatLE(at + 4 * i))
    if (!isUnit(vector)) throw malformed('a vector of these features is not of unit length')
    vectors.set(space, vector)
    at = end
  }
  if (at !== view.length || vectors.size === 0) throw malformed('these features are longer or shorter than they say')
  return { modelDigest: view.toString('hex', 8, HEAD_BYTES), vectors }
}

/** @returns whether all numbers are finite and the length is 1 */
export function isUnit(vector: Float32Array): boolean {
  let sum = 0
  for (const value of vector) sum += value * value
  return Math.abs(sum - 1) < UNIT_TOLERANCE // false for NaN
}
