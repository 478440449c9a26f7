import { LRUCache } from 'lru-cache'
import type { Clock } from '../core/clock.js'
import type { NeedleIdentity } from '../domain/needle.js'
import type { PhotoBlob } from '../store/photo-needles.js'
import type { NeedleLocation, NeedleStore } from '../volumes/needle-store.js'
import type { ByteBudget } from './byte-budget.js'
import type { ContentHead, HotContent } from './photo-types.js'

/** Of photos, in each of the two maps. */
const PHOTOS_MAX = 16_384
/** Larger photos are read asynchronously: a blocking read of this size holds the event loop for about 20 µs. */
const HOT_BYTES_MAX = 256 * 1024
/** An original or size that takes more than this share of the memory is not kept: it would push out everything else. */
const PART_SHARE = 0.25
/** Of the memory, for needles that are still arriving, so that slow clients cannot pile them up. */
const ARRIVING_SHARE = 0.25

export interface PhotoCacheComponents {
  readonly store: Pick<NeedleStore, 'locate' | 'readSync'>
  readonly clock: Pick<Clock, 'monotonic'>
  /** Of whole originals that clients have yet to take. Default: without a bound. */
  readonly untaken?: ByteBudget
}

export interface PhotoCacheInit {
  /** Memory for bytes that other nodes sent; 0: none are kept. */
  readonly bytesMax: number
  /** How long they are kept at most, ms, from 1. */
  readonly ttlMs: number
}

export interface CacheStats {
  /** Photos of which bytes are kept. */
  readonly items: number
  readonly bytes: number
  readonly bytesMax: number
  readonly ttlMs: number
  /** Needles that were read from the cache, and from other nodes, since the process started. */
  readonly hits: number
  readonly misses: number
}

interface HotPhoto {
  readonly head: ContentHead
  readonly identity: NeedleIdentity
  /** On this node's disk; undefined: in the cache, under the name. */
  readonly location: NeedleLocation | undefined
  readonly name: string
}

/** Needles of one photo by name, with their total size. */
interface KeptPhoto {
  readonly needles: ReadonlyMap<string, Uint8Array>
  readonly byteCount: number
}

/**
 * What was read lately. The bytes of other nodes are kept in memory, by a name that says which bytes they are; those of this
 * node are in the page cache already. The heads of hot originals are kept for both, to be read again in one synchronous step
 * without the directory. The head goes when the record changes, and bytes when it is no longer live: nothing deleted is kept, and
 * an edit while the node that has the bytes is away does not lose them.
 */
export class PhotoCache {
  readonly #store: PhotoCacheComponents['store']
  readonly #untaken: ByteBudget | undefined
  readonly #init: PhotoCacheInit
  /** By photo id in canonical form. */
  readonly #hot = new LRUCache<string, HotPhoto>({ max: PHOTOS_MAX })
  /** Undefined: no bytes are kept. */
  readonly #kept: LRUCache<string, KeptPhoto> | undefined
  #arrivingBytes = 0
  #hits = 0
  #misses = 0

