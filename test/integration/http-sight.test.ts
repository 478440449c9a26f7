import { beforeEach, describe, expect, test } from 'vitest'
import type { UserId } from '../../src/domain/ids.js'
import { codeOf } from '../support/http-answers.js'
import type { Answer } from '../support/http-client.js'
import { httpForEachTest } from '../support/http-for-each-test.js'
import { tinyJpeg } from '../support/photo-maker.js'
import { type Somebody, somebodyIn } from '../support/somebody.js'

/*
 * What somebody sees and may do, over HTTP: with every operation that reads photos or albums, or changes them.
 *
 *   photo    owner    in              anna     ben      carl     dora     root
 *   older    nobody   –               sees     sees     sees     sees     sees
 *   hers     anna     –               owner    –        –        –        –
 *   shared   anna     Meer            owner    sees     –        –        –
 *   run      anna     Meer, Berge     owner    edits    sees     sees     –
 *   his      ben      –               –        owner    –        –        –
 *
 * Meer is open to ben as a viewer; Berge to ben as a manager, and to carl as a viewer. Ben may put his own photos into Berge,
 * and so may a group that dora is in, who has nothing else.
 * Root is an administrator, who has no share in other people's photos.
 */
const { http } = httpForEachTest()
const UNKNOWN = '01890000-0000-7000-8000-000000000000'

type Name = 'older' | 'hers' | 'shared' | 'run' | 'his'
const NAMES: readonly Name[] = ['older', 'hers', 'shared', 'run', 'his']
const SEEN: Readonly<Record<string, readonly Name[]>> = {
  anna: ['older', 'hers', 'shared', 'run'],
  ben: ['older', 'shared', 'run', 'his'],
  carl: ['older', 'run'],
  dora: ['older', 'run'],
  root: ['older']
}
const EDITED: Readonly<Record<string, readonly Name[]>> = {
  anna: ['older', 'hers', 'shared', 'run'],
  ben: ['older', 'run', 'his'],
  carl: ['older'],
  dora: ['older'],
  root: ['older']
}
const DELETED: Readonly<Record<string, readonly Name[]>> = {
  anna: ['hers', 'shared', 'run'],
  ben: ['his'],
  carl: [],
  dora: [],
  root: ['older']
}

let people: Readonly<Record<string, Somebody>>
let ids: Record<Name, string>
let albums: { meer: string; berge: string }
/** The group that dora is in. */
let clan: string

const who = (name: string): Somebody => people[name] as Somebody
const nameOf = (id: string): string => NAMES.find(name => ids[name] === id) ?? id
const named = (found: readonly string[]): string[] => found.map(nameOf).sort()
const sorted = (names: readonly string[] | undefined): string[] => [...(names ?? [])].sort()

async function upload(by: Somebody | undefined, name: Name, seed: number): Promise<string> {
  const path = `/v1/photos?filename=${name}.jpg&tag=${name}&tag=all&taken_at=200${seed}-05-01T10:00:00Z`
  const headers = { 'content-type': 'image/jpeg' }
  const body = tinyJpeg(seed)
  const answer = await (by === undefined
    ? http.client.request('PUT', path, { headers, body })
    : by.send('PUT', path, headers, body))
  expect(answer.status, answer.body.toString()).toBe(201)
  return JSON.parse(answer.body.toString()).photo_id
}

