import { beforeEach, describe, expect, test, vi } from 'vitest'
import { codeOf } from '../support/http-answers.js'
import { type Answer, HttpClient } from '../support/http-client.js'
import { OPERATOR_TOKEN } from '../support/http-fixture.js'
import { httpForEachTest } from '../support/http-for-each-test.js'
import { tinyJpeg } from '../support/photo-maker.js'
import { Somebody, somebodyIn } from '../support/somebody.js'

const { http } = httpForEachTest()
const UNKNOWN = '01890000-0000-7000-8000-000000000000'
const PASSWORD = 'correct horse'
const DAY_MS = 86_400_000
/** Of tiles. */
const [UNDATED, FAVOURITE] = [4, 32]

interface Link {
  readonly link_id: string
  readonly in_force: boolean
  readonly has_password: boolean
}

interface Made {
  readonly link: Link
  readonly secret: string
  readonly path: string
}

interface Listed {
  readonly photos: readonly {
    readonly photo_id: string
    readonly name: string
    readonly caption: string | null
    readonly owner: object | null
    readonly albums: readonly string[]
  }[]
  readonly total: number
}

/** Somebody without an account, in a browser. */
class Guest {
  readonly #client = new HttpClient(http.url)
  readonly #jar = new Map<string, string>()
  readonly #more: Readonly<Record<string, string>>

  constructor(more: Readonly<Record<string, string>> = {}) {
    this.#more = more
  }

  get cookies(): string {
    return [...this.#jar].map(([name, value]) => `${name}=${value}`).join('; ')
  }

  async send(
    method: string,
    path: string,
    body?: Uint8Array,
    headers: Readonly<Record<string, string>> = {}
  ): Promise<Answer> {
    const cookie = this.#jar.size === 0 ? {} : { cookie: this.cookies }
    const answer = await this.#client.request(method, path, {
      headers: { 'sec-fetch-site': 'same-origin', ...cookie, ...this.#more, ...headers },
      ...(body && { body })
    })
    for (const line of answer.headers['set-cookie'] ?? []) {
      const [name = '', value = ''] = line.split(';', 1)[0]?.split('=') ?? []
      if (line.includes('Max-Age=0')) this.#jar.delete(name)
      else this.#jar.set(name, value)
    }
    return answer
  }

  ask(method: string, path: string, body?: object): Promise<Answer> {
    if (body === undefined) return this.send(method, path)
    return this.send(method, path, Buffer.from(JSON.stringify(body)), { 'content-type': 'application/json' })
  }

  async json<Json>(method: string, path: string, body?: object): Promise<Json> {
    const answer = await this.ask(method, path, body)
    expect([200, 201], `${method} ${path}: ${answer.body}`).toContain(answer.status)
    return JSON.parse(answer.body.toString()) as Json
  }

  open(secret: string, password?: string): Promise<Answer> {
    return this.ask('POST', '/v1/links/open', { secret, ...(password !== undefined && { password }) })
  }

  async opened(secret: string, password?: string): Promise<this> {
    const answer = await this.open(secret, password)
    expect(answer.status, answer.body.toString()).toBe(200)
    return this
  }

  /** @returns the names of all that is seen */
  async names(query = ''): Promise<readonly string[]> {
    const { photos } = await this.json<Listed>('GET', `/photos?${query}`)
    return photos.map(({ name }) => name).sort()
  }
}

/** @returns what the time line has, with the flags of each */
async function flagsFor(guest: Guest, query: string): Promise<(readonly [string, number | undefined])[]> {
  const filters = `album=${album}&${query}`
  const { buckets } = await guest.json<{ buckets: { key: string }[] }>('GET', `/photos/timeline?${filters}`)
  const found: (readonly [string, number | undefined])[] = []
  for (const { key } of buckets) {
    const bucket = await guest.json<{ photo_ids: string[]; flags: number[] }>(
      'GET',
      `/photos/timeline/${key}?${filters}`
    )
    found.push(...bucket.photo_ids.map((id, i) => [id, bucket.flags[i]] as const))
  }
  return found
}

let anna: Somebody
let ben: Somebody
let album: string
/** In the album, and in none; Ben's, in no album. */
let ids: { shared: string; own: string; his: string }

