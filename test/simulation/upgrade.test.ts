import { test } from 'vitest'
import { testSeeds } from '../support/seeded-random.js'
import { SIMULATIONS } from './simulate.js'

test.each(testSeeds(10))('a cluster of two versions keeps its promises while it is upgraded, under seed %i', seed =>
  SIMULATIONS.upgrade(seed)
)
