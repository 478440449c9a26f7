import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { OPERATOR_TOKEN_FILE } from '../../src/core/operator-token.js'
import type { Directory } from '../../src/directory/directory.js'
import type { DirectoryQuery } from '../../src/directory/query.js'
import { AudienceSet, audienceText, namedAudience, photoAudience } from '../../src/domain/audience.js'
import type { AlbumId, UserId } from '../../src/domain/ids.js'
import { viewPhoto } from '../../src/domain/photo.js'
import { encodeRecord } from '../../src/domain/record-codec.js'
import { HttpClient } from '../support/http-client.js'
import { NodeProcess } from '../support/node-process.js'
import { PhotoWriter } from '../unit/directory/photo-log.js'
import { cpuMs } from './cpu-time.js'
import { openDirectory } from './lists.js'
import { atMost, type Measure, median } from './report.js'

const PHOTO_COUNT = 100_000
const BATCH_RECORDS = 1_000
const AUDIENCES = 2_000
const SHARES = [0.001, 0.01, 0.1, 0.5] as const
const PAGE_ROUNDS = 15
const LIMIT = 50
const PAGE_MS_MAX = 20
const WORST_MS_MAX = 35
const OWNER = '01890000-0000-7000-8000-000000000001' as UserId
const EVERYTHING = '01890000-0000-7000-9000-000000000000' as AlbumId
const PASSWORD = 'long enough'
const GETS = 4_000
const GET_ROUNDS = 5
const HOT_US_MAX = 10
const REVOCATIONS = 60
const NO_MODEL = ['--model', 'none']

const albumOf = (n: number): AlbumId => `01890000-0000-7000-8000-${String(n).padStart(12, '0')}` as AlbumId

/** Lists of people who see some photos, in this process; and what people cost two real nodes. */
export async function measurePeople(scratch: string): Promise<Measure[]> {
  return [...(await measureLists(join(scratch, 'people-lists'))), ...(await measureNodes(scratch))]
}

// --- lists ---

async function measureLists(folder: string): Promise<Measure[]> {
  const directory = await openDirectory(folder)
  const counts = new Map<string, number>()
  for (let made = 0; made < PHOTO_COUNT; made += BATCH_RECORDS) {
    const writer = new PhotoWriter(made)
    const records = Array.from({ length: BATCH_RECORDS }, (_, i) => {
      writer.clock.setWall(Date.UTC(2015, 0, 1) + (made + i) * 60_000)
      const record = writer.birth({ owner: OWNER, albums: [albumOf(skewed(made + i)), EVERYTHING] })
      const text = audienceText(photoAudience(viewPhoto(record)))
      counts.set(text, (counts.get(text) ?? 0) + 1)
      return record
    })
    await directory.merge(records.map(encodeRecord))
  }
  const measures: Measure[] = []
  const pages = async (name: string, query: Omit<DirectoryQuery, 'limit'>, msMax: number): Promise<void> => {
    const ms = await firstPageMs(directory, query)
    measures.push({
      name: `first page of ${LIMIT}: ${name}`,
      value: `${ms.toFixed(1)} ms of CPU`,
      number: ms,
      target: atMost(msMax, `≤ ${msMax} ms`),
      note: `with its total, of ${PHOTO_COUNT.toLocaleString('en')} photos in ${counts.size.toLocaleString('en')} audiences; median of ${PAGE_ROUNDS}`
    })
  }
  for (const share of SHARES) {
    const audiences = seenShare(counts, share)
    await pages(
      `/photos of who sees ${100 * share} %, ${audiences.texts.length} audiences`,
      { terms: [], words: [], audiences },
      WORST_MS_MAX
    )
  }
  const album = directory.language.labelTerm('album', EVERYTHING)
  await pages(
    'an album of all, by who sees all of it',
    { terms: [album], words: [], audiences: seenShare(counts, 1) },
    PAGE_MS_MAX
  )
  await directory.stop()
  return measures
}

