/*
 * The needle index: the place of every needle but those of records on this node, in typed arrays.
 *
 * 256 open-addressing tables, one per value of the key's top byte, so that growing one copies only 1/256 of the index and
 * does not block the event loop for long. A slot is four 32-bit words:
 *
 *   word  content
 *   0     key, high 32 bits
 *   1     key, low 16 bits · volume number << 16
 *   2     offset / 8; 0 marks an empty slot (offset 0 holds the superblock)
 *   3     length of the data
 *
 * The 48-bit key is a hash of (kind, id, generation, alternate key, chunk). The needle's header holds these in full and every
 * read checks them, so a collision costs an extra read and never returns a wrong photo. Collisions are resolved by linear
 * probing; removal moves later slots back, so there are no tombstones. A key may have several slots: copies in several
 * volumes.
 *
 * The load is 0.50 to 0.75 once a table has grown: 21 to 32 bytes per needle.
 * See Beaver et al., "Finding a needle in Haystack", OSDI 2010, section 3.
 */
import { invariant } from '../core/invariant.js'
import { NEEDLE_ALIGN, type NeedleIdentity } from '../domain/needle.js'

const TABLE_COUNT = 256
const SLOT_WORDS = 4
const TABLE_SLOTS_MIN = 8
const LOAD_MAX = 0.75
const GROWTH = 1.5

/** Volumes that one node can hold: a volume number has 16 bits. */
export const VOLUME_NUMBERS = 65_536

const SEEDS = { data: 0x9e3779b9, manifest: 0x7f4a7c15, graves: 0x6c62272e, record: 0x517cc1b7 } as const

export interface IndexedNeedle {
  readonly volume: number
  readonly offset: number
  readonly length: number
}

export class NeedleIndex {
  readonly #tables = Array.from({ length: TABLE_COUNT }, () => new Uint32Array(TABLE_SLOTS_MIN * SLOT_WORDS))
  readonly #counts = new Uint32Array(TABLE_COUNT)
  /** Needles by volume number. */
  readonly #needles = new Uint32Array(VOLUME_NUMBERS)
  #count = 0
  /** The key from the latest {@link #hash}: two fields instead of an allocation per lookup. */
  #high = 0
  #low = 0

  get count(): number {
    return this.#count
  }

  /** @returns how many places are known in the volume with that number */
  needlesIn(volume: number): number {
    return this.#needles[volume] ?? 0
  }

  /** Memory of the tables, bytes. */
  get byteLength(): number {
    return this.#tables.reduce((sum, table) => sum + table.byteLength, 0)
  }

