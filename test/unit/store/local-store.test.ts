import { describe, expect, test } from 'vitest'
import { SheafError } from '../../../src/core/errors.js'
import type { PhotoId } from '../../../src/domain/ids.js'
import { editChanges, undeleteChanges, viewPhoto } from '../../../src/domain/photo.js'
import type { DirectoryRecord } from '../../../src/domain/record.js'
import { encodeRecord } from '../../../src/domain/record-codec.js'
import type { LocalStoreComponents } from '../../../src/store/local-store.js'
import type { CompactionResult } from '../../../src/volumes/compaction.js'
import type { Inspection } from '../../../src/volumes/inspection.js'
import { SeededRandom, testSeeds } from '../../support/seeded-random.js'
import { settle } from '../../support/simulated-clock.js'
import { PURGE_MS, type StoreFixture, started } from './store-fixture.js'

describe('a local store', () => {
  test('begins on an empty disk, and leaves nothing behind that runs', async () => {
    const { store, disk, clock } = await started()
    expect(disk.folder('/home/data').names()).toEqual(expect.arrayContaining(['ballast', 'volumes']))
    expect([store.directory.state, store.volumes.recovery?.volumes]).toEqual(['open', 0])
    expect((await store.space()).totalBytes).toBe(disk.capacityBytes)
    expect(clock.pending).toBeGreaterThan(0)
    await store.stop()
    expect([clock.pending, store.directory.state]).toEqual([0, 'closed'])
  })

  test.each(['stop', 'kill', 'crash'] as const)('keeps what was written through a %s', async how => {
    const fixture = await started()
    const ids = await fixture.addMany(20, 1_500) // in several volumes
    await fixture.remove(ids.pop() as PhotoId)
    expect(fixture.store.volumes.volumes().length).toBeGreaterThan(1)
    const digest = fixture.store.directory.digest()
    const { directory, volumes } = await fixture.restart(how)
    expect([directory.digest(), directory.count('all')]).toEqual([digest, ids.length])
    expect(volumes.recovery?.holes).toBe(0)
    if (how === 'stop') expect(volumes.recovery?.replayedNeedles).toBe(0)
    for (const id of ids) await fixture.expectWhole(id)
  })

  test('stops when what is being written is written, and takes nothing afterwards', async () => {
    const fixture = await started()
    const id = await fixture.add()
    const removal = fixture.remove(id)
    await fixture.store.stop()
    await removal
    await expect(fixture.add()).rejects.toMatchObject({ code: 'ERR_STOPPING' })
    const { directory } = await fixture.start()
    expect([directory.getSync({ kind: 'photo', id }) !== undefined, directory.count('all')]).toEqual([true, 0])
  })

  test('asks whether clients may write, before it writes', async () => {
    const refusal = new SheafError('ERR_LEAVING')
    const fixture = await started({
      admit: () => {
        throw refusal
      }
    })
    await expect(fixture.add()).rejects.toBe(refusal)
    expect(fixture.store.volumes.volumes()).toEqual([])
  })
})

describe('what the directory knows of a volume that was removed', () => {
  test.each(['by a compaction', 'while the node did not run'])('%s is forgotten', async how => {
    const fixture = await started()
    const [gone, ...ids] = (await fixture.addMany(12, 1_500)) as [PhotoId, ...PhotoId[]]
    await fixture.remove(gone)
    const [volume] = fixture.store.volumes.volumes()
    expect(fixture.store.directory.volumes()).toContain(volume?.id)
    if (how === 'by a compaction') {
      const { signal } = new AbortController()
      await fixture.store.compactor.run('now', () => {}, signal)
      for (const id of ids) await fixture.expectWhole(id)
    } else await fixture.restart('stop', () => fixture.disk.remove(volume?.path as string))
    const { directory, volumes } = fixture.store
    expect(directory.volumes().sort()).toEqual(volumes.volumes().map(({ id }) => id))
    expect(directory.volumes()).not.toContain(volume?.id)
    expect(directory.count('all')).toBe(ids.length)
  })
})

