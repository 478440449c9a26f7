import { expect, test } from 'vitest'
import type { Api } from '../src/api/client.js'
import { allOf, changeAll } from '../src/state/whole-list.js'
import { ManualTimers } from './manual-timers.js'

/** A node that answers one after the other, and what it was asked. */
function nodeOf(...answers: readonly object[]) {
  const asked: string[] = []
  const left = [...answers]
  const answer = async (path: string, body?: object): Promise<unknown> => {
    asked.push(`${path} ${JSON.stringify(body)}`)
    return left.shift()
  }
  return { api: { get: answer, post: answer } as unknown as Pick<Api, 'get' | 'post'>, asked }
}

const running = { job_id: 'j', progress: null, finished_at: null, result: null, error: null }
const list = { select: { list: 'timeline', tag: 'sea' }, total: 2_000 } as const

test('filters of the page are said with their types', () => {
  expect(allOf({ filters: { album: 'a', favourite: 'true', rating_min: '3' } })).toEqual({
    list: 'timeline',
    album: 'a',
    favourite: true,
    rating_min: 3
  })
})

test('a long change is followed to its end, and what it has done can be undone', async () => {
  const result = { changed: 1_990, failed: 10, errors: [] }
  const { api, asked } = nodeOf(
    running,
    { ...running, progress: { done: 500, total: 2_000, unit: 'photos' } },
    { ...running, progress: { done: 2_000, total: 2_000, unit: 'photos' }, finished_at: '2026-01-01', result },
    { results: [{ photo_id: 'a', status: 'restored' }] }
  )
  const timers = new ManualTimers()
  const heard: number[] = []
  const ending = changeAll({ api, timers, onProgress: (_, done) => heard.push(done) }, list, { act: 'delete' })
  await expect.poll(() => heard).toEqual([500])
  timers.pass(500)
  const { done, failed, next } = await ending
  expect([done, failed, heard]).toEqual([1_990, 10, [500, 2_000]])
  expect(await next({ act: 'undelete' })).toMatchObject({ done: 1, failed: 0 })
  expect(asked[0]).toBe(`/v1/photos/batch ${JSON.stringify({ ...list, act: 'delete' })}`)
  expect(asked.at(-1)).toBe('/v1/photos/batch {"select":{"job":"j"},"total":1990,"act":"undelete"}')
})

test('a short one is undone by names', async () => {
  const { api, asked } = nodeOf(
    {
      results: [
        { photo_id: 'a', status: 'deleted' },
        { photo_id: 'b', status: 'failed', code: 'ERR_LEAVING' }
      ]
    },
    { results: [{ photo_id: 'a', status: 'restored' }] }
  )
  const { done, failed, next } = await changeAll({ api, timers: new ManualTimers(), onProgress: () => {} }, list, {
    act: 'delete'
  })
  expect([done, failed]).toEqual([1, 1])
  await next({ act: 'undelete' })
  expect(asked.at(-1)).toBe('/v1/photos/batch {"undelete":["a"]}')
})

test('what has ended the work is thrown', async () => {
  const { api } = nodeOf(running, {
    ...running,
    finished_at: '2026-01-01',
    error: { code: 'ERR_DISK_FULL', message: 'full' }
  })
  const components = { api, timers: new ManualTimers(), onProgress: () => {} }
  await expect(changeAll(components, list, { favourite: true })).rejects.toMatchObject({ code: 'ERR_DISK_FULL' })
})
