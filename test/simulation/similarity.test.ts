import { test } from 'vitest'
import { testSeeds } from '../support/seeded-random.js'
import { SIMULATIONS } from './simulate.js'

test.each(testSeeds(12))('every node finds all that is live once it is quiet, under seed %i', seed =>
  SIMULATIONS.similarity(seed)
)
