import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { hasCode } from '../../../../src/core/errors.js'
import type { Value } from '../../../../src/domain/cbor.js'
import type { ModelId } from '../../../../src/domain/features.js'
import { HLC_MAX, type Hlc } from '../../../../src/domain/hlc.js'
import type { ActorId, NodeId, VolumeId } from '../../../../src/domain/ids.js'
import { decodeHeartbeat, encodeHeartbeat, type Heartbeat } from '../../../../src/network/membership/heartbeat.js'
import { decodePeers, encodePeers } from '../../../../src/network/membership/peer-exchange-messages.js'
import { encodeMessage } from '../../../../src/network/rpc/message.js'

const hex = (characters: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: characters, maxLength: characters })
const count = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
const epoch = hex(16) as fc.Arbitrary<ActorId>

const TIME_MS_MAX = Date.parse('9999-12-31T23:59:59.999Z')

const REQUIRED = {
  epoch,
  sequence: count,
  name: fc.string({ maxLength: 64, unit: 'binary' }),
  addresses: fc.array(fc.string({ maxLength: 64, unit: 'binary' }), { maxLength: 8 }),
  directoryDigest: hex(32),
  volumesDigest: fc.oneof(hex(32), hex(0)),
  freeBytes: count,
  totalBytes: count,
  version: fc.string({ maxLength: 64 }),
  now: fc.bigInt({ min: 0n, max: HLC_MAX }) as fc.Arbitrary<Hlc>,
  heads: fc.array(
    fc.record({
      volume: fc.tuple(epoch, fc.integer({ min: 1, max: 0xffff_ffff })).map(parts => parts.join('-') as VolumeId),
      bytes: fc.integer({ min: 0, max: 1_000_000_000 })
    }),
    { maxLength: 64 }
  ),
  indexes: fc.array(
    fc.record({
      model: hex(16) as fc.Arbitrary<ModelId>,
      shards: fc.uniqueArray(fc.integer({ min: 0, max: 63 })).map(shards => new Set(shards))
    }),
    { maxLength: 4 }
  )
}
const heartbeats = fc.record(
  {
    ...REQUIRED,
    purgedToMs: fc.integer({ min: 0, max: TIME_MS_MAX }),
    isFull: fc.constant(true),
    tools: fc.array(fc.string({ maxLength: 32, unit: 'binary' }), { maxLength: 8 })
  },
  { requiredKeys: Object.keys(REQUIRED) as (keyof typeof REQUIRED)[] }
) as fc.Arbitrary<Heartbeat>

const HEARTBEAT: Heartbeat = {
  epoch: '0123456789abcdef' as ActorId,
  sequence: 3,
  name: 'n',
  addresses: ['/ip4/10.0.0.1/tcp/4001'],
  directoryDigest: 'aa',
  volumesDigest: 'bb',
  freeBytes: 1,
  totalBytes: 2,
  version: '1',
  now: 5n as Hlc,
  heads: [{ volume: '0123456789abcdef-1' as VolumeId, bytes: 256 }]
}

/** HEARTBEAT as `encodeHeartbeat` encodes it, with some fields replaced. */
function body(changed: Record<string, Value | undefined>): Uint8Array {
  const now = new Uint8Array(8)
  now[7] = 5
  return encodeMessage({
    epoch: Buffer.from(HEARTBEAT.epoch, 'hex'),
    sequence: 3,
    name: 'n',
    addresses: HEARTBEAT.addresses,
    directory: 'aa',
    volumes: 'bb',
    free: 1,
    total: 2,
    version: '1',
    now,
    heads: [
      new Map<string, Value>([
        ['volume', '0123456789abcdef-1'],
        ['bytes', 256]
      ])
    ],
    ...changed
  })
}

function index(model: Value, shards: Value): Value {
  return new Map<string, Value>([
    ['model', model],
    ['shards', shards]
  ])
}

function refused(read: () => unknown): boolean {
  try {
    read()
    return false
  } catch (err) {
    if (hasCode(err, 'ERR_PEER_PROTOCOL')) return true
    throw err
  }
}

