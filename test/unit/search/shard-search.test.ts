import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { SheafError } from '../../../src/core/errors.js'
import { silentLog } from '../../../src/core/log.js'
import { AudienceSet, namedAudience } from '../../../src/domain/audience.js'
import type { NodeId, PhotoId } from '../../../src/domain/ids.js'
import { ALL_SHARDS, type Shard, type ShardSet, shardOf, shardOwners } from '../../../src/domain/shards.js'
import type { GatherResult } from '../../../src/search/scatter-gather.js'
import type { ShardAnswer, VectorQuery } from '../../../src/search/search-messages.js'
import { ShardSearch } from '../../../src/search/shard-search.js'
import type { VectorEntry } from '../../../src/similarity/index/vector-index.js'
import { ExactVectorIndex, nearest } from '../../support/exact-vector-indexes.js'
import { RecordingTracer } from '../../support/recording-tracer.js'
import { MODEL, OTHER_MODEL, unitVector, vectorEntries } from '../../support/vector-maker.js'
import { World } from '../replication/records/replica.js'

const DIMENSION = 8
const never = new AbortController().signal
/** What somebody sees who does not see all. */
const SEEN = new AudienceSet([namedAudience('open')])

let world: World
let nodes: SearchNode[]

/** What a node does with a search. */
type Behavior = 'answers' | 'looks at all' | 'stays silent' | 'fails'

/** A node with some vectors. All others learn at once which shards it announces. */
class SearchNode {
  readonly id: NodeId
  readonly index = new ExactVectorIndex()
  readonly search: ShardSearch
  readonly tracer = new RecordingTracer()
  ready: ShardSet = new Set()
  /** The shards of its last heartbeat, if they are outdated. */
  said: ShardSet | undefined
  behavior: Behavior = 'answers'
  model = MODEL
  /** How long it takes to search. */
  delayMs = 0
  asked = 0
  cancelled = 0

  constructor(id: string) {
    const { clock, random, network } = world
    const transport = network.transport(id as NodeId)
    this.id = transport.self
    this.transport = transport
    this.search = new ShardSearch({
      transport: {
        self: this.id,
        request: (...args) => transport.request(...args),
        handle: (method, handler) =>
          transport.handle(method, (peer, body, signal) => {
            signal.addEventListener('abort', () => void this.cancelled++, { once: true })
            return handler(peer, body, signal)
          })
      },
      clock,
      random,
      log: silentLog,
      tracer: this.tracer,
      holders: model =>
        new Map(nodes.filter(node => node.model === model).map(node => [node.id, node.said ?? node.ready])),
      searchHere: (query, k) => this.#searchHere(query, k)
    })
  }

  readonly transport: ReturnType<World['network']['transport']>

  async #searchHere({ vector, onlooker }: VectorQuery, k: number): Promise<ShardAnswer> {
    this.asked++
    if (this.behavior === 'fails') throw new SheafError('ERR_INDEX_UNAVAILABLE')
    if (this.behavior === 'stays silent') return new Promise(() => {})
    if (this.delayMs > 0) await world.clock.sleep(this.delayMs)
    const isLimited = onlooker !== undefined && this.behavior === 'answers'
    const found = await this.index.search('image', vector, k, isLimited ? SEEN : undefined)
    return { shards: this.ready, neighbors: found.neighbors, ...(isLimited && { isLimited }) }
  }
}

async function start(count: number, seed = 1): Promise<void> {
  world = new World(seed)
  nodes = []
  for (let i = 0; i < count; i++) nodes.push(new SearchNode(`node-${i}`))
  for (const node of nodes) await node.transport.start()
  for (const [i, a] of nodes.entries()) {
    for (const b of nodes.slice(i + 1)) await world.during(a.transport.dial(b.transport.addresses()[0] ?? '', never))
  }
}

/** @param owners - of each shard; others get none of its vectors, except for some stray ones */
async function place(entries: readonly VectorEntry[], owners: (shard: Shard) => readonly SearchNode[], strayShare = 0) {
  for (const node of nodes) {
    const ready = [...ALL_SHARDS].filter(shard => owners(shard).includes(node))
    node.ready = new Set(ready)
    const held = entries.filter(({ id }) => node.ready.has(shardOf(id)) || world.random.chance(strayShare))
    await node.index.add(held)
  }
}

