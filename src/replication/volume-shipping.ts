import type { Clock } from '../core/clock.js'
import { deadline, withDeadline } from '../core/deadline.js'
import { hasCode, SheafError } from '../core/errors.js'
import type { Startable } from '../core/lifecycle.js'
import type { Logger } from '../core/log.js'
import type { Random } from '../core/random.js'
import { WorkerLoop } from '../core/worker-loop.js'
import type { NodeId, VolumeId } from '../domain/ids.js'
import { SUPERBLOCK_BYTES } from '../domain/superblock.js'
import { encodeMessage, Message } from '../network/message.js'
import type { Transport } from '../network/transport.js'
import type { HoleRange } from '../volumes/index-file.js'
import type { Volume } from '../volumes/volume.js'
import type { CopyProgress, VolumeCopies } from '../volumes/volume-copies.js'
import type { VolumeSet } from '../volumes/volume-set.js'
import { NeedleInbox } from './needle-inbox.js'
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
const REQUEST_MS_MAX = 10_000
const FETCH_MS_MAX = 120_000
/** How long a supplier is passed over after it failed, or after it sent damage. */
const FAILURE_PENALTY_MS = 1_000
const DAMAGE_PENALTY_MS = 30_000
const LOOK_MS = 2_000
/** Rates are those of the last ten seconds. */
const RATE_SAMPLES = 5
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
  /** Called when the last hole of a volume has been filled. */
  readonly repaired?: () => void
}

export interface RepairProgress {
  /** Bytes that some peer holds and this node does not, holes included. */
  readonly backlogBytes: number
  readonly bytesPerSecond: number
  /** Undefined while nothing comes in. */
  readonly etaS: number | undefined
}

type Take = (at: number, bytes: Uint8Array) => Promise<CopyProgress>

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
  #receivedBytes = 0
  /** At the latest looks, for the rate; oldest first. */
  #samples: { readonly atMs: number; readonly bytes: number }[] = []

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

  /** What is still to come, and how fast it comes. */
  progress(): RepairProgress {
    const backlogBytes = this.#backlogBytes()
    const [first] = this.#samples
    const elapsedMs = first === undefined ? 0 : this.#components.clock.monotonic() - first.atMs
    const received = this.#receivedBytes - (first?.bytes ?? 0)
    const bytesPerSecond = elapsedMs === 0 ? 0 : Math.round((received / elapsedMs) * 1000)
    const etaS = backlogBytes === 0 ? 0 : bytesPerSecond === 0 ? undefined : Math.ceil(backlogBytes / bytesPerSecond)
    return { backlogBytes, bytesPerSecond, etaS }
  }

  /** Bytes that some peer holds and this node does not, holes included. */
  #backlogBytes(): number {
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
    this.#samples = [...this.#samples.slice(1 - RATE_SAMPLES), { atMs: now, bytes: this.#receivedBytes }]
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
    const { clock, random, peers, log } = this.#components
    this.#nextExchange.set(peer, clock.monotonic() + EXCHANGE_MS * (0.5 + random.fraction()))
    try {
      const body = await this.#ask(peer, 'volume.heads', encodeMessage({}))
      peers.replace(peer, decodeHeads(body))
      for (const id of peers.ends().keys()) this.#want(id)
    } catch (err) {
      if (this.#abort.signal.aborted) return
      this.#nextExchange.set(peer, clock.monotonic() + LOOK_MS)
      log.debug({ err, peer }, 'could not ask a peer for its volumes')
    }
  }

  #want(id: VolumeId): void {
    const { isRetired, volumes } = this.#components
    if (this.#abort.signal.aborted || isRetired(id)) return
    const volume = volumes.get(id)
    const complete = volume !== undefined && volume.holes.length === 0 && !this.#isBehind(volume)
    if (complete || volume?.state === 'failed' || this.#pulling.has(id)) return
    this.#queued.add(id)
    this.#startPulls()
  }

  /** Nobody has more of a volume than the process that writes it. */
  #isBehind(volume: Volume): boolean {
    return volume.state !== 'active' && volume.end < this.#components.peers.furthestEnd(volume.id)
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
    while (this.#isBehind(volume) && !this.#abort.signal.aborted) {
      const from = volume.end
      const extend: Take = (at, bytes) => copies.extend(volume, at, bytes)
      if (await this.#pullRange(id, from, peers.furthestEnd(id), extend)) continue
      const holeEnd = peers.commonHoleEnd(id, from)
      if (holeEnd === undefined) break
      await copies.skip(volume, holeEnd)
    }
    const damaged = volume.holes.length > 0
    if (volume.superblock === undefined) await this.#withSuperblock(id, superblock => copies.mend(volume, superblock))
    for (const { from, to } of volume.holes) {
      const fill: Take = (at, bytes) => copies.fill(volume, at, bytes)
      if (to > SUPERBLOCK_BYTES) await this.#pullRange(id, Math.max(from, SUPERBLOCK_BYTES), to, fill)
    }
    if (damaged && volume.holes.length === 0) this.#components.repaired?.()
  }

  #begin(id: VolumeId): Promise<Volume | undefined> {
    return this.#withSuperblock(id, superblock => this.#components.copies.begin(id, superblock))
  }

  /** Hands the superblock that a peer has to `use`. @returns what that returns; undefined when nobody has an intact one */
  async #withSuperblock<T>(id: VolumeId, use: (superblock: Uint8Array) => Promise<T>): Promise<T | undefined> {
    for (const peer of this.#allowed(id, this.#components.peers.suppliers(id, 0))) {
      try {
        const answer = await this.#ask(peer, 'volume.superblock', encodeVolume(id))
        return await use(Message.decode(answer).bytes('superblock', SUPERBLOCK_BYTES))
      } catch (err) {
        this.#failed(peer, id, err, 0)
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
  async #pullRange(id: VolumeId, from: number, to: number, take: Take): Promise<boolean> {
    const inbox = new NeedleInbox(from, async (at, bytes) => {
      const progress = await take(at, bytes)
      this.#receivedBytes += progress.end - at
      return progress
    })
    for (const peer of this.#allowed(id, this.#components.peers.suppliers(id, from))) {
      try {
        inbox.clear()
        const range = { volume: id, from: inbox.at, to: Math.min(to, inbox.at + FETCH_BYTES_MAX) }
        for await (const piece of this.#bytes(peer, range)) await inbox.add(piece)
        await inbox.flush()
        if (inbox.at > from) return true
        this.#penalise(peer, id, FAILURE_PENALTY_MS) // it had less than it said
      } catch (err) {
        this.#failed(peer, id, err, inbox.at)
      }
    }
    return inbox.at > from
  }

  async *#bytes(peer: NodeId, range: VolumeRange): AsyncGenerator<Uint8Array> {
    if (range.to - range.from <= READ_BYTES_MAX) {
      const answer = await this.#ask(peer, 'volume.read', encodeRange(range))
      yield Message.decode(answer).bytes('bytes', READ_BYTES_MAX)
      return
    }
    const { transport, clock } = this.#components
    const { signal, cancel } = deadline(clock, FETCH_MS_MAX, this.#abort.signal)
    try {
      yield* transport.fetch(peer, 'volume.range', encodeRange(range), signal)
    } finally {
      cancel()
    }
  }

  #ask(peer: NodeId, method: string, body: Uint8Array): Promise<Uint8Array> {
    const { transport, clock } = this.#components
    return withDeadline(clock, REQUEST_MS_MAX, this.#abort.signal, signal =>
      transport.request(peer, method, body, signal)
    )
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
  #failed(peer: NodeId, id: VolumeId, err: unknown, at: number): void {
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
}
