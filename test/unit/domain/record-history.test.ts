import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compareRanks, compareVersions, VERSION_FIELD } from '../../../src/domain/entry.js'
import { viewPhoto } from '../../../src/domain/photo.js'
import { type DirectoryRecord, mergeRecords, shownVersion } from '../../../src/domain/record.js'
import { encodeRecord } from '../../../src/domain/record-codec.js'
import { termsOf } from '../../../src/domain/terms.js'
import { dotText, History, stepArb, versionMadeBy, versionsSeenBy } from './record-history.js'

const historyArb = fc
  .array(stepArb, { maxLength: 30, size: 'max' })
  .map(steps => ({ steps, history: new History(steps) }))

function forAllHistories(check: (history: History) => void, numRuns = 300): void {
  fc.assert(
    fc.property(historyArb, ({ history }) => check(history)),
    { numRuns }
  )
}

function hex(record: DirectoryRecord): string {
  return Buffer.from(encodeRecord(record)).toString('hex')
}

/** @returns the merge of the records in the order of the numbers, some of them repeatedly */
function foldIn(order: readonly number[], records: readonly DirectoryRecord[]): DirectoryRecord {
  const rest = order.map(number => records[number % records.length]!)
  return [...rest, ...records].reduce(mergeRecords)
}

describe('histories of several nodes under arbitrary clock skew', () => {
  it('converge to the same bytes, in whatever order and however often records are merged', () => {
    fc.assert(
      fc.property(historyArb, fc.array(fc.nat({ max: 99 }), { maxLength: 12 }), ({ history }, order) => {
        const records = [...history.nodes.map(({ record }) => record), ...history.inDoubt]
        expect(hex(foldIn(order, records.toReversed()))).toBe(hex(foldIn([], records)))
        const logged = history.writes.map(({ after }) => after)
        const joined = history.joined()
        expect(hex([joined, ...foldable(order, logged)].reduce(mergeRecords))).toBe(hex(joined))
      }),
      { numRuns: 200 }
    )
  })

  it('merge associatively at every point', () => {
    fc.assert(
      fc.property(historyArb, fc.nat(), fc.nat(), fc.nat(), ({ history }, i, j, k) => {
        const states = [
          ...history.nodes.map(({ record }) => record),
          ...history.inDoubt,
          ...history.writes.map(({ after }) => after)
        ]
        const [a, b, c] = [i, j, k].map(index => states[index % states.length]!) as [
          DirectoryRecord,
          DirectoryRecord,
          DirectoryRecord
        ]
        expect(hex(mergeRecords(mergeRecords(a, b), c))).toBe(hex(mergeRecords(a, mergeRecords(b, c))))
        expect(hex(mergeRecords(a, b))).toBe(hex(mergeRecords(b, a)))
      })
    )
  })

  it('keep exactly the entries that no write dropped', () => {
    forAllHistories(history => {
      expect(new Set(history.joined().entries.map(dotText))).toEqual(history.expectedDots())
    })
  })

  it('never order a write below one that it saw', () => {
    forAllHistories(history => {
      const versions = history.versions()
      const beaten = new Set<string>()
      for (const write of history.writes) {
        const made = versionMadeBy(write)
        if (made === undefined) continue
        for (const seen of versionsSeenBy(write, versions)) {
          expect(compareVersions(made, seen)).toBeGreaterThan(0)
          beaten.add(dotText(seen))
        }
      }
      expect(beaten.has(dotText(shownVersion(history.joined())))).toBe(false)
    })
  })

  it('never lower the rank: a delete is final within a generation', () => {
    forAllHistories(history => {
      const shown = shownVersion(history.joined())
      for (const version of history.versions()) expect(compareRanks(shown, version)).toBeGreaterThanOrEqual(0)
    })
  })

  it('keep every tag whose add no remove or greater rank has seen', () => {
    forAllHistories(history => {
      const joined = history.joined()
      const shown = shownVersion(joined)
      const alive = history.expectedDots()
      const expected = new Set<string>()
      for (const { after } of [...history.writes, ...history.nodes.map(({ record }) => ({ after: record }))]) {
        for (const entry of after.entries) {
          if (entry.field === 'tags' && alive.has(dotText(entry)) && compareRanks(entry, shown) >= 0)
            expected.add(entry.key)
        }
      }
      expect(viewPhoto(joined).tags).toEqual([...expected].sort())
    })
  })

  it('always have a version to show, and a photo to index', () => {
    forAllHistories(history => {
      const all = history.joined()
      const photo = viewPhoto(all)
      expect(photo.createdAt).toBe(viewPhoto(history.nodes[0]!.record).createdAt)
      expect(termsOf(all).length > 0).toBe(!photo.deleted)
    })
  })

  it('cover all kinds of steps, conflicts and clocks', () => {
    const counts = { conflicts: 0, deleted: 0, generations: 0, far: 0, inDoubt: 0 }
    for (const { history } of fc.sample(historyArb, { numRuns: 300, seed: 7 })) {
      const joined = history.joined()
      const versions = joined.entries.filter(entry => entry.field === VERSION_FIELD)
      const shown = shownVersion(joined)
      if (versions.length > 1) counts.conflicts += 1
      if (shown.deleted) counts.deleted += 1
      if (shown.generation > 0) counts.generations += 1
      if (versions.some(({ hlc }) => hlc >> 16n >= BigInt(Date.UTC(2099, 0, 1)))) counts.far += 1
      if (history.inDoubt.length > 0) counts.inDoubt += 1
    }
    for (const count of Object.values(counts)) expect(count).toBeGreaterThan(20)
  })
})

function foldable(order: readonly number[], records: readonly DirectoryRecord[]): DirectoryRecord[] {
  return records.length === 0 ? [] : [...order.map(number => records[number % records.length]!), ...records]
}
