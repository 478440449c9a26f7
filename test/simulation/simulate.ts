import { ClusterSimulation } from './cluster-simulation.js'
import { NodeSimulation } from './node-simulation.js'
import { SimilaritySimulation } from './similarity-simulation.js'

/**
 * What can be simulated, by name. Each runs one seed, and throws when an invariant did not hold.
 *
 * @param steps - of the workload; default: enough for what usually happens
 */
export const SIMULATIONS = {
  node: (seed: number, steps = 40) => new NodeSimulation({ seed, steps }).run(),
  cluster: (seed: number, steps = 25) => new ClusterSimulation({ seed, nodes: 3 + (seed % 3), steps }).run(),
  slow: (seed: number, steps = 25) => new ClusterSimulation({ seed, nodes: 3 + (seed % 3), steps, slow: true }).run(),
  upgrade: (seed: number, steps = 25) =>
    new ClusterSimulation({ seed, nodes: 3 + (seed % 3), steps, upgrades: true }).run(),
  similarity: (seed: number, steps = 60) => new SimilaritySimulation({ seed, nodes: 3 + (seed % 2), steps }).run()
} as const

export type SimulationName = keyof typeof SIMULATIONS