async function upload(by: Somebody, name: string, seed: number): Promise<string> {
  const headers = { 'content-type': 'image/jpeg' }
  const { body } = await by.send('PUT', `/v1/photos?filename=${name}.jpg`, headers, tinyJpeg(seed))
  return (JSON.parse(body.toString()) as { photo_id: string }).photo_id
}

const make = (terms: object = {}, by = anna): Promise<Made> => by.json<Made>('POST', '/v1/links', { album, ...terms })

beforeEach(async () => {
  await somebodyIn(http, 'root', 'admin')
  anna = await somebodyIn(http, 'anna')
  ben = await somebodyIn(http, 'ben')
  album = await anna.makeAlbum('Meer')
  ids = {
    shared: await upload(anna, 'shared', 1),
    own: await upload(anna, 'own', 2),
    his: await upload(ben, 'his', 3)
  }
  await anna.json('POST', `/v1/albums/${album}/photos`, { add: [ids.shared] })
  await anna.json('PATCH', `/photo/${ids.shared}/meta`, { caption: 'at the sea', tags: { add: ['secret tag'] } })
})

describe('a link of an album', () => {
  test('shows its photos, those that come later as well, and nothing else', async () => {
    const { secret, path, link } = await make({ label: 'Grandma' })
    expect(path).toBe(`/#/s/${secret}`)
    expect(link).toMatchObject({
      album_id: album,
      role: 'viewer',
      has_password: false,
      label: 'Grandma',
      in_force: true
    })
    const guest = await new Guest().opened(secret)
    expect(await guest.names()).toEqual(['shared.jpg'])
    expect(await guest.names(`album=${album}`)).toEqual(['shared.jpg'])
    expect((await guest.send('GET', `/photo/${ids.shared}`)).body.equals(tinyJpeg(1))).toBe(true)
    for (const id of [ids.own, ids.his, UNKNOWN])
      for (const path of [`/photo/${id}`, `/photo/${id}/meta`, `/photo/${id}?alt_key=thumb`])
        expect(codeOf(await guest.send('GET', path)), path).toBe('404 ERR_PHOTO_NOT_FOUND')
    await anna.json('POST', `/v1/albums/${album}/photos`, { add: [ids.own] })
    expect(await guest.names()).toEqual(['own.jpg', 'shared.jpg'])
    expect((await guest.send('GET', `/photo/${ids.own}`)).status).toBe(200)
    await anna.json('POST', `/v1/albums/${album}/photos`, { remove: [ids.shared] })
    expect(await guest.names()).toEqual(['own.jpg'])
    expect(codeOf(await guest.send('GET', `/photo/${ids.shared}`))).toBe('404 ERR_PHOTO_NOT_FOUND')
  })

  test('tells what it gives, and of its people nothing', async () => {
    const { secret } = await make()
    const guest = new Guest()
    expect(await guest.json('POST', '/v1/links/open', { secret })).toMatchObject({
      album: { album_id: album, title: 'Meer', count: 1 },
      list: album,
      can: ['download'],
      metadata: true
    })
    expect(await guest.json('GET', '/session')).toMatchObject({ user: null, can: ['read', 'download'] })
    const [photo] = (await guest.json<Listed>('GET', '/photos')).photos
    expect(photo).toMatchObject({ caption: 'at the sea', owner: null, albums: ['Meer'] })
    expect(codeOf(await guest.send('GET', `/v1/albums/${album}/shares`))).toBe('403 ERR_FORBIDDEN')
    for (const path of ['/v1/links', '/v1/users', '/v1/keys', '/v1/sessions', '/cluster', '/status'])
      expect(codeOf(await guest.send('GET', path)), path).toBe('403 ERR_FORBIDDEN')
    expect((await guest.json<Listed>('GET', '/trash')).photos).toEqual([])
    const zip = await guest.send('GET', `/photos/zip?album=${album}`)
    expect(zip.status).toBe(200)
    expect(zip.body.includes('shared.jpg')).toBe(true)
    expect(zip.body.includes('own.jpg')).toBe(false)
  })

  test('changes nothing for whoever may only look', async () => {
    const { secret } = await make()
    const guest = await new Guest().opened(secret)
    const json = { 'content-type': 'application/json' }
    for (const [method, path, body] of [
      ['PATCH', `/photo/${ids.shared}/meta`, { caption: 'x' }],
      ['DELETE', `/photo/${ids.shared}`, undefined],
      ['POST', `/v1/albums/${album}/photos`, { remove: [ids.shared] }],
      ['PUT', `/v1/albums/${album}/shares/public`, { role: 'viewer' }],
      ['POST', '/v1/links', { album }],
      ['POST', '/v1/photos/batch', { delete: [ids.shared] }]
    ] as const)
      expect(codeOf(await guest.ask(method, path, body)), `${method} ${path}`).toBe('403 ERR_FORBIDDEN')
    expect(codeOf(await guest.send('PUT', '/v1/photos?filename=x.jpg', tinyJpeg(9), json))).toBe('403 ERR_FORBIDDEN')
  })

  test('is gone when it is withdrawn, as what never was, also for whoever has it open', async () => {
    const { secret, link } = await make()
    const guest = await new Guest().opened(secret)
    await anna.json('DELETE', `/v1/links/${link.link_id}`)
    const never = await new Guest().open('A'.repeat(32))
    const gone = await new Guest().open(secret)
    expect(codeOf(gone)).toBe('404 ERR_LINK_NOT_FOUND')
    expect(bare(gone)).toEqual(bare(never))
    for (const path of ['/photos', `/photo/${ids.shared}`, `/photo/${UNKNOWN}`])
      expect(codeOf(await guest.send('GET', path)), path).toBe('401 ERR_UNAUTHENTICATED')
    expect(await anna.json('GET', '/v1/links')).toEqual({ links: [] })
    await anna.json('DELETE', `/v1/links/${link.link_id}`)
    expect(codeOf(await anna.ask('PATCH', `/v1/links/${link.link_id}`, { download: false }))).toBe(
      '404 ERR_LINK_NOT_FOUND'
    )
  })

  test('ends when it is said, after 30 days if nothing is said, or not at all', async () => {
    const now = Date.now()
    const soon = await make({ expires_at: new Date(now + DAY_MS).toISOString() })
    const later = await make()
    const never = await make({ expires_at: null })
    const guest = await new Guest().opened(soon.secret)
    const clock = vi.spyOn(Date, 'now').mockReturnValue(now + DAY_MS + 1)
    try {
      expect(codeOf(await guest.send('GET', `/photo/${ids.shared}`))).toBe('401 ERR_UNAUTHENTICATED')
      expect(codeOf(await new Guest().open(soon.secret))).toBe('404 ERR_LINK_NOT_FOUND')
      await new Guest().opened(later.secret)
      clock.mockReturnValue(now + 31 * DAY_MS)
      expect(codeOf(await new Guest().open(later.secret))).toBe('404 ERR_LINK_NOT_FOUND')
      await new Guest().opened(never.secret)
    } finally {
      clock.mockRestore()
    }
    expect(codeOf(await anna.ask('POST', '/v1/links', { album, expires_at: '2020-01-01T00:00:00Z' }))).toBe(
      '400 ERR_BAD_PARAMETER'
    )
  })

  test('counts only while whoever has made it may share the album, and has an open account', async () => {
    await anna.share(album, 'ben', 'manager')
    const { secret, link } = await make({}, ben)
    const guest = await new Guest().opened(secret)
    expect(await guest.names()).toEqual(['shared.jpg'])
    await anna.share(album, 'ben', 'contributor')
    expect(codeOf(await guest.send('GET', `/photo/${ids.shared}`))).toBe('401 ERR_UNAUTHENTICATED')
    expect(codeOf(await new Guest().open(secret))).toBe('404 ERR_LINK_NOT_FOUND')
    expect(await ben.json('GET', '/v1/links')).toMatchObject({ links: [{ link_id: link.link_id, in_force: false }] })
    expect(codeOf(await ben.ask('PATCH', `/v1/links/${link.link_id}`, { download: false }))).toBe('403 ERR_FORBIDDEN')
    await anna.share(album, 'ben', 'manager')
    expect(await guest.names()).toEqual(['shared.jpg'])
    await http.accounts.users.setState(ben.id as never, 'disabled', 'operator')
    expect(codeOf(await guest.send('GET', '/photos'))).toBe('401 ERR_UNAUTHENTICATED')
    await http.accounts.users.setState(ben.id as never, 'open', 'operator')
    expect(await guest.names()).toEqual(['shared.jpg'])
    await anna.json('DELETE', `/v1/albums/${album}`)
    expect(codeOf(await guest.send('GET', '/photos'))).toBe('401 ERR_UNAUTHENTICATED')
  })

  test('is made by those who may share the album, who see and withdraw all of it', async () => {
    expect(codeOf(await ben.ask('POST', '/v1/links', { album }))).toBe('404 ERR_ALBUM_NOT_FOUND')
    expect(codeOf(await ben.ask('GET', `/v1/links?album=${album}`))).toBe('404 ERR_ALBUM_NOT_FOUND')
    await anna.share(album, 'ben', 'contributor')
    expect(codeOf(await ben.ask('POST', '/v1/links', { album }))).toBe('403 ERR_FORBIDDEN')
    const hers = await make()
    expect(codeOf(await ben.ask('DELETE', `/v1/links/${hers.link.link_id}`))).toBe('404 ERR_LINK_NOT_FOUND')
    await anna.share(album, 'ben', 'manager')
    const { link } = await make({}, ben)
    expect(
      (await anna.json<{ links: Link[] }>('GET', `/v1/links?album=${album}`)).links.map(({ link_id }) => link_id)
    ).toEqual([link.link_id, hers.link.link_id])
    expect(codeOf(await anna.ask('PATCH', `/v1/links/${link.link_id}`, { download: false }))).toBe(
      '404 ERR_LINK_NOT_FOUND'
    )
    await anna.json('DELETE', `/v1/links/${link.link_id}`)
    expect(await ben.json('GET', '/v1/links')).toEqual({ links: [] })
    const operator = new Somebody(http.url, UNKNOWN, OPERATOR_TOKEN)
    expect(codeOf(await operator.ask('POST', '/v1/links', { album }))).toBe('403 ERR_FORBIDDEN')
  })
})

