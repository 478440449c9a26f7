import { crc32 } from '@node-rs/crc32'
import { describe, expect, it } from 'vitest'
import type { PhotoId } from '../../src/domain/ids.js'
import { PHOTO_KIND } from '../../src/domain/photo.js'
import type { DirectoryRecord } from '../../src/domain/record.js'
import { SUPERBLOCK_BYTES } from '../../src/domain/superblock.js'
import { dataIdentity } from '../../src/store/photo-needles.js'
import { recordDraft } from '../../src/store/record-needles.js'
import { nodePair } from '../support/node-pair.js'
import { SimulatedNode } from '../support/simulated-node.js'
import { laterFormat } from '../unit/directory/photo-log.js'

// What a later version wrote reaches this one: it is kept, told of, and harms nothing else.

async function upload(node: SimulatedNode): Promise<PhotoId> {
  const bytes = node.random.bytes(2_000)
  const body = (async function* () {
    yield bytes
  })()
  return (await node.services.photos.upload(body, { filename: 'a.bin' })).photoId
}

/** Writes an edit of the photo as a later version would. */
async function editLater(node: SimulatedNode, id: PhotoId): Promise<Uint8Array> {
  const { directory, volumes } = node.services.local
  const record = directory.getSync({ kind: PHOTO_KIND, id })?.record as DirectoryRecord
  const data = laterFormat(record)
  await volumes.append([{ ...recordDraft(record), data }], 'upkeep')
  return data
}

const tooNew = { code: 'ERR_FORMAT_TOO_NEW' }

describe('a record of a later format', () => {
  it('in a peer’s volume is copied and hidden; the node goes on writing and starts again', async () => {
    const { clock, a, b } = await nodePair()
    const [hidden, own] = [await upload(a), await upload(b)]
    await clock.advance(2_000)
    const { epoch } = b.services.local.volumes
    const bytes = await editLater(a, hidden)
    const after = await upload(a)
    await clock.advance(5_000)
    const check = async (node: SimulatedNode): Promise<void> => {
      await expect(node.services.photos.open(hidden, 'orig')).rejects.toMatchObject(tooNew)
      await expect(node.services.photos.patch(hidden, { caption: 'x' })).rejects.toMatchObject(tooNew)
      await expect(node.services.photos.remove(hidden)).rejects.toMatchObject(tooNew)
      const { photos, total } = await node.services.photos.list({ limit: 10 })
      expect([photos.map(({ photo }) => photo.id).sort(), total]).toEqual([[own, after].sort(), 2])
      expect((await node.services.maintenance.status()).opaqueRecords).toBe(1)
      expect(node.occurrences(bytes)).toBe(1)
    }
    await check(a)
    await check(b)
    expect(b.services.local.volumes.epoch).toBe(epoch)
    expect(b.services.local.directory.digest()).toBe(a.services.local.directory.digest())
    b.die('kill')
    b.loseDirectory()
    await b.start()
    await check(b)
    await Promise.all([a.stop(), b.stop()])
  })

  it('is moved as it is whenever its volume is compacted, once, with the bytes of its photo', async () => {
    const node = new SimulatedNode({ purgeMs: 1_000 })
    await node.start()
    const hidden = await upload(node)
    const bytes = await editLater(node, hidden)
    const original = dataIdentity({ id: hidden, generation: 0, part: 'orig' }, 0)
    for (let round = 0; round < 4; round++) {
      const before = node.services.local.volumes.volumes()
      await node.services.photos.remove(await upload(node))
      await node.clock.advance(10_000)
      await node.finish(node.services.maintenance.compact())
      for (const { id } of before) expect(node.services.local.volumes.get(id)).toBeUndefined()
      expect(node.occurrences(bytes)).toBe(1)
      expect(node.services.local.volumes.locate(original)).toHaveLength(1)
    }
    await node.stop()
  })
})

describe('a volume of a later format', () => {
  it('is left alone, and the node starts without it', async () => {
    const node = new SimulatedNode()
    await node.start()
    const id = await upload(node)
    const [volume] = node.services.local.volumes.volumes()
    const path = volume!.path
    await node.stop()
    const superblock = Buffer.alloc(SUPERBLOCK_BYTES)
    node.disk.read(node.disk.file(path), superblock, 0)
    superblock.writeUInt16LE(3, 8)
    superblock.writeUInt32LE(crc32(superblock.subarray(0, SUPERBLOCK_BYTES - 4)), SUPERBLOCK_BYTES - 4)
    node.disk.file(path).write(superblock, 0)
    await node.start()
    expect(node.services.local.volumes.recovery?.foreignFiles).toEqual([`${volume!.id}.volume`])
    await expect(node.services.photos.open(id, 'orig')).rejects.toMatchObject({ code: 'ERR_BYTES_UNREACHABLE' })
    const later = await upload(node)
    expect((await node.services.photos.open(later, 'orig')).head.size).toBe(2_000)
    await node.stop()
  })
})
