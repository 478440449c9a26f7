import { expect, test } from 'vitest'
import type { NodeId } from '../../../src/domain/ids.js'
import { rendezvous } from '../../../src/domain/rendezvous.js'

const NODES = ['a', 'b', 'c', 'd'] as NodeId[]
const KEYS = Array.from({ length: 1_000 }, (_, i) => `key ${i}`)

test('the ranking does not depend on the order of the nodes', () => {
  for (const key of KEYS.slice(0, 50)) {
    expect(rendezvous(key, [...NODES].reverse())).toEqual(rendezvous(key, NODES))
    expect([...rendezvous(key, NODES)].sort()).toEqual(NODES)
  }
})

test('each node is first for its share of keys, and removing one keeps the order of the others', () => {
  const firsts = new Map<NodeId, number>()
  for (const key of KEYS) {
    const ranked = rendezvous(key, NODES)
    const [first] = ranked
    if (first !== undefined) firsts.set(first, (firsts.get(first) ?? 0) + 1)
    const left = NODES.filter(node => node !== 'c')
    expect(rendezvous(key, left)).toEqual(ranked.filter(node => node !== 'c'))
  }
  for (const node of NODES) expect(firsts.get(node)).toBeGreaterThan(KEYS.length / 4 / 1.3)
})
