import type { NodeId } from '../../src/domain/ids.js'
import { SeededRandom } from './seeded-random.js'
import { SimulatedClock } from './simulated-clock.js'
import { SimulatedNetwork } from './simulated-network.js'
import { originOf, SimulatedNode, type SimulatedNodeOptions } from './simulated-node.js'

/** @returns two nodes, `a` and `b`, that have started and found each other, and the world that they share */
export async function nodePair(
  options: Pick<SimulatedNodeOptions, 'purgeMs' | 'archive' | 'log' | 'volumeBytes' | 'memory'> = {}
): Promise<{
  readonly clock: SimulatedClock
  readonly network: SimulatedNetwork
  readonly a: SimulatedNode
  readonly b: SimulatedNode
}> {
  const clock = new SimulatedClock()
  const network = new SimulatedNetwork({ clock, random: new SeededRandom(1) })
  const join = ['a', 'b'] as NodeId[]
  const [a, b] = join.map((id, i) => {
    return new SimulatedNode({ ...options, seed: i + 1, clock, origin: originOf(id), member: { network, id, join } })
  }) as [SimulatedNode, SimulatedNode]
  await Promise.all([a.start(), b.start()])
  await clock.advance(1_000)
  return { clock, network, a, b }
}
