import type { Clock } from '../core/clock.js'
import { deadline } from '../core/deadline.js'
import type { Directory } from '../directory/directory.js'
import type { PhotoId, VolumeId } from '../domain/ids.js'
import { needleBytes } from '../domain/needle.js'
import { PHOTO_KIND, viewPhoto } from '../domain/photo.js'
import type { PeerVolumes } from '../replication/volumes/peer-volumes.js'
import { blobsOf, dataIdentity, locateBytes, needleCount, type PhotoBlob } from '../store/photo-needles.js'
import type { NeedleLocation } from '../volumes/needle-store.js'
import type { VolumeSet } from '../volumes/volume-set.js'

const COPIES_MS_MAX = 10_000
/** While somebody waits, the others are asked this often what they hold, ms. */
const ASK_MS = 500
/** Of a blob, when it is only looked at: spread over it, they find the volumes of one that is terabytes long, too. */
const LOOKED_AT_MAX = 1_000

export interface DurableCopiesComponents {
  readonly directory: Pick<Directory, 'getSync'>
  readonly volumes: Pick<VolumeSet, 'locate'>
  readonly peers: PeerVolumes
  readonly clock: Clock
  /** Asks all others what they hold, and notes that in `peers`. Many waits may call it at the same time. */
  readonly ask: () => void
}

/** A volume, up to where it has to be held. */
interface Place {
  readonly volume: VolumeId
  readonly end: number
}

/** Counts the nodes on which a photo is durable, from the peers' acknowledgments of the volumes that hold it here. */
export class DurableCopies {
  readonly #components: DurableCopiesComponents

  constructor(components: DurableCopiesComponents) {
    this.#components = components
  }

  /**
   * Waits, at most ten seconds, until `wanted` nodes hold the whole photo, which has to be on this node.
   *
   * @returns how many do, this one included; 1 at once for a photo of which not every needle can be found here
   */
  async waitFor(id: PhotoId, wanted: number): Promise<number> {
    const { peers, clock } = this.#components
    const places = this.#places(id)
    if (places === undefined) return 1
    const { signal, cancel } = deadline(clock, COPIES_MS_MAX)
    const over = new AbortController()
    this.#askMeanwhile(over.signal).catch(() => {}) // it ends so
    try {
      return 1 + (await peers.waitForHolders(places, wanted - 1, signal))
    } finally {
      over.abort()
      cancel()
    }
  }

  /** Copies of what other nodes wrote are acknowledged to these, and any acknowledgment may be lost. */
  async #askMeanwhile(signal: AbortSignal): Promise<never> {
    for (;;) {
      await this.#components.clock.sleep(ASK_MS, signal)
      this.#components.ask()
    }
  }

  /** @returns how many nodes are known to hold the volume durably up to `end`, this one included */
  ofVolume(volume: VolumeId, end: number): number {
    return this.#with([{ volume, end }])
  }

  /** @returns how many nodes are known to hold the blob durably, this one included; 0 when this one lacks some of it */
  of(blob: PhotoBlob): number {
    const stride = Math.ceil(needleCount(blob) / LOOKED_AT_MAX)
    const locations = this.#locations(blob, stride)
    return locations === undefined ? 0 : this.#with(placesOf(locations))
  }

  /** @returns this node, and the others that hold all places */
  #with(places: readonly Place[]): number {
    return 1 + this.#components.peers.holders(places)
  }

  /** @returns the volumes of the photo's bytes and record: a node that holds each up to its `end` holds the photo */
  #places(id: PhotoId): Place[] | undefined {
    const stored = this.#components.directory.getSync({ kind: PHOTO_KIND, id })
    if (stored === undefined) return undefined
    const found = blobsOf(viewPhoto(stored.record)).map(blob => this.#locations(blob, 1))
    if (!found.every(locations => locations !== undefined)) return undefined
    return placesOf([...(stored.home === undefined ? [] : [stored.home]), ...found.flat()])
  }

  /** @returns where every `stride`th needle of the blob is, the last first; undefined when one of them is not here */
  #locations(blob: PhotoBlob, stride: number): NeedleLocation[] | undefined {
    const locations: NeedleLocation[] = []
    for (let chunk = needleCount(blob) - 1; chunk >= 0; chunk -= stride) {
      const location = locateBytes(this.#components.volumes, dataIdentity(blob, chunk))
      if (location === undefined) return undefined
      locations.push(location)
    }
    return locations
  }
}

function placesOf(locations: readonly NeedleLocation[]): Place[] {
  const ends = new Map<VolumeId, number>()
  for (const { volume, offset, length } of locations)
    ends.set(volume, Math.max(ends.get(volume) ?? 0, offset + needleBytes(length)))
  return [...ends].map(([volume, end]) => ({ volume, end }))
}
