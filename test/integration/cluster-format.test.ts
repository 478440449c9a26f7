import { describe, expect, test } from 'vitest'
import { type Logger, silentLog } from '../../src/core/log.js'
import { RECORD_FORMATS, type RecordFormats } from '../../src/domain/formats.js'
import type { NodeId, PhotoId } from '../../src/domain/ids.js'
import { PHOTO_KIND } from '../../src/domain/photo.js'
import { hasNextField, NEXT_FORMATS } from '../support/next-format.js'
import { SeededRandom } from '../support/seeded-random.js'
import { SimulatedClock } from '../support/simulated-clock.js'
import { SimulatedNetwork } from '../support/simulated-network.js'
import { originOf, SimulatedNode } from '../support/simulated-node.js'

const ROUND_MS = 1_000
/** Heartbeats, a member record a minute, some rounds. */
const SETTLED_MS = 65_000

interface Host {
  readonly node: SimulatedNode
  readonly errors: string[]
  program: RecordFormats
}

/** Nodes that run the present program until they are upgraded. */
class World {
  readonly clock = new SimulatedClock()
  readonly network = new SimulatedNetwork({ clock: this.clock, random: new SeededRandom(1) })
  readonly hosts: Record<string, Host> = {}

  add(name: string, program: RecordFormats = RECORD_FORMATS): Host {
    const errors: string[] = []
    const log: Logger = { ...silentLog, error: (_fields, message) => errors.push(message) }
    const host: Host = {
      errors,
      program,
      node: new SimulatedNode({
        seed: name.charCodeAt(0),
        clock: this.clock,
        origin: originOf(name as NodeId),
        formats: () => host.program,
        log,
        member: {
          network: this.network,
          id: name as NodeId,
          join: Object.keys(this.hosts) as NodeId[],
          pauses: { roundMs: ROUND_MS, absentMs: 15_000 }
        }
      })
    }
    this.hosts[name] = host
    return host
  }

  async run(host: Host, program: RecordFormats = host.program): Promise<void> {
    if (host.node.running) await host.node.stop()
    host.program = program
    await host.node.start()
    await this.clock.advance(SETTLED_MS)
  }
}

async function upload({ node }: Host): Promise<PhotoId> {
  const bytes = node.random.bytes(2_000)
  const body = (async function* () {
    yield bytes
  })()
  return (await node.services.photos.upload(body, { filename: 'a.bin' })).photoId
}

const formatAt = ({ node }: Host): number | undefined => node.services.cluster?.format.current

const isNext = ({ node }: Host, id: PhotoId): boolean => {
  const stored = node.services.local.directory.getSync({ kind: PHOTO_KIND, id })
  if (stored === undefined) throw new Error(`${id} is unknown`)
  return hasNextField(stored.record)
}

const digests = (...hosts: readonly Host[]): Set<string> =>
  new Set(hosts.map(({ node }) => node.services.local.directory.digest()))

