import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hasCode } from '../../../../src/core/errors.js'
import type { RecordKey } from '../../../../src/domain/record.js'
import { GRAVE_GENERATION_MAX } from '../../../../src/domain/record-codec.js'
import { encodeMessage } from '../../../../src/network/rpc/message.js'
import {
  BUCKETS_MAX,
  decodeGetAnswer,
  decodeGetRequest,
  decodeLeavesAnswer,
  decodeLeavesRequest,
  decodeNodesAnswer,
  decodeNodesRequest,
  decodePutAnswer,
  decodePutRequest,
  encodeGetAnswer,
  encodeGetRequest,
  encodeLeavesAnswer,
  encodeLeavesRequest,
  encodeNodesAnswer,
  encodeNodesRequest,
  encodePutAnswer,
  encodePutRequest,
  type Leaf,
  PUT_GRAVES_MAX,
  packLeaves,
  RECORDS_MAX
} from '../../../../src/replication/records/anti-entropy-messages.js'
import { bytesArb, photoIdArb } from '../../../support/domain-arbitraries.js'

const key: fc.Arbitrary<RecordKey> = fc.record({
  kind: fc.oneof(fc.constantFrom('photo', 'volume'), fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 })),
  id: fc.oneof(
    photoIdArb,
    photoIdArb.map(id => id.toUpperCase()),
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }),
    fc.constant('x'.repeat(1_024))
  )
})
const generation = fc.integer({ min: 0, max: GRAVE_GENERATION_MAX })
const leaf: fc.Arbitrary<Leaf> = fc.oneof(fc.record({ key, digest: bytesArb(8) }), fc.record({ key, generation }))
const grave = fc.tuple(key, generation).map(([name, last]) => ({ ...name, generation: last }))
const bucket = fc.integer({ min: 0, max: 0xffff })
const blob = fc.uint8Array({ maxLength: 40 })

const plain = (leaves: readonly Leaf[]): unknown =>
  leaves.map(({ key: { kind, id }, digest, generation }) => [kind, id, generation ?? [...(digest ?? [])]])

