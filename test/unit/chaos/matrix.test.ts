import { describe, expect, it } from 'vitest'
import { NEMESES, scenarioOf, WORKLOADS } from '../../../chaos/catalogue.js'
import { MATRICES } from '../../../chaos/matrix.js'

describe.each([...MATRICES])('the matrix %s', (_, matrix) => {
  it('has plans that can be carried out', () => {
    for (const { plan, skipped } of matrix(1, () => true))
      expect([scenarioOf(plan).workload.name, skipped]).toEqual([plan.workload, undefined])
  })

  it('skips what cannot be done here', () => {
    const runs = matrix(1, (driver, nemeses) => driver === 'process' && !nemeses.includes('clock'))
    expect(runs.length).toBeGreaterThan(0)
    for (const { plan, skipped } of runs) {
      const cannot = plan.driver === 'netns' || plan.nemeses.includes('clock')
      expect([plan, skipped !== undefined]).toEqual([plan, cannot])
    }
  })
})

describe('the matrix smoke', () => {
  it('has every workload and every kind of fault', () => {
    const plans = MATRICES.get('smoke')?.(1, () => true).map(({ plan }) => plan) ?? []
    expect(new Set(plans.map(({ workload }) => workload))).toEqual(new Set(WORKLOADS.map(({ name }) => name)))
    const kinds = new Set(plans.flatMap(plan => scenarioOf(plan).nemeses.map(({ needs }) => needs)))
    expect(kinds).toEqual(new Set(NEMESES.map(({ needs }) => needs)))
  })
})
