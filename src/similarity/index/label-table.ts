/*
 * The graphs identify vectors by labels, small integers. One row per label:
 *
 *   offset  bytes  field
 *        0     16  photo id
 *       16      6  version, little-endian
 *       22      1  state: 0 free, 1 live, 2 dead but still in the graphs
 *       23      1  0
 *
 * Rows are in pages, which never move. Beside them are 256 open-addressing tables, one per value of a hash's top byte, of the
 * live labels by photo id: linear probing, a slot is a label + 1, or 0. So growing copies little at a time.
 */
import type { Random } from '../../core/random.js'
import { turn } from '../../core/turn.js'
import { type PhotoId, photoIdBytes, photoIdFrom } from '../../domain/ids.js'
import { LABEL_DEAD, LABEL_FREE, LABEL_LIVE } from './graph-set.js'
import { ROW_BYTES, ROW_STATE_OFFSET } from './saved-index.js'

const ID_BYTES = 16
const VERSION_BYTES = 6
const PAGE_ROWS = 4_096
const TABLE_COUNT = 256
const TABLE_SLOTS_MIN = 8
const LOAD_MAX = 0.75
const GROWTH = 1.5
/** Reading this many rows takes about a millisecond. */
const ROWS_PER_TURN = 2_000

/** Memory for each label at most: its row, and its slot. */
export const TABLE_BYTES_PER_LABEL = ROW_BYTES + (4 * GROWTH) / LOAD_MAX

/** Maps photos to labels and back. */
export class LabelTable {
  /** Of the hash, so that nobody outside can choose ids that collide. */
  readonly #seed: number
  readonly #tables = Array.from({ length: TABLE_COUNT }, () => new Uint32Array(TABLE_SLOTS_MIN))
  readonly #counts = new Uint32Array(TABLE_COUNT)
  readonly #pages: Buffer[] = []
  readonly #free: number[] = []
  #labelCount = 0
  #size = 0
  #deadCount = 0

  constructor(random: Random) {
    this.#seed = Buffer.from(random.bytes(4)).readInt32LE()
  }

  /** @param rows - from `rows` */
  static async load(random: Random, rows: Uint8Array): Promise<LabelTable> {
    const table = new LabelTable(random)
    for (let label = 0; label < rows.length / ROW_BYTES; label++) {
      table.#nextLabel()
      table.#rowOf(label).set(rows.subarray(label * ROW_BYTES, (label + 1) * ROW_BYTES))
      const state = table.#state(label)
      if (state === LABEL_LIVE) table.#insert(label)
      else if (state === LABEL_DEAD) table.#deadCount++
      else table.#free.push(label)
      if (label % ROWS_PER_TURN === ROWS_PER_TURN - 1) await turn()
    }
    return table
  }

  /** Live labels. */
  get size(): number {
    return this.#size
  }

  get deadCount(): number {
    return this.#deadCount
  }

  *ids(): Generator<PhotoId> {
    for (let label = 0; label < this.#labelCount; label++) {
      if (this.#state(label) === LABEL_LIVE) yield this.#id(label)
    }
  }

  /** @returns undefined when the label is not live */
  idOf(label: number): PhotoId | undefined {
    return label < this.#labelCount && this.#state(label) === LABEL_LIVE ? this.#id(label) : undefined
  }

  labelOf(id: PhotoId): number | undefined {
    return this.#find(photoIdBytes(id))
  }

  versionOf(id: PhotoId): number | undefined {
    const label = this.labelOf(id)
    return label === undefined ? undefined : this.#rowOf(label).readUIntLE(ID_BYTES, VERSION_BYTES)
  }

  /** @returns a new label for the photo; its old one must have been killed */
  assign(id: PhotoId, version: number): number {
    const label = this.#free.pop() ?? this.#nextLabel()
    const row = this.#rowOf(label)
    row.set(photoIdBytes(id))
    row.writeUIntLE(version, ID_BYTES, VERSION_BYTES)
    row[ROW_STATE_OFFSET] = LABEL_LIVE
    this.#insert(label)
    return label
  }

  /** @returns the photo's label, which is now dead; undefined: it had none */
  markDead(id: PhotoId): number | undefined {
    const label = this.#find(photoIdBytes(id))
    if (label === undefined) return undefined
    this.#erase(label)
    this.#rowOf(label)[ROW_STATE_OFFSET] = LABEL_DEAD
    this.#deadCount++
    return label
  }

  /** Frees dead labels that are no longer in any graph. */
  release(labels: Iterable<number>): void {
    for (const label of labels) {
      this.#rowOf(label)[ROW_STATE_OFFSET] = LABEL_FREE
      this.#deadCount--
      this.#free.push(label)
    }
  }

  /** @returns a copy */
  rows(): Uint8Array {
    return Buffer.concat(this.#pages, this.#labelCount * ROW_BYTES)
  }

  #nextLabel(): number {
    const label = this.#labelCount++
    if (label % PAGE_ROWS === 0) this.#pages.push(Buffer.alloc(PAGE_ROWS * ROW_BYTES))
    return label
  }

  #rowOf(label: number): Buffer {
    const at = (label % PAGE_ROWS) * ROW_BYTES
    return (this.#pages[Math.floor(label / PAGE_ROWS)] as Buffer).subarray(at, at + ROW_BYTES)
  }

  #state(label: number): number {
    return this.#rowOf(label)[ROW_STATE_OFFSET] as number
  }

