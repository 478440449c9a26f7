import { describe, expect, test } from 'vitest'
import { silentLog } from '../../../src/core/log.js'
import { encodeGraves, gravesIdentity } from '../../../src/domain/graves.js'
import { hlcFrom } from '../../../src/domain/hlc.js'
import { type NodeId, type PhotoId, photoIdBytes } from '../../../src/domain/ids.js'
import { dataIdentity } from '../../../src/store/photo-needles.js'
import { gravesDrafts } from '../../../src/store/sweep.js'
import { Compactor } from '../../../src/volumes/compaction.js'
import type { Inspection } from '../../../src/volumes/inspection.js'
import type { NeedleLocation } from '../../../src/volumes/needle-store.js'
import { PURGE_MS, type StoreFixture, started } from './store-fixture.js'

const PEER = 'node-b' as NodeId
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const never = new AbortController().signal

const keyOf = (id: PhotoId) => ({ kind: 'photo', id })
const graveOf = (id: PhotoId, generation = 0) => ({ kind: 'photo', id, generation })
const compact = (fixture: StoreFixture, mode: 'manual' | 'now' = 'now') =>
  fixture.finish(fixture.store.compactor.run(mode, () => {}, never))

/** @returns the kinds of the needles that are here of the photo */
async function needlesOf({ store }: StoreFixture, id: PhotoId): Promise<string[]> {
  const kinds: string[] = []
  for (const volume of store.volumes.volumes()) {
    for await (const rows of volume.rows()) {
      for (const row of rows) if (Buffer.compare(row.id, photoIdBytes(id)) === 0) kinds.push(row.kind)
    }
  }
  return kinds.sort()
}

const gravesNeedles = ({ store }: StoreFixture, ...graves: { id: string; generation: number }[]): NeedleLocation[] =>
  store.volumes.locate(gravesIdentity(encodeGraves('photo', graves)))

describe('a photo that is buried', () => {
  test('leaves a needle of some twenty bytes, and all that was its own goes by itself', async () => {
    const fixture = await started()
    const [gone, kept] = (await fixture.addMany(2)) as [PhotoId, PhotoId]
    await fixture.remove(gone)
    await fixture.clock.advance(PURGE_MS - 1_000)
    expect(fixture.store.directory.getSync(keyOf(gone))).toBeDefined()
    for (let minute = 0; minute < 25; minute++) await fixture.clock.advance(60_000)
    expect(fixture.store.directory.lookUp(keyOf(gone))).toEqual({
      stored: undefined,
      grave: { generation: 0, isLogged: true }
    })
    expect(await needlesOf(fixture, gone)).toEqual([])
    expect(gravesNeedles(fixture, graveOf(gone))).toHaveLength(1)
    await fixture.expectWhole(kept)
    const digest = fixture.store.directory.digest()
    await fixture.restart('crash', () => fixture.loseDirectory())
    const { directory, laidOut } = fixture.store
    expect([directory.digest(), directory.lookUp(keyOf(gone)).grave?.isLogged, laidOut.size]).toEqual([digest, true, 0])
    expect(await directory.verify()).toEqual([])
  })

  test('goes a grace after the trash was emptied of it, bytes first, though others stay for a month', async () => {
    const fixture = await started({ undoMs: () => 30 * DAY_MS }, 30 * DAY_MS)
    const [emptied, trashed] = (await fixture.addMany(2)) as [PhotoId, PhotoId]
    await fixture.remove(emptied)
    await fixture.remove(trashed)
    for (let hour = 0; hour < 8 * 24; hour++) await fixture.clock.advance(HOUR_MS)
    await fixture.purge(emptied)
    for (let hour = 0; hour < 23; hour++) await fixture.clock.advance(HOUR_MS)
    expect(await needlesOf(fixture, emptied)).toContain('data')
    for (let hour = 0; hour < 4; hour++) await fixture.clock.advance(HOUR_MS)
    expect(await needlesOf(fixture, emptied)).not.toContain('data')
    expect(fixture.store.directory.getSync(keyOf(emptied))).toBeDefined()
    for (let hour = 0; hour < 9 * 24; hour++) await fixture.clock.advance(HOUR_MS)
    expect(fixture.store.directory.lookUp(keyOf(emptied)).grave).toBeDefined()
    expect(fixture.store.directory.getSync(keyOf(trashed))).toBeDefined()
    expect(fixture.store.laidOut.size).toBe(0)
  })

  test('is buried no earlier than the longest undo period of all members allows', async () => {
    const fixture = await started({ undoMs: () => 30 * DAY_MS }, 0) // `--purge-days 0` on this node alone
    const gone = await fixture.add()
    await fixture.remove(gone)
    for (let hour = 0; hour < 48; hour++) await fixture.clock.advance(HOUR_MS)
    expect(fixture.store.directory.getSync(keyOf(gone))).toBeDefined()
  })

  test('of which the grave was only heard keeps its needles until a needle here holds the grave', async () => {
    const fixture = await started({ burialObstacle: () => 'another one buries' })
    const gone = await fixture.add()
    await fixture.remove(gone)
    await fixture.clock.advance(PURGE_MS)
    await fixture.store.directory.mergeGraves([graveOf(gone)], PEER)
    await compact(fixture)
    expect([fixture.store.laidOut.size, await needlesOf(fixture, gone)]).toEqual([
      0,
      expect.arrayContaining(['data', 'record'])
    ])
    await fixture.store.sweep.run(never)
    expect(gravesNeedles(fixture, graveOf(gone))).toHaveLength(1)
    await compact(fixture)
    expect(await needlesOf(fixture, gone)).toEqual([])
  })

  test('has its grave in the log after a rebuild, although it was only heard of', async () => {
    const fixture = await started({ burialObstacle: () => 'another one buries' })
    const gone = await fixture.add()
    await fixture.remove(gone)
    await fixture.clock.advance(PURGE_MS)
    await fixture.store.directory.mergeGraves([graveOf(gone)], PEER)
    const digest = fixture.store.directory.digest()
    expect(await fixture.store.verdicts.secureRecords(never)).toBe(1)
    expect(await fixture.store.verdicts.secureRecords(never)).toBe(0)
    await fixture.restart('stop', () => fixture.loseDirectory())
    expect([fixture.store.directory.digest(), fixture.store.laidOut.size]).toEqual([digest, 0])
  })
})

