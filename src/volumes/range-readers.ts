import { BLOCK_BYTES } from '../domain/needle.js'

/** Blocks that one reader takes at a time when there are few: 1 MiB. */
const BLOCKS_MAX = 16
/** Blocks of all readers together, as long as each has one: 64 MiB. */
const SHARED_BLOCKS = (64 * 1024 * 1024) / BLOCK_BYTES

/** Clients that take nothing of what was read for them keep it in memory: the more read, the less is read at a time. */
export class RangeReaders {
  #count = 0

  /** How many blocks each takes at a time now. */
  get blocks(): number {
    return Math.max(1, Math.min(BLOCKS_MAX, Math.floor(SHARED_BLOCKS / this.#count)))
  }

  begin(): void {
    this.#count++
  }

  end(): void {
    this.#count--
  }
}
