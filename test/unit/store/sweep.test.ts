import { expect, onTestFinished, test } from 'vitest'
import { silentLog } from '../../../src/core/log.js'
import { Directory } from '../../../src/directory/directory.js'
import { decodeGraves, GRAVES_MAX } from '../../../src/domain/graves.js'
import type { PhotoId } from '../../../src/domain/ids.js'
import { purgeChanges } from '../../../src/domain/photo.js'
import { encodeRecord } from '../../../src/domain/record-codec.js'
import { type KeyedGrave, Sweep, type SweepComponents } from '../../../src/store/sweep.js'
import { MemoryNeedleStore } from '../../support/memory-needle-store.js'
import { SimulatedClock } from '../../support/simulated-clock.js'
import { MemoryDatabaseSource } from '../directory/memory-database.js'
import { PhotoWriter } from '../directory/photo-log.js'

const UNDO_MS = 4_000_000
const DAY_MS = 86_400_000
/** The first in the ranking waits for a turn, so that the others find their own period over. */
const DUE_MS = UNDO_MS + UNDO_MS / 4
const never = new AbortController().signal

/** A directory over needles in memory, with a sweep. */
class Fixture {
  readonly clock = new SimulatedClock()
  readonly writer = new PhotoWriter()
  age = 0
  undoMs = UNDO_MS
  rank = 0
  reason: string | undefined
  heard: KeyedGrave[] = []
  readonly directory = new Directory({
    database: new MemoryDatabaseSource(),
    log: silentLog,
    observe: () => {},
    age: () => this.age
  })
  readonly store = new MemoryNeedleStore({
    epoch: '00000000000000aa' as never,
    onCommit: group => this.directory.apply(group)
  })
  readonly sweep = new Sweep(this.#components())

  /** A photo that is deleted now. */
  async deleted(count = 1): Promise<PhotoId[]> {
    const ids: PhotoId[] = []
    for (let i = 0; i < count; i++) {
      const id = this.writer.birth().id as PhotoId
      await this.directory.merge([encodeRecord(this.writer.delete(id))])
      ids.push(id)
    }
    return ids
  }

  async empty(id: string): Promise<void> {
    const emptied = this.writer.write({ kind: 'photo', id }, purgeChanges(this.writer.require(id)))
    await this.directory.merge([encodeRecord(emptied)])
  }

  run(): Promise<number> {
    return this.sweep.run(never)
  }

  /** Of each needle of graves, the ids. */
  batches(): string[][] {
    const needles = this.store.needles.filter(({ header }) => header.kind === 'graves')
    return needles.map(({ data }) => decodeGraves(data).graves.map(({ id }) => id))
  }

  #components(): SweepComponents {
    return {
      directory: this.directory,
      volumes: this.store,
      clock: this.clock,
      log: silentLog,
      since: ageMs => this.age - ageMs,
      undoMs: () => this.undoMs,
      rankOf: () => this.rank,
      obstacle: () => this.reason,
      takeHeard: () => this.heard.splice(0)
    }
  }
}

async function started(): Promise<Fixture> {
  const fixture = new Fixture()
  await fixture.directory.start()
  onTestFinished(() => fixture.directory.stop())
  return fixture
}

test('a delete is buried when its undo period has run here, and not a moment before', async () => {
  const fixture = await started()
  const [first] = await fixture.deleted()
  fixture.age = 1_000
  const [second] = await fixture.deleted()
  fixture.age = DUE_MS - 1
  expect(await fixture.run()).toBe(0)
  fixture.age = DUE_MS
  expect([await fixture.run(), fixture.batches()]).toEqual([1, [[first]]])
  fixture.age = DUE_MS + 1_000
  expect([await fixture.run(), fixture.batches()]).toEqual([1, [[first], [second]]])
  expect(fixture.directory.lookUp({ kind: 'photo', id: first as string }).grave).toEqual({
    generation: 0,
    isLogged: true
  })
  expect(await fixture.run()).toBe(0)
  expect(fixture.store.purposes).toEqual(['upkeep', 'upkeep'])
})

test('the undo period is that of the cluster, as it is at the time', async () => {
  const fixture = await started()
  await fixture.deleted()
  fixture.age = DUE_MS
  fixture.undoMs = 2 * UNDO_MS // another member keeps deletes for longer
  expect(await fixture.run()).toBe(0)
  fixture.undoMs = 0 // all have `--purge-days 0`
  expect(await fixture.run()).toBe(1)
})