describe('a password', () => {
  test('is needed for everything, and only once in a browser', async () => {
    const { secret, link } = await make({ password: PASSWORD })
    expect(link.has_password).toBe(true)
    const guest = new Guest()
    expect(codeOf(await guest.open(secret))).toBe('401 ERR_LINK_PASSWORD')
    expect(codeOf(await guest.open(secret, 'wrong horse'))).toBe('401 ERR_LINK_PASSWORD')
    expect(guest.cookies).toBe('')
    for (const path of [
      '/photos',
      `/photo/${ids.shared}`,
      `/photo/${ids.shared}?alt_key=thumb`,
      `/photo/${ids.shared}/meta`
    ])
      expect(codeOf(await guest.send('GET', path)), path).toBe('401 ERR_UNAUTHENTICATED')
    await guest.opened(secret, PASSWORD)
    expect(await guest.names()).toEqual(['shared.jpg'])
    await guest.opened(secret)
  })

  test('cannot be left out of the cookie, nor taken from another link', async () => {
    const open = await make()
    const locked = await make({ password: PASSWORD })
    const guest = await new Guest().opened(open.secret)
    const forged = guest.cookies.replaceAll(open.secret, locked.secret)
    for (const cookie of [forged, `${forged}AAAAAAAAAAAAAAAA`])
      expect(codeOf(await new Guest({ cookie }).send('GET', '/photos'))).toBe('401 ERR_UNAUTHENTICATED')
  })

  test('closes the link, when it is changed, to those who had the one before; taken away, it opens', async () => {
    const { secret, link } = await make({ password: PASSWORD })
    const guest = await new Guest().opened(secret, PASSWORD)
    await anna.json('PATCH', `/v1/links/${link.link_id}`, { password: 'another horse' })
    expect(codeOf(await guest.send('GET', '/photos'))).toBe('401 ERR_UNAUTHENTICATED')
    expect(codeOf(await guest.open(secret, PASSWORD))).toBe('401 ERR_LINK_PASSWORD')
    await guest.opened(secret, 'another horse')
    await anna.json('PATCH', `/v1/links/${link.link_id}`, { password: null })
    await new Guest().opened(secret)
  })

  test('is tried a few times only, and stands nowhere', async () => {
    const { secret } = await make({ password: PASSWORD })
    const codes: string[] = []
    for (let i = 0; i < 7; i++) codes.push(codeOf(await new Guest().open(secret, `wrong horse ${i}`)))
    expect(codes[0]).toBe('401 ERR_LINK_PASSWORD')
    expect(codes.at(-1)).toBe('429 ERR_TOO_MANY_TRIES')
    // as long as that one waits, the right one is refused as well
    expect(codeOf(await new Guest().open(secret, PASSWORD))).toBe('429 ERR_TOO_MANY_TRIES')
    const told = (await anna.ask('GET', '/v1/links')).body.toString()
    for (const hidden of [PASSWORD, secret, '$argon2id']) expect(told).not.toContain(hidden)
    const dump = (await anna.ask('GET', '/sync/full-dump')).body.toString()
    for (const hidden of [PASSWORD, secret, '$argon2id']) expect(dump).not.toContain(hidden)
  })
})

