import { describe, expect, it } from 'vitest'
import { hlcFrom } from '../../src/domain/hlc.js'
import type { NodeId, PhotoId, VolumeId } from '../../src/domain/ids.js'
import { needleBytes } from '../../src/domain/needle.js'
import { PHOTO_KIND } from '../../src/domain/photo.js'
import { changeRecord } from '../../src/domain/record.js'
import { encodeRecord } from '../../src/domain/record-codec.js'
import { SUPERBLOCK_BYTES } from '../../src/domain/superblock.js'
import { dataIdentity } from '../../src/store/photo-needles.js'
import type { NeedleLocation } from '../../src/volumes/needle-store.js'
import type { Volume } from '../../src/volumes/volume.js'
import { nodePair } from '../support/node-pair.js'
import { SimulatedNode } from '../support/simulated-node.js'

// What the simulation once found, told as short stories.

async function upload(node: SimulatedNode, bytes: Uint8Array): Promise<PhotoId> {
  const body = (async function* () {
    yield bytes
  })()
  return (await node.services.photos.upload(body, { filename: 'a.bin' })).photoId
}

async function read(node: SimulatedNode, id: PhotoId): Promise<Uint8Array> {
  const { head, stream } = await node.services.photos.open(id, 'orig')
  const parts: Uint8Array[] = []
  for await (const part of stream(0, head.size)) parts.push(part)
  return Buffer.concat(parts)
}

async function listed(node: SimulatedNode): Promise<PhotoId[]> {
  return (await node.services.photos.list({ limit: 1000 })).photos.map(({ photo }) => photo.id)
}

function holes(node: SimulatedNode): number {
  return node.services.local.volumes.volumes().reduce((sum, volume) => sum + volume.holes.length, 0)
}

/** Where the original of a photo stands, if it is whole. */
function place(node: SimulatedNode, id: PhotoId): { readonly path: string; readonly offset: number } {
  const [location] = node.services.local.volumes.locate(dataIdentity({ id, generation: 0, part: 'orig' }, 0))
  const volume = location && node.services.local.volumes.get(location.volume)
  if (volume === undefined) throw new Error(`the bytes of ${id} are not here`)
  return { path: volume.path, offset: location?.offset ?? 0 }
}

async function started(seed = 1): Promise<SimulatedNode> {
  const node = new SimulatedNode({ seed })
  await node.start()
  return node
}

/** Where the record of a photo stands. */
function recordPlace(node: SimulatedNode, id: PhotoId): { readonly path: string; readonly offset: number } {
  const home = node.services.local.directory.getSync({ kind: PHOTO_KIND, id })?.home
  const volume = home && node.services.local.volumes.get(home.volume)
  if (volume === undefined) throw new Error(`the record of ${id} has no home`)
  return { path: volume.path, offset: home?.offset ?? 0 }
}

/** A photo whose record is in a hole, although the disk can read it. */
async function holed(): Promise<{ node: SimulatedNode; id: PhotoId; volume: Volume; home: NeedleLocation }> {
  const node = await started()
  const id = await upload(node, node.random.bytes(900))
  const home = node.services.local.directory.getSync({ kind: PHOTO_KIND, id })?.home as NeedleLocation
  const volume = node.services.local.volumes.get(home.volume) as Volume
  volume.noteHole({ from: home.offset, to: home.offset + needleBytes(home.length) }, 'unreadable')
  return { node, id, volume, home }
}

/** The first read at this place fails with the code. @returns whether it has */
function failReadsOnce(node: SimulatedNode, path: string, offset: number, code: string): () => boolean {
  const { disk } = node
  const file = disk.file(path)
  const read = disk.read.bind(disk)
  let failed = false
  disk.read = (from, into, position) => {
    if (failed || from !== file || position !== offset) return read(from, into, position)
    failed = true
    throw Object.assign(new Error(`${code}: simulated`), { code })
  }
  return () => failed
}

describe('after a failed sync and a kill', () => {
  it('what the next start shows does not go with the next loss of power', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const node = await started(seed)
      await upload(node, node.random.bytes(1_000))
      node.disk.fail('sync', { times: 1 })
      await expect(upload(node, node.random.bytes(1_000))).rejects.toMatchObject({ code: 'ERR_DISK_WRITE' })
      node.die('kill')
      await node.start()
      const shown = await listed(node)
      expect(shown).toHaveLength(2)
      node.die('crash')
      node.loseDirectory()
      await node.start()
      expect(await listed(node)).toEqual(shown)
      for (const id of shown) expect(await read(node, id)).toHaveLength(1_000)
      expect(holes(node)).toBe(0)
    }
  })
})

