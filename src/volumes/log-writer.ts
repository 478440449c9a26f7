import { hasCode, SheafError } from '../core/errors.js'
import { invariant } from '../core/invariant.js'
import type { Logger } from '../core/log.js'
import type { Random } from '../core/random.js'
import type { Tracer } from '../core/tracing.js'
import type { Hlc } from '../domain/hlc.js'
import { type ActorId, newActorId, parseVolumeId, type VolumeId, volumeId } from '../domain/ids.js'
import { needleBytes } from '../domain/needle.js'
import { encodeSuperblock, SUPERBLOCK_BYTES, type Superblock } from '../domain/superblock.js'
import type { DiskReserve } from './disk-reserve.js'
import { GroupCommit } from './group-commit.js'
import type { DurableGroup, NeedleDraft, NeedleLocation } from './needle-store.js'
import type { Volume } from './volume.js'

/** A volume is filled up to this share of its capacity. */
const ROLLOVER_SHARE = 0.95

export interface LogWriterComponents {
  readonly random: Random
  readonly log: Logger
  /** Default: nothing is traced. */
  readonly tracer?: Tracer | undefined
  readonly reserve: Pick<DiskReserve, 'admit' | 'invalidateFreeBytes' | 'releaseBallast'>
  /** Throws while nothing can be applied to the directory: what is written then would be refused, and show up later. */
  readonly requireDirectory?: () => void
  /** The stamp of a new volume's superblock. */
  readonly stamp: () => Hlc
  /** Signs superblocks with the node's key. */
  readonly sign: (bytes: Uint8Array) => Uint8Array
  /** Creates a volume's file durably. */
  readonly create: (superblock: Superblock, encoded: Uint8Array) => Promise<Volume>
  /** Takes over a group of needles that are durable in the volume's file. */
  readonly commit: (volume: Volume, group: DurableGroup) => Promise<void>
}

export interface LogWriterInit {
  /** Capacity of a new volume. */
  readonly volumeBytes: number
  /** The node's Ed25519 public key, 32 bytes. */
  readonly origin: Uint8Array
}

interface Active {
  readonly volume: Volume
  readonly log: GroupCommit
}

/** Appends to the active volume of this process, and opens the next one when it is full or fails. */
export class LogWriter {
  readonly #components: LogWriterComponents
  readonly #init: LogWriterInit
  readonly #written = new Set<VolumeId>()
  #active: Active | undefined
  #rolling: Promise<void> | undefined
  /** The volume that is being created; its epoch may already have ended. */
  #opening: VolumeId | undefined
  #closing: Promise<void> = Promise.resolve()
  #epoch: ActorId
  #sequence = 0
  #stopping = false

  constructor(components: LogWriterComponents, init: LogWriterInit) {
    this.#components = components
    this.#init = init
    this.#epoch = newActorId(components.random)
  }

  /** The epoch of new volumes, and the actor of new dots. */
  get epoch(): ActorId {
    return this.#epoch
  }

  /** The volume that the next append goes to if it fits: a hint. */
  get logicalVolume(): VolumeId {
    if (this.#active !== undefined) return this.#active.volume.id
    return this.#opening ?? volumeId(this.#epoch, this.#sequence + 1)
  }

  /** Whether this process wrote the volume. */
  wrote(volume: VolumeId): boolean {
    return this.#written.has(volume)
  }

  /** @see NeedleStore.append */
  async append(drafts: readonly NeedleDraft[], purpose: 'upload' | 'upkeep'): Promise<NeedleLocation[]> {
    const { reserve } = this.#components
    const byteCount = drafts.reduce((sum, draft) => sum + needleBytes(draft.data.byteLength), 0)
    if (purpose === 'upload') await reserve.admit(byteCount)
    try {
      return await this.#append(drafts, byteCount)
    } catch (error) {
      if (!hasCode(error, 'ERR_DISK_FULL')) throw error
      reserve.invalidateFreeBytes() // somebody else has filled it since
      if (purpose !== 'upkeep' || !(await reserve.releaseBallast())) throw error
      return await this.#append(drafts, byteCount)
    }
  }

  /** Closes the active volume; the next append opens another. */
  async close(): Promise<void> {
    if (this.#active !== undefined) this.#close()
    await this.#closing
  }

  /** Begins a new epoch, because it is unknown which writes of the current one are on disk and which dots are taken. */
  renewEpoch(): void {
    if (this.#active !== undefined) this.#close()
    this.#epoch = newActorId(this.#components.random)
    this.#sequence = 0
  }

  async stop(): Promise<void> {
    this.#stopping = true
    await this.#rolling?.catch(() => {}) // the appends that wait for it report the error
    await this.close()
  }

  async #append(drafts: readonly NeedleDraft[], byteCount: number): Promise<NeedleLocation[]> {
    for (;;) {
      if (this.#stopping) throw new SheafError('ERR_STOPPING')
      this.#components.requireDirectory?.()
      const active = this.#active
      if (active !== undefined && this.#fits(active, byteCount)) return active.log.append(drafts)
      this.#rolling ??= this.#roll().finally(() => {
        this.#rolling = undefined
        this.#opening = undefined
      })
      await this.#rolling
    }
  }

  #fits({ log }: Active, byteCount: number): boolean {
    return log.end === SUPERBLOCK_BYTES || log.end + byteCount <= this.#init.volumeBytes * ROLLOVER_SHARE
  }

  async #roll(): Promise<void> {
    if (this.#active !== undefined) this.#close()
    this.#active = await this.#open()
  }

  async #open(): Promise<Active> {
    const { stamp, sign, create, commit, tracer } = this.#components
    const { volumeBytes, origin } = this.#init
    const id = volumeId(this.#epoch, ++this.#sequence)
    this.#opening = id
    const superblock: Superblock = { volume: id, capacityBytes: volumeBytes, createdAt: stamp(), origin, flags: 0 }
    const volume = await create(superblock, encodeSuperblock(superblock, sign))
    volume.state = 'active'
    this.#written.add(id)
    const log = new GroupCommit(
      {
        file: volume.file,
        tracer,
        commit: group => commit(volume, group),
        failed: error => this.#failed(volume, error)
      },
      { volume: id, seed: volume.seed, end: volume.end, chain: volume.chain }
    )
    return { volume, log }
  }

  #failed(volume: Volume, error: SheafError): void {
    this.#components.log.error(
      { err: error, volume: volume.id },
      'a write failed: closed the volume, continuing in a new one; check the disk'
    )
    if (epochOf(volume) === this.#epoch) this.renewEpoch() // it may have been full, and be closing
    volume.state = 'failed'
  }

  #close(): void {
    const active = this.#active
    invariant(active !== undefined, 'there is an active volume')
    this.#active = undefined
    const closed = active.log.drain().then(async () => {
      if (active.volume.state === 'active') active.volume.state = 'closed'
      await active.volume.flushIndex()
    })
    this.#closing = this.#closing.then(() => closed)
  }
}

function epochOf({ id }: Volume): ActorId | undefined {
  return parseVolumeId(id)?.epoch
}
