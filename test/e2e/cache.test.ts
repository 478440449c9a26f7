import { afterEach, expect, it } from 'vitest'
import { HttpClient } from '../support/http-client.js'
import { killAllNodes, temporaryFolder } from '../support/node-process.js'
import { fakeJpeg } from '../support/photo-maker.js'
import { recordOnlyPair } from '../support/record-only-pair.js'

let folder: ReturnType<typeof temporaryFolder> | undefined
afterEach(async () => {
  await killAllNodes()
  folder?.remove()
})

it('what another node sent is answered from memory, also when that node is gone, and never once it is deleted', async () => {
  folder = temporaryFolder('cache')
  const photos = [60_000, 300_000].map((size, i) => ({ bytes: fakeJpeg(i, size), name: `${i}.jpg` }))
  const { holder, reader, ids } = await recordOnlyPair(folder.path, photos)
  const client = new HttpClient(reader.url)
  const read = async (id: string) => {
    const { status, headers, body } = await client.photo(id)
    return { status, source: headers['x-sheaf-source'], isRight: body.equals(photos[ids.indexOf(id)]?.bytes as Buffer) }
  }
  for (const id of ids) expect(await read(id)).toEqual({ status: 200, source: 'peer', isRight: true })
  await holder.kill9()
  for (const id of [...ids, ...ids]) expect(await read(id)).toEqual({ status: 200, source: 'cache', isRight: true })
  const part = await client.photo(ids[1] as string, { range: 'bytes=1000-1999' })
  expect([part.status, part.headers['x-sheaf-source']]).toEqual([206, 'cache'])
  expect(part.body.equals(photos[1]?.bytes.subarray(1_000, 2_000) as Buffer)).toBe(true)
  expect(await client.json('GET', '/cache/stats', 200)).toEqual({
    items: 2,
    bytes: 360_000,
    max_bytes: 64 * 2 ** 20,
    ttl_s: 3_600,
    hits: 5,
    misses: 2
  })

  const [gone = ''] = ids
  expect((await client.remove(gone)).status).toBe(200)
  expect((await client.photo(gone)).status).toBe(410)
  expect(await client.json('GET', '/cache/stats', 200)).toMatchObject({ items: 1, bytes: 300_000 })
  expect((await client.undelete(gone)).status).toBe(410) // nobody in reach has its bytes: those here are gone
})
