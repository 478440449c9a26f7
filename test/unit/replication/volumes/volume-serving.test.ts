import { afterEach, describe, expect, it } from 'vitest'
import { SheafError } from '../../../../src/core/errors.js'
import { silentLog } from '../../../../src/core/log.js'
import type { NodeId, PhotoId } from '../../../../src/domain/ids.js'
import type { RequestHandler } from '../../../../src/network/transport.js'
import { decodeKnownHoles, encodeRange, type KnownHoles } from '../../../../src/replication/volumes/volume-messages.js'
import { VolumeServing } from '../../../../src/replication/volumes/volume-serving.js'
import type { Volume } from '../../../../src/volumes/volume.js'
import type { VolumeSet } from '../../../../src/volumes/volume-set.js'
import { settle } from '../../../support/simulated-clock.js'
import { draftOf, identityOf, only, VolumeFixture } from '../../../support/volume-fixture.js'

const PEER = 'peer' as NodeId
/** Bytes per second that verification reads. */
const RATE = 64_000_000
const VERIFIED_MS = 10 * 60_000

interface Node {
  readonly fixture: VolumeFixture
  readonly volumes: VolumeSet
  readonly volume: Volume
  /** Of the needles of the volume, ascending. */
  readonly offsets: readonly number[]
  readonly serving: VolumeServing
  readonly stop: AbortController
  readonly doubt: (place: number, volume?: Volume) => Promise<KnownHoles | undefined>
  /** The path of the volume for each read of one. */
  readonly reads: string[]
}

const stops: AbortController[] = []
afterEach(() => {
  for (const stop of stops.splice(0)) stop.abort()
})

async function append(fixture: VolumeFixture, volumes: VolumeSet, byteCount: number): Promise<number> {
  const id: PhotoId = fixture.photoId()
  await volumes.append([draftOf(identityOf(id), fixture.bytes(byteCount))], 'upload')
  return only(volumes.locate(identityOf(id))).offset
}

/** A node with a volume of needles of that size, which answers doubts. */
async function node({ needles = 20, needleBytes = 20_000, volumeBytes = 1_000_000 } = {}): Promise<Node> {
  const fixture = new VolumeFixture({ volumeBytes })
  const volumes = await fixture.start()
  const offsets: number[] = []
  for (let i = 0; i < needles; i++) offsets.push(await append(fixture, volumes, needleBytes))
  const [volume] = volumes.volumes() as [Volume]
  const handlers = new Map<string, RequestHandler>()
  const transport = {
    handle: (method: string, handler: RequestHandler) => void handlers.set(method, handler),
    handleFetch: () => {}
  }
  const stop = new AbortController()
  stops.push(stop)
  const serving = new VolumeServing(
    { transport, volumes, clock: fixture.clock, log: silentLog, isRetired: () => false },
    { signal: stop.signal }
  )
  const reads: string[] = []
  const { disk } = fixture
  const read = disk.read.bind(disk)
  disk.read = (file, into, position) => {
    const path = volumes.volumes().find(other => disk.file(other.path) === file)?.path
    if (path !== undefined) reads.push(path)
    return read(file, into, position)
  }
  const doubt = async (place: number, { id } = volume): Promise<KnownHoles | undefined> => {
    const handle = handlers.get('volume.doubt') as RequestHandler
    const body = encodeRange({ volume: id, from: place, to: place + 8 })
    return decodeKnownHoles(await handle(PEER, body, new AbortController().signal))
  }
  return { fixture, volumes, volume, offsets, serving, stop, doubt, reads }
}

function damage({ fixture, volume }: Node, offset: number): void {
  fixture.disk.flipBit(volume.path, offset + 1_000, 1)
}

const ranges = ({ holes }: Pick<KnownHoles, 'holes'>): [number, number][] => holes.map(({ from, to }) => [from, to])

/** Lets all reads happen that need no time to pass. */
async function settleReads(): Promise<void> {
  for (let turn = 0; turn < 200; turn++) await settle()
}

