import { expect, test } from 'vitest'
import { silentLog } from '../../../src/core/log.js'
import type { NodeId } from '../../../src/domain/ids.js'
import { RefusalLog } from '../../../src/network/refusal-log.js'
import { SimulatedClock } from '../../support/simulated-clock.js'

test('the first refusal is logged at once, later ones at most once a minute, with a count', async () => {
  const clock = new SimulatedClock()
  const lines: object[] = []
  const refusals = new RefusalLog({ clock, log: { ...silentLog, warn: fields => void lines.push(fields) } })
  refusals.refused('a' as NodeId, 'why')
  for (let i = 0; i < 59; i++) {
    await clock.advance(1_000)
    refusals.refused('b' as NodeId, 'why')
  }
  expect(lines).toEqual([{ code: 'ERR_PEER_REFUSED', peer: 'a', reason: 'why', suppressed: 0 }])
  await clock.advance(1_000)
  refusals.refused('c' as NodeId, 'why')
  expect(lines.slice(1)).toMatchObject([{ peer: 'c', suppressed: 59 }])
})
