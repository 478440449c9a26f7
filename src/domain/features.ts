/*
 * Features: the output of a model for one image, as the data of one needle. Format version 1, little-endian.
 *
 *   offset  bytes  field
 *        0      4  magic 'SHFT'
 *        4      1  version, 1
 *        5      1  number of vectors, 1…2
 *        6      2  reserved, 0; ignored when read
 *        8     32  SHA-256 of the model
 *       40      …  vectors, each: 1 space (1 image, 2 text) · 1 reserved, 0, ignored when read · 2 dimension, 1…4096 ·
 *                  4 × dimension: float32
 *
 * Valid: magic and version as above, at least one vector, each space once, every vector finite and of unit length (a dot
 * product is then a cosine), no bytes after the last one. There is no checksum: the needle has its own. Only vectors of the
 * same space and model can be compared.
 */
import { malformed } from './cbor.js'
import { floatBytes, floatsFrom } from './floats.js'

/** `image`: what a picture looks like. `text`: what it is about, in a space that also contains words. */
export type Space = 'image' | 'text'

/** 16 lower-case hex digits: the first 8 bytes of a model's digest. */
export type ModelId = string & { readonly __brand: 'ModelId' }

export interface Features {
  /** SHA-256 of the model, lower-case hex. */
  readonly modelDigest: string
  readonly vectors: ReadonlyMap<Space, Float32Array>
}

export const DIMENSION_MAX = 4096
/** Bound on the data of a features needle. */
export const FEATURES_BYTES_MAX = 128 * 1024

const MAGIC = 0x54464853 // 'SHFT' read little-endian
const VERSION = 1
const HEAD_BYTES = 40
const MODEL_DIGEST_BYTES = 32
const SPACES = [undefined, 'image', 'text'] as const
const MODEL_ID = /^[0-9a-f]{16}$/
/** Rounding to 32 bits changes the squared length by less. */
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
  bytes.write(modelDigest, 8, MODEL_DIGEST_BYTES, 'hex')
  let at = HEAD_BYTES
  for (const [space, vector] of vectors) {
    bytes.writeUInt8(SPACES.indexOf(space), at)
    bytes.writeUInt16LE(vector.length, at + 2)
    at += 4
    bytes.set(floatBytes(vector), at)
    at += 4 * vector.length
  }
  return bytes
}

/** @throws `ERR_RECORD_MALFORMED` unless the bytes are valid by the rule above */
export function decodeFeatures(bytes: Uint8Array): Features {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (view.length < HEAD_BYTES || view.readUInt32LE(0) !== MAGIC || view.readUInt8(4) !== VERSION) {
    throw malformed('the features have no magic or an unknown version')
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
      throw malformed('a vector of the features is truncated, or its space is unknown or repeated')
    }
    const vector = floatsFrom(view.subarray(at, end))
    if (!isUnit(vector)) throw malformed('a vector of the features does not have unit length')
    vectors.set(space, vector)
    at = end
  }
  if (at !== view.length || vectors.size === 0)
    throw malformed('the features have no vector, or bytes after the last one')
  return { modelDigest: view.toString('hex', 8, HEAD_BYTES), vectors }
}

/** @returns whether the squared length is 1 within {@link UNIT_TOLERANCE}; false when a number is not finite */
export function isUnit(vector: Float32Array): boolean {
  let sum = 0
  for (let i = 0; i < vector.length; i++) sum += (vector[i] as number) ** 2
  return Math.abs(sum - 1) < UNIT_TOLERANCE // false for NaN
}
