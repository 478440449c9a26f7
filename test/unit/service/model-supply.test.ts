import { expect, onTestFinished, test } from 'vitest'
import { SheafError } from '../../../src/core/errors.js'
import { silentLog } from '../../../src/core/log.js'
import { ModelSupply } from '../../../src/service/model-supply.js'
import type { LoadedModel, ModelSpec } from '../../../src/similarity/models/model-spec.js'
import { SimulatedClock } from '../../support/simulated-clock.js'

const MODEL: LoadedModel = { spec: { name: 'mine', id: '0123456789abcdef' } as ModelSpec, folder: '/m' }

/** A store that has the model, or gets it at the attempt of that number. */
async function supplied(isThere: boolean, pullsUntilThere = 1) {
  const clock = new SimulatedClock()
  const state = { isThere, pulls: 0, used: [] as string[] }
  const store = {
    open: async (name: string) => (state.isThere && name === 'mine' ? MODEL : undefined),
    pull: async () => {
      state.pulls++
      if (state.pulls < pullsUntilThere) throw new SheafError('ERR_MODEL_DOWNLOAD')
      state.isThere = true
      return MODEL.spec
    }
  }
  const use = async ({ spec }: LoadedModel) => void state.used.push(spec.name)
  const supply = new ModelSupply({ store, use, clock, log: silentLog }, { name: 'mine' })
  await supply.start()
  onTestFinished(() => supply.stop())
  await clock.advance(1)
  return { clock, state }
}

test('a model that is there is taken into use, once', async () => {
  const { clock, state } = await supplied(true)
  await clock.advance(3 * 24 * 3_600_000)
  expect(state).toMatchObject({ pulls: 0, used: ['mine'] })
})

test('one that is not there is pulled first', async () => {
  const { state } = await supplied(false)
  expect(state).toMatchObject({ pulls: 1, used: ['mine'] })
})

test('while it cannot be pulled that is tried again, ever less often', async () => {
  const { clock, state } = await supplied(false, 4)
  expect(state).toMatchObject({ pulls: 1, used: [] })
  await clock.advance(30_000)
  expect(state.pulls).toBe(2)
  await clock.advance(30_000)
  expect(state.pulls).toBe(2)
  await clock.advance(150_000)
  expect(state).toMatchObject({ pulls: 4, used: ['mine'] })
})