describe('a doubt', () => {
  it('is answered with the end and all holes that are not before the place', async () => {
    const a = await node()
    const { offsets, volume } = a
    for (const i of [2, 9, 15]) damage(a, offsets[i] as number)
    const answer = await a.doubt(offsets[9] as number)
    const expected = [9, 15].map(i => [offsets[i], offsets[i + 1]])
    expect(answer).toMatchObject({ end: volume.end, until: undefined })
    expect(ranges(answer as KnownHoles)).toEqual(expected)
    expect(ranges(volume)).toEqual(expected)
    expect(ranges((await volume.loadIndex()).segments.at(-1) ?? { holes: [] })).toEqual(expected)
  })

  it.each([8, 4_096, 20_000])(
    '%i bytes within a needle marks nothing that is intact, and finds what is damaged',
    async within => {
      const a = await node()
      const [intact, damaged] = [a.offsets[4], a.offsets[9]] as [number, number]
      expect((await a.doubt(intact + within))?.holes).toEqual([])
      expect(a.volume.holes).toEqual([])
      await a.fixture.clock.advance(VERIFIED_MS)
      damage(a, damaged)
      expect(ranges((await a.doubt(damaged + within)) as KnownHoles)).toEqual([[damaged, a.offsets[10]]])
    }
  )

  it('below a verification that is under way is verified itself', async () => {
    const a = await node()
    const [first, last] = [a.offsets[2] as number, a.offsets[15] as number]
    damage(a, first)
    damage(a, last)
    await Promise.all([a.doubt(last), a.doubt(first)])
    expect(a.volume.holes.map(({ from }) => from)).toEqual([first, last])
  })

  it('during a verification is answered by that one only when it reads the place', async () => {
    const a = await node({ needles: 20, needleBytes: 200_000, volumeBytes: 9_000_000 })
    const { fixture, volumes, offsets } = a
    const [first, middle, last] = [offsets[1], offsets[10], offsets[15]] as [number, number, number]
    for (const offset of [first, last]) damage(a, offset)
    const ended: string[] = []
    const doubt = (name: string, place: number): Promise<void> =>
      a.doubt(place).then(answer => void ended.push(`${name} ${answer?.holes.map(({ from }) => from)}`))
    const doubts = [doubt('running', middle)]
    await settleReads()
    const { end } = a.volume
    const grown = await append(fixture, volumes, 200_000)
    damage(a, grown)
    doubts.push(doubt('above', last), doubt('below', first), doubt('behind', grown))
    const scanMs = (bytes: number): number => (bytes / RATE) * 1_000 + 10
    await fixture.clock.advance(scanMs(end - middle))
    expect(ended).toEqual([`running ${last}`, `above ${last}`])
    await fixture.clock.advance(scanMs(a.volume.end - first))
    expect(ended.slice(2)).toEqual([`below ${first},${last},${grown}`, `behind ${grown}`])
    await Promise.all(doubts)
  })

  it('makes no hole of a good needle that it points into', async () => {
    const a = await node()
    const [first, second] = a.offsets as [number, number]
    await a.doubt(first + 80)
    await a.doubt(second + 10_000)
    expect(a.volume.holes).toEqual([])
  })

  it('is not verified again within ten minutes, but where the volume has grown', async () => {
    const a = await node()
    const { fixture, volumes, offsets, reads } = a
    const [third, tenth] = [offsets[2] as number, offsets[9] as number]
    damage(a, tenth)
    await a.doubt(third)
    reads.length = 0
    expect(ranges((await a.doubt(third)) as KnownHoles)).toEqual([[tenth, offsets[10]]])
    expect(ranges((await a.doubt(offsets[5] as number)) as KnownHoles)).toEqual([[tenth, offsets[10]]])
    expect(ranges((await a.doubt(tenth)) as KnownHoles)).toEqual([[tenth, offsets[10]]])
    expect(reads).toEqual([])
    const before = offsets[4] as number
    damage(a, before)
    await fixture.clock.advance(VERIFIED_MS - 1)
    expect((await a.doubt(before))?.holes.map(({ from }) => from)).toEqual([tenth])
    await fixture.clock.advance(1)
    expect((await a.doubt(before))?.holes.map(({ from }) => from)).toEqual([before, tenth])
    const grown = await append(fixture, volumes, 20_000)
    damage(a, grown)
    expect((await a.doubt(grown))?.holes.map(({ from }) => from)).toEqual([grown])
  })

  it('says where its list ends when there are more than 1,024 holes', async () => {
    const a = await node({ needles: 1 })
    const { volume } = a
    for (let i = 0; i < 1_030; i++) volume.noteHole({ from: 400 + 16 * i, to: 408 + 16 * i }, 'corrupt')
    const answer = await a.doubt(400)
    expect(answer?.holes).toHaveLength(1_024)
    expect(answer?.holes.at(-1)).toEqual({ from: 400 + 16 * 1_023, to: 408 + 16 * 1_023 })
    expect(answer?.until).toBe(400 + 16 * 1_024)
    expect((await a.doubt(400 + 16 * 1_024))?.holes).toHaveLength(6)
  })
})

