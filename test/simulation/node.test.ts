import { test } from 'vitest'
import { testSeeds } from '../support/seeded-random.js'
import { NodeSimulation } from './node-simulation.js'

test.each(testSeeds(20))('one node keeps its promises under seed %i', async seed => {
  await new NodeSimulation({ seed, steps: 40 }).run()
})