/** @returns the number of an album: of few there are many photos */
function skewed(n: number): number {
  const fraction = ((n * 7_919) % PHOTO_COUNT) / PHOTO_COUNT
  return Math.floor(fraction ** 2 * AUDIENCES)
}

/** @returns the smallest audiences that have that share of the photos together */
function seenShare(counts: ReadonlyMap<string, number>, share: number): AudienceSet {
  const texts: string[] = []
  let photos = 0
  for (const [text, count] of [...counts].sort(([, a], [, b]) => a - b)) {
    if (photos >= share * PHOTO_COUNT) break
    texts.push(text)
    photos += count
  }
  return new AudienceSet(texts.map(namedAudience))
}

async function firstPageMs(directory: Directory, query: Omit<DirectoryQuery, 'limit'>): Promise<number> {
  const times: number[] = []
  for (let round = 0; round < PAGE_ROUNDS + 3; round++) {
    const before = process.cpuUsage()
    const page = await directory.query({ ...query, limit: LIMIT })
    const { user, system } = process.cpuUsage(before)
    if (page.records.length !== LIMIT) throw new Error(`a page has ${page.records.length} photos`)
    if (round >= 3) times.push((user + system) / 1_000)
  }
  return median(times)
}

// --- nodes ---

async function measureNodes(scratch: string): Promise<Measure[]> {
  const folder = join(scratch, 'people-nodes')
  mkdirSync(folder, { recursive: true })
  const key = join(folder, 'key')
  writeFileSync(key, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600 })
  const flags = ['--cluster-key', key, ...NO_MODEL]
  const a = await NodeProcess.start({ dataDir: join(folder, 'a'), flags, logLevel: 'error' })
  const b = await NodeProcess.start({
    dataDir: join(folder, 'b'),
    flags: [...flags, '--join', a.p2p],
    logLevel: 'error'
  })
  const clients = [new HttpClient(a.url), new HttpClient(b.url)] as const
  const photo = (await clients[0].putPhoto(randomBytes(4_096), 'before.bin', 'application/octet-stream')).photo_id
  await getAll(clients[0], photo, {}, GETS)
  const without: number[] = []
  for (let round = 0; round < GET_ROUNDS; round++)
    without.push(await usEach(a, () => getAll(clients[0], photo, {}, GETS)))
  const operator = `Bearer ${readFileSync(join(folder, 'a', OPERATOR_TOKEN_FILE), 'utf8').trim()}`
  await send(
    clients[0],
    'POST',
    '/v1/users',
    { authorization: operator },
    { name: 'anna', password: PASSWORD, role: 'admin' }
  )
  await send(
    clients[0],
    'POST',
    '/v1/users',
    { authorization: operator },
    { name: 'ben', password: PASSWORD, role: 'user' }
  )
  const anna = await logIn(clients[0], 'anna')
  const withCookie: number[] = []
  await getAll(clients[0], photo, anna, GETS)
  for (let round = 0; round < GET_ROUNDS; round++)
    withCookie.push(await usEach(a, () => getAll(clients[0], photo, anna, GETS)))
  const ben = await logInWhenKnown(clients[1], 'ben')
  const revoked = await measureRevocations(clients, anna, ben)
  for (const client of clients) client.close()
  for (const node of [a, b]) await node.stop()
  const extraUs = median(withCookie) - median(without)
  return [
    {
      name: 'hot GET of 4 KB: CPU with a cookie − without',
      value: `${extraUs.toFixed(1)} µs`,
      number: extraUs,
      target: atMost(HOT_US_MAX, `≤ ${HOT_US_MAX} µs`),
      note: `one client; ${median(withCookie).toFixed(1)} − ${median(without).toFixed(1)} µs, medians of ${GET_ROUNDS} rounds of ${GETS}; spread ${(Math.max(...without) - Math.min(...without)).toFixed(1)} µs`
    },
    milliseconds('a role taken away acts on another node, p50', revoked, 0.5, 20),
    milliseconds('a role taken away acts on another node, p99', revoked, 0.99, 250)
  ]
}