describe('a write of several photos that a loss of power tore in the middle', () => {
  /** Two photos of one write that was never synced; the first one's bytes are damaged. */
  async function torn(): Promise<{ node: SimulatedNode; first: PhotoId; second: PhotoId; whole: PhotoId }> {
    const node = await started()
    const whole = await upload(node, node.random.bytes(500))
    const [first, second] = await Promise.all([
      upload(node, node.random.bytes(700)),
      upload(node, node.random.bytes(600))
    ])
    const { path, offset } = place(node, first)
    const after = place(node, second)
    expect(after.path).toBe(path)
    expect(after.offset).toBeGreaterThan(offset)
    node.die('kill')
    node.loseDirectory()
    node.disk.flipBit(path, offset + 100, 0)
    return { node, first, second, whole }
  }

  it('leaves no hole, and costs nothing that is whole', async () => {
    const { node, first, second, whole } = await torn()
    await node.start()
    expect(holes(node)).toBe(0)
    expect(await read(node, whole)).toHaveLength(500)
    expect(await read(node, second)).toHaveLength(600)
    expect(await listed(node)).not.toContain(first)
    node.die('crash')
    await node.start()
    expect(await read(node, second)).toHaveLength(600)
  })

  it('is told from damage to what was durable: a later write says so', async () => {
    const node = await started()
    const [first] = await Promise.all([upload(node, node.random.bytes(500)), upload(node, node.random.bytes(600))])
    const { path, offset } = place(node, first)
    const later = await upload(node, node.random.bytes(700))
    node.die('kill')
    node.loseDirectory()
    node.disk.flipBit(path, offset + 100, 0)
    await node.start()
    expect(holes(node)).toBe(1)
    expect(await read(node, later)).toHaveLength(700)
    expect(await listed(node)).toHaveLength(3)
  })
})

describe('a damaged row of the directory', () => {
  it('that the replay of a start comes across costs a rebuild, not the start', async () => {
    const node = await started()
    const id = await upload(node, node.random.bytes(100))
    const rows = node.database.snapshot()
    await node.services.photos.patch(id, { caption: 'later' })
    node.die('kill')
    node.database.restore(
      rows.map(row => {
        const isRecord = row.key[0] === 6
        return isRecord ? { ...row, value: row.value?.map((byte, i) => (i === 40 ? byte ^ 1 : byte)) } : row
      })
    )
    await node.start()
    expect(node.services.local.directory.rebuildReason).toBeDefined()
    expect((await node.services.photos.meta(id)).photo.caption).toBe('later')
  })

  it('does not keep an operator from having it made anew', async () => {
    const node = await started()
    const id = await upload(node, node.random.bytes(100))
    for (let i = 0; i < 50; i++) await node.database.flipBit()
    await node.finish(node.services.maintenance.rebuildDirectory())
    expect(await node.services.local.directory.verify()).toEqual([])
    expect(await listed(node)).toEqual([id])
  })
})

describe('a disk that refuses to read once', () => {
  it('costs nothing when it can later: a scrub looks again, and the next start still knows', async () => {
    const node = await started()
    const ids = [await upload(node, node.random.bytes(900)), await upload(node, node.random.bytes(800))]
    for (const id of ids) {
      node.disk.fail('read', { path: place(node, id).path, times: 1 })
      await expect(read(node, id)).rejects.toMatchObject({ code: 'ERR_BYTES_UNREACHABLE' })
    }
    expect(holes(node)).toBeGreaterThan(0)
    await node.finish(node.services.maintenance.scrub())
    expect(holes(node)).toBe(0)
    for (const how of ['kill', 'crash'] as const) {
      node.die(how)
      await node.start()
      expect(holes(node)).toBe(0)
      expect(await read(node, ids[0] as PhotoId)).toHaveLength(900)
      expect(await read(node, ids[1] as PhotoId)).toHaveLength(800)
    }
  })
})

