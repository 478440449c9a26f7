import { afterEach, describe, expect, it } from 'vitest'
import { SheafError } from '../../src/core/errors.js'
import type { NodeId, PhotoId, VolumeId } from '../../src/domain/ids.js'
import { needleBytes } from '../../src/domain/needle.js'
import { SUPERBLOCK_BYTES } from '../../src/domain/superblock.js'
import {
  decodeBytes,
  decodeHead,
  encodeBytes,
  encodeHeads,
  encodeKnownHoles,
  encodeRange
} from '../../src/replication/volumes/volume-messages.js'
import type { Volume } from '../../src/volumes/volume.js'
import { deferred } from '../support/deferred.js'
import { type Host, heads, holds, put, read, ShippingCluster } from '../support/shipping-cluster.js'
import { identityOf, only, VOLUME_FOLDER } from '../support/volume-fixture.js'

/** A peer that failed is not asked for this long, except by a repair. */
const FAILURE_PENALTY_MS = 1_000

type Notify = Host['transport']['notify']

function intercept(host: Host, handle: (send: Notify) => Notify): void {
  const { transport } = host
  transport.notify = handle(transport.notify.bind(transport))
}

/** @returns the methods of the host's requests from now on */
function requestedMethods(host: Host): string[] {
  const methods: string[] = []
  const { transport } = host
  const request = transport.request.bind(transport)
  transport.request = (peer, method, body, signal) => {
    methods.push(method)
    return request(peer, method, body, signal)
  }
  return methods
}