beforeEach(async () => {
  ids = { older: await upload(undefined, 'older', 1) } as typeof ids
  const [root, anna, ben, carl, dora] = [
    await somebodyIn(http, 'root', 'admin'),
    await somebodyIn(http, 'anna'),
    await somebodyIn(http, 'ben'),
    await somebodyIn(http, 'carl'),
    await somebodyIn(http, 'dora')
  ]
  people = { root, anna, ben, carl, dora }
  albums = { meer: await anna.makeAlbum('Meer'), berge: await anna.makeAlbum('Berge') }
  ids.hers = await upload(anna, 'hers', 2)
  ids.shared = await upload(anna, 'shared', 3)
  ids.run = await upload(anna, 'run', 4)
  ids.his = await upload(ben, 'his', 5)
  await anna.json('POST', `/v1/albums/${albums.meer}/photos`, { add: [ids.shared, ids.run] })
  await anna.json('POST', `/v1/albums/${albums.berge}/photos`, { add: [ids.run] })
  await anna.share(albums.meer, 'ben', 'viewer')
  await anna.share(albums.berge, 'ben', 'manager')
  await anna.share(albums.berge, 'carl', 'viewer')
  const { group_id: group } = await anna.json<{ group_id: string }>('POST', '/v1/groups', { name: 'Climbers' })
  await anna.json('PUT', `/v1/groups/${group}/members/dora`, {})
  await anna.share(albums.berge, `group:${group}`, 'contributor')
  clan = group
})

interface Listed {
  readonly photos: readonly { readonly photo_id: string; readonly albums?: readonly string[] }[]
  readonly total: number
  readonly next_cursor: string | null
}

const idsIn = ({ photos }: Listed): string[] => photos.map(({ photo_id: id }) => id)
const textOf = ({ body }: Answer): string => body.toString()