describe('a disk that refuses to read while the directory is filled', () => {
  /** Two photos in one volume; the disk has refused their records for so long that they are missing. */
  async function gapped(): Promise<{ node: SimulatedNode; ids: PhotoId[] }> {
    const node = await started()
    const ids = [await upload(node, node.random.bytes(900)), await upload(node, node.random.bytes(800))].sort()
    node.disk.fail('read', { path: place(node, ids[0] as PhotoId).path, from: SUPERBLOCK_BYTES })
    await node.finish(node.services.maintenance.rebuildDirectory())
    expect(await listed(node)).toEqual([])
    expect(holes(node)).toBeGreaterThan(0)
    return { node, ids }
  }

  it('once costs nothing: the places are looked at again before the directory answers', async () => {
    for (const times of [1, 2]) {
      const node = await started()
      const ids = [await upload(node, node.random.bytes(900)), await upload(node, node.random.bytes(800))].sort()
      node.disk.fail('read', { path: place(node, ids[0] as PhotoId).path, times })
      await node.finish(node.services.maintenance.rebuildDirectory())
      expect((await listed(node)).sort()).toEqual(ids)
      expect(holes(node)).toBe(0)
    }
  })

  it('costs nothing once it can again: the next start that fills the directory looks at them again', async () => {
    const { node, ids } = await gapped()
    node.die('kill')
    node.loseDirectory()
    node.disk.heal()
    await node.start()
    expect((await listed(node)).sort()).toEqual(ids)
    expect(holes(node)).toBe(0)
    expect(await node.services.local.directory.verify()).toEqual([])
  })

  it('still, keeps the node from nothing else', async () => {
    const { node, ids } = await gapped()
    const later = await upload(node, node.random.bytes(700))
    node.die('kill')
    node.loseDirectory()
    await node.start()
    expect(await listed(node)).toEqual([later])
    node.disk.heal()
    await node.finish(node.services.maintenance.scrub())
    expect((await listed(node)).sort()).toEqual([...ids, later].sort())
  })

  it.each(['kept', 'lost'] as const)(
    'costs nothing at the next start, which knows what is missing (index file %s)',
    async index => {
      const { node, ids } = await gapped()
      const [volume] = node.services.local.volumes.volumes()
      await node.stop()
      if (index === 'lost') node.disk.remove(volume?.indexPath ?? '')
      node.disk.heal()
      await node.start()
      expect((await listed(node)).sort()).toEqual(ids)
      expect(holes(node)).toBe(0)
    }
  )

  it('for whatever reason, leaves no photo out for good', async () => {
    const node = await started()
    const ids = [await upload(node, node.random.bytes(900)), await upload(node, node.random.bytes(800))].sort()
    const { path, offset } = recordPlace(node, ids[0] as PhotoId)
    await node.stop()
    node.loseDirectory()
    const failed = failReadsOnce(node, path, offset, 'ENOMEM')
    await node.start()
    expect(failed()).toBe(true)
    expect((await listed(node)).sort()).toEqual(ids)
    expect(holes(node)).toBe(0)
    await node.stop()
    await node.start()
    expect((await listed(node)).sort()).toEqual(ids)
  })

  it('in one place, has nothing behind that place read again by later starts', async () => {
    const node = await started()
    const [lost] = [await upload(node, node.random.bytes(900)), await upload(node, node.random.bytes(800))]
    const { path, offset } = recordPlace(node, lost)
    await node.stop()
    node.loseDirectory()
    node.disk.fail('read', { path, from: offset, to: offset + 1 })
    await node.start()
    expect(await listed(node)).toHaveLength(1)
    await node.stop()
    await node.start()
    expect(holes(node)).toBe(1)
    expect(node.services.local.volumes.recovery?.replayedNeedles).toBe(0)
  })

  it('and again while the directory is filled from another volume: what is filled then counts alone', async () => {
    const node = await started()
    const ids = [await upload(node, node.random.bytes(900))]
    await node.services.local.volumes.closeActive()
    for (const size of [800, 700, 600]) ids.push(await upload(node, node.random.bytes(size)))
    const { directory, volumes, copies } = node.services.local
    const home = directory.getSync({ kind: PHOTO_KIND, id: ids[2] as PhotoId })?.home as NeedleLocation
    const volume = volumes.get(home.volume) as Volume
    const other = volumes.volumes().find(({ id }) => id !== volume.id) as Volume
    const needle = Buffer.alloc(needleBytes(home.length))
    node.disk.read(node.disk.file(volume.path), needle, home.offset)
    volume.noteHole({ from: home.offset, to: home.offset + needle.byteLength }, 'unreadable')
    await other.flushIndex()
    node.disk.fail('read', { path: other.indexPath })
    await expect(node.services.local.refill(() => directory.clear())).rejects.toThrow()
    expect(directory.state).toBe('filling')
    await copies.fill(volume, home.offset, needle)
    expect(volume.holes).toEqual([])
    node.disk.heal()
    await node.clock.advance(3_000) // the directory's worker
    expect(directory.state).toBe('open')
    expect((await listed(node)).sort()).toEqual(ids.sort())
  })

  it('does not lose a record that is filled while the directory is emptied', async () => {
    const { node, id, volume, home } = await holed()
    const { directory, copies } = node.services.local
    const needle = Buffer.alloc(needleBytes(home.length))
    node.disk.read(node.disk.file(volume.path), needle, home.offset)
    const refilled = node.services.local.refill(() => directory.clear())
    await copies.fill(volume, home.offset, needle)
    await refilled
    expect(await listed(node)).toEqual([id])
  })

  it('is not read again by a start that misses nothing', async () => {
    const node = await started()
    const id = await upload(node, node.random.bytes(900))
    node.disk.fail('read', { path: place(node, id).path, times: 1 })
    await expect(read(node, id)).rejects.toMatchObject({ code: 'ERR_BYTES_UNREACHABLE' })
    await node.stop()
    await node.start()
    expect(holes(node)).toBe(1)
  })

  it('does not count as applied before it is, nor does what a copy has skipped', async () => {
    const { node } = await gapped()
    const [volume] = node.services.local.volumes.volumes() as [Volume]
    const { reached, gaps } = node.services.local.directory.progress(volume.id)
    expect([reached, gaps.at(-1)?.to]).toEqual([volume.end, volume.holes.at(-1)?.to])
    node.disk.heal()
    await node.finish(node.services.maintenance.scrub())
    expect(node.services.local.directory.progress(volume.id)).toEqual({ reached: volume.end, gaps: [] })
  })

  it.each([0, 1])('gives what a retired volume hides, too, also after %i failed batches', async batches => {
    const { node, ids } = await gapped()
    const [volume] = node.services.local.volumes.volumes()
    const stamper = { actor: node.services.local.volumes.epoch, hlc: () => hlcFrom(node.clock.now()) }
    const key = { kind: 'volume', id: volume?.id ?? '' }
    const value = new Map([['covered', volume?.end ?? 0]])
    const retired = changeRecord(key, undefined, stamper, [{ kind: 'version', value }])
    await node.services.local.directory.merge([encodeRecord(retired)])
    await node.services.local.directory.forgetVolume(key.id as VolumeId)
    await node.stop()
    node.disk.heal()
    node.database.failBatches(batches)
    await node.start()
    expect(holes(node)).toBe(0)
    expect((await listed(node)).sort()).toEqual(ids)
  })

  it('and a directory that fails then: both come back', async () => {
    const { node, ids } = await gapped()
    node.die('kill')
    node.loseDirectory()
    node.disk.heal()
    node.database.failBatches(1)
    await node.start()
    expect((await listed(node)).sort()).toEqual(ids)
  })
})

