import type { Clock } from '../../core/clock.js'
import { withDeadline } from '../../core/deadline.js'
import type { Startable } from '../../core/lifecycle.js'
import type { Logger } from '../../core/log.js'
import { WorkerLoop } from '../../core/worker-loop.js'
import type { Directory } from '../../directory/directory.js'
import type { Tombstone } from '../../directory/keys.js'
import { formatHlc, HLC_ZERO, type Hlc, type HybridClock } from '../../domain/hlc.js'
import { type NodeId, type PhotoId, parseVolumeId, type VolumeId } from '../../domain/ids.js'
import { needleBytes } from '../../domain/needle.js'
import { FIRST_GENERATION, PHOTO_KIND, type Photo, viewPhoto } from '../../domain/photo.js'
import type { DirectoryRecord, RecordKey } from '../../domain/record.js'
import { tombstoneStamp } from '../../domain/tombstone.js'
import type { Transport } from '../../network/transport.js'
import { TreeExchange } from '../../replication/records/tree-exchange.js'
import { TreeReplica } from '../../replication/records/tree-replica.js'
import { blobOf, dataIdentity, needleCount } from '../../store/photo-needles.js'
import type { RecordWriter } from '../../store/record-writer.js'
import type { NeedleLocation } from '../../volumes/needle-store.js'
import type { VolumeSet } from '../../volumes/volume-set.js'
import type { Departures } from '../members/departures.js'
import type { Horizon } from './horizon.js'
import { heldPhotos } from './needle-census.js'
import {
  decodeKnown,
  decodeVolumes,
  encodeKnown,
  encodeVolumes,
  type KnownVolume,
  METHOD_HEADS,
  VOLUMES_MAX
} from './promise-messages.js'
import { type Seal, sealedTransport } from './sealed-transport.js'

const ASK_MS_MAX = 15_000
const READ_AT_ONCE = 256
/** Others have so long to fill holes; after that a node that has damage must not stay away for it. */
const REPAIR_MS = 20_000

export interface CatchingUpComponents {
  /** Not sealed. */
  readonly transport: Transport
  readonly horizon: Horizon
  readonly departures: Pick<Departures, 'departureOf' | 'recordedEnd'>
  readonly directory: Directory
  readonly volumes: Pick<VolumeSet, 'volumes' | 'locate'>
  readonly writer: Pick<RecordWriter, 'bury' | 'renewDelete'>
  /** What this node knows of a volume, also of one that is retired. */
  readonly known: (volume: VolumeId) => Promise<KnownVolume>
  readonly hybridClock: Pick<HybridClock, 'pass'>
  readonly secure: (tombstones: readonly Tombstone[]) => Promise<void>
  /** Compacts every volume with needles that the horizon has passed. */
  readonly purge: (signal: AbortSignal) => Promise<void>
  /** Evacuates volumes with holes, and puts them aside. */
  readonly retireDamaged: (signal: AbortSignal) => Promise<void>
  readonly clock: Clock
  readonly log: Logger
}

/** What a comparison with a peer found out about records. */
interface Difference {
  /** Those that the peer does not have. */
  readonly lacking: readonly RecordKey[]
  /** Those that it has otherwise than this node had them, or that were not here. */
  readonly theirs: readonly RecordKey[]
  readonly horizon: Hlc
  /** What the peer has promised. */
  readonly promise: Hlc
}

/**
 * Brings a node back that was away while the others forgot deletes, as a removed member, or one restored from an old disk,
 * or that is new. Until then it offers nothing: what it holds may be what was deleted.
 *
 * A photo that the peer does not know, and that was born before the horizon, was either deleted and forgotten, or is
 * news: nobody ever had its bytes but this node. It is news if they lie beyond every head that the cluster has recorded of
 * the volume that it was born in. What is no news is buried: a delete that the horizon has passed already kills it here and
 * nowhere else. Then what is dead is purged, and the node promises what the others have. (What was undeleted here and then
 * moved by a compaction passes for news, although the others may have heard of it: better once too often than lost.)
 *
 * All of it can be broken off and begun anew at any point.
 */
export class CatchingUp implements Startable {
  readonly #components: CatchingUpComponents
  readonly #loop: WorkerLoop
  /** Since when only damage keeps this node from catching up, monotonic ms. */
  #damagedSince: number | undefined

