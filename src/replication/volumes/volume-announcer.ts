import type { Logger } from '../../core/log.js'
import { carried, LINKS_MAX, type Span, type SpanInit, type TraceParent, type Tracer } from '../../core/tracing.js'
import type { NodeId, VolumeId } from '../../domain/ids.js'
import type { Transport } from '../../network/transport.js'
import type { Volume } from '../../volumes/volume.js'
import type { VolumeSet } from '../../volumes/volume-set.js'
import type { PeerVolumes } from './peer-volumes.js'
import { encodeBytes, encodeHead, PUSH_BYTES_MAX } from './volume-messages.js'

/** Bytes that one append may push to all peers together; above this they pull, also from one another. */
const PUSHED_BYTES_MAX = 2 * 1024 * 1024
/** All peers are told of a copy that has grown by this since they last were: those that pull can pull from here, too. */
const TOLD_TO_ALL_BYTES = 4 * 1024 * 1024

export interface VolumeAnnouncerComponents {
  readonly transport: Pick<Transport, 'peers' | 'notify' | 'onPeer'>
  readonly volumes: Pick<VolumeSet, 'onGrowth'>
  readonly peers: Pick<PeerVolumes, 'endOf'>
  readonly log: Logger
  /** Default: nothing is traced. */
  readonly tracer?: Tracer | undefined
  /** See `VolumeShippingComponents`. */
  readonly distant?: () => readonly NodeId[]
  readonly writerOf?: (volume: Volume) => NodeId | undefined
  readonly hears?: (peer: NodeId, other: NodeId) => boolean
}

/** Up to where a volume was announced or sent. */
interface Mark {
  readonly volume: VolumeId
  readonly end: number
}

interface TracedMark extends Mark {
  readonly trace: TraceParent | undefined
}

/**
 * Announces to peers what has just become durable here: acknowledgments of copies, and the end of the volume that this
 * process writes. Small appends are pushed along to the peers that hold everything before them, which saves a request.
 *
 * A copy is acknowledged to the volume's writer, which may wait for it; were all peers told, each append would cost (n − 1)²
 * messages. They learn of it when they next ask for all heads, and so does whoever missed an announcement: it may be lost.
 */
export class VolumeAnnouncer {
  readonly #components: VolumeAnnouncerComponents
  /** Volumes that have grown since the last announcement. */
  readonly #grownVolumes = new Set<Volume>()
  /** The commits by which the volume that this process writes has grown, as far as somebody traces them. */
  #grownBy: TraceParent[] = []
  #lastAnnounced: Mark | undefined
  /** Up to where each peer holds the volume being written, if nothing sent to it was lost. */
  readonly #sentTo = new Map<NodeId, Mark>()
  /** Up to where all peers were told of each copy. */
  readonly #toldToAll = new WeakMap<Volume, number>()
  /** Bytes are read and sent in the order in which they were written. */
  #sending: Promise<void> = Promise.resolve()
  readonly #unsubscribe: readonly (() => void)[]

