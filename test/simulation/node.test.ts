import { test } from 'vitest'
import { testSeeds } from '../support/seeded-random.js'
import { SIMULATIONS } from './simulate.js'

/** Seeds that once found something: a torn write in the middle of a group, a lost batch, a sector refused once, … */
const REGRESSIONS = [
  15, 32, 37, 112, 227, 848, 2232, 50161, 50455, 50650, 580213, 581417, 900049, 1795187359, 1795192606
]

test.each([...REGRESSIONS, ...testSeeds(20)])('one node keeps its promises under seed %i', seed =>
  SIMULATIONS.node(seed)
)
