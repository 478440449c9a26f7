import type { Clock } from '../../core/clock.js'
import type { VolumeId } from '../../domain/ids.js'
import type { VolumeSet } from '../../volumes/volume-set.js'
import type { PeerVolumes } from './peer-volumes.js'

/** Younger bytes are on their way. */
const AGE_MS = 5 * 60_000

/** How long a volume was, and when. */
interface Mark {
  /** Its end at least {@link AGE_MS} ago. */
  agedEnd: number
  /** A later end, and when it was that; monotonic ms. */
  end: number
  atMs: number
}

export interface UnderReplicationComponents {
  readonly clock: Clock
  readonly volumes: Pick<VolumeSet, 'volumes' | 'onGrowth'>
  readonly peers: Pick<PeerVolumes, 'acknowledgedNow'>
  readonly isRetired: (volume: VolumeId) => boolean
  /** Whether no other member is present: then one disk is all there is. */
  readonly isAlone: () => boolean
}

/**
 * Counts what has been for a while on fewer than min(2, present members) disks. What it knows of other disks are the
 * acknowledgments of connected peers, so a peer that has just gone or come makes it a little too high.
 */
export class UnderReplication {
  readonly #components: UnderReplicationComponents
  readonly #marks = new Map<VolumeId, Mark>()

  constructor(components: UnderReplicationComponents) {
    this.#components = components
    components.volumes.onGrowth(({ id, end }) => this.#note(id, end))
  }

  /** @returns volumes with such bytes, and how many bytes these are; of bytes 5 to 10 minutes old some may be left out */
  count(): { readonly volumes: number; readonly bytes: number } {
    const { volumes, peers, isRetired, isAlone } = this.#components
    const all = volumes.volumes().filter(({ id }) => !isRetired(id))
    const ids = new Set(all.map(({ id }) => id))
    for (const id of this.#marks.keys()) if (!ids.has(id)) this.#marks.delete(id)
    const missing = all.map(({ id, end }) => Math.max(0, this.#note(id, end) - peers.acknowledgedNow(id)))
    if (isAlone()) return { volumes: 0, bytes: 0 }
    return { volumes: missing.filter(bytes => bytes > 0).length, bytes: missing.reduce((sum, bytes) => sum + bytes, 0) }
  }

  /** @returns the end that is old enough */
  #note(id: VolumeId, end: number): number {
    const now = this.#components.clock.monotonic()
    const mark = this.#marks.get(id)
    if (mark === undefined) {
      this.#marks.set(id, { agedEnd: 0, end, atMs: now })
      return 0
    }
    if (now - mark.atMs >= AGE_MS) Object.assign(mark, { agedEnd: mark.end, end, atMs: now })
    return mark.agedEnd
  }
}