describe.each(Object.keys(SEEN))('%s', name => {
  const seen = (): string[] => sorted(SEEN[name])

  test('finds in every list what is open to him, and the right totals', async () => {
    const me = who(name)
    for (const query of ['', '?sort=taken', '?tag=all', '?type=image', '?q=jpg', '?limit=2', '?count=exact&q=jpg']) {
      const found: string[] = []
      let cursor: string | null = ''
      while (cursor !== null) {
        const page: Listed = await me.json(
          'GET',
          `/photos${query}${query === '' ? '?' : '&'}${cursor && `cursor=${cursor}`}`
        )
        found.push(...idsIn(page))
        if (!query.includes('q=') || query.includes('exact')) expect(page.total, query).toBe(seen().length)
        cursor = page.next_cursor
      }
      expect(named(found), query).toEqual(seen())
    }
    for (const one of NAMES) {
      const { total } = await me.json<Listed>('GET', `/photos?tag=${one}`)
      expect(total, one).toBe(SEEN[name]?.includes(one) === true ? 1 : 0)
    }
  })

  test('counts only that: tags, albums, the time line, and figures', async () => {
    const me = who(name)
    const { tags } = await me.json<{ tags: { name: string; count: number }[] }>('GET', '/tags?limit=100')
    expect(Object.fromEntries(tags.map(tag => [tag.name, tag.count]))).toEqual({
      ...Object.fromEntries(seen().map(one => [one, 1])),
      all: seen().length
    })
    const { albums: listed } = await me.json<{ albums: { name: string; count: number }[] }>('GET', '/albums?limit=100')
    const open = {
      anna: { Meer: 2, Berge: 1 },
      ben: { Meer: 2, Berge: 1 },
      carl: { Berge: 1 },
      dora: { Berge: 1 },
      root: {}
    }[name]
    expect(Object.fromEntries(listed.map(album => [album.name, album.count]))).toEqual(open)
    const line = await me.json<{ total: number; buckets: { key: string }[] }>('GET', '/photos/timeline')
    expect(line.total).toBe(seen().length)
    const inBuckets: string[] = []
    for (const { key } of line.buckets) {
      const bucket = await me.json<Record<string, unknown>>('GET', `/photos/timeline/${key}`)
      inBuckets.push(...(Object.values(bucket).find(Array.isArray) as string[]))
    }
    expect(inBuckets).toHaveLength(seen().length)
    const { photos, albums: albumCount } = await me.json<{ photos: number; albums: number }>('GET', '/stats')
    expect([photos, albumCount]).toEqual([seen().length, Object.keys(open ?? {}).length])
  })

  test('is told of nothing else by id, by bytes, by events, in a dump or in a ZIP', async () => {
    const me = who(name)
    const looked = await me.json<Listed>('POST', '/v1/photos/lookup', { ids: Object.values(ids) })
    expect(named(idsIn(looked))).toEqual(seen())
    const digests = await Promise.all(NAMES.map(async one => (await http.photos.meta(ids[one] as never)).photo.sha256))
    const { sha256 } = await me.json<{ sha256: Record<string, { photo_id: string } | null> }>(
      'POST',
      '/v1/photos/exists',
      { sha256: digests }
    )
    expect(named(Object.values(sha256).flatMap(known => known?.photo_id ?? []))).toEqual(seen())
    const { events } = await me.json<{ events: { photo_id?: string }[] }>('GET', '/events/recent?limit=100')
    expect(new Set(named(events.flatMap(({ photo_id: id }) => id ?? [])))).toEqual(new Set(seen()))
    const dump = textOf(await me.ask('GET', '/sync/full-dump'))
    expect(
      named(
        dump
          .trim()
          .split('\n')
          .map(line => JSON.parse(line).photo_id)
      )
    ).toEqual(seen())
    const zip = textOf(await me.ask('GET', '/photos/zip'))
    for (const one of NAMES) expect(zip.includes(`${one}.jpg`), one).toBe(seen().includes(one))
    expect((await me.ask('GET', `/photos/zip?id=${ids.hers}`)).status).toBe(seen().includes('hers') ? 200 : 404)
  })

  test('sees of the albums of a photo only those that are open to him', async () => {
    const me = who(name)
    if (!seen().includes('run')) return
    const meta = await me.json<{ albums: string[]; album_ids: string[] }>('GET', `/photo/${ids.run}/meta`)
    const isPart = name === 'carl' || name === 'dora'
    expect(meta.albums).toEqual(isPart ? ['Berge'] : ['Berge', 'Meer'])
    expect(textOf(await me.ask('GET', `/photos?album=${encodeURIComponent('Meer')}`)).includes(ids.shared)).toBe(
      !isPart
    )
  })

  test('reads, changes and deletes what he may, and nothing tells what is hidden from what is not there', async () => {
    const me = who(name)
    const outcome = async (method: string, path: string, body?: object): Promise<string> => {
      const answer = await me.ask(method, path, body)
      return answer.status < 300 ? 'ok' : codeOf(answer)
    }
    for (const one of NAMES) {
      const id = ids[one]
      const isSeen = seen().includes(one)
      const expected = (may: readonly string[] | undefined): string =>
        may?.includes(one) === true ? 'ok' : isSeen ? '403 ERR_FORBIDDEN' : '404 ERR_PHOTO_NOT_FOUND'
      for (const path of [`/photo/${id}`, `/photo/${id}`, `/photo/${id}/meta`, `/photo/${id}/conflicts`])
        expect(await outcome('GET', path), `${path} of ${one}`).toBe(isSeen ? 'ok' : '404 ERR_PHOTO_NOT_FOUND')
      expect(await outcome('PATCH', `/photo/${id}/meta`, { caption: name }), one).toBe(expected(EDITED[name]))
      expect(await outcome('POST', `/v1/albums/${albums.berge}/photos`, { add: [id] })).toBe(
        { anna: 'ok', ben: 'ok', carl: '403 ERR_FORBIDDEN', dora: 'ok', root: '404 ERR_ALBUM_NOT_FOUND' }[name]
      )
      const { results } = JSON.parse(textOf(await me.ask('POST', '/v1/photos/batch', { ids: [id], rating: 3 })))
      const errorOf = (may: readonly string[] | undefined): string | undefined =>
        may?.includes(one) === true ? undefined : isSeen ? 'ERR_FORBIDDEN' : 'ERR_PHOTO_NOT_FOUND'
      expect(results[0].error?.code ?? results[0].code, one).toBe(errorOf(EDITED[name]))
      expect(await outcome('DELETE', `/photo/${id}`), one).toBe(expected(DELETED[name]))
      if (DELETED[name]?.includes(one) !== true) continue
      const trash = await me.json<Listed>('GET', '/trash')
      expect([named(idsIn(trash)), trash.total]).toEqual([[one], 1])
      expect(await outcome('POST', `/photo/${id}/undelete`), one).toBe('ok')
    }
    const [hidden, unknown] = await Promise.all(
      [NAMES.find(one => !seen().includes(one)), undefined].map(async one => {
        const id = one === undefined ? UNKNOWN : ids[one]
        return textOf(await me.ask('GET', `/photo/${id}/meta`)).replaceAll(id, 'ID')
      })
    )
    expect(hidden).toBe(unknown)
  })

  test('sees in the trash what he may restore', async () => {
    for (const one of NAMES) await http.photos.remove(ids[one] as never)
    const trash = await who(name).json<Listed>('GET', '/trash')
    expect([named(idsIn(trash)), trash.total]).toEqual([sorted(DELETED[name]), DELETED[name]?.length])
    expect(await who(name).json('GET', '/photos')).toMatchObject({ photos: [], total: 0 })
    const emptied = await who(name).json<{ results: { photo_id: string }[] }>('POST', '/trash/empty', {})
    expect(named(emptied.results.map(({ photo_id: id }) => id))).toEqual(sorted(DELETED[name]))
    for (const one of NAMES) {
      const { status } = await who(name).ask('POST', `/photo/${ids[one]}/undelete`)
      const refused = SEEN[name]?.includes(one) === true ? 403 : 404
      expect(status, one).toBe(DELETED[name]?.includes(one) === true ? 200 : refused)
    }
  })
})

