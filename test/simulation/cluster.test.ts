import { test } from 'vitest'
import { testSeeds } from '../support/seeded-random.js'
import { SIMULATIONS } from './simulate.js'

/** Seeds that once found something. */
const REGRESSIONS = [18, 57, 292]

test.each([...REGRESSIONS, ...testSeeds(15)])('a cluster keeps its promises under seed %i', SIMULATIONS.cluster)
