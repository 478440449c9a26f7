import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { codeOf } from '../support/http-answers.js'
import { type Answer, HttpClient } from '../support/http-client.js'
import { OPERATOR_TOKEN } from '../support/http-fixture.js'
import { httpForEachTest } from '../support/http-for-each-test.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { answerJson, cli, fakeNode } from './cli-harness.js'

const { http } = httpForEachTest()

const PHOTO = '01890000-0000-7000-8000-000000000000'
const ACTS: readonly (readonly [method: string, path: string, body: object | undefined])[] = [
  ['POST', '/v1/admin/leave', undefined],
  ['POST', '/v1/admin/rebuild-directory', undefined],
  ['POST', '/v1/admin/compact?now=true', undefined],
  ['DELETE', '/v1/admin/members/12D3KooWNobody', undefined],
  ['POST', '/v1/admin/exhume', { ids: [PHOTO] }],
  ['POST', '/v1/admin/laid-out/release', {}]
]

function ask(method: string, path: string, body?: object, authorization?: string): Promise<Answer> {
  const client = new HttpClient(http.url)
  const headers = { ...(authorization && { authorization }), ...(body && { 'content-type': 'application/json' }) }
  return client.request(method, path, { headers, ...(body && { body: Buffer.from(JSON.stringify(body)) }) })
}

describe('what only the operator may do', () => {
  test.each(ACTS)('%s %s needs the token, on loopback, too', async (method, path, body) => {
    for (const authorization of [undefined, `Bearer ${'0'.repeat(64)}`, `Basic ${OPERATOR_TOKEN}`]) {
      const answer = await ask(method, path, body, authorization)
      expect(codeOf(answer)).toBe('401 ERR_NOT_OPERATOR')
      expect(answer.headers['www-authenticate']).toBe('Bearer realm="operator"')
    }
    const allowed = await ask(method, path, body, `Bearer ${OPERATOR_TOKEN}`)
    expect(allowed.status, allowed.body.toString()).not.toBe(401)
  })

  test('bad input is said before', async () => {
    expect(codeOf(await ask('POST', '/v1/admin/exhume', { ids: ['x'] }))).toBe('400 ERR_BAD_ID')
    expect(codeOf(await ask('POST', '/v1/admin/laid-out/release', { ids: ['x'] }))).toBe('400 ERR_BAD_ID')
    expect(codeOf(await ask('POST', '/v1/admin/compact?now=perhaps'))).toBe('400 ERR_BAD_PARAMETER')
  })

  test('all else of /v1/admin stays open', async () => {
    for (const kind of ['verify', 'scrub', 'repair', 'compact', 'compact?now=false'])
      expect((await ask('POST', `/v1/admin/${kind}`)).status, kind).toBe(202)
    expect((await ask('GET', '/v1/admin/laid-out')).status).toBe(200)
  })
})

test('GET /session says what the page may do, and where the cluster is found when this node is gone', async () => {
  const session = async (authorization?: string): Promise<{ can: string[] }> =>
    JSON.parse((await ask('GET', '/session', undefined, authorization)).body.toString())
  const everybody = ['read', 'download', 'upload', 'edit', 'delete', 'jobs', 'watch', 'maintain', 'metrics']
  const node = { id: '12D3KooWTest', name: 'box' }
  expect(await session()).toEqual({
    user: null,
    accounts: false,
    signup: 'off',
    can: everybody,
    expires_at: null,
    node,
    nodes: []
  })
  expect((await session('Bearer wrong')).can).toEqual(everybody)
  const ofOperator = (await session(`Bearer ${OPERATOR_TOKEN}`)).can
  expect(ofOperator.toSorted()).toEqual([...everybody, 'account', 'accounts', 'operate'].toSorted())
})