describe('the format of a cluster', () => {
  test('rises when the last member is upgraded, not before; only then is the new field written', async () => {
    const world = new World()
    const [a, b, c] = ['a', 'b', 'c'].map(name => world.add(name)) as [Host, Host, Host]
    for (const host of [a, b, c]) await world.run(host)
    const before: PhotoId[] = []
    for (const host of [a, b]) {
      before.push(await upload(a), await upload(c))
      await world.run(host, NEXT_FORMATS)
      before.push(await upload(host))
      await world.clock.advance(5_000)
      expect([formatAt(a), formatAt(b), formatAt(c)]).toEqual([2, 2, 2])
      expect(digests(a, b, c).size).toBe(1)
    }
    await world.run(c, NEXT_FORMATS)
    expect([formatAt(a), formatAt(b), formatAt(c)]).toEqual([3, 3, 3])
    const after = await upload(a)
    await world.clock.advance(5_000)
    expect(digests(a, b, c).size).toBe(1)
    for (const host of [a, b, c]) {
      expect(before.map(id => isNext(host, id))).toEqual(before.map(() => false))
      expect(isNext(host, after)).toBe(true)
      expect(host.node.services.unready()).toBeUndefined()
    }
  })

  test('waits for an absent member, whose removal frees it; whoever is below is refused until it is upgraded', async () => {
    const world = new World()
    const [a, b, c] = ['a', 'b', 'c'].map(name => world.add(name)) as [Host, Host, Host]
    for (const host of [a, b, c]) await world.run(host)
    await c.node.stop()
    for (const host of [a, b]) await world.run(host, NEXT_FORMATS)
    await world.clock.advance(60 * ROUND_MS)
    expect([formatAt(a), formatAt(b)]).toEqual([2, 2])
    await a.node.services.cluster?.departures.remove('c' as NodeId)
    await world.clock.advance(5 * ROUND_MS)
    expect([formatAt(a), formatAt(b)]).toEqual([3, 3])
    const late = await upload(b)
    await world.run(c)
    expect([c.node.transport?.peers(), a.node.transport?.peers()]).toEqual([[], ['b']])
    const dial = c.node.transport?.dial(world.network.addressOf('a' as NodeId), new AbortController().signal)
    const outcome = dial?.catch((err: unknown) => err)
    await world.clock.advance(1_000)
    expect(await outcome).toMatchObject({
      code: 'ERR_PEER_REFUSED',
      message: expect.stringMatching(/the cluster has record format 3 .*: upgrade this node, see UPGRADING\.md/)
    })
    expect(formatAt(c)).toBe(2)
    const own = await upload(c)
    await world.run(c, NEXT_FORMATS)
    expect([formatAt(c), isNext(c, late)]).toEqual([3, true])
    expect(isNext(a, own)).toBe(false)
  })

  test('is above that of a program that came back too late: it says so, is not ready, serves what it can, and is alone', async () => {
    const world = new World()
    const [a, b] = [world.add('a', NEXT_FORMATS), world.add('b', NEXT_FORMATS)]
    for (const host of [a, b]) await world.run(host)
    expect([formatAt(a), formatAt(b)]).toEqual([3, 3])
    const hidden = await upload(b)
    await world.clock.advance(2_000)
    await world.run(a, RECORD_FORMATS)
    expect(a.node.services.unready()).toMatchObject({
      code: 'ERR_FORMAT_TOO_NEW',
      details: { cluster_format: 3, formats: [2, 2] }
    })
    const loud = a.errors.filter(message => message.startsWith('THE CLUSTER HAS A LATER RECORD FORMAT'))
    expect(loud.length).toBeGreaterThan(SETTLED_MS / ROUND_MS / 6 / 2)
    expect([a.node.transport?.peers(), b.node.transport?.peers()]).toEqual([[], []])
    await expect(a.node.services.photos.open(hidden, 'orig')).rejects.toMatchObject({ code: 'ERR_FORMAT_TOO_NEW' })
    const own = await upload(a)
    await world.run(a, NEXT_FORMATS)
    expect(a.node.services.unready()).toBeUndefined()
    expect([isNext(a, hidden), isNext(b, own)]).toEqual([true, false])
    expect(digests(a, b).size).toBe(1)
  })

  test('of two halves of a cluster that rose apart is one', async () => {
    const world = new World()
    const [a, b] = [world.add('a'), world.add('b')]
    for (const host of [a, b]) await world.run(host)
    world.network.links.partition(['a' as NodeId], ['b' as NodeId])
    for (const host of [a, b]) await world.run(host, NEXT_FORMATS)
    expect([formatAt(a), formatAt(b)]).toEqual([2, 2])
    world.network.links.heal()
    await world.clock.advance(SETTLED_MS)
    expect([formatAt(a), formatAt(b), digests(a, b).size]).toEqual([3, 3, 1])
  })

  test('rises on a lone node after a while, in which it may find a cluster that has not risen', async () => {
    const world = new World()
    const a = world.add('a', NEXT_FORMATS)
    await a.node.start()
    await world.clock.advance(50 * ROUND_MS)
    expect(formatAt(a)).toBe(2)
    await world.clock.advance(15 * ROUND_MS)
    expect(formatAt(a)).toBe(3)
  })

  test('does not rise on a node that has just joined and has not heard of all members yet', async () => {
    const world = new World()
    const [a, b] = [world.add('a', NEXT_FORMATS), world.add('b')]
    await a.node.start()
    await world.run(b)
    await b.node.stop()
    await world.clock.advance(10_000)
    const c = world.add('c', NEXT_FORMATS)
    await world.run(c)
    await world.clock.advance(20 * ROUND_MS)
    expect([formatAt(a), formatAt(c)]).toEqual([2, 2])
  })
})
