import type { Clock } from '../../core/clock.js'
import { withDeadline } from '../../core/deadline.js'
import { hasCode, SheafError } from '../../core/errors.js'
import type { Logger } from '../../core/log.js'
import type { Random } from '../../core/random.js'
import type { NodeId, VolumeId } from '../../domain/ids.js'
import { decodeHeader, NEEDLE_HEADER_BYTES, VOLUME_BYTES_MAX } from '../../domain/needle.js'
import { SUPERBLOCK_BYTES } from '../../domain/superblock.js'
import { Message } from '../../network/rpc/message.js'
import type { Transport } from '../../network/transport.js'
import { BufferPool } from '../../volumes/buffer-pool.js'
import type { Volume } from '../../volumes/volume.js'
import type { CopyProgress } from '../../volumes/volume-copies.js'
import type { PeerVolumes } from './peer-volumes.js'
import { RangeAssembler } from './range-assembler.js'
import { RangeReader } from './range-reader.js'
import { SupplierRates } from './supplier-rates.js'
import { decodeKnownHoles, encodeRange, encodeVolume } from './volume-messages.js'
import { FETCH_BYTES_MAX } from './volume-serving.js'

const REQUEST_MS_MAX = 10_000
/** After each portion the puller pauses this long, ms; when the timer is late by more than LATE_MS, for the delay again. */
const YIELD_MS = 1
const LATE_MS = 5
const PAUSE_MS_MAX = 100
/** Buffers kept for the next pull. */
const SPARE_BYTES_MAX = 8 * 1024 * 1024
/** How long a supplier is not asked after it failed, or while it claims to have what it did not send intact. */
const FAILURE_PENALTY_MS = 1_000
const CLAIM_PENALTY_MS = 30_000

export interface VolumePullerComponents {
  readonly transport: Pick<Transport, 'request' | 'fetch'>
  readonly peers: Pick<PeerVolumes, 'suppliers' | 'noteHoles'>
  /** Asks the peer anew what it holds, and notes that. */
  readonly refresh: (peer: NodeId) => Promise<void>
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}

export interface VolumePullerInit {
  /** Ends running pulls. */
  readonly signal: AbortSignal
}

/** Verifies bytes of a peer and keeps their whole needles. */
export type Take = (at: number, bytes: Uint8Array) => Promise<CopyProgress>

/**
 * Pulls bytes of volumes from the peers that hold them: in random order, the fast ones more often, without those that failed
 * lately.
 */
export class VolumePuller {
  readonly #components: VolumePullerComponents
  readonly #signal: AbortSignal
  /** By `peer volume`: when it may be asked again, monotonic ms. */
  readonly #penalties = new Map<string, number>()
  /** By `peer volume`: what a peer pushed was damaged, and it is being asked about that. */
  readonly #doubts = new Map<string, Promise<void>>()
  readonly #rates: SupplierRates
  readonly #reader: RangeReader
  readonly #pool = new BufferPool(SPARE_BYTES_MAX)
  #receivedBytes = 0

  constructor(components: VolumePullerComponents, { signal }: VolumePullerInit) {
    this.#components = components
    this.#signal = signal
    this.#rates = new SupplierRates(components)
    this.#reader = new RangeReader({ ...components, rates: this.#rates }, { signal })
  }

