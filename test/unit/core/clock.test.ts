import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type Clock, systemClock } from '../../../src/core/clock.js'
import { SimulatedClock } from '../../support/simulated-clock.js'

interface ClockUnderTest {
  readonly clock: Clock
  readonly advance: (ms: number) => Promise<unknown>
}

function underTest(name: string): ClockUnderTest {
  if (name === 'the system clock') return { clock: systemClock, advance: ms => vi.advanceTimersByTimeAsync(ms) }
  const clock = new SimulatedClock()
  return { clock, advance: ms => clock.advance(ms) }
}

describe.each(['the system clock', 'the simulated clock'])('%s', name => {
  let clock: Clock
  let advance: (ms: number) => Promise<unknown>

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] })
    ;({ clock, advance } = underTest(name))
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  test('reports both times in milliseconds', async () => {
    const [wall, monotonic] = [clock.now(), clock.monotonic()]
    await advance(1_500)
    expect(clock.now() - wall).toBe(1_500)
    expect(clock.monotonic() - monotonic).toBeCloseTo(1_500)
    expect(Number.isInteger(clock.now())).toBe(true)
  })

  test('sleeps for the given time', async () => {
    const awake = vi.fn()
    void clock.sleep(100).then(awake)
    await advance(99)
    expect(awake).not.toHaveBeenCalled()
    await advance(1)
    expect(awake).toHaveBeenCalled()
  })

  test('rejects a sleep with the reason of the signal', async () => {
    const abort = new AbortController()
    const sleep = clock.sleep(100, abort.signal)
    const reason = new Error('enough')
    abort.abort(reason)
    await expect(sleep).rejects.toBe(reason)
    await expect(clock.sleep(100, abort.signal)).rejects.toBe(reason)
  })

  test('leaves no listener on a signal that outlives the sleep', async () => {
    const { signal } = new AbortController()
    const removed = vi.spyOn(signal, 'removeEventListener')
    const sleep = clock.sleep(10, signal)
    await advance(10)
    await sleep
    expect(removed).toHaveBeenCalledTimes(1)
  })

  test('runs scheduled tasks in order of time, except cancelled ones', async () => {
    const ran: string[] = []
    clock.schedule(20, () => ran.push('late'))
    clock.schedule(10, () => ran.push('early'))
    clock.schedule(20, () => ran.push('late too'))
    const cancel = clock.schedule(15, () => ran.push('never'))
    cancel()
    await advance(10)
    expect(ran).toEqual(['early'])
    await advance(100)
    expect(ran).toEqual(['early', 'late', 'late too'])
    cancel()
  })
})

describe('the simulated clock only', () => {
  test('runs each task at its own time, including tasks that tasks schedule', async () => {
    const clock = new SimulatedClock(1_000)
    const seen: number[] = []
    clock.schedule(10, () => {
      seen.push(clock.now())
      clock.schedule(5, () => seen.push(clock.now()))
    })
    await clock.advance(12)
    expect(seen).toEqual([1_010])
    await clock.advance(12)
    expect(seen).toEqual([1_010, 1_015])
    expect(clock.now()).toBe(1_024)
    expect(clock.pending).toBe(0)
  })

  test('sets the wall clock without changing the monotonic one', async () => {
    const clock = new SimulatedClock(1_000)
    await clock.advance(5)
    clock.setWall(77)
    expect(clock.now()).toBe(77)
    expect(clock.monotonic()).toBe(5)
    await clock.advance(5)
    expect(clock.now()).toBe(82)
  })
})
