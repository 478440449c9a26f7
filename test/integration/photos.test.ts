import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { systemClock } from '../../src/core/clock.js'
import { silentLog } from '../../src/core/log.js'
import { nodeFileSystem } from '../../src/core/node-file-system.js'
import { systemRandom } from '../../src/core/random.js'
import { levelDatabase } from '../../src/directory/database.js'
import type { PhotoId } from '../../src/domain/ids.js'
import { NodeServices } from '../../src/node-services.js'
import type { Photos } from '../../src/photos/photos.js'
import { noiseBytes, photoByteCount, SeededRandom } from '../support/photo-maker.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const VOLUME_BYTES = 2_000_000
/** What services makes of such volumes: the greatest power of two that fits eight times. */
const CHUNK_BYTES = 131_072

/** A node's services on a real disk with a real LevelDB. */
async function startServices(folder: string): Promise<NodeServices> {
  const services = new NodeServices(
    {
      fileSystem: nodeFileSystem,
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
      database: levelDatabase(join(folder, 'directory'), nodeFileSystem),
      sign: () => new Uint8Array(64),
      verifySignature: () => true
    },
    {
      folder,
      origin: new Uint8Array(32),
      volumeBytes: VOLUME_BYTES,
      purgeMs: 0,
      maxUploadBytes: 1e9,
      minCopies: 1,
      requireCookie: false
    }
  )
  await services.start()
  return services
}

async function* pieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536)
}

async function read(photos: Photos, id: PhotoId, start = 0, end = Number.POSITIVE_INFINITY): Promise<Buffer> {
  const { head, stream } = await photos.open(id, 'orig')
  const collected: Uint8Array[] = []
  for await (const piece of stream(start, Math.min(end, head.size))) collected.push(Buffer.from(piece))
  return Buffer.concat(collected)
}

async function finish(services: NodeServices, { id }: { readonly id: string }): Promise<unknown> {
  for (;;) {
    const job = services.jobs.get(id)
    if (job?.state === 'done') return job.result
    if (job?.state !== 'running' && job?.state !== 'queued') throw new Error(JSON.stringify(job?.error))
    await new Promise(resolve => setImmediate(resolve))
  }
}

/** Everything that a client can see of the live photos. */
async function snapshot(photos: Photos): Promise<unknown> {
  const { photos: listed, total } = await photos.list({ limit: 1_000 })
  return { total, metas: await Promise.all(listed.map(({ photo }) => photos.meta(photo.id))) }
}

describe('photos on a real disk', () => {
  test('survive restarts, a lost directory, compaction and undo, byte for byte', async () => {
    const folder = await temporaryDirectory()
    const random = new SeededRandom(1)
    let services = await startServices(folder)
    const blobs = Array.from({ length: 80 }, (_, i) => noiseBytes(i, photoByteCount(random, 900_000)))
    const receipts = await Promise.all(
      blobs.map((blob, i) =>
        services.photos.upload(pieces(blob), {
          filename: `photo ${i}.bin`,
          tags: [i % 2 ? 'odd' : 'even'],
          declaredBytes: i % 3 ? blob.length : undefined
        })
      )
    )
    const ids = receipts.map(receipt => receipt.photoId)
    expect(blobs.some(blob => blob.length > 4 * CHUNK_BYTES)).toBe(true)

    const expectAll = async (deleted: (i: number) => boolean): Promise<void> => {
      for (const [i, id] of ids.entries()) {
        const blob = blobs[i] as Buffer
        if (deleted(i)) {
          await expect(services.photos.open(id, 'orig')).rejects.toMatchObject({ code: 'ERR_PHOTO_DELETED' })
          continue
        }
        expect((await read(services.photos, id)).equals(blob)).toBe(true)
        const start = random.below(blob.length)
        const end = random.between(start, blob.length)
        expect((await read(services.photos, id, start, end)).equals(blob.subarray(start, end))).toBe(true)
        const hot = services.photos.openHot(id)
        expect(hot !== undefined).toBe(blob.length <= CHUNK_BYTES)
        expect(hot === undefined || blob.equals(hot.lease.data)).toBe(true)
        hot?.lease.release()
      }
    }
    await expectAll(() => false)

    await services.photos.batchDelete(ids.filter((_, i) => i % 4 === 0))
    await services.photos.batchEdit(
      ids.filter((_, i) => i % 4 === 1),
      { tags: { add: ['tagged'] } }
    )
    await services.photos.undelete(ids[0] as PhotoId)
    const isDeleted = (i: number): boolean => i % 4 === 0 && i !== 0
    await expectAll(isDeleted)
    const before = await snapshot(services.photos)
    const bytesBefore = (await services.maintenance.status()).bytes

    await services.stop()
    services = await startServices(folder)
    await expectAll(isDeleted)
    expect(await snapshot(services.photos)).toEqual(before)

    await services.stop()
    await rm(join(folder, 'directory'), { recursive: true })
    services = await startServices(folder)
    expect(await snapshot(services.photos)).toEqual(before)
    await expectAll(isDeleted)

    // Hot photos lose their place by compaction, deleted ones their bytes.
    await finish(services, services.maintenance.compact())
    expect((await services.maintenance.status()).bytes).toBeLessThan(bytesBefore)
    await expectAll(isDeleted)
    expect(await snapshot(services.photos)).toEqual(before)
    await expect(services.photos.undelete(ids[4] as PhotoId)).rejects.toMatchObject({ code: 'ERR_BYTES_GONE' })
    expect(await finish(services, services.maintenance.verify())).toMatchObject({ faults: [] })
    await services.stop()
  })
})