  /** Waits for what the signal has ended. */
  async stop(): Promise<void> {
    await Promise.all(this.#doubts.values())
  }

  /** Bytes that peers have sent of volumes since the process started. */
  get receivedBytes(): number {
    return this.#receivedBytes
  }

  /** Lets all suppliers be asked again at once. */
  clearPenalties(): void {
    this.#penalties.clear()
  }

  /** Frees the memory of expired penalties and rates. */
  dropExpired(): void {
    this.#rates.dropExpired()
    const now = this.#components.clock.monotonic()
    for (const [key, until] of this.#penalties) if (until <= now) this.#penalties.delete(key)
  }

  /** Takes bytes that a peer pushed. The peer is asked about damage in the background. @throws the other errors of `take` */
  async takePushed(peer: NodeId, id: VolumeId, at: number, bytes: Uint8Array, take: Take): Promise<void> {
    try {
      const { end, durable } = await take(at, bytes)
      this.#receivedBytes += Math.min(Math.max(0, end - at), bytes.byteLength)
      await durable
    } catch (err) {
      if (!hasCode(err, 'ERR_NEEDLE_CORRUPT')) throw err
      this.#doubtPushed(peer, id, damagedAt(err) ?? at)
    }
  }

  /** Passes a peer's superblock to `use`. @returns the result of `use`; undefined when no peer supplied a valid one */
  async superblock<T>(id: VolumeId, use: (superblock: Uint8Array) => Promise<T>): Promise<T | undefined> {
    for (const peer of this.#allowed(id, 0)) {
      try {
        const answer = await this.#ask(peer, 'volume.superblock', encodeVolume(id))
        return await use(Message.decode(answer).bytes('superblock', SUPERBLOCK_BYTES))
      } catch (err) {
        await this.#noteFailure(peer, id, err, 0)
      }
    }
    return undefined
  }

  /** @returns whether a peer sends the header of a needle for this place in the volume: what it says of its holes is right */
  async hasNeedleAt({ id, seed }: Pick<Volume, 'id' | 'seed'>, at: number): Promise<boolean> {
    for (const peer of this.#allowed(id, at)) {
      try {
        const range = { volume: id, from: at, to: Math.min(at + NEEDLE_HEADER_BYTES, VOLUME_BYTES_MAX) }
        const answer = await this.#ask(peer, 'volume.read', encodeRange(range))
        const bytes = Message.decode(answer).bytes('bytes', NEEDLE_HEADER_BYTES)
        if (bytes.byteLength === NEEDLE_HEADER_BYTES && decodeHeader(bytes, seed, at) !== undefined) return true
      } catch (err) {
        await this.#noteFailure(peer, id, err, at)
      }
    }
    return false
  }

  /**
   * Passes bytes of [from, to) to `take`, from one supplier after the other, and waits until they are durable.
   *
   * @param take - verifies and keeps whole needles, and says how far it came
   * @returns how far it came
   */
  async range(id: VolumeId, from: number, to: number, take: Take): Promise<number> {
    const assembler = new RangeAssembler(this.#pool, { from, to }, async (at, bytes) => {
      const progress = await take(at, bytes)
      await this.#yieldToClients()
      return progress
    })
    try {
      let progress = true
      while (progress && assembler.at < to) progress = await this.#pullNext(id, assembler, to)
    } finally {
      await assembler.untilDurable()
    }
    return assembler.at
  }

  /** Gives clients priority: pauses, the longer the busier the event loop is. */
  async #yieldToClients(): Promise<void> {
    const { clock } = this.#components
    const beganMs = clock.monotonic()
    await clock.sleep(YIELD_MS, this.#signal)
    const lateMs = clock.monotonic() - beganMs - YIELD_MS
    if (lateMs > LATE_MS) await clock.sleep(Math.min(lateMs, PAUSE_MS_MAX), this.#signal)
  }

  /** One fetch. @returns whether the assembler has advanced */
  async #pullNext(id: VolumeId, assembler: RangeAssembler, to: number): Promise<boolean> {
    const { log } = this.#components
    const { at: from } = assembler
    const tried = new Set<NodeId>()
    for (const peer of this.#allowed(id, from)) {
      tried.add(peer)
      // one that sent nothing of this place is not the one to leave another for
      const others = (): NodeId[] =>
        this.#allowed(id, assembler.at).filter(other => other !== peer && (assembler.at > from || !tried.has(other)))
      let sender = peer
      try {
        assembler.clear()
        const range = { volume: id, from: assembler.at, to: Math.min(to, assembler.at + FETCH_BYTES_MAX) }
        const supply = await this.#reader.read(peer, range, others)
        sender = supply.peer
        for await (const piece of supply.pieces) {
          this.#receivedBytes += piece.byteLength
          await assembler.add(piece)
        }
        await assembler.flush()
        const { end } = supply
        if (typeof end === 'object') throw end.failure
        if (assembler.at > from) return true
        if (end === 'too slow') continue
        if (assembler.refused) this.#penalize(sender, id, FAILURE_PENALTY_MS)
        else {
          log.debug({ peer: sender, volume: id, at: from }, 'a peer has less than it announced; asking it what it has')
          await this.#doubt(sender, id, from)
        }
      } catch (err) {
        await this.#noteFailure(sender, id, err, assembler.at)
      }
    }
    return assembler.at > from
  }

  #ask(peer: NodeId, method: string, body: Uint8Array): Promise<Uint8Array> {
    const { transport, clock } = this.#components
    return withDeadline(clock, REQUEST_MS_MAX, this.#signal, signal => transport.request(peer, method, body, signal))
  }

  /** @returns the suppliers of the byte at `offset` that may be asked now, in the order in which to ask them */
  #allowed(id: VolumeId, offset: number): NodeId[] {
    return this.#rates.order(this.#components.peers.suppliers(id, offset).filter(peer => this.#isAllowed(peer, id)))
  }

