import { type PhotoId, photoIdBytes, photoIdFrom } from './ids.js'

const ID_BYTES = 16
/** Ids in one piece of memory: 64 KiB. */
const PIECE_IDS = 4_096

/** Ids of very many photos in the order in which they were added, 16 bytes each. */
export class PackedIds {
  readonly #pieces: Buffer[] = []
  #size = 0

  get size(): number {
    return this.#size
  }

  add(id: PhotoId): void {
    const at = this.#size % PIECE_IDS
    if (at === 0) this.#pieces.push(Buffer.alloc(PIECE_IDS * ID_BYTES))
    this.#pieces.at(-1)?.set(photoIdBytes(id), at * ID_BYTES)
    this.#size++
  }

  /** @returns those from index `from` to below `to`, as far as there are any */
  slice(from: number, to: number): PhotoId[] {
    const ids: PhotoId[] = []
    for (let i = Math.max(0, from); i < Math.min(to, this.#size); i++) {
      const piece = this.#pieces[Math.floor(i / PIECE_IDS)] as Buffer
      const at = (i % PIECE_IDS) * ID_BYTES
      ids.push(photoIdFrom(piece.subarray(at, at + ID_BYTES)))
    }
    return ids
  }
}
