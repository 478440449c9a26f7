import { afterEach, describe, expect, it } from 'vitest'
import type { PhotoId } from '../../src/domain/ids.js'
import { needleBytes } from '../../src/domain/needle.js'
import type { DiskReserve } from '../../src/volumes/disk-reserve.js'
import type { Volume } from '../../src/volumes/volume.js'
import { VolumeCopies } from '../../src/volumes/volume-copies.js'
import { type Host, heads, holds, put, read, ShippingCluster } from '../support/shipping-cluster.js'
import { draftOf, identityOf, VOLUME_FOLDER, VolumeFixture } from '../support/volume-fixture.js'

const clusters: ShippingCluster[] = []
afterEach(async () => {
  for (const { hosts } of clusters.splice(0)) for (const { shipping } of hosts) await shipping.stop()
})

/** Two hosts, the second with a copy of the first one's volume. */
async function copied() {
  const net = new ShippingCluster()
  clusters.push(net)
  const [a, b] = [await net.add(), await net.add()] as [Host, Host]
  const first = await put(a, 5_000)
  await net.until(() => holds(b, first.id))
  const copy = b.volumes.volumes()[0] as Volume
  return { net, a, b, copy, first }
}

describe('a copy whose disk refuses', () => {
  it.each(['write', 'sync'] as const)('a %s once goes on by itself, and keeps what it takes then', async operation => {
    const { net, a, b, copy, first } = await copied()
    b.fixture.disk.fail(operation, { path: copy.path, times: 1 })
    const second = await put(a, 3_000)
    await net.until(() => copy.state === 'failed')
    expect(holds(b, second.id)).toBe(false)
    const third = await put(a, 70_000)
    await net.until(() => holds(b, second.id) && holds(b, third.id), 5_000)
    expect(copy.state).toBe('closed')
    expect(await heads(b)).toBe(await heads(a))
    await b.shipping.stop()
    b.fixture.disk.crash()
    b.transport.die('crash')
    await net.start(b)
    for (const { id, bytes } of [first, second, third]) expect((await read(b, id)).equals(bytes)).toBe(true)
    expect(b.volumes.recovery).toMatchObject({ holes: 0, tornBytes: 0 })
  })

  it('each time is tried ever more rarely, however much is announced, and at once by a repair', async () => {
    const { net, a, b, copy } = await copied()
    let tries = 0
    const { file } = copy
    const [write, sync] = [file.write.bind(file), file.sync.bind(file)]
    file.sync = () => {
      tries++
      return Promise.reject(Object.assign(new Error('EIO: simulated'), { code: 'EIO' }))
    }
    const last = await put(a, 1_000)
    for (let second = 0; second < 120; second++) {
      await put(a, 100)
      await net.pass(1_000)
    }
    // after 1, 2, 4, 8, 16, 30, 30 and 30 s, give or take what a look is late
    expect(tries).toBeGreaterThan(5)
    expect(tries).toBeLessThan(10)
    Object.assign(file, { write, sync })
    expect(await net.run(b.shipping.repair(() => {}, new AbortController().signal))).toMatchObject({ missing: [] })
    expect(holds(b, last.id)).toBe(true)
    expect(await heads(b)).toBe(await heads(a))
  })
})

describe('a copy whose disk is slow', () => {
  it('takes 64 pushes, leaves the others, and pulls these later', async () => {
    const { net, a, b, copy } = await copied()
    const { file } = copy
    const sync = file.sync.bind(file)
    const waiting: (() => void)[] = []
    file.sync = () => new Promise<void>(resolve => waiting.push(resolve)).then(sync)
    const pulled: string[] = []
    const request = b.transport.request.bind(b.transport)
    b.transport.request = (peer, method, body, signal) => {
      if (method === 'volume.read') pulled.push(method)
      return request(peer, method, body, signal)
    }
    const putMany = async (count: number): Promise<PhotoId> => {
      for (let i = 1; i < count; i++) {
        await put(a, 500)
        await net.pass(5)
      }
      return (await put(a, 500)).id
    }
    await putMany(60)
    await net.pass(1_000)
    expect(pulled).toEqual([])
    const last = await putMany(60)
    await net.pass(1_000)
    expect(pulled).toHaveLength(1)
    expect(holds(b, last)).toBe(false)
    Object.assign(file, { sync })
    for (const resume of waiting) resume()
    await net.until(() => holds(b, last))
    expect(await heads(b)).toBe(await heads(a))
  })
})

