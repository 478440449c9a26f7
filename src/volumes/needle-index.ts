/*
 * The needle index: where every data and manifest needle of this node stands, in typed arrays.
 *
 * One open-addressing table per shard (256 of them, by the key's top byte), so that growing copies one part in 256 and
 * never holds up the event loop. A slot is four 32-bit words:
 *
 *   word  content
 *   0     key, high 32 bits
 *   1     key, low 16 bits · volume number << 16
 *   2     offset / 8; 0 marks an empty slot (a superblock stands at offset 0)
 *   3     length of the data
 *
 * The 48-bit key is a hash of (kind, id, generation, alternate key, chunk). A needle's header names it in full and every read
 * checks it, so a collision costs one more read and never a wrong photo. Slots of a shard are ordered by their key's home
 * position, which makes removal a shift (no tombstones). One key may have several slots: copies in several volumes.
 *
 * Load is 0.50 to 0.75: 21 to 32 bytes a needle. See Beaver et al., "Finding a needle in Haystack", OSDI 2010, section 3.
 */
import { invariant } from '../core/invariant.js'
import { NEEDLE_ALIGN, type NeedleIdentity } from '../domain/needle.js'

const SHARDS = 256
const SLOT_WORDS = 4
const SHARD_SLOTS_MIN = 8
const LOAD_MAX = 0.75
const GROWTH = 1.5

/** Volumes that one node can hold: a volume's number has 16 bits. */
export const VOLUME_NUMBERS = 65_536

export interface IndexedNeedle {
  readonly volume: number
  readonly offset: number
  readonly length: number
}

export class NeedleIndex {
  readonly #shards = Array.from({ length: SHARDS }, () => new Uint32Array(SHARD_SLOTS_MIN * SLOT_WORDS))
  readonly #counts = new Uint32Array(SHARDS)
  #count = 0
  /** The key of the latest {@link #hash}: two numbers without an allocation a look-up. */
  #high = 0
  #low = 0

  get count(): number {
    return this.#count
  }

  /** Memory of the tables, bytes. */
  get byteLength(): number {
    return this.#shards.reduce((sum, shard) => sum + shard.byteLength, 0)
  }

  /**
   * Adds one place of a needle; harmless when it is there already.
   *
   * @param volume - the volume's number on this node, 0…{@link VOLUME_NUMBERS} − 1
   * @param offset - byte offset of the header, a positive multiple of 8
   */
  add(identity: NeedleIdentity, volume: number, offset: number, length: number): void {
    invariant(offset > 0 && offset % NEEDLE_ALIGN === 0, 'a needle starts after the superblock, at a multiple of 8')
    this.#hash(identity)
    const shardNumber = this.#high >>> 24
    let slots = this.#shards[shardNumber] as Uint32Array
    const count = this.#counts[shardNumber] as number
    if (count + 1 > (slots.length / SLOT_WORDS) * LOAD_MAX) slots = this.#grow(shardNumber)
    const word1 = ((volume << 16) | this.#low) >>> 0
    const word2 = offset / NEEDLE_ALIGN
    let at = home(this.#high, slots)
    while (slots[at + 2] !== 0) {
      if (slots[at] === this.#high && slots[at + 1] === word1 && slots[at + 2] === word2) return
      at = next(at, slots)
    }
    slots[at] = this.#high
    slots[at + 1] = word1
    slots[at + 2] = word2
    slots[at + 3] = length
    this.#counts[shardNumber] = count + 1
    this.#count++
  }

  /** @returns all places under the needle's key, in no order; almost always none or one */
  find(identity: NeedleIdentity): IndexedNeedle[] {
    this.#hash(identity)
    const slots = this.#shards[this.#high >>> 24] as Uint32Array
    const found: IndexedNeedle[] = []
    for (let at = home(this.#high, slots); slots[at + 2] !== 0; at = next(at, slots)) {
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

  /** Forgets one place. @returns whether it was there */
  remove(identity: NeedleIdentity, volume: number, offset: number): boolean {
    this.#hash(identity)
    const shardNumber = this.#high >>> 24
    const slots = this.#shards[shardNumber] as Uint32Array
    const word1 = ((volume << 16) | this.#low) >>> 0
    const word2 = offset / NEEDLE_ALIGN
    for (let at = home(this.#high, slots); slots[at + 2] !== 0; at = next(at, slots)) {
      if (slots[at] !== this.#high || slots[at + 1] !== word1 || slots[at + 2] !== word2) continue
      closeGap(at, slots)
      this.#counts[shardNumber] = (this.#counts[shardNumber] as number) - 1
      this.#count--
      return true
    }
    return false
  }

  /** Two rounds of a MurmurHash3-like mixer over the identity's seven words. */
  #hash({ kind, id, generation, alternateKey, chunk }: NeedleIdentity): void {
    let a = kind === 'data' ? 0x9e3779b9 : 0x7f4a7c15
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

  #grow(shardNumber: number): Uint32Array {
    const before = this.#shards[shardNumber] as Uint32Array
    const slotCount = Math.ceil((before.length / SLOT_WORDS) * GROWTH)
    const after = new Uint32Array(slotCount * SLOT_WORDS)
    for (let from = 0; from < before.length; from += SLOT_WORDS) {
      if (before[from + 2] === 0) continue
      let at = home(before[from] as number, after)
      while (after[at + 2] !== 0) at = next(at, after)
      copySlot(before, from, after, at)
    }
    this.#shards[shardNumber] = after
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

/** The word index of the slot where a key wants to be: monotone in the key's low 24 bits (the top 8 chose the shard). */
function home(high: number, slots: Uint32Array): number {
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

/** Empties a slot and moves back what had been pushed past it, so that no search ends early (Knuth 6.4, algorithm R). */
function closeGap(emptied: number, slots: Uint32Array): void {
  let gap = emptied
  for (let at = next(gap, slots); slots[at + 2] !== 0; at = next(at, slots)) {
    const wanted = home(slots[at] as number, slots)
    const reachable = gap <= at ? wanted <= gap || wanted > at : wanted <= gap && wanted > at
    if (!reachable) continue
    copySlot(slots, at, slots, gap)
    gap = at
  }
  slots.fill(0, gap, gap + SLOT_WORDS)
}
