import { describe, expect, onTestFinished, test } from 'vitest'
import { type HttpFixture, type HttpFixtureInit, startHttp } from '../support/http-fixture.js'
import { answerJson, type CliOptions, type CliResult, cli, fakeNode } from './cli-harness.js'

const OTHER = '12D3KooWOther'
const THIRD = '12D3KooWThird'
const UNKNOWN = '01890000-0000-7000-8000-000000000000'

async function start(init: HttpFixtureInit = {}): Promise<HttpFixture> {
  const http = await startHttp(init)
  onTestFinished(() => http.close())
  return http
}

/** A node on which the graves of one node have ended `a` and `b`, and those of another `c`. */
async function withLaidOut(init: HttpFixtureInit = {}): Promise<{ http: HttpFixture; ids: string[] }> {
  const http = await start(init)
  const ids: string[] = []
  for (const name of ['a', 'b', 'c']) ids.push((await http.client.putPhoto(Buffer.from(name), name)).photo_id)
  await http.bury(OTHER, ...ids.slice(0, 2))
  await http.bury(THIRD, ...ids.slice(2))
  return { http, ids }
}

function run(http: HttpFixture, args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  return cli(args, { node: http.url, ...options })
}

const typed = (text: string): CliOptions => ({ typed: text, stderrIsTerminal: true })

function leftOn(http: HttpFixture): string[] {
  return http.laidOut.list().map(({ key }) => key.id)
}

describe('asking before what cannot be undone', () => {
  const WARNING = 'This cannot be undone: deleted photos younger than a day cannot be brought back.'

  /** @returns what a node was told to do by `compact --now` */
  async function compactNow(
    options: CliOptions,
    ...flags: readonly string[]
  ): Promise<CliResult & { asked: string[] }> {
    const asked: string[] = []
    const node = await fakeNode((request, response) => {
      asked.push(`${request.method} ${request.url}`)
      answerJson(response, 202, { job_id: 'x', kind: 'compact', state: 'done', result: { freed_bytes: 5 } })
    })
    return { ...(await cli(['compact', '--now', ...flags], { node, ...options })), asked }
  }

  test.each(['y\n', 'Y\n', 'yes\n', ' y \n', 'y'])('%j is yes', async text => {
    const { code, stderr, stdout, asked } = await compactNow(typed(text))
    expect([code, stdout]).toEqual([0, 'freed  5 B\n'])
    expect(stderr).toContain(`${WARNING} Continue? [y/N] `)
    expect(asked).toEqual(['POST /v1/admin/compact?now=true'])
  })

  test.each(['\n', 'n\n', 'yup\n', 'no\ny\n', ''])('%j is no', async text => {
    const { code, stderr, stdout, asked } = await compactNow(typed(text))
    expect([code, stdout, asked]).toEqual([1, '', []])
    expect(stderr).toBe(`${WARNING} Continue? [y/N] nothing was changed\n`)
  })

  test('--yes needs no terminal, and nobody is asked', async () => {
    expect(await compactNow({}, '--yes')).toMatchObject({ code: 0, stderr: '', asked: [expect.any(String)] })
  })

  test('without a terminal it is wrong usage', async () => {
    for (const options of [{}, { typed: 'y\n' }, { stderrIsTerminal: true }]) {
      const { code, stderr, asked } = await compactNow(options)
      expect([code, asked]).toEqual([2, []])
      expect(stderr).toBe(`sheaf: ${WARNING} There is no terminal to ask on: give --yes if that is meant (ERR_USAGE)\n`)
    }
  })

  test('an interrupt ends the wait for an answer', async () => {
    const interrupt = new AbortController()
    const stopped = cli(['compact', '--now'], { ...typed(''), neverTyped: true, signal: interrupt.signal })
    interrupt.abort(new Error('interrupted'))
    expect(await stopped).toMatchObject({ code: 1, stderr: `${WARNING} Continue? [y/N] ` })
  })

  test('without --now nobody is asked', async () => {
    const http = await start()
    expect(await run(http, ['compact'])).toMatchObject({ code: 0, stderr: '' })
  })
})

