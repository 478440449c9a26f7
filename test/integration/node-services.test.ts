import { describe, expect, it } from 'vitest'
import type { PhotoId } from '../../src/domain/ids.js'
import { dataIdentity } from '../../src/store/photo-needles.js'
import type { CheckReport } from '../../src/store/verify.js'
import type { CompactionResult } from '../../src/volumes/compaction.js'
import { SimulatedNode, type SimulatedNodeOptions } from '../support/simulated-node.js'

async function upload(node: SimulatedNode, bytes: Uint8Array, filename = 'a.bin'): Promise<PhotoId> {
  const body = (async function* () {
    yield bytes
  })()
  return (await node.services.photos.upload(body, { filename, declaredBytes: bytes.byteLength })).photoId
}

async function read(node: SimulatedNode, id: PhotoId): Promise<Buffer> {
  const content = await node.services.photos.open(id, 'orig')
  const parts: Uint8Array[] = []
  for await (const part of content.stream(0, content.head.size)) parts.push(part)
  return Buffer.concat(parts)
}

async function filled(options: SimulatedNodeOptions, sizes: readonly number[]) {
  const node = new SimulatedNode(options)
  await node.start()
  const photos = new Map<PhotoId, Uint8Array>()
  for (const size of sizes) {
    const bytes = node.random.bytes(size)
    photos.set(await upload(node, bytes), bytes)
  }
  return { node, photos }
}

async function expectExactly(node: SimulatedNode, photos: ReadonlyMap<PhotoId, Uint8Array>): Promise<void> {
  for (const [id, bytes] of photos) expect((await read(node, id)).equals(bytes)).toBe(true)
  const { photos: listed, total } = await node.services.photos.list({ limit: 1000 })
  expect(listed.map(({ photo }) => photo.id).sort()).toEqual([...photos.keys()].sort())
  expect(total).toBe(photos.size)
  const report = await node.finish<CheckReport>(node.services.maintenance.verify())
  expect(report.faults).toEqual([])
}

async function diskBytes(node: SimulatedNode): Promise<number> {
  const volumes = await node.services.maintenance.volumes()
  return volumes.reduce((sum, volume) => sum + volume.bytes, 0)
}

