import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  DIMENSION_MAX,
  decodeFeatures,
  encodeFeatures,
  FEATURES_BYTES_MAX,
  isUnit,
  modelIdOf,
  parseModelId,
  type Space
} from '../../../src/domain/features.js'

const MALFORMED = expect.objectContaining({ code: 'ERR_RECORD_MALFORMED' })
const DIGEST = '0123456789abcdef'.repeat(4)

/** Arbitrary unit vectors, as 32-bit numbers. */
const unitVector = fc
  .array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 1, maxLength: 64 })
  .map(values => {
    const length = Math.hypot(...values)
    return Float32Array.from(length === 0 ? [1] : values.map(value => value / length))
  })
  .filter(isUnit)

const features = fc.tuple(fc.option(unitVector), unitVector).map(([text, image]) => ({
  modelDigest: DIGEST,
  vectors: new Map<Space, Float32Array>([['image', image], ...(text === null ? [] : [['text', text] as const])])
}))

describe('features', () => {
  it('are decoded as they were encoded', () => {
    fc.assert(
      fc.property(features, given => {
        expect(decodeFeatures(encodeFeatures(given))).toEqual(given)
      })
    )
  })

  it('stay below the bound of a needle at their largest', () => {
    const vector = new Float32Array(DIMENSION_MAX)
    vector[7] = 1
    const bytes = encodeFeatures({
      modelDigest: DIGEST,
      vectors: new Map<Space, Float32Array>([
        ['image', vector],
        ['text', vector]
      ])
    })
    expect(bytes.length).toBeLessThanOrEqual(FEATURES_BYTES_MAX)
  })

  it('are refused when anything is missing, added or not of unit length', () => {
    fc.assert(
      fc.property(features, fc.nat(), (given, at) => {
        const bytes = encodeFeatures(given)
        const cut = bytes.subarray(0, at % bytes.length)
        expect(() => decodeFeatures(cut)).toThrow(MALFORMED)
        expect(() => decodeFeatures(Buffer.concat([bytes, Buffer.alloc(1)]))).toThrow(MALFORMED)
      })
    )
    const long = encodeFeatures({ modelDigest: DIGEST, vectors: new Map([['image', Float32Array.of(1, 1)]]) })
    expect(() => decodeFeatures(long)).toThrow(MALFORMED)
    const odd = encodeFeatures({ modelDigest: DIGEST, vectors: new Map([['image', Float32Array.of(Number.NaN)]]) })
    expect(() => decodeFeatures(odd)).toThrow(MALFORMED)
  })

  it('have each space once', () => {
    const bytes = Buffer.from(
      encodeFeatures({
        modelDigest: DIGEST,
        vectors: new Map<Space, Float32Array>([
          ['image', Float32Array.of(1)],
          ['text', Float32Array.of(1)]
        ])
      })
    )
    bytes[48] = 1
    expect(() => decodeFeatures(bytes)).toThrow(MALFORMED)
    bytes[48] = 9
    expect(() => decodeFeatures(bytes)).toThrow(MALFORMED)
  })

  it('identify their model by the start of its digest', () => {
    expect(parseModelId(modelIdOf(DIGEST))).toBe('0123456789abcdef')
    for (const text of ['', '0123', 'x'.repeat(16), DIGEST]) expect(parseModelId(text)).toBeUndefined()
  })
})