describe('a hole with an intact needle in it', () => {
  it('does not secure the record in it: a replay would not find it there', async () => {
    const { node, id, home } = await holed()
    expect(await node.services.local.verdicts.secureRecords(new AbortController().signal)).toBe(1)
    const moved = node.services.local.directory.getSync({ kind: PHOTO_KIND, id })?.home
    expect(moved).toBeDefined()
    expect(moved).not.toEqual(home)
  })

  it('is closed in a volume that takes no more appends, too', async () => {
    const { node, volume } = await holed()
    node.disk.fail('sync', { path: volume.path, times: 1 })
    await expect(upload(node, node.random.bytes(500))).rejects.toMatchObject({ code: 'ERR_DISK_WRITE' })
    expect(volume.state).toBe('failed')
    await node.finish(node.services.maintenance.scrub())
    expect(volume.holes).toEqual([])
  })
})

describe('the ballast', () => {
  it('is there in full after a loss of power, so that a full disk takes deletes', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const node = await started(seed)
      const id = await upload(node, node.random.bytes(5_000))
      node.die('crash')
      await node.start()
      const { disk } = node
      disk.capacityBytes -= disk.freeBytes
      await node.services.photos.remove(id)
      expect(await listed(node)).toEqual([])
    }
  })
})

describe('a damaged superblock', () => {
  it('is put right by a peer, and keeps no damage behind it from being repaired', async () => {
    const { clock, network, a, b } = await nodePair()
    const id = await upload(a, a.random.bytes(5_000))
    await clock.advance(5_000)
    const { path, offset } = place(b, id)
    b.die('kill')
    b.disk.flipBit(path, 20, 1)
    b.disk.flipBit(path, offset + 100, 1)
    await b.start()
    expect(holes(b)).toBeGreaterThan(0)
    await b.finish(b.services.maintenance.scrub())
    await clock.advance(60_000)
    expect(holes(b)).toBe(0)
    network.links.partition(['a' as NodeId], ['b' as NodeId])
    expect(await read(b, id)).toHaveLength(5_000)
    b.die('kill')
    await b.start()
    expect(holes(b)).toBe(0)
    await Promise.all([a.stop(), b.stop()])
  })
})
