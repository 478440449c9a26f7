import { describe, expect, test } from 'vitest'
import { type Logger, silentLog } from '../../src/core/log.js'
import { formatHlc, hlcFrom } from '../../src/domain/hlc.js'
import type { NodeId } from '../../src/domain/ids.js'
import { conflictVersions, shownVersion } from '../../src/domain/record.js'
import { SeededRandom } from '../support/seeded-random.js'
import { SimulatedClock } from '../support/simulated-clock.js'
import { SimulatedFileSystem } from '../support/simulated-file-system.js'
import { SimulatedNetwork } from '../support/simulated-network.js'
import { originOf, SimulatedNode } from '../support/simulated-node.js'

/*
 * Nodes on folders of before, whose deletes were forgotten up to a horizon: who had promised less than somebody's horizon
 * stays out.
 */

interface Member extends SimulatedNode {
  readonly errors: readonly string[]
}

const HORIZON = { kind: 'cluster', id: 'horizon' }

class World {
  readonly clock = new SimulatedClock()
  readonly network = new SimulatedNetwork({ clock: this.clock, random: new SeededRandom(1) })
  #seed = 0

  /**
   * @param promises - of a folder of before, ms; undefined: a new folder
   * @param join - whom it dials
   */
  async node(
    id: string,
    promises: { readonly clean: number; readonly horizon: number } | undefined,
    ...join: readonly string[]
  ): Promise<Member> {
    const errors: string[] = []
    const log: Logger = { ...silentLog, error: (_fields: object, line: string) => errors.push(line) }
    const member = { network: this.network, id: id as NodeId, join: join as NodeId[] }
    const node = new SimulatedNode({
      seed: ++this.#seed,
      clock: this.clock,
      origin: originOf(id as NodeId),
      member,
      log
    })
    if (promises !== undefined) {
      const { clean, horizon } = promises
      const stamps = { settled: clean, applied: clean, clean, horizon }
      const texts = Object.entries(stamps).map(([name, ms]) => [name, formatHlc(hlcFrom(ms))])
      const file = Buffer.from(JSON.stringify(Object.fromEntries(texts)))
      await new SimulatedFileSystem(node.disk).writeFileAtomic('/data/promises.json', file)
    }
    await node.start()
    await this.clock.advance(3_000)
    return Object.assign(node, { errors })
  }
}

async function upload(node: SimulatedNode): Promise<void> {
  const bytes = Buffer.from('a photo')
  const body = (async function* () {
    yield bytes
  })()
  await node.services.photos.upload(body, { filename: 'a.bin', declaredBytes: bytes.byteLength })
}

const peersOf = (node: SimulatedNode): readonly NodeId[] => [...(node.transport?.peers() ?? [])].sort()
const photosOf = async (node: SimulatedNode): Promise<number> =>
  (await node.services.photos.list({ limit: 10 })).photos.length
const beyond = expect.stringMatching(/^THIS NODE WAS BEYOND THE HORIZON.*sheaf export --from-folder$/)

describe('a folder of before', () => {
  test('is let in when it promised as much as anybody forgot', async () => {
    const world = new World()
    const a = await world.node('a', { clean: 20, horizon: 20 })
    const b = await world.node('b', { clean: 20, horizon: 15 }, 'a')
    const fresh = await world.node('c', undefined, 'a')
    expect([peersOf(a), peersOf(b), peersOf(fresh)]).toEqual([
      ['b', 'c'],
      ['a', 'c'],
      ['a', 'b']
    ])
    expect([...a.errors, ...b.errors, ...fresh.errors]).toEqual([])
  })

  test('is let in without a promise where nobody has forgotten anything', async () => {
    const world = new World()
    const a = await world.node('a', { clean: 0, horizon: 0 })
    await world.node('b', { clean: 7, horizon: 0 }, 'a')
    await world.clock.advance(120_000)
    expect(peersOf(a)).toEqual(['b'])
    expect(a.services.local.directory.getSync(HORIZON)).toBeUndefined()
  })

  test('that promised less stays out on both sides, says so, and serves what it has', async () => {
    const world = new World()
    const a = await world.node('a', { clean: 20, horizon: 20 })
    const late = await world.node('late', { clean: 19, horizon: 5 }, 'a')
    const alike = await world.node('alike', { clean: 19, horizon: 5 }, 'a', 'late')
    await upload(late)
    await world.clock.advance(60_000)
    expect([peersOf(a), peersOf(late), peersOf(alike)]).toEqual([[], [], []])
    expect([a.errors, late.errors, alike.errors]).toEqual([[], [beyond], [beyond]]) // once
    expect([await photosOf(late), await photosOf(a)]).toEqual([1, 0])
  })

  test('is refused by a new node, too, which knows the horizon from others, also after a restart', async () => {
    const world = new World()
    const a = await world.node('a', { clean: 20, horizon: 20 })
    const fresh = await world.node('fresh', undefined, 'a')
    expect(peersOf(fresh)).toEqual(['a'])
    const late = await world.node('late', { clean: 5, horizon: 5 }, 'fresh')
    expect([peersOf(fresh), peersOf(late), late.errors]).toEqual([['a'], [], [beyond]])
    await late.stop()
    await world.clock.advance(120_000)
    await a.stop()
    await fresh.stop()
    await fresh.start()
    await late.start()
    await world.clock.advance(5_000)
    expect([peersOf(fresh), peersOf(late)]).toEqual([[], []])
    const record = fresh.services.local.directory.getSync(HORIZON)?.record
    expect(record && [shownVersion(record).value, conflictVersions(record)]).toEqual([
      new Map([['horizon', Uint8Array.from([0, 0, 0, 0, 0, 20, 0, 0])]]),
      []
    ])
  })

  test('is hung up on when somebody comes who forgot more', async () => {
    const world = new World()
    const a = await world.node('a', { clean: 20, horizon: 5 })
    const late = await world.node('late', { clean: 6, horizon: 5 }, 'a')
    const fresh = await world.node('fresh', undefined, 'a', 'late')
    expect(peersOf(late)).toEqual(['a', 'fresh'])
    const top = await world.node('top', { clean: 20, horizon: 20 }, 'a')
    await world.clock.advance(2_000)
    expect([peersOf(a), peersOf(fresh), peersOf(top), peersOf(late)]).toEqual([
      ['fresh', 'top'],
      ['a', 'top'],
      ['a', 'fresh'],
      []
    ])
    expect([late.errors, a.errors]).toEqual([[beyond], []])
    await upload(late)
    await upload(a)
    await world.clock.advance(60_000)
    expect([await photosOf(a), await photosOf(late), peersOf(late)]).toEqual([1, 1, []])
  })

  test('stays in whoever says that deletes of the future were forgotten', async () => {
    const world = new World()
    const a = await world.node('a', { clean: 20, horizon: 20 })
    const b = await world.node('b', { clean: 20, horizon: 20 }, 'a')
    const to = world.clock.now() + 24 * 3_600_000
    const liar = await world.node('liar', { clean: to, horizon: to }, 'a', 'b')
    await world.clock.advance(120_000)
    expect([peersOf(a), peersOf(b), a.errors, b.errors]).toEqual([['b', 'liar'], ['a', 'liar'], [], []])
    expect(peersOf(liar)).toEqual(['a', 'b'])
  })

  test('that had followed a horizon without having promised it joins nobody', async () => {
    const world = new World()
    const behind = await world.node('behind', { clean: 5, horizon: 20 })
    const fresh = await world.node('fresh', undefined, 'behind')
    expect([peersOf(behind), peersOf(fresh), behind.errors, fresh.errors]).toEqual([[], [], [beyond], []])
  })
})