describe('anti-entropy messages', () => {
  it('decode to what was encoded', () => {
    fc.assert(
      fc.property(fc.array(key, { minLength: 1, maxLength: 30 }), keys => {
        expect(decodeGetRequest(encodeGetRequest(keys))).toEqual(keys)
      })
    )
    fc.assert(
      fc.property(fc.array(fc.array(leaf, { maxLength: 5 }), { minLength: 1, maxLength: 8 }), buckets => {
        const answer = decodeLeavesAnswer(encodeLeavesAnswer(buckets.map(packLeaves)))
        expect(answer.map(plain)).toEqual(buckets.map(plain))
      })
    )
    fc.assert(
      fc.property(fc.array(bucket, { minLength: 1, maxLength: BUCKETS_MAX }), buckets => {
        expect(decodeLeavesRequest(encodeLeavesRequest(buckets))).toEqual(buckets)
      })
    )
    fc.assert(
      fc.property(fc.nat(3), fc.array(fc.nat(4_095), { minLength: 1, maxLength: 256 }), (level, numbers) => {
        const indexes = numbers.map(number => number % 16 ** level)
        expect(decodeNodesRequest(encodeNodesRequest({ level, indexes }))).toEqual({ level, indexes })
      })
    )
    fc.assert(
      fc.property(bytesArb(16), bytesArb(256), fc.array(blob), (root, children, records) => {
        expect(decodeNodesAnswer(encodeNodesAnswer({ root, children }), 2)).toEqual({ root, children })
        expect(decodeGetAnswer(encodeGetAnswer({ count: 99, records }), 99)).toEqual({ count: 99, records })
        expect(decodePutAnswer(encodePutAnswer(records.length))).toBe(records.length)
      })
    )
  })

  it('of records and graves decode to what was encoded', () => {
    fc.assert(
      fc.property(fc.array(blob), fc.array(grave, { maxLength: 20 }), (records, graves) => {
        expect(decodePutRequest(encodePutRequest({ records, graves }))).toEqual({ records, graves })
      })
    )
  })

  it('have little overhead', () => {
    const photo = { kind: 'photo', id: '019aa1d2-0000-7000-8000-00000000cafe' }
    expect(packLeaves([{ key: photo, digest: new Uint8Array(16) }]).length).toBe(4 + 33)
    expect(packLeaves([{ key: photo, generation: 0 }]).length).toBe(4 + 26)
    expect(encodeNodesRequest({ level: 3, indexes: [1, 2, 3] }).length).toBeLessThan(40)
  })

  it('that are malformed or out of bounds are refused with ERR_PEER_PROTOCOL', () => {
    const many = Array.from({ length: 257 }, () => new Uint8Array(1))
    const long = new Uint8Array(257 * 2)
    const version = 2
    const photo = { kind: 'photo', id: '019aa1d2-0000-7000-8000-00000000cafe' }
    const graves = (count: number, last = 0) => Array.from({ length: count }, () => ({ ...photo, generation: last }))
    const cases: [string, () => unknown][] = [
      [
        'another version',
        () => decodeNodesRequest(encodeMessage({ version: 1, level: 0, indexes: Uint8Array.of(0, 0) }))
      ],
      ['no version', () => decodeNodesRequest(encodeMessage({ level: 0, indexes: Uint8Array.of(0, 0) }))],
      ['a level too deep', () => decodeNodesRequest(encodeNodesRequest({ level: 4, indexes: [0] }))],
      ['no such node', () => decodeNodesRequest(encodeNodesRequest({ level: 1, indexes: [3, 16] }))],
      ['no node at all', () => decodeNodesRequest(encodeNodesRequest({ level: 1, indexes: [] }))],
      ['half a node', () => decodeNodesRequest(encodeMessage({ version, level: 3, indexes: Uint8Array.of(0, 0, 0) }))],
      ['too many nodes', () => decodeNodesRequest(encodeMessage({ version, level: 3, indexes: long }))],
      ['too many buckets', () => decodeLeavesRequest(encodeMessage({ buckets: long }))],
      [
        'a short root',
        () => decodeNodesAnswer(encodeNodesAnswer({ root: new Uint8Array(8), children: new Uint8Array(128) }), 1)
      ],
      [
        'too few children',
        () => decodeNodesAnswer(encodeNodesAnswer({ root: new Uint8Array(16), children: new Uint8Array(127) }), 1)
      ],
      [
        'too many children',
        () => decodeNodesAnswer(encodeNodesAnswer({ root: new Uint8Array(16), children: new Uint8Array(256) }), 1)
      ],
      ['no bucket answered', () => decodeLeavesAnswer(encodeLeavesAnswer([]))],
      ['too many buckets answered', () => decodeLeavesAnswer(encodeLeavesAnswer(many.map(() => packLeaves([]))))],
      ['leaves cut off', () => decodeLeavesAnswer(encodeMessage({ leaves: Uint8Array.of(0, 0, 0, 1, 9) }))],
      [
        'a count beyond the end',
        () => decodeLeavesAnswer(encodeMessage({ leaves: Uint8Array.of(255, 255, 255, 255) }))
      ],
      ['a key cut off', () => decodeGetRequest(encodeMessage({ keys: Uint8Array.of(5, 1) }))],
      ['a key without a kind', () => decodeGetRequest(encodeGetRequest([{ kind: '', id: 'i' }]))],
      ['a kind that no record has', () => decodeGetRequest(encodeGetRequest([{ kind: 'k'.repeat(65), id: 'i' }]))],
      ['an id that no record has', () => decodeGetRequest(encodeGetRequest([{ kind: 'k', id: 'i'.repeat(1_025) }]))],
      [
        'a kind that grows beyond its length, were it sent again',
        () =>
          decodeLeavesAnswer(
            encodeMessage({ leaves: Buffer.from(`000000010000000000000000${'00'}ff${'ff'.repeat(255)}000169`, 'hex') })
          )
      ],
      ['too many keys', () => decodeGetRequest(encodeGetRequest(many.map(() => ({ kind: 'k', id: 'i' }))))],
      ['no key answered', () => decodeGetAnswer(encodeGetAnswer({ count: 0, records: [] }), 1)],
      ['more keys answered than asked', () => decodeGetAnswer(encodeGetAnswer({ count: 2, records: [] }), 1)],
      ['more records than keys', () => decodeGetAnswer(encodeGetAnswer({ count: 1, records: many.slice(0, 2) }), 9)],
      ['too many records', () => decodePutRequest(encodePutRequest({ records: many, graves: [] }))],
      ['records that are none', () => decodePutRequest(encodeMessage({ records: ['x'] }))],
      [
        'too many graves',
        () => decodePutRequest(encodePutRequest({ records: [], graves: graves(PUT_GRAVES_MAX + 1) }))
      ],
      [
        'a grave beyond the bound',
        () => decodePutRequest(encodePutRequest({ records: [], graves: graves(1, GRAVE_GENERATION_MAX + 1) }))
      ],
      [
        'a leaf that buries beyond the bound',
        () =>
          decodeLeavesAnswer(encodeLeavesAnswer([packLeaves([{ key: photo, generation: GRAVE_GENERATION_MAX + 1 }])]))
      ],
      [
        'a generation that is not in its shortest form',
        () => decodeLeavesAnswer(encodeMessage({ leaves: Uint8Array.of(0, 0, 0, 1, 1, 0x80, 0, 1, 107, 0, 1, 105) }))
      ],
      [
        'a leaf of an unknown form',
        () => decodeLeavesAnswer(encodeMessage({ leaves: Uint8Array.of(0, 0, 0, 1, 2, 0) }))
      ],
      [
        'a digest among graves',
        () =>
          decodePutRequest(
            encodeMessage({ records: [], graves: packLeaves([{ key: photo, digest: new Uint8Array(8) }]) })
          )
      ],
      ['too many changes', () => decodePutAnswer(encodePutAnswer(RECORDS_MAX + PUT_GRAVES_MAX + 1))]
    ]
    for (const [what, decode] of cases) {
      expect(decode, what).toThrow(expect.objectContaining({ code: 'ERR_PEER_PROTOCOL' }))
    }
  })

  it('of arbitrary bytes are decoded or refused; nothing else is thrown', () => {
    const decoders: ((body: Uint8Array) => unknown)[] = [
      decodeNodesRequest,
      body => decodeNodesAnswer(body, 1),
      decodeLeavesRequest,
      decodeLeavesAnswer,
      decodeGetRequest,
      body => decodeGetAnswer(body, 3),
      decodePutRequest,
      decodePutAnswer
    ]
    const fields = fc.record({
      keys: fc.uint8Array({ maxLength: 60 }),
      leaves: fc.uint8Array({ maxLength: 60 }),
      buckets: fc.uint8Array({ maxLength: 9 }),
      indexes: fc.uint8Array({ maxLength: 9 }),
      level: fc.nat(5),
      version: fc.nat(2),
      count: fc.nat(4),
      changed: fc.integer(),
      root: fc.uint8Array({ maxLength: 17 }),
      children: fc.uint8Array({ maxLength: 130 }),
      records: fc.array(fc.oneof(blob, fc.string())),
      graves: fc.uint8Array({ maxLength: 60 })
    })
    const body = fc.oneof(fc.uint8Array({ maxLength: 60 }), fields.map(encodeMessage))
    fc.assert(
      fc.property(body, bytes => {
        for (const decode of decoders) {
          try {
            decode(bytes)
          } catch (err) {
            if (!hasCode(err, 'ERR_PEER_PROTOCOL')) throw err
          }
        }
      }),
      { numRuns: 2_000 }
    )
  })
})
