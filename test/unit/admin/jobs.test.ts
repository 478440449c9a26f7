import { describe, expect, test } from 'vitest'
import { Jobs, type JobTask } from '../../../src/admin/jobs.js'
import { SheafError } from '../../../src/core/errors.js'
import { silentLog } from '../../../src/core/log.js'
import { SeededRandom } from '../../support/seeded-random.js'
import { SimulatedClock } from '../../support/simulated-clock.js'
import { Gate } from '../photos/photos-fixture.js'

function withJobs(): { jobs: Jobs; clock: SimulatedClock } {
  const clock = new SimulatedClock()
  return { jobs: new Jobs({ clock, random: new SeededRandom(1), log: silentLog }), clock }
}

const untilAborted: JobTask = (_, signal) =>
  new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))

describe('Jobs', () => {
  test('a job goes from queued through running with progress to done', async () => {
    const { jobs, clock } = withJobs()
    const gate = new Gate()
    const { id, state, createdAtMs } = jobs.start('scrub', async progress => {
      progress({ done: 1, total: 2, unit: 'bytes' })
      await gate.opened
      return { found: 0 }
    })
    expect(state).toBe('queued')
    expect(createdAtMs).toBe(clock.now())
    await clock.advance(5)
    expect(jobs.get(id)).toMatchObject({
      state: 'running',
      progress: { done: 1, total: 2, unit: 'bytes' },
      result: undefined
    })
    gate.open()
    await clock.advance(5)
    expect(jobs.get(id)).toMatchObject({
      kind: 'scrub',
      state: 'done',
      result: { found: 0 },
      finishedAtMs: createdAtMs + 5
    })
  })

  test('a failure is reported by code and message', async () => {
    const { jobs, clock } = withJobs()
    const known = jobs.start('a', () => Promise.reject(new SheafError('ERR_DISK_READ', 'sector 7')))
    const defect = jobs.start('b', () => Promise.reject(new TypeError('oops')))
    await clock.advance(1)
    expect(jobs.get(known.id)).toMatchObject({ state: 'failed', error: { code: 'ERR_DISK_READ', message: 'sector 7' } })
    expect(jobs.get(defect.id)).toMatchObject({ state: 'failed', error: { code: 'ERR_INTERNAL', message: 'oops' } })
  })

  test('one job of a kind runs at a time; starting again returns it', async () => {
    const { jobs, clock } = withJobs()
    const gate = new Gate()
    const first = jobs.start('scrub', () => gate.opened)
    expect(jobs.start('scrub', () => gate.opened).id).toBe(first.id)
    expect(jobs.start('compact', () => gate.opened).id).not.toBe(first.id)
    await clock.advance(1)
    expect(jobs.start('scrub', () => gate.opened)).toMatchObject({ id: first.id, state: 'running' })
    gate.open()
    await clock.advance(1)
    expect(jobs.start('scrub', () => gate.opened).id).not.toBe(first.id)
  })

  test('jobs of one kind on different subjects run beside each other', async () => {
    const { jobs } = withJobs()
    const never: JobTask = () => new Promise(() => {})
    const [a, b] = ['a', 'b'].map(subject => jobs.start('backup', never, { subject }))
    expect(a?.id).not.toBe(b?.id)
    expect(jobs.start('backup', never, { subject: 'a' }).id).toBe(a?.id)
    expect([jobs.running('backup', 'b')?.id, jobs.running('backup'), jobs.running('verify', 'a')]).toEqual([
      b?.id,
      undefined,
      undefined
    ])
  })

  test('the last hundred are kept, and running jobs in any case', async () => {
    const { jobs, clock } = withJobs()
    const running = jobs.start('long', untilAborted)
    const ids: string[] = []
    for (let i = 0; i < 150; i++) {
      ids.push(jobs.start('short', async () => i).id)
      await clock.advance(1)
    }
    expect(jobs.list()).toHaveLength(100)
    expect(jobs.list()[0]?.id).toBe(ids.at(-1))
    expect(jobs.get(running.id)?.state).toBe('running')
    expect(jobs.get(ids[0] as string)).toBeUndefined()
    expect(jobs.get(ids[149] as string)?.result).toBe(149)
  })

  test('listeners hear of each state at once, and of progress once a second', async () => {
    const { jobs, clock } = withJobs()
    const gate = new Gate()
    const heard: string[] = []
    jobs.onChange(({ state, progress }) => heard.push(`${clock.monotonic()} ${state} ${progress?.done ?? '-'}`))
    const from = clock.monotonic()
    jobs.start('scrub', async progress => {
      for (let done = 1; done <= 250; done++) {
        progress({ done, total: undefined, unit: 'bytes' })
        await clock.sleep(10)
      }
      await gate.opened
    })
    await clock.advance(5_000)
    expect(heard).toEqual([
      `${from} running -`,
      ...[100, 200, 250].map((n, i) => `${from + 1_000 * (i + 1)} running ${n}`)
    ])
    gate.open()
    await clock.advance(5_000)
    expect(heard.slice(4)).toEqual([expect.stringMatching(/ done 250$/)])
    expect(clock.pending).toBe(0)
  })

  test('one that can be stopped ends soon, and says what it has done until then', async () => {
    const { jobs, clock } = withJobs()
    const { id } = jobs.start(
      'batch',
      async (_, signal) => {
        let done = 0
        for (; !signal.aborted; done++) await clock.sleep(10)
        return { done }
      },
      { isStoppable: true }
    )
    await clock.advance(25)
    expect(jobs.cancel(id)).toMatchObject({ id, state: 'running' })
    await clock.advance(10)
    const ended = { state: 'cancelled', result: { done: 3 }, error: undefined }
    expect(jobs.get(id)).toMatchObject(ended)
    expect(jobs.cancel(id)).toMatchObject(ended)
    const scrub = jobs.start('scrub', untilAborted)
    expect(() => jobs.cancel(scrub.id)).toThrow(expect.objectContaining({ code: 'ERR_JOB_NOT_STOPPABLE' }))
    expect(() => jobs.cancel('none')).toThrow(expect.objectContaining({ code: 'ERR_NO_SUCH_JOB' }))
  })

  test('stop cancels running jobs, waits for them, and lets none start', async () => {
    const { jobs, clock } = withJobs()
    const gate = new Gate()
    const slow = jobs.start('slow', async (_, signal) => {
      await gate.opened
      signal.throwIfAborted()
    })
    const quick = jobs.start('quick', untilAborted)
    await clock.advance(1)
    const late = jobs.start('late', async () => 'never')
    let stopped = false
    const stop = jobs.stop().then(() => {
      stopped = true
    })
    await clock.advance(1)
    expect(stopped).toBe(false)
    gate.open()
    await stop
    expect([slow, quick, late].map(({ id }) => jobs.get(id)?.state)).toEqual(['cancelled', 'cancelled', 'cancelled'])
    expect(() => jobs.start('new', untilAborted)).toThrow(expect.objectContaining({ code: 'ERR_STOPPING' }))
    await jobs.stop()
  })
})
