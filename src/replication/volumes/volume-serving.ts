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
  type HeldVolume,
  READ_BYTES_MAX,
  type VolumeRange
} from './volume-messages.js'

/** Limit of one fetch; the next may go to another supplier, so that no single uplink carries everything. */
export const FETCH_BYTES_MAX = 32 * 1024 * 1024

export interface VolumeServingComponents {
  readonly transport: Pick<Transport, 'handle' | 'handleFetch'>
  readonly volumes: Pick<VolumeSet, 'get' | 'volumes'>
  readonly log: Logger
  readonly isRetired: (volume: VolumeId) => boolean
}

/** Answers peers' requests for this node's volumes: heads, holes and bytes. The peers verify the bytes themselves. */
export class VolumeServing {
  readonly #components: VolumeServingComponents
  /** Volumes that are being verified. */
  readonly #verifying = new Map<VolumeId, Promise<void>>()

  constructor(components: VolumeServingComponents) {
    this.#components = components
    const { transport } = components
    transport.handle('volume.heads', async () => encodeHeads(this.#heldVolumes()))
    transport.handle('volume.superblock', async (_peer, body) => this.#superblock(decodeVolume(body)))
    transport.handle('volume.read', async (_peer, body) => this.#read(decodeRange(body)))
    transport.handleFetch('volume.range', (_peer, body) => this.#serve(decodeRange(body)))
    transport.handle('volume.doubt', async (_peer, body) => this.#recheck(decodeRange(body)))
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

  /**
   * Verifies a volume from the place where a peer found damage to its end, so that all of its holes are known at once. The
   * answer waits for that; requests that arrive meanwhile share the scan.
   */
  async #recheck({ volume: id, from }: VolumeRange): Promise<Uint8Array> {
    const volume = this.#require(id)
    if (from < SUPERBLOCK_BYTES || from >= volume.end) return new Uint8Array()
    const running = this.#verifying.get(id) ?? this.#verify(volume, from).finally(() => this.#verifying.delete(id))
    this.#verifying.set(id, running)
    await running
    return new Uint8Array()
  }

  async #verify(volume: Volume, verifyFrom: number): Promise<void> {
    let found = false
    for await (const event of volume.scan(verifyFrom, 0)) {
      if (event.kind !== 'hole' || !volume.noteHole(event, event.reason)) continue
      found = true
      const { from, to } = event
      const fields = { volume: volume.id, from, to }
      this.#components.log.error(fields, 'this volume has damage; marked it as a hole to be repaired from peers')
    }
    if (found) await volume.flushIndex()
  }

  #require(id: VolumeId): Volume {
    const volume = this.#components.volumes.get(id)
    if (volume === undefined) throw new SheafError('ERR_NO_SUCH_VOLUME')
    return volume
  }
}
