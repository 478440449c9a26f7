import { chmod, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Login, Logins, loginsPath, originOf, parseToken } from '../../../../src/cli/shell/logins.js'
import { parseNodeAddress } from '../../../../src/cli/shell/node-client.js'
import { systemRandom } from '../../../../src/core/random.js'
import { temporaryDirectory } from '../../../support/temporary-directory.js'

const LOGIN: Login = { name: 'anna', accessToken: 'a.b', refreshToken: 'c.d', expiresAt: '2026-12-01T00:00:00Z' }
const HERE = 'http://127.0.0.1:8000'

async function folderOfLogins(): Promise<{ path: string; logins: Logins }> {
  const path = join(await temporaryDirectory(), 'config', 'sheaf', 'logins.json')
  return { path, logins: new Logins({ random: systemRandom }, path) }
}

test('a log-in is found by its origin alone, and nobody else can read the file', async () => {
  const { path, logins } = await folderOfLogins()
  expect(await logins.get(HERE)).toBeUndefined()
  await logins.keep(HERE, LOGIN)
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  expect(await new Logins({ random: systemRandom }, path).get(HERE)).toEqual(LOGIN)
  for (const other of ['http://127.0.0.1:8001', 'https://127.0.0.1:8000', 'http://localhost:8000'])
    expect(await logins.get(other)).toBeUndefined()
  await logins.forget(HERE)
  expect(await logins.get(HERE)).toBeUndefined()
  expect(await readFile(path, 'utf8')).not.toContain('c.d')
})

test('a token that comes late does not bring back a log-in that was ended or replaced', async () => {
  const { logins } = await folderOfLogins()
  await logins.renew(HERE, LOGIN)
  expect(await logins.get(HERE)).toBeUndefined()
  await logins.keep(HERE, { ...LOGIN, refreshToken: 'of-another' })
  await logins.renew(HERE, { ...LOGIN, accessToken: 'late' })
  expect((await logins.get(HERE))?.accessToken).toBe('a.b')
  await logins.renew(HERE, { ...LOGIN, refreshToken: 'of-another', accessToken: 'next' })
  expect((await logins.get(HERE))?.accessToken).toBe('next')
})

test('there are a hundred at most, and the oldest goes first', async () => {
  const { path, logins } = await folderOfLogins()
  for (let port = 1; port <= 101; port++) await logins.keep(`http://127.0.0.1:${port}`, LOGIN)
  expect(Object.keys(JSON.parse(await readFile(path, 'utf8')).logins)).toHaveLength(100)
  expect(await logins.get('http://127.0.0.1:1')).toBeUndefined()
  expect(await logins.get('http://127.0.0.1:101')).toEqual(LOGIN)
})

test.each([
  'no JSON',
  '[]',
  '{"version":2,"logins":{}}',
  JSON.stringify({
    version: 1,
    logins: { [HERE]: { name: 'anna', access_token: 'a\nb', refresh_token: 'c', expires_at: 'x' } }
  }),
  ' '.repeat(2 ** 20 + 1)
])('a damaged file is said to be one, with the way out (%#)', async text => {
  const { path, logins } = await folderOfLogins()
  await logins.keep(HERE, LOGIN)
  await writeFile(path, text)
  await expect(logins.get(HERE)).rejects.toMatchObject({
    code: 'ERR_USAGE',
    message: expect.stringContaining('delete it')
  })
})

test.skipIf(process.platform === 'win32')('a file that others can read is not used', async () => {
  const { path, logins } = await folderOfLogins()
  await logins.keep(HERE, LOGIN)
  await chmod(path, 0o640)
  await expect(logins.get(HERE)).rejects.toMatchObject({ message: expect.stringContaining('chmod 600') })
})

test('without a home nothing is kept, and nothing is found', async () => {
  const logins = new Logins({ random: systemRandom }, loginsPath({}))
  expect(await logins.get(HERE)).toBeUndefined()
  await expect(logins.keep(HERE, LOGIN)).rejects.toMatchObject({ code: 'ERR_USAGE' })
})

test('the file lies where the environment says', () => {
  expect(loginsPath({ XDG_CONFIG_HOME: '/x', HOME: '/h' })).toBe('/x/sheaf/logins.json')
  expect(loginsPath({ XDG_CONFIG_HOME: 'relative', HOME: '/h' })).toBe('/h/.config/sheaf/logins.json')
  expect(loginsPath({ HOME: '' })).toBeUndefined()
})

test('an origin has scheme, host and port, whatever the path', () => {
  expect(originOf(parseNodeAddress('https://Box.example:443/photos'))).toBe('https://box.example')
  expect(originOf(parseNodeAddress('unix:/run/sheaf.sock'))).toBe('unix:/run/sheaf.sock')
})

test('what cannot stand in a header is no token', () => {
  expect(['sheaf_ab', 'a b', 'a\r\nx: y', '', 'ü', 'x'.repeat(1_025), 5].map(parseToken)).toEqual([
    'sheaf_ab',
    ...Array(6).fill(undefined)
  ])
})
