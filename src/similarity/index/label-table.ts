/*
 * The graph identifies vectors by labels, small integers. One row per label:
 *
 *   offset  bytes  field
 *        0     16  photo id
 *       16      6  version, little-endian
 *       22      1  state: 0 free, 1 live, 2 dead but still in the graph
 *       23      1  0
 */
import { turn } from '../../core/turn.js'
import { type PhotoId, photoIdBytes, photoIdFrom } from '../../domain/ids.js'
import { ROW_BYTES, ROW_STATE_OFFSET } from './hnsw-files.js'
import { LABEL_DEAD, LABEL_FREE, LABEL_LIVE } from './hnsw-graph.js'

const ID_BYTES = 16
const VERSION_BYTES = 6
const ROWS_MIN = 1_024
/** Reading this many rows takes about a millisecond. */
const ROWS_PER_TURN = 2_000

/** Maps photos to labels and back: 24 bytes per label, plus a map by id. */
export class LabelTable {
  readonly #labels = new Map<PhotoId, number>()
  readonly #free: number[] = []
  #rows: Buffer = Buffer.alloc(ROWS_MIN * ROW_BYTES)
  #count = 0
  #deadCount = 0

  /** @param rows - from `rows`; owned by the table from now on */
  static async load(rows: Uint8Array): Promise<LabelTable> {
    const table = new LabelTable()
    table.#rows = Buffer.from(rows.buffer, rows.byteOffset, rows.byteLength)
    table.#count = rows.length / ROW_BYTES
    for (let label = 0; label < table.#count; label++) {
      const state = table.#state(label)
      if (state === LABEL_LIVE) table.#labels.set(table.#id(label), label)
      else if (state === LABEL_DEAD) table.#deadCount++
      else table.#free.push(label)
      if (label % ROWS_PER_TURN === ROWS_PER_TURN - 1) await turn()
    }
    return table
  }

  /** Live labels. */
  get size(): number {
    return this.#labels.size
  }

  get deadCount(): number {
    return this.#deadCount
  }

  ids(): Iterable<PhotoId> {
    return this.#labels.keys()
  }

  /** @returns undefined when the label is not live */
  idOf(label: number): PhotoId | undefined {
    return label < this.#count && this.#state(label) === LABEL_LIVE ? this.#id(label) : undefined
  }

  versionOf(id: PhotoId): number | undefined {
    const label = this.#labels.get(id)
    return label === undefined ? undefined : this.#rows.readUIntLE(label * ROW_BYTES + ID_BYTES, VERSION_BYTES)
  }

  /** @returns a new label for the photo; its old one must have been killed */
  assign(id: PhotoId, version: number): number {
    const label = this.#free.pop() ?? this.#count++
    const at = label * ROW_BYTES
    if (at + ROW_BYTES > this.#rows.length) {
      const grown = Buffer.alloc(Math.max(this.#rows.length * 2, ROWS_MIN * ROW_BYTES))
      grown.set(this.#rows)
      this.#rows = grown
    }
    this.#rows.set(photoIdBytes(id), at)
    this.#rows.writeUIntLE(version, at + ID_BYTES, VERSION_BYTES)
    this.#rows[at + ROW_STATE_OFFSET] = LABEL_LIVE
    this.#labels.set(id, label)
    return label
  }

  /** @returns the photo's label, which is now dead; undefined: it had none */
  markDead(id: PhotoId): number | undefined {
    const label = this.#labels.get(id)
    if (label === undefined) return undefined
    this.#labels.delete(id)
    this.#rows[label * ROW_BYTES + ROW_STATE_OFFSET] = LABEL_DEAD
    this.#deadCount++
    return label
  }

  /** Frees dead labels that are no longer in any graph. */
  release(labels: Iterable<number>): void {
    for (const label of labels) {
      this.#rows[label * ROW_BYTES + ROW_STATE_OFFSET] = LABEL_FREE
      this.#deadCount--
      this.#free.push(label)
    }
  }

  /** @returns a copy */
  rows(): Uint8Array<ArrayBuffer> {
    return Uint8Array.from(this.#rows.subarray(0, this.#count * ROW_BYTES))
  }

  #state(label: number): number {
    return this.#rows.readUInt8(label * ROW_BYTES + ROW_STATE_OFFSET)
  }

  #id(label: number): PhotoId {
    return photoIdFrom(this.#rows.subarray(label * ROW_BYTES, label * ROW_BYTES + ID_BYTES))
  }
}
