/*
 * Reads of photos whose record is here but whose bytes are not (yet). Bodies are CBOR maps (see network/rpc/message.ts).
 *
 *   needle.find  request  {id, generation, alternate_key, chunk, length} → {checksums}   one CRC-32 per 64 KiB block
 *   needle.read  fetch    the same and {from, to} → bytes   from is a multiple of 64 KiB
 */
import type { Clock } from '../../core/clock.js'
import { deadline } from '../../core/deadline.js'
import { hasCode, SheafError } from '../../core/errors.js'
import type { Logger } from '../../core/log.js'
import type { NodeId, VolumeId } from '../../domain/ids.js'
import { BLOCK_BYTES, blockIntact, NEEDLE_DATA_BYTES_MAX, type NeedleIdentity } from '../../domain/needle.js'
import { encodeMessage, invalidField, Message } from '../../network/rpc/message.js'
import type { Transport } from '../../network/transport.js'
import type { NeedleLocation } from '../../volumes/needle-store.js'
import type { VolumeSet } from '../../volumes/volume-set.js'

/** A client that waits for five seconds hears before that that nobody has it, also after a peer has stalled. */
const FIND_MS_MAX = 2_000
/** All others are asked, too, when the likeliest has not answered by then, ms. */
const LIKELIEST_MS_MAX = 100
/** For so long it is known who was found to have a needle, for the reads that follow, ms; of so many needles at most. */
const FOUND_MS = 5_000
const FOUND_MAX = 256
const READ_MS_MAX = 60_000
/** A peer that sends nothing for so long stands still: another one is asked. */
const PIECE_MS_MAX = 2_000
const UINT32_MAX = 0xffff_ffff

export interface PeerReadsComponents {
  readonly transport: Transport
  readonly store: Pick<VolumeSet, 'locate' | 'checksums' | 'readRange'>
  /** @returns peers that are known to hold the volume, the likeliest to have all of it first */
  readonly holders: (volume: VolumeId) => readonly NodeId[]
  readonly clock: Clock
  readonly log: Logger
}

/** A peer that has the needle, with the needle's checksums. */
interface Supplier {
  readonly peer: NodeId
  readonly checksums: Uint32Array
}

interface Found {
  readonly supplier: Supplier
  /** Monotonic ms. */
  readonly atMs: number
}

/** A needle to be found at peers. */
export interface WantedNeedle {
  readonly identity: NeedleIdentity
  /** Of its data, bytes. */
  readonly length: number
  /** Where it may be. */
  readonly volume?: VolumeId | undefined
}

/** Streams needles from peers. Each block is verified against its checksum before any of its bytes are yielded. */
export class PeerReads {
  readonly #components: PeerReadsComponents
  /** By needle, oldest first. */
  readonly #found = new Map<string, Found>()

  constructor(components: PeerReadsComponents) {
    this.#components = components
    components.transport.handle('needle.find', async (_peer, body) => this.#answerFind(Message.decode(body)))
    components.transport.handleFetch('needle.read', (_peer, body) => this.#serve(Message.decode(body)))
  }

  /** @returns whether a connected peer has the needle */
  async isInReach(wanted: WantedNeedle): Promise<boolean> {
    return (await this.#find(wanted, new Set())) !== undefined
  }

  /**
   * Streams bytes [start, end) of the needle's data from the peer that was found to have it; when it fails, from the next one.
   *
   * @throws `ERR_BYTES_UNREACHABLE` when no peer is left
   */
  async *stream(wanted: WantedNeedle, start: number, end: number): AsyncGenerator<Uint8Array> {
    const failed = new Set<NodeId>()
    let position = start
    while (position < end) {
      const supplier = await this.#find(wanted, failed)
      if (supplier === undefined) throw new SheafError('ERR_BYTES_UNREACHABLE')
      try {
        for await (const piece of this.#blocks(wanted, supplier, position, end)) {
          position += piece.byteLength
          yield piece
        }
        if (position < end) failed.add(supplier.peer)
      } catch (err) {
        failed.add(supplier.peer)
        this.#components.log.warn(
          { err, peer: supplier.peer },
          'a peer did not supply the bytes of a photo; asking the next'
        )
      }
    }
  }

  /** @returns a peer that has the needle: as was found a moment ago, or as the first answers now */
  async #find(wanted: WantedNeedle, except: ReadonlySet<NodeId>): Promise<Supplier | undefined> {
    const { transport, clock } = this.#components
    const peers = transport.peers().filter(peer => !except.has(peer))
    const name = nameOf(wanted)
    const found = this.#found.get(name)
    const isFresh = found !== undefined && clock.monotonic() - found.atMs < FOUND_MS
    if (isFresh && peers.includes(found.supplier.peer)) return found.supplier
    this.#found.delete(name)
    const supplier = await this.#askFor(wanted, peers)
    if (supplier === undefined) return undefined
    this.#found.set(name, { supplier, atMs: clock.monotonic() })
    for (const oldest of this.#found.keys()) {
      if (this.#found.size <= FOUND_MAX) break
      this.#found.delete(oldest)
    }
    return supplier
  }

  /** Asks the likeliest of the peers, then all others at once. @returns the first that has the needle */
  async #askFor(wanted: WantedNeedle, peers: readonly NodeId[]): Promise<Supplier | undefined> {
    const { clock, holders } = this.#components
    const likeliest = wanted.volume && holders(wanted.volume).find(peer => peers.includes(peer))
    const over = new AbortController()
    const { signal, cancel } = deadline(clock, FIND_MS_MAX, over.signal)
    const ask = (peer: NodeId): Promise<Supplier> => this.#ask(peer, wanted, signal)
    try {
      const first = likeliest && ask(likeliest)
      const late = (): Promise<undefined> => clock.sleep(LIKELIEST_MS_MAX, signal).then(() => undefined)
      const inTime = first && (await Promise.race([first, late()]).catch(() => undefined))
      if (inTime !== undefined) return inTime
      const others = peers.filter(peer => peer !== likeliest).map(ask)
      return await Promise.any(first === undefined ? others : [first, ...others])
    } catch {
      return undefined // no connected peer has it
    } finally {
      over.abort(new SheafError('ERR_PEER_UNREACHABLE', 'another node has answered'))
      cancel()
    }
  }

  async #ask(peer: NodeId, { identity, length }: WantedNeedle, signal: AbortSignal): Promise<Supplier> {
    const body = encodeMessage(wireNeedle(identity, length))
    const answer = await this.#components.transport.request(peer, 'needle.find', body, signal)
    return { peer, checksums: checksumsOf(Message.decode(answer), length) }
  }

