/*
 * The files of an index. The head file, `<model>.index`, names the current graphs, which are in
 * `<model>-<space>.<number>.graph` beside it, in the library's own format. The head file, little-endian:
 *
 *   offset  bytes  field
 *        0      4  magic 'SHIX'
 *        4      1  version, 2
 *        5      1  number of graphs, 1…2
 *        6      2  0
 *        8      8  model id
 *       16      4  number of the graphs' files
 *       20      4  rows
 *       24         graphs, each:
 *                     1  space: 1 image, 2 text
 *                     1  0
 *                     2  dimension of the vectors
 *                     2  axes along which they are projected; 0: the graph holds them whole
 *                     2  0
 *                     8  bytes of the graph's file
 *                    32  SHA-256 of the graph's file
 *                     …  4 × axes × dimension: float32
 *                  rows, one per label from 0, see label-table.ts
 *      end     32  SHA-256 of all bytes before
 *
 * An invalid file is no error: the index is rebuilt from the features in the volumes.
 */
import { hash } from 'node:crypto'
import { DIMENSION_MAX, type ModelId, type Space } from '../../domain/features.js'
import { FLOAT_BYTES, floatBytes, floatsFrom } from '../../domain/floats.js'
import { GRAPH_NUMBERS_MAX } from './graph-set.js'

export const ROW_BYTES = 24
/** Where a row holds its label's state. */
export const ROW_STATE_OFFSET = 22

const MAGIC = 0x58494853 // 'SHIX' read little-endian
const VERSION = 2
const HEAD_BYTES = 24
const GRAPH_BYTES = 48
const DIGEST_BYTES = 32
const SPACES = [undefined, 'image', 'text'] as const
const GRAPH_NAME = /^([0-9a-f]{16})-(image|text)\.(\d{1,10})\.graph$/

/** What the head file says of one graph. */
export interface SavedGraph {
  readonly space: Space
  readonly dimension: number
  /** Concatenated; undefined: the graph holds the vectors whole. */
  readonly axes: Float32Array | undefined
  readonly byteCount: number
  readonly sha256: Uint8Array
}

/** The contents of an index's head file. */
export interface SavedIndex {
  /** Of the graphs' files. */
  readonly number: number
  readonly graphs: readonly SavedGraph[]
  readonly rows: Uint8Array
}

/** @returns the name of an index's head file */
export function headFileName(model: ModelId): string {
  return `${model}.index`
}

export function graphFileName(model: ModelId, space: Space, number: number): string {
  return `${model}-${space}.${number}.graph`
}

/** @returns the number of a graph's file; undefined when it is none of this model's */
export function graphNumberOf(model: ModelId, fileName: string): number | undefined {
  const match = GRAPH_NAME.exec(fileName)
  return match?.[1] === model ? Number(match[3]) : undefined
}

/** @returns the model that a file's index belongs to, also if an earlier version of Sheaf wrote it */
export function modelOfFile(fileName: string): string | undefined {
  return /^([0-9a-f]{16})[-.]/.exec(fileName)?.[1]
}

export function encodeSavedIndex(model: ModelId, { number, graphs, rows }: SavedIndex): Uint8Array {
  const head = Buffer.alloc(HEAD_BYTES)
  head.writeUInt32LE(MAGIC)
  head.writeUInt8(VERSION, 4)
  head.writeUInt8(graphs.length, 5)
  head.write(model, 8, 8, 'hex')
  head.writeUInt32LE(number, 16)
  head.writeUInt32LE(rows.length / ROW_BYTES, 20)
  const parts = [head, ...graphs.map(encodeGraph), rows]
  const digest = hash('sha256', Buffer.concat(parts), 'buffer')
  return Buffer.concat([...parts, digest])
}

function encodeGraph({ space, dimension, axes, byteCount, sha256 }: SavedGraph): Uint8Array {
  const bytes = Buffer.alloc(GRAPH_BYTES + FLOAT_BYTES * (axes?.length ?? 0))
  bytes.writeUInt8(SPACES.indexOf(space))
  bytes.writeUInt16LE(dimension, 2)
  bytes.writeUInt16LE((axes?.length ?? 0) / dimension, 4)
  bytes.writeBigUInt64LE(BigInt(byteCount), 8)
  bytes.set(sha256, 16)
  if (axes !== undefined) bytes.set(floatBytes(axes), GRAPH_BYTES)
  return bytes
}

/** @returns undefined for damaged bytes, or those of another model or version; rows are a view of the bytes */
export function decodeSavedIndex(model: ModelId, bytes: Uint8Array): SavedIndex | undefined {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (view.length < HEAD_BYTES + DIGEST_BYTES) return undefined
  const end = view.length - DIGEST_BYTES
  if (hash('sha256', view.subarray(0, end), 'hex') !== view.toString('hex', end)) return undefined
  const isOurs =
    view.readUInt32LE(0) === MAGIC && view.readUInt8(4) === VERSION && view.toString('hex', 8, 16) === model
  if (!isOurs) return undefined
  const graphs: SavedGraph[] = []
  let at = HEAD_BYTES
  for (let count = view.readUInt8(5); count > 0; count--) {
    const graph = at + GRAPH_BYTES <= end ? decodeGraph(view.subarray(at, end)) : undefined
    if (graph === undefined) return undefined
    graphs.push(graph)
    at += GRAPH_BYTES + FLOAT_BYTES * (graph.axes?.length ?? 0)
  }
  if (view.readUInt32LE(20) * ROW_BYTES !== end - at) return undefined
  return { number: view.readUInt32LE(16), graphs, rows: view.subarray(at, end) }
}

/** @param view - begins with the graph */
function decodeGraph(view: Buffer): SavedGraph | undefined {
  const space = SPACES[view.readUInt8(0)]
  const dimension = view.readUInt16LE(2)
  const axisCount = view.readUInt16LE(4)
  const axesEnd = GRAPH_BYTES + FLOAT_BYTES * axisCount * dimension
  const fits = dimension > 0 && dimension <= DIMENSION_MAX && axisCount <= GRAPH_NUMBERS_MAX && axesEnd <= view.length
  if (space === undefined || !fits) return undefined
  const axes = axisCount === 0 ? undefined : floatsFrom(view.subarray(GRAPH_BYTES, axesEnd))
  return {
    space,
    dimension,
    axes,
    byteCount: Number(view.readBigUInt64LE(8)),
    sha256: view.subarray(16, GRAPH_BYTES)
  }
}