  constructor({ store, clock, untaken }: PhotoCacheComponents, init: PhotoCacheInit) {
    this.#store = store
    this.#untaken = untaken
    this.#init = init
    if (init.bytesMax === 0) return
    this.#kept = new LRUCache({
      max: PHOTOS_MAX,
      maxSize: init.bytesMax,
      sizeCalculation: ({ byteCount }) => byteCount,
      ttl: init.ttlMs,
      ttlResolution: 0,
      noUpdateTTL: true,
      perf: { now: () => clock.monotonic() + 1 } // it takes 0 for: no time
    })
  }

  // --- hot originals ---

  /**
   * @param isOpen - whether it may be read
   * @returns undefined unless the photo is hot, its bytes are intact where they were last seen, and there is memory for them */
  openHot(idText: string, isOpen: (head: ContentHead) => boolean): HotContent | undefined {
    const entry = this.#hot.get(idText)
    if (entry === undefined || !isOpen(entry.head)) return undefined
    const { size } = entry.head
    if (entry.location !== undefined && this.#untaken?.tryTake(size) === false) return undefined
    const content = entry.location === undefined ? this.#openKept(entry) : this.#openLocal(entry, entry.location)
    if (content !== undefined) return content
    if (entry.location !== undefined) this.#untaken?.release(size)
    this.#hot.delete(idText)
    return undefined
  }

  /**
   * Call in the same synchronous step that read the head from the directory, so that no change comes in between.
   *
   * @param location - of the original's only needle; undefined: the cache {@link has} it
   */
  remember(head: ContentHead, blob: PhotoBlob, identity: NeedleIdentity, location: NeedleLocation | undefined): void {
    if (head.size <= HOT_BYTES_MAX) this.#hot.set(head.photoId, { head, identity, location, name: nameOf(blob, 0) })
  }

  #openLocal({ head, identity }: HotPhoto, location: NeedleLocation): HotContent | undefined {
    try {
      const lease = this.#store.readSync(location, identity)
      const release = (): void => {
        lease.release()
        this.#untaken?.release(head.size)
      }
      return { head, source: 'local', lease: { data: lease.data, release } }
    } catch {
      return undefined // moved by compaction, or damaged: the normal path handles and reports both
    }
  }

  #openKept({ head, identity, name }: HotPhoto): HotContent | undefined {
    const data = this.#kept?.get(head.photoId)?.needles.get(name)
    if (data === undefined || this.#store.locate(identity).length > 0) return undefined // by now it may be on the disk
    this.#hits++
    return { head, source: 'cache', lease: { data, release: () => {} } }
  }

  // --- bytes of other nodes ---

  has(blob: PhotoBlob, chunk: number): boolean {
    return this.#kept?.peek(blob.id)?.needles.has(nameOf(blob, chunk)) === true
  }

  /** @returns all bytes of the needle, not to be changed; undefined: ask another node, which counts as a miss */
  get(blob: PhotoBlob, chunk: number): Uint8Array | undefined {
    const bytes = this.#kept?.get(blob.id)?.needles.get(nameOf(blob, chunk))
    if (bytes === undefined) this.#misses++
    else this.#hits++
    return bytes
  }

  /** @param bytes - all of the needle, verified; must not change any more */
  keep(blob: PhotoBlob, chunk: number, bytes: Uint8Array): void {
    if (!this.#takes(blob)) return
    const { needles = [], byteCount = 0 } = this.#kept?.get(blob.id) ?? {}
    const name = nameOf(blob, chunk)
    const all = new Map(needles)
    const before = all.get(name)?.byteLength ?? 0
    this.#kept?.set(blob.id, {
      needles: all.set(name, bytes),
      byteCount: byteCount - before + bytes.byteLength
    })
  }

  /** Passes on the pieces of a whole needle, and keeps it once all have arrived. */
  async *keeping(
    blob: PhotoBlob,
    chunk: number,
    byteCount: number,
    pieces: AsyncIterable<Uint8Array>
  ): AsyncGenerator<Uint8Array> {
    if (!this.#takes(blob) || this.#arrivingBytes + byteCount > this.#init.bytesMax * ARRIVING_SHARE) {
      yield* pieces
      return
    }
    this.#arrivingBytes += byteCount
    try {
      const arrived: Uint8Array[] = []
      for await (const piece of pieces) {
        arrived.push(piece)
        yield piece
      }
      const bytes = Buffer.concat(arrived)
      if (bytes.byteLength === byteCount) this.keep(blob, chunk, bytes)
    } finally {
      this.#arrivingBytes -= byteCount
    }
  }

  #takes({ size }: PhotoBlob): boolean {
    return size <= this.#init.bytesMax * PART_SHARE
  }

  // --- both ---

  /** Call when the photo's record has changed. Its bytes stay: their names say which they are. */
  forgetHead(id: string): void {
    this.#hot.delete(id)
  }

  /** Call when the photo is deleted, or cannot be shown. */
  forget(id: string): void {
    this.#hot.delete(id)
    this.#kept?.delete(id)
  }

  stats(): CacheStats {
    this.#kept?.purgeStale()
    return {
      items: this.#kept?.size ?? 0,
      bytes: this.#kept?.calculatedSize ?? 0,
      bytesMax: this.#init.bytesMax,
      ttlMs: this.#init.ttlMs,
      hits: this.#hits,
      misses: this.#misses
    }
  }
}

/** Says which bytes they are: those of another life of the photo, or of the same size made anew, have another name. */
function nameOf({ generation, part, sha256 }: PhotoBlob, chunk: number): string {
  return `${generation} ${part} ${sha256} ${chunk}`
}