  #isAllowed(peer: NodeId, id: VolumeId): boolean {
    return (this.#penalties.get(`${peer} ${id}`) ?? 0) <= this.#components.clock.monotonic()
  }

  /** Penalizes the peer, unless it confirms damage in its copy. @throws the error itself when this node caused it */
  async #noteFailure(peer: NodeId, id: VolumeId, err: unknown, at: number): Promise<void> {
    const { log } = this.#components
    this.#signal.throwIfAborted()
    const localErrors = ['ERR_DISK_FULL', 'ERR_DISK_WRITE', 'ERR_DIRECTORY_UNAVAILABLE', 'ERR_STOPPING'] as const
    if (localErrors.some(code => hasCode(err, code))) throw err
    if (!hasCode(err, 'ERR_NEEDLE_CORRUPT')) {
      log.debug({ err, peer, volume: id, at }, 'a peer did not supply a range')
      this.#penalize(peer, id, FAILURE_PENALTY_MS)
      return
    }
    await this.#doubtDamage(peer, id, at)
  }

  /** At most one such question is open for each peer and volume. */
  #doubtPushed(peer: NodeId, id: VolumeId, at: number): void {
    const key = `${peer} ${id}`
    if (this.#doubts.has(key) || !this.#isAllowed(peer, id)) return
    const doubt = this.#doubtDamage(peer, id, at)
      .catch(err => this.#components.log.debug({ err, peer, volume: id, at }, 'no longer asking about pushed damage'))
      .finally(() => this.#doubts.delete(key))
    this.#doubts.set(key, doubt)
  }

  #doubtDamage(peer: NodeId, id: VolumeId, at: number): Promise<void> {
    const fields = { peer, volume: id, at }
    this.#components.log.warn(fields, 'a peer sent damaged bytes; dropped them and told the peer to check its copy')
    return this.#doubt(peer, id, at)
  }

  /**
   * Has the peer verify its copy from there on. It then answers with its holes and remains a supplier of everything between
   * them; only a peer that still claims to have the place is penalized. One that does not answer in time goes on verifying,
   * and answers the next question at once.
   *
   * @throws only when the node stops
   */
  async #doubt(peer: NodeId, id: VolumeId, at: number): Promise<void> {
    const { peers, refresh, log } = this.#components
    try {
      const to = Math.min(at + FETCH_BYTES_MAX, VOLUME_BYTES_MAX)
      const known = decodeKnownHoles(await this.#ask(peer, 'volume.doubt', encodeRange({ volume: id, from: at, to })))
      if (known === undefined) await refresh(peer)
      else peers.noteHoles(peer, id, at, known)
    } catch (err) {
      this.#signal.throwIfAborted()
      log.debug({ err, peer, volume: id, at }, 'a peer did not verify its copy')
    }
    if (peers.suppliers(id, at).includes(peer)) this.#penalize(peer, id, CLAIM_PENALTY_MS)
  }

  #penalize(peer: NodeId, id: VolumeId, ms: number): void {
    this.#penalties.set(`${peer} ${id}`, this.#components.clock.monotonic() + ms)
  }
}

/** @returns where in the volume the damaged needle begins */
function damagedAt(err: unknown): number | undefined {
  const offset = err instanceof SheafError ? err.details?.offset : undefined
  return typeof offset === 'number' ? offset : undefined
}
