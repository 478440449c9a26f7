import { encode } from 'cborg'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SheafError } from '../../../src/core/errors.js'
import { GENERATION_MAX } from '../../../src/domain/entry.js'
import { changeRecord, type DirectoryRecord, graveOf, mergeRecords } from '../../../src/domain/record.js'
import {
  canonicalBytes,
  decodeRecord,
  encodeRecord,
  GRAVE_GENERATION_MAX,
  RECORD_BYTES_MAX,
  RECORD_FORMAT
} from '../../../src/domain/record-codec.js'
import { ACTORS, countingStamper, PHOTO_KEY, recordArb, unknownFieldsArb } from '../../support/domain-arbitraries.js'
import { surviveInvariants } from '../../support/survive-invariants.js'

surviveInvariants()

const MALFORMED = expect.objectContaining({ code: 'ERR_RECORD_MALFORMED' })
const [A, B] = ACTORS as [(typeof ACTORS)[0], (typeof ACTORS)[0]]

/** A record as plain maps, to be corrupted. */
type Fields = Map<number, unknown>

const actorBytes = (actor: string): Buffer => Buffer.from(actor, 'hex')
const lifeBytes = (actor: string, life: number): Buffer =>
  Buffer.from(`${actor}${life.toString(16).padStart(8, '0')}`, 'hex')

function entryFields(...changes: [number, unknown][]): Fields {
  return new Map<number, unknown>([[0, 0], [1, 1], [2, 9], ...changes])
}

function recordBytes(...changes: [number, unknown][]): Uint8Array {
  const fields: Fields = new Map<number, unknown>([
    [0, RECORD_FORMAT],
    [1, 'photo'],
    [2, 'x']
  ])
  fields.set(3, new Map([[actorBytes(A), 2]]))
  fields.set(4, [entryFields()])
  for (const [field, value] of changes) value === undefined ? fields.delete(field) : fields.set(field, value)
  // The general library sorts by length first, which is the canonical order for these keys.
  return encode(fields)
}

