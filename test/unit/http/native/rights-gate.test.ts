import { fastify } from 'fastify'
import { expect, test } from 'vitest'
import { addRightsGate } from '../../../../src/http/native/rights-gate.js'
import { surviveInvariants } from '../../../support/survive-invariants.js'

surviveInvariants()

test('an app with an operation that says no rights does not build', () => {
  const app = fastify()
  const nobody = async () => ({ principal: { kind: 'anonymous' } }) as const
  addRightsGate(app, { of: nobody, ofToken: nobody, needAccount: false })
  app.get('/open', { schema: { rights: { needs: [] } } }, async () => '')
  expect(() => app.get('/closed', async () => '')).toThrow('GET /closed says which rights it needs')
  expect(() => app.get('/closed', { schema: { summary: 'x' } }, async () => '')).toThrow('GET /closed says')
})
