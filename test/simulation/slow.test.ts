import { test } from 'vitest'
import { testSeeds } from '../support/seeded-random.js'
import { SIMULATIONS } from './simulate.js'

test.each(testSeeds(10))(
  'a cluster with slow disks and processors, thin links and little memory keeps its promises under seed %i',
  seed => SIMULATIONS.slow(seed)
)

/** Seeds that found something, see docs/found-by-simulation.md. */
test.each([660181])('seed %i, which once failed, passes', seed => SIMULATIONS.slow(seed))