describe('services of one node', () => {
  it('keeps everything through a stop, a kill, a loss of power and the loss of the directory', async () => {
    const { node, photos } = await filled({ volumeBytes: 400_000 }, [10, 60_000, 1, 300_000, 5_000])
    const [deleted] = photos.keys() as Iterable<PhotoId> as [PhotoId]
    const gone = [...photos.keys()][0] as PhotoId
    await node.services.photos.remove(gone)
    photos.delete(gone)
    expect(deleted).toBeDefined()
    const edited = [...photos.keys()][0] as PhotoId
    await node.services.photos.patch(edited, { name: 'new name', tags: { add: ['x'], remove: [] } })
    await expectExactly(node, photos)
    const digest = node.services.local.directory.digest()
    for (const end of ['stop', 'kill', 'crash', 'lost'] as const) {
      if (end === 'stop') await node.stop()
      else node.die(end === 'lost' ? 'kill' : end)
      if (end === 'lost') node.loseDirectory()
      await node.start()
      await expectExactly(node, photos)
      expect(node.services.local.directory.digest()).toBe(digest)
      await expect(node.services.photos.open(gone, 'orig')).rejects.toMatchObject({ code: 'ERR_PHOTO_DELETED' })
      expect((await node.services.photos.meta(edited)).photo).toMatchObject({ name: 'new name', tags: ['x'] })
    }
  })

  it('rebuilds the directory from volumes alone, deletes and edits included, and answers nothing meanwhile', async () => {
    const { node, photos } = await filled({ volumeBytes: 300_000 }, Array(30).fill(20_000))
    const [gone, edited, back] = [...photos.keys()] as [PhotoId, PhotoId, PhotoId]
    await node.services.photos.remove(gone)
    photos.delete(gone)
    await node.services.photos.patch(edited, { caption: 'kept' })
    await node.services.photos.remove(back)
    await node.services.photos.undelete(back)
    const digest = node.services.local.directory.digest()
    const { directory } = node.services.local
    const clear = directory.clear.bind(directory)
    directory.clear = async () => {
      await clear()
      expect(node.services.unready()).toMatchObject({ code: 'ERR_DIRECTORY_UNAVAILABLE' })
      await expect(node.services.photos.meta(edited)).rejects.toMatchObject({ code: 'ERR_DIRECTORY_UNAVAILABLE' })
    }
    await node.finish(node.services.maintenance.rebuildDirectory())
    expect(node.services.unready()).toBeUndefined()
    expect(node.services.local.directory.digest()).toBe(digest)
    await expectExactly(node, photos)
    photos.set(await upload(node, new Uint8Array(10)), new Uint8Array(10))
    await expectExactly(node, photos)
  })

  it('compaction gives the space of deleted photos back and loses nothing else', async () => {
    const { node, photos } = await filled({ volumeBytes: 300_000 }, Array(40).fill(20_000))
    const before = await diskBytes(node)
    for (const [i, id] of [...photos.keys()].entries()) {
      if (i % 4 === 0) continue
      await node.services.photos.remove(id)
      photos.delete(id)
    }
    const volumes = await node.services.maintenance.volumes()
    const deadBytes = volumes.reduce((sum, volume) => sum + volume.deadBytes, 0)
    expect(deadBytes).toBeGreaterThan(30 * 20_000)
    const result = await node.finish<CompactionResult>(node.services.maintenance.compact(true))
    expect(result.freedBytes).toBeGreaterThan(30 * 20_000)
    const { counts } = node.services.local.compactor
    expect(counts.volumes).toBe(result.volumes)
    expect(counts.movedBytes).toBe(result.movedBytes)
    expect(counts.freedBytes - counts.movedBytes).toBe(result.freedBytes)
    expect(await diskBytes(node)).toBeLessThan(before - 30 * 20_000)
    await expectExactly(node, photos)
    node.loseDirectory()
    node.die('crash')
    await node.start()
    await expectExactly(node, photos)
    const again = await node.finish<CompactionResult>(node.services.maintenance.compact(true))
    expect(again.movedBytes).toBeLessThan(50_000)
    await expectExactly(node, photos)
  })

  it('a crash at any moment of a compaction costs nothing', async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const { node, photos } = await filled({ seed, volumeBytes: 120_000 }, Array(12).fill(20_000))
      const dead = [...photos.keys()].filter((_, i) => i % 3 !== 0)
      for (const id of dead) {
        await node.services.photos.remove(id)
        photos.delete(id)
      }
      const digest = node.services.local.directory.digest()
      node.services.maintenance.compact(true)
      for (let turns = node.random.below(400); turns > 0; turns--) await new Promise(resolve => setImmediate(resolve))
      node.die(seed % 2 === 0 ? 'kill' : 'crash')
      if (seed % 3 === 0) node.loseDirectory()
      await node.start()
      expect(node.services.local.volumes.recovery?.holes).toBe(0)
      await expectExactly(node, photos)
      for (const id of dead) {
        await expect(node.services.photos.open(id, 'orig')).rejects.toMatchObject({ code: 'ERR_PHOTO_DELETED' })
      }
      await node.finish(node.services.maintenance.compact(true))
      await expectExactly(node, photos)
      expect(digest).toHaveLength(32)
      await node.stop()
    }
  })

  it('compaction keeps a volume in which damage comes to light', async () => {
    const { node, photos } = await filled({ volumeBytes: 300_000 }, Array(5).fill(20_000))
    const [gone, damaged] = [...photos.keys()] as [PhotoId, PhotoId]
    await node.services.photos.remove(gone)
    const volume = node.services.local.volumes.volumes()[0]
    const [location] = node.services.local.volumes.locate(dataIdentity({ id: damaged, generation: 0, part: 'orig' }, 0))
    node.disk.flipBit(volume?.path as string, (location?.offset as number) + 3_000, 1)
    await expect(node.finish(node.services.maintenance.compact(true))).rejects.toThrow()
    expect(node.services.local.volumes.volumes().map(({ id }) => id)).toContain(volume?.id)
    photos.delete(gone)
    photos.delete(damaged)
    for (const [id, bytes] of photos) expect((await read(node, id)).equals(bytes)).toBe(true)
    await expect(read(node, damaged)).rejects.toMatchObject({ code: 'ERR_BYTES_UNREACHABLE' })
    const report = await node.finish<CheckReport>(node.services.maintenance.verify())
    expect(report.faults.map(({ photoId }) => photoId)).toContain(damaged)
  })

  it('scrub finds a flipped bit that nobody has read, and says where', async () => {
    const { node } = await filled({}, [50_000, 50_000])
    expect((await node.finish<CheckReport>(node.services.maintenance.scrub())).faults).toEqual([])
    const { scrubber } = node.services.local
    expect(scrubber.progress()?.ratio).toBe(1)
    expect(node.clock.now() - (scrubber.progress()?.completedAtMs ?? 0)).toBeLessThan(1_000)
    const volume = node.services.local.volumes.volumes()[0]
    node.disk.flipBit(volume?.path as string, 30_000, 5)
    const report = await node.finish<CheckReport>(node.services.maintenance.scrub())
    expect(report.faults).toMatchObject([{ volume: volume?.id }])
    expect((await node.services.maintenance.status()).damagedBytes).toBeGreaterThan(50_000)
    expect(await node.services.maintenance.volumes()).toMatchObject([{ holes: [{ from: 256, reason: 'corrupt' }] }])
  })

  it('large photos are chunks; what a broken upload leaves is given back', async () => {
    const { node, photos } = await filled({ volumeBytes: 1_000_000 }, [600_000])
    const broken = (async function* () {
      for (let i = 0; i < 20; i++) yield node.random.bytes(20_000)
      throw new Error('the client went away')
    })()
    await expect(node.services.photos.upload(broken, {})).rejects.toThrow('the client went away')
    await expectExactly(node, photos)
    await node.stop()
    await node.start()
    const result = await node.finish<CompactionResult>(node.services.maintenance.compact(true))
    expect(result.freedBytes).toBeGreaterThan(200_000)
    await expectExactly(node, photos)
  })

  it('a full disk recovers by deletes and compaction alone', async () => {
    const node = new SimulatedNode({ volumeBytes: 200_000, capacityBytes: 2_000_000 })
    await node.start()
    const photos = new Map<PhotoId, Uint8Array>()
    let full: unknown
    for (let i = 0; i < 200 && full === undefined; i++) {
      const bytes = node.random.bytes(15_000)
      await upload(node, bytes).then(
        id => photos.set(id, bytes),
        error => {
          full = error
        }
      )
    }
    expect(full).toMatchObject({ code: 'ERR_DISK_FULL' })
    await expectExactly(node, photos)
    for (const [i, id] of [...photos.keys()].entries()) {
      if (i % 2 === 0) continue
      await node.services.photos.remove(id)
      photos.delete(id)
    }
    await node.finish(node.services.maintenance.compact(true))
    await node.clock.advance(2_000)
    const bytes = node.random.bytes(15_000)
    photos.set(await upload(node, bytes), bytes)
    await expectExactly(node, photos)
  })

  it('the directory that fails while running comes back from the log', async () => {
    const { node, photos } = await filled({ volumeBytes: 300_000 }, [1_000, 2_000])
    const apply = node.services.local.directory.apply.bind(node.services.local.directory)
    node.services.local.directory.apply = () => Promise.reject(new Error('no'))
    const epoch = node.services.local.volumes.epoch
    const bytes = node.random.bytes(3_000)
    await expect(upload(node, bytes)).rejects.toThrow('no')
    expect(node.services.local.volumes.epoch).not.toBe(epoch)
    node.services.local.directory.apply = apply
    await node.services.local.volumes.replay()
    const { photos: listed } = await node.services.photos.list({ limit: 10 })
    const [unacknowledged] = listed.map(({ photo }) => photo.id).filter(id => !photos.has(id)) as [PhotoId]
    photos.set(unacknowledged, bytes)
    await expectExactly(node, photos)
  })
})