  #id(label: number): PhotoId {
    return photoIdFrom(this.#rowOf(label).subarray(0, ID_BYTES))
  }

  // --- labels by photo ---

  #find(id: Uint8Array): number | undefined {
    const hash = this.#hash(id)
    const slots = this.#tables[hash >>> 24] as Uint32Array
    for (let at = preferredSlot(hash, slots); slots[at] !== 0; at = next(at, slots)) {
      const label = (slots[at] as number) - 1
      if (this.#rowOf(label).compare(id, 0, ID_BYTES, 0, ID_BYTES) === 0) return label
    }
    return undefined
  }

  #insert(label: number): void {
    const hash = this.#hashOf(label)
    const tableNumber = hash >>> 24
    let slots = this.#tables[tableNumber] as Uint32Array
    const count = (this.#counts[tableNumber] as number) + 1
    if (count > slots.length * LOAD_MAX) slots = this.#grow(tableNumber)
    slots[this.#emptySlot(hash, slots)] = label + 1
    this.#counts[tableNumber] = count
    this.#size++
  }

  /** Empties the label's slot and moves displaced ones back, so that no probe ends early (Knuth vol. 3, 6.4, algorithm R). */
  #erase(label: number): void {
    const hash = this.#hashOf(label)
    const tableNumber = hash >>> 24
    const slots = this.#tables[tableNumber] as Uint32Array
    let gap = preferredSlot(hash, slots)
    while (slots[gap] !== label + 1) gap = next(gap, slots)
    for (let at = next(gap, slots); slots[at] !== 0; at = next(at, slots)) {
      const wanted = preferredSlot(this.#hashOf((slots[at] as number) - 1), slots)
      const reachable = gap <= at ? wanted <= gap || wanted > at : wanted <= gap && wanted > at
      if (!reachable) continue
      slots[gap] = slots[at] as number
      gap = at
    }
    slots[gap] = 0
    this.#counts[tableNumber] = (this.#counts[tableNumber] as number) - 1
    this.#size--
  }

  #grow(tableNumber: number): Uint32Array {
    const before = this.#tables[tableNumber] as Uint32Array
    const after = new Uint32Array(Math.ceil(before.length * GROWTH))
    for (const slot of before) {
      if (slot !== 0) after[this.#emptySlot(this.#hashOf(slot - 1), after)] = slot
    }
    this.#tables[tableNumber] = after
    return after
  }

  #emptySlot(hash: number, slots: Uint32Array): number {
    let at = preferredSlot(hash, slots)
    while (slots[at] !== 0) at = next(at, slots)
    return at
  }

  #hashOf(label: number): number {
    return this.#hash(this.#rowOf(label))
  }

  /** FNV-1a over the id, from a secret beginning, with the finisher of MurmurHash3. @returns 32 bits */
  #hash(id: Uint8Array): number {
    let hash = this.#seed
    for (let i = 0; i < ID_BYTES; i++) hash = Math.imul(hash ^ (id[i] as number), 0x0100_0193)
    hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b)
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35)
    return (hash ^ (hash >>> 16)) >>> 0
  }
}

/** Monotone in the low 24 bits of the hash: the top 8 choose the table. */
function preferredSlot(hash: number, slots: Uint32Array): number {
  return Math.floor(((hash & 0xff_ffff) * slots.length) / 0x100_0000)
}

function next(at: number, slots: Uint32Array): number {
  return at + 1 === slots.length ? 0 : at + 1
}
