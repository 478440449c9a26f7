import { test } from 'vitest'
import { testSeeds } from '../support/seeded-random.js'
import { ClusterSimulation } from './cluster-simulation.js'

test.each(testSeeds(10))('a cluster keeps its promises under seed %i', async seed => {
  await new ClusterSimulation({ seed, nodes: 3 + (seed % 3), steps: 25 }).run()
})