describe('a link that gives less', () => {
  test('without download shows no originals, by whichever path', async () => {
    const { secret, link } = await make({ download: false })
    const guest = await new Guest().opened(secret)
    expect(codeOf(await guest.send('GET', `/photo/${ids.shared}`))).toBe('403 ERR_FORBIDDEN')
    expect(codeOf(await guest.send('GET', `/photo/${ids.shared}?alt_key=orig`))).toBe('403 ERR_FORBIDDEN')
    expect(codeOf(await guest.send('GET', `/photos/zip?id=${ids.shared}`))).toBe('403 ERR_FORBIDDEN')
    const large = await guest.send('GET', `/photo/${ids.shared}?alt_key=large`)
    expect(large.status).not.toBe(200) // no size is made here, and the original does not stand in
    await anna.json('PATCH', `/photo/${ids.shared}/meta`, { caption: 'changed' })
    expect(codeOf(await guest.send('GET', `/photo/${ids.shared}`))).toBe('403 ERR_FORBIDDEN')
    await anna.json('PATCH', `/v1/links/${link.link_id}`, { download: true })
    expect((await guest.send('GET', `/photo/${ids.shared}`)).status).toBe(200)
  })

  test('without metadata tells nothing that a camera or a person says of a photo', async () => {
    const { secret } = await make({ metadata: false })
    const guest = await new Guest().opened(secret)
    const name = `photo-${ids.shared.slice(-8)}`
    for (const path of [
      '/photos',
      `/photo/${ids.shared}/meta`,
      `/photos?album=${album}`,
      '/sync/full-dump',
      '/events/recent'
    ]) {
      const { body, status } = await guest.send('GET', path)
      expect(status, path).toBe(200)
      for (const hidden of ['shared.jpg', 'at the sea', 'secret tag', 'anna'])
        expect(body.toString(), path).not.toContain(hidden)
    }
    expect(await guest.json('GET', `/photo/${ids.shared}/meta`)).toMatchObject({ name, caption: null, tags: [] })
    expect(await guest.json('GET', '/tags')).toMatchObject({ tags: [] })
    expect((await guest.json<Listed>('GET', '/photos?tag=secret%20tag')).total).toBe(0)
    expect((await guest.json<Listed>('GET', '/photos?q=sea')).total).toBe(0)
    expect(await flagsFor(guest, 'sort=taken')).toEqual([])
    await anna.json('PATCH', `/photo/${ids.shared}/meta`, { favourite: true })
    expect(await flagsFor(guest, 'sort=added')).toEqual([[ids.shared, 0]])
    // by another link he may know
    await guest.opened((await make()).secret)
    expect(await flagsFor(guest, 'sort=added')).toEqual([[ids.shared, UNDATED + FAVOURITE]])
    expect(await flagsFor(guest, 'sort=taken')).toEqual([[ids.shared, UNDATED + FAVOURITE]])
  })

  test('without metadata gives no originals, and no versions', async () => {
    const { secret } = await make({ metadata: false })
    const guest = await new Guest().opened(secret)
    expect(codeOf(await guest.send('GET', `/photo/${ids.shared}`))).toBe('403 ERR_FORBIDDEN')
    expect(codeOf(await guest.send('GET', `/photo/${ids.shared}/conflicts`))).toBe('403 ERR_FORBIDDEN')
  })
})