const gather = (query: Float32Array, k: number, from = nodes[0] as SearchNode): Promise<GatherResult> =>
  world.during(from.search.search({ model: MODEL, space: 'image', vector: query }, k, never))

const idsOf = (neighbors: readonly { readonly id: PhotoId }[]): PhotoId[] => neighbors.map(({ id }) => id)

const ownersOf = (shard: Shard): SearchNode[] => {
  const ids = shardOwners(
    shard,
    nodes.map(({ id }) => id)
  )
  return nodes.filter(({ id }) => ids.includes(id))
}

test('a search that somebody traces has a span for each node that it asks, on both sides', async () => {
  await start(3)
  const [asker, ...others] = nodes as [SearchNode, ...SearchNode[]]
  await place(vectorEntries(world.random, 50, DIMENSION), shard => [nodes[shard % 3] as SearchNode])
  const { tracer } = asker
  const request = tracer.begin('GET /search')
  await tracer.run(request, () => gather(unitVector(world.random, DIMENSION), 5))
  const asked = tracer.spans.slice(1)
  expect(asked.map(({ name, parent, isEnded }) => [name, parent, isEnded])).toEqual(
    Array(3).fill(['search', request.traceParent, true])
  )
  const outgoing = asked.filter(({ kind }) => kind === 'client')
  expect(outgoing.map(({ attributes }) => `${attributes?.peer}`).sort()).toEqual(others.map(({ id }) => id).sort())
  for (const other of others) {
    const span = other.tracer.only('search')
    expect(span).toMatchObject({ kind: 'server', attributes: { peer: asker.id }, isEnded: true })
    expect(outgoing.find(({ attributes }) => attributes?.peer === other.id)?.traceParent).toBe(span.parent)
  }
  await gather(unitVector(world.random, DIMENSION), 5)
  expect(nodes.map(node => node.tracer.spans.length)).toEqual([4, 1, 1])
})

