/*
 * Messages as they travel between nodes of different versions. These fixtures never change: if a message is not encoded to
 * the bytes recorded, or they do not decode to the value, the protocol is broken. See test/fixtures/README.md.
 */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { EventGossip } from '../../src/cluster/events/event-gossip.js'
import { PeerComparison } from '../../src/cluster/peer-comparison.js'
import { silentLog } from '../../src/core/log.js'
import type { ModelId } from '../../src/domain/features.js'
import { RECORD_FORMATS } from '../../src/domain/formats.js'
import type { Hlc } from '../../src/domain/hlc.js'
import type { ActorId, NodeId, PhotoId, UserId, VolumeId } from '../../src/domain/ids.js'
import { blockChecksums } from '../../src/domain/needle.js'
import { decodeGossip, encodeGossip } from '../../src/network/libp2p/gossip-message.js'
import { decodeHeartbeat, encodeHeartbeat } from '../../src/network/membership/heartbeat.js'
import { MemberRefusal } from '../../src/network/membership/member-refusal.js'
import { decodePeers, encodePeers } from '../../src/network/membership/peer-exchange-messages.js'
import { type NodeVersion, ownVersion } from '../../src/network/node-version.js'
import { encodeMessage } from '../../src/network/rpc/message.js'
import { RelayTransport } from '../../src/network/rpc/relay-transport.js'
import { encodeFrame, type Frame, FrameParser } from '../../src/network/rpc/rpc-frames.js'
import type { FetchHandler, RequestHandler, Transport } from '../../src/network/transport.js'
import * as tree from '../../src/replication/records/anti-entropy-messages.js'
import { RecordGossip } from '../../src/replication/records/record-gossip.js'
import { PeerReads } from '../../src/replication/volumes/peer-reads.js'
import * as shipping from '../../src/replication/volumes/volume-messages.js'
import { VolumeServing } from '../../src/replication/volumes/volume-serving.js'
import { decodeAnswer, decodeSearch, encodeAnswer, encodeSearch } from '../../src/search/search-messages.js'
import type { Volume } from '../../src/volumes/volume.js'
import { deferred } from '../support/deferred.js'
import { SimulatedClock } from '../support/simulated-clock.js'

const recorded = JSON.parse(readFileSync(new URL('../fixtures/messages/v1.json', import.meta.url), 'utf8')) as Readonly<
  Record<string, string>
>

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

const used = new Set<string>()

/** @returns the bytes of the message */
function message(name: string): Uint8Array {
  used.add(name)
  return Buffer.from(recorded[name] ?? '', 'hex')
}

function expectMessage(name: string, bytes: Uint8Array): void {
  used.add(name)
  expect({ [name]: hex(bytes) }).toEqual({ [name]: recorded[name] })
}

const SELF = '12D3KooWSelf' as NodeId
const PEER = '12D3KooWPeer' as NodeId
const EPOCH = '0123456789abcdef' as ActorId
const VOLUME = `${EPOCH}-7` as VolumeId
const DIGEST = '00112233445566778899aabbccddeeff'
const PHOTO = '0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b' as PhotoId
const STAMP = (1_700_000_000_000n * 65_536n + 5n) as Hlc
const RECORDS = [Uint8Array.of(1, 2, 3), new Uint8Array()]
const bytesFrom = (first: number, byteCount: number): Uint8Array =>
  Uint8Array.from({ length: byteCount }, (_, i) => first + i)

const heartbeat = {
  epoch: EPOCH,
  sequence: 70_000,
  name: 'küche',
  addresses: ['/ip4/192.0.2.1/tcp/4001', '/ip6/2001:db8::1/tcp/4001'],
  directoryDigest: DIGEST,
  volumesDigest: '',
  freeBytes: 5_000_000_000,
  totalBytes: 9_007_199_254_740_991,
  version: '0.1.0',
  now: STAMP,
  heads: [{ volume: VOLUME, bytes: 4_096 }]
}
const SHOWN = {
  http: ['https://a.example', 'http://[2001:db8::1]:8000'],
  startedAtMs: 1_700_000_000_000,
  photos: 1_000_000,
  bytesPerS: 20_000_000,
  etaS: 3_600
}
const indexes = [{ model: EPOCH as string as ModelId, shards: new Set([0, 9, 63]) }]
const key = { kind: 'photo', id: PHOTO }
const OTHER = '0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2c' as PhotoId
const leaves = [
  [
    { key, digest: Buffer.from(bytesFrom(1, 8)) },
    { key: { kind: 'photo', id: OTHER }, generation: 300 }
  ],
  [],
  [{ key: { kind: 'member', id: SELF }, digest: Buffer.from(bytesFrom(9, 8)) }]
]
const query = { model: EPOCH as string as ModelId, space: 'image', vector: Float32Array.of(0.6, -0.8) } as const
const answer = { shards: new Set([1, 2]), neighbors: [{ id: PHOTO, score: 0.5 }] }

