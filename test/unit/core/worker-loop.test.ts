import { beforeEach, expect, test, vi } from 'vitest'
import { silentLog } from '../../../src/core/log.js'
import { type Step, WorkerLoop } from '../../../src/core/worker-loop.js'
import { SimulatedClock } from '../../support/simulated-clock.js'

let clock: SimulatedClock
let warnings: object[]
beforeEach(() => {
  clock = new SimulatedClock()
  warnings = []
})

function loop(step: Step): WorkerLoop {
  const log = { ...silentLog, warn: (fields: object) => void warnings.push(fields) }
  return new WorkerLoop({ clock, log }, { name: 'test', idleMs: 100, failureMs: 10, failureMsMax: 50, step })
}

test('busy steps run without a pause; an idle one is followed by a pause', async () => {
  let left = 3
  const step = vi.fn(async () => (left-- > 0 ? 'busy' : 'idle'))
  const worker = loop(step)
  await worker.start()
  await clock.advance(0)
  expect(step).toHaveBeenCalledTimes(4)
  await clock.advance(99)
  expect(step).toHaveBeenCalledTimes(4)
  await clock.advance(1)
  expect(step).toHaveBeenCalledTimes(5)
  await worker.stop()
})

test('a wake ends the pause', async () => {
  const step = vi.fn<Step>(async () => 'idle')
  const worker = loop(step)
  await worker.start()
  await clock.advance(50)
  worker.wake()
  await clock.advance(0)
  expect(step).toHaveBeenCalledTimes(2)
  await clock.advance(99)
  expect(step).toHaveBeenCalledTimes(2)
  await clock.advance(1)
  expect(step).toHaveBeenCalledTimes(3)
  await worker.stop()
})

test('a wake during a step is not lost', async () => {
  let finish: () => void = () => {}
  const step = vi.fn<Step>(() => new Promise(resolve => (finish = () => resolve('idle'))))
  const worker = loop(step)
  await worker.start()
  worker.wake() // the step may have looked for work already
  finish()
  await clock.advance(0)
  expect(step).toHaveBeenCalledTimes(2)
  finish()
  await clock.advance(99)
  expect(step).toHaveBeenCalledTimes(2)
  const stopped = worker.stop()
  finish()
  await stopped
})

test('failures are logged and retried after pauses that double up to a bound and restart after a success', async () => {
  let failing = true
  const times: number[] = []
  const worker = loop(async () => {
    times.push(clock.monotonic())
    if (failing) throw new Error('disk on fire')
    return 'idle'
  })
  await worker.start()
  await clock.advance(170)
  expect(times).toEqual([0, 10, 30, 70, 120, 170])
  expect(warnings).toHaveLength(6)
  expect(warnings[0]).toMatchObject({ err: new Error('disk on fire'), worker: 'test' })

  failing = false
  await clock.advance(50)
  failing = true
  await clock.advance(110)
  expect(times.slice(6)).toEqual([220, 320, 330])
  await worker.stop()
})

test('a wake neither shortens nor prolongs the pause after a failure', async () => {
  const step = vi.fn<Step>(async () => {
    throw new Error('disk on fire')
  })
  const worker = loop(step)
  await worker.start()
  await clock.advance(5)
  worker.wake()
  await clock.advance(4)
  expect(step).toHaveBeenCalledTimes(1)
  await clock.advance(1)
  expect(step).toHaveBeenCalledTimes(2)
  await worker.stop()
  expect(clock.pending).toBe(0)
})

test('stop aborts the running step, waits for it, and leaves no timer', async () => {
  const events: string[] = []
  const worker = loop(async signal => {
    await new Promise<void>(resolve => signal.addEventListener('abort', () => resolve()))
    events.push('step ended')
    return 'busy'
  })
  await worker.start()
  await worker.stop()
  events.push('stopped')
  expect(events).toEqual(['step ended', 'stopped'])
  expect(clock.pending).toBe(0)
})

test('a step that rejects because of the stop is not logged as a failure', async () => {
  const worker = loop(
    signal => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  )
  await worker.start()
  await worker.stop()
  expect(warnings).toEqual([])
})

test('stop ends a pause; start and stop may be repeated', async () => {
  const step = vi.fn<Step>(async () => 'idle')
  const worker = loop(step)
  await worker.stop()
  await worker.start()
  await worker.start()
  await clock.advance(10)
  await worker.stop()
  await worker.stop()
  expect(clock.pending).toBe(0)
  expect(step).toHaveBeenCalledTimes(1)

  await worker.start()
  await clock.advance(0)
  expect(step).toHaveBeenCalledTimes(2)
  await worker.stop()
})