describe('a needle of graves', () => {
  test('is moved as it is; of two equal ones the first is kept', async () => {
    const fixture = await started()
    const [gone, kept] = (await fixture.addMany(2)) as [PhotoId, PhotoId]
    const graves = [graveOf('00000000-0000-4000-8000-000000000001' as PhotoId, 7)]
    const append = (): Promise<unknown> => fixture.store.volumes.append([...gravesDrafts(graves)], 'upkeep')
    await append()
    await fixture.store.volumes.closeActive()
    await append()
    expect(gravesNeedles(fixture, ...graves)).toHaveLength(2)
    await fixture.remove(gone)
    const volumes = fixture.store.volumes.volumes().map(({ id }) => id)
    await compact(fixture)
    expect(fixture.store.volumes.get(volumes[0] as never)).toBeUndefined()
    const [moved, ...others] = gravesNeedles(fixture, ...graves)
    expect(others).toEqual([])
    const bytes = await fixture.store.volumes.read(
      moved as NeedleLocation,
      gravesIdentity(encodeGraves('photo', graves))
    )
    expect(Buffer.from(bytes)).toEqual(Buffer.from(encodeGraves('photo', graves)))
    await fixture.expectWhole(kept)
  })
})

describe('what a grave ends before its time', () => {
  async function laidOut(): Promise<{ fixture: StoreFixture; gone: PhotoId; kept: PhotoId }> {
    const fixture = await started({}, 30 * DAY_MS)
    const [gone, kept, other] = (await fixture.addMany(3)) as [PhotoId, PhotoId, PhotoId]
    fixture.store.laidOut.settleIn()
    await fixture.store.directory.mergeGraves([graveOf(gone)], PEER)
    await fixture.remove(other)
    return { fixture, gone, kept }
  }

  test('is laid out: its volume stays whatever an operator asks for, also when it is retired', async () => {
    const { fixture, gone } = await laidOut()
    expect(fixture.store.laidOut.list().map(({ key, from }) => [key.id, from])).toEqual([[gone, PEER]])
    await compact(fixture)
    expect(await needlesOf(fixture, gone)).toEqual(['data', 'record'])
    const [volume] = fixture.store.volumes.volumes()
    await fixture.store.verdicts.retire(volume as NonNullable<typeof volume>, volume?.end ?? 0)
    await compact(fixture)
    expect(fixture.store.volumes.get(volume?.id as never)).toBeDefined()
    await fixture.restart('crash', () => fixture.loseDirectory())
    expect(fixture.store.laidOut.holds(keyOf(gone), 0)).toBe(true)
    await compact(fixture)
    expect(await needlesOf(fixture, gone)).toEqual(['data', 'record'])
  })

  test('goes once it is released and the grave is logged', async () => {
    const { fixture, gone, kept } = await laidOut()
    await fixture.store.laidOut.release(() => true)
    await compact(fixture)
    await fixture.store.sweep.run(never)
    await compact(fixture)
    expect(await needlesOf(fixture, gone)).toEqual([])
    await fixture.expectWhole(kept)
  })
})