describe('a directory that cannot be written', () => {
  test('has nothing written to the log that is refused, but what waited when it failed', async () => {
    const fixture = await started()
    await fixture.add()
    const { volumes, directory } = fixture.store
    fixture.database.failBatches(1_000)
    for (let i = 0; i < 200; i++) {
      await expect(fixture.add()).rejects.toMatchObject({ code: 'ERR_DIRECTORY_UNAVAILABLE' })
      await fixture.clock.advance(50)
      await settle()
    }
    expect(volumes.volumes()).toHaveLength(1)
    fixture.database.heal()
    await fixture.clock.advance(60_000)
    await fixture.add()
    expect(directory.count('all')).toBe(3)
    expect(volumes.volumes()).toHaveLength(2)
  })

  test('soon after each time that it was reopened has a volume made ever more rarely', async () => {
    const fixture = await started()
    const { volumes, directory } = fixture.store
    for (let second = 0; second < 240; second++) {
      if (directory.state === 'open') fixture.database.failBatches(1)
      await expect(fixture.add()).rejects.toMatchObject({ code: 'ERR_DIRECTORY_UNAVAILABLE' })
      await fixture.clock.advance(1_000)
      await settle()
    }
    // at once, then after 1, 2, 4, 8, 16, 32, 60 and 60 s
    expect(volumes.volumes().length).toBeLessThan(11)
  })

  test('is reopened at once', async () => {
    const fixture = await started()
    fixture.database.failBatches(1)
    await expect(fixture.add()).rejects.toMatchObject({ code: 'ERR_DIRECTORY_UNAVAILABLE' })
    for (let turn = 0; turn < 100; turn++) await settle()
    await fixture.add()
    expect(fixture.store.directory.count('all')).toBe(2)
  })
})

describe('a disk that is nearly full', () => {
  test('takes no records of other nodes, and still deletes', async () => {
    const fixture = await started()
    const id = await fixture.add()
    const { directory } = fixture.store
    const stored = directory.getSync({ kind: 'photo', id })
    const encoded = [encodeRecord(stored?.record as DirectoryRecord)]
    await directory.merge(encoded)
    fixture.disk.capacityBytes -= fixture.disk.freeBytes - 10_000
    await fixture.clock.advance(2_000)
    await expect(directory.merge(encoded)).rejects.toMatchObject({ code: 'ERR_DISK_FULL' })
    expect([directory.state, (await fixture.store.space()).isFull]).toEqual(['open', true])
    await fixture.remove(id)
    expect(directory.count('all')).toBe(0)
  })
})

describe('a directory that is lost', () => {
  test('is made again from the volumes, deletes and edits included', async () => {
    const fixture = await started()
    const [gone, ...ids] = (await fixture.addMany(20)) as [PhotoId, ...PhotoId[]]
    await fixture.remove(gone)
    const digest = fixture.store.directory.digest()
    const { directory, volumes } = await fixture.restart('stop', () => fixture.loseDirectory())
    expect([directory.digest(), directory.count('all')]).toEqual([digest, ids.length])
    expect(volumes.recovery?.replayedNeedles).toBeGreaterThan(20)
    for (const id of ids) await fixture.expectWhole(id)
  })

  test('is made again while the disk refuses a part at first', async () => {
    const fixture = await started()
    const ids = await fixture.addMany(10)
    const digest = fixture.store.directory.digest()
    const path = fixture.store.volumes.volumes()[0]?.path as string
    const refuse = (): void => {
      fixture.loseDirectory()
      fixture.disk.fail('read', { path, from: 1_000, to: 1_200, times: 1 })
    }
    const { directory, volumes } = await fixture.restart('stop', refuse)
    expect(volumes.recovery?.holes).toBe(1) // seen, and closed since
    expect(volumes.volumes().flatMap(({ holes }) => holes)).toEqual([])
    expect(directory.digest()).toBe(digest)
    for (const id of ids) await fixture.expectWhole(id)
  })
})

