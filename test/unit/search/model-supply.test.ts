import { describe, expect, onTestFinished, test } from 'vitest'
import { SheafError } from '../../../src/core/errors.js'
import { silentLog } from '../../../src/core/log.js'
import { ModelSupply } from '../../../src/search/model-supply.js'
import type { LoadedModel, ModelSpec } from '../../../src/similarity/models/model-spec.js'
import { SimulatedClock } from '../../support/simulated-clock.js'

const MODEL = model('mine', '0123456789abcdef')
const BEFORE = model('before', 'fedcba9876543210')

function model(name: string, id: string): LoadedModel {
  return { spec: { name, id } as ModelSpec, folder: `/m/${name}` }
}

interface Situation {
  readonly isThere: boolean
  /** The model is got at the attempt of this number. */
  readonly pullsUntilThere?: number
  readonly last?: () => Promise<Pick<ModelSpec, 'id' | 'name'>>
  /** What the store has under the name `before`. */
  readonly before?: LoadedModel
  /** Models that cannot be used. */
  readonly unusable?: readonly string[]
}

async function supplied({ isThere, pullsUntilThere = 1, last, before, unusable = [] }: Situation) {
  const clock = new SimulatedClock()
  const state = { isThere, pulls: 0, used: [] as string[] }
  const store = {
    open: async (name: string) => (name === 'before' ? before : state.isThere && name === 'mine' ? MODEL : undefined),
    pull: async () => {
      state.pulls++
      if (state.pulls < pullsUntilThere) throw new SheafError('ERR_MODEL_DOWNLOAD')
      state.isThere = true
      return MODEL.spec
    }
  }
  const use = async ({ spec }: LoadedModel, other?: LoadedModel): Promise<void> => {
    if (unusable.includes(spec.name)) throw new SheafError('ERR_MODEL_INVALID')
    state.used.push(other === undefined ? spec.name : `${spec.name} after ${other.spec.name}`)
  }
  const components = { store, lastServing: last ?? (async () => undefined), use, clock, log: silentLog }
  const supply = new ModelSupply(components, { name: 'mine' })
  await supply.start()
  onTestFinished(() => supply.stop())
  await clock.advance(1)
  return { clock, state }
}

test('an installed model is used, once', async () => {
  const { clock, state } = await supplied({ isThere: true })
  await clock.advance(3 * 24 * 3_600_000)
  expect(state).toMatchObject({ pulls: 0, used: ['mine'] })
})

test('a missing model is pulled first', async () => {
  const { state } = await supplied({ isThere: false })
  expect(state).toMatchObject({ pulls: 1, used: ['mine'] })
})

test('a failed pull is retried with a growing pause', async () => {
  const { clock, state } = await supplied({ isThere: false, pullsUntilThere: 4 })
  expect(state).toMatchObject({ pulls: 1, used: [] })
  await clock.advance(30_000)
  expect(state.pulls).toBe(2)
  await clock.advance(30_000)
  expect(state.pulls).toBe(2)
  await clock.advance(150_000)
  expect(state).toMatchObject({ pulls: 4, used: ['mine'] })
})

describe('the previous model', () => {
  const last = async () => BEFORE.spec

  test('is used until the new one is installed', async () => {
    const { clock, state } = await supplied({ isThere: false, pullsUntilThere: 2, last, before: BEFORE })
    expect(state).toMatchObject({ pulls: 1, used: ['before'] })
    await clock.advance(30_000)
    expect(state).toMatchObject({ pulls: 2, used: ['before', 'before', 'mine after before'] })
  })

  test('does not block the new one when it cannot be used', async () => {
    const { state } = await supplied({ isThere: false, last, before: BEFORE, unusable: ['before'] })
    expect(state).toMatchObject({ pulls: 1, used: ['mine after before'] })
  })

  test('is passed along with the new one when both are installed', async () => {
    const { state } = await supplied({ isThere: true, last, before: BEFORE })
    expect(state.used).toEqual(['mine after before'])
  })

  test.each<[string, Omit<Situation, 'isThere'>]>([
    ['is the configured one', { last: async () => MODEL.spec }],
    ['has given its name to another', { last: async () => ({ ...MODEL.spec, id: BEFORE.spec.id }) }],
    ['is no longer there', { last }],
    ['has another in its place', { last, before: model('before', '0000000000000000') }],
    ['is not known', { last: () => Promise.reject(new Error('the disk is gone')) }]
  ])('is passed over when it %s', async (_, situation) => {
    const { state } = await supplied({ isThere: true, ...situation })
    expect(state).toEqual({ isThere: true, pulls: 0, used: ['mine'] })
  })
})