const holdsOriginal = ({ store }: StoreFixture, id: PhotoId): boolean =>
  store.volumes.locate(dataIdentity({ id, generation: 0, part: 'orig' }, 0)).length > 0

/** The disk has its reserve and hardly more, so that an upload does not fit; compaction has some time. */
async function refuseUpload(fixture: StoreFixture): Promise<void> {
  const { freeBytes } = await fixture.store.space()
  fixture.disk.capacityBytes -= freeBytes - 42_000
  await fixture.clock.advance(2_000)
  await expect(fixture.add(6_000)).rejects.toMatchObject({ code: 'ERR_DISK_FULL' })
  await fixture.clock.advance(5_000)
}

describe('compaction', () => {
  test('keeps the bytes of a delete for a day, unless all is asked for', async () => {
    const fixture = await started({}, 30 * DAY_MS)
    const [gone] = (await fixture.addMany(2, 4_000)) as [PhotoId]
    await fixture.remove(gone)
    await compact(fixture, 'manual')
    await fixture.expectWhole(gone)
    await compact(fixture, 'now')
    expect(holdsOriginal(fixture, gone)).toBe(false)
  })

  test('drops deletes older than an hour, the oldest first, until a refused upload fits', async () => {
    const fixture = await started({}, 30 * DAY_MS)
    const [a, b, c] = (await fixture.addMany(3, 15_000)) as [PhotoId, PhotoId, PhotoId] // each in a volume of its own
    const ids = [b, a, c]
    const isThere = (id: PhotoId): boolean => holdsOriginal(fixture, id)
    for (const id of ids) {
      await fixture.remove(id)
      await fixture.clock.advance(id === c ? 600_000 : HOUR_MS)
    }
    await refuseUpload(fixture)
    expect(ids.map(isThere)).toEqual([false, true, true])
    const added = await fixture.add(6_000)
    await refuseUpload(fixture)
    expect(ids.map(isThere)).toEqual([false, false, true])
    await fixture.expectWhole(added)
    await refuseUpload(fixture)
    expect(ids.map(isThere)).toEqual([false, false, true]) // deleted a quarter of an hour ago
  })

  test('lets go of what was laid out an hour ago when nothing else is left, unless that is too much', async () => {
    const fixture = await started({}, 30 * DAY_MS)
    const [gone, alarming] = (await fixture.addMany(2, 15_000)) as [PhotoId, PhotoId] // each in a volume of its own
    const isThere = (id: PhotoId): boolean => holdsOriginal(fixture, id)
    fixture.store.laidOut.settleIn()
    await fixture.store.directory.mergeGraves([graveOf(gone)], PEER)
    await fixture.clock.advance(HOUR_MS - 60_000)
    await refuseUpload(fixture)
    expect(isThere(gone)).toBe(true) // it came less than an hour ago
    await fixture.clock.advance(60_000)
    await refuseUpload(fixture)
    expect([isThere(gone), fixture.store.laidOut.size]).toEqual([false, 0])
    await fixture.add(6_000)

    fixture.store.age.noteRound() // it has kept up with the others, so that one of three photos is too much
    await fixture.store.directory.mergeGraves([graveOf(alarming)], PEER)
    await fixture.clock.advance(HOUR_MS)
    await refuseUpload(fixture)
    expect([isThere(alarming), fixture.store.laidOut.isAlarming]).toEqual([true, true])
  })

  test.each([
    ['older', 0.25, 1],
    ['younger', 0.25 - 1e-6, 0],
    ['of the future rather', -1, 1]
  ])(
    'closes an active volume %s than a quarter of the undo period for an overdue delete',
    async (_age, share, closed) => {
      const fixture = await started()
      const now = fixture.clock.now()
      const volume = {
        state: 'active',
        holes: [],
        end: 1_000,
        superblock: { createdAt: hlcFrom(now - share * DAY_MS) }
      }
      const inspection: Inspection = {
        liveBytes: 500,
        deadBytes: 100,
        gracedBytes: 0,
        oldestHeardAt: 0,
        holdsLaidOut: false
      }
      let closings = 0
      const compactor = new Compactor(
        {
          volumes: { volumes: () => [volume], closeActive: async () => void closings++ },
          inspector: { audit: () => {}, inspect: async () => inspection },
          clock: fixture.clock,
          log: silentLog,
          isRetired: () => false,
          ownership: () => () => true,
          since: () => DAY_MS,
          isScarce: async () => false
        } as never,
        { purgeMs: DAY_MS, deadShareMin: 0.3, bytesPerSecondMax: 1 }
      )
      await compactor.step(never)
      expect(closings).toBe(closed)
    }
  )
})
