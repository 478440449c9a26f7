import type { Clock } from '../../core/clock.js'
import { withDeadline } from '../../core/deadline.js'
import { hasCode, SheafError } from '../../core/errors.js'
import type { Startable } from '../../core/lifecycle.js'
import type { Logger } from '../../core/log.js'
import type { Random } from '../../core/random.js'
import { type SpanInit, type TraceParent, type Tracer, traced } from '../../core/tracing.js'
import { WorkerLoop } from '../../core/worker-loop.js'
import type { NodeId, VolumeId } from '../../domain/ids.js'
import type { Range } from '../../domain/ranges.js'
import { SUPERBLOCK_BYTES } from '../../domain/superblock.js'
import { encodeMessage } from '../../network/rpc/message.js'
import type { Transport } from '../../network/transport.js'
import type { DiskReserve } from '../../volumes/disk-reserve.js'
import type { Volume } from '../../volumes/volume.js'
import type { VolumeCopies } from '../../volumes/volume-copies.js'
import type { VolumeSet } from '../../volumes/volume-set.js'
import { CatchUpRate } from './catch-up-rate.js'
import type { PeerVolumes } from './peer-volumes.js'
import { VolumeAnnouncer } from './volume-announcer.js'
import { decodeBytes, decodeHead, decodeHeads } from './volume-messages.js'
import { type Take, VolumePuller } from './volume-puller.js'
import { VolumeServing } from './volume-serving.js'

/** Volumes pulled at the same time. */
const PULLS_MAX = 4
const REQUEST_MS_MAX = 10_000
/** All are asked for their heads no more often, however many want to know, ms. */
const ASK_MS = 500
const CHECK_MS = 2_000
/** How often `repair` reports its progress, ms. */
const REPAIR_PROGRESS_MS = 500
/** A peer's heads are fetched again after this long, ms; times 0.5 to 1.5 at random, so that nodes do not act in step. */
const EXCHANGE_MS = 15_000
/** Bytes of pushes that wait for the disk, and how many; beyond, the disk lags, and what is pushed is left. */
const PUSHED_BYTES_MAX = 8 * 2 ** 20
const PUSHES_MAX = 64
/** Volumes whose news are traced until they are pulled. */
const NEWS_MAX = 256

export interface VolumeShippingInit {
  /** Bytes of pushes that may wait for the disk; default 8 MiB. */
  readonly pushedBytesMax?: number
}

export interface VolumeShippingComponents {
  readonly transport: Transport
  readonly volumes: VolumeSet
  readonly copies: VolumeCopies
  readonly peers: PeerVolumes
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  /** While the disk is full, peers are asked for nothing but what is damaged here. Default: it never is. */
  readonly reserve?: Pick<DiskReserve, 'isFull' | 'refresh'>
  /** Default: nothing is traced. */
  readonly tracer?: Tracer | undefined
  /** Retired volumes are neither pulled nor repaired: their live needles were moved to other volumes. */
  readonly isRetired: (volume: VolumeId) => boolean
  /** Members that only others are connected to; their copies count, but nothing is pulled from them. Default: none. */
  readonly distant?: () => readonly NodeId[]
  /** @returns the node whose volume this is; default: unknown, so that nothing is taken unasked */
  readonly writerOf?: (volume: Volume) => NodeId | undefined
  /** @returns whether the peer is connected to the other node; default: all are connected to each other */
  readonly hears?: (peer: NodeId, other: NodeId) => boolean
  /** Called when the last hole of a volume has been filled. */
  readonly onRepaired?: () => void
}

export interface RepairProgress {
  /** Bytes that some peer holds and this node does not, holes included. */
  readonly backlogBytes: number
  readonly bytesPerSecond: number
  /** Undefined while nothing comes in, or nothing is missing but a connected peer has yet to say what it holds. */
  readonly etaS: number | undefined
}

/** A range that a repair could not get. */
export interface MissingRange {
  readonly volume: VolumeId
  readonly from: number
  readonly to: number
  /**
   * `nowhere in reach`: no connected node has it intact. `not supplied`: a node claims to have it, but did not send it
   * completely. `failed here`: this node could not write it.
   */
  readonly reason: 'nowhere in reach' | 'not supplied' | 'failed here'
}

