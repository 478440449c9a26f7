import fc from 'fast-check'
import { expect, test } from 'vitest'
import { bornIn, greatestCommon, leastFormat, RECORD_FORMATS } from '../../../src/domain/formats.js'
import { type DirectoryRecord, graveOf, mergeRecords } from '../../../src/domain/record.js'
import {
  canonicalBytes,
  decodeRecord,
  encodeRecord,
  encodeRecordAs,
  formatOf,
  opaqueRecordOf
} from '../../../src/domain/record-codec.js'
import { recordArb } from '../../support/domain-arbitraries.js'
import { hasNextField, NEXT_FORMATS } from '../../support/next-format.js'

const FIELD = 6

/** @returns the record without, and with the field of the next format */
function bothOf(record: DirectoryRecord): readonly [DirectoryRecord, DirectoryRecord] {
  const { extra: _extra, ...plain } = record
  return [plain, bornIn(plain, 3, NEXT_FORMATS)]
}

test('a record is written in the least format that can express it, whoever writes it', () => {
  fc.assert(
    fc.property(recordArb, record => {
      const [plain, later] = bothOf(record)
      expect(encodeRecordAs(NEXT_FORMATS, plain)).toEqual(encodeRecord(plain))
      if (plain.buried !== undefined) return
      const bytes = encodeRecordAs(NEXT_FORMATS, later)
      expect([formatOf(bytes), leastFormat(later, NEXT_FORMATS)]).toEqual([3, 3])
      expect(decodeRecord(bytes, NEXT_FORMATS.max)).toEqual(later)
      expect(() => decodeRecord(bytes)).toThrow('upgrade')
      expect(opaqueRecordOf(bytes)).toEqual({ format: 3, kind: record.kind, id: record.id })
      expect(opaqueRecordOf(bytes, NEXT_FORMATS)).toBeUndefined()
    })
  )
})

test('what needs the next format survives merges, and goes with its life', () => {
  fc.assert(
    fc.property(recordArb, record => {
      const [plain, later] = bothOf(record)
      if (plain.buried !== undefined) return
      expect(leastFormat(mergeRecords(plain, later), NEXT_FORMATS)).toBe(3)
      expect(formatOf(encodeRecordAs(NEXT_FORMATS, mergeRecords(later, graveOf(plain, 0))))).toBe(2)
    })
  )
})

test('bytes in another format than the least are written anew', () => {
  const plain: DirectoryRecord = { kind: 'a', id: 'b', context: new Map(), entries: [] }
  const bytes = encodeRecord(plain)
  expect(canonicalBytes(bytes, plain, NEXT_FORMATS)).toBe(bytes)
  const raised = Uint8Array.from(bytes)
  raised[2] = 3
  const read = decodeRecord(raised, NEXT_FORMATS.max)
  expect(canonicalBytes(raised, read, NEXT_FORMATS)).toEqual(bytes)
  const early = encodeRecord({ ...plain, extra: new Map([[FIELD, 1]]) })
  expect(formatOf(early)).toBe(2)
  expect(formatOf(canonicalBytes(early, decodeRecord(early), NEXT_FORMATS))).toBe(3)
})

test('new photos get what the cluster’s format allows, and no more', () => {
  const plain: DirectoryRecord = { kind: 'photo', id: 'b', context: new Map(), entries: [], extra: new Map([[9, 1]]) }
  expect(bornIn(plain, 2, NEXT_FORMATS)).toBe(plain)
  expect(bornIn(plain, 9, RECORD_FORMATS)).toBe(plain)
  const born = bornIn(plain, 3, NEXT_FORMATS)
  expect([hasNextField(born), born.extra?.get(9)]).toEqual([true, 1])
})

test.each([
  [[1, 1], [1, 1], 1],
  [[1, 3], [2, 5], 3],
  [[2, 5], [1, 2], 2],
  [[1, 1], [2, 2], undefined],
  [[4, 4], [1, 3], undefined]
] as const)('of %j and %j the greatest common version is %s', ([minA, maxA], [minB, maxB], common) => {
  expect(greatestCommon({ min: minA, max: maxA }, { min: minB, max: maxB })).toBe(common)
})