test('every operation that names a photo or an album says of a hidden one what it says of none', async () => {
  const { paths } = JSON.parse(textOf(await http.client.request('GET', '/openapi.json'))) as {
    paths: Record<string, Record<string, object>>
  }
  const bodies: Readonly<Record<string, object>> = {
    'patch /photo/{id}/meta': { caption: 'x' },
    'post /photo/{id}/not_duplicate': { photo_id: ids.run },
    'patch /v1/albums/{id}': { title: 'x' },
    'post /v1/albums/{id}/photos': { add: [ids.his] },
    'put /v1/albums/{id}/shares/{principal}': { role: 'viewer' },
    'put /v1/albums/{id}/owner': { user: 'ben' },
    'put /v1/albums/{id}/parent': { parent: null }
  }
  const asked: string[] = []
  for (const [path, operations] of Object.entries(paths)) {
    const isAlbum = path.startsWith('/v1/albums/{id}')
    if (!isAlbum && !/^\/(v1\/)?(photos?|similar)\/\{id\}/.test(path)) continue
    for (const method of Object.keys(operations)) {
      const name = `${method} ${path}`
      const answers = await Promise.all(
        [isAlbum ? albums.meer : ids.hers, UNKNOWN].map(async id => {
          const url = path.replace('{id}', id).replace('{n}', '1').replace('{principal}', 'ben')
          const answer = await who('carl').ask(method.toUpperCase(), url, bodies[name])
          return `${answer.status} ${textOf(answer).replaceAll(id, 'ID')}`
        })
      )
      expect(answers[0], name).toMatch(/^404 /)
      expect(answers[0], name).toBe(answers[1])
      asked.push(name)
    }
  }
  expect(asked.length).toBeGreaterThan(18)
})

test('what was taken away is gone at once, also for a reader who was just here', async () => {
  const ben = who('ben')
  const path = `/photo/${ids.shared}`
  for (let i = 0; i < 3; i++) expect((await ben.ask('GET', path)).status).toBe(200)
  await who('anna').json('DELETE', `/v1/albums/${albums.meer}/shares/ben`)
  expect(codeOf(await ben.ask('GET', path))).toBe('404 ERR_PHOTO_NOT_FOUND')
  expect(named(idsIn(await ben.json('GET', '/photos')))).toEqual(['his', 'older', 'run'])
  await who('anna').json('POST', `/v1/albums/${albums.berge}/photos`, { add: [ids.shared] })
  expect((await ben.ask('GET', path)).status).toBe(200)
  await who('anna').json('DELETE', `/v1/albums/${albums.berge}`)
  expect(named(idsIn(await ben.json('GET', '/photos')))).toEqual(['his', 'older'])
  expect(codeOf(await who('carl').ask('GET', `/photo/${ids.run}`))).toBe('404 ERR_PHOTO_NOT_FOUND')
})