describe('sheaf takes the token', () => {
  const leave = async (args: readonly string[], environment: Record<string, string> = {}, node = http.url) =>
    cli(['leave', ...args], { environment: { SHEAF_NODE: node, ...environment } })

  test('from the data folder or a file: a flag before the environment', async () => {
    const folder = await temporaryDirectory()
    const [data, wrong, file] = [join(folder, 'data'), join(folder, 'wrong'), join(folder, 'token')]
    for (const [path, token] of [
      [data, OPERATOR_TOKEN],
      [wrong, '0'.repeat(64)]
    ] as const) {
      await mkdir(path)
      await writeFile(join(path, 'operator.token'), `${token}\n`)
    }
    await writeFile(file, OPERATOR_TOKEN)
    expect((await leave([], { SHEAF_DATA: data })).code).toBe(0)
    expect((await leave([], { SHEAF_TOKEN_FILE: file, SHEAF_DATA: wrong })).code).toBe(0)
    expect((await leave(['--data', data], { SHEAF_TOKEN_FILE: join(folder, 'none') })).code).toBe(0)
    expect((await leave(['--token-file', file, '--data', wrong])).code).toBe(0)
    const refused = await leave(['--data', wrong])
    expect(refused.code).toBe(1)
    expect(refused.stderr).toMatch(/^sheaf: this is not the operator's token of this node: .*\(ERR_NOT_OPERATOR\)\n$/)
  })

  test('and says where it looked when there is none', async () => {
    const folder = await temporaryDirectory()
    const missing = await leave(['--data', folder])
    expect([missing.code, missing.stderr]).toEqual([
      2,
      `sheaf: this needs the operator's token, and ${join(folder, 'operator.token')} cannot be read (ENOENT): name the ` +
        "node's data folder with --data DIR, or its token with --token-file FILE (ERR_USAGE)\n"
    ])
    const file = join(folder, 'file')
    await writeFile(file, 'hello\n')
    const wrong = await leave(['--token-file', file])
    expect([wrong.code, wrong.stderr]).toEqual([
      2,
      expect.stringContaining(`${file} does not hold an operator's token`)
    ])
    expect(wrong.stderr).not.toContain('hello')
  })

  test('that of this machine is not shown to a node elsewhere', async () => {
    const folder = await temporaryDirectory()
    await writeFile(join(folder, 'operator.token'), OPERATOR_TOKEN)
    const asked: (string | undefined)[] = []
    const node = await fakeNode((request, response) => {
      asked.push(request.headers.authorization)
      answerJson(response, 202, { job_id: 'x', kind: 'leave', state: 'done' })
    })
    const elsewhere = await leave([], { SHEAF_DATA: folder }, 'http://203.0.113.7:8000')
    expect([elsewhere.code, elsewhere.stderr]).toEqual([2, expect.stringContaining('token of 203.0.113.7:8000: copy')])
    expect((await leave([], { SHEAF_DATA: folder }, node)).code).toBe(0)
    expect(asked).toEqual([`Bearer ${OPERATOR_TOKEN}`])
  })

  test('only where it is needed', async () => {
    const asked: (string | undefined)[] = []
    const node = await fakeNode((request, response) => {
      asked.push(request.headers.authorization)
      answerJson(response, 202, { job_id: 'x', kind: 'compact', state: 'done', laid_out: [], total: 0 })
    })
    for (const command of ['compact', 'laid-out', 'verify']) expect((await cli([command], { node })).code).toBe(0)
    expect(asked).toEqual([undefined, undefined, undefined])
  })
})

describe('the log level', () => {
  const LEVEL = { method: 'POST', path: '/v1/admin/log-level' } as const

  test('is changed at run time, by the operator alone', async () => {
    const set = (level: unknown, token?: string) => ask(LEVEL.method, LEVEL.path, { level }, token)
    expect(codeOf(await set('debug'))).toBe('401 ERR_NOT_OPERATOR')
    expect(codeOf(await set('loud'))).toBe('400 ERR_BAD_PARAMETER')
    expect(http.logLevel.level).toBe('info')
    const { status, body } = await set('debug', `Bearer ${OPERATOR_TOKEN}`)
    expect([status, JSON.parse(body.toString())]).toEqual([200, { level: 'debug', previous: 'info' }])
    expect(http.logLevel.level).toBe('debug')
  })

  test('sheaf log-level LEVEL', async () => {
    expect(await cli(['log-level', 'warn'], { node: http.url })).toMatchObject({ code: 0, stdout: 'warn, was info\n' })
    expect((await cli(['log-level', 'warn', '--json'], { node: http.url })).stdout).toBe(
      '{"level":"warn","previous":"warn"}\n'
    )
    const wrong = await cli(['log-level', 'loud'], { node: http.url })
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('trace, debug, info, warn')])
    expect(http.logLevel.level).toBe('warn')
  })
})
