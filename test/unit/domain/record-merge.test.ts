import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { VALUE_DEPTH_MAX, type Value } from '../../../src/domain/cbor.js'
import { compareVersions, type Entry, greaterContent } from '../../../src/domain/entry.js'
import type { Hlc } from '../../../src/domain/hlc.js'
import type { ActorId } from '../../../src/domain/ids.js'
import { type DirectoryRecord, graveOf, mergeRecords } from '../../../src/domain/record.js'
import { decodeRecord, encodeRecord } from '../../../src/domain/record-codec.js'
import { covers, dominates, lifeOf, withoutLivesBelow } from '../../../src/domain/version-vector.js'
import { ACTORS, PHOTO_KEY, recordArb } from '../../support/domain-arbitraries.js'
import { surviveInvariants } from '../../support/survive-invariants.js'

surviveInvariants()

function expectSame(a: DirectoryRecord, b: DirectoryRecord): void {
  expect(Buffer.from(encodeRecord(a)).toString('hex')).toBe(Buffer.from(encodeRecord(b)).toString('hex'))
}

describe('merge of arbitrary records', () => {
  it('is commutative', () => {
    fc.assert(fc.property(recordArb, recordArb, (a, b) => expectSame(mergeRecords(a, b), mergeRecords(b, a))))
  })

  it('takes values as deep as records hold them, also of two contents of one dot', () => {
    const deep = (leaf: Value): Value =>
      Array.from({ length: VALUE_DEPTH_MAX - 1 }).reduce((value: Value) => [value], leaf)
    const recordOf = (leaf: Value): DirectoryRecord => {
      const actor = ACTORS[0] as ActorId
      const [value, extra] = [new Map([['v', deep(leaf)]]), new Map([[8, [deep(leaf)]]])]
      const rest = { hlc: 1n as Hlc, generation: 0, deleted: false, field: 'version', key: '', value, extra }
      const record = {
        ...PHOTO_KEY,
        context: new Map([[actor, 1]]),
        entries: [{ dot: { actor, counter: 1 }, ...rest }]
      }
      return decodeRecord(encodeRecord(record))
    }
    const [a, b] = [recordOf(1), recordOf(2)]
    expectSame(mergeRecords(a, b), b)
    expectSame(mergeRecords(b, a), b)
  })

  it('is associative', () => {
    fc.assert(
      fc.property(recordArb, recordArb, recordArb, (a, b, c) =>
        expectSame(mergeRecords(mergeRecords(a, b), c), mergeRecords(a, mergeRecords(b, c)))
      ),
      { numRuns: 500 }
    )
  })

  it('is idempotent, also with a copy of itself and with its inputs', () => {
    fc.assert(
      fc.property(recordArb, recordArb, (a, b) => {
        const merged = mergeRecords(a, b)
        expectSame(mergeRecords(a, decodeRecord(encodeRecord(a))), a)
        expectSame(mergeRecords(merged, a), merged)
        expectSame(mergeRecords(b, merged), merged)
      })
    )
  })

  it('never restores what a side has dropped, and keeps everything else', () => {
    fc.assert(
      fc.property(recordArb, recordArb, (a, b) => {
        const merged = mergeRecords(a, b)
        const buried = Math.max(a.buried ?? 0, b.buried ?? 0)
        expect(merged.buried ?? 0).toBe(buried)
        for (const { context } of [a, b])
          expect(dominates(merged.context, withoutLivesBelow(context, buried))).toBe(true)
        expect([...merged.context.keys()].every(actor => lifeOf(actor) >= buried)).toBe(true)
        for (const [side, other] of [
          [a, b],
          [b, a]
        ] as const) {
          for (const { dot, generation } of side.entries) {
            const has = (record: DirectoryRecord): boolean =>
              record.entries.some(entry => entry.dot.actor === dot.actor && entry.dot.counter === dot.counter)
            expect(has(merged)).toBe(generation >= buried && (has(other) || !covers(other.context, dot)))
          }
        }
      })
    )
  })

  it('commutes with burial: before or after, the same lives are over', () => {
    fc.assert(
      fc.property(recordArb, recordArb, fc.nat({ max: 3 }), (a, b, generation) => {
        const grave = graveOf(PHOTO_KEY, generation)
        const buriedFirst = mergeRecords(mergeRecords(a, grave), b)
        expectSame(buriedFirst, mergeRecords(mergeRecords(a, b), grave))
        expectSame(mergeRecords(buriedFirst, grave), buriedFirst)
        expect(buriedFirst.entries.every(entry => entry.generation > generation)).toBe(true)
      })
    )
  })

  it('yields records that the codec accepts', () => {
    fc.assert(
      fc.property(recordArb, recordArb, (a, b) => {
        const merged = mergeRecords(a, b)
        expect(decodeRecord(encodeRecord(merged))).toEqual(merged)
      })
    )
  })

  it('keeps the greater of two unknown fields', () => {
    const record: DirectoryRecord = { ...PHOTO_KEY, context: new Map(), entries: [] }
    const a = new Map<number, Value>([
      [6, 1],
      [7, 'b']
    ])
    const b = new Map<number, Value>([
      [6, 2],
      [7, 'a']
    ])
    const merged = mergeRecords({ ...record, extra: a }, { ...record, extra: b })
    expect(merged.extra).toEqual(
      new Map<number, Value>([
        [6, 2],
        [7, 'b']
      ])
    )
  })

  it('refuses records of two keys', () => {
    const record: DirectoryRecord = { ...PHOTO_KEY, context: new Map(), entries: [] }
    expect(() => mergeRecords(record, { ...record, id: 'other' })).toThrow('two keys')
  })
})

describe('orders', () => {
  const entries = recordArb.map(record => record.entries)

  it('of versions is total: antisymmetric and transitive', () => {
    fc.assert(
      fc.property(entries, list => {
        const sorted = list.toSorted(compareVersions)
        sorted.forEach((a, i) => {
          sorted.forEach((b, j) => {
            expect(Math.sign(compareVersions(a, b))).toBe(Math.sign(i - j))
          })
        })
      })
    )
  })

  it('puts generation before deletion, deletion before time, time before actor', () => {
    const make = (generation: number, deleted: boolean, hlc: bigint, actor: number): Entry => ({
      dot: { actor: ACTORS[actor] ?? ACTORS[0]!, counter: 1 },
      hlc: hlc as Hlc,
      generation,
      deleted,
      field: 'version',
      key: '',
      value: new Map()
    })
    const ascending = [
      make(0, false, 9n, 2),
      make(0, true, 1n, 0),
      make(0, true, 1n, 1),
      make(0, true, 2n, 0),
      make(1, false, 0n, 0)
    ]
    expect(ascending.toReversed().sort(compareVersions)).toEqual(ascending)
  })

  it('of contents under one dot is that of their bytes, from either side', () => {
    const base: Entry = {
      dot: { actor: ACTORS[0]!, counter: 1 },
      hlc: 5n as Hlc,
      generation: 0,
      deleted: false,
      field: 'tags',
      key: 'a',
      value: new Map()
    }
    for (const greater of [
      { ...base, hlc: 6n as Hlc },
      { ...base, key: 'b' },
      { ...base, extra: new Map([[8, 0]]) }
    ]) {
      expect(greaterContent(base, greater)).toBe(greater)
      expect(greaterContent(greater, base)).toBe(greater)
    }
  })
})
