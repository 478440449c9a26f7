import { expect, test } from 'vitest'
import { CatchUpRate } from '../../../../src/replication/volumes/catch-up-rate.js'
import { SimulatedClock } from '../../../support/simulated-clock.js'

const LOOK_MS = 2_000

test('the time before bytes were asked for does not count', async () => {
  const clock = new SimulatedClock()
  let receivedBytes = 0
  const rate = new CatchUpRate({ clock, receivedBytes: () => receivedBytes })
  expect(rate.bytesPerSecond).toBe(0)
  for (let i = 0; i < 10; i++) {
    rate.look(false)
    await clock.advance(LOOK_MS)
  }
  rate.begin()
  await clock.advance(100)
  receivedBytes += 50_000
  expect(rate.bytesPerSecond).toBe(500_000)
  for (let i = 0; i < 3; i++) {
    rate.begin()
    rate.look(true)
    await clock.advance(LOOK_MS)
    receivedBytes += 1_000_000
  }
  expect(rate.bytesPerSecond).toBeCloseTo(500_000)
})

test('only the last ten seconds count', async () => {
  const clock = new SimulatedClock()
  let receivedBytes = 0
  const rate = new CatchUpRate({ clock, receivedBytes: () => receivedBytes })
  rate.begin()
  for (let i = 0; i < 10; i++) {
    rate.look(true)
    await clock.advance(LOOK_MS)
    receivedBytes += i < 5 ? 10_000_000 : 1_000_000
  }
  expect(rate.bytesPerSecond).toBe(500_000)
  for (let i = 0; i < 10; i++) {
    rate.look(false)
    await clock.advance(LOOK_MS)
  }
  expect(rate.bytesPerSecond).toBe(0)
})
