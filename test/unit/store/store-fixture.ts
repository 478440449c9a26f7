import { hash } from 'node:crypto'
import { expect, onTestFinished } from 'vitest'
import { silentLog } from '../../../src/core/log.js'
import { newCookie, newPhotoId, type PhotoId } from '../../../src/domain/ids.js'
import { createChanges, deleteChanges, purgeChanges, viewPhoto } from '../../../src/domain/photo.js'
import { LocalStore, type LocalStoreComponents } from '../../../src/store/local-store.js'
import { dataDraft, dataIdentity } from '../../../src/store/photo-needles.js'
import { SeededRandom } from '../../support/seeded-random.js'
import { SimulatedClock } from '../../support/simulated-clock.js'
import { SimulatedDatabase } from '../../support/simulated-database.js'
import { SimulatedDisk } from '../../support/simulated-disk.js'
import { SimulatedFileSystem } from '../../support/simulated-file-system.js'

const VOLUME_BYTES = 20_000
export const PURGE_MS = 60_000

/** A disk and a database on which local stores live one after the other, as processes would. */
export class StoreFixture {
  readonly clock = new SimulatedClock()
  readonly random = new SeededRandom(1)
  readonly disk = new SimulatedDisk({ random: this.random })
  database = new SimulatedDatabase(this.random)
  store!: LocalStore
  readonly #purgeMs: number

  constructor(purgeMs = PURGE_MS) {
    this.#purgeMs = purgeMs
  }

  async start(overrides: Partial<LocalStoreComponents> = {}): Promise<LocalStore> {
    this.store = new LocalStore(
      {
        fileSystem: new SimulatedFileSystem(this.disk),
        clock: this.clock,
        random: this.random,
        log: silentLog,
        database: this.database.attach(),
        sign: () => new Uint8Array(64),
        verifySignature: () => true,
        ...overrides
      },
      { folder: '/home/data', origin: new Uint8Array(32), volumeBytes: VOLUME_BYTES, purgeMs: this.#purgeMs }
    )
    await this.store.start()
    return this.store
  }

  /** Ends the process, in an orderly way or not, and starts the next. */
  async restart(how: 'stop' | 'kill' | 'crash' = 'stop', prepare: () => void = () => {}): Promise<LocalStore> {
    if (how === 'stop') await this.store.stop()
    else {
      this.disk[how]()
      this.database.die(how)
    }
    prepare()
    return this.start()
  }

  loseDirectory(): void {
    this.database = new SimulatedDatabase(this.random)
  }

  /** Writes a photo of one needle. */
  async add(byteCount = 100): Promise<PhotoId> {
    const { random, clock, store } = this
    const data = random.bytes(byteCount)
    const sha256 = hash('sha256', data, 'hex')
    const cookie = newCookie(random)
    const id = newPhotoId(clock, random)
    const { logicalVolume } = store.volumes
    const birth = {
      size: byteCount,
      sha256,
      contentType: 'image/jpeg',
      cookie,
      logicalVolume,
      chunkBytes: 0,
      name: 'a'
    }
    const draft = dataDraft({ cookie }, { id, generation: 0, part: 'orig' }, 0, false, data)
    await store.writer.create(id, createChanges(birth), [draft])
    return id
  }

  async addMany(count: number, byteCount?: number): Promise<PhotoId[]> {
    const ids: PhotoId[] = []
    for (let i = 0; i < count; i++) ids.push(await this.add(byteCount))
    return ids
  }

  async remove(id: PhotoId): Promise<void> {
    await this.store.writer.edit(id, before => ({ changes: deleteChanges(before) }))
  }

  /** Empties the trash of it. */
  async purge(id: PhotoId): Promise<void> {
    await this.store.writer.edit(id, before => ({ changes: purgeChanges(before) }))
  }

  /** @throws unless the photo's record is known and its bytes are those that it names */
  async expectWhole(id: PhotoId): Promise<void> {
    const { directory, volumes } = this.store
    const stored = directory.getSync({ kind: 'photo', id })
    if (stored === undefined) throw new Error(`${id} is not known`)
    const identity = dataIdentity({ id, generation: 0, part: 'orig' }, 0)
    const [location] = volumes.locate(identity)
    if (location === undefined) throw new Error(`the bytes of ${id} are not here`)
    expect(hash('sha256', await volumes.read(location, identity), 'hex')).toBe(viewPhoto(stored.record).sha256)
  }

  /** Runs what waits for time to pass. */
  async finish<Result>(work: Promise<Result>): Promise<Result> {
    let ended = false
    const end = (): void => {
      ended = true
    }
    work.then(end, end)
    while (!ended) await this.clock.advance(10)
    return work
  }
}

export async function started(overrides?: Partial<LocalStoreComponents>, purgeMs = PURGE_MS): Promise<StoreFixture> {
  const fixture = new StoreFixture(purgeMs)
  await fixture.start(overrides)
  onTestFinished(() => fixture.store.stop())
  return fixture
}