export interface RepairOutcome {
  readonly repairedBytes: number
  readonly missing: readonly MissingRange[]
}

/**
 * Copies every volume that any peer holds to this node: pulls new bytes as soon as they are announced, catches up after an
 * absence, fills holes. Bytes come from any peer that has them; each needle is verified before it is kept. A range that no
 * peer can supply is skipped as a hole and requested again later, so that it never blocks the rest.
 */
export class VolumeShipping implements Startable {
  readonly #components: VolumeShippingComponents
  readonly #announcer: VolumeAnnouncer
  readonly #loop: WorkerLoop
  readonly #pulling = new Map<VolumeId, Promise<void>>()
  readonly #queued = new Set<VolumeId>()
  /** By volume that is to be pulled: what in a trace its latest news belongs to. */
  readonly #news = new Map<VolumeId, TraceParent>()
  readonly #puller: VolumePuller
  readonly #serving: VolumeServing
  readonly #nextExchange = new Map<NodeId, number>()
  /** Connected peers that have said what they hold. */
  readonly #heard = new Set<NodeId>()
  /** Who is being asked for its heads. */
  readonly #exchanging = new Set<NodeId>()
  /** When all may be asked again before that, monotonic ms. */
  #nextAskMs = 0
  readonly #abort = new AbortController()
  readonly #unsubscribe: (() => void)[] = []
  readonly #pushedBytesMax: number
  /** Pushes that wait for the disk. */
  readonly #pushes = { count: 0, bytes: 0 }
  readonly #rate: CatchUpRate

