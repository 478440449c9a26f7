import { silentLog } from '../../../src/core/log.js'
import { Directory } from '../../../src/directory/directory.js'
import { HybridClock } from '../../../src/domain/hlc.js'
import { newActorId } from '../../../src/domain/ids.js'
import type { ByteBudget } from '../../../src/photos/byte-budget.js'
import { PhotoCache, type PhotoCacheInit } from '../../../src/photos/photo-cache.js'
import { PhotoReader, type PhotoReaderComponents, untakenBudget } from '../../../src/photos/photo-reader.js'
import { Photos, type PhotosComponents, type PhotosInit } from '../../../src/photos/photos.js'
import { UploadSpool } from '../../../src/photos/upload-spool.js'
import { RecordWriter } from '../../../src/store/record-writer.js'
import { MemoryNeedleStore } from '../../support/memory-needle-store.js'
import { SeededRandom } from '../../support/seeded-random.js'
import { SimulatedClock } from '../../support/simulated-clock.js'
import { SimulatedDisk } from '../../support/simulated-disk.js'
import { SimulatedFileSystem } from '../../support/simulated-file-system.js'
import { MemoryDatabaseSource } from '../directory/memory-database.js'

/** Small, so that a few kilobytes make a chunked blob. */
export const CHUNK_BYTES = 1024

export interface PhotosFixture {
  readonly photos: Photos
  readonly store: MemoryNeedleStore
  readonly directory: Directory
  readonly clock: SimulatedClock
  readonly cache: PhotoCache
  readonly components: PhotosComponents
  readonly hybridClock: HybridClock
  /** Of whole originals that are read but not taken. */
  readonly untaken: ByteBudget
  /** Where uploads are that memory has no room for. */
  readonly spoolDisk: SimulatedDisk
}

/** The real service and directory over a needle store and a database in memory. */
export async function photosFixture(
  init: Partial<PhotosInit> = {},
  overrides: Pick<PhotosComponents, 'copies' | 'quotas'> & Pick<PhotoReaderComponents, 'remote'> = {},
  cacheInit: PhotoCacheInit = { bytesMax: 0, ttlMs: 1 },
  spoolFilesMax = 64,
  untakenBytesMax?: number
): Promise<PhotosFixture> {
  const clock = new SimulatedClock()
  const random = new SeededRandom(1)
  const hybridClock = new HybridClock({ clock })
  const directory = new Directory({
    database: new MemoryDatabaseSource(),
    log: silentLog,
    observe: stamp => hybridClock.observe(stamp)
  })
  await directory.start()
  const store = new MemoryNeedleStore({ epoch: newActorId(random), onCommit: group => directory.apply(group) })
  const actor = () => store.epoch
  const untaken = untakenBudget(untakenBytesMax)
  const cache = new PhotoCache({ store, clock, untaken }, cacheInit)
  const spoolDisk = new SimulatedDisk()
  const spool = new UploadSpool(
    { fileSystem: new SimulatedFileSystem(spoolDisk), clock, reserve: { admit: async () => {} } },
    { folder: '/data', filesMax: spoolFilesMax }
  )
  await spool.start()
  const components: PhotosComponents = {
    spool,
    store,
    directory,
    clock,
    random,
    writer: new RecordWriter({ store, directory, hybridClock, random, actor }),
    reader: new PhotoReader({ store, log: silentLog, cache, untaken, remote: overrides.remote }),
    cache,
    actor,
    log: silentLog,
    logicalVolume: () => store.volume,
    ...overrides
  }
  const photos = Photos.create(components, {
    chunkBytes: CHUNK_BYTES,
    maxUploadBytes: 1 << 20,
    requireCookie: false,
    ...init
  })
  return { photos, store, directory, clock, cache, components, hybridClock, untaken, spoolDisk }
}

/** A body that yields the pieces and records whether it was closed early. */
export class TestBody implements AsyncIterable<Uint8Array> {
  pulled = 0
  closed = false
  readonly #pieces: readonly Uint8Array[]

  constructor(...pieces: readonly Uint8Array[]) {
    this.#pieces = pieces
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      for (const piece of this.#pieces) {
        this.pulled++
        yield piece
      }
    } finally {
      this.closed = true
    }
  }
}

/** @returns the bytes cut into pieces of `pieceBytes`, as a network might deliver them */
export function bodyOf(bytes: Uint8Array, pieceBytes = 300): TestBody {
  const pieces: Uint8Array[] = []
  for (let at = 0; at < bytes.length; at += pieceBytes) pieces.push(bytes.slice(at, at + pieceBytes))
  return new TestBody(...pieces)
}

export async function collect(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const collected: Uint8Array[] = []
  for await (const piece of pieces) collected.push(piece)
  return Buffer.concat(collected)
}

/** Blocks whoever awaits `opened`. */
export class Gate {
  open: () => void = () => {}
  readonly opened = new Promise<void>(resolve => {
    this.open = resolve
  })
}