describe('volume shipping', () => {
  const clusters: ShippingCluster[] = []
  const cluster = (): ShippingCluster => {
    const made = new ShippingCluster()
    clusters.push(made)
    return made
  }
  afterEach(async () => {
    for (const { hosts } of clusters.splice(0)) for (const { shipping } of hosts) await shipping.stop()
  })

  it('copies the writes of each node to all, applied and byte for byte', async () => {
    const net = cluster()
    const [a, b, c] = [await net.add(), await net.add(), await net.add()]
    const { id, bytes } = await put(a, 50_000)
    await net.until(() => holds(b, id) && holds(c, id))
    expect((await read(b, id)).equals(bytes)).toBe(true)
    expect(b.fixture.applied.records.length).toBe(1)
    const second = await put(c, 10)
    await net.until(() => holds(a, second.id) && holds(b, second.id))
    expect(await heads(a)).toBe(await heads(b))
    expect(await heads(a)).toBe(await heads(c))
  })

  it('catches up after an absence, over many volumes and large needles', async () => {
    const net = cluster()
    const a = await net.add()
    const photos: { id: PhotoId; bytes: Uint8Array }[] = []
    for (const size of [3_000_000, 10, 700_000, 300_000, 5_000, 900_000, 0]) photos.push(await put(a, size))
    const b = await net.add()
    await net.until(() => photos.every(({ id }) => holds(b, id)))
    for (const { id, bytes } of photos) expect((await read(b, id)).equals(bytes)).toBe(true)
    expect(await heads(a)).toBe(await heads(b))
    expect(b.shipping.progress().backlogBytes).toBe(0)
  })

  it('says how long catching up takes from the first bytes on', async () => {
    const net = cluster()
    const a = await net.add(10_000_000)
    for (let i = 0; i < 20; i++) await put(a, 900_000)
    const b = await net.add(10_000_000)
    net.network.links.thin(a.id, b.id, 1_000_000)
    const { etaS: firstS } = b.shipping.progress()
    expect(firstS).toBeUndefined() // what the other has is not known yet
    await net.pass(1_000)
    expect(b.shipping.progress().etaS).toBeGreaterThan(10)
    await net.pass(2_000)
    const { etaS = Number.NaN, backlogBytes } = b.shipping.progress()
    expect(backlogBytes).toBeGreaterThan(12_000_000)
    const beganMs = net.clock.monotonic()
    await net.until(() => b.shipping.progress().etaS === 0)
    expect(b.shipping.progress().backlogBytes).toBe(0)
    const tookS = (net.clock.monotonic() - beganMs) / 1_000
    expect(Math.abs(etaS - tookS)).toBeLessThan(0.2 * tookS + 1)
  })

  it('keeps what came of a stream that breaks off, again and again', async () => {
    const net = cluster()
    const [a, b] = [await net.add(10_000_000), await net.add()]
    const { transport } = b
    const fetch = transport.fetch.bind(transport)
    transport.fetch = async function* (...args) {
      let pieces = 0
      for await (const piece of fetch(...args)) {
        if (pieces++ === 2) throw new SheafError('ERR_PEER_UNREACHABLE')
        yield piece
      }
    }
    intercept(a, send => (peer, method, body) => method !== 'volume.bytes' && send(peer, method, body))
    const photos: { id: PhotoId }[] = []
    for (let i = 0; i < 20; i++) photos.push(await put(a, 100_000))
    await net.until(() => photos.every(({ id }) => holds(b, id)))
  })

  it('copies a volume whose writer is dead from the peers that have it', async () => {
    const net = cluster()
    const [a, b] = [await net.add(), await net.add()]
    const { id, bytes } = await put(a, 20_000)
    await net.until(() => holds(b, id))
    a.fixture.disk.kill()
    a.transport.die('kill')
    const c = await net.add()
    await net.until(() => holds(c, id))
    expect((await read(c, id)).equals(bytes)).toBe(true)
  })

  it('restores the tail that a writer has lost', async () => {
    const net = cluster()
    const [a, b] = [await net.add(), await net.add()]
    const first = await put(a, 5_000)
    const { id, bytes } = await put(a, 5_000)
    await net.until(() => holds(b, id))
    const [volume] = a.volumes.volumes()
    await a.shipping.stop()
    a.fixture.disk.kill()
    a.transport.die('kill')
    const end = (volume?.end as number) - needleBytes(5_000) - needleBytes(90)
    a.fixture.disk.truncate(volume?.path as string, end)
    a.fixture.applied.forget()
    await net.start(a)
    expect(holds(a, first.id)).toBe(true)
    await net.until(() => holds(a, id))
    expect((await read(a, id)).equals(bytes)).toBe(true)
    expect(await heads(a)).toBe(await heads(b))
  })

  it('repairs damage on the writer from a copy', async () => {
    const net = cluster()
    const [a, b] = [await net.add(), await net.add()]
    const { id, bytes } = await put(a, 30_000)
    const after = await put(a, 100)
    await net.until(() => holds(b, id) && holds(b, after.id))
    const { volume, offset } = only(a.volumes.locate(identityOf(id)))
    a.fixture.disk.flipBit(`${VOLUME_FOLDER}/${volume}.volume`, offset + 5_000, 2)
    await expect(read(a, id)).rejects.toMatchObject({ code: 'ERR_NEEDLE_CORRUPT' })
    expect(holds(a, id)).toBe(false)
    await net.until(() => holds(a, id))
    expect((await read(a, id)).equals(bytes)).toBe(true)
    expect(a.volumes.get(volume)?.holes).toEqual([])
    expect(await heads(a)).toBe(await heads(b))
  })

  it('fills the holes of a volume that takes no more appends', async () => {
    const net = cluster()
    const [a, b] = [await net.add(), await net.add()]
    const { id } = await put(a, 900)
    await net.until(() => holds(b, id))
    const { volume: volumeId, offset, length } = only(a.volumes.locate(identityOf(id)))
    const volume = a.volumes.get(volumeId) as Volume
    a.fixture.disk.fail('sync', { path: volume.path, times: 1 })
    await expect(put(a, 10)).rejects.toMatchObject({ code: 'ERR_DISK_WRITE' })
    expect(volume.state).toBe('failed')
    volume.noteHole({ from: offset, to: offset + needleBytes(length) }, 'unreadable')
    await net.until(() => volume.holes.length === 0)
    expect(holds(a, id)).toBe(true)
  })

  it('skips a hole that no peer can fill, and fills it once a peer can', async () => {
    const net = cluster()
    const [a, b] = [await net.add(), await net.add()]
    const lost = await put(a, 30_000)
    const after = await put(a, 100)
    await net.until(() => holds(b, after.id))
    b.transport.die('kill')
    await b.shipping.stop()
    const { volume, offset } = only(a.volumes.locate(identityOf(lost.id)))
    a.fixture.disk.flipBit(`${VOLUME_FOLDER}/${volume}.volume`, offset + 5_000, 2)
    const c = await net.add()
    await net.until(() => holds(c, after.id), 200_000)
    expect(holds(c, lost.id)).toBe(false)
    expect(c.volumes.get(volume)?.holes.length).toBe(1)
    b.fixture.disk.kill()
    await net.start(b)
    await net.until(() => holds(a, lost.id) && holds(c, lost.id), 200_000)
    expect((await read(c, lost.id)).equals(lost.bytes)).toBe(true)
    expect(await heads(a)).toBe(await heads(c))
    expect(await heads(a)).toBe(await heads(b))
  })

  it.for([
    ['too early', 8_000],
    ['too late', 30_264]
  ] as const)('skips a hole to where a needle begins, though a peer says that it ends %s', async ([, lengthSaid]) => {
    const net = cluster()
    const [liar, a] = [await net.add(), await net.add()]
    const lost = await put(a, 30_000)
    const after = [await put(a, 1_000), await put(a, 1_000)]
    await net.until(() => after.every(({ id }) => holds(liar, id)))
    const { volume: id, offset: from, length } = only(a.volumes.locate(identityOf(lost.id)))
    for (const { volumes } of [a, liar])
      volumes.get(id)?.noteHole({ from, to: from + needleBytes(length) }, 'unreadable')
    const { end } = a.volumes.get(id) as Volume
    const said = { end, holes: [{ from, to: from + lengthSaid }] }
    liar.transport.handle('volume.heads', async () => encodeHeads([{ volume: id, ...said }]))
    liar.transport.handle('volume.doubt', async () => encodeKnownHoles(said))
    const c = await net.add()
    await net.until(() => after.every(photo => holds(c, photo.id)))
    expect(c.volumes.get(id)?.holes).toMatchObject([{ from, to: from + needleBytes(length) }])
  })

  it('fills what a peer has behind a place that nobody has', async () => {
    const net = cluster()
    const [a, b] = [await net.add(), await net.add()]
    const [lost, ...others] = [await put(a, 900), await put(a, 30_000), await put(a, 900)]
    await net.until(() => others.every(({ id }) => holds(b, id)))
    const { volume: id, offset, length } = only(a.volumes.locate(identityOf(lost.id)))
    const [here, there] = [a, b].map(({ volumes }) => volumes.get(id) as Volume) as [Volume, Volume]
    here.noteHole({ from: offset, to: offset + needleBytes(length) }, 'corrupt')
    there.noteHole({ from: offset, to: there.end }, 'corrupt')
    await net.until(() => others.every(({ id }) => holds(b, id)), 200_000)
    expect(there.holes).toMatchObject([{ from: offset, to: offset + needleBytes(length) }])
    for (const { id, bytes } of others) expect((await read(b, id)).equals(bytes)).toBe(true)
  })

  it('counts the peers that hold a place durably', async () => {
    const net = cluster()
    const [a, b, c] = [await net.add(), await net.add(), await net.add()]
    const { id } = await put(a, 1_000)
    const { volume, offset } = only(a.volumes.locate(identityOf(id)))
    const places = [{ volume, end: offset + needleBytes(1_000) }]
    let holders = 0
    void a.peers.waitForHolders(places, 2, new AbortController().signal).then(count => {
      holders = count
    })
    await net.until(() => holders === 2)
    expect(holds(b, id) && holds(c, id)).toBe(true)
    const never = new AbortController()
    const few = a.peers.waitForHolders(places, 3, never.signal)
    never.abort()
    expect(await few).toBe(2)
  })

  it('acknowledges a copy to its writer, and to all others once for some megabytes', async () => {
    const net = cluster()
    const [a, b, c] = [await net.add(20_000_000), await net.add(), await net.add()]
    const told: [NodeId, number][] = []
    intercept(b, send => (peer, method, body) => {
      if (method === 'volume.ack') told.push([peer, decodeHead(body).end])
      send(peer, method, body)
    })
    for (let i = 0; i < 30; i++) {
      const { id } = await put(a, 300_000) // more than is pushed
      await net.until(() => holds(b, id) && holds(c, id))
    }
    const ends = (peer: Host): number[] => told.filter(([to]) => to === peer.id).map(([, end]) => end)
    expect(ends(a)).toHaveLength(30)
    expect(ends(c)).toHaveLength(2)
    expect(ends(c)[0]).toBeGreaterThan(4_000_000)
    expect(a.peers.acknowledgedBy(volumeOf(a), [b.id])).toBe(a.volumes.get(volumeOf(a))?.end)
  })

  it('acknowledges a copy to all whose writer is gone, and to those that do not hear it', async () => {
    const net = cluster()
    const [a, b, c] = [await net.add(), await net.add(), await net.add()]
    const first = await put(a, 1_000)
    await net.until(() => holds(b, first.id) && holds(c, first.id))
    b.deaf.add(c.id)
    const second = await put(a, 1_000)
    await net.until(() => holds(b, second.id))
    const place = { volume: volumeOf(a), end: a.volumes.get(volumeOf(a))?.end as number }
    await net.until(() => c.peers.acknowledgedBy(place.volume, [b.id]) === place.end, 1_000)
    b.deaf.clear()
    intercept(a, send => (peer, method, body) => (peer === c.id ? undefined : send(peer, method, body)))
    const third = await put(a, 1_000)
    await net.until(() => holds(b, third.id))
    a.transport.die('kill')
    await net.until(() => holds(c, third.id))
    const end = b.volumes.get(volumeOf(a))?.end
    await net.until(() => b.peers.acknowledgedBy(place.volume, [c.id]) === end, 1_000)
  })

  it('takes what a writer announces for durable there, but for known holes', async () => {
    const net = cluster()
    const [a, b] = [await net.add(), await net.add()]
    const { id } = await put(a, 1_000)
    await net.until(() => holds(b, id))
    const volume = a.volumes.get(volumeOf(a)) as Volume
    await put(a, 1_000)
    await net.until(() => b.peers.acknowledgedBy(volume.id, [a.id]) === volume.end, 1_000)
    const { end } = volume
    b.peers.noteHoles(a.id, volume.id, 256, { end, holes: [{ from: 256, to: end }], until: undefined })
    await put(a, 1_000)
    await net.until(() => b.peers.endOf(a.id, volume.id) === volume.end, 1_000)
    expect(b.peers.acknowledgedBy(volume.id, [a.id])).toBe(256)
  })

  it('asks all for their heads now: twice a second at most, and nobody who still owes an answer', async () => {
    const net = cluster()
    const [a, b, c] = [await net.add(), await net.add(), await net.add()]
    await net.pass(100)
    const asked: NodeId[] = []
    const request = a.transport.request.bind(a.transport)
    a.transport.request = (peer, method, body, signal) => {
      asked.push(peer)
      return peer === c.id ? net.clock.sleep(60_000, signal).then(() => body) : request(peer, method, body, signal)
    }
    for (let i = 0; i < 10; i++) {
      a.shipping.askAll()
      await net.pass(100)
    }
    expect(asked).toEqual([b.id, c.id, b.id])
  })

  it('streams the bytes of a photo from a peer, each block verified', async () => {
    const net = cluster()
    const [a, b] = [await net.add(), await net.add()]
    await b.shipping.stop() // nothing is copied: only the peer has the bytes
    const { id, bytes } = await put(a, 300_000)
    const wanted = { identity: identityOf(id), length: 300_000 }
    const collect = async (start: number, end: number): Promise<Buffer> => {
      const pieces: Uint8Array[] = []
      for await (const piece of b.reads.stream(wanted, start, end)) pieces.push(piece)
      return Buffer.concat(pieces)
    }
    const run = <Result>(task: Promise<Result>): Promise<Result> => net.run(task)
    expect(await run(b.reads.isInReach(wanted))).toBe(true)
    for (const [start, end] of [
      [0, 300_000],
      [65_535, 65_537],
      [299_999, 300_000],
      [70_000, 200_000]
    ] as const) {
      expect((await run(collect(start, end))).equals(bytes.subarray(start, end))).toBe(true)
    }
    const unknown = { identity: identityOf(b.fixture.photoId()), length: 5 }
    expect(await run(b.reads.isInReach(unknown))).toBe(false)
  })

  it('does not copy a retired volume', async () => {
    const net = cluster()
    const a = await net.add()
    const { id } = await put(a, 1_000)
    const b = await net.add()
    b.retired.add(a.volumes.volumes()[0]?.id as VolumeId)
    await net.pass(5_000)
    expect(holds(b, id)).toBe(false)
  })

  it('pushes small appends with their announcement', async () => {
    const net = cluster()
    const [a, b] = [await net.add(), await net.add()]
    const first = await put(a, 1_000)
    await net.until(() => holds(b, first.id) && a.peers.endOf(b.id, volumeOf(a)) === a.volumes.get(volumeOf(a))?.end)
    const methods = requestedMethods(b)
    const photos = [await put(a, 20_000), await put(a, 0), await put(a, 60_000)]
    await net.until(() => photos.every(({ id }) => holds(b, id)))
    expect(methods.filter(method => method !== 'volume.heads')).toEqual([])
    for (const { id, bytes } of photos) expect((await read(b, id)).equals(bytes)).toBe(true)
    expect(await heads(a)).toBe(await heads(b))
  })

  it('takes pushed bytes from the writer only, and only what continues its copy', async () => {
    const net = cluster()
    const [a, b, c] = [await net.add(), await net.add(), await net.add()]
    const first = await put(a, 1_000)
    await net.until(() => [b, c].every(host => holds(host, first.id)))
    const copy = b.volumes.get(volumeOf(a)) as Volume
    const { end } = copy
    let isQuiet = true
    intercept(a, send => (peer, method, body) => {
      if (!isQuiet) send(peer, method, body)
    })
    b.transport.request = async () => {
      throw new SheafError('ERR_PEER_UNREACHABLE') // so that nothing is pulled
    }
    await put(a, 500)
    await net.pass(100)
    isQuiet = false
    const writer = a.volumes.get(copy.id) as Volume
    const written = Buffer.alloc(writer.end)
    a.fixture.disk.read(a.fixture.disk.file(writer.path), written, 0)
    const push = async (host: Host, from: number): Promise<number> => {
      const body = encodeBytes({ volume: copy.id, from, bytes: written.subarray(from) })
      host.transport.notify(b.id, 'volume.bytes', body)
      await net.pass(500)
      return copy.end
    }
    expect(await push(c, end)).toBe(end)
    expect(await push(a, SUPERBLOCK_BYTES)).toBe(end)
    expect(await push(a, end)).toBe(writer.end)
  })

  it('keeps its own epoch when the directory refuses what a peer wrote, and takes a fresh one when it refuses its own', async () => {
    const net = cluster()
    const [a, b] = [await net.add(), await net.add()]
    await put(b, 100)
    await net.pass(1_000)
    const { epoch } = b.volumes
    b.fixture.applied.failing = new SheafError('ERR_DIRECTORY_UNAVAILABLE')
    const { id } = await put(a, 100)
    await net.until(() => holds(b, id))
    expect(b.volumes.epoch).toBe(epoch)
    await expect(put(b, 100)).rejects.toMatchObject({ code: 'ERR_DIRECTORY_UNAVAILABLE' })
    expect(b.volumes.epoch).not.toBe(epoch)
  })

  it('tolerates announcements that are lost, repeated, reordered or damaged', async () => {
    const net = cluster()
    const [a, b] = [await net.add(), await net.add()]
    let delayed: (() => void) | undefined
    const methods = requestedMethods(b)
    let count = 0
    intercept(a, send => (peer, method, body) => {
      if (method !== 'volume.bytes') return send(peer, method, body)
      const kind = count++ % 5
      if (kind === 0) return
      if (kind === 1) for (let i = 0; i < 3; i++) send(peer, method, body)
      else if (kind === 2) send(peer, method, damaged(body))
      else if (kind === 3) delayed = () => send(peer, method, body)
      else {
        send(peer, method, body)
        delayed?.()
      }
    })
    const photos: { id: PhotoId; bytes: Uint8Array }[] = []
    for (let i = 0; i < 25; i++) {
      photos.push(await put(a, 3_000))
      await net.pass(20)
    }
    await net.until(() => photos.every(({ id }) => holds(b, id)))
    expect(count).toBeGreaterThan(5)
    expect(methods).toContain('volume.doubt')
    for (const { id, bytes } of photos) expect((await read(b, id)).equals(bytes)).toBe(true)
    expect(await heads(a)).toBe(await heads(b))
    expect(b.volumes.get(volumeOf(a))?.holes).toEqual([])
  })

  it('a lone supplier with damage in many places is asked for all that is intact between them, at once', async () => {
    const net = cluster()
    const a = await net.add(10_000_000)
    const photos: { id: PhotoId; bytes: Uint8Array }[] = []
    for (let i = 0; i < 60; i++) photos.push(await put(a, 20_000))
    const damaged = photos.filter((_, i) => i % 6 === 3)
    for (const { id } of damaged) {
      const { volume, offset } = only(a.volumes.locate(identityOf(id)))
      a.fixture.disk.flipBit(`${VOLUME_FOLDER}/${volume}.volume`, offset + 5_000, 2)
    }
    const b = await net.add(10_000_000)
    const methods = requestedMethods(b)
    const intact = photos.filter(photo => !damaged.includes(photo))
    await net.until(() => intact.every(({ id }) => holds(b, id)), 5_000)
    expect(methods.filter(method => method === 'volume.doubt')).toHaveLength(1)
    expect(b.volumes.get(volumeOf(a))?.holes).toHaveLength(damaged.length)
    expect(a.volumes.get(volumeOf(a))?.holes).toHaveLength(damaged.length)
  })

  it('a lone supplier with more damage than heads tell is asked for all that is intact', async () => {
    const net = cluster()
    const a = await net.add(10_000_000)
    const photos: { id: PhotoId; bytes: Uint8Array }[] = []
    for (let i = 0; i < 150; i++) photos.push(await put(a, 5_000))
    const damagedOnes = photos.filter((_, i) => i % 2 === 1 && i < 140)
    for (const { id } of damagedOnes) flipBit(a, id)
    const b = await net.add(10_000_000)
    const methods = requestedMethods(b)
    const intact = photos.filter(photo => !damagedOnes.includes(photo))
    await net.until(() => intact.every(({ id }) => holds(b, id)), 5_000)
    expect(methods.filter(method => method === 'volume.doubt')).toHaveLength(1)
    expect(b.volumes.get(volumeOf(a))?.holes).toHaveLength(70)
    // heads tell less again, so one more question is asked after each; what is intact comes in meanwhile
    await net.pass(60_000)
    expect(methods.filter(method => method === 'volume.doubt').length).toBeLessThan(12)
    const later = await put(a, 5_000)
    await net.until(() => holds(b, later.id), 5_000)
  })

  it('a supplier that sends nothing where it claims to have bytes is asked what it has', async () => {
    const net = cluster()
    const a = await net.add(10_000_000)
    const photos: { id: PhotoId; bytes: Uint8Array }[] = []
    for (let i = 0; i < 10; i++) photos.push(await put(a, 30_000))
    const lost = photos[4] as { id: PhotoId }
    const { offset } = only(a.volumes.locate(identityOf(lost.id)))
    const hole = { from: offset, to: offset + needleBytes(30_000) }
    const { disk } = a.fixture
    const readDisk = disk.read.bind(disk)
    disk.read = (file, into, position) => {
      // the superblock is read for a peer that knows the heads
      if (position === 0) a.volumes.get(volumeOf(a))?.noteHole(hole, 'unreadable')
      return readDisk(file, into, position)
    }
    const b = await net.add(10_000_000)
    const methods = requestedMethods(b)
    await net.until(() => photos.every(({ id }) => holds(b, id) !== (id === lost.id)), 1_000)
    expect(methods.filter(method => method === 'volume.doubt')).toHaveLength(1)
    expect(methods).not.toContain('volume.heads')
    expect(b.volumes.get(volumeOf(a))?.holes).toMatchObject([hole])
  })

  it('a supplier of an earlier version, which answers a doubt with nothing, is asked for its heads', async () => {
    const net = cluster()
    const a = await net.add(10_000_000)
    const photos: { id: PhotoId; bytes: Uint8Array }[] = []
    for (let i = 0; i < 30; i++) photos.push(await put(a, 20_000))
    const damagedOnes = photos.filter((_, i) => i % 6 === 3)
    for (const { id } of damagedOnes) flipBit(a, id)
    const b = await net.add(10_000_000)
    const request = b.transport.request.bind(b.transport)
    const methods: string[] = []
    b.transport.request = async (peer, method, body, signal) => {
      methods.push(method)
      const answer = await request(peer, method, body, signal)
      return method === 'volume.doubt' ? new Uint8Array() : answer
    }
    const intact = photos.filter(photo => !damagedOnes.includes(photo))
    await net.until(() => intact.every(({ id }) => holds(b, id)), 5_000)
    expect(methods.filter(method => method === 'volume.doubt')).toHaveLength(1)
    expect(methods[methods.indexOf('volume.doubt') + 1]).toBe('volume.heads')
  })

  it('asks about pushed damage in the background, once at a time, and not during a penalty', async () => {
    const net = cluster()
    const [a, b] = [await net.add(), await net.add()]
    const first = await put(a, 1_000)
    await net.until(() => holds(b, first.id) && a.peers.endOf(b.id, volumeOf(a)) === a.volumes.get(volumeOf(a))?.end)
    let open = 0
    let doubts = 0
    const request = b.transport.request.bind(b.transport)
    b.transport.request = (peer, method, body, signal) => {
      if (method === 'volume.read') throw new SheafError('ERR_PEER_UNREACHABLE')
      if (method !== 'volume.doubt') return request(peer, method, body, signal)
      doubts++
      open++
      return new Promise((_, reject) =>
        signal.addEventListener('abort', () => {
          open--
          if (doubts === 2) void held.promise.then(() => reject(signal.reason))
          else reject(signal.reason)
        })
      )
    }
    let push: (() => void) | undefined
    const held = deferred<void>()
    intercept(a, send => (peer, method, body) => {
      if (method !== 'volume.bytes') return send(peer, method, body)
      push = () => send(peer, method, damaged(body))
    })
    const { id } = await put(a, 3_000)
    await net.until(() => push !== undefined)
    for (let i = 0; i < 3; i++) {
      push?.()
      await net.pass(1_000)
      expect([doubts, open]).toEqual([1, 1])
    }
    await net.until(() => open === 0)
    for (let i = 0; i < 3; i++) {
      push?.()
      await net.pass(1_000)
      expect([doubts, open]).toEqual([1, 0])
    }
    await net.pass(30_000)
    push?.()
    await net.until(() => open === 1, 1_000)
    let stopped = false
    const stopping = b.shipping.stop().then(() => {
      stopped = true
    })
    await net.pass(100)
    expect([doubts, open, stopped]).toEqual([2, 0, false])
    held.resolve()
    await stopping
    expect(holds(b, id)).toBe(false)
  })

  it('stops only after the read of a verification has ended', async () => {
    const net = cluster()
    const a = await net.add()
    const photo = await put(a, 30_000)
    const b = await net.add()
    await net.until(() => holds(b, photo.id))
    const { id, file } = a.volumes.get(volumeOf(a)) as Volume
    const readFile = file.read.bind(file)
    const held = deferred<void>()
    let reading = 0
    file.read = async (into, position) => {
      reading++
      await held.promise
      return readFile(into, position)
    }
    const body = encodeRange({ volume: id, from: 256, to: 264 })
    const outcome = b.transport.request(a.id, 'volume.doubt', body, new AbortController().signal).catch(() => {})
    await net.until(() => reading > 0)
    let stopped = false
    const stopping = a.shipping.stop().then(() => {
      stopped = true
    })
    await net.pass(100)
    expect(stopped).toBe(false)
    held.resolve()
    await stopping
    expect(reading).toBe(1)
    await net.run(outcome)
  })

  it('a supplier that sees no damage where it sends some is passed over for a while', async () => {
    const net = cluster()
    const a = await net.add()
    const { transport } = a
    const { id } = await put(a, 30_000)
    const b = await net.add()
    const methods = requestedMethods(b)
    const request = b.transport.request.bind(b.transport)
    b.transport.request = async (peer, method, body, signal) => {
      const answer = await request(peer, method, body, signal)
      return method === 'volume.read' ? answer.map((byte, i) => (i === 10_000 ? byte ^ 1 : byte)) : answer
    }
    await net.pass(20_000)
    expect(holds(b, id)).toBe(false)
    expect(methods.filter(method => method === 'volume.doubt')).toHaveLength(1)
    expect(transport.peers()).toContain(b.id)
    b.transport.request = request
    await net.until(() => holds(b, id))
  })

  it('repairs by asking all peers again at once, and reports what no peer has', async () => {
    const net = cluster()
    const [a, b] = [await net.add(), await net.add()]
    const lost = await put(a, 30_000)
    const after = await put(a, 100)
    await net.until(() => holds(b, after.id))
    b.transport.die('kill')
    await b.shipping.stop()
    const { volume, offset } = only(a.volumes.locate(identityOf(lost.id)))
    a.fixture.disk.flipBit(`${VOLUME_FOLDER}/${volume}.volume`, offset + 5_000, 2)
    await expect(read(a, lost.id)).rejects.toMatchObject({ code: 'ERR_NEEDLE_CORRUPT' })
    const progress: [number, number][] = []
    const repair = (): ReturnType<typeof a.shipping.repair> =>
      net.run(a.shipping.repair((...at) => void progress.push(at), new AbortController().signal))
    const range = { volume, from: offset, to: offset + needleBytes(30_000) }
    expect(await repair()).toEqual({ repairedBytes: 0, missing: [{ ...range, reason: 'nowhere in reach' }] })
    const request = a.transport.request.bind(a.transport)
    let refusing = true
    a.transport.request = async (peer, method, body, signal) => {
      if (refusing && method === 'volume.read') throw new SheafError('ERR_PEER_UNREACHABLE')
      return request(peer, method, body, signal)
    }
    b.fixture.disk.kill()
    await net.start(b)
    expect(await repair()).toMatchObject({ missing: [{ ...range, reason: 'not supplied' }] })
    refusing = false
    const beganMs = net.clock.monotonic()
    expect(await repair()).toEqual({ repairedBytes: range.to - range.from, missing: [] })
    expect(net.clock.monotonic() - beganMs).toBeLessThan(FAILURE_PENALTY_MS)
    expect(progress.at(-1)?.[1]).toBe(range.to - range.from)
    expect((await read(a, lost.id)).equals(lost.bytes)).toBe(true)
  })
})

/** Damages the needle on the host's disk, unnoticed. */
function flipBit(host: Host, id: PhotoId): void {
  const { volume, offset } = only(host.volumes.locate(identityOf(id)))
  host.fixture.disk.flipBit(`${VOLUME_FOLDER}/${volume}.volume`, offset + 2_000, 2)
}

function volumeOf(host: Host): VolumeId {
  return host.volumes.volumes()[0]?.id as VolumeId
}

function damaged(body: Uint8Array): Uint8Array {
  const { bytes, ...rest } = decodeBytes(body)
  const other = Uint8Array.from(bytes)
  other[other.length >> 1] = (other[other.length >> 1] ?? 0) ^ 4
  return encodeBytes({ ...rest, bytes: other })
}