test('what the trash was emptied of is buried a day and a quarter of the undo period after that was heard', async () => {
  const fixture = await started()
  fixture.undoMs = 4 * DAY_MS
  const [id = ''] = await fixture.deleted()
  fixture.age = DAY_MS / 2
  await fixture.empty(id)
  fixture.age = DAY_MS / 2 + DAY_MS + fixture.undoMs / 4 - 1
  expect(await fixture.run()).toBe(0)
  fixture.age++
  expect([await fixture.run(), fixture.batches()]).toEqual([1, [[id]]])
})

test('each further node in the ranking waits for another turn of the one before it', async () => {
  const fixture = await started()
  await fixture.deleted()
  fixture.rank = 2
  fixture.age = DUE_MS + (2 * UNDO_MS) / 4 - 1
  expect(await fixture.run()).toBe(0)
  fixture.age++
  expect(await fixture.run()).toBe(1)
})

test('many are buried in needles of a bounded number, with pauses', async () => {
  const fixture = await started()
  const ids = await fixture.deleted(2 * GRAVES_MAX + 1)
  fixture.age = DUE_MS
  let done: number | undefined
  void fixture.run().then(count => {
    done = count
  })
  for (let turns = 0; done === undefined && turns < 1_000; turns++) await fixture.clock.advance(50)
  expect(done).toBe(ids.length)
  expect(fixture.batches().map(({ length }) => length)).toEqual([GRAVES_MAX, GRAVES_MAX, 1])
  expect(fixture.batches().flat().sort()).toEqual(ids.sort())
  expect(fixture.clock.monotonic()).toBeGreaterThanOrEqual(100)
})

test.each(['undeleted', 'deleted once more'])('what was %s since it was looked at is not buried', async what => {
  const fixture = await started()
  const [gone, other] = (await fixture.deleted(2)) as [PhotoId, PhotoId]
  fixture.age = DUE_MS
  const { getMany } = fixture.directory
  fixture.directory.getMany = async keys => {
    fixture.directory.getMany = getMany
    await fixture.directory.merge([encodeRecord(fixture.writer.undelete(gone))])
    if (what !== 'undeleted') await fixture.directory.merge([encodeRecord(fixture.writer.delete(gone))])
    return getMany.call(fixture.directory, keys)
  }
  expect([await fixture.run(), fixture.batches()]).toEqual([1, [[other]]])
  expect(fixture.directory.getSync({ kind: 'photo', id: gone })).toBeDefined()
})

test('an obstacle stops it; graves that were only heard of are logged all the same, and first', async () => {
  const fixture = await started()
  const [gone] = (await fixture.deleted()) as [PhotoId]
  const heard = { kind: 'photo', id: fixture.writer.newId(), generation: 3 }
  await fixture.directory.mergeGraves([heard])
  fixture.heard = [heard]
  fixture.age = DUE_MS
  fixture.reason = 'the clock is wrong'
  expect([await fixture.run(), fixture.batches()]).toEqual([0, [[heard.id]]])
  expect(fixture.directory.lookUp(heard).grave?.isLogged).toBe(true)
  fixture.reason = undefined
  expect([await fixture.run(), fixture.batches()]).toEqual([1, [[heard.id], [gone]]])
})

test('a step sweeps once in a quarter of the undo period, once a day at least and once a second at most', async () => {
  const fixture = await started()
  let sweeps = 0
  fixture.sweep.run = async () => ++sweeps
  const sweepsIn = async (ms: number, undoMs: number): Promise<number> => {
    fixture.undoMs = undoMs
    await fixture.clock.advance(2 * 86_400_000)
    await fixture.sweep.step(never)
    sweeps = 0
    for (let i = 0; i < 10; i++) {
      await fixture.clock.advance(ms / 10)
      await fixture.sweep.step(never)
    }
    return sweeps
  }
  expect(await sweepsIn(10_000_000, UNDO_MS)).toBe(10)
  expect(await sweepsIn(1_000_000, UNDO_MS)).toBe(1)
  expect(await sweepsIn(864_000_000, 365 * 86_400_000)).toBe(10)
  expect(await sweepsIn(432_000_000, 365 * 86_400_000)).toBe(5)
  expect(await sweepsIn(10_000, 0)).toBe(10)
  expect(await sweepsIn(5_000, 0)).toBe(5)
})

test('a directory that is closed is left alone', async () => {
  const fixture = await started()
  await fixture.deleted()
  fixture.age = DUE_MS
  await fixture.directory.stop()
  expect(await fixture.run()).toBe(0)
})
