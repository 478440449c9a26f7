import { afterEach, describe, expect, it } from 'vitest'
import { silentLog } from '../../src/core/log.js'
import type { NodeId, PhotoId, VolumeId } from '../../src/domain/ids.js'
import { needleBytes } from '../../src/domain/needle.js'
import { PeerReads } from '../../src/replication/peer-reads.js'
import { PeerVolumes } from '../../src/replication/peer-volumes.js'
import { VolumeShipping } from '../../src/replication/volume-shipping.js'
import { VolumeCopies } from '../../src/volumes/volume-copies.js'
import type { VolumeSet } from '../../src/volumes/volume-set.js'
import { SeededRandom } from '../support/seeded-random.js'
import { SimulatedClock } from '../support/simulated-clock.js'
import { SimulatedNetwork } from '../support/simulated-network.js'
import type { SimulatedTransport } from '../support/simulated-transport.js'
import { draftOf, identityOf, only, VOLUME_FOLDER, VolumeFixture } from '../support/volume-fixture.js'

interface Host {
  readonly id: NodeId
  readonly fixture: VolumeFixture
  readonly retired: Set<VolumeId>
  merged: number
  volumes: VolumeSet
  transport: SimulatedTransport
  peers: PeerVolumes
  reads: PeerReads
  shipping: VolumeShipping
}

class Cluster {
  readonly clock = new SimulatedClock()
  readonly random = new SeededRandom(5)
  readonly network = new SimulatedNetwork({ clock: this.clock, random: this.random })
  readonly hosts: Host[] = []

  async add(volumeBytes = 1_000_000): Promise<Host> {
    const number = this.hosts.length + 1
    const fixture = new VolumeFixture({
      seed: number,
      volumeBytes,
      clock: this.clock,
      origin: new Uint8Array(32).fill(number)
    })
    const host = { id: `node-${number}` as NodeId, fixture, retired: new Set(), merged: 0 } as unknown as Host
    this.hosts.push(host)
    await this.start(host)
    return host
  }

  /** A process of the host, on the disk as the one before left it. */
  async start(host: Host): Promise<void> {
    const { fixture } = host
    const volumes = await fixture.start()
    const merge = async (records: readonly Uint8Array[]): Promise<void> => {
      host.merged += records.length
    }
    const copies = new VolumeCopies({ volumes, reserve: fixture.reserve[0] as never, merge })
    const transport = this.network.transport(host.id)
    const peers = new PeerVolumes()
    const shared = { transport, clock: this.clock, log: silentLog }
    const isRetired = (volume: VolumeId): boolean => host.retired.has(volume)
    const reads = new PeerReads({ ...shared, store: volumes })
    const shipping = new VolumeShipping({ ...shared, volumes, copies, peers, random: this.random, isRetired })
    Object.assign(host, { volumes, transport, peers, reads, shipping })
    await transport.start()
    await shipping.start()
    for (const other of this.hosts) {
      if (other !== host && other.transport !== undefined) await this.connect(host, other)
    }
  }

  async connect(a: Host, b: Host): Promise<void> {
    let settled = false
    const dialled = a.transport
      .dial(b.transport.addresses()[0] as string, new AbortController().signal)
      .catch(() => undefined)
      .finally(() => {
        settled = true
      })
    while (!settled) await this.pass(5)
    await dialled
  }

  /** Lets simulated time go by, with everything that happens in it. */
  async pass(ms: number): Promise<void> {
    for (let at = 0; at < ms; at += 5) {
      await this.clock.advance(5)
      for (let turn = 0; turn < 10; turn++) await new Promise(resolve => setImmediate(resolve))
    }
  }

  async until(what: () => boolean, msMax = 60_000): Promise<void> {
    for (let at = 0; !what(); at += 20) {
      if (at > msMax) throw new Error('it did not happen in time')
      await this.pass(20)
    }
  }
}

async function put(host: Host, byteCount: number): Promise<{ id: PhotoId; bytes: Uint8Array }> {
  const id = host.fixture.photoId()
  const bytes = host.fixture.bytes(byteCount)
  const record = host.fixture.bytes(90)
  await host.volumes.append([draftOf(identityOf(id), bytes), draftOf(identityOf(id, 'record'), record)], 'upload')
  return { id, bytes }
}

function holds(host: Host, id: PhotoId): boolean {
  return host.volumes.locate(identityOf(id)).length > 0
}

async function read(host: Host, id: PhotoId): Promise<Buffer> {
  return Buffer.from(await host.volumes.read(only(host.volumes.locate(identityOf(id))), identityOf(id)))
}

async function heads(host: Host): Promise<string> {
  const lines: string[] = []
  for (const volume of host.volumes.volumes()) {
    lines.push(`${volume.id} ${JSON.stringify(await volume.head())} ${volume.holes.length}`)
  }
  return lines.join('\n')
}

describe('volume shipping', () => {
  const clusters: Cluster[] = []
  const cluster = (): Cluster => {
    const made = new Cluster()
    clusters.push(made)
    return made
  }
  afterEach(async () => {
    for (const { hosts } of clusters.splice(0)) for (const { shipping } of hosts) await shipping.stop()
  })

  it('brings what one writes to all, applied and byte for byte', async () => {
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

  it('a volume whose writer is gone spreads from those that have it', async () => {
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

  it('a writer that lost its tail pulls it back', async () => {
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

  it('damage is not taken from a peer, is told to it, and is repaired on both from a third', async () => {
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

  it('a hole that nobody can fill does not stop what comes after it, and is filled when somebody can', async () => {
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

  it('counts who holds a place durably', async () => {
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

  it('streams the bytes of a photo from a peer, each block verified', async () => {
    const net = cluster()
    const [a, b] = [await net.add(), await net.add()]
    await b.shipping.stop() // nothing is copied: the bytes are only there
    const { id, bytes } = await put(a, 300_000)
    const wanted = { identity: identityOf(id), length: 300_000 }
    const collect = async (start: number, end: number): Promise<Buffer> => {
      const pieces: Uint8Array[] = []
      for await (const piece of b.reads.stream(wanted, start, end)) pieces.push(piece)
      return Buffer.concat(pieces)
    }
    const run = async <Result>(task: Promise<Result>): Promise<Result> => {
      let settled = false
      const watched = task.finally(() => {
        settled = true
      })
      watched.catch(() => {})
      while (!settled) await net.pass(5)
      return watched
    }
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

  it('does not bring back what was retired', async () => {
    const net = cluster()
    const a = await net.add()
    const { id } = await put(a, 1_000)
    const b = await net.add()
    b.retired.add(a.volumes.volumes()[0]?.id as VolumeId)
    await net.pass(5_000)
    expect(holds(b, id)).toBe(false)
  })
})
