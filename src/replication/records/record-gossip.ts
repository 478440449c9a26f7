/*
 * Topic `records`: records as the sender's own latest writes left them. A CBOR map (see network/rpc/message.ts):
 *
 *   version   uint       1; the greatest that all connected peers know, too (network/wire-version.ts)
 *   sender    text       id of the node that wrote them
 *   records   [bytes]    each as in record-codec.ts
 */
import type { Clock } from '../../core/clock.js'
import { hasCode, SheafError } from '../../core/errors.js'
import type { Startable } from '../../core/lifecycle.js'
import type { Logger } from '../../core/log.js'
import { RateLimiter } from '../../core/rate-limiter.js'
import type { RecordChange } from '../../directory/batch-plan.js'
import type { Directory } from '../../directory/directory.js'
import type { VersionRange } from '../../domain/formats.js'
import type { NodeId, VolumeId } from '../../domain/ids.js'
import { encodeMessage, Message } from '../../network/rpc/message.js'
import type { Transport } from '../../network/transport.js'

const TOPIC = 'records'
const SENDER_CHARACTERS_MAX = 128

/** Records written within this time share a message: gossip costs per message, not per byte. */
const FLUSH_MS = 5
/** Of the records in one message, without heads and sender. */
const MESSAGE_BYTES_MAX = 256 * 1024 - 1024
const QUEUE_BYTES_MAX = 4 * 1024 * 1024
const RECORDS_MAX = 16_384
const INBOX_BYTES_MAX = 8 * 1024 * 1024
/** Records accepted from one peer. */
const RATE_PER_PEER = { perSecond: 4_000, burst: 20_000 }
/** Peers that have an account; one more resets all accounts. */
const PEERS_MAX = 1_024
const WARN_EVERY_MS = 60_000

export interface RecordGossipComponents {
  readonly transport: Pick<Transport, 'self' | 'version' | 'versionOf' | 'peers' | 'publish' | 'subscribe'>
  readonly directory: Pick<Directory, 'merge' | 'onChange'>
  readonly clock: Clock
  readonly log: Logger
  /** Whether this process writes the volume. */
  readonly isOwn: (volume: VolumeId) => boolean
}

export interface RecordGossipInit {
  /** Of the records that wait for the next flush, bytes; default 4 MiB. */
  readonly queueBytesMax?: number
  /** Of the messages that wait to be merged, bytes; default 8 MiB. */
  readonly inboxBytesMax?: number
}

/** Since the process started. */
export interface RecordGossipCounts {
  /** Records sent. */
  readonly published: number
  /** Records of this node that were not sent: the queue was full, or they are too large. */
  readonly dropped: number
  /** Records received and merged, changed or not. */
  readonly merged: number
  /** Messages received and not merged: malformed, too many, or the directory was unavailable, or the disk full. */
  readonly refused: number
}

interface ReceivedRecords {
  readonly from: NodeId
  readonly records: readonly Uint8Array[]
  readonly byteCount: number
}

interface PeerAccount {
  readonly limiter: RateLimiter
  /** Time of the last warning about the peer, monotonic ms. */
  warnedAtMs: number
}

/**
 * Sends this node's writes to connected peers within milliseconds, and merges theirs. Best effort in both directions: full
 * queues drop messages, and anti-entropy repairs the loss.
 *
 * A change is this node's own when its needle is in a volume that this process writes. The directory reports it after the
 * needle was synced and the batch written, so nothing is announced that a power failure could undo. Records from peers are
 * not announced again, nor are graves, which come in their needles; compaction moves needles but changes no record.
 */
export class RecordGossip implements Startable {
  readonly #components: RecordGossipComponents
  readonly #queueBytesMax: number
  readonly #inboxBytesMax: number
  /** By record, oldest first. A later state replaces an earlier one, which it contains. */
  readonly #queue = new Map<string, Uint8Array>()
  readonly #inbox: ReceivedRecords[] = []
  readonly #accounts = new Map<NodeId, PeerAccount>()
  readonly #counts = { published: 0, dropped: 0, merged: 0, refused: 0 }
  #queueBytes = 0
  #inboxBytes = 0
  #cancelFlush: (() => void) | undefined
  #merging: Promise<void> | undefined
  /** Set while running. */
  #unsubscribe: (() => void) | undefined