interface Codec {
  readonly name: string
  readonly value: unknown
  readonly encode: () => Uint8Array
  readonly decode: (body: Uint8Array) => unknown
}

function codec<Value>(
  name: string,
  value: Value,
  encode: (value: Value) => Uint8Array,
  decode: (body: Uint8Array) => unknown
): Codec {
  return { name, value, encode: () => encode(value), decode }
}

const CODECS: readonly Codec[] = [
  codec('member.beat', heartbeat, encodeHeartbeat, decodeHeartbeat),
  codec('member.beat with indexes', { ...heartbeat, indexes }, encodeHeartbeat, decodeHeartbeat),
  codec('member.beat with reaches', { ...heartbeat, reaches: [PEER] }, encodeHeartbeat, decodeHeartbeat),
  codec('member.beat with what pages show', { ...heartbeat, ...SHOWN }, encodeHeartbeat, decodeHeartbeat),
  codec('member.peers answer', [{ id: PEER, addresses: heartbeat.addresses }], encodePeers, decodePeers),
  codec('volume.head', { volume: VOLUME, end: 4_096 }, shipping.encodeHead, shipping.decodeHead),
  codec('volume.ack', { volume: VOLUME, end: 1_000_000_000 }, shipping.encodeHead, shipping.decodeHead),
  codec(
    'volume.bytes',
    { volume: VOLUME, from: 256, bytes: Buffer.from(bytesFrom(0, 16)) },
    shipping.encodeBytes,
    shipping.decodeBytes
  ),
  codec(
    'volume.heads answer',
    [
      { volume: VOLUME, end: 4_096, holes: [{ from: 256, to: 512 }] },
      { volume: `${EPOCH}-8` as VolumeId, end: 0, holes: [] }
    ],
    shipping.encodeHeads,
    shipping.decodeHeads
  ),
  codec('volume.superblock', VOLUME, shipping.encodeVolume, shipping.decodeVolume),
  ...['volume.read', 'volume.range', 'volume.doubt'].map(name =>
    codec(name, { volume: VOLUME, from: 256, to: 1_048_832 }, shipping.encodeRange, shipping.decodeRange)
  ),
  codec(
    'volume.doubt answer',
    { end: 4_096, holes: [{ from: 256, to: 512 }], until: undefined },
    shipping.encodeKnownHoles,
    body => shipping.decodeKnownHoles(body) as shipping.KnownHoles
  ),
  codec('tree.nodes', { level: 2, indexes: [0, 255] }, tree.encodeNodesRequest, tree.decodeNodesRequest),
  codec(
    'tree.nodes answer',
    { root: Buffer.from(bytesFrom(1, 16)), children: Buffer.alloc(128, 7) },
    tree.encodeNodesAnswer,
    body => tree.decodeNodesAnswer(body, 1)
  ),
  codec('tree.leaves', [1, 65_535], tree.encodeLeavesRequest, tree.decodeLeavesRequest),
  codec(
    'tree.leaves answer',
    leaves,
    buckets => tree.encodeLeavesAnswer(buckets.map(tree.packLeaves)),
    tree.decodeLeavesAnswer
  ),
  codec('records.get', [key, { kind: 'member', id: SELF }], tree.encodeGetRequest, tree.decodeGetRequest),
  codec('records.get answer', { count: 2, records: RECORDS }, tree.encodeGetAnswer, body =>
    tree.decodeGetAnswer(body, 2)
  ),
  codec('records.put', { records: RECORDS, graves: [] }, tree.encodePutRequest, tree.decodePutRequest),
  codec(
    'records.put with graves',
    {
      records: RECORDS,
      graves: [
        { ...key, generation: 0 },
        { kind: 'photo', id: OTHER, generation: 300 }
      ]
    },
    tree.encodePutRequest,
    tree.decodePutRequest
  ),
  codec('records.put answer', 100, tree.encodePutAnswer, tree.decodePutAnswer),
  codec('similar.search', { query, k: 20 }, ({ query, k }) => encodeSearch(query, k), decodeSearch),
  codec(
    'similar.search for somebody',
    { query: { ...query, onlooker: { userId: OTHER as string as UserId, role: 'user' as const } }, k: 20 },
    asked => encodeSearch(asked.query, asked.k),
    decodeSearch
  ),
  codec('similar.search answer for somebody', { ...answer, isLimited: true as const }, encodeAnswer, body =>
    decodeAnswer(body, 20)
  ),
  codec('similar.search answer', answer, encodeAnswer, body => decodeAnswer(body, 20)),
  codec(
    'gossip',
    { from: PEER, body: Buffer.of(1, 2, 3) },
    ({ from, body }) => encodeGossip(from, bytesFrom(1, 8), 258, body),
    decodeGossip
  ),
  ...frames().map(frame =>
    codec(
      `frame ${frame.type}`,
      frame,
      value => Buffer.concat(encodeFrame(value)),
      bytes => [...new FrameParser().push(bytes)][0]
    )
  )
]