  constructor(components: VolumeAnnouncerComponents) {
    this.#components = components
    this.#unsubscribe = [
      components.volumes.onGrowth(volume => this.#noteGrowth(volume)),
      components.transport.onPeer(peer => void this.#sentTo.delete(peer))
    ]
  }

  async stop(): Promise<void> {
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
    await this.#sending
  }

  #noteGrowth(volume: Volume): void {
    this.#grownVolumes.add(volume)
    const by = volume.state === 'active' ? this.#components.tracer?.current() : undefined
    if (by !== undefined && this.#grownBy.length <= LINKS_MAX) this.#grownBy.push(by)
    if (this.#grownVolumes.size > 1) return
    // Deferred, so that a volume that grows several times in one turn is announced once.
    queueMicrotask(() => {
      for (const grown of this.#grownVolumes) this.#announce(grown)
      this.#grownVolumes.clear()
      this.#grownBy = []
    })
  }

  #announce(volume: Volume): void {
    if (volume.state === 'active') {
      this.#announceOwn(volume)
      return
    }
    // Only copies are acknowledged: a writer's own copy always counts.
    const method = volume.holes.length > 0 ? 'volume.head' : 'volume.ack'
    const head = encodeHead({ volume: volume.id, end: volume.end })
    for (const node of this.#listeners(volume)) this.#components.transport.notify(node, method, head)
  }

  /** @returns who is told at once that a copy has grown */
  #listeners(volume: Volume): readonly NodeId[] {
    const { transport, distant, writerOf, hears } = this.#components
    const peers = transport.peers()
    const writer = writerOf?.(volume)
    const isWriterFar = writer !== undefined && distant?.().includes(writer) === true
    const listeners = isWriterFar ? [...peers, writer] : peers
    const isWriterThere = writer !== undefined && listeners.includes(writer)
    if (this.#isNewsToAll(volume) || !isWriterThere) return listeners
    // who does not hear the writer gets its bytes from those that do
    return listeners.filter(node => node === writer || hears?.(node, writer) === false)
  }

  #isNewsToAll(volume: Volume): boolean {
    if (volume.end - (this.#toldToAll.get(volume) ?? 0) < TOLD_TO_ALL_BYTES) return false
    this.#toldToAll.set(volume, volume.end)
    return true
  }

  #announceOwn(volume: Volume): void {
    const { transport } = this.#components
    const { id, end } = volume
    const from = this.#lastAnnounced?.volume === id ? this.#lastAnnounced.end : end
    this.#lastAnnounced = { volume: id, end }
    const all = transport.peers()
    const caughtUp = all.filter(peer => this.#expectedEnd(peer, id) === from)
    const byteCount = end - from
    const small = byteCount > 0 && byteCount <= PUSH_BYTES_MAX && byteCount * caughtUp.length <= PUSHED_BYTES_MAX
    const receivers = small ? caughtUp : []
    const span = this.#beginSpan(byteCount, all.length)
    const head = { volume: id, end, trace: span?.traceParent }
    for (const peer of all) if (!receivers.includes(peer)) this.#announceHead(peer, head)
    for (const peer of receivers) this.#sentTo.set(peer, { volume: id, end })
    if (receivers.length === 0) span?.end()
    else this.#sending = this.#sending.then(() => this.#send(receivers, volume, from, head, span))
  }

  /** @returns undefined where nobody traces what is announced, or nobody is there to hear it */
  #beginSpan(bytes: number, peers: number): Span | undefined {
    if (this.#grownBy.length === 0 || peers === 0) return undefined
    const init: SpanInit = { ...carried(this.#grownBy), kind: 'producer', attributes: { bytes, peers } }
    return this.#components.tracer?.begin('ship', init)
  }

  async #send(
    receivers: readonly NodeId[],
    volume: Volume,
    from: number,
    head: TracedMark,
    span: Span | undefined
  ): Promise<void> {
    const { transport, log } = this.#components
    const { end, trace } = head
    const pieces: Uint8Array[] = []
    try {
      for await (const piece of volume.raw(from, end)) pieces.push(piece)
    } catch (err) {
      log.debug({ err, volume: volume.id, from }, 'could not read back an append to push it; announcing its end only')
    }
    const bytes = Buffer.concat(pieces)
    const whole = bytes.byteLength === end - from
    for (const peer of receivers) {
      if (whole) transport.notify(peer, 'volume.bytes', encodeBytes({ volume: volume.id, from, bytes, trace }))
      else this.#announceHead(peer, head)
    }
    span?.end()
  }

  #announceHead(peer: NodeId, head: TracedMark): void {
    this.#components.transport.notify(peer, 'volume.head', encodeHead(head))
  }

  #expectedEnd(peer: NodeId, volume: VolumeId): number {
    const lastSent = this.#sentTo.get(peer)
    return Math.max(lastSent?.volume === volume ? lastSent.end : 0, this.#components.peers.endOf(peer, volume))
  }
}
