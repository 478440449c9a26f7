import { hash } from 'node:crypto'
import type { NodeId } from './ids.js'

/**
 * Ranks nodes for a key. Every node computes the same ranking without communication. When a node joins or leaves, only
 * its own keys move.
 *
 * @see Thaler & Ravishankar 1998, "Using Name-Based Mappings to Increase Hit Rates" (rendezvous hashing)
 * @param nodes - in any order, each once
 * @returns all nodes, first choice first
 */
export function rendezvous(key: string, nodes: Iterable<NodeId>): NodeId[] {
  const ranked = Array.from(nodes, node => ({ node, weight: hash('sha256', `${key}\0${node}`) }))
  return ranked.sort((a, b) => (a.weight < b.weight ? 1 : -1)).map(({ node }) => node)
}