  constructor(components: CatchingUpComponents, init: { readonly lookMs: number }) {
    this.#components = components
    const { transport, clock, log, horizon } = components
    const sealed = sealedTransport(transport, horizon)
    sealed.handle(METHOD_HEADS, (_peer, body) => this.#answerHeads(decodeVolumes(body)))
    this.#loop = new WorkerLoop(
      { clock, log },
      { name: 'catching up', idleMs: init.lookMs, step: signal => this.#step(signal) }
    )
  }

  start(): Promise<void> {
    return this.#loop.start()
  }

  stop(): Promise<void> {
    return this.#loop.stop()
  }

  async #step(signal: AbortSignal): Promise<'idle'> {
    const { horizon, directory, transport } = this.#components
    if (directory.state !== 'open') return 'idle'
    const { ahead } = horizon
    if (ahead !== undefined && transport.peers().includes(ahead)) await this.#follow(ahead, signal)
    if (horizon.promises.clean < horizon.target) await this.#purge(signal)
    return 'idle'
  }

  /** Judges what is here by what the peer knows, and takes its horizon over. */
  async #follow(peer: NodeId, signal: AbortSignal): Promise<void> {
    const { horizon, writer, hybridClock, log } = this.#components
    const difference = await this.#compare(peer, signal)
    if (difference === undefined) return
    const { theirs } = difference
    hybridClock.pass(difference.horizon)
    const doomed = await this.#doomed(peer, difference, signal)
    for (const id of doomed) await writer.bury(id, difference.horizon)
    let renewed = 0
    for await (const { record, stamp } of this.#tombstonesAmong(theirs)) {
      // the others have it alive: they never heard of this delete, and may not take one from before the horizon
      if (stamp > difference.horizon) continue
      await writer.renewDelete(record.id as PhotoId)
      renewed++
    }
    await horizon.follow(difference.horizon, difference.promise)
    const fields = { peer, horizon: formatHlc(difference.horizon), buried: doomed.length, renewed }
    log.info(fields, 'this node has learned what the others have forgotten')
  }

  async #compare(peer: NodeId, signal: AbortSignal): Promise<Difference | undefined> {
    const { directory, log } = this.#components
    const lacking: RecordKey[] = []
    const theirs: RecordKey[] = []
    let seal: Seal | undefined
    const exchange = new TreeExchange({
      replica: new TreeReplica({ directory, log }),
      ask: (method, body) =>
        this.#ask(peer, method, body, signal, shown => {
          seal ??= shown
        }),
      pace: async () => signal.throwIfAborted(),
      isOver: () => false,
      collect: found => {
        lacking.push(...found.lacking)
        theirs.push(...found.theirs)
      }
    })
    await exchange.run()
    return seal === undefined ? undefined : { lacking, theirs, ...seal }
  }

  /** Asks although the peer is ahead; nothing comes in but from a node that has promised what it has forgotten. */
  async #ask(
    peer: NodeId,
    method: string,
    body: Uint8Array,
    signal: AbortSignal,
    show: (seal: Seal) => void
  ): Promise<Uint8Array> {
    const { transport, horizon, departures, clock } = this.#components
    const keeper = {
      seal: () => ({ promise: horizon.promises.clean, horizon: horizon.promises.horizon }),
      shown: async (_peer: NodeId, seal: Seal) => show(seal),
      require: (_peer: NodeId, seal: Seal) => {
        if (departures.departureOf(peer) === undefined && seal.promise >= seal.horizon) return
        throw new Error('the node that is ahead has nothing to offer itself')
      },
      trusts: () => false
    }
    return withDeadline(clock, ASK_MS_MAX, signal, limit =>
      sealedTransport(transport, keeper).request(peer, method, body, limit)
    )
  }

  /** @returns photos that live here, and were deleted and forgotten by the others */
  async #doomed(peer: NodeId, { lacking, horizon }: Difference, signal: AbortSignal): Promise<PhotoId[]> {
    const unknown: Photo[] = []
    for await (const record of this.#records(lacking)) {
      const photo = viewPhoto(record)
      // a delete comes after the birth: nobody can have forgotten what was born after the horizon
      if (!photo.deleted && photo.createdAt <= horizon) unknown.push(photo)
    }
    if (unknown.length === 0) return []
    const known = await this.#knownBy(peer, unknown, signal)
    const doomed = unknown.filter(photo => !this.#isNews(photo, known))
    return doomed.map(({ id }) => id)
  }

  /** @param known - what the cluster has recorded of volumes */
  #isNews(photo: Photo, known: ReadonlyMap<VolumeId, KnownVolume>): boolean {
    const { volumes } = this.#components
    const blob = blobOf(photo, 'orig')
    if (blob === undefined) return false
    const chunks = Array.from({ length: needleCount(blob) }, (_, chunk) => volumes.locate(dataIdentity(blob, chunk)))
    if (chunks.every(places => places.length === 0)) return false
    // copies are the same byte for byte: the others had this very needle, and at least the one behind it
    const had = ({ volume, offset, length }: NeedleLocation): boolean =>
      offset + needleBytes(length) < (known.get(volume)?.end ?? 0)
    // the record of a birth stands right behind its bytes, unless these are many chunks
    const isRecordBehind = photo.generation > FIRST_GENERATION || blob.chunkBytes === 0
    if (isRecordBehind && chunks.every(places => places.some(had))) return false
    // records of births stand in the order of their stamps: the others had it if they had a later one of its volume
    const { lastBirth = HLC_ZERO } = known.get(photo.logicalVolume as VolumeId) ?? {}
    return photo.generation > FIRST_GENERATION || lastBirth < photo.createdAt
  }

  /** @returns what the cluster has recorded of the volumes that the photos stand in, or were born in */
  async #knownBy(
    peer: NodeId,
    photos: readonly Photo[],
    signal: AbortSignal
  ): Promise<ReadonlyMap<VolumeId, KnownVolume>> {
    const ids = new Set(this.#components.volumes.volumes().map(({ id }) => id))
    for (const { logicalVolume } of photos) if (parseVolumeId(logicalVolume)) ids.add(logicalVolume as VolumeId)
    const all = [...ids]
    const known = new Map<VolumeId, KnownVolume>()
    for (let at = 0; at < all.length; at += VOLUMES_MAX) {
      const asked = all.slice(at, at + VOLUMES_MAX)
      const answer = await this.#ask(peer, METHOD_HEADS, encodeVolumes(asked), signal, () => {})
      for (const [i, one] of decodeKnown(answer, asked.length).entries()) known.set(asked[i] as VolumeId, one)
    }
    return known
  }

  async #answerHeads(asked: readonly VolumeId[]): Promise<Uint8Array> {
    const { known, departures } = this.#components
    const answer: KnownVolume[] = []
    for (const id of asked) {
      const { end, lastBirth } = await known(id)
      answer.push({ end: Math.max(end, departures.recordedEnd(id)), lastBirth })
    }
    return encodeKnown(answer)
  }

  /** Gets rid of what the horizon has passed; then this node may promise as much. */
  async #purge(signal: AbortSignal): Promise<void> {
    const { horizon, directory, volumes, purge, secure, log } = this.#components
    const { target: to } = horizon
    const passed: Tombstone[] = []
    for await (const tombstone of directory.forgetting.tombstones(to)) passed.push(tombstone)
    const held = await heldPhotos(this.#components, passed, signal)
    await secure(passed.filter(({ key }) => held.has(key.id as PhotoId)))
    await purge(signal)
    const left = await heldPhotos(this.#components, passed, signal)
    const isSound = volumes.volumes().every(({ state, holes }) => state !== 'failed' && holes.length === 0)
    if (!isSound) await this.#giveUpDamaged(signal)
    if (left.size > 0 || !isSound) {
      log.warn({ photos: left.size, isSound }, 'not all of what the others have forgotten could be purged yet')
      return
    }
    this.#damagedSince = undefined
    await directory.forgetting.sync()
    await horizon.promise({ clean: to, applied: to })
    log.info({ horizon: formatHlc(to) }, 'this node has caught up with what the others have forgotten')
  }

  async #giveUpDamaged(signal: AbortSignal): Promise<void> {
    const { clock, retireDamaged, log } = this.#components
    this.#damagedSince ??= clock.monotonic()
    if (clock.monotonic() - this.#damagedSince < REPAIR_MS) return
    log.warn({}, 'damage that nobody could repair keeps this node from catching up: what is intact moves elsewhere')
    await retireDamaged(signal)
  }

  async *#tombstonesAmong(
    keys: readonly RecordKey[]
  ): AsyncGenerator<{ readonly record: DirectoryRecord; readonly stamp: Hlc }> {
    for await (const record of this.#records(keys)) {
      const stamp = tombstoneStamp(record)
      if (stamp !== undefined) yield { record, stamp }
    }
  }

  async *#records(keys: readonly RecordKey[]): AsyncGenerator<DirectoryRecord> {
    const photos = keys.filter(({ kind }) => kind === PHOTO_KIND)
    for (let at = 0; at < photos.length; at += READ_AT_ONCE) {
      for (const stored of await this.#components.directory.getMany(photos.slice(at, at + READ_AT_ONCE))) {
        if (stored !== undefined) yield stored.record
      }
    }
  }
}