describe('a link for uploads', () => {
  test('puts photos into its album, which belong to whoever the album belongs to', async () => {
    const { secret, link } = await make({ role: 'contributor' })
    const guest = await new Guest().opened(secret)
    const jpeg = { 'content-type': 'image/jpeg' }
    const answer = await guest.send('PUT', '/v1/photos?filename=new.jpg', tinyJpeg(7), jpeg)
    expect(answer.status, answer.body.toString()).toBe(201)
    const { photo_id: id } = JSON.parse(answer.body.toString()) as { photo_id: string }
    expect(await guest.names()).toEqual(['new.jpg', 'shared.jpg'])
    expect(await anna.json('GET', `/photo/${id}/meta`)).toMatchObject({ owner: { name: 'anna' }, album_ids: [album] })
    expect(codeOf(await guest.ask('DELETE', `/photo/${id}`))).toBe('403 ERR_FORBIDDEN')
    const other = await anna.makeAlbum('Berge')
    for (const elsewhere of [other, UNKNOWN, 'a label'])
      expect(
        codeOf(
          await guest.send('PUT', `/v1/photos?filename=x.jpg&album=${encodeURIComponent(elsewhere)}`, tinyJpeg(8), jpeg)
        )
      ).toBe('403 ERR_FORBIDDEN')
    await anna.json('PATCH', `/v1/links/${link.link_id}`, { role: 'viewer' })
    expect(codeOf(await guest.send('PUT', '/v1/photos?filename=y.jpg', tinyJpeg(9), jpeg))).toBe('403 ERR_FORBIDDEN')
  })

  test('takes from the room of whoever the album belongs to', async () => {
    const { secret } = await make({ role: 'contributor' })
    const guest = await new Guest().opened(secret)
    await http.accounts.users.edit(anna.id as never, { quota: { photos: 2 } })
    const answer = await guest.send('PUT', '/v1/photos?filename=new.jpg', tinyJpeg(7), { 'content-type': 'image/jpeg' })
    expect(codeOf(answer)).toBe('507 ERR_QUOTA_EXCEEDED')
  })
})

