import { expect, test } from 'vitest'
import { httpForEachTest } from '../support/http-for-each-test.js'
import { cli } from './cli-harness.js'

const { http, putPhoto } = httpForEachTest()

test('albums are made, filled, renamed, made of labels and deleted', async () => {
  const run = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await cli(['albums', ...args], { node: http.url })
    expect(code, stderr).toBe(0)
    return stdout
  }
  const [a, b] = [await putPhoto(Buffer.from('a')), await putPhoto(Buffer.from('b'))]
  const { album_id: id } = JSON.parse(await run('make', 'Meer', '--json'))
  await run('add', id, a, b)
  expect(await run('rename', id, 'See \u202E')).toMatch(new RegExp(`^ +2 +${id} +See`))
  const lines = (await run('--prefix', 's')).trim().split('\n')
  expect(lines).toHaveLength(2)
  expect(lines[1]).toMatch(new RegExp(`2 +${id} +See �$`))
  const body = Buffer.from('{"albums":{"add":["label"]}}')
  await http.client.json('PATCH', `/photo/${a}/meta`, 200, { body, headers: { 'content-type': 'application/json' } })
  expect(JSON.parse(await run('make-real', 'label', '--json'))).toMatchObject({ name: 'label', count: 1, left: 0 })
  await run('rm', id)
  expect((await run()).split('\n').filter(line => line.includes('See'))).toEqual([])
  const { album_id: trips } = JSON.parse(await run('make', 'Trips', '--json'))
  const { album_id: crete } = JSON.parse(await run('make', 'Crete', '--in', trips, '--json'))
  expect(await run('--within', trips)).toContain('Crete')
  expect(JSON.parse(await run('move', crete, trips, '--closed', '--json'))).toMatchObject({
    parent: trips,
    inherits: false
  })
  expect(await cli(['albums', 'move', trips, crete], { node: http.url })).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('ERR_ALBUM_LOOP')
  })
  await run('move', crete, 'none')
  expect([await run('--within', trips), (await run('--within', 'none')).includes('Crete')]).toEqual(['', true])
  const failed = await cli(['albums', 'add', id, a], { node: http.url })
  expect([failed.code, failed.stderr]).toEqual([1, expect.stringContaining('deleted')])
})