function frames(): Frame[] {
  const [id, body] = [0x01020304, Buffer.of(9, 8, 7)]
  return [
    { type: 'request', id, method: 'volume.heads', body },
    { type: 'notify', id: 0, method: 'volume.head', body },
    { type: 'answer', id, body },
    { type: 'piece', id: 0, body },
    { type: 'error', id, code: 'ERR_OVERLOADED', message: 'zu viel für mich' },
    { type: 'cancel', id },
    { type: 'end', id: 0 }
  ]
}

describe('messages of version 1', () => {
  it.each(CODECS)('$name', ({ name, value, encode, decode }) => {
    expectMessage(name, encode())
    expect(plain(decode(message(name)))).toEqual(plain(value))
  })

  it('member.refused', async () => {
    const wire = new Wire({ 'member.refused': 'member.refused answer' })
    const clock = new SimulatedClock()
    const refusedBy: string[] = []
    const readmitted = deferred<NodeId>()
    const refusal = new MemberRefusal({
      transport: wire,
      clock,
      log: silentLog,
      departureOf: () => ({ how: 'removed', at: STAMP }),
      readmit: async node => readmitted.resolve(node),
      now: () => STAMP,
      isLeaving: () => false,
      onRefused: peer => refusedBy.push(peer)
    })
    await refusal.start()
    expect(await readmitted.promise).toBe(PEER) // the recorded answer says that it returns
    expectMessage('member.refused', wire.sent('member.refused'))
    expectMessage('member.refused answer', await wire.ask('member.refused', message('member.refused')))
    expect(refusedBy).toEqual([PEER])
    await refusal.stop()
  })

  it('needle.find and needle.read', async () => {
    const data = Buffer.alloc(100, 1)
    const id = bytesFrom(1, 16)
    const identity = { kind: 'data', id, generation: 1, alternateKey: 2, chunk: 3 } as const
    const wire = new Wire({ 'needle.find': 'needle.find answer' }, data)
    const asked: unknown[] = []
    const reads = new PeerReads({
      transport: wire,
      holders: () => [],
      store: {
        locate: wanted => {
          asked.push(plain(wanted))
          return [{ volume: VOLUME, offset: 256, length: data.length }]
        },
        checksums: async () => blockChecksums(identity, data),
        readRange: async function* (_location, _identity, from, to) {
          asked.push([from, to])
          yield data
        }
      },
      clock: new SimulatedClock(),
      log: silentLog
    })
    const read: Uint8Array[] = []
    for await (const piece of reads.stream({ identity, length: 100 }, 0, 100)) read.push(piece)
    expect(Buffer.concat(read)).toEqual(data) // verified with the recorded checksum
    expectMessage('needle.find', wire.sent('needle.find'))
    expectMessage('needle.read', wire.sent('needle.read'))
    expectMessage('needle.find answer', await wire.ask('needle.find', message('needle.find')))
    expect(hex(await wire.askInBulk('needle.read', message('needle.read')))).toBe(hex(data))
    expect(asked).toEqual([plain(identity), plain(identity), [0, 100]])
  })

  it('volume.superblock and volume.read: the answers', async () => {
    const wire = new Wire()
    const superblock = Buffer.alloc(256, 5)
    const volume = {
      superblock: {},
      file: { read: async (into: Uint8Array) => superblock.copy(into) },
      raw: async function* () {
        yield Buffer.of(1, 2, 3, 4, 5, 6, 7, 8)
      }
    } as unknown as Volume
    new VolumeServing(
      {
        transport: wire,
        volumes: { get: () => volume, volumes: () => [] },
        clock: new SimulatedClock(),
        log: silentLog,
        isRetired: () => false
      },
      { signal: new AbortController().signal }
    )
    expectMessage('volume.superblock answer', await wire.ask('volume.superblock', message('volume.superblock')))
    expectMessage('volume.read answer', await wire.ask('volume.read', message('volume.read')))
  })

  it('topic records', async () => {
    const wire = new Wire()
    const clock = new SimulatedClock()
    const merged: unknown[] = []
    let announce: Parameters<ConstructorParameters<typeof RecordGossip>[0]['directory']['onChange']>[0] = () => {}
    const gossip = new RecordGossip({
      transport: wire,
      directory: {
        merge: async records => void merged.push(records.map(hex)) as never,
        onChange: listener => {
          announce = listener
          return () => {}
        }
      },
      clock,
      log: silentLog,
      isOwn: () => true
    })
    await gossip.start()
    const after = { kind: 'photo', id: PHOTO } as never
    announce([
      { key, after, bytes: RECORDS[0]!, volumes: [VOLUME] },
      { key: { kind: 'member', id: SELF }, after, bytes: RECORDS[1]!, volumes: [VOLUME] }
    ])
    await clock.advance(10)
    expectMessage('topic records', wire.sent('records'))
    wire.receive('records', message('topic records'))
    await gossip.stop()
    expect(merged).toEqual([RECORDS.map(hex)])
  })

  it('topic events', async () => {
    const wire = new Wire()
    const noted: unknown[] = []
    const events = new EventGossip({
      transport: wire,
      clock: new SimulatedClock(),
      log: silentLog,
      note: (type, node) => noted.push([type, node])
    })
    await events.start()
    events.announceRepair()
    expectMessage('topic events', wire.sent('events'))
    wire.receive('events', message('topic events'))
    await events.stop()
    expect(noted).toEqual([
      ['repair.done', SELF],
      ['repair.done', SELF]
    ])
  })

  it('replica.state', async () => {
    const wire = new Wire({ 'replica.state': 'replica.state answer' })
    const head = { bytes: 4_096, digest: DIGEST }
    const comparison = new PeerComparison({
      transport: wire,
      directory: { digest: () => DIGEST },
      volumes: { volumes: () => [{ id: VOLUME, head: async () => head } as unknown as Volume] },
      isRetired: () => false,
      clock: new SimulatedClock(),
      log: silentLog,
      others: () => [{ id: PEER, name: 'peer' }],
      reachable: () => [PEER]
    })
    expectMessage('replica.state answer', await wire.ask('replica.state', encodeMessage({})))
    const compared = await comparison.run(() => {}, new AbortController().signal)
    expect(compared).toEqual([{ id: PEER, name: 'peer', state: 'same', differences: [] }])
    expectMessage('empty request', wire.sent('replica.state'))
  })

  it('relay.pass and relay.take', async () => {
    const OTHER_NODE = '12D3KooWMost' as NodeId
    const wire = new Wire({ 'relay.pass': 'records.get answer', 'relay.take': 'records.get answer' })
    const relay = new RelayTransport({
      transport: wire,
      clock: new SimulatedClock(),
      waysTo: () => [PEER],
      isMember: () => true
    })
    const never = new AbortController().signal
    const taken: unknown[] = []
    const take = async (from: NodeId, body: Uint8Array): Promise<Uint8Array> => {
      taken.push(from, hex(body))
      return new Uint8Array()
    }
    relay.handle('records.get', take, { relayed: true })
    const answer = await relay.request(OTHER_NODE, 'records.get', message('records.get'), never)
    expect(hex(answer)).toBe(recorded['records.get answer'])
    expectMessage('relay.pass', wire.sent('relay.pass'))
    await wire.ask('relay.take', message('relay.take'))
    expect(taken).toEqual([OTHER_NODE, recorded['records.get']])
    const passed = encodeMessage({ to: PEER, method: 'records.get', body: message('records.get'), answer: 1 })
    await wire.ask('relay.pass', passed)
    expect(hex(wire.sent('relay.take'))).toBe(
      recorded['relay.take']?.replace(hex(Buffer.from(OTHER_NODE)), hex(Buffer.from(PEER)))
    )
  })

  it('every recorded message was compared', () => {
    expect([...used].sort()).toEqual(Object.keys(recorded).sort())
  })
})

