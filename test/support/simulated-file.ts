import type { SeededRandom } from './seeded-random.js'

const PAGE_BYTES = 4096
const SECTOR_BYTES = 512

/**
 * A file's bytes twice: as the page cache has them and as the disk has them. Pages that are absent are zeros.
 *
 * Invariant: a page that is not dirty is the same in both, unless a sync failed, which marks pages clean that never
 * reached the disk (as Linux does; Rebello et al. 2020, "Can applications recover from fsync failures?").
 */
export class SimulatedFile {
  #cache = new Map<number, Uint8Array>()
  #disk = new Map<number, Uint8Array>()
  #dirty = new Set<number>()
  #size = 0
  #diskSize = 0
  /** Open handles, and whether a folder names the file: with neither its space is free. */
  handles = 0
  linked = false

  get size(): number {
    return this.#size
  }

  read(into: Uint8Array, position: number): number {
    const end = Math.min(position + into.byteLength, this.#size)
    for (const [page, from, to] of pagesOf(position, end)) {
      const at = page * PAGE_BYTES + from - position
      const bytes = this.#cache.get(page)
      if (bytes === undefined) into.fill(0, at, at + to - from)
      else into.set(bytes.subarray(from, to), at)
    }
    return Math.max(0, end - position)
  }

  write(bytes: Uint8Array, position: number): void {
    const end = position + bytes.byteLength
    for (const [page, from, to] of pagesOf(position, end)) {
      const at = page * PAGE_BYTES + from - position
      pageOf(this.#cache, page).set(bytes.subarray(at, at + to - from), from)
      this.#dirty.add(page)
    }
    this.#size = Math.max(this.#size, end)
  }

  resize(byteCount: number): void {
    for (const page of cut(this.#cache, byteCount)) this.#dirty.add(page)
    this.#size = byteCount
  }

  sync(): void {
    for (const page of this.#dirty) {
      const bytes = this.#cache.get(page)
      if (bytes === undefined) this.#disk.delete(page)
      else this.#disk.set(page, bytes.slice())
    }
    this.#dirty.clear()
    this.#diskSize = this.#size
  }

  /** What the kernel does when the disk refuses a page: the page counts as clean, and is lost. */
  failSync(): void {
    this.#dirty.clear()
  }

  /**
   * Loss of power. Each dirty page survives whole, in some of its sectors, or not at all; a changed length survives, does
   * not, or ends in between. Without `random` nothing survives.
   */
  crash(random: SeededRandom | undefined): void {
    if (random !== undefined) {
      for (const page of this.#dirty) this.#surviveCrash(page, random)
      const least = Math.min(this.#size, this.#diskSize)
      const most = Math.max(this.#size, this.#diskSize)
      this.#diskSize = random.pick([this.#size, this.#diskSize, least + random.below(most - least + 1)])
      cut(this.#disk, this.#diskSize)
    }
    this.#size = this.#diskSize
    this.#cache = copyPages(this.#disk)
    this.#dirty.clear()
  }

  #surviveCrash(page: number, random: SeededRandom): void {
    const bytes = this.#cache.get(page) ?? new Uint8Array(PAGE_BYTES)
    const portion = random.pick(['none', 'some', 'all'])
    for (let from = 0; from < PAGE_BYTES; from += SECTOR_BYTES) {
      if (portion === 'all' || (portion === 'some' && random.chance(0.5))) {
        pageOf(this.#disk, page).set(bytes.subarray(from, from + SECTOR_BYTES), from)
      }
    }
  }

  /** Damage, in the cache and on the disk alike. */
  flipBit(position: number, bit: number): void {
    for (const pages of [this.#cache, this.#disk]) {
      const page = pageOf(pages, Math.floor(position / PAGE_BYTES))
      page[position % PAGE_BYTES]! ^= 1 << bit
    }
  }

  clone(): SimulatedFile {
    const copy = new SimulatedFile()
    copy.#cache = copyPages(this.#cache)
    copy.#disk = copyPages(this.#disk)
    copy.#dirty = new Set(this.#dirty)
    copy.#size = this.#size
    copy.#diskSize = this.#diskSize
    copy.linked = this.linked
    return copy
  }
}

/** Cuts [start, end) at page borders: page number, and the part of that page. */
function* pagesOf(start: number, end: number): Generator<readonly [page: number, from: number, to: number]> {
  for (let position = start; position < end; ) {
    const page = Math.floor(position / PAGE_BYTES)
    const to = Math.min(end - page * PAGE_BYTES, PAGE_BYTES)
    yield [page, position - page * PAGE_BYTES, to]
    position = page * PAGE_BYTES + to
  }
}

function pageOf(pages: Map<number, Uint8Array>, page: number): Uint8Array {
  let bytes = pages.get(page)
  if (bytes === undefined) {
    bytes = new Uint8Array(PAGE_BYTES)
    pages.set(page, bytes)
  }
  return bytes
}

/** Drops what lies at or beyond `byteCount`. @returns the pages that changed */
function cut(pages: Map<number, Uint8Array>, byteCount: number): number[] {
  const changed = [...pages.keys()].filter(page => (page + 1) * PAGE_BYTES > byteCount)
  for (const page of changed) {
    const kept = byteCount - page * PAGE_BYTES
    if (kept > 0) pages.get(page)?.fill(0, kept)
    else pages.delete(page)
  }
  return changed
}

function copyPages(pages: ReadonlyMap<number, Uint8Array>): Map<number, Uint8Array> {
  return new Map([...pages].map(([page, bytes]) => [page, bytes.slice()]))
}
