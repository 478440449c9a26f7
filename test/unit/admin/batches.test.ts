import { describe, expect, test } from 'vitest'
import { Batches } from '../../../src/admin/batches.js'
import { type Job, Jobs } from '../../../src/admin/jobs.js'
import type { ErrorCode } from '../../../src/core/errors.js'
import { silentLog } from '../../../src/core/log.js'
import { type PhotoId, photoIdFrom } from '../../../src/domain/ids.js'
import { PackedIds } from '../../../src/domain/packed-ids.js'
import type { BatchOutcome } from '../../../src/photos/photo-types.js'
import { ALL_SEEING } from '../../../src/photos/viewers/viewer.js'
import { SeededRandom } from '../../support/seeded-random.js'
import { SimulatedClock } from '../../support/simulated-clock.js'
import { Gate } from '../photos/photos-fixture.js'

const LIST = { list: 'photos', filters: {} } as const
const { signal } = new AbortController()

function idsOf(count: number): PhotoId[] {
  return Array.from({ length: count }, (_, i) => {
    const bytes = Buffer.alloc(16)
    bytes.writeUInt32BE(i)
    return photoIdFrom(bytes)
  })
}

function packed(ids: readonly PhotoId[]): PackedIds {
  const result = new PackedIds()
  for (const id of ids) result.add(id)
  return result
}

/** A list, and what became of its photos. */
function fixture(count: number, errorOf: (i: number) => ErrorCode | undefined = () => undefined) {
  const clock = new SimulatedClock()
  const jobs = new Jobs({ clock, random: new SeededRandom(1), log: silentLog })
  const list = idsOf(count)
  const batches = new Batches({ jobs, find: async () => packed(list) }, { atOnceMax: 10, piece: 4, keptIdsMax: 60 })
  const seen: PhotoId[] = []
  const gate = new Gate()
  const change = async (ids: readonly PhotoId[]): Promise<BatchOutcome[]> => {
    if (ids.length > 0 && seen.length >= 8) await gate.opened
    seen.push(...ids)
    return ids.map(photoId => ({ photoId, error: errorOf(list.indexOf(photoId)) }))
  }
  const run = async (total: number, select: Parameters<Batches['run']>[0]['select'] = LIST) =>
    await batches.run({ select, total, kind: 'batch-edit', viewer: ALL_SEEING, owner: undefined, change }, signal)
  const start = async (): Promise<Job> => (await run(count)) as Job
  return { clock, jobs, list, batches, seen, gate, run, start }
}

describe('Batches', () => {
  test('a few photos are changed at once', async () => {
    const { run, list } = fixture(10)
    expect(await run(10)).toEqual(list.map(photoId => ({ photoId, error: undefined })))
  })

  test('many become a job, which says how far it is and what failed', async () => {
    const { start, jobs, clock, gate, list, seen } = fixture(11, i => (i % 5 === 0 ? 'ERR_PHOTO_DELETED' : undefined))
    const { id } = await start()
    await clock.advance(1)
    expect(jobs.get(id)).toMatchObject({ state: 'running', progress: { done: 8, total: 11, unit: 'photos' } })
    gate.open()
    await clock.advance(1)
    expect(seen).toEqual(list)
    expect(jobs.get(id)).toMatchObject({
      state: 'done',
      progress: { done: 11, total: 11 },
      result: { changed: 8, failed: 3, errors: [{ code: 'ERR_PHOTO_DELETED', count: 3 }] }
    })
  })

  test('nothing is done when the client believes these to be more, or fewer', async () => {
    const { run, seen, jobs } = fixture(11)
    for (const total of [0, 10, 12])
      await expect(run(total)).rejects.toMatchObject({ code: 'ERR_SELECTION_CHANGED', details: { total, found: 11 } })
    expect([seen, jobs.list()]).toEqual([[], []])
  })

  test('one that is stopped ends with what it has done, which can be undone', async () => {
    const { start, jobs, clock, gate, seen, run, list } = fixture(30)
    const { id } = await start()
    await clock.advance(1)
    await expect(run(8, { job: id })).rejects.toMatchObject({ code: 'ERR_NO_SUCH_JOB' }) // it still changes more
    jobs.cancel(id)
    gate.open()
    await clock.advance(1)
    expect(jobs.get(id)).toMatchObject({ state: 'cancelled', result: { changed: 12, failed: 0 } })
    expect(seen).toEqual(list.slice(0, 12))
    const undo = (await run(12, { job: id })) as Job
    await clock.advance(1)
    expect(jobs.get(undo.id)).toMatchObject({ state: 'done', result: { changed: 12 } })
    expect(seen.slice(12)).toEqual(list.slice(0, 12))
    await expect(run(12, { job: 'none' })).rejects.toMatchObject({ code: 'ERR_NO_SUCH_JOB' })
  })

  test('what fails because of the node ends the job; what fails because of photos does not', async () => {
    const { start, jobs, clock, gate, seen } = fixture(30, i => (i === 3 || i > 3 ? 'ERR_DISK_FULL' : undefined))
    gate.open()
    const { id } = await start()
    await clock.advance(1)
    expect(jobs.get(id)).toMatchObject({ state: 'failed', error: { code: 'ERR_DISK_FULL' } })
    expect(seen).toHaveLength(8)
  })

  test('two jobs run at a time, and no more', async () => {
    const { start, clock, gate } = fixture(30)
    await start()
    await start()
    await expect(start()).rejects.toMatchObject({ code: 'ERR_OVERLOADED' })
    gate.open()
    await clock.advance(1)
    await start()
  })

  test('of what was done last, so much is kept as there is room for', async () => {
    const { run, jobs, clock, gate, start } = fixture(30)
    gate.open()
    const ids: string[] = []
    for (let i = 0; i < 3; i++) {
      ids.push((await start()).id)
      await clock.advance(1)
    }
    expect(ids.map(id => jobs.get(id)?.state)).toEqual(['done', 'done', 'done'])
    const answers = await Promise.allSettled(ids.map(job => run(0, { job })))
    expect(answers.map(answer => answer.status === 'rejected' && answer.reason.code)).toEqual([
      'ERR_NO_SUCH_JOB',
      'ERR_SELECTION_CHANGED',
      'ERR_SELECTION_CHANGED'
    ])
  })
})