describe('a link of photos', () => {
  test('shows those, and is of one’s own only', async () => {
    const { secret, link } = await anna.json<Made>('POST', '/v1/links', { photos: [ids.own] })
    const guest = await new Guest().opened(secret)
    expect(await guest.names()).toEqual(['own.jpg'])
    expect(await guest.names(`album=${link.link_id}`)).toEqual(['own.jpg'])
    expect(codeOf(await guest.send('GET', `/photo/${ids.shared}`))).toBe('404 ERR_PHOTO_NOT_FOUND')
    const listed = (await anna.ask('GET', `/photo/${ids.own}/meta`)).body.toString()
    expect(listed).not.toContain(link.link_id)
    expect((await anna.ask('GET', '/albums')).body.toString()).not.toContain(link.link_id)
    expect(codeOf(await anna.ask('POST', '/v1/links', { photos: [ids.own, ids.his] }))).toBe('404 ERR_PHOTO_NOT_FOUND')
    expect((await anna.json<{ links: Link[] }>('GET', '/v1/links')).links).toHaveLength(1)
    await anna.json('DELETE', `/v1/links/${link.link_id}`)
    expect(codeOf(await guest.send('GET', `/photo/${ids.own}`))).toBe('401 ERR_UNAUTHENTICATED')
    expect((await http.photos.meta(ids.own as never)).photo.albums).toEqual([])
  })

  test('cannot be widened by a label that somebody else writes', async () => {
    const { secret, link } = await anna.json<Made>('POST', '/v1/links', { photos: [ids.own] })
    const answer = await ben.ask('PATCH', `/photo/${ids.his}/meta`, { albums: { add: [link.link_id] } })
    expect(codeOf(answer)).toBe('404 ERR_ALBUM_NOT_FOUND')
    expect(await (await new Guest().opened(secret)).names()).toEqual(['own.jpg'])
  })
})

