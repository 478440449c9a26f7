import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DamageError } from '../../../src/directory/damage.js'
import {
  addedOf,
  addedPosition,
  photoIdOfPosition,
  takenPosition,
  termKey,
  termOfKey,
  termPrefix,
  termStartPrefix
} from '../../../src/directory/index-keys.js'
import {
  appliedKey,
  asBuffer,
  bucketOfLeafKey,
  leafKey,
  leafRange,
  openSealed,
  rangeOf,
  recordKeyFrom,
  recordRange,
  recordRowKey,
  sealedRow,
  u64,
  u64From,
  volumeOfAppliedKey
} from '../../../src/directory/keys.js'
import type { Hlc } from '../../../src/domain/hlc.js'
import { type ActorId, type PhotoId, volumeId } from '../../../src/domain/ids.js'

const text = fc.string({ unit: 'binary', maxLength: 12 })
const uuid = fc.uuid().map(id => id as PhotoId)
const recordKey = fc.record({
  kind: text,
  id: fc.oneof(
    text,
    uuid,
    uuid.map(id => id.toUpperCase())
  )
})
const hlc = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(value => value as Hlc)
const order = (a: Uint8Array, b: Uint8Array): number => Math.sign(Buffer.compare(a, b))

describe('record keys', () => {
  it('are decoded from record and leaf rows', () => {
    fc.assert(
      fc.property(recordKey, fc.nat(0xffff), (key, bucket) => {
        expect(recordKeyFrom(recordRowKey(key))).toEqual(key)
        expect(recordKeyFrom(leafKey(bucket, key))).toEqual(key)
        expect(bucketOfLeafKey(leafKey(bucket, key))).toBe(bucket)
      })
    )
  })

  it('differ for different records, and lie only in the range of their kind', () => {
    fc.assert(
      fc.property(recordKey, recordKey, (a, b) => {
        const same = a.kind === b.kind && a.id === b.id
        expect(order(recordRowKey(a), recordRowKey(b)) === 0).toBe(same)
        const { gte, lt } = recordRange(a.kind)
        const inRange = order(recordRowKey(b), gte) >= 0 && order(recordRowKey(b), lt) < 0
        expect(inRange).toBe(a.kind === b.kind)
      })
    )
  })

  it('take 16 bytes for a UUID, but only in its canonical spelling', () => {
    const id = '01890a5d-ac96-774b-bcce-b302099a8057'
    expect(asBuffer(recordRowKey({ kind: 'photo', id })).toString('hex')).toBe(
      '0670686f746f00000101890a5dac96774bbcceb302099a8057'
    )
    expect(recordRowKey({ kind: 'photo', id: id.toUpperCase() })).toHaveLength(45)
  })

  it('are damage when they are truncated', () => {
    expect(() => recordKeyFrom(Buffer.from('0670686f746f', 'hex'))).toThrow(DamageError)
    expect(() => recordKeyFrom(Buffer.from('0670686f746f00000101', 'hex'))).toThrow(DamageError)
  })

  it('of buckets in a row lie only in their range', () => {
    fc.assert(
      fc.property(recordKey, fc.nat(0xffff), fc.nat(0xffff), fc.nat(0xffff), (key, a, b, other) => {
        const [first, last] = a < b ? [a, b] : [b, a]
        for (const bucket of [first, last, other]) {
          const { gte, lt } = leafRange(first, last)
          const leaf = leafKey(bucket, key)
          expect(order(leaf, gte) >= 0 && order(leaf, lt) < 0).toBe(first <= bucket && bucket <= last)
        }
      })
    )
  })
})

const TABLE = 0x07

describe('index keys', () => {
  it('sort by birth, then by id, within a term', () => {
    fc.assert(
      fc.property(text, hlc, hlc, uuid, uuid, (term, hlcA, hlcB, idA, idB) => {
        const expected = hlcA === hlcB ? order(Buffer.from(idA), Buffer.from(idB)) : hlcA < hlcB ? -1 : 1
        const actual = order(
          termKey(TABLE, term, addedPosition(hlcA, idA)),
          termKey(TABLE, term, addedPosition(hlcB, idB))
        )
        expect(actual).toBe(expected)
      })
    )
  })

  it('of when photos were taken sort by that first, also before 1970, and tell when they were added', () => {
    const ms = fc.integer({ min: -4e12, max: 4e12 })
    fc.assert(
      fc.property(ms, ms, hlc, hlc, uuid, (msA, msB, hlcA, hlcB, id) => {
        const [a, b] = [addedPosition(hlcA, id), addedPosition(hlcB, id)]
        const [takenA, takenB] = [takenPosition(msA, a), takenPosition(msB, b)]
        expect(order(takenA, takenB)).toBe(msA === msB ? order(a, b) : msA < msB ? -1 : 1)
        expect(order(addedOf(takenA), a)).toBe(0)
        expect(termOfKey(termKey(TABLE, 'x', takenA), 'taken')).toBe('x')
      })
    )
  })

  it('lie only in the range of their term and in those of its prefixes', () => {
    fc.assert(
      fc.property(text, text, hlc, uuid, (term, other, stamp, id) => {
        const key = termKey(TABLE, term, addedPosition(stamp, id))
        const within = (prefix: Uint8Array): boolean => {
          const { gte, lt } = rangeOf(prefix)
          return order(key, gte) >= 0 && order(key, lt) < 0
        }
        expect(within(termPrefix(TABLE, other))).toBe(term === other)
        expect(within(termStartPrefix(TABLE, other))).toBe(term.startsWith(other))
        expect(termOfKey(key)).toBe(term)
        expect(photoIdOfPosition(key)).toBe(id)
      })
    )
  })
})

describe('volumes and numbers', () => {
  it('are decoded from their bytes', () => {
    const volume = volumeId('00ff10aa0b0c0d0e' as ActorId, 4_294_967_295)
    expect(volumeOfAppliedKey(appliedKey(volume))).toBe(volume)
    expect(u64From(asBuffer(u64(Number.MAX_SAFE_INTEGER)))).toBe(Number.MAX_SAFE_INTEGER)
    expect(() => volumeOfAppliedKey(Uint8Array.of(2, 1))).toThrow(DamageError)
  })
})

describe('seals', () => {
  it('match the sealed row, and no other', () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 40 })
    fc.assert(
      fc.property(bytes, bytes, fc.nat(), (key, payload, where) => {
        const row = sealedRow(key, payload)
        expect(Uint8Array.from(openSealed(row.key, row.value))).toEqual(payload)
        const bit = where % ((key.length + row.value.length) * 8)
        const all = Buffer.concat([row.key, row.value])
        all[bit >> 3] = (all[bit >> 3] ?? 0) ^ (1 << (bit & 7))
        expect(() => openSealed(all.subarray(0, key.length), all.subarray(key.length))).toThrow(DamageError)
      })
    )
  })

  it('require the expected length of the row', () => {
    const row = sealedRow(Uint8Array.of(1), u64(7))
    expect(() => openSealed(row.key, row.value, 16)).toThrow(DamageError)
    expect(() => openSealed(row.key, row.value.subarray(0, 3))).toThrow(DamageError)
  })
})
