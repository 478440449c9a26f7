import { expect, test } from 'vitest'
import { AwakeTime } from '../../../../src/network/membership/awake-time.js'

function awake(): { time: AwakeTime; at: (ms: number) => number } {
  let now = 1_000
  const time = new AwakeTime({ clock: { monotonic: () => now } })
  return {
    time,
    at: ms => {
      now = ms
      return time.now()
    }
  }
}

test('passes like real time while timers run on time', () => {
  const { time, at } = awake()
  expect(at(1_000)).toBe(1_000)
  expect(at(9_000)).toBe(9_000)
  time.expectWakeIn(500)
  expect(at(9_500)).toBe(9_500)
  expect(at(9_750)).toBe(9_750)
  expect(time.stalledMs).toBe(0)
})

test('stops from the moment a timer should have run', () => {
  const { time, at } = awake()
  time.expectWakeIn(500)
  expect(at(11_500)).toBe(1_500)
  expect(time.stalledMs).toBe(10_000)
  // counted once, although the timer itself has not run yet
  expect(at(11_600)).toBe(1_600)
  time.expectWakeIn(400)
  expect(at(12_000)).toBe(2_000)
  expect(at(13_000)).toBe(2_000)
  expect(time.stalledMs).toBe(11_000)
})