describe('a guest', () => {
  test('opens several, sees what they show together, and closes them', async () => {
    const first = await make()
    const second = await anna.json<Made>('POST', '/v1/links', { photos: [ids.own] })
    const guest = await (await new Guest().opened(first.secret)).opened(second.secret)
    expect(await guest.names()).toEqual(['own.jpg', 'shared.jpg'])
    await anna.json('DELETE', `/v1/links/${first.link.link_id}`)
    expect(await guest.names()).toEqual(['own.jpg'])
    expect(await guest.json('DELETE', '/v1/links/open')).toEqual({ status: 'closed' })
    expect(guest.cookies).toBe('')
    expect(codeOf(await guest.send('GET', '/photos'))).toBe('401 ERR_UNAUTHENTICATED')
  })

  test('has at most eight open', async () => {
    const guest = new Guest()
    for (let i = 0; i < 9; i++) await guest.opened((await make()).secret)
    expect(guest.cookies.split('; ')).toHaveLength(8)
  })

  test('who is logged in sees both, and uploads as himself', async () => {
    const { secret } = await make()
    const answer = await new Guest().ask('POST', '/session', { name: 'ben', password: 'long enough' })
    const session = (answer.headers['set-cookie']?.[0] ?? '').split(';', 1)[0] ?? ''
    const link = await new Guest().opened(secret)
    const both = new Guest({ cookie: `${session}; ${link.cookies}` })
    expect(await both.names()).toEqual(['his.jpg', 'shared.jpg'])
    const { body } = await both.send('PUT', '/v1/photos?filename=n.jpg', tinyJpeg(7), { 'content-type': 'image/jpeg' })
    const { photo_id: id } = JSON.parse(body.toString()) as { photo_id: string }
    expect(await ben.json('GET', `/photo/${id}/meta`)).toMatchObject({ owner: { name: 'ben' }, album_ids: [] })
    expect(codeOf(await both.ask('PATCH', `/photo/${ids.shared}/meta`, { caption: 'x' }))).toBe('403 ERR_FORBIDDEN')
  })

  test('is nobody by the secret of a link elsewhere, and nothing else is the secret of one', async () => {
    const { secret, link } = await make()
    for (const token of [secret, `${secret}.`, link.link_id]) {
      const asked = new Somebody(http.url, UNKNOWN, token)
      expect(codeOf(await asked.ask('GET', '/photos'))).toBe('401 ERR_UNAUTHENTICATED')
    }
    for (const text of [link.link_id, OPERATOR_TOKEN.slice(0, 32), 'x', secret.toLowerCase().toUpperCase()])
      expect(codeOf(await new Guest().open(text))).toBe('404 ERR_LINK_NOT_FOUND')
  })

  test('of another page changes nothing with its cookie', async () => {
    const { secret } = await make({ role: 'contributor' })
    const { cookies: cookie } = await new Guest().opened(secret)
    const client = new HttpClient(http.url)
    const headers = { cookie, 'content-type': 'image/jpeg' }
    const put = (more: Readonly<Record<string, string>>): Promise<Answer> =>
      client.request('PUT', '/v1/photos?filename=x.jpg', { headers: { ...headers, ...more }, body: tinyJpeg(7) })
    for (const foreign of [
      {},
      { origin: 'null' },
      { origin: 'http://evil.example' },
      { 'sec-fetch-site': 'same-site' }
    ])
      expect(codeOf(await put(foreign))).toBe('403 ERR_FOREIGN_ORIGIN')
    const [line = ''] = (await new Guest().open(secret)).headers['set-cookie'] ?? []
    expect(line).toMatch(/; Path=\/; HttpOnly; SameSite=Strict$/)
  })
})

test('what nobody knows is refused', async () => {
  for (const body of [
    { album, photos: [ids.own] },
    {},
    { photos: [] },
    { album, role: 'manager' },
    { photos: [ids.own], role: 'contributor' },
    { album, by: ben.id },
    { album, owner: ben.id },
    { album, secret: 'A'.repeat(32) },
    { album, password: 'short' }
  ])
    expect(codeOf(await anna.ask('POST', '/v1/links', body)), JSON.stringify(body)).toBe('400 ERR_BAD_PARAMETER')
  const { link, secret } = await make()
  for (const body of [{}, { album }, { by: ben.id }, { in_force: true }])
    expect(codeOf(await anna.ask('PATCH', `/v1/links/${link.link_id}`, body))).toBe('400 ERR_BAD_PARAMETER')
  expect(codeOf(await new Guest().ask('POST', '/v1/links/open', { secret, role: 'admin' }))).toBe(
    '400 ERR_BAD_PARAMETER'
  )
})

/** A problem without the request that it is of. */
function bare({ body }: Answer): object {
  const { request_id: _, instance: __, ...problem } = JSON.parse(body.toString()) as Record<string, unknown>
  return problem
}
