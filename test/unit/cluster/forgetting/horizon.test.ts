import { describe, expect, test } from 'vitest'
import { Horizon, type HorizonComponents } from '../../../../src/cluster/forgetting/horizon.js'
import { silentLog } from '../../../../src/core/log.js'
import { HLC_MAX, type Hlc, HybridClock, hlcFrom } from '../../../../src/domain/hlc.js'
import type { NodeId } from '../../../../src/domain/ids.js'
import { SimulatedClock } from '../../../support/simulated-clock.js'

const PEER = 'peer' as NodeId
const PATH = '/promises.json'

interface Disk {
  readonly files: Map<string, Uint8Array>
  failure?: Error
}

function horizonOn(disk: Disk, changes: Partial<HorizonComponents> = {}): Horizon & { raised: Hlc[] } {
  const raised: Hlc[] = []
  const fileSystem: HorizonComponents['fileSystem'] = {
    readFile: async path => disk.files.get(path),
    writeFileAtomic: async (path, bytes) => {
      if (disk.failure !== undefined) throw disk.failure
      disk.files.set(path, bytes)
    }
  }
  const forgetting = { raise: async (stamp: Hlc) => void raised.push(stamp) } as never
  const hybridClock = new HybridClock({ clock: new SimulatedClock(1_000) })
  const directory = { forgetting, state: 'open' as const }
  const components = {
    self: 'self' as NodeId,
    fileSystem,
    directory,
    hybridClock,
    log: silentLog,
    isOut: () => false,
    ...changes
  }
  return Object.assign(new Horizon(components, PATH), { raised })
}

const at = (ms: number): Hlc => hlcFrom(ms)

describe('promises', () => {
  test('never go back, outlive the process, and keep the clock from giving stamps below them', async () => {
    const disk: Disk = { files: new Map() }
    const first = horizonOn(disk)
    await first.load()
    await first.promise({ clean: at(500), applied: at(900_000) })
    await first.promise({ clean: at(400) })
    expect(first.promises).toEqual({ settled: 0n, applied: at(900_000), clean: at(500), horizon: 0n })
    const hybridClock = new HybridClock({ clock: new SimulatedClock(1_000) })
    const second = horizonOn(disk, { hybridClock })
    await second.load()
    expect(second.promises).toEqual(first.promises)
    expect(hybridClock.now()).toBeGreaterThan(at(900_000))
  })

  test('that could not be written were not made, and nobody hears of them', async () => {
    const disk: Disk = { files: new Map() }
    const horizon = horizonOn(disk)
    await horizon.load()
    disk.failure = Object.assign(new Error('no space'), { code: 'ENOSPC' })
    await expect(horizon.promise({ clean: at(5) })).rejects.toMatchObject({ code: 'ERR_DISK_FULL' })
    expect(horizon.seal()).toEqual({ promise: 0n, horizon: 0n })
    delete disk.failure
    await horizon.promise({ clean: at(4) })
    expect(horizon.seal().promise).toBe(at(4))
  })

  test.each(['', 'null', '{}', '{"settled":"1.0","applied":"x","clean":"1.0","horizon":"1.0"}'])(
    'a damaged file (%s) is as good as none',
    async text => {
      const horizon = horizonOn({ files: new Map([[PATH, Buffer.from(text)]]) })
      await horizon.load()
      expect(horizon.promises.clean).toBe(0n)
    }
  )
})