describe('sheaf laid-out', () => {
  test('lists what graves have ended, for people and for machines', async () => {
    const { http, ids } = await withLaidOut()
    const { code, stdout, stderr } = await run(http, ['laid-out'])
    expect([code, stderr]).toEqual([0, ''])
    const [head, ...rows] = stdout.trimEnd().split('\n')
    expect(head).toMatch(/^ID +DIED +BY +KEPT UNTIL +NAME$/)
    const TIME = String.raw`\d{4}-\d\d-\d\d \d\d:\d\d`
    expect(rows[0]).toMatch(new RegExp(`^${ids[0]}  ${TIME}  ${OTHER}  ${TIME}  a$`))
    expect(rows[2]).toMatch(new RegExp(`^${ids[2]}  ${TIME}  ${THIRD}  ${TIME}  c$`))
    expect(rows).toHaveLength(3)
    expect((await run(http, ['laid-out', '--by', THIRD])).stdout.split('\n')).toHaveLength(3)
    const machine = await run(http, ['laid-out', '--json'])
    expect(JSON.parse(machine.stdout)).toMatchObject({ total: 3, alarm: false, laid_out: expect.any(Array) })
  })

  test('says when there is nothing, and when the list is not whole', async () => {
    const http = await start()
    expect(await run(http, ['laid-out'])).toMatchObject({ code: 0, stdout: '', stderr: '' })
    expect((await run(http, ['laid-out'], { stderrIsTerminal: true })).stderr).toBe('nothing is laid out\n')
    const row = { photo_id: UNKNOWN, from: null, died_at: 'x', until: 'y', name: 'z\u001b[2J' }
    const node = await fakeNode((_, response) => answerJson(response, 200, { laid_out: [row], total: 7, alarm: false }))
    const { stdout, stderr } = await cli(['laid-out'], { node })
    expect(stdout).toMatch(/ x +\? +y +z�\[2J\n$/)
    expect(stderr).toBe('1 of 7 photos\n')
  })

  test('an alarm is said plainly', async () => {
    const { http } = await withLaidOut({ keptUp: true })
    const { code, stdout, stderr } = await run(http, ['laid-out'])
    expect(code).toBe(0)
    expect(stderr).toMatch(/^ALARM: graves have ended so much here that nothing of it is let go before you have looked/)
    expect(stdout).toContain(`  ${OTHER}  you have looked  a\n`)
  })

  test('--release lets go, of all or of one node’s, once it is meant', async () => {
    const { http, ids } = await withLaidOut()
    const asked = await run(http, ['laid-out', '--release', '--by', OTHER], typed('n\n'))
    expect([asked.code, leftOn(http)]).toEqual([1, ids])
    expect(asked.stderr).toContain('This cannot be undone: 2 photos that graves have ended cannot be brought back.')
    expect((await run(http, ['laid-out', '--release'])).code).toBe(2)
    expect(leftOn(http)).toEqual(ids)
    expect(await run(http, ['laid-out', '--release', '--by', OTHER], typed('y\n'))).toMatchObject({
      code: 0,
      stdout: 'released  2\n'
    })
    expect(leftOn(http)).toEqual(ids.slice(2))
    const rest = await run(http, ['laid-out', '--release', '--yes', '--json'])
    expect(JSON.parse(rest.stdout)).toEqual({ released: 1 })
    expect(leftOn(http)).toEqual([])
  })
})

describe('sheaf exhume', () => {
  test('brings back the photos that are named', async () => {
    const { http, ids } = await withLaidOut()
    const { code, stdout, stderr } = await run(http, ['exhume', ids[0] ?? '', UNKNOWN, ids[2] ?? ''])
    expect([code, stdout]).toEqual([1, `${ids[0]}\n${ids[2]}\n`])
    expect(stderr).toBe(`sheaf: ${UNKNOWN}: the photo is not buried, so there is nothing to exhume (ERR_NOT_BURIED)\n`)
    expect((await run(http, ['get', ids[0] ?? ''])).stdout).toBe('a')
    expect(leftOn(http)).toEqual([ids[1]])
    const machine = await run(http, ['exhume', '--json', ids[1] ?? ''])
    expect([machine.code, JSON.parse(machine.stdout)]).toEqual([0, { photo_id: ids[1], status: 'exhumed' }])
  })

  test('--laid-out brings back what a node has ended, or what died since a time, once it is meant', async () => {
    const { http, ids } = await withLaidOut()
    const asked = await run(http, ['exhume', '--laid-out', '--by', OTHER], typed('n\n'))
    expect([asked.code, asked.stdout]).toEqual([1, ''])
    expect(asked.stderr).toContain('This brings 2 photos back on all nodes. Continue? [y/N] ')
    expect((await run(http, ['exhume', '--laid-out', '--by', OTHER])).code).toBe(2)
    expect(leftOn(http)).toEqual(ids)

    expect(await run(http, ['exhume', '--laid-out', '--by', OTHER, '--yes'])).toMatchObject({
      code: 0,
      stdout: `${ids[0]}\n${ids[1]}\n`,
      stderr: ''
    })
    expect(leftOn(http)).toEqual(ids.slice(2))
    const later = await run(http, ['exhume', '--laid-out', '--since', '2999-01-01', '--yes'])
    expect([later.code, later.stdout]).toEqual([0, ''])
    const since = await run(http, ['exhume', '--laid-out', '--since', '2026-01-01T00:00', '--yes'])
    expect([since.code, since.stdout, leftOn(http)]).toEqual([0, `${ids[2]}\n`, []])
  })

  test('--laid-out goes on behind a full list, and stops at what cannot be brought back', async () => {
    const entry = (i: number): object => ({ photo_id: `id-${i}` })
    let left = Array.from({ length: 5 }, (_, i) => i)
    const node = await fakeNode((request, response) => {
      if (request.method === 'GET') {
        const { searchParams } = new URL(request.url ?? '', 'http://x')
        const limit = Math.min(2, Number(searchParams.get('limit')))
        answerJson(response, 200, { laid_out: left.slice(0, limit).map(entry), total: left.length, alarm: false })
        return
      }
      const shown = left.slice(0, 2)
      left = left.filter(i => !shown.includes(i) || i === 1 || i === 3)
      const results = shown.map(i => ({
        photo_id: `id-${i}`,
        ...(i === 1 || i === 3 ? { status: 'failed', code: 'ERR_LATER' } : { status: 'exhumed' })
      }))
      answerJson(response, 200, { results })
    })
    const { code, stdout, stderr } = await cli(['exhume', '--laid-out', '--by', 'x', '--yes'], { node })
    expect([code, stdout]).toEqual([1, 'id-0\nid-2\n'])
    expect(stderr).toMatch(/^sheaf: id-1: ERR_LATER \(ERR_INTERNAL\)\n/)
    expect(stderr).toMatch(/\nsheaf: 1 photo behind those that failed were not tried\n$/)
  })

  test('what is not clear is wrong usage', async () => {
    const http = await start()
    for (const args of [
      [],
      ['--laid-out'],
      ['--laid-out', '--by', OTHER, UNKNOWN],
      ['--by', OTHER],
      [UNKNOWN, '--since', '2026-01-01'],
      ['--laid-out', '--since', 'yesterday'],
      ['--laid-out', '--since', '2026-13-01']
    ])
      expect((await run(http, ['exhume', ...args, '--yes'])).code, args.join(' ')).toBe(2)
  })
})

describe('sheaf status', () => {
  test('says when something is laid out, and by whose graves', async () => {
    expect((await run(await start(), ['status'])).stderr).toBe('')
    const { http } = await withLaidOut()
    const { code, stderr } = await run(http, ['status'])
    expect([code, stderr]).toEqual([
      0,
      `3 photos died here by graves from ${OTHER}, ${THIRD}, and can still be brought back: see \`sheaf laid-out\`\n`
    ])
  })

  test('says an alarm', async () => {
    const { http } = await withLaidOut({ keptUp: true })
    const { stderr } = await run(http, ['status'])
    expect(stderr).toMatch(
      /^ALARM: 3 photos died here by graves from .*; nothing of it is let go before you have looked/
    )
    expect(stderr.split('\n')).toHaveLength(2)
  })
})