describe('a search over all nodes', () => {
  test('finds the same as one search over all vectors, wherever they are', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 0, max: 120 }),
        fc.integer({ min: 1, max: 30 }),
        async (seed, nodeCount, count, k) => {
          await start(nodeCount, seed)
          const { random } = world
          const entries = vectorEntries(random, count, DIMENSION)
          const assigned = new Map(Array.from(ALL_SHARDS, s => [s, [random.pick(nodes), random.pick(nodes)]]))
          await place(entries, shard => assigned.get(shard) ?? [], 0.2)
          const query = unitVector(random, DIMENSION)
          const from = random.pick(nodes)
          const { neighbors, shards, exhausted } = await gather(query, k, from)
          expect(shards).toEqual(ALL_SHARDS)
          expect(idsOf(neighbors).slice(0, k)).toEqual(idsOf(nearest(entries, query, k)))
          expect(new Set(idsOf(neighbors)).size).toBe(neighbors.length)
          if (exhausted) expect(neighbors.length).toBe(count)
          await world.clock.advance(100) // late answers
        }
      ),
      { numRuns: 60 }
    )
  })

  test('covers the shards of the nodes that answer, and reports exactly these', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.integer({ min: 2, max: 5 }), async (seed, nodeCount) => {
        await start(nodeCount, seed)
        const { random } = world
        const entries = vectorEntries(random, 100, DIMENSION)
        const assigned = new Map(
          Array.from(ALL_SHARDS, s => [s, random.chance(0.1) ? [] : [random.pick(nodes), random.pick(nodes)]])
        )
        await place(entries, shard => assigned.get(shard) ?? [])
        const [from, ...others] = nodes as [SearchNode, ...SearchNode[]]
        for (const other of others) other.behavior = random.pick(['answers', 'answers', 'stays silent', 'fails'])
        const k = 10
        const query = unitVector(random, DIMENSION)
        const { neighbors, shards } = await gather(query, k, from)
        const inReach = nodes.filter(({ behavior }) => behavior === 'answers').flatMap(({ ready }) => [...ready])
        expect(shards).toEqual(new Set(inReach))
        const covered = entries.filter(({ id }) => shards.has(shardOf(id)))
        expect(idsOf(neighbors).slice(0, k)).toEqual(idsOf(nearest(covered, query, k)))
      }),
      { numRuns: 60 }
    )
  })

  describe('of three nodes', () => {
    let entries: VectorEntry[]
    let query: Float32Array

    beforeEach(async () => {
      await start(3, 5)
      entries = vectorEntries(world.random, 200, DIMENSION)
      query = unitVector(world.random, DIMENSION)
      await place(entries, ownersOf)
    })

    const expectAll = ({ neighbors, shards }: GatherResult, k: number): void => {
      expect(shards).toEqual(ALL_SHARDS)
      expect(idsOf(neighbors).slice(0, k)).toEqual(idsOf(nearest(entries, query, k)))
    }

    test('asks no more nodes than necessary, and not always the same', async () => {
      for (let i = 0; i < 40; i++) expectAll(await gather(query, 5), 5)
      // of the shards that this node lacks, either of the others may have only some
      expect(nodes.map(({ asked }) => asked)[0]).toBe(40)
      nodes[1] && expect(nodes[1].asked).toBeGreaterThan(0)
      nodes[2] && expect(nodes[2].asked).toBeGreaterThan(0)
    })

    test('asks no peer for shards that it has itself', async () => {
      await place(entries, () => nodes)
      expectAll(await gather(query, 5), 5)
      expect(nodes.map(({ asked }) => asked)).toEqual([1, 0, 0])
    })

    test('hedges with the second owner when the first is silent, and is complete', async () => {
      const silent = nodes[1] as SearchNode
      silent.behavior = 'stays silent'
      for (let i = 0; i < 10; i++) {
        const before = world.clock.monotonic()
        expectAll(await gather(query, 5), 5)
        expect(world.clock.monotonic() - before).toBeLessThan(50 + 50)
      }
      await world.clock.advance(10)
      expect(silent.asked).toBeGreaterThan(0)
      expect(silent.cancelled).toBe(silent.asked)
    })

    test('asks the second owner at once when the first fails', async () => {
      for (const [i, failing] of nodes.slice(1).entries()) {
        failing.behavior = 'fails'
        const other = nodes[2 - i] as SearchNode
        other.behavior = 'answers'
        const before = world.clock.monotonic()
        expectAll(await gather(query, 5), 5)
        expect(world.clock.monotonic() - before).toBeLessThan(40)
      }
    })

    test('hedges later when nodes are always slow', async () => {
      for (const node of nodes) node.delayMs = 100
      expectAll(await gather(query, 5), 5)
      for (let i = 0; i < 10; i++) await gather(query, 5)
      const asked = nodes.slice(1).reduce((sum, node) => sum + node.asked, 0)
      for (let i = 0; i < 10; i++) expectAll(await gather(query, 5), 5)
      const again = nodes.slice(1).reduce((sum, node) => sum + node.asked, 0)
      expect(again - asked).toBe(10) // one of the two has all shards missing here
    })

    test('ends after two seconds with the answers so far', async () => {
      for (const node of nodes.slice(1)) node.behavior = 'stays silent'
      const before = world.clock.monotonic()
      const { shards, neighbors } = await gather(query, 5)
      const took = world.clock.monotonic() - before
      expect(took).toBeGreaterThanOrEqual(2_000)
      expect(took).toBeLessThan(2_010)
      const [self] = nodes as [SearchNode]
      expect(shards).toEqual(self.ready)
      const own = entries.filter(({ id }) => self.ready.has(shardOf(id)))
      expect(idsOf(neighbors)).toEqual(idsOf(nearest(own, query, 5)))
    })

    test('another node stands in for one that released shards since its last heartbeat', async () => {
      const [self, stale, other] = nodes as [SearchNode, SearchNode, SearchNode]
      await other.index.add(entries.map(entry => ({ ...entry })))
      other.ready = ALL_SHARDS
      self.ready = new Set()
      stale.ready = new Set()
      stale.said = ALL_SHARDS
      for (let i = 0; i < 10; i++) expectAll(await gather(query, 5), 5)
    })

    test('asks only nodes with the same model', async () => {
      const [self, second, third] = nodes as [SearchNode, SearchNode, SearchNode]
      second.model = OTHER_MODEL
      third.model = OTHER_MODEL
      const { shards } = await gather(query, 5)
      expect(shards).toEqual(self.ready)
      expect([second.asked, third.asked]).toEqual([0, 0])
    })

    test('includes what this node has of incomplete shards', async () => {
      for (const node of nodes) node.ready = new Set()
      const { shards, neighbors } = await gather(query, 5)
      expect(shards.size).toBe(0)
      expect(neighbors.length).toBe(5)
    })

    test('the caller can abort', async () => {
      for (const node of nodes) node.behavior = 'stays silent'
      const abort = new AbortController()
      const search = (nodes[0] as SearchNode).search.search(
        { model: MODEL, space: 'image', vector: query },
        5,
        abort.signal
      )
      const outcome = expect(search).rejects.toThrow('enough')
      await world.clock.advance(10)
      abort.abort(new Error('enough'))
      await outcome
      await world.clock.advance(10)
      const peers = nodes.slice(1)
      expect(peers.map(({ cancelled }) => cancelled)).toEqual(peers.map(({ asked }) => asked))
    })

    test('a finished search leaves no timers', async () => {
      const before = world.clock.pending
      await gather(query, 5)
      expect(world.clock.pending).toBeLessThanOrEqual(before)
    })
  })
})

