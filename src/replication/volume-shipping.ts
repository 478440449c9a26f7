import type { Clock } from '../core/clock.js'
import { hasCode, SheafError } from '../core/errors.js'
import type { Startable } from '../core/lifecycle.js'
import type { Logger } from '../core/log.js'
import type { Random } from '../core/random.js'
import { WorkerLoop } from '../core/worker-loop.js'
import type { NodeId, VolumeId } from '../domain/ids.js'
import { NEEDLE_DATA_BYTES_MAX, needleBytes } from '../domain/needle.js'
import { SUPERBLOCK_BYTES } from '../domain/superblock.js'
import { encodeMessage, Message } from '../network/message.js'
import type { Transport } from '../network/transport.js'
import type { HoleRange } from '../volumes/index-file.js'
import type { Volume } from '../volumes/volume.js'
import type { CopyProgress, VolumeCopies } from '../volumes/volume-copies.js'
import type { VolumeSet } from '../volumes/volume-set.js'
import type { PeerVolumes } from './peer-volumes.js'
import {
  decodeHead,
  decodeHeads,
  decodeRange,
  decodeVolume,
  encodeHead,
  encodeHeads,
  encodeRange,
  encodeVolume,
  READ_BYTES_MAX,
  type VolumeRange
} from './volume-messages.js'

/** Volumes that are pulled at the same time. */
const PULLS_MAX = 4
/** One fetch asks for at most this; then another supplier has its turn, so that no uplink carries all. */
const FETCH_BYTES_MAX = 32 * 1024 * 1024
/** What is written and synced at once while a range streams in. */
const STEP_BYTES = 4 * 1024 * 1024
const REQUEST_MS_MAX = 10_000
const FETCH_MS_MAX = 120_000
/** How long a supplier is passed over after it failed, or after it sent damage. */
const FAILURE_PENALTY_MS = 1_000
const DAMAGE_PENALTY_MS = 30_000
const LOOK_MS = 2_000
/** Heads are asked for anew after about this long; half to one and a half of it, so that nodes do not march in step. */
const EXCHANGE_MS = 15_000

export interface VolumeShippingComponents {
  readonly transport: Transport
  readonly volumes: VolumeSet
  readonly copies: VolumeCopies
  readonly peers: PeerVolumes
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  /** Retired volumes are neither pulled nor repaired: what they held stands elsewhere. */
  readonly isRetired: (volume: VolumeId) => boolean
}

/**
 * Gets every volume that any peer holds onto this node, whole: pulls what is new as soon as it is announced, catches up
 * after an absence, fills holes. Bytes come from whoever has them; each needle is checked before it counts. A range that
 * nobody can supply is passed over as a hole and asked for again, so it never stops what comes after it.
 */
export class VolumeShipping implements Startable {
  readonly #components: VolumeShippingComponents
  readonly #loop: WorkerLoop
  readonly #pulling = new Map<VolumeId, Promise<void>>()
  readonly #queued = new Set<VolumeId>()
  /** By `peer volume`: not to be asked before, monotonic ms. */
  readonly #penalties = new Map<string, number>()
  readonly #nextExchange = new Map<NodeId, number>()
  /** Volumes that have grown since the peers were told. */
  readonly #untold = new Set<Volume>()
  #telling = false
  #abort = new AbortController()
  readonly #unsubscribe: (() => void)[] = []
  /** Bytes made durable since the start, for rates. */
  #receivedBytes = 0