describe('verification', () => {
  it('reads one volume at a time, at a limited rate', async () => {
    const a = await node({ needles: 40, needleBytes: 200_000, volumeBytes: 4_500_000 })
    const [one, two] = a.volumes.volumes() as [Volume, Volume]
    a.reads.length = 0
    const ended: string[] = []
    const doubts = [one, two].map(volume => a.doubt(256, volume).then(() => ended.push(volume.path)))
    await settleReads()
    expect(new Set(a.reads)).toEqual(new Set([one.path]))
    expect(a.reads.length).toBeLessThan(10) // of 256 KiB at most
    const oneMs = (one.end / RATE) * 1_000
    await a.fixture.clock.advance(oneMs - 20)
    expect(ended).toEqual([])
    await a.fixture.clock.advance(40)
    expect(ended).toEqual([one.path])
    await a.fixture.clock.advance((two.end / RATE) * 1_000)
    expect(ended).toEqual([one.path, two.path])
    await Promise.all(doubts)
  })

  it('ends with the node', async () => {
    const a = await node({ needles: 20, needleBytes: 200_000, volumeBytes: 9_000_000 })
    damage(a, a.offsets[0] as number)
    const [first, second] = [a.doubt(a.offsets[1] as number), a.doubt(256)]
    const outcomes = Promise.allSettled([first, second])
    await settleReads()
    expect(a.fixture.clock.pending).toBe(1)
    a.stop.abort(new SheafError('ERR_STOPPING'))
    await a.serving.stop()
    const stopped = { status: 'rejected', reason: { code: 'ERR_STOPPING' } }
    expect(await outcomes).toMatchObject([stopped, stopped])
    expect(a.fixture.clock.pending).toBe(0)
    a.reads.length = 0
    await expect(a.doubt(256)).rejects.toMatchObject({ code: 'ERR_STOPPING' })
    expect(a.reads).toEqual([])
  })

  it('ends with the node also while it need not be slowed down', async () => {
    const a = await node()
    const { file } = a.volume
    const read = file.read.bind(file)
    let reads = 0
    file.read = (into, position) => {
      reads++
      a.stop.abort(new SheafError('ERR_STOPPING'))
      return read(into, position)
    }
    await expect(a.doubt(256)).rejects.toMatchObject({ code: 'ERR_STOPPING' })
    expect(reads).toBe(1)
  })

  it('of a volume that was removed while it waited does not begin', async () => {
    const a = await node({ needles: 40, needleBytes: 200_000, volumeBytes: 4_500_000 })
    const [one, two] = a.volumes.volumes() as [Volume, Volume]
    await a.volumes.closeActive()
    const first = a.doubt(256, one)
    const outcome = a.doubt(256, two).catch((err: unknown) => err)
    await settleReads()
    await a.volumes.remove(two)
    await a.fixture.clock.advance((one.end / RATE) * 1_000 + 10)
    expect(await outcome).toMatchObject({ code: 'ERR_NO_SUCH_VOLUME' })
    await first
  })

  it('ends with the volume, whose index file stays removed', async () => {
    const a = await node({ needles: 20, needleBytes: 200_000, volumeBytes: 9_000_000 })
    const { volume, volumes, fixture } = a
    damage(a, a.offsets[0] as number)
    await volumes.closeActive()
    const outcome = a.doubt(256).catch((err: unknown) => err)
    await settleReads()
    await fixture.clock.advance(20)
    expect(volume.holes).toHaveLength(1)
    await volumes.remove(volume)
    await fixture.clock.advance(1_000)
    expect(await outcome).toMatchObject({ code: 'ERR_NO_SUCH_VOLUME' })
    expect(fixture.disk.find(volume.indexPath)).toBeUndefined()
  })
})
