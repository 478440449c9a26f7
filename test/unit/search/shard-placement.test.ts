import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import type { NodeId } from '../../../src/domain/ids.js'
import { ALL_SHARDS, type Shard, type ShardSet, shardOwners } from '../../../src/domain/shards.js'
import { ShardPlacement } from '../../../src/search/shard-placement.js'

const RELEASE_MS = 10 * 60_000
const NONE: ShardSet = new Set()
/** Each works out the owners of 64 shards for every node. */
const RUNS = 15

/** Nodes that know of each other at once; what one has ready the others see. */
class Cluster {
  readonly nodes = new Map<NodeId, ShardPlacement>()
  nowMs = 0

  add(...names: readonly string[]): void {
    for (const name of names as NodeId[]) {
      const peers = () =>
        new Map([...this.nodes].filter(([id]) => id !== name).map(([id, { ready }]) => [id, ready] as const))
      this.nodes.set(name, new ShardPlacement({ self: name, peers }))
    }
  }

  remove(name: string): void {
    this.nodes.delete(name as NodeId)
  }

  /** Every node takes what is its, and fills it with vectors. */
  settle(): void {
    for (const node of this.nodes.values()) node.update(this.nowMs)
    for (const node of this.nodes.values()) {
      node.markScanned(node.unscanned())
      node.markReady(NONE)
    }
  }

  /** Lets so much time pass that whatever may be released is. */
  rest(): void {
    this.settle()
    for (const node of this.nodes.values()) node.update(this.nowMs)
    this.nowMs += RELEASE_MS
    for (const node of this.nodes.values()) node.update(this.nowMs)
  }

  /** Shards that can be searched somewhere. */
  ready(): ShardSet {
    return new Set([...this.nodes.values()].flatMap(({ ready }) => [...ready]))
  }

  holders(shard: Shard): NodeId[] {
    return [...this.nodes].filter(([, node]) => node.holds(shard)).map(([id]) => id)
  }
}

const names = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,6}$/), { minLength: 1, maxLength: 6 })

describe('in any cluster', () => {
  test('every shard is on two of the nodes, or on the only one', () => {
    fc.assert(
      fc.property(names, nodes => {
        const cluster = new Cluster()
        cluster.add(...nodes)
        cluster.rest()
        const holders = Array.from(ALL_SHARDS, shard => cluster.holders(shard).length)
        expect(new Set(holders)).toEqual(new Set([Math.min(2, nodes.length)]))
      }),
      { numRuns: RUNS }
    )
  })

  test('a node that goes moves its own shards only, and every shard is on two of the others', () => {
    fc.assert(
      fc.property(names, fc.nat(), (nodes, pick) => {
        fc.pre(nodes.length > 2)
        const gone = nodes[pick % nodes.length] as NodeId
        const cluster = new Cluster()
        cluster.add(...nodes)
        cluster.rest()
        const before = new Map(Array.from(ALL_SHARDS, shard => [shard, cluster.holders(shard)]))
        cluster.remove(gone)
        cluster.rest()
        const wrong = [...before].filter(([shard, holders]) => {
          const now = cluster.holders(shard)
          return now.length !== 2 || holders.some(holder => holder !== gone && !now.includes(holder))
        })
        expect(wrong).toEqual([])
      }),
      { numRuns: RUNS }
    )
  })

  test('nodes come one by one: a shard that was ready somewhere is so at any time', () => {
    const come = fc.record({ name: fc.constantFrom(...'abcdef'), ms: fc.nat(2 * RELEASE_MS) })
    fc.assert(
      fc.property(fc.uniqueArray(come, { selector: ({ name }) => name, maxLength: 5 }), steps => {
        const cluster = new Cluster()
        cluster.add('x')
        cluster.rest()
        for (const { name, ms } of steps) {
          cluster.add(name)
          cluster.nowMs += ms
          for (const node of cluster.nodes.values()) node.update(cluster.nowMs) // the new one has no vectors yet
          expect(cluster.ready()).toEqual(ALL_SHARDS)
          cluster.settle()
          expect(cluster.ready()).toEqual(ALL_SHARDS)
        }
      }),
      { numRuns: RUNS }
    )
  })
})

