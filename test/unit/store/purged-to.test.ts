import { hash } from 'node:crypto'
import { expect, onTestFinished, test } from 'vitest'
import { silentLog } from '../../../src/core/log.js'
import { newCookie, newPhotoId } from '../../../src/domain/ids.js'
import { createChanges } from '../../../src/domain/photo.js'
import { LocalStore } from '../../../src/store/local-store.js'
import { dataDraft } from '../../../src/store/photo-needles.js'
import { SeededRandom } from '../../support/seeded-random.js'
import { SimulatedClock } from '../../support/simulated-clock.js'
import { SimulatedDatabase } from '../../support/simulated-database.js'
import { SimulatedDisk } from '../../support/simulated-disk.js'
import { SimulatedFileSystem } from '../../support/simulated-file-system.js'

const clock = new SimulatedClock()
const random = new SeededRandom(1)

/**
 * A store whose earlier process wrote three photos, each to a volume of its own, and that wrote one itself.
 *
 * @param prepare - runs at the end of the earlier process
 */
async function restarted(prepare: (first: LocalStore) => Promise<void> = async () => {}): Promise<LocalStore> {
  const disk = new SimulatedDisk({ random })
  const database = new SimulatedDatabase(random)
  const start = async (): Promise<LocalStore> => {
    const store = new LocalStore(
      {
        fileSystem: new SimulatedFileSystem(disk),
        clock,
        random,
        log: silentLog,
        database: database.attach(),
        sign: () => new Uint8Array(64),
        verifySignature: () => true
      },
      { folder: '/home/data', origin: new Uint8Array(32), volumeBytes: 20_000, purgeMs: 60_000 }
    )
    await store.start()
    return store
  }
  const first = await start()
  for (let i = 0; i < 3; i++) await add(first)
  await prepare(first)
  await first.stop()
  const store = await start()
  onTestFinished(() => store.stop())
  await add(store)
  expect(store.volumes.volumes()).toHaveLength(4)
  return store
}

async function add(store: LocalStore): Promise<void> {
  const data = random.bytes(15_000)
  const cookie = newCookie(random)
  const id = newPhotoId(clock, random)
  const birth = {
    size: data.length,
    sha256: hash('sha256', data, 'hex'),
    contentType: 'image/jpeg',
    cookie,
    logicalVolume: store.volumes.logicalVolume,
    chunkBytes: 0,
    name: 'a'
  }
  const draft = dataDraft({ cookie }, { id, generation: 0, part: 'orig' }, 0, false, data)
  await store.writer.create(id, createChanges(birth), [draft])
}

test('a store knows up to when it has purged once every volume of before was found clean', async () => {
  const store = await restarted()
  const { volumes, inspector } = store
  const [own] = volumes.volumes().filter(({ id }) => volumes.isOfThisProcess(id))
  const earlier = volumes.volumes().filter(volume => volume !== own)
  expect(earlier).toHaveLength(3)
  const times: number[] = []
  for (const volume of earlier) {
    expect(store.purgedToMs()).toBeUndefined()
    await clock.advance(1_000)
    await inspector.inspect(volume)
    times.push(clock.now())
  }
  await clock.advance(1_000)
  expect(store.purgedToMs()).toBe(times[0]) // what this process wrote does not count before it was inspected
  inspector.invalidateAll()
  for (const volume of earlier) await inspector.inspect(volume)
  const again = clock.now()
  expect(store.purgedToMs()).toBe(again)
  await clock.advance(1_000)
  expect(store.purgedToMs()).toBe(again)
})

test('a store looks again at what it has scrubbed', async () => {
  const store = await restarted()
  const inspectAll = async (): Promise<void> => {
    for (const volume of store.volumes.volumes()) await store.inspector.inspect(volume)
  }
  await inspectAll()
  const purgedTo = store.purgedToMs()
  await clock.advance(1_000)
  await inspectAll()
  expect(store.purgedToMs()).toBe(purgedTo)
  await store.scrubber.run(() => {}, new AbortController().signal)
  await inspectAll()
  expect(store.purgedToMs()).toBe(clock.now())
})

test('a store without volumes of before has purged all', async () => {
  const store = await restarted()
  for (const volume of store.volumes.volumes())
    if (!store.volumes.isOfThisProcess(volume.id)) await store.volumes.remove(volume)
  expect(store.purgedToMs()).toBe(clock.now())
})

test('a store that was inspected and then stopped in order knows what it has counted when it starts again', async () => {
  const countAll = async ({ volumes, inspector }: LocalStore): Promise<void> => {
    for (const volume of volumes.volumes()) await inspector.inspect(volume)
  }
  const store = await restarted(countAll)
  const counted = store.volumes.volumes().map(volume => store.inspector.latest(volume))
  expect(counted.filter(inspection => (inspection?.liveBytes ?? 0) > 15_000)).toHaveLength(3)
  expect(store.purgedToMs()).toBeDefined()
})