describe('a search for somebody who does not see all', () => {
  const k = 10
  let entries: VectorEntry[]
  let query: Float32Array

  beforeEach(async () => {
    await start(3, 5)
    query = unitVector(world.random, DIMENSION)
    // what is nearest is open to nobody
    entries = vectorEntries(world.random, 300, DIMENSION)
    const near = new Set(idsOf(nearest(entries, query, 200)))
    entries = entries.map(entry => ({ ...entry, audience: near.has(entry.id) ? 'closed' : 'open' }))
    await place(entries, ownersOf)
  })

  const search = (): Promise<GatherResult> => {
    const asker = nodes[0] as SearchNode
    return world.during(
      asker.search.search({ model: MODEL, space: 'image', vector: query, onlooker: 'public' }, k, never)
    )
  }
  const open = (): VectorEntry[] => entries.filter(({ audience }) => audience === 'open')

  test('finds the nearest of that on all nodes', async () => {
    const { neighbors, shards } = await search()
    expect(shards).toEqual(ALL_SHARDS)
    expect(idsOf(neighbors).slice(0, k)).toEqual(idsOf(nearest(open(), query, k)))
  })

  test('does not count as searched what only a node of before has looked at, which looks at all', async () => {
    for (const other of nodes.slice(1)) other.behavior = 'looks at all'
    const { neighbors, shards, exhausted } = await search()
    const own = nodes[0] as SearchNode
    expect(shards).toEqual(own.ready)
    expect(exhausted).toBe(false)
    // what it found is there to be asked about again
    const wanted = nearest(
      open().filter(({ id }) => own.ready.has(shardOf(id))),
      query,
      k
    )
    expect(idsOf(neighbors)).toEqual(expect.arrayContaining(idsOf(wanted)))
  })

  test('a node of before that has no more than was asked for has left nothing out', async () => {
    for (const node of nodes) await node.index.remove(idsOf(entries.slice(8)))
    for (const other of nodes.slice(1)) other.behavior = 'looks at all'
    const { shards, exhausted } = await search()
    expect(shards).toEqual(ALL_SHARDS)
    expect(exhausted).toBe(true)
  })

  test('a node that cannot tell now what somebody sees is no answer, and others are asked', async () => {
    const [asker, failing, other] = nodes as [SearchNode, SearchNode, SearchNode]
    failing.behavior = 'fails'
    const { neighbors, shards } = await search()
    expect(shards).toEqual(new Set([...asker.ready, ...other.ready]))
    const covered = open().filter(({ id }) => shards.has(shardOf(id)))
    expect(idsOf(neighbors).slice(0, k)).toEqual(idsOf(nearest(covered, query, k)))
  })
})