  constructor(components: VolumeShippingComponents) {
    this.#components = components
    const { transport, clock, log, volumes, peers } = components
    this.#loop = new WorkerLoop({ clock, log }, { name: 'volume shipping', idleMs: LOOK_MS, step: () => this.#look() })
    transport.handle('volume.head', async (peer, body) => this.#headCame(peer, body))
    transport.handle('volume.ack', async (peer, body) => this.#ackCame(peer, body))
    transport.handle('volume.heads', async () => encodeHeads(this.#held()))
    transport.handle('volume.superblock', async (_peer, body) => this.#superblock(decodeVolume(body)))
    transport.handle('volume.read', async (_peer, body) => this.#read(decodeRange(body)))
    transport.handleFetch('volume.range', (_peer, body) => this.#serve(decodeRange(body)))
    transport.handle('volume.doubt', async (_peer, body) => this.#doubted(decodeRange(body)))
    this.#unsubscribe.push(
      volumes.onGrowth(volume => this.#grown(volume)),
      transport.onPeer((peer, state) => {
        if (state === 'down') peers.forget(peer)
        this.#nextExchange.delete(peer)
        if (state === 'up') void this.#exchange(peer)
      })
    )
  }

  async start(): Promise<void> {
    await this.#loop.start()
  }

  async stop(): Promise<void> {
    this.#abort.abort(new SheafError('ERR_STOPPING'))
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
    await this.#loop.stop()
    await Promise.all(this.#pulling.values())
  }

  get receivedBytes(): number {
    return this.#receivedBytes
  }

  /** Bytes that some peer holds and this node does not, holes included. */
  backlogBytes(): number {
    const { peers, volumes, isRetired } = this.#components
    let bytes = 0
    for (const [id, end] of peers.ends()) {
      if (!isRetired(id)) bytes += Math.max(0, end - (volumes.get(id)?.end ?? 0))
    }
    for (const volume of volumes.volumes()) for (const { from, to } of volume.holes) bytes += to - from
    return bytes
  }

  // --- what peers ask and tell ---

  #held(): { volume: VolumeId; end: number; holes: readonly HoleRange[] }[] {
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

  /** A peer found damage in what this node sent: the place is looked at, and shows as a hole from then on. */
  async #doubted({ volume: id, from, to }: VolumeRange): Promise<Uint8Array> {
    const volume = this.#require(id)
    if (from < SUPERBLOCK_BYTES || from >= volume.end) return new Uint8Array()
    for await (const event of volume.scan(from, 0)) {
      if (event.kind === 'hole' && volume.noteHole(event, event.reason)) {
        this.#components.log.error({ volume: id, from: event.from, to: event.to }, 'a peer was sent damage from here')
        await volume.flushIndex()
      }
      if (event.kind !== 'needle' || event.offset >= to) break
    }
    return new Uint8Array()
  }

  #headCame(peer: NodeId, body: Uint8Array): Uint8Array {
    const { volume, end } = decodeHead(body)
    if (this.#components.peers.noteEnd(peer, volume, end)) this.#want(volume)
    return new Uint8Array()
  }

  #ackCame(peer: NodeId, body: Uint8Array): Uint8Array {
    const { volume, end } = decodeHead(body)
    this.#components.peers.noteAcknowledged(peer, volume, end)
    this.#want(volume)
    return new Uint8Array()
  }

  // --- telling ---

  #grown(volume: Volume): void {
    this.#untold.add(volume)
    if (this.#telling) return
    this.#telling = true
    // after what else this turn brings, so that a burst is told once
    this.#components.clock.schedule(0, () => {
      this.#telling = false
      this.#tell()
    })
  }

  #tell(): void {
    const { transport } = this.#components
    for (const { id, end, holes, state } of this.#untold) {
      // whoever writes has nothing to acknowledge: its own copy is counted by itself
      const method = state === 'active' || holes.length > 0 ? 'volume.head' : 'volume.ack'
      for (const peer of transport.peers()) transport.notify(peer, method, encodeHead({ volume: id, end }))
    }
    this.#untold.clear()
  }

  // --- looking for work ---

  async #look(): Promise<'idle'> {
    const { transport, clock, peers, volumes, isRetired } = this.#components
    const now = clock.monotonic()
    for (const peer of transport.peers()) {
      if ((this.#nextExchange.get(peer) ?? 0) <= now) void this.#exchange(peer)
    }
    for (const [key, until] of this.#penalties) if (until <= now) this.#penalties.delete(key)
    for (const id of peers.ends().keys()) this.#want(id)
    for (const volume of volumes.volumes()) if (volume.holes.length > 0 && !isRetired(volume.id)) this.#want(volume.id)
    return 'idle'
  }

  /** Asks a peer for all its heads. */
  async #exchange(peer: NodeId): Promise<void> {
    const { transport, clock, random, peers, log } = this.#components
    this.#nextExchange.set(peer, clock.monotonic() + EXCHANGE_MS * (0.5 + random.fraction()))
    try {
      const body = await transport.request(peer, 'volume.heads', encodeMessage({}), this.#deadline(REQUEST_MS_MAX))
      peers.replace(peer, decodeHeads(body))
      for (const id of peers.ends().keys()) this.#want(id)
    } catch (err) {
      if (this.#abort.signal.aborted) return
      this.#nextExchange.set(peer, clock.monotonic() + LOOK_MS)
      log.debug({ err, peer }, 'could not ask a peer for its volumes')
    }
  }

  #want(id: VolumeId): void {
    const { isRetired, volumes, peers } = this.#components
    if (this.#abort.signal.aborted || isRetired(id)) return
    const volume = volumes.get(id)
    const complete = volume !== undefined && volume.end >= peers.furthestEnd(id) && volume.holes.length === 0
    if (complete || volume?.state === 'active' || volume?.state === 'failed') return
    if (this.#pulling.has(id)) return
    this.#queued.add(id)
    this.#startPulls()
  }

  #startPulls(): void {
    for (const id of this.#queued) {
      if (this.#pulling.size >= PULLS_MAX) return
      this.#queued.delete(id)
      const pull = this.#pull(id)
        .catch(err => {
          if (!this.#abort.signal.aborted) this.#components.log.warn({ err, volume: id }, 'could not pull a volume')
        })
        .finally(() => {
          this.#pulling.delete(id)
          this.#startPulls()
        })
      this.#pulling.set(id, pull)
    }
  }

  // --- pulling ---

  /** Until the copy is as long as the longest, has no hole that a peer could fill, or nobody helps any more. */
  async #pull(id: VolumeId): Promise<void> {
    const { volumes, peers, copies } = this.#components
    const volume = volumes.get(id) ?? (await this.#begin(id))
    if (volume === undefined) return
    while (volume.end < peers.furthestEnd(id) && !this.#abort.signal.aborted) {
      const from = volume.end
      const extend = (at: number, bytes: Uint8Array): Promise<CopyProgress> => copies.extend(volume, at, bytes)
      if (await this.#pullRange(id, from, peers.furthestEnd(id), extend)) continue
      const holeEnd = peers.commonHoleEnd(id, from)
      if (holeEnd === undefined) break
      await copies.skip(volume, holeEnd)
    }
    for (const hole of volume.holes) {
      const fill = (at: number, bytes: Uint8Array): Promise<CopyProgress> => copies.fill(volume, at, bytes)
      await this.#pullRange(id, hole.from, hole.to, fill)
    }
  }

  async #begin(id: VolumeId): Promise<Volume | undefined> {
    const { transport, copies, peers } = this.#components
    for (const peer of this.#allowed(id, peers.suppliers(id, 0))) {
      try {
        const body = await transport.request(
          peer,
          'volume.superblock',
          encodeVolume(id),
          this.#deadline(REQUEST_MS_MAX)
        )
        return await copies.begin(id, Message.decode(body).bytes('superblock', SUPERBLOCK_BYTES))
      } catch (err) {
        this.#failed(peer, id, err)
      }
    }
    return undefined
  }

  /**
   * Hands bytes of [from, to) to `take`, from one supplier after the other.
   *
   * @param take - verifies and keeps whole needles, and says how far it came
   * @returns whether there was any progress
   */
  async #pullRange(
    id: VolumeId,
    from: number,
    to: number,
    take: (at: number, bytes: Uint8Array) => Promise<CopyProgress>
  ): Promise<boolean> {
    let at = from
    for (const peer of this.#allowed(id, this.#components.peers.suppliers(id, from))) {
      try {
        const range = { volume: id, from: at, to: Math.min(to, at + FETCH_BYTES_MAX) }
        let pending: Uint8Array = new Uint8Array()
        let wanted = STEP_BYTES
        const keep = async (): Promise<void> => {
          const { end, nextBytes } = await take(at, pending)
          this.#receivedBytes += end - at
          pending = pending.subarray(end - at)
          at = end
          wanted = Math.max(STEP_BYTES, Math.min(nextBytes, needleBytes(NEEDLE_DATA_BYTES_MAX)))
        }
        const pieces: Uint8Array[] = []
        let byteCount = 0
        const join = (): void => {
          pending =
            pieces.length === 1 && pending.byteLength === 0
              ? (pieces[0] as Uint8Array)
              : Buffer.concat([pending, ...pieces])
          pieces.length = 0
          byteCount = 0
        }
        for await (const piece of this.#bytes(peer, range)) {
          pieces.push(piece)
          byteCount += piece.byteLength
          if (pending.byteLength + byteCount < wanted) continue
          join()
          await keep()
        }
        join()
        if (pending.byteLength > 0) await keep()
        if (at > from) return true
        this.#penalise(peer, id, FAILURE_PENALTY_MS) // it had less than it said
      } catch (err) {
        this.#failed(peer, id, err, at)
      }
    }
    return at > from
  }

  async *#bytes(peer: NodeId, range: VolumeRange): AsyncGenerator<Uint8Array> {
    const { transport } = this.#components
    if (range.to - range.from > READ_BYTES_MAX) {
      yield* transport.fetch(peer, 'volume.range', encodeRange(range), this.#deadline(FETCH_MS_MAX))
      return
    }
    const body = await transport.request(peer, 'volume.read', encodeRange(range), this.#deadline(REQUEST_MS_MAX))
    yield Message.decode(body).bytes('bytes', READ_BYTES_MAX)
  }

  /** @returns those suppliers that may be asked now, in random order */
  #allowed(id: VolumeId, suppliers: readonly NodeId[]): NodeId[] {
    const { clock, random } = this.#components
    const now = clock.monotonic()
    return suppliers
      .filter(peer => (this.#penalties.get(`${peer} ${id}`) ?? 0) <= now)
      .map(peer => ({ peer, order: random.fraction() }))
      .sort((a, b) => a.order - b.order)
      .map(({ peer }) => peer)
  }

  /** @throws the error again when it is this node's own trouble */
  #failed(peer: NodeId, id: VolumeId, err: unknown, at = 0): void {
    const { transport, log } = this.#components
    this.#abort.signal.throwIfAborted()
    const own = ['ERR_DISK_FULL', 'ERR_DISK_WRITE', 'ERR_DIRECTORY_UNAVAILABLE', 'ERR_STOPPING'] as const
    if (own.some(code => hasCode(err, code))) throw err
    const damage = hasCode(err, 'ERR_NEEDLE_CORRUPT')
    this.#penalise(peer, id, damage ? DAMAGE_PENALTY_MS : FAILURE_PENALTY_MS)
    if (damage) {
      log.warn({ peer, volume: id, at }, 'a peer sent damage; it was not taken')
      transport.notify(peer, 'volume.doubt', encodeRange({ volume: id, from: at, to: at + FETCH_BYTES_MAX }))
    } else {
      log.debug({ err, peer, volume: id, at }, 'a peer did not supply a range')
    }
  }

  #penalise(peer: NodeId, id: VolumeId, ms: number): void {
    this.#penalties.set(`${peer} ${id}`, this.#components.clock.monotonic() + ms)
  }

  #require(id: VolumeId): Volume {
    const volume = this.#components.volumes.get(id)
    if (volume === undefined) throw new SheafError('ERR_NO_SUCH_VOLUME')
    return volume
  }

  /** Aborts at the deadline, or when the node stops. */
  #deadline(ms: number): AbortSignal {
    const abort = new AbortController()
    const cancel = this.#components.clock.schedule(ms, () => abort.abort(new SheafError('ERR_PEER_UNREACHABLE')))
    const stop = (): void => {
      cancel()
      abort.abort(this.#abort.signal.reason)
    }
    this.#abort.signal.addEventListener('abort', stop, { once: true, signal: abort.signal })
    return abort.signal
  }
}
