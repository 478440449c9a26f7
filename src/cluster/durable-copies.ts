import type { Clock } from '../core/clock.js'
import { deadline } from '../core/deadline.js'
import type { Directory } from '../directory/directory.js'
import type { PhotoId, VolumeId } from '../domain/ids.js'
import { needleBytes } from '../domain/needle.js'
import { PHOTO_KIND, viewPhoto } from '../domain/photo.js'
import type { PeerVolumes } from '../replication/volumes/peer-volumes.js'
import { blobsOf, dataIdentity, needleCount } from '../store/photo-needles.js'
import type { NeedleLocation } from '../volumes/needle-store.js'
import type { VolumeSet } from '../volumes/volume-set.js'

const COPIES_MS_MAX = 10_000

export interface DurableCopiesComponents {
  readonly directory: Pick<Directory, 'getSync'>
  readonly volumes: Pick<VolumeSet, 'locate'>
  readonly peers: PeerVolumes
  readonly clock: Clock
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
    try {
      return 1 + (await peers.waitForHolders(places, wanted - 1, signal))
    } finally {
      cancel()
    }
  }

  /** @returns the volumes of the photo's bytes and record: a node that holds each up to its `end` holds the photo */
  #places(id: PhotoId): { readonly volume: VolumeId; readonly end: number }[] | undefined {
    const { directory, volumes } = this.#components
    const stored = directory.getSync({ kind: PHOTO_KIND, id })
    if (stored === undefined) return undefined
    const photo = viewPhoto(stored.record)
    const ends = new Map<VolumeId, number>()
    const add = ({ volume, offset, length }: NeedleLocation): void => {
      ends.set(volume, Math.max(ends.get(volume) ?? 0, offset + needleBytes(length)))
    }
    if (stored.home !== undefined) add(stored.home)
    for (const blob of blobsOf(photo)) {
      for (let chunk = 0; chunk < needleCount(blob); chunk++) {
        const [location] = volumes.locate(dataIdentity(blob, chunk))
        if (location === undefined) return undefined
        add(location)
      }
    }
    return [...ends].map(([volume, end]) => ({ volume, end }))
  }
}