describe('a shard whose owners are others now', () => {
  const SELF = 'a' as NodeId
  const OTHERS = ['b', 'c', 'd'] as NodeId[]
  let peers: Map<NodeId, ShardSet>
  let placement: ShardPlacement
  /** Shards that go to others when these are there. */
  let moved: Shard[]

  beforeEach(() => {
    peers = new Map()
    placement = new ShardPlacement({ self: SELF, peers: () => peers })
    moved = [...ALL_SHARDS].filter(shard => !shardOwners(shard, [SELF, ...OTHERS]).includes(SELF))
    expect(moved.length).toBeGreaterThan(10)
    placement.update(0)
    placement.markScanned(ALL_SHARDS)
    placement.markReady(NONE)
    expect(placement.ready).toEqual(ALL_SHARDS)
  })

  const join = (ready: ShardSet): void => {
    peers = new Map(OTHERS.map(node => [node, ready]))
  }

  test('is kept until all of them have had it for ten minutes', () => {
    join(NONE)
    expect(placement.update(RELEASE_MS)).toEqual(NONE)
    expect(placement.update(10 * RELEASE_MS)).toEqual(NONE)
    join(ALL_SHARDS)
    expect(placement.update(10 * RELEASE_MS)).toEqual(NONE)
    expect(placement.update(11 * RELEASE_MS - 1)).toEqual(NONE)
    expect([...placement.update(11 * RELEASE_MS)].sort((x, y) => x - y)).toEqual(moved)
    for (const shard of moved) expect([placement.holds(shard), placement.ready.has(shard)]).toEqual([false, false])
  })

  test('is kept while one of them lacks it, and the ten minutes begin anew', () => {
    join(ALL_SHARDS)
    placement.update(0)
    peers.set('b' as NodeId, NONE)
    const ofB = moved.filter(shard => shardOwners(shard, [SELF, ...OTHERS]).includes('b' as NodeId))
    const released = placement.update(RELEASE_MS)
    for (const shard of ofB) expect(released.has(shard)).toBe(false)
    join(ALL_SHARDS)
    expect(placement.update(RELEASE_MS)).toEqual(NONE)
    expect(placement.update(2 * RELEASE_MS - 1)).toEqual(NONE)
    expect([...placement.update(2 * RELEASE_MS)].sort((x, y) => x - y)).toEqual(ofB)
  })

  test('is kept for good when it is this node’s again meanwhile', () => {
    join(ALL_SHARDS)
    placement.update(0)
    peers = new Map()
    placement.update(1_000)
    join(ALL_SHARDS)
    expect(placement.update(RELEASE_MS)).toEqual(NONE) // ten minutes from now, not from then
    expect(placement.update(2 * RELEASE_MS).size).toBe(moved.length)
  })

  test('goes at once when it was never complete here', () => {
    placement.reset()
    expect(placement.ready).toEqual(NONE)
    placement.update(0)
    join(ALL_SHARDS)
    expect([...placement.update(1)].sort((x, y) => x - y)).toEqual(moved)
  })
})

describe('a shard becomes ready', () => {
  const alone = (): ShardPlacement => {
    const placement = new ShardPlacement({ self: 'a' as NodeId, peers: () => new Map() })
    placement.update(0)
    return placement
  }

  test('when the directory was looked through for it and no vector is known to be missing', () => {
    const placement = alone()
    expect(placement.unscanned()).toEqual(ALL_SHARDS)
    expect(placement.markReady(NONE)).toBe(false)
    placement.markScanned(new Set([1, 2, 3]))
    expect(placement.unscanned().size).toBe(ALL_SHARDS.size - 3)
    expect(placement.markReady(new Set([2]))).toBe(true)
    expect(placement.ready).toEqual(new Set([1, 3]))
    expect(placement.markReady(new Set([2]))).toBe(false) // nothing new
    expect(placement.markReady(NONE)).toBe(true)
  })

  test('and stays so while all are looked through once more', () => {
    const placement = alone()
    placement.markScanned(ALL_SHARDS)
    placement.markReady(NONE)
    placement.requireRescan()
    expect(placement.unscanned()).toEqual(ALL_SHARDS)
    expect(placement.ready).toEqual(ALL_SHARDS)
    expect(placement.markReady(ALL_SHARDS)).toBe(false)
    expect(placement.ready).toEqual(ALL_SHARDS)
  })
})

describe('where not all vectors fit', () => {
  const pair = (): ShardPlacement[] =>
    (['a', 'b'] as NodeId[]).map(
      (self, i, names) => new ShardPlacement({ self, peers: () => new Map([[names[1 - i] as NodeId, ALL_SHARDS]]) })
    )
  const heldBy = (placement: ShardPlacement): Shard[] => [...ALL_SHARDS].filter(shard => placement.holds(shard))

  test('a node takes so many shards and says how many it leaves out', () => {
    const [a] = pair() as [ShardPlacement, ShardPlacement]
    a.limit = 40
    a.update(0)
    expect(heldBy(a)).toHaveLength(40)
    expect(a.leftOut).toBe(24)
    a.limit = 64
    a.update(0)
    expect(heldBy(a)).toHaveLength(64)
    expect(a.leftOut).toBe(0)
  })

  test('two owners leave out different ones, so that together they cover what they can', () => {
    const nodes = pair()
    for (const node of nodes) {
      node.limit = 40
      node.update(0)
    }
    expect(new Set(nodes.flatMap(heldBy))).toEqual(ALL_SHARDS)
  })

  test('shards beyond the limit are released at once', () => {
    const [a] = pair() as [ShardPlacement, ShardPlacement]
    a.update(0)
    a.markScanned(ALL_SHARDS)
    a.markReady(NONE)
    a.limit = 10
    expect(a.update(1).size).toBe(54)
    expect(a.ready).toEqual(new Set(heldBy(a)))
    a.limit = 0
    a.update(2)
    expect(heldBy(a)).toEqual([])
  })

  test('what nobody else has stays where it is when members come and go', () => {
    let peers = new Map<NodeId, ShardSet>()
    const a = new ShardPlacement({ self: 'a' as NodeId, peers: () => peers })
    a.limit = 40
    a.update(0)
    a.markScanned(ALL_SHARDS)
    a.markReady(NONE)
    const before = heldBy(a)
    peers = new Map([['b' as NodeId, NONE]])
    expect(a.update(1)).toEqual(NONE)
    expect(heldBy(a)).toEqual(before)
    // what another has had for a while may move
    peers = new Map([['b' as NodeId, ALL_SHARDS]])
    expect(a.update(2)).toEqual(NONE)
    expect(a.update(2 + RELEASE_MS).size).toBeGreaterThan(0)
    expect(heldBy(a)).toHaveLength(40)
  })

  test('a limit below nothing is nothing', () => {
    const [a] = pair() as [ShardPlacement, ShardPlacement]
    a.limit = -5
    a.update(0)
    expect(heldBy(a)).toEqual([])
    expect(a.leftOut).toBe(64)
  })
})