  async *#blocks(
    { identity, length }: WantedNeedle,
    { peer, checksums }: Supplier,
    start: number,
    end: number
  ): AsyncGenerator<Uint8Array> {
    const from = Math.floor(start / BLOCK_BYTES) * BLOCK_BYTES
    const to = Math.min(length, Math.ceil(end / BLOCK_BYTES) * BLOCK_BYTES)
    const { transport, clock } = this.#components
    const stalled = new AbortController()
    const { signal, cancel } = deadline(clock, READ_MS_MAX, stalled.signal)
    // not while whoever reads takes his time
    const awaitPiece = (): (() => void) => {
      const late = deadline(clock, PIECE_MS_MAX)
      late.signal.addEventListener('abort', () => stalled.abort(late.signal.reason), { once: true })
      return late.cancel
    }
    let hasCome = awaitPiece()
    let at = from
    let pending: Uint8Array = new Uint8Array()
    try {
      const body = encodeMessage({ ...wireNeedle(identity, length), from, to })
      for await (const piece of transport.fetch(peer, 'needle.read', body, signal)) {
        hasCome()
        pending = pending.byteLength === 0 ? piece : Buffer.concat([pending, piece])
        while (pending.byteLength > 0) {
          const blockBytes = Math.min(BLOCK_BYTES, length - at)
          if (pending.byteLength < blockBytes || blockBytes <= 0) break
          const block = pending.subarray(0, blockBytes)
          const number = at / BLOCK_BYTES
          if (!blockIntact(identity, number, block, checksums[number] as number))
            throw new SheafError('ERR_NEEDLE_CORRUPT')
          const wanted = block.subarray(Math.max(0, start - at), Math.min(blockBytes, end - at))
          if (wanted.byteLength > 0) yield wanted
          pending = pending.subarray(blockBytes)
          at += blockBytes
        }
        hasCome = awaitPiece()
      }
    } finally {
      hasCome()
      cancel()
    }
  }

  // --- requests of peers ---

  async #answerFind(message: Message): Promise<Uint8Array> {
    const wanted = wantedOf(message)
    for (const location of this.#locate(wanted)) {
      try {
        const checksums = await this.#components.store.checksums(location, wanted.identity)
        const bytes = Buffer.alloc(checksums.length * 4)
        for (const [i, checksum] of checksums.entries()) bytes.writeUInt32LE(checksum, i * 4)
        return encodeMessage({ checksums: bytes })
      } catch (err) {
        if (!hasCode(err, 'ERR_NEEDLE_CORRUPT') && !hasCode(err, 'ERR_DISK_READ')) throw err
      }
    }
    throw new SheafError('ERR_BYTES_UNREACHABLE')
  }

  async *#serve(message: Message): AsyncGenerator<Uint8Array> {
    const wanted = wantedOf(message)
    const from = message.uint('from', wanted.length)
    const to = message.uint('to', wanted.length)
    if (from % BLOCK_BYTES !== 0 || to < from) throw invalidField('from')
    const [location] = this.#locate(wanted)
    if (location === undefined) throw new SheafError('ERR_BYTES_UNREACHABLE')
    yield* this.#components.store.readRange(location, wanted.identity, from, to)
  }

  #locate({ identity, length }: WantedNeedle): NeedleLocation[] {
    return this.#components.store.locate(identity).filter(location => location.length === length)
  }
}

function nameOf({ identity: { id, generation, alternateKey, chunk }, length }: WantedNeedle): string {
  return `${Buffer.from(id).toString('hex')} ${generation} ${alternateKey} ${chunk} ${length}`
}

function wireNeedle({ id, generation, alternateKey, chunk }: NeedleIdentity, length: number) {
  return { id, generation, alternate_key: alternateKey, chunk, length }
}

function wantedOf(message: Message): WantedNeedle {
  const id = message.bytes('id', 16)
  if (id.byteLength !== 16) throw invalidField('id')
  return {
    identity: {
      kind: 'data',
      id,
      generation: message.uint('generation', UINT32_MAX),
      alternateKey: message.uint('alternate_key', UINT32_MAX),
      chunk: message.uint('chunk', UINT32_MAX)
    },
    length: message.uint('length', NEEDLE_DATA_BYTES_MAX)
  }
}

function checksumsOf(message: Message, length: number): Uint32Array {
  const byteCount = Math.ceil(length / BLOCK_BYTES) * 4
  const bytes = Buffer.from(message.bytes('checksums', byteCount))
  if (bytes.byteLength !== byteCount) throw invalidField('checksums')
  return Uint32Array.from({ length: byteCount / 4 }, (_, i) => bytes.readUInt32LE(i * 4))
}