describe('what may come in', () => {
  async function made(clean: number, horizon: number): Promise<Horizon & { raised: Hlc[] }> {
    const made = horizonOn({ files: new Map() })
    await made.load()
    await made.promise({ clean: at(clean) })
    await made.rise(at(horizon))
    return made
  }

  test('is said under a promise that has reached the horizon', async () => {
    const horizon = await made(10, 10)
    horizon.require(PEER, { promise: at(10), horizon: at(3) })
    expect(() => horizon.require(PEER, { promise: at(9), horizon: at(3) })).toThrow('has yet to catch up')
  })

  test('a greater horizon is followed as far as this node has promised, and no further', async () => {
    const horizon = await made(10, 5)
    await horizon.shown(PEER, { promise: at(20), horizon: at(8) })
    expect([horizon.promises.horizon, horizon.raised.at(-1)]).toEqual([at(8), at(8)])
    await expect(horizon.shown(PEER, { promise: at(20), horizon: at(11) })).rejects.toMatchObject({
      code: 'ERR_PEER_BEHIND'
    })
    expect([horizon.promises.horizon, horizon.ahead]).toEqual([at(8), PEER])
    await horizon.rise(at(11))
    expect(horizon.promises.horizon).toBe(at(8))
  })

  test('a node that follows further offers nothing until its promise has followed', async () => {
    const horizon = await made(10, 5)
    await horizon.follow(at(30), at(40))
    expect(horizon.seal()).toEqual({ promise: at(10), horizon: at(30) })
    expect(horizon.ahead).toBeUndefined()
    const other = await made(30, 30)
    expect(() => other.require(PEER, horizon.seal())).toThrow('has yet to catch up')
    await horizon.promise({ clean: at(30) })
    other.require(PEER, horizon.seal())
  })

  test('a node that returns offers nothing before it is as clean as one of the others', async () => {
    const horizon = await made(10, 5)
    const other = await made(40, 8)
    horizon.returns()
    expect(() => other.require(PEER, horizon.seal())).toThrow('this node has yet to catch up')
    expect(other.trusts(PEER)).toBe(false) // nothing was heard of it
    await expect(other.shown(PEER, horizon.seal())).rejects.toMatchObject({ code: 'ERR_PEER_BEHIND' })
    expect([other.trusts(PEER), other.ahead]).toEqual([false, undefined])
    await horizon.shown(PEER, other.seal())
    expect(horizon.ahead).toBe(PEER)
    await horizon.follow(at(8), at(40))
    expect([horizon.ahead, horizon.target]).toEqual([undefined, at(40)])
    await horizon.promise({ clean: at(39) })
    await expect(other.shown(PEER, horizon.seal())).rejects.toMatchObject({ code: 'ERR_PEER_BEHIND' })
    await horizon.promise({ clean: at(40) })
    await other.shown(PEER, horizon.seal())
    other.require(PEER, horizon.seal())
    expect(other.trusts(PEER)).toBe(true)
  })

  test('when all return, the one that has promised most is followed', async () => {
    const [horizon, other] = [await made(10, 5), await made(40, 8)]
    horizon.returns()
    other.returns()
    const [a, b] = [horizon.seal(), other.seal()]
    await expect(horizon.shown(PEER, b)).rejects.toMatchObject({ code: 'ERR_PEER_BEHIND' })
    await expect(other.shown(PEER, a)).rejects.toMatchObject({ code: 'ERR_PEER_BEHIND' })
    expect(other.seal()).toEqual({ promise: at(40), horizon: at(8) })
    expect(horizon.seal().horizon).toBe(HLC_MAX)
    await horizon.shown(PEER, other.seal())
    expect(horizon.ahead).toBe(PEER)
  })

  test('hints count when the last seal of the peer does', async () => {
    expect((await made(0, 0)).trusts(PEER)).toBe(true) // nothing was ever promised
    const horizon = await made(10, 0)
    expect(horizon.trusts(PEER)).toBe(false)
    await horizon.rise(at(10))
    expect(horizon.trusts(PEER)).toBe(false)
    await horizon.shown(PEER, { promise: at(10), horizon: at(1) })
    expect(horizon.trusts(PEER)).toBe(true)
  })

  test('nothing comes in from who is out', async () => {
    const horizon = horizonOn({ files: new Map() }, { isOut: node => node === PEER })
    const seal = { promise: at(10), horizon: at(0) }
    await expect(horizon.shown(PEER, seal)).rejects.toMatchObject({ code: 'ERR_MEMBER_REMOVED' })
    expect(() => horizon.require(PEER, seal)).toThrow('no longer a member')
    expect(horizon.trusts(PEER)).toBe(false)
    expect(horizon.trusts('other' as NodeId)).toBe(true)
  })
})
