import { expect, test } from 'vitest'
import type { NodeId } from '../../src/domain/ids.js'
import { nodePair } from '../support/node-pair.js'

test('a member that is removed while it is connected hears of it, and stays out until it is restarted', async () => {
  const { clock, a, b } = await nodePair()
  await clock.advance(12_000)
  const removed = a.services.cluster?.departures.remove('b' as NodeId)
  await clock.advance(60_000)
  await removed
  expect([b.services.cluster?.isRemoved, a.transport?.peers(), b.transport?.peers()]).toEqual([true, [], []])
  await b.stop()
  await b.start()
  await clock.advance(10_000)
  expect([b.services.cluster?.isRemoved, a.transport?.peers()]).toEqual([false, ['b']])
  await Promise.all([a.stop(), b.stop()])
})