describe('heartbeats', () => {
  test('decode to what was encoded', () => {
    fc.assert(
      fc.property(heartbeats, heartbeat => {
        expect(decodeHeartbeat(encodeHeartbeat(heartbeat))).toEqual(heartbeat)
      })
    )
    expect(encodeHeartbeat(HEARTBEAT)).toEqual(body({}))
  })

  test('of newer nodes may have more fields', () => {
    expect(decodeHeartbeat(body({ horizon: 1n << 63n, model: ['x', null] }))).toEqual(HEARTBEAT)
  })

  test.each<[string, Record<string, Value | undefined>]>([
    ['epoch', { epoch: new Uint8Array(7) }],
    ['epoch', { epoch: '0123456789abcdef' }],
    ['sequence', { sequence: -1 }],
    ['sequence', { sequence: 0.5 }],
    ['name', { name: 'x'.repeat(257) }],
    ['name', { name: undefined }],
    ['addresses', { addresses: Array.from({ length: 9 }, () => '/x') }],
    ['addresses', { addresses: ['x'.repeat(257)] }],
    ['addresses', { addresses: [1] }],
    ['addresses', { addresses: '/x' }],
    ['directory', { directory: 'AA' }],
    ['volumes', { volumes: 'a'.repeat(65) }],
    ['free', { free: 1n << 63n }],
    ['total', { total: null }],
    ['version', { version: 'x'.repeat(65) }],
    ['now', { now: new Uint8Array(9) }],
    ['now', { now: new Uint8Array(7) }],
    ['now', { now: 5 }],
    ['purged', { purged: -1 }],
    ['purged', { purged: 0.5 }],
    ['purged', { purged: '1' }],
    ['purged', { purged: null }],
    ['purged', { purged: TIME_MS_MAX + 1 }],
    ['heads', { heads: [1] }],
    ['indexes', { indexes: [1] }],
    ['indexes', { indexes: Array.from({ length: 5 }, () => new Map()) }],
    ['model', { indexes: [index(new Uint8Array(7), new Uint8Array(8))] }],
    ['shards', { indexes: [index(new Uint8Array(8), new Uint8Array(7))] }],
    ['shards', { indexes: [index(new Uint8Array(8), 1)] }],
    ['heads', { heads: Array.from({ length: 65 }, () => new Map<string, Value>([['volume', 'x']])) }],
    [
      'volume',
      {
        heads: [
          new Map<string, Value>([
            ['volume', 'x'],
            ['bytes', 1]
          ])
        ]
      }
    ],
    [
      'bytes',
      {
        heads: [
          new Map<string, Value>([
            ['volume', '0123456789abcdef-1'],
            ['bytes', 2 ** 50]
          ])
        ]
      }
    ]
  ])('with an invalid %s are refused', (name, changed) => {
    expect(() => decodeHeartbeat(body(changed))).toThrow(
      expect.objectContaining({ code: 'ERR_PEER_PROTOCOL', message: expect.stringContaining(`"${name}"`) })
    )
  })

  test('that were damaged are refused or decode to another heartbeat', () => {
    fc.assert(
      fc.property(heartbeats, fc.nat(), fc.integer({ min: 1, max: 255 }), (heartbeat, at, flip) => {
        const bytes = encodeHeartbeat(heartbeat)
        bytes[at % bytes.length] = (bytes[at % bytes.length] ?? 0) ^ flip
        if (!refused(() => decodeHeartbeat(bytes))) expect(decodeHeartbeat(bytes)).not.toEqual(heartbeat)
        expect(refused(() => decodeHeartbeat(encodeHeartbeat(heartbeat).slice(0, at % bytes.length)))).toBe(true)
      })
    )
  })

  test('are cut to their bounds', () => {
    const volumes = Array.from({ length: 100 }, (_, i) => `0123456789abcdef-${i + 1}` as VolumeId)
    const sent = decodeHeartbeat(
      encodeHeartbeat({
        ...HEARTBEAT,
        name: `${'x'.repeat(255)}📷`,
        addresses: ['y'.repeat(300), ...Array.from({ length: 20 }, (_, i) => `/${i}`)],
        version: 'v'.repeat(100),
        heads: volumes.map(volume => ({ volume, bytes: 8 }))
      })
    )
    expect(sent.name).toBe(`${'x'.repeat(255)}\ufffd`)
    expect(sent.addresses).toEqual(['/0', '/1', '/2', '/3', '/4', '/5', '/6', '/7'])
    expect(sent).not.toHaveProperty('purgedToMs')
    const purgedTo = (purgedToMs: number): number | undefined =>
      decodeHeartbeat(encodeHeartbeat({ ...HEARTBEAT, purgedToMs })).purgedToMs
    expect([8.5, -8, 1e300].map(purgedTo)).toEqual([8, 0, TIME_MS_MAX])
    expect(sent.heads.map(({ volume }) => volume)).toEqual(volumes.slice(-64))
  })
})

describe('lists of members', () => {
  const peer = (i: number, addresses = ['/a']): { id: NodeId; addresses: string[] } => ({
    id: `12D3KooW${i}` as NodeId,
    addresses
  })

  test('decode to what was encoded, at most a thousand members', () => {
    const peers = [peer(1, []), peer(2, ['/a', '/b'])]
    expect(decodePeers(encodePeers(peers))).toEqual(peers)
    const many = Array.from({ length: 1_005 }, (_, i) => peer(i))
    expect(decodePeers(encodePeers(many))).toEqual(many.slice(0, 1_000))
  })

  test('are refused when they are malformed', () => {
    for (const id of ['', 'a b', 'a\nb', 'é', 'x'.repeat(129)]) {
      expect(refused(() => decodePeers(encodePeers([{ id: id as NodeId, addresses: [] }])))).toBe(true)
    }
    const long = new Map<string, Value>([
      ['id', 'x'],
      ['addresses', Array.from({ length: 9 }, () => '/x')]
    ])
    expect(refused(() => decodePeers(encodeMessage({ peers: [long] })))).toBe(true)
    expect(refused(() => decodePeers(encodeMessage({})))).toBe(true)
  })
})
