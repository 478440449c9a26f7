import { hash } from 'node:crypto'
import type { NodeId } from './ids.js'

/**
 * Ranks nodes for a key, the same everywhere, with nobody to ask. When a node comes or goes, only the keys move that it
 * takes or leaves.
 *
 * @see Thaler & Ravishankar 1998, "Using Name-Based Mappings to Increase Hit Rates" (rendezvous hashing)
 * @param nodes - in any order, each once
 * @returns all of them, first choice first
 */
export function rendezvous(key: string, nodes: Iterable<NodeId>): NodeId[] {
  const ranked = Array.from(nodes, node => ({ node, weight: hash('sha256', `${key}\0${node}`) }))
  return ranked.sort((a, b) => (a.weight < b.weight ? 1 : -1)).map(({ node }) => node)
}