  /**
   * Adds one place of a needle; does nothing if it is already known.
   *
   * @param volume - the volume's number on this node, 0…{@link VOLUME_NUMBERS} − 1
   * @param offset - byte offset of the header, a positive multiple of 8
   */
  add(identity: NeedleIdentity, volume: number, offset: number, length: number): void {
    invariant(offset > 0 && offset % NEEDLE_ALIGN === 0, 'a needle starts after the superblock, at a multiple of 8')
    this.#hash(identity)
    const tableNumber = this.#high >>> 24
    let slots = this.#tables[tableNumber] as Uint32Array
    const count = this.#counts[tableNumber] as number
    if (count + 1 > (slots.length / SLOT_WORDS) * LOAD_MAX) slots = this.#grow(tableNumber)
    const word1 = ((volume << 16) | this.#low) >>> 0
    const word2 = offset / NEEDLE_ALIGN
    let at = preferredSlot(this.#high, slots)
    while (slots[at + 2] !== 0) {
      if (slots[at] === this.#high && slots[at + 1] === word1 && slots[at + 2] === word2) return
      at = next(at, slots)
    }
    slots[at] = this.#high
    slots[at + 1] = word1
    slots[at + 2] = word2
    slots[at + 3] = length
    this.#counts[tableNumber] = count + 1
    this.#needles[volume] = this.needlesIn(volume) + 1
    this.#count++
  }

  /** @returns all places under the needle's key, unordered; usually none or one */
  find(identity: NeedleIdentity): IndexedNeedle[] {
    this.#hash(identity)
    const slots = this.#tables[this.#high >>> 24] as Uint32Array
    const found: IndexedNeedle[] = []
    for (let at = preferredSlot(this.#high, slots); slots[at + 2] !== 0; at = next(at, slots)) {
      const word1 = slots[at + 1] as number
      if (slots[at] !== this.#high || (word1 & 0xffff) !== this.#low) continue
      found.push({
        volume: word1 >>> 16,
        offset: (slots[at + 2] as number) * NEEDLE_ALIGN,
        length: slots[at + 3] as number
      })
    }
    return found
  }

  /** Removes one place. @returns whether it was known */
  remove(identity: NeedleIdentity, volume: number, offset: number): boolean {
    this.#hash(identity)
    const tableNumber = this.#high >>> 24
    const slots = this.#tables[tableNumber] as Uint32Array
    const word1 = ((volume << 16) | this.#low) >>> 0
    const word2 = offset / NEEDLE_ALIGN
    for (let at = preferredSlot(this.#high, slots); slots[at + 2] !== 0; at = next(at, slots)) {
      if (slots[at] !== this.#high || slots[at + 1] !== word1 || slots[at + 2] !== word2) continue
      closeGap(at, slots)
      this.#counts[tableNumber] = (this.#counts[tableNumber] as number) - 1
      this.#needles[volume] = this.needlesIn(volume) - 1
      this.#count--
      return true
    }
    return false
  }

  /** Two hashes with the MurmurHash3 mixer over the identity's seven words; the kind chooses their seeds. */
  #hash({ kind, id, generation, alternateKey, chunk }: NeedleIdentity): void {
    let a: number = SEEDS[kind]
    let b = 0x85ebca6b ^ a
    for (let at = 0; at < 16; at += 4) {
      const word =
        (id[at] as number) |
        ((id[at + 1] as number) << 8) |
        ((id[at + 2] as number) << 16) |
        ((id[at + 3] as number) << 24)
      a = mix(a, word)
      b = mix(b, word ^ 0x2545f491)
    }
    a = finish(mix(mix(mix(a, generation), alternateKey), chunk))
    b = finish(mix(mix(mix(b, chunk), generation), alternateKey))
    this.#high = a
    this.#low = b & 0xffff
  }

  #grow(tableNumber: number): Uint32Array {
    const before = this.#tables[tableNumber] as Uint32Array
    const slotCount = Math.ceil((before.length / SLOT_WORDS) * GROWTH)
    const after = new Uint32Array(slotCount * SLOT_WORDS)
    for (let from = 0; from < before.length; from += SLOT_WORDS) {
      if (before[from + 2] === 0) continue
      let at = preferredSlot(before[from] as number, after)
      while (after[at + 2] !== 0) at = next(at, after)
      copySlot(before, from, after, at)
    }
    this.#tables[tableNumber] = after
    return after
  }
}

function mix(state: number, word: number): number {
  const scrambled = Math.imul(word, 0xcc9e2d51)
  const mixed = state ^ Math.imul((scrambled << 15) | (scrambled >>> 17), 0x1b873593)
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0
}

function finish(state: number): number {
  let hash = Math.imul(state ^ (state >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** @returns the word index of a key's preferred slot: monotone in the low 24 bits of `high` (the top 8 choose the table) */
function preferredSlot(high: number, slots: Uint32Array): number {
  const slotCount = slots.length / SLOT_WORDS
  return Math.floor(((high & 0xff_ffff) * slotCount) / 0x100_0000) * SLOT_WORDS
}

function next(at: number, slots: Uint32Array): number {
  const following = at + SLOT_WORDS
  return following === slots.length ? 0 : following
}

function copySlot(from: Uint32Array, fromAt: number, to: Uint32Array, toAt: number): void {
  to[toAt] = from[fromAt] as number
  to[toAt + 1] = from[fromAt + 1] as number
  to[toAt + 2] = from[fromAt + 2] as number
  to[toAt + 3] = from[fromAt + 3] as number
}

/** Empties a slot and moves displaced slots back, so that no probe ends early (Knuth vol. 3, 6.4, algorithm R). */
function closeGap(emptied: number, slots: Uint32Array): void {
  let gap = emptied
  for (let at = next(gap, slots); slots[at + 2] !== 0; at = next(at, slots)) {
    const wanted = preferredSlot(slots[at] as number, slots)
    const reachable = gap <= at ? wanted <= gap || wanted > at : wanted <= gap && wanted > at
    if (!reachable) continue
    copySlot(slots, at, slots, gap)
    gap = at
  }
  slots.fill(0, gap, gap + SLOT_WORDS)
}
