import { unconvertible, type Weights } from './layers.js'

/** A group in the `weightsManifest` of a TensorFlow.js `model.json`: the concatenated files hold the concatenated weights. */
export interface TfjsWeightGroup {
  readonly paths: readonly string[]
  readonly weights: readonly TfjsWeight[]
}

interface TfjsWeight {
  readonly name: string
  readonly shape: readonly number[]
  readonly dtype: string
  readonly quantization?: { readonly dtype: string; readonly scale?: number; readonly min?: number }
}

type Decode = (bytes: Buffer, at: number) => number

const ELEMENTS: Readonly<Record<string, { readonly bytes: number; readonly decode: Decode }>> = {
  float32: { bytes: 4, decode: (bytes, at) => bytes.readFloatLE(at) },
  int32: { bytes: 4, decode: (bytes, at) => bytes.readInt32LE(at) },
  float16: { bytes: 2, decode: (bytes, at) => halfFloat(bytes.readUInt16LE(at)) },
  uint16: { bytes: 2, decode: (bytes, at) => bytes.readUInt16LE(at) },
  uint8: { bytes: 1, decode: (bytes, at) => bytes.readUInt8(at) },
  bool: { bytes: 1, decode: (bytes, at) => bytes.readUInt8(at) }
}

/**
 * @param files - by path in the manifest
 * @returns weights by name, all as float32; quantized ones are dequantized
 * @throws `ERR_MODEL_INVALID` when a file is missing or too short, or a number type is unsupported
 */
export function readTfjsWeights(
  manifest: readonly TfjsWeightGroup[],
  files: ReadonlyMap<string, Uint8Array>
): ReadonlyMap<string, Weights> {
  const all = new Map<string, Weights>()
  for (const { paths, weights } of manifest) {
    const parts = paths.map(path => {
      const bytes = files.get(path)
      if (bytes === undefined) throw unconvertible(`the file ${path} is missing`)
      return bytes
    })
    const bytes = Buffer.concat(parts)
    let at = 0
    for (const weight of weights) {
      const { name, shape, quantization } = weight
      const element = ELEMENTS[quantization?.dtype ?? weight.dtype]
      if (element === undefined)
        throw unconvertible(`unsupported weights of type ${quantization?.dtype ?? weight.dtype}`)
      const count = shape.reduce((product, n) => product * n, 1)
      if (at + count * element.bytes > bytes.length) throw unconvertible('the weight files are too short')
      const { scale = 1, min = 0 } = quantization ?? {}
      const data = new Float32Array(count)
      for (let i = 0; i < count; i++, at += element.bytes) data[i] = element.decode(bytes, at) * scale + min
      all.set(name, { shape, data })
    }
  }
  return all
}

/** IEEE 754 binary16: a sign, 5 bits of exponent, 10 bits of fraction. */
function halfFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 31
  const fraction = bits & 1023
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}