describe('record codec', () => {
  it('encodes and decodes every record, unknown fields included', () => {
    fc.assert(
      fc.property(recordArb, record => {
        expect(decodeRecord(encodeRecord(record))).toEqual(record)
      }),
      { numRuns: 300 }
    )
  })

  it('writes one encoding of one state, however its maps were filled', () => {
    fc.assert(
      fc.property(recordArb, record => {
        const shuffled: DirectoryRecord = {
          ...record,
          context: new Map([...record.context].reverse()),
          entries: record.entries.map(entry => ({ ...entry, value: new Map([...entry.value].reverse()) })),
          ...(record.extra === undefined ? {} : { extra: new Map([...record.extra].reverse()) })
        }
        expect(encodeRecord(shuffled)).toEqual(encodeRecord(record))
      })
    )
  })

  it('rejects every other encoding: changed, truncated or extended bytes', () => {
    fc.assert(
      fc.property(recordArb, fc.nat(), fc.nat({ max: 255 }), fc.boolean(), (record, at, byte, cut) => {
        const bytes = encodeRecord(record)
        const damaged = cut ? bytes.slice(0, at % bytes.length) : bytes
        if (!cut) damaged[at % bytes.length] = byte
        let decoded: DirectoryRecord
        try {
          decoded = decodeRecord(damaged)
        } catch (error) {
          expect(error).toBeInstanceOf(SheafError)
          return
        }
        if (damaged[2] === RECORD_FORMAT) expect(encodeRecord(decoded)).toEqual(damaged) // else it became format 1
      }),
      { numRuns: 1000 }
    )
  })

  it('accepts the record that the next test corrupts', () => {
    expect(decodeRecord(recordBytes()).entries).toHaveLength(1)
  })

  it.each<[string, Uint8Array]>([
    ['format 0', recordBytes([0, 0])],
    ['no format', recordBytes([0, undefined])],
    ['no kind', recordBytes([1, undefined])],
    ['an empty kind', recordBytes([1, ''])],
    ['a kind that is too long', recordBytes([1, 'k'.repeat(65)])],
    ['an empty id', recordBytes([2, ''])],
    ['an id that is too long', recordBytes([2, 'i'.repeat(1025)])],
    ['no context', recordBytes([3, undefined])],
    ['no entries', recordBytes([4, undefined])],
    ['an actor of another length', recordBytes([3, new Map([[Buffer.alloc(7), 2]])])],
    [
      'an actor without writes',
      recordBytes([
        3,
        new Map([
          [actorBytes(A), 2],
          [actorBytes(B), 0]
        ])
      ])
    ],
    ['a counter beyond the bound', recordBytes([3, new Map([[actorBytes(A), 2 ** 48 + 1]])])],
    ['an entry of an actor outside the context', recordBytes([4, [entryFields([0, 1])]])],
    ['an entry beyond the context', recordBytes([4, [entryFields([1, 3])]])],
    ['an entry with counter 0', recordBytes([4, [entryFields([1, 0])]])],
    ['a dot twice', recordBytes([4, [entryFields(), entryFields()]])],
    ['entries out of order', recordBytes([4, [entryFields([1, 2]), entryFields([1, 1])]])],
    ['generation 0 spelled out', recordBytes([4, [entryFields([3, 0])]])],
    ['a generation beyond the bound', recordBytes([3, new Map([[lifeBytes(A, GENERATION_MAX + 1), 2]])])],
    ['life 0 in 12 bytes', recordBytes([3, new Map([[lifeBytes(A, 0), 2]])])],
    ['an entry of life 1 under a dot of life 0', recordBytes([4, [entryFields([3, 1])]])],
    ['an entry of life 0 under a dot of life 1', recordBytes([3, new Map([[lifeBytes(A, 1), 2]])])],
    ['an entry of a life that is over', recordBytes([5, 1])],
    ['dots of a life that is over', recordBytes([3, new Map([[lifeBytes(A, 1), 2]])], [4, []], [5, 2])],
    ['no buried life spelled out', recordBytes([5, 0])],
    ['too many buried lives', recordBytes([3, new Map()], [4, []], [5, GRAVE_GENERATION_MAX + 2])],
    ['unknown fields of a buried life', recordBytes([3, new Map()], [4, []], [5, 1], [6, 1])],
    ['deleted: false spelled out', recordBytes([4, [entryFields([4, false])]])],
    ['the version field spelled out', recordBytes([4, [entryFields([5, 'version'])]])],
    ['an empty field', recordBytes([4, [entryFields([5, ''])]])],
    ['an empty key spelled out', recordBytes([4, [entryFields([6, ''])]])],
    ['a key that is too long', recordBytes([4, [entryFields([6, 'k'.repeat(1025)])]])],
    ['an empty value spelled out', recordBytes([4, [entryFields([7, new Map()])]])],
    ['a value that is no map', recordBytes([4, [entryFields([7, 1])]])],
    ['trailing bytes', Buffer.concat([recordBytes(), Buffer.alloc(1)])],
    ['nothing', new Uint8Array()],
    ['no map', encode([1, 'photo'])],
    ['too many bytes', new Uint8Array(RECORD_BYTES_MAX + 1)]
  ])('refuses %s', (_what, bytes) => {
    expect(() => decodeRecord(bytes)).toThrow(MALFORMED)
  })

  it('distinguishes a later format from damage', () => {
    expect(() => decodeRecord(recordBytes([0, RECORD_FORMAT + 1], [1, undefined]))).toThrow(
      expect.objectContaining({ code: 'ERR_FORMAT_TOO_NEW' })
    )
  })

  it('reads format 1: each life up to the last gets the context of all, and unknown fields move up', () => {
    const [life0, life2] = [entryFields([1, 1]), entryFields([1, 2], [3, 2])]
    const old = recordBytes([0, 1], [4, [life0, life2]], [5, 'to come'])
    const record = decodeRecord(old)
    const [scoped1, scoped2] = [`${A}00000001`, `${A}00000002`]
    expect(new Map(record.context)).toEqual(
      new Map([
        [A, 2],
        [scoped1, 2],
        [scoped2, 2]
      ])
    )
    expect(record.entries.map(({ dot, generation }) => [dot.actor, dot.counter, generation])).toEqual([
      [A, 1, 0],
      [scoped2, 2, 2]
    ])
    expect(record.extra).toEqual(new Map([[6, 'to come']]))
    const bytes = canonicalBytes(old, record)
    expect(decodeRecord(bytes)).toEqual(record)
    expect(canonicalBytes(bytes, record)).toBe(bytes)
  })

  it('gives lives of format 1 a bounded number of dots, whatever generation is claimed', () => {
    const { context } = decodeRecord(recordBytes([0, 1], [4, [entryFields([1, 1], [3, GENERATION_MAX])]]))
    expect(context.size).toBe(1 + 2 ** 14)
    expect([...context.keys()]).toContain(`${A}00100000`)
  })

  it('refuses lives of format 1 whose dots would fill the memory', () => {
    const actors = Array.from({ length: 600 }, (_, i) => i.toString(16).padStart(16, '0'))
    const context = new Map(actors.map(actor => [actorBytes(actor), 600] as const))
    const entries = (lives: number): Fields[] =>
      Array.from({ length: lives }, (_, life) =>
        life === 0 ? entryFields([1, 1]) : entryFields([1, life + 1], [3, life])
      )
    expect(() => decodeRecord(recordBytes([0, 1], [3, context], [4, entries(600)]))).toThrow(MALFORMED)
    expect(decodeRecord(recordBytes([0, 1], [3, context], [4, entries(20)])).context.size).toBe(600 * 20)
  })

  it('spends 24 bytes and its key on a grave', () => {
    const grave = graveOf(PHOTO_KEY, 3)
    expect(decodeRecord(encodeRecord(grave))).toEqual(grave)
    expect(encodeRecord(grave).byteLength - PHOTO_KEY.id.length).toBeLessThanOrEqual(24)
  })

  it('does not encode what it could not decode', () => {
    const record = decodeRecord(recordBytes())
    const [entry] = record.entries as [(typeof record.entries)[0]]
    expect(() => encodeRecord({ ...record, context: new Map() })).toThrow('context')
    expect(() => encodeRecord({ ...record, context: new Map([[A, 0]]) })).toThrow('context')
    expect(() => encodeRecord({ ...record, entries: [{ ...entry, generation: 1 }] })).toThrow('another life')
    expect(() => encodeRecord({ ...record, buried: 1, entries: [] })).toThrow('over')
    expect(() => encodeRecord({ ...graveOf(record, 0), extra: new Map([[6, 1]]) })).toThrow('buried')
    expect(decodeRecord(encodeRecord(graveOf(record, GRAVE_GENERATION_MAX)))).toEqual(
      graveOf(record, GRAVE_GENERATION_MAX)
    )
    expect(() => encodeRecord(graveOf(record, GRAVE_GENERATION_MAX + 1))).toThrow('buried')
    expect(() => encodeRecord({ ...record, entries: [entry, entry] })).toThrow('order')
    expect(() => encodeRecord({ ...record, extra: new Map([[5, 1]]) })).toThrow('unknown')
    expect(() => encodeRecord({ ...record, id: '' })).toThrow(MALFORMED)
    const huge = new Map([['x', new Uint8Array(RECORD_BYTES_MAX)]])
    expect(() => encodeRecord({ ...record, entries: [{ ...entry, value: huge }] })).toThrow(MALFORMED)
  })

  it('keeps unknown fields at every level through decode, merge, change and encode', () => {
    const unknown = unknownFieldsArb(50)
    fc.assert(
      fc.property(unknown, unknown, unknown, (ofRecord, ofVersion, ofTag) => {
        const plain = changeRecord(PHOTO_KEY, undefined, countingStamper(A), [
          {
            kind: 'version',
            value: new Map([
              ['name', 'n'],
              ['future', 'kept']
            ])
          },
          { kind: 'add', field: 'tags', key: 't' },
          { kind: 'add', field: 'future', key: 'k', value: new Map([['x', 1]]) }
        ])
        const [version, tag, future] = plain.entries as [never, never, never]
        const newer: DirectoryRecord = {
          ...plain,
          extra: ofRecord,
          entries: [{ ...(version as object), extra: ofVersion }, { ...(tag as object), extra: ofTag }, future] as never
        }
        const decoded = decodeRecord(encodeRecord(newer))
        const other = changeRecord(PHOTO_KEY, decoded, countingStamper(B), [{ kind: 'add', field: 'tags', key: 'u' }])
        const merged = mergeRecords(other, decoded)
        const changed = changeRecord(PHOTO_KEY, merged, countingStamper(B), [
          { kind: 'version', value: merged.entries[0]!.value, deleted: true, carry: () => true },
          { kind: 'add', field: 'tags', key: 't' }
        ])
        const kept = decodeRecord(encodeRecord(changed))
        expect(kept.extra).toEqual(ofRecord)
        const entryOf = (field: string, key: string) =>
          kept.entries.find(entry => entry.field === field && entry.key === key)
        expect(entryOf('version', '')?.extra).toEqual(ofVersion)
        expect(entryOf('version', '')?.value.get('future')).toBe('kept')
        expect(entryOf('tags', 't')?.extra).toEqual(ofTag)
        expect(entryOf('future', 'k')?.value).toEqual(new Map([['x', 1]]))
        expect(kept.entries.every(entry => entry.deleted)).toBe(true)
      })
    )
  })
})