/** @returns the value with its bytes as text, so that a Buffer equals any other view of the same bytes */
function plain(value: unknown): unknown {
  if (value instanceof Float32Array) return Array.from(value)
  if (value instanceof Uint8Array) return hex(value)
  if (value instanceof Set) return [...value]
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, plain(item)]))
}

/** A transport to one peer: it keeps what is sent, and answers with recorded messages. */
class Wire implements Transport {
  readonly self = SELF
  readonly version = ownVersion('0.0.0-test', RECORD_FORMATS)
  readonly #answers: Readonly<Record<string, string>>
  readonly #bulk: Uint8Array
  readonly #sent = new Map<string, Uint8Array>()
  readonly #handlers = new Map<string, RequestHandler>()
  readonly #fetchHandlers = new Map<string, FetchHandler>()
  readonly #topics = new Map<string, (from: NodeId, body: Uint8Array) => void>()

  /**
   * @param answers - by method, the name of the recorded message
   * @param bulk - what every fetch yields
   */
  constructor(answers: Readonly<Record<string, string>> = {}, bulk = new Uint8Array()) {
    this.#answers = answers
    this.#bulk = bulk
  }

  // --- what the test does ---

  versionOf(): NodeVersion {
    return this.version
  }

  requireFormat(): void {}

  /** @returns what was sent last to a method or topic */
  sent(name: string): Uint8Array {
    return this.#sent.get(name) ?? new Uint8Array()
  }