describe('a copy that cannot be made', () => {
  it('is asked for ever more rarely, and made once the disk lets it', async () => {
    const net = new ShippingCluster()
    clusters.push(net)
    const [a, b] = [await net.add(), await net.add()] as [Host, Host]
    b.fixture.disk.fail('sync', { path: VOLUME_FOLDER })
    let asked = 0
    const request = b.transport.request.bind(b.transport)
    b.transport.request = (peer, method, body, signal) => {
      if (method === 'volume.superblock') asked++
      return request(peer, method, body, signal)
    }
    for (let second = 0; second < 60; second++) {
      await put(a, 100)
      await net.pass(1_000)
    }
    expect(asked).toBeLessThan(9)
    expect(b.fixture.volumeFiles()).toEqual([])
    b.fixture.disk.heal()
    const { id } = await put(a, 100)
    await net.until(() => holds(b, id), 40_000)
  })
})

describe('a node whose disk is full', () => {
  it('asks for nothing until there is space, however much is announced, and then catches up', async () => {
    const net = new ShippingCluster()
    clusters.push(net)
    const a = await net.add(100_000)
    const b = await net.add(100_000, 600_000)
    const [reserve] = b.fixture.reserve as [DiskReserve]
    for (let i = 0; i < 100 && !reserve.isFull; i++) {
      await put(a, 9_000)
      await net.pass(100)
    }
    await net.pass(5_000)
    expect(reserve.isFull).toBe(true)
    const asked: string[] = []
    const request = b.transport.request.bind(b.transport)
    b.transport.request = (peer, method, body, signal) => {
      asked.push(method)
      return request(peer, method, body, signal)
    }
    const photos: Awaited<ReturnType<typeof put>>[] = []
    for (let i = 0; i < 50; i++) {
      photos.push(await put(a, 9_000))
      await net.pass(100)
    }
    expect(asked.filter(method => method !== 'volume.heads')).toEqual([])
    expect(photos.some(({ id }) => holds(b, id))).toBe(false)
    expect(b.shipping.progress().backlogBytes).toBeGreaterThan(50 * 9_000)
    b.fixture.disk.capacityBytes = 10_000_000
    await net.until(() => photos.every(({ id }) => holds(b, id)), 5_000)
    expect(reserve.isFull).toBe(false)
    expect(await heads(b)).toBe(await heads(a))
  })
})

describe('a repair', () => {
  it('of the volume that takes appends closes it first: a failed sync would lose those that wait for theirs', async () => {
    const fixture = new VolumeFixture()
    const volumes = await fixture.start()
    const copies = new VolumeCopies({ volumes, clock: fixture.clock, reserve: { admit: async () => {} } })
    const append = async (byteCount: number): Promise<Volume> => {
      const [at] = await volumes.append([draftOf(identityOf(fixture.photoId()), fixture.bytes(byteCount))], 'upload')
      return volumes.get(at?.volume ?? volumes.logicalVolume) as Volume
    }
    const volume = await append(900)
    const hole = { from: 256, to: 256 + needleBytes(900) }
    const bytes = Buffer.alloc(needleBytes(900))
    fixture.disk.read(fixture.disk.file(volume.path), bytes, hole.from)
    volume.noteHole(hole, 'corrupt')
    fixture.disk.fail('sync', { path: volume.path, times: 1 })
    await expect(copies.fill(volume, hole.from, bytes)).rejects.toMatchObject({ code: 'ERR_DISK_WRITE' })
    expect(volume.state).toBe('failed')
    expect((await append(100)).id).not.toBe(volume.id)
    await copies.fill(volume, hole.from, bytes)
    expect(volume.holes).toEqual([])
  })
})
