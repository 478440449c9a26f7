import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type CredentialSource, Credentials, type TokensAnswer } from '../../../../src/cli/shell/credentials.js'
import { type Login, Logins } from '../../../../src/cli/shell/logins.js'
import { parseNodeAddress } from '../../../../src/cli/shell/node-client.js'
import { systemClock } from '../../../../src/core/clock.js'
import { SheafError } from '../../../../src/core/errors.js'
import { systemRandom } from '../../../../src/core/random.js'
import { temporaryDirectory } from '../../../support/temporary-directory.js'

const NODE = 'http://127.0.0.1:8000'
const OPERATORS = 'ab'.repeat(32)
const LATER = '2999-01-01T00:00:00Z'
const ENDED = '2020-01-01T00:00:00Z'

async function asked(kept: Partial<Login> | undefined, source: Partial<CredentialSource> = {}) {
  const folder = await temporaryDirectory()
  await writeFile(join(folder, 'operator.token'), OPERATORS)
  const logins = new Logins({ random: systemRandom }, join(folder, 'logins.json'))
  const login = { name: 'anna', accessToken: 'kept', refreshToken: 'refresh', expiresAt: LATER, ...kept }
  if (kept !== undefined) await logins.keep(NODE, login)
  const refreshes: string[] = []
  const answers: (TokensAnswer | SheafError)[] = []
  const refresh = async (token: string): Promise<TokensAnswer> => {
    refreshes.push(token)
    const answer = answers.shift() ?? { access_token: 'next', refresh_token: null, expires_at: LATER }
    if (answer instanceof SheafError) throw answer
    return answer
  }
  const of = (node: string): Credentials =>
    new Credentials({ clock: systemClock, logins, refresh }, parseNodeAddress(node), {
      environment: { SHEAF_DATA: folder },
      ...source
    })
  return { folder, logins, refreshes, answers, of, credentials: of(NODE) }
}

test('the log-in of a node is sent to it, and to no other', async () => {
  const { of } = await asked({})
  expect(await of(`${NODE}/below`).token(false)).toBe('kept')
  for (const other of ['http://127.0.0.1:8001', 'https://127.0.0.1:8000', 'http://localhost:8000', 'unix:/sock'])
    expect(await of(other).token(false)).toBeUndefined()
})

test('what the user names comes before the log-in, a file before the environment', async () => {
  const { folder, of } = await asked({}, { environment: { SHEAF_TOKEN: ' from-environment\n' } })
  expect(await of(NODE).token(false)).toBe('from-environment')
  const apiKeyFile = join(folder, 'key')
  await writeFile(apiKeyFile, 'from-file\n')
  const { credentials } = await asked({}, { apiKeyFile, environment: { SHEAF_TOKEN: 'from-environment' } })
  expect(await credentials.token(true)).toBe('from-file')
})

test('the token of the operator goes with what needs it, unless somebody is named or logged in', async () => {
  const nobody = await asked(undefined)
  expect(await nobody.credentials.token(true)).toBe(OPERATORS)
  expect(await nobody.credentials.token(false)).toBeUndefined()
  expect(await (await asked({})).credentials.token(true)).toBe('kept')
  expect(await (await asked({}, { data: nobody.folder })).credentials.token(false)).toBe(OPERATORS)
})

test('a log-in that has ended is renewed once for all that ask at the same time', async () => {
  const { credentials, refreshes, logins } = await asked({ expiresAt: ENDED })
  const tokens = await Promise.all([1, 2, 3].map(() => credentials.token(false)))
  expect([tokens, refreshes]).toEqual([['next', 'next', 'next'], ['refresh']])
  expect(await logins.get(NODE)).toMatchObject({ accessToken: 'next', refreshToken: 'refresh' })
})

test('one that a node refuses is renewed, what the user has named is not', async () => {
  const { credentials, refreshes } = await asked({})
  expect(await credentials.token(false)).toBe('kept')
  expect(await Promise.all([credentials.instead('kept'), credentials.instead('other')])).toEqual(['next', undefined])
  expect(refreshes).toHaveLength(1)
  expect(await credentials.token(false)).toBe('next')
})

test('a log-in that is over says what to do; a node out of reach is tried again', async () => {
  const { credentials, answers } = await asked({ expiresAt: ENDED })
  answers.push(new SheafError('ERR_NODE_UNREACHABLE'), new SheafError('ERR_SESSION_ENDED'))
  await expect(credentials.token(false)).rejects.toMatchObject({ code: 'ERR_NODE_UNREACHABLE' })
  await expect(credentials.token(false)).rejects.toMatchObject({
    code: 'ERR_SESSION_ENDED',
    message: expect.stringMatching(/anna.*`sheaf login`/)
  })
  answers.push(new SheafError('ERR_NO_ACCOUNTS'))
  expect(await credentials.token(false)).toBeUndefined()
})

test.each(['a b', 'a\nb', 'ü'])('what can be no key is not sent, and not shown (%j)', async text => {
  const { credentials } = await asked({}, { environment: { SHEAF_TOKEN: text } })
  const refused = credentials.token(false)
  await expect(refused).rejects.toMatchObject({ code: 'ERR_USAGE' })
  await expect(refused).rejects.not.toThrow(text)
})
