import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Logger } from '../../src/core/log.js'
import { modelIdOf } from '../../src/domain/features.js'
import type { PhotoId } from '../../src/domain/ids.js'
import { type MadeRequest, type Operation, RequestMaker } from '../support/document-requests.js'
import type { Answer } from '../support/http-client.js'
import { type HttpFixture, startHttp } from '../support/http-fixture.js'
import { SeededRandom, testSeeds } from '../support/seeded-random.js'
import { vectorImage } from '../support/vector-analyzer.js'

/*
 * The document says what the code demands, no more and no less: requests that it allows are not refused as bad, requests
 * that it does not allow are, and whatever comes, every answer has a status, a type and a code that stand in it.
 */
const ROUNDS = 20
/** Rules that a schema cannot tell; their descriptions do. */
const BEYOND: Readonly<Record<string, readonly string[]>> = {
  'get /photos': ['cursor', 'place'],
  'get /photos/timeline': ['place'],
  'get /photos/timeline/{key}': ['place'],
  'get /photos/zip': ['place'],
  'get /trash': ['cursor'],
  'get /duplicates': ['cursor'],
  'post /upload': ['alt_key', 'photo_id'],
  'post /v1/photos/batch': ['delete', 'undelete', 'select', 'total', 'act']
}
/** Where such a rule also has to do with what is there: both ids may be the same. */
const MAY_BE_BAD: ReadonlySet<string> = new Set([
  'post /duplicates/resolve',
  'post /photo/{id}/not_duplicate',
  'post /v1/albums/{id}/photos',
  'post /v1/photos/batch'
])
/** It takes parameters that it does not know. */
const LENIENT: ReadonlySet<string> = new Set(['get /photo/{id}', 'head /photo/{id}'])

let http: HttpFixture
let operations: [method: string, template: string, operation: Operation][]
let known: Record<string, readonly string[]>
const errors: unknown[] = []
const log: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: fields => errors.push(fields),
  child: () => log
}

beforeAll(async () => {
  http = await startHttp({ log, timeouts: { bodyStallMs: 500, lingerMs: 50 } })
  const { paths } = await http.client.json<{ paths: Record<string, Record<string, Operation>> }>(
    'GET',
    '/openapi.json',
    200
  )
  operations = Object.entries(paths).flatMap(([template, methods]) =>
    Object.entries(methods).map(([method, it]): [string, string, Operation] => [method, template, it])
  )
  const id = modelIdOf(http.analyzer.digest)
  await http.similarity.models.use({ id, name: 'test', spaces: new Map([['image', 2]]) })
  http.analyzer.texts.set('a red rose', Float32Array.of(1, 0))
  const ids: string[] = []
  for (const note of ['one', 'two', 'three', 'four']) {
    ids.push((await http.client.putPhoto(vectorImage([3, 4], note), 'a.jpg', 'image/jpeg')).photo_id)
    await http.see(ids.at(-1) as PhotoId, [3, 4])
  }
  await http.client.remove(ids[3] as string)
  const { job_id } = await http.client.json<{ job_id: string }>('POST', '/v1/admin/verify', 202)
  known = {
    id: [...ids, '01890000-0000-7000-8000-000000000000', (ids[0] as string).toUpperCase(), job_id].filter(isPhotoId),
    job: [job_id, 'none'],
    lv: [http.store.volume, 'none'],
    q: ['a red rose', 'three']
  }
})

afterAll(() => http.close())

function isPhotoId(text: string): boolean {
  return text.length === 36
}

/** Sends it, and holds the answer against the document. */
async function ask(method: string, template: string, operation: Operation, made: MadeRequest): Promise<Answer> {
  const what = `${method} ${made.path} ${made.fault} ${JSON.stringify(made.options.headers)} ${made.options.body?.toString().slice(0, 300)}`
  const answer = await send(method, template, made)
  const response = operation.responses[answer.status]
  expect(response, `${what} is answered ${answer.status} ${answer.body}`).toBeDefined()
  if (method === 'head' || answer.status === 204 || answer.status === 304) return answer
  const [type = ''] = (answer.headers['content-type'] ?? '').split(';')
  const content = response?.content ?? {}
  const listed = content[type] ?? content['*/*']
  expect(listed, `${what} is answered ${answer.status} with ${type}`).toBeDefined()
  if (answer.status >= 400) {
    const { code, status } = JSON.parse(answer.body.toString())
    expect(status, what).toBe(answer.status)
    expect(response?.description.split(/[ ,:]+/), `${what} is answered ${answer.status}`).toContain(code)
  }
  return answer
}

/** Of events, which never end, the head alone. */
async function send(method: string, template: string, { path, options }: MadeRequest): Promise<Answer> {
  if (template !== '/events') return await http.client.request(method.toUpperCase(), path, options)
  const response = await http.client.open(method.toUpperCase(), path, options)
  const { statusCode = 0, headers } = response
  if (statusCode === 200) response.destroy()
  else {
    const pieces: Buffer[] = []
    for await (const piece of response) pieces.push(piece as Buffer)
    return { status: statusCode, headers, body: Buffer.concat(pieces) }
  }
  return { status: statusCode, headers, body: Buffer.alloc(0) }
}

test.each(testSeeds(1))(
  'what is asked and answered is in the document, under seed %i',
  async seed => {
    const random = new SeededRandom(seed)
    const counts = { good: 0, bad: 0, odd: 0 }
    for (const [method, template, operation] of operations) {
      const name = `${method} ${template}`
      const isStrict = !LENIENT.has(name) && operation.parameters?.some(parameter => parameter.in === 'query') === true
      const skip = new Set(BEYOND[name] ?? [])
      const values = template.includes('/jobs/') ? { ...known, id: known.job ?? [] } : known
      const maker = new RequestMaker(random.fork(), values, vectorImage([4, 3], `${random.below(1e9)}`))
      for (let round = 0; round < ROUNDS; round++) {
        const good = maker.good(template, operation, skip)
        const { status } = await ask(method, template, operation, good)
        counts.good++
        if (!MAY_BE_BAD.has(name)) {
          expect([400, 413, 415], `${name}: ${good.path} ${good.options.body}`).not.toContain(status)
        }
        const bad = maker.bad(template, operation, skip, isStrict)
        if (bad !== undefined) {
          const refused = await ask(method, template, operation, bad)
          counts.bad++
          expect(refused.status, `${name}: ${bad.fault}: ${bad.path} ${bad.options.body}`).toBeGreaterThanOrEqual(400)
          expect(refused.status, `${name}: ${bad.fault}: ${bad.path}`).toBeLessThan(500)
        }
        await ask(method, template, operation, maker.odd(template, operation, skip))
        counts.odd++
      }
    }
    expect(errors).toEqual([])
    expect(counts.bad).toBeGreaterThan(300)
  },
  60_000
)
