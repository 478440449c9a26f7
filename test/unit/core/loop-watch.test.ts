import { expect, test } from 'vitest'
import { LoopWatch } from '../../../src/core/loop-watch.js'
import { SimulatedClock } from '../../support/simulated-clock.js'

test('notices timers that are run late, for as long as it is asked about', async () => {
  const clock = new SimulatedClock()
  const loop = new LoopWatch({ clock }, { lateMs: 100 })
  let runs = 0
  const run = (): void => void runs++
  loop.schedule(500, run)
  await clock.leap(599)
  expect(runs).toBe(1)
  expect(loop.wasLateWithin(1_000)).toBe(false)
  loop.schedule(500, run)
  await clock.leap(600)
  expect(runs).toBe(2)
  await clock.advance(1_000)
  expect(loop.wasLateWithin(1_000)).toBe(true)
  expect(loop.wasLateWithin(999)).toBe(false)
})

test('timers can be cancelled', async () => {
  const clock = new SimulatedClock()
  const loop = new LoopWatch({ clock }, { lateMs: 100 })
  const cancel = loop.schedule(500, () => expect.unreachable())
  cancel()
  await clock.leap(1_000)
  expect(loop.wasLateWithin(1_000)).toBe(false)
})
