/**
 * Reads a TensorFlow Lite file: a FlatBuffer whose root is the table `Model` of TensorFlow's schema.fbs. Field numbers are
 * those of the schema.
 *
 *   table   at its position: i32 distance back to its vtable. vtable: u16 its bytes, u16 the table's bytes, then for each
 *           field u16 its distance from the table's position, 0 when it is absent
 *   vector  u32 distance from the field; there: u32 count, then the elements. Tables in it are u32 distances
 *   string  like a vector of bytes
 *
 * @see https://flatbuffers.dev/internals/ and tensorflow/compiler/mlir/lite/schema/schema.fbs
 */
import { unconvertible, type Weights } from './layers.js'

export interface TfliteTensor {
  readonly shape: readonly number[]
  /** @throws `ERR_MODEL_INVALID` unless it holds as many float32 numbers as its shape says */
  weights(): Weights
}

export interface TfliteOperator {
  /** Number of the enumeration `BuiltinOperator`. */
  readonly code: number
  /** Indices of tensors; -1: an absent optional one. */
  readonly inputs: readonly number[]
  readonly outputs: readonly number[]
  /** Absent options read as their defaults. */
  readonly options: TfliteOptions
}

export interface TfliteOptions {
  byte(field: number, fallback: number): number
  int(field: number, fallback: number): number
}

export interface TfliteGraph {
  readonly tensors: readonly TfliteTensor[]
  readonly operators: readonly TfliteOperator[]
  readonly inputs: readonly number[]
  readonly outputs: readonly number[]
}

const FLOAT32 = 0

/**
 * @returns the file's first graph; weights are read on demand
 * @throws `ERR_MODEL_INVALID`; RangeError for a truncated or damaged file, here or in `weights` and `options`
 */
export function readTflite(bytes: Uint8Array): TfliteGraph {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const model = new Table(file, file.readUInt32LE(0))
  // two fields, because codes above 127 were added later
  const codes = model.tables(1).map(code => Math.max(code.byte(0, 0), code.int(3, 0)))
  const buffers = model.tables(4)
  const graph = model.tables(2)[0]
  if (graph === undefined) throw unconvertible('the TensorFlow Lite file has no graph')
  const tensors = graph.tables(0).map((tensor): TfliteTensor => {
    const shape = tensor.ints(0)
    const type = tensor.byte(1, FLOAT32)
    const buffer = tensor.int(2, 0)
    return { shape, weights: () => ({ shape, data: floats(type, shape, buffers[buffer]?.bytes(0)) }) }
  })
  const operators = graph.tables(3).map(
    (operator): TfliteOperator => ({
      code: codes[operator.int(0, 0)] ?? -1,
      inputs: operator.ints(1),
      outputs: operator.ints(2),
      options: operator.table(4) ?? { byte: (_, fallback) => fallback, int: (_, fallback) => fallback }
    })
  )
  return { tensors, operators, inputs: graph.ints(1), outputs: graph.ints(2) }
}

function floats(type: number, shape: readonly number[], bytes: Uint8Array | undefined): Float32Array {
  const count = shape.reduce((product, n) => product * n, 1)
  if (type !== FLOAT32) throw unconvertible('the TensorFlow Lite file is quantized; only float32 is supported')
  if (bytes?.length !== 4 * count) throw unconvertible('a tensor of the TensorFlow Lite file has no weights')
  return new Float32Array(Uint8Array.from(bytes).buffer) // copied: the file may not align it
}

class Table implements TfliteOptions {
  readonly #file: Buffer
  readonly #position: number

  constructor(file: Buffer, position: number) {
    this.#file = file
    this.#position = position
  }

  byte(field: number, fallback: number): number {
    const at = this.#find(field)
    return at === undefined ? fallback : this.#file.readInt8(at)
  }

  int(field: number, fallback: number): number {
    const at = this.#find(field)
    return at === undefined ? fallback : this.#file.readInt32LE(at)
  }

  table(field: number): Table | undefined {
    const at = this.#find(field)
    return at === undefined ? undefined : new Table(this.#file, this.#follow(at))
  }

  tables(field: number): Table[] {
    return this.#elements(field, 4).map(at => new Table(this.#file, this.#follow(at)))
  }

  ints(field: number): number[] {
    return this.#elements(field, 4).map(at => this.#file.readInt32LE(at))
  }

  /** @returns a view of the file */
  bytes(field: number): Uint8Array {
    const at = this.#find(field)
    if (at === undefined) return new Uint8Array(0)
    const vector = this.#follow(at)
    return this.#file.subarray(vector + 4, vector + 4 + this.#file.readUInt32LE(vector))
  }

  #elements(field: number, elementBytes: number): number[] {
    const at = this.#find(field)
    if (at === undefined) return []
    const vector = this.#follow(at)
    const count = this.#file.readUInt32LE(vector)
    if (count * elementBytes > this.#file.length) throw new RangeError('a vector is longer than the file')
    return Array.from({ length: count }, (_, index) => vector + 4 + index * elementBytes)
  }

  #follow(at: number): number {
    return at + this.#file.readUInt32LE(at)
  }

  /** @returns the position of the field's value; undefined when absent */
  #find(field: number): number | undefined {
    const vtable = this.#position - this.#file.readInt32LE(this.#position)
    const slot = 4 + 2 * field
    const distance = slot < this.#file.readUInt16LE(vtable) ? this.#file.readUInt16LE(vtable + slot) : 0
    return distance === 0 ? undefined : this.#position + distance
  }
}