  constructor(components: VolumeShippingComponents, init: VolumeShippingInit = {}) {
    this.#components = components
    this.#pushedBytesMax = init.pushedBytesMax ?? PUSHED_BYTES_MAX
    const { transport, clock, log, peers } = components
    const refresh = (peer: NodeId): Promise<void> => this.#exchange(peer)
    this.#puller = new VolumePuller({ ...components, refresh }, { signal: this.#abort.signal })
    this.#rate = new CatchUpRate({ clock, receivedBytes: () => this.#puller.receivedBytes })
    this.#loop = new WorkerLoop(
      { clock, log },
      { name: 'volume shipping', idleMs: CHECK_MS, step: () => this.#check() }
    )
    transport.handle('volume.head', async (peer, body) => this.#takeHead(peer, body))
    transport.handle('volume.ack', async (peer, body) => this.#takeAck(peer, body), { relayed: true })
    transport.handle('volume.bytes', (peer, body) => this.#takeBytes(peer, body))
    this.#serving = new VolumeServing(components, { signal: this.#abort.signal })
    this.#announcer = new VolumeAnnouncer(components)
    this.#unsubscribe.push(
      transport.onPeer((peer, state) => {
        if (state === 'down') peers.forget(peer)
        this.#heard.delete(peer)
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
    await this.#announcer.stop()
    await this.#loop.stop()
    await Promise.all([...this.#pulling.values(), this.#puller.stop(), this.#serving.stop()])
  }

  /** How much is missing here, and how fast it arrives. */
  progress(): RepairProgress {
    const backlogBytes = this.#backlogBytes()
    const bytesPerSecond = Math.round(this.#rate.bytesPerSecond)
    if (backlogBytes > 0) {
      const etaS = bytesPerSecond === 0 ? undefined : Math.ceil(backlogBytes / bytesPerSecond)
      return { backlogBytes, bytesPerSecond, etaS }
    }
    const isKnown = this.#components.transport.peers().every(peer => this.#heard.has(peer))
    return { backlogBytes, bytesPerSecond, etaS: isKnown ? 0 : undefined }
  }

  /**
   * Asks all peers again, at once, for everything that is missing here, without regard to penalties.
   *
   * @returns once nothing is missing, or no connected peer can supply more
   */
  async repair(progress: (doneBytes: number, totalBytes: number) => void, signal: AbortSignal): Promise<RepairOutcome> {
    const { transport, clock, copies } = this.#components
    this.#puller.clearPenalties()
    copies.endRests()
    await Promise.all(transport.peers().map(peer => this.#exchange(peer)))
    const totalBytes = this.#backlogBytes()
    for (
      let before = Number.POSITIVE_INFINITY, left = totalBytes;
      left > 0 && left < before;
      left = this.#backlogBytes()
    ) {
      before = left
      this.#wantAll()
      while (this.#pulling.size > 0) {
        signal.throwIfAborted()
        progress(Math.max(0, totalBytes - this.#backlogBytes()), totalBytes)
        await Promise.race([Promise.all(this.#pulling.values()), clock.sleep(REPAIR_PROGRESS_MS, signal)])
      }
    }
    const missing = [...this.#missing()]
    const repairedBytes = Math.max(0, totalBytes - this.#backlogBytes())
    return { repairedBytes, missing }
  }

  /** Asks all other nodes what they hold, but for those that were asked a moment ago or have not answered yet. */
  askAll(): void {
    const { transport, clock, distant } = this.#components
    const now = clock.monotonic()
    if (now < this.#nextAskMs || this.#abort.signal.aborted) return
    this.#nextAskMs = now + ASK_MS
    for (const node of [...transport.peers(), ...(distant?.() ?? [])])
      if (!this.#exchanging.has(node)) void this.#exchange(node)
  }

  /** The ranges that are missing here, with the reason. */
  *#missing(): Generator<MissingRange> {
    const { peers, volumes, isRetired } = this.#components
    const ids = new Set([...peers.ends().keys(), ...volumes.volumes().map(({ id }) => id)])
    for (const id of ids) {
      const volume = volumes.get(id)
      const end = volume?.end ?? 0
      const to = peers.furthestEnd(id)
      if (isRetired(id)) continue
      const ranges = [...(volume?.holes ?? []), ...(end < to && volume?.state !== 'active' ? [{ from: end, to }] : [])]
      const notTaken = volume?.state === 'failed' ? 'failed here' : 'not supplied'
      for (const { from, to } of ranges) {
        const hasSupplier = peers.suppliers(id, from).length > 0
        yield { volume: id, from, to, reason: hasSupplier ? notTaken : 'nowhere in reach' }
      }
    }
  }

  /** Bytes that some peer holds and this node does not, holes included. */
  #backlogBytes(): number {
    const { peers, volumes, isRetired } = this.#components
    let bytes = 0
    for (const [id, end] of peers.ends()) {
      if (!isRetired(id)) bytes += Math.max(0, end - (volumes.get(id)?.end ?? 0))
    }
    for (const { id, holes } of volumes.volumes()) {
      if (!isRetired(id)) for (const { from, to } of holes) bytes += to - from
    }
    return bytes
  }

  // --- announcements of peers ---

  #takeHead(peer: NodeId, body: Uint8Array): Uint8Array {
    const { volume, end, trace } = decodeHead(body)
    if (this.#noteAnnounced(peer, volume, end)) {
      this.#noteNews(volume, trace)
      this.#want(volume)
    }
    return new Uint8Array()
  }

  /** What the writer of a volume announces is durable there. @returns whether the peer holds more than was known */
  #noteAnnounced(peer: NodeId, id: VolumeId, end: number): boolean {
    const { peers, volumes, writerOf } = this.#components
    const volume = volumes.get(id)
    const isByWriter = volume !== undefined && writerOf?.(volume) === peer
    return isByWriter ? peers.noteWritten(peer, id, end) : peers.noteEnd(peer, id, end)
  }

  #takeAck(peer: NodeId, body: Uint8Array): Uint8Array {
    const { volume, end } = decodeHead(body)
    const { transport, peers } = this.#components
    if (transport.peers().includes(peer)) {
      peers.noteAcknowledged(peer, volume, end)
      this.#want(volume)
    } else peers.noteDistantAcknowledged(peer, volume, end)
    return new Uint8Array()
  }

  /**
   * Bytes that the volume's writer pushed are taken if they continue the copy, and while the disk keeps up; others are pulled
   * later, if at all: a push is a hint, and must not make its sender wait.
   */
  async #takeBytes(peer: NodeId, body: Uint8Array): Promise<Uint8Array> {
    const { volumes, copies, isRetired, log, tracer } = this.#components
    const { volume: id, from, bytes, trace } = decodeBytes(body)
    this.#noteAnnounced(peer, id, from + bytes.byteLength)
    const volume = volumes.get(id)
    if (volume !== undefined && !isRetired(id) && this.#takesPush(peer, volume, from)) {
      this.#pushes.count++
      this.#pushes.bytes += bytes.byteLength
      try {
        const init = (): SpanInit => ({
          parent: trace,
          kind: 'consumer',
          attributes: { peer, bytes: bytes.byteLength }
        })
        await traced(trace === undefined ? undefined : tracer, 'apply', init, () =>
          this.#puller.takePushed(peer, id, from, bytes, (at, pushed) => copies.extend(volume, at, pushed))
        )
      } catch (err) {
        if (!this.#abort.signal.aborted && !hasCode(err, 'ERR_DISK_FULL'))
          log.warn({ err, peer, volume: id }, 'could not store bytes that a peer pushed; pulling them later')
      } finally {
        this.#pushes.count--
        this.#pushes.bytes -= bytes.byteLength
      }
    }
    this.#noteNews(id, trace)
    this.#want(id)
    return new Uint8Array()
  }

  /** Only where this node traces, and of what it lacks: that is bounded by what it is told of. */
  #noteNews(volume: VolumeId, trace: TraceParent | undefined): void {
    if (trace === undefined || this.#components.tracer === undefined || this.#news.size >= NEWS_MAX) return
    this.#news.set(volume, trace)
  }

  // --- looking for work ---

  async #check(): Promise<'idle'> {
    const { transport, clock, peers, volumes, distant } = this.#components
    const now = clock.monotonic()
    const far = distant?.() ?? []
    peers.keepDistant(far)
    peers.dropRemoved(id => volumes.get(id) !== undefined)
    this.#rate.look(this.#pulling.size > 0)
    for (const peer of [...transport.peers(), ...far]) {
      if ((this.#nextExchange.get(peer) ?? 0) <= now) void this.#exchange(peer)
    }
    this.#puller.dropExpired()
    await this.#components.reserve?.refresh()
    this.#wantAll()
    return 'idle'
  }

  #wantAll(): void {
    const { peers, volumes } = this.#components
    for (const id of peers.ends().keys()) this.#want(id)
    for (const { id, holes } of volumes.volumes()) if (holes.length > 0) this.#want(id)
  }

  /** Asks a peer for all its heads. */
  async #exchange(peer: NodeId): Promise<void> {
    const { transport, clock, random, peers, log } = this.#components
    this.#nextExchange.set(peer, clock.monotonic() + EXCHANGE_MS * (0.5 + random.fraction()))
    this.#exchanging.add(peer)
    try {
      const body = await withDeadline(clock, REQUEST_MS_MAX, this.#abort.signal, signal =>
        transport.request(peer, 'volume.heads', encodeMessage({}), signal)
      )
      if (!transport.peers().includes(peer)) {
        peers.replaceDistant(peer, decodeHeads(body))
        return
      }
      peers.replace(peer, decodeHeads(body))
      this.#heard.add(peer)
      for (const id of peers.ends().keys()) this.#want(id)
    } catch (err) {
      if (this.#abort.signal.aborted) return
      this.#nextExchange.set(peer, clock.monotonic() + CHECK_MS)
      log.debug({ err, peer }, 'could not ask a peer for its volumes; trying again')
    } finally {
      this.#exchanging.delete(peer)
    }
  }

  #want(id: VolumeId): void {
    const { isRetired, volumes, copies } = this.#components
    if (this.#abort.signal.aborted || isRetired(id) || copies.rests(id)) return
    const volume = volumes.get(id)
    const complete = volume !== undefined && volume.holes.length === 0 && !this.#isBehind(volume)
    if (complete) this.#news.delete(id)
    const waitsForSpace = this.#isFull && (volume === undefined || volume.holes.length === 0)
    if (complete || waitsForSpace || this.#pulling.has(id)) return
    this.#queued.add(id)
    this.#startPulls()
  }

  /**
   * Whether a peer holds more of the volume that can be appended here. A volume of this process is never behind, because only
   * it writes that.
   */
  #isBehind(volume: Volume): boolean {
    const { copies, peers } = this.#components
    return copies.grows(volume) && copies.end(volume) < peers.furthestEnd(volume.id)
  }

  get #isFull(): boolean {
    return this.#components.reserve?.isFull === true
  }

  /** Nobody was asked for these bytes: from any other peer they may be such as the writer never wrote. */
  #takesPush(peer: NodeId, volume: Volume, from: number): boolean {
    const { copies, writerOf } = this.#components
    if (writerOf?.(volume) !== peer || from !== copies.end(volume)) return false
    if (this.#pushes.count >= PUSHES_MAX || this.#pushes.bytes >= this.#pushedBytesMax) return false
    return copies.grows(volume) && !copies.rests(volume.id) && !this.#isFull
  }

  #startPulls(): void {
    for (const id of this.#queued) {
      if (this.#pulling.size >= PULLS_MAX) return
      this.#queued.delete(id)
      this.#rate.begin()
      const pull = this.#tracedPull(id)
        .catch(err => {
          // that the disk is full is said by its reserve, once
          if (!this.#abort.signal.aborted && !hasCode(err, 'ERR_DISK_FULL'))
            this.#components.log.warn({ err, volume: id }, 'could not pull a volume; trying again')
        })
        .finally(() => {
          this.#pulling.delete(id)
          this.#startPulls()
        })
      this.#pulling.set(id, pull)
    }
  }

  // --- pulling ---

  #tracedPull(id: VolumeId): Promise<void> {
    const parent = this.#news.get(id)
    this.#news.delete(id)
    const init = (): SpanInit => ({ parent, kind: 'consumer', attributes: { volume: id } })
    return traced(parent === undefined ? undefined : this.#components.tracer, 'apply', init, () => this.#pull(id))
  }

  /** Pulls until the copy is as long as the longest and has no hole, or until no peer can supply more. */
  async #pull(id: VolumeId): Promise<void> {
    const { volumes, peers, copies } = this.#components
    const volume = volumes.get(id) ?? (await this.#begin(id))
    if (volume === undefined) return
    while (this.#isBehind(volume) && !this.#isFull && !this.#abort.signal.aborted) {
      const from = copies.end(volume)
      const extend: Take = (at, bytes) => copies.extend(volume, at, bytes)
      if ((await this.#puller.range(id, from, peers.furthestEnd(id), extend)) > from) continue
      const holeEnd = await this.#holeEnd(volume, from, peers.furthestEnd(id))
      if (holeEnd === undefined) break
      await copies.skip(volume, holeEnd)
      if (copies.end(volume) === from) break // it was retired or removed meanwhile, and takes nothing more
    }
    const damaged = volume.holes.length > 0
    if (volume.superblock === undefined)
      await this.#puller.superblock(id, superblock => copies.repairSuperblock(volume, superblock))
    for (const hole of volume.holes) await this.#fill(volume, hole)
    if (damaged && volume.holes.length === 0) this.#components.onRepaired?.()
  }

  /** Fills what peers have of a hole, also behind a place that all of them lack. */
  async #fill(volume: Volume, { from, to }: Range): Promise<void> {
    const { copies } = this.#components
    const fill: Take = (at, bytes) => copies.fill(volume, at, bytes)
    for (let at: number | undefined = Math.max(from, SUPERBLOCK_BYTES); at !== undefined && at < to; ) {
      at = await this.#holeEnd(volume, await this.#puller.range(volume.id, at, to, fill), to)
    }
  }

  /**
   * Looks for the end of the hole that all peers have at `offset`. One of them may be wrong about it, so that before `to` only
   * a place counts where a needle begins.
   *
   * @returns undefined when a peer could supply the byte, none reaches that far, or no end is right
   */
  async #holeEnd(volume: Volume, offset: number, to: number): Promise<number | undefined> {
    for (const end of this.#components.peers.commonHoleEnds(volume.id, offset))
      if (end >= to || (await this.#puller.hasNeedleAt(volume, end))) return end
    return undefined
  }

  #begin(id: VolumeId): Promise<Volume | undefined> {
    return this.#puller.superblock(id, superblock => this.#components.copies.begin(id, superblock))
  }
}