test('who is taken out of a group sees nothing more by it at once, nor anybody when it is deleted', async () => {
  const [anna, dora] = [who('anna'), who('dora')]
  const path = `/photo/${ids.run}`
  const sees = async (): Promise<unknown[]> => [
    (await dora.ask('GET', path)).status,
    named(idsIn(await dora.json('GET', '/photos'))),
    (await dora.ask('GET', `/v1/albums/${albums.berge}`)).status
  ]
  const [open, shut] = [
    [200, ['older', 'run'], 200],
    [404, ['older'], 404]
  ]
  // twice, so that the second time it is hot
  for (let i = 0; i < 2; i++) expect(await sees()).toEqual(open)
  await anna.json('DELETE', `/v1/groups/${clan}/members/dora`)
  expect(await sees()).toEqual(shut)
  await anna.json('PUT', `/v1/groups/${clan}/members/dora`, {})
  for (let i = 0; i < 2; i++) expect(await sees()).toEqual(open)
  await anna.json('DELETE', `/v1/groups/${clan}`)
  expect(await sees()).toEqual(shut)
})

test('photos of nobody are those of whoever the settings say', async () => {
  await http.accounts.setSettings({ unowned: who('carl').id as UserId }, 'operator')
  expect(named(idsIn(await who('anna').json('GET', '/photos')))).toEqual(['hers', 'run', 'shared'])
  expect(named(idsIn(await who('carl').json('GET', '/photos')))).toEqual(['older', 'run'])
  expect(codeOf(await who('root').ask('DELETE', `/photo/${ids.older}`))).toBe('404 ERR_PHOTO_NOT_FOUND')
  expect((await who('carl').ask('DELETE', `/photo/${ids.older}`)).status).toBe(200)
})

test('photos go into an album only by those who may put some into it, however it is called', async () => {
  const upload = (name: string, album: string): Promise<Answer> =>
    who(name).send(
      'PUT',
      `/v1/photos?filename=x.jpg&album=${encodeURIComponent(album)}`,
      { 'content-type': 'image/jpeg' },
      tinyJpeg(9)
    )
  expect((await upload('ben', 'Berge')).status).toBe(201)
  expect(codeOf(await upload('carl', 'Berge'))).toBe('403 ERR_FORBIDDEN')
  expect(codeOf(await upload('carl', albums.meer))).toBe('404 ERR_ALBUM_NOT_FOUND')
  // to him it is no album, so it is a label
  const { photo_id: id } = JSON.parse(textOf(await upload('carl', 'Meer'))) as { photo_id: string }
  expect(await who('carl').json('GET', `/photo/${id}/meta`)).toMatchObject({ albums: ['Meer'] })
  expect(await who('anna').json<Listed>('GET', `/photos?album=${albums.meer}`)).toMatchObject({ total: 2 })
  expect(codeOf(await who('carl').ask('PATCH', `/photo/${id}/meta`, { albums: { add: [albums.meer] } }))).toBe(
    '404 ERR_ALBUM_NOT_FOUND'
  )
  // his label becomes an album of his own
  const made = await who('carl').json<{ album_id: string }>('POST', '/v1/albums/make-real', { name: 'Meer' })
  expect(made.album_id).not.toBe(albums.meer)
  expect(codeOf(await who('anna').ask('GET', `/v1/albums/${made.album_id}`))).toBe('404 ERR_ALBUM_NOT_FOUND')
})

test('a photo that is not open any more is gone to those who follow events', async () => {
  await who('anna').json('POST', `/v1/albums/${albums.meer}/photos`, { remove: [ids.shared] })
  const { events } = await who('ben').json<{ events: object[] }>('GET', '/events/recent?limit=1')
  expect(events).toMatchObject([{ type: 'photo.deleted', photo_id: ids.shared }])
  const hers = await who('anna').json<{ events: object[] }>('GET', '/events/recent?limit=1')
  expect(hers.events).toMatchObject([{ type: 'photo.updated', photo_id: ids.shared }])
})

