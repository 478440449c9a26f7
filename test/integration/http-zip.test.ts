import { buffer } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Entry, fromBuffer, type ZipFile } from 'yauzl'
import type { PhotoId } from '../../src/domain/ids.js'
import { pairChange } from '../../src/domain/pairs.js'
import type { Photos } from '../../src/photos/photos.js'
import { type HttpFixture, startHttp, wrapped } from '../support/http-fixture.js'
import { tinyJpeg } from '../support/photo-maker.js'

let node: HttpFixture

beforeEach(async () => {
  node = await startHttp()
})
afterEach(() => node.close())

async function upload(name: string, bytes: Buffer, query: Record<string, string> = {}): Promise<string> {
  const path = `/v1/photos?${new URLSearchParams({ filename: name, ...query })}`
  const { photo_id: id } = await node.client.json<{ photo_id: string }>('PUT', path, 201, { body: bytes })
  return id
}

/** Unpacks a ZIP file, with its checksums. @returns the files by name, in order */
async function unzip(query: string): Promise<Map<string, { bytes: Buffer; date: Date }>> {
  const answer = await node.client.request('GET', `/photos/zip${query}`)
  expect([answer.status, answer.headers['content-type']]).toEqual([200, 'application/zip'])
  const zip = await new Promise<ZipFile>((resolve, reject) => {
    fromBuffer(answer.body, { lazyEntries: true }, (error, opened) => (error ? reject(error) : resolve(opened)))
  })
  const files = new Map<string, { bytes: Buffer; date: Date }>()
  await new Promise<void>((resolve, reject) => {
    zip.on('entry', (entry: Entry) => {
      zip.openReadStream(entry, (error, stream) => {
        if (error) return reject(error)
        buffer(stream).then(bytes => {
          files.set(entry.fileName, { bytes, date: entry.getLastModDate() })
          zip.readEntry()
        }, reject)
      })
    })
    zip.on('end', resolve)
    zip.on('error', reject)
    zip.readEntry()
  })
  return files
}

describe('a ZIP file of photos', () => {
  it('has the originals of a list, each under a name that no other has', async () => {
    const [a, b, c] = [tinyJpeg(1), tinyJpeg(2), tinyJpeg(3)] as const
    const first = await upload('IMG/1?.jpg', a, { tag: 'sea', file_time: String(Date.UTC(2001, 1, 3, 4, 5, 6)) })
    await upload('Königsstraße.jpg', c, { tag: 'sea', file_time: String(Date.UTC(1950, 0, 1)) })
    const second = await upload('1_.JPG', b, { tag: 'sea' })
    await upload('other.jpg', tinyJpeg(4))
    const files = await unzip('?tag=sea')
    expect([...files.keys()]).toEqual(['1_.JPG', 'Königsstraße.jpg', `1__${first.slice(-6)}.jpg`])
    expect([...files.values()].map(({ bytes }) => bytes)).toEqual([b, c, a])
    expect(files.get(`1__${first.slice(-6)}.jpg`)?.date).toEqual(new Date(Date.UTC(2001, 1, 3, 4, 5, 6)))
    expect([...(await unzip(`?id=${second}&id=${second}`)).keys()]).toEqual(['1_.JPG'])
    expect((await unzip('?q=nothing')).size).toBe(0)
  })

  it('has what belongs to a photo beside it', async () => {
    const [still, movie] = [await upload('a.jpg', tinyJpeg(1)), await upload('a.mov', tinyJpeg(2))] as [
      PhotoId,
      PhotoId
    ]
    await node.writer.edit(still, () => ({ changes: [pairChange({ of: undefined, parts: [movie] })] }))
    await node.writer.edit(movie, () => ({ changes: [pairChange({ of: still, parts: [] })] }))
    expect([...(await unzip('')).keys()]).toEqual(['a.jpg', 'a.mov'])
    expect([...(await unzip(`?id=${still}&id=${movie}`)).keys()]).toEqual(['a.jpg', 'a.mov'])
  })

  it('of photos that are not there is refused before it begins', async () => {
    const id = await upload('a.jpg', tinyJpeg(1))
    const kept = await upload('b.jpg', tinyJpeg(2))
    await node.client.remove(id)
    for (const [query, status] of [
      [`?id=${kept}&id=${id}`, 410],
      ['?id=01890000-0000-7000-8000-000000000000', 404],
      ['?id=x', 400],
      ['?sort=name', 400]
    ])
      expect((await node.client.request('GET', `/photos/zip${query}`)).status, String(query)).toBe(status)
  })
})

describe('a ZIP file of photos that cannot be read', () => {
  const withContent = async (open: (photos: Photos) => Photos['open']): Promise<void> => {
    await node.close()
    node = await startHttp({ photos: photos => wrapped(photos, { open: open(photos) }) })
  }

  it('names what is left out', async () => {
    let gone = ''
    await withContent(
      photos => (id, alt) => photos.open((id === gone ? '01890000-0000-7000-8000-000000000000' : id) as PhotoId, alt)
    )
    gone = await upload('gone.jpg', tinyJpeg(1))
    await upload('a.jpg', tinyJpeg(2))
    const files = await unzip('')
    expect([...files.keys()]).toEqual(['a.jpg', 'missing.txt'])
    expect(files.get('missing.txt')?.bytes.toString()).toBe(`${gone} ERR_PHOTO_NOT_FOUND gone.jpg\n`)
  })

  it('is cut where bytes fail midway, and leaves the node as it was', async () => {
    await withContent(photos => async (id, alt) => {
      const content = await photos.open(id, alt)
      return {
        ...content,
        async *stream(start, end) {
          yield* content.stream(start, end - 1)
          throw new Error('the disk failed')
        }
      }
    })
    await upload('a.jpg', tinyJpeg(1))
    await upload('b.jpg', tinyJpeg(2))
    await expect(node.client.request('GET', '/photos/zip')).rejects.toThrow()
    await expect(node.client.request('GET', '/photos/zip')).rejects.toThrow()
    expect((await node.client.request('GET', '/photos')).status).toBe(200)
  })
})