  /** @returns what the handler under test answers the peer */
  ask(method: string, body: Uint8Array): Promise<Uint8Array> {
    return this.#handlers.get(method)!(PEER, body, new AbortController().signal)
  }

  async askInBulk(method: string, body: Uint8Array): Promise<Uint8Array> {
    const pieces: Uint8Array[] = []
    const handler = this.#fetchHandlers.get(method)!
    for await (const piece of handler(PEER, body, new AbortController().signal)) pieces.push(piece)
    return Buffer.concat(pieces)
  }

  receive(topic: string, body: Uint8Array): void {
    this.#topics.get(topic)!(PEER, body)
  }

  // --- what the code under test does ---

  tellPast(): void {}

  onPast(): void {}

  async request(_peer: NodeId, method: string, body: Uint8Array): Promise<Uint8Array> {
    this.#sent.set(method, body)
    return message(this.#answers[method] ?? '')
  }

  async *fetch(_peer: NodeId, method: string, body: Uint8Array): AsyncGenerator<Uint8Array> {
    this.#sent.set(method, body)
    yield this.#bulk
  }

  notify(_peer: NodeId, method: string, body: Uint8Array): void {
    this.#sent.set(method, body)
  }

  publish(topic: string, body: Uint8Array): void {
    this.#sent.set(topic, body)
  }

  handle(method: string, handler: RequestHandler): void {
    this.#handlers.set(method, handler)
  }

  handleFetch(method: string, handler: FetchHandler): void {
    this.#fetchHandlers.set(method, handler)
  }

  subscribe(topic: string, handler: (from: NodeId, body: Uint8Array) => void): void {
    this.#topics.set(topic, handler)
  }

  peers(): readonly NodeId[] {
    return [PEER]
  }

  onPeer(): () => void {
    return () => {}
  }

  onDiscovered(): () => void {
    return () => {}
  }

  addresses(): readonly string[] {
    return []
  }

  async dial(): Promise<undefined> {}
  async hangUp(): Promise<void> {}
  async start(): Promise<void> {}
  async stop(): Promise<void> {}
}