describe('a directory that fails while the store runs', () => {
  test('is opened again within a second, and has what the log got meanwhile', async () => {
    const fixture = await started()
    await fixture.add()
    const { directory, volumes } = fixture.store
    const { epoch } = volumes
    fixture.database.failBatches(1)
    await expect(fixture.add()).rejects.toMatchObject({ code: 'ERR_DIRECTORY_UNAVAILABLE' })
    expect(directory.state).toBe('failed')
    expect(volumes.epoch).not.toBe(epoch) // the dots of the record that failed are taken
    await fixture.clock.advance(1_000)
    await settle()
    expect([directory.state, directory.count('all')]).toEqual(['open', 2])
    await fixture.add()
    expect(directory.count('all')).toBe(3)
  })

  test('has room to be opened where others have filled the disk, and then an upload hears that it is full', async () => {
    const fixture = await started()
    const id = await fixture.add()
    const { store, disk } = fixture
    disk.capacityBytes -= disk.freeBytes
    fixture.database.failBatches(1)
    const grave = { kind: 'photo', id: '018f0000-0000-7000-8000-000000000000', generation: 0 }
    await expect(store.directory.mergeGraves([grave])).rejects.toMatchObject({ code: 'ERR_DIRECTORY_UNAVAILABLE' })
    await fixture.clock.advance(1_000)
    expect(store.directory.state).toBe('open')
    expect(disk.folder('/home/data').names()).not.toContain('ballast')
    expect(disk.freeBytes).toBeGreaterThan(0)
    await expect(fixture.add()).rejects.toMatchObject({ code: 'ERR_DISK_FULL' })
    await fixture.remove(id)
    expect(store.directory.count('all')).toBe(0)
  })

  test('is tried again until it opens', async () => {
    const fixture = await started()
    fixture.database.failBatches(3)
    await expect(fixture.add()).rejects.toMatchObject({ code: 'ERR_DIRECTORY_UNAVAILABLE' })
    await fixture.clock.advance(1_500)
    expect(fixture.store.directory.state).not.toBe('open')
    await fixture.clock.advance(10_000)
    expect([fixture.store.directory.state, fixture.store.directory.count('all')]).toEqual(['open', 1])
  })

  test('is right again whichever row of it is damaged', async () => {
    const fixture = await started()
    const ids = await fixture.addMany(2)
    const [volume] = fixture.store.volumes.volumes()
    await fixture.store.verdicts.retire(volume as NonNullable<typeof volume>, 1) // so that there is a row of each kind
    const digest = fixture.store.directory.digest()
    await fixture.store.stop()
    const rows = fixture.database.snapshot()
    const image = fixture.disk.snapshot()
    for (const damaged of rows) {
      if (damaged.value === undefined || damaged.value.byteLength === 0) continue
      const value = Uint8Array.from(damaged.value)
      value[0]! ^= 1
      fixture.database.restore(rows.map(row => (row === damaged ? { ...row, value } : row)))
      fixture.disk.restore(image)
      const { directory, verdicts } = await fixture.start()
      try {
        for (const id of ids) directory.getSync({ kind: 'photo', id })
      } catch (err) {
        expect(err).toMatchObject({ code: 'ERR_DIRECTORY_UNAVAILABLE' })
      }
      await fixture.clock.advance(1_000)
      await settle()
      expect(directory.digest()).toBe(digest)
      expect(verdicts.isRetired(volume?.id as never)).toBe(true)
      for (const id of ids) await fixture.expectWhole(id)
      await fixture.store.stop()
    }
  })

  test('is not filled a second time while it is being filled', async () => {
    const fixture = await started()
    await fixture.addMany(3)
    const { store, clock } = fixture
    let clears = 0
    let cleared: () => void = () => {}
    const refill = store.refill(async () => {
      clears++
      await store.directory.clear()
      await new Promise<void>(resolve => {
        cleared = resolve
      })
    })
    await clock.advance(5_000)
    expect([store.directory.state, clears]).toEqual(['filling', 1])
    cleared()
    expect(await refill).toBeGreaterThan(3)
    await clock.advance(5_000)
    expect([store.directory.count('all'), clears]).toEqual([3, 1])
  })
})