/** From the answer of the node that takes the role away to the first 404 of the other, which is asked in a loop. */
async function measureRevocations(
  [here, there]: readonly [HttpClient, HttpClient],
  anna: Headers,
  ben: Headers
): Promise<number[]> {
  const { album_id } = await send<{ album_id: string }>(here, 'POST', '/v1/albums', anna, { title: 'Meer' })
  const { photo_id } = await send<{ photo_id: string }>(
    here,
    'PUT',
    '/photo?filename=shared.bin',
    anna,
    randomBytes(1_000)
  )
  await send(here, 'POST', `/v1/albums/${album_id}/photos`, anna, { add: [photo_id] })
  const share = `/v1/albums/${album_id}/shares/ben`
  const statusThere = async (): Promise<number> =>
    (await there.request('GET', `/photo/${photo_id}`, { headers: ben })).status
  const times: number[] = []
  for (let n = 0; n < REVOCATIONS; n++) {
    await send(here, 'PUT', share, anna, { role: 'viewer' })
    while ((await statusThere()) !== 200) await wait(1)
    await send(here, 'DELETE', share, anna)
    const from = performance.now()
    while ((await statusThere()) !== 404) await wait(1)
    times.push(performance.now() - from)
  }
  return times
}

type Headers = Readonly<Record<string, string>>

async function usEach(node: NodeProcess, gets: () => Promise<void>): Promise<number> {
  const before = cpuMs(node)
  await gets()
  return (1_000 * (cpuMs(node) - before)) / GETS
}

async function getAll(client: HttpClient, id: string, headers: Headers, count: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    const { status } = await client.request('GET', `/photo/${id}`, { headers })
    if (status !== 200) throw new Error(`GET /photo/${id}: ${status}`)
  }
}

async function logIn(client: HttpClient, name: string): Promise<Headers> {
  const body = Buffer.from(JSON.stringify({ name, password: PASSWORD }))
  const headers = { 'content-type': 'application/json', ...SAME_ORIGIN }
  const answer = await client.request('POST', '/session', { headers, body })
  const [cookie] = answer.headers['set-cookie'] ?? []
  if (answer.status !== 200 || cookie === undefined) throw new Error(`POST /session: ${answer.status} ${answer.body}`)
  return { cookie: cookie.split(';')[0] as string, ...SAME_ORIGIN }
}

/** A page of the node sends it: cookies change nothing otherwise. */
const SAME_ORIGIN = { 'sec-fetch-site': 'same-origin' }

async function logInWhenKnown(client: HttpClient, name: string): Promise<Headers> {
  for (let tries = 0; ; tries++) {
    try {
      return await logIn(client, name)
    } catch (err) {
      if (tries === 20) throw err
      await wait(200)
    }
  }
}

async function send<Json>(
  client: HttpClient,
  method: string,
  path: string,
  headers: Headers,
  body?: object
): Promise<Json> {
  const isJson = body !== undefined && !Buffer.isBuffer(body)
  const bytes = isJson ? Buffer.from(JSON.stringify(body)) : body
  const type = isJson ? 'application/json' : 'application/octet-stream'
  const answer = await client.request(method, path, {
    headers: { ...headers, ...(bytes && { 'content-type': type }) },
    ...(bytes && { body: bytes })
  })
  if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.body}`)
  return answer.body.length === 0 ? (undefined as Json) : (JSON.parse(answer.body.toString()) as Json)
}

function milliseconds(name: string, times: readonly number[], part: number, msMax: number): Measure {
  const sorted = times.toSorted((a, b) => a - b)
  const ms = sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] as number
  return {
    name,
    value: `${ms.toFixed(1)} ms`,
    number: ms,
    target: atMost(msMax, `≤ ${msMax} ms`),
    note: `${times.length} times, on two nodes on loopback; from the answer of one to the first 404 of the other, asked for in a loop`
  }
}
