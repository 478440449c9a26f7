import type { Clock } from '../../core/clock.js'
import { SheafError } from '../../core/errors.js'
import type { Logger } from '../../core/log.js'
import type { VolumeId } from '../../domain/ids.js'
import { SUPERBLOCK_BYTES } from '../../domain/superblock.js'
import { encodeMessage } from '../../network/rpc/message.js'
import type { Transport } from '../../network/transport.js'
import type { Volume } from '../../volumes/volume.js'
import type { VolumeSet } from '../../volumes/volume-set.js'
import {
  decodeRange,
  decodeVolume,
  encodeHeads,
  encodeKnownHoles,
  type HeldVolume,
  READ_BYTES_MAX,
  type VolumeRange
} from './volume-messages.js'
import { VolumeVerifier } from './volume-verifier.js'

/** Limit of one fetch; the next may go to another supplier, so that no single uplink carries everything. */
export const FETCH_BYTES_MAX = 32 * 1024 * 1024

export interface VolumeServingComponents {
  readonly transport: Pick<Transport, 'handle' | 'handleFetch'>
  readonly volumes: Pick<VolumeSet, 'get' | 'volumes'>
  readonly clock: Clock
  readonly log: Logger
  readonly isRetired: (volume: VolumeId) => boolean
}

export interface VolumeServingInit {
  /** Ends running verifications. */
  readonly signal: AbortSignal
}

/** Answers peers' requests for this node's volumes: heads, holes and bytes. The peers verify the bytes themselves. */
export class VolumeServing {
  readonly #components: VolumeServingComponents
  readonly #verifier: VolumeVerifier

  constructor(components: VolumeServingComponents, init: VolumeServingInit) {
    this.#components = components
    this.#verifier = new VolumeVerifier(components, init)
    const { transport } = components
    transport.handle('volume.heads', async () => encodeHeads(this.#heldVolumes()), { relayed: true })
    transport.handle('volume.superblock', async (_peer, body) => this.#superblock(decodeVolume(body)))
    transport.handle('volume.read', async (_peer, body) => this.#read(decodeRange(body)))
    transport.handleFetch('volume.range', (_peer, body) => this.#serve(decodeRange(body)))
    transport.handle('volume.doubt', async (_peer, body) => this.#holes(decodeRange(body)))
  }

  /** Waits for the verification that the signal has ended. */
  stop(): Promise<void> {
    return this.#verifier.stop()
  }

  #heldVolumes(): HeldVolume[] {
    const { volumes, isRetired } = this.#components
    return volumes
      .volumes()
      .filter(({ id }) => !isRetired(id))
      .map(({ id, end, holes }) => ({ volume: id, end, holes }))
  }

  async #superblock(id: VolumeId): Promise<Uint8Array> {
    const volume = this.#require(id)
    const superblock = new Uint8Array(SUPERBLOCK_BYTES)
    if (volume.superblock === undefined || (await volume.file.read(superblock, 0)) !== SUPERBLOCK_BYTES) {
      throw new SheafError('ERR_VOLUME_CORRUPT')
    }
    return encodeMessage({ superblock })
  }

  async #read({ volume, from, to }: VolumeRange): Promise<Uint8Array> {
    const pieces: Uint8Array[] = []
    for await (const piece of this.#require(volume).raw(from, Math.min(to, from + READ_BYTES_MAX))) pieces.push(piece)
    return encodeMessage({ bytes: Buffer.concat(pieces) })
  }

  #serve({ volume, from, to }: VolumeRange): AsyncIterable<Uint8Array> {
    return this.#require(volume).raw(from, Math.min(to, from + FETCH_BYTES_MAX))
  }

  /** Answers which holes are at or behind the place, once it has been verified. */
  async #holes({ volume: id, from }: VolumeRange): Promise<Uint8Array> {
    const volume = this.#require(id)
    if (from >= SUPERBLOCK_BYTES && from < volume.end) await this.#verifier.verify(volume, from)
    return encodeKnownHoles({ end: volume.end, holes: volume.holes.filter(({ to }) => to > from) })
  }

  #require(id: VolumeId): Volume {
    const volume = this.#components.volumes.get(id)
    if (volume === undefined) throw new SheafError('ERR_NO_SUCH_VOLUME')
    return volume
  }
}
