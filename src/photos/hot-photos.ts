import { LRUCache } from 'lru-cache'
import type { NeedleIdentity } from '../domain/needle.js'
import type { NeedleLocation, NeedleStore } from '../volumes/needle-store.js'
import type { ContentHead, HotContent } from './photo-types.js'

const HEADS_MAX = 16_384
/** Larger ones are read asynchronously: a blocking read of this size takes the event loop for some 20 µs. */
const HOT_BYTES_MAX = 256 * 1024

interface HotEntry {
  readonly head: ContentHead
  readonly location: NeedleLocation
  readonly identity: NeedleIdentity
}

/** Originals that were read before, ready to be read again in one synchronous step without asking the directory. */
export class HotPhotos {
  readonly #store: NeedleStore
  /** By the photo id as it stands in canonical form. */
  readonly #entries = new LRUCache<string, HotEntry>({ max: HEADS_MAX })

  constructor(components: { readonly store: NeedleStore }) {
    this.#store = components.store
  }

  /** @returns undefined unless the photo is hot and its needle intact where it was last seen */
  open(idText: string): HotContent | undefined {
    const entry = this.#entries.get(idText)
    if (entry === undefined) return undefined
    try {
      return { head: entry.head, lease: this.#store.readSync(entry.location, entry.identity) }
    } catch {
      // Moved by compaction, or damaged: the normal path, which the caller takes now, finds out, copes and reports.
      this.#entries.delete(idText)
      return undefined
    }
  }

  /** To be called in the same synchronous step as the head was read from the directory, so that no change falls between. */
  remember(head: ContentHead, location: NeedleLocation, identity: NeedleIdentity): void {
    if (head.size <= HOT_BYTES_MAX) this.#entries.set(head.photoId, { head, location, identity })
  }

  forget(photoId: string): void {
    this.#entries.delete(photoId)
  }
}