  constructor(components: RecordGossipComponents, init: RecordGossipInit = {}) {
    this.#components = components
    this.#queueBytesMax = init.queueBytesMax ?? QUEUE_BYTES_MAX
    this.#inboxBytesMax = init.inboxBytesMax ?? INBOX_BYTES_MAX
    components.transport.subscribe(TOPIC, (from, body) => this.#receive(from, body))
  }

  async start(): Promise<void> {
    this.#unsubscribe ??= this.#components.directory.onChange(changes => this.#announce(changes))
  }

  /** Sends the queue, and waits for a running merge. */
  async stop(): Promise<void> {
    this.#unsubscribe?.()
    this.#unsubscribe = undefined
    this.#flush()
    this.#inbox.length = 0
    this.#inboxBytes = 0
    await this.#merging
  }

  get counts(): RecordGossipCounts {
    return { ...this.#counts }
  }

  // --- sending ---

  #announce(changes: readonly RecordChange[]): void {
    const { transport, clock, isOwn } = this.#components
    if (transport.peers().length === 0) return
    for (const { key, after, bytes, volumes } of changes) {
      if (after !== undefined && volumes.some(isOwn)) this.#enqueue(`${key.kind}\0${key.id}`, bytes)
    }
    if (this.#queue.size > 0) this.#cancelFlush ??= clock.schedule(FLUSH_MS, () => this.#flush())
  }

  #enqueue(name: string, bytes: Uint8Array): void {
    this.#dequeue(name)
    if (bytes.length > MESSAGE_BYTES_MAX) {
      this.#counts.dropped++
      return
    }
    this.#queue.set(name, bytes)
    this.#queueBytes += bytes.length
    for (const oldest of this.#queue.keys()) {
      if (this.#queueBytes <= this.#queueBytesMax) break
      this.#dequeue(oldest)
      this.#counts.dropped++
    }
  }

  #dequeue(name: string): void {
    this.#queueBytes -= this.#queue.get(name)?.length ?? 0
    this.#queue.delete(name)
  }

  #flush(): void {
    this.#cancelFlush?.()
    this.#cancelFlush = undefined
    let records: Uint8Array[] = []
    let byteCount = 0
    for (const bytes of this.#queue.values()) {
      if (byteCount + bytes.length > MESSAGE_BYTES_MAX || records.length === RECORDS_MAX) {
        this.#publish(records)
        records = []
        byteCount = 0
      }
      records.push(bytes)
      byteCount += bytes.length
    }
    this.#publish(records)
    this.#queue.clear()
    this.#queueBytes = 0
  }

  #publish(records: readonly Uint8Array[]): void {
    if (records.length === 0) return
    const { transport } = this.#components
    transport.publish(TOPIC, encodeMessage({ version: this.#version(), sender: transport.self, records }))
    this.#counts.published += records.length
  }

  /** @returns the greatest version that this node and all its peers know: the handshake admits nobody without one */
  #version(): number {
    const { transport } = this.#components
    const known = transport.peers().flatMap(peer => transport.versionOf(peer)?.gossip.max ?? [])
    return Math.min(transport.version.gossip.max, ...known)
  }

  // --- receiving ---

  #receive(from: NodeId, body: Uint8Array): void {
    if (this.#unsubscribe === undefined || from === this.#components.transport.self) return
    try {
      const records = decodeRecords(body, this.#components.transport.version.gossip)
      const byteCount = body.byteLength
      // Expected from a busy peer, so it is counted but not logged.
      const full = this.#inboxBytes + byteCount > this.#inboxBytesMax
      if (full || !this.#account(from).limiter.tryTake(records.length)) {
        this.#counts.refused++
        return
      }
      this.#inbox.push({ from, records, byteCount })
      this.#inboxBytes += byteCount
      this.#merging ??= this.#merge()
    } catch (err) {
      this.#refuse(from, err)
    }
  }

  async #merge(): Promise<void> {
    for (let message = this.#inbox.shift(); message !== undefined; message = this.#inbox.shift()) {
      const { from, records, byteCount } = message
      this.#inboxBytes -= byteCount
      try {
        await this.#components.directory.merge(records, from)
        this.#counts.merged += records.length
      } catch (err) {
        this.#refuse(from, err)
      }
    }
    this.#merging = undefined
  }

  #refuse(from: NodeId, err: unknown): void {
    this.#counts.refused++
    if (hasCode(err, 'ERR_DISK_FULL')) return // the disk's reserve says so, once
    const { clock, log } = this.#components
    const account = this.#account(from)
    const now = clock.monotonic()
    if (now - account.warnedAtMs < WARN_EVERY_MS) return
    account.warnedAtMs = now
    log.warn({ err, peer: from }, "could not merge a peer's gossiped records; anti-entropy repairs the loss")
  }

  #account(peer: NodeId): PeerAccount {
    const existing = this.#accounts.get(peer)
    if (existing !== undefined) return existing
    if (this.#accounts.size === PEERS_MAX) this.#accounts.clear()
    const account = {
      limiter: new RateLimiter(this.#components.clock, RATE_PER_PEER),
      warnedAtMs: Number.NEGATIVE_INFINITY
    }
    this.#accounts.set(peer, account)
    return account
  }
}

/** @throws `ERR_PEER_PROTOCOL` */
function decodeRecords(body: Uint8Array, { min, max }: VersionRange): Uint8Array[] {
  const message = Message.decode(body)
  const version = message.uint('version')
  if (version < min || version > max)
    throw new SheafError(
      'ERR_PEER_PROTOCOL',
      `a peer gossips records in version ${version}, this node knows ${min} to ${max}`
    )
  message.text('sender', SENDER_CHARACTERS_MAX)
  return message.byteStrings('records', RECORDS_MAX)
}