describe('compaction', () => {
  const compact = ({ store }: StoreFixture, mode: 'manual' | 'now' = 'now'): Promise<CompactionResult> =>
    store.compactor.run(mode, () => {}, new AbortController().signal)

  const bytesOf = ({ store }: StoreFixture): number => store.volumes.volumes().reduce((sum, { end }) => sum + end, 0)

  /** Many photos, of which every fourth is left. */
  async function mostlyDead(
    overrides?: Partial<LocalStoreComponents>
  ): Promise<{ fixture: StoreFixture; ids: PhotoId[] }> {
    const fixture = await started(overrides)
    const all = await fixture.addMany(24, 1_000)
    for (const [i, id] of all.entries()) if (i % 4 !== 0) await fixture.remove(id)
    return { fixture, ids: all.filter((_, i) => i % 4 === 0) }
  }

  test.each(testSeeds(10))('counts what a count anew says, whatever happens to photos, under seed %i', async seed => {
    const fixture = await started()
    const random = new SeededRandom(seed)
    const { store } = fixture
    const ids = await fixture.addMany(5, 1_000)
    const inspected = (): Promise<Inspection[]> =>
      Promise.all(store.volumes.volumes().map(volume => store.inspector.inspect(volume)))
    const acts: ((id: PhotoId) => Promise<unknown>)[] = [
      async () => ids.push(await fixture.add(random.below(2_000))),
      id => fixture.remove(id),
      id => store.writer.edit(id, before => ({ changes: undeleteChanges(before) })),
      id =>
        store.writer.edit(id, before => ({
          changes: editChanges(viewPhoto(before), { caption: `${random.below(9)}` })
        }))
    ]
    for (let step = 0; step < 40; step++) {
      await random.pick(acts)(random.pick(ids))
      if (random.chance(0.3)) await inspected()
      if (random.chance(0.1)) await fixture.clock.advance(1_000)
    }
    const known = await inspected()
    store.inspector.invalidateAll()
    expect(known).toEqual(await inspected())
  })

  test('gives the space of deleted photos back, and says of each volume that goes that it is retired', async () => {
    const { fixture, ids } = await mostlyDead()
    const before = fixture.store.volumes.volumes().map(({ id }) => id)
    const bytes = bytesOf(fixture)
    await fixture.finish(compact(fixture))
    expect(bytesOf(fixture)).toBeLessThan(bytes - 15_000)
    const { volumes, verdicts } = fixture.store
    const gone = before.filter(id => volumes.get(id) === undefined)
    expect(gone.length).toBeGreaterThan(0)
    expect(gone.filter(id => !verdicts.isRetired(id))).toEqual([])
    for (const id of ids) await fixture.expectWhole(id)
    await fixture.restart('stop', () => fixture.loseDirectory())
    expect(gone.filter(id => !fixture.store.verdicts.isRetired(id))).toEqual([])
    expect(fixture.store.directory.count('all')).toBe(ids.length)
  })

  test('runs by itself once deletes are old enough', async () => {
    const { fixture, ids } = await mostlyDead()
    const bytes = bytesOf(fixture)
    await fixture.clock.advance(PURGE_MS - 1_000)
    expect(bytesOf(fixture)).toBeGreaterThanOrEqual(bytes)
    for (let minute = 0; minute < 12; minute++) await fixture.clock.advance(60_000)
    expect(bytesOf(fixture)).toBeLessThan(bytes - 15_000)
    for (const id of ids) await fixture.expectWhole(id)
  })

  test('leaves alone what is another node’s to compact', async () => {
    const { fixture } = await mostlyDead({ compactionOwnership: () => () => false })
    const before = fixture.store.volumes.volumes().map(({ id }) => id)
    for (let minute = 0; minute < 12; minute++) await fixture.clock.advance(60_000)
    expect(fixture.store.volumes.volumes().map(({ id }) => id)).toEqual(expect.arrayContaining(before))
  })
})
