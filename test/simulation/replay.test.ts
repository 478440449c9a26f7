import { expect, test } from 'vitest'
import { testSeeds } from '../support/seeded-random.js'
import { ClusterSimulation } from './cluster-simulation.js'
import { NodeSimulation } from './node-simulation.js'

test.each(testSeeds(1).slice(0, 1))('a run is the same again under seed %i', async seed => {
  const tellNode = async (): Promise<unknown> => {
    const simulation = new NodeSimulation({ seed, steps: 30 })
    await simulation.run()
    return [simulation.workload.trace, simulation.node.disk.counts]
  }
  const tellCluster = async (): Promise<unknown> => {
    const simulation = new ClusterSimulation({ seed, nodes: 3, steps: 15 })
    await simulation.run()
    return [simulation.workload.trace, [...simulation.network.links.traffic]]
  }
  expect(await tellNode()).toEqual(await tellNode())
  expect(await tellCluster()).toEqual(await tellCluster())
})
