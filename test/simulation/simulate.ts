import { ClusterSimulation } from './cluster-simulation.js'
import { NodeSimulation } from './node-simulation.js'
import { SimilaritySimulation } from './similarity-simulation.js'

/** What can be simulated, by name. Each runs one seed, and throws when an invariant did not hold. */
export const SIMULATIONS = {
  node: (seed: number) => new NodeSimulation({ seed, steps: 40 }).run(),
  cluster: (seed: number) => new ClusterSimulation({ seed, nodes: 3 + (seed % 3), steps: 25 }).run(),
  similarity: (seed: number) => new SimilaritySimulation({ seed, nodes: 3 + (seed % 2), steps: 60 }).run()
} as const

export type SimulationName = keyof typeof SIMULATIONS
