import { test } from 'vitest'
import { testSeeds } from '../support/seeded-random.js'
import { SIMULATIONS } from './simulate.js'

/** Seeds that once found something. */
const REGRESSIONS = [
  18, 57, 111, 238, 292, 1045, 1059, 1195, 2062, 3043, 3123, 3219, 3291, 5103, 5208, 5214, 5245, 500323, 503289, 503722,
  511047, 511050, 580092, 633700, 637957, 901221
]

/** The same, of longer runs. */
const LONG_REGRESSIONS = [520028, 620106]

test.each([...REGRESSIONS, ...testSeeds(15)])('a cluster keeps its promises under seed %i', seed =>
  SIMULATIONS.cluster(seed)
)

test.each(LONG_REGRESSIONS)('a cluster keeps its promises in 60 steps under seed %i', seed =>
  SIMULATIONS.cluster(seed, 60)
)
