import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compareRanks, compareVersions, type Entry, VERSION_FIELD } from '../../../src/domain/entry.js'
import type { ActorId } from '../../../src/domain/ids.js'
import { createChanges, deleteChanges, editChanges, undeleteChanges, viewPhoto } from '../../../src/domain/photo.js'
import {
  type Change,
  changeRecord,
  type DirectoryRecord,
  graveOf,
  isGrave,
  mergeRecords,
  shownVersion
} from '../../../src/domain/record.js'
import { encodeRecord } from '../../../src/domain/record-codec.js'
import { termsOf } from '../../../src/domain/terms.js'
import { actorInLife } from '../../../src/domain/version-vector.js'
import { ACTORS, countingStamper, PHOTO_BIRTH, PHOTO_KEY } from '../../support/domain-arbitraries.js'
import { surviveInvariants } from '../../support/survive-invariants.js'
import { dotText, History, isBareGrave, stepArb, versionMadeBy, versionsSeenBy } from './record-history.js'

surviveInvariants()

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
    }, 2_000)
  })

  it('do not with a grave that spares what lives: this model would tell', () => {
    const lives = ({ entries }: DirectoryRecord): boolean =>
      entries.length > 0 && entries.every(({ deleted }) => !deleted)
    const sparing = (x: DirectoryRecord, y: DirectoryRecord): DirectoryRecord => {
      if (isGrave(x) && lives(y)) return y
      return isGrave(y) && lives(x) ? x : mergeRecords(x, y)
    }
    const property = fc.property(fc.array(stepArb, { maxLength: 30, size: 'max' }), steps => {
      const history = new History(steps, sparing)
      expect(new Set(history.joined().entries.map(dotText))).toEqual(history.expectedDots())
    })
    expect(fc.check(property, { numRuns: 2_000, seed: 5, endOnFailure: true }).failed).toBe(true)
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
      if (!isBareGrave(history.joined())) expect(beaten.has(dotText(shownVersion(history.joined())))).toBe(false)
    })
  })

  it('never lower the rank: a delete is final within a generation', () => {
    forAllHistories(history => {
      if (isBareGrave(history.joined())) {
        expect(history.versions()).toEqual([])
        return
      }
      const shown = shownVersion(history.joined())
      for (const version of history.versions()) expect(compareRanks(shown, version)).toBeGreaterThanOrEqual(0)
    })
  })

  it('keep every tag whose add no remove or greater rank has seen', () => {
    forAllHistories(history => {
      const joined = history.joined()
      if (isBareGrave(joined)) return
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

  it('have a version to show and a photo to index, until the last life is buried', () => {
    forAllHistories(history => {
      const all = history.joined()
      expect(all.buried ?? 0).toBe(history.buried)
      if (isBareGrave(all)) {
        expect(encodeRecord(all)).toEqual(encodeRecord(graveOf(all, history.buried - 1)))
        return
      }
      const photo = viewPhoto(all)
      const known = history.nodes.find(({ record }) => !isBareGrave(record))
      if (known !== undefined) expect(photo.createdAt).toBe(viewPhoto(known.record).createdAt)
      expect(termsOf(all).includes('all')).toBe(!photo.deleted)
      expect(termsOf(all).includes('trash')).toBe(photo.deleted)
    })
  })

  it('cover all kinds of steps, conflicts and clocks', () => {
    const counts = { conflicts: 0, deleted: 0, generations: 0, far: 0, inDoubt: 0, graves: 0, livesAfterGraves: 0 }
    for (const { history } of fc.sample(historyArb, { numRuns: 600, seed: 7 })) {
      const joined = history.joined()
      if (isBareGrave(joined)) {
        counts.graves += 1
        continue
      }
      if (history.buried > 0) counts.livesAfterGraves += 1
      const versions = joined.entries.filter(entry => entry.field === VERSION_FIELD)
      const shown = shownVersion(joined)
      if (versions.length > 1) counts.conflicts += 1
      if (shown.deleted) counts.deleted += 1
      if (shown.generation > 0) counts.generations += 1
      if (versions.some(({ hlc }) => hlc >> 16n >= BigInt(Date.UTC(2099, 0, 1)))) counts.far += 1
      if (history.inDoubt.length > 0) counts.inDoubt += 1
    }
    for (const [what, count] of Object.entries(counts)) expect(count, what).toBeGreaterThan(10)
  })
})

describe('a buried life', () => {
  const [a, b] = ACTORS as [ActorId, ActorId]
  const merged = (...records: DirectoryRecord[]): DirectoryRecord => records.reduce(mergeRecords)
  const write = (actor: ActorId, before: DirectoryRecord, changes: (record: DirectoryRecord) => Change[]) =>
    changeRecord(PHOTO_KEY, before, countingStamper(actor), changes(before))

  it('takes no later write with it: its dots are not counted again (the doomstone)', () => {
    const born = changeRecord(PHOTO_KEY, undefined, countingStamper(a), createChanges(PHOTO_BIRTH))
    const deleted = write(a, born, deleteChanges)
    const bystander = deleted // knows all dots of a's first life
    const undeleted = write(b, deleted, undeleteChanges)
    const buried = merged(deleted, graveOf(PHOTO_KEY, 0))
    const deletedAgain = write(a, merged(buried, undeleted), deleteChanges)
    const shown = shownVersion(merged(bystander, deletedAgain))
    expect([shown.generation, shown.deleted]).toEqual([1, true])
    expect(hex(merged(bystander, undeleted, deletedAgain))).toBe(hex(deletedAgain))
  })

  it('would, if dots were not scoped by life: the second delete is taken for one that was superseded', () => {
    const born = changeRecord(PHOTO_KEY, undefined, countingStamper(a), createChanges(PHOTO_BIRTH))
    const deleted = write(a, born, deleteChanges)
    const undeleted = write(b, deleted, undeleteChanges)
    const deletedAgain = write(a, merged(deleted, graveOf(PHOTO_KEY, 0), undeleted), deleteChanges)
    const left = unscopedMerge(deleted, deletedAgain).entries.filter(entry => entry.field === VERSION_FIELD)
    expect(left.filter(({ generation, deleted: isOver }) => generation === 1 && isOver)).toEqual([])
  })

  it('is bare when it has neither entries nor a context', () => {
    const born = changeRecord(PHOTO_KEY, undefined, countingStamper(a), createChanges(PHOTO_BIRTH))
    const [grave, spared] = [graveOf(PHOTO_KEY, 3), merged(born, graveOf(PHOTO_KEY, 0))]
    expect([isGrave(grave), isGrave(spared), isGrave(born)]).toEqual([true, true, false])
    const undeleted = write(b, write(b, born, deleteChanges), undeleteChanges)
    expect(isGrave(merged(undeleted, graveOf(PHOTO_KEY, 0)))).toBe(false)
    expect(isGrave({ ...grave, context: new Map([[actorInLife(a, 4), 1]]) })).toBe(false)
    expect(isGrave({ ...grave, buried: 0 })).toBe(false)
  })

  it('ends what lives in it, wherever and however late it is met, and spares the lives after it', () => {
    const born = changeRecord(PHOTO_KEY, undefined, countingStamper(a), createChanges(PHOTO_BIRTH))
    const edited = write(b, born, record => editChanges(viewPhoto(record), { name: 'kept apart.jpg' }))
    expect(hex(merged(edited, graveOf(PHOTO_KEY, 0)))).toBe(hex(graveOf(PHOTO_KEY, 0)))
    const undeleted = write(b, write(b, edited, deleteChanges), undeleteChanges)
    const spared = merged(undeleted, graveOf(PHOTO_KEY, 0))
    expect([viewPhoto(spared).deleted, viewPhoto(spared).name]).toEqual([false, 'kept apart.jpg'])
    expect(hex(merged(spared, born, edited))).toBe(hex(spared))
    expect(() => write(a, graveOf(PHOTO_KEY, 0), () => createChanges(PHOTO_BIRTH))).toThrow('over')
  })
})

/** Merges as if a dot were an actor and a counter, in whichever life. */
function unscopedMerge(x: DirectoryRecord, y: DirectoryRecord): Pick<DirectoryRecord, 'entries'> {
  const dotOf = ({ dot }: Entry): string => `${dot.actor.slice(0, 16)} ${dot.counter}`
  const isSuperseded = (entry: Entry, { context, entries }: DirectoryRecord): boolean => {
    const counters = [...context].filter(([actor]) => actor.slice(0, 16) === entry.dot.actor.slice(0, 16))
    const isSeen = counters.some(([, counter]) => counter >= entry.dot.counter)
    return isSeen && !entries.some(other => dotOf(other) === dotOf(entry))
  }
  const buried = Math.max(x.buried ?? 0, y.buried ?? 0)
  const kept = [...x.entries.filter(e => !isSuperseded(e, y)), ...y.entries.filter(e => !isSuperseded(e, x))]
  return { entries: kept.filter(({ generation }) => generation >= buried) }
}

function foldable(order: readonly number[], records: readonly DirectoryRecord[]): DirectoryRecord[] {
  return records.length === 0 ? [] : [...order.map(number => records[number % records.length]!), ...records]
}
