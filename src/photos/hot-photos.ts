import { LRUCache } from 'lru-cache'
import type { NeedleIdentity } from '../domain/needle.js'
import type { NeedleLocation, NeedleStore } from '../volumes/needle-store.js'
import type { ContentHead, HotContent } from './photo-types.js'

const HEADS_MAX = 16_384
/** Larger photos are read asynchronously: a blocking read of this size holds the event loop for about 20 µs. */
const HOT_BYTES_MAX = 256 * 1024

interface HotEntry {
  readonly head: ContentHead
  readonly location: NeedleLocation
  readonly identity: NeedleIdentity
}

/** Recently read originals, to be read again in one synchronous step without the directory. */
export class HotPhotos {
  readonly #store: NeedleStore
  /** By photo id in canonical form. */
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
      // Moved by compaction, or damaged. The caller now takes the normal path, which handles and reports both.
      this.#entries.delete(idText)
      return undefined
    }
  }

  /** Call in the same synchronous step that read the head from the directory, so that no change comes in between. */
  remember(head: ContentHead, location: NeedleLocation, identity: NeedleIdentity): void {
    if (head.size <= HOT_BYTES_MAX) this.#entries.set(head.photoId, { head, location, identity })
  }

  forget(photoId: string): void {
    this.#entries.delete(photoId)
  }
}