test('copies are told of among what is open', async () => {
  const bytes = tinyJpeg(2)
  const put = async (name: string): Promise<string> => {
    const answer = await who(name).send('PUT', '/v1/photos?filename=c.jpg', { 'content-type': 'image/jpeg' }, bytes)
    return JSON.parse(textOf(answer)).photo_id
  }
  await put('ben')
  const groups = async (name: string): Promise<unknown> =>
    (await who(name).json<{ total: number }>('GET', '/duplicates')).total
  expect([await groups('anna'), await groups('ben')]).toEqual([0, 0])
  await put('anna')
  http.similarity?.duplicates.forget()
  expect([await groups('anna'), await groups('ben')]).toEqual([1, 0])
})

test('merging duplicates leaves out the albums that one may put nothing into', async () => {
  await who('anna').share(albums.meer, 'ben', 'contributor')
  const copy = await upload(who('ben'), 'his', 5)
  await who('ben').json('POST', `/v1/albums/${albums.meer}/photos`, { add: [copy] })
  await who('anna').share(albums.meer, 'ben', 'viewer')
  const merged = await who('ben').json('POST', '/duplicates/resolve', { keep: ids.his, remove: [copy] })
  expect(merged).toMatchObject({ results: [{ photo_id: copy, status: 'deleted' }] })
  expect(await who('ben').json('GET', `/photo/${ids.his}/meta`)).toMatchObject({ album_ids: [] })
})

test('a label that has become an album stays the album of whoever has it now', async () => {
  const anna = who('anna')
  const label = (): Promise<Answer> =>
    anna.send('PUT', '/v1/photos?filename=u.jpg&album=Urlaub', { 'content-type': 'image/jpeg' }, tinyJpeg(8))
  await label()
  const { album_id: id } = await anna.json<{ album_id: string }>('POST', '/v1/albums/make-real', { name: 'Urlaub' })
  await anna.json('PUT', `/v1/albums/${id}/owner`, { user: 'ben' })
  await label()
  const again = (): Promise<Answer> => anna.ask('POST', '/v1/albums/make-real', { name: 'Urlaub' })
  expect(codeOf(await again())).toBe('404 ERR_ALBUM_NOT_FOUND')
  await who('ben').json('DELETE', `/v1/albums/${id}`)
  expect(codeOf(await again())).toBe('404 ERR_ALBUM_NOT_FOUND')
  expect(codeOf(await who('ben').ask('GET', `/v1/albums/${id}`))).toBe('410 ERR_ALBUM_DELETED')
})

test('a photo of which only the grave is left is to others as one that never was', async () => {
  await who('anna').json('DELETE', `/photo/${ids.hers}`)
  await http.bury('01890000-0000-7000-8000-00000000000a', ids.hers)
  const acts = [
    { delete: [ids.hers, UNKNOWN] },
    { undelete: [ids.hers, UNKNOWN] },
    { ids: [ids.hers, UNKNOWN], rating: 1 }
  ]
  for (const act of acts) {
    const { results } = await who('ben').json<{ results: object[] }>('POST', '/v1/photos/batch', act)
    const [buried, unknown] = results.map(({ ...result }) => ({ ...result, photo_id: undefined }))
    expect(buried, JSON.stringify(act)).toEqual(unknown)
  }
})

test('jobs are told to whoever has begun them, and to those who watch the node', async () => {
  const job = http.jobs.start('batch-edit', async () => ({}), { owner: who('anna').id as UserId, isStoppable: true })
  const path = `/v1/admin/jobs/${job.id}`
  for (const name of ['anna', 'root']) expect((await who(name).ask('GET', path)).status, name).toBe(200)
  for (const method of ['GET', 'DELETE'])
    expect(codeOf(await who('ben').ask(method, path)), method).toBe('404 ERR_NO_SUCH_JOB')
  const undo = { select: { job: job.id }, total: 1, act: 'undelete' }
  expect(codeOf(await who('ben').ask('POST', '/v1/photos/batch', undo))).toBe('404 ERR_NO_SUCH_JOB')
})
