import type { IncomingHttpHeaders } from 'node:http'
import type { Socket } from 'node:net'
import { describe, expect, test } from 'vitest'
import { SheafError } from '../../../../src/core/errors.js'
import type { ApiKeyId, SessionId, UserId } from '../../../../src/domain/ids.js'
import type { UserPrincipal } from '../../../../src/domain/principal.js'
import { Forwarded } from '../../../../src/http/wire/forwarded.js'
import { type Asker, type Authenticator, Principals } from '../../../../src/http/wire/principals.js'
import { SessionCookie } from '../../../../src/http/wire/session-cookie.js'

const TOKEN = '0123456789abcdef'.repeat(4)
const COOKIE = new SessionCookie(['9c0fe4764fae8485'])
const ANNA: UserPrincipal = {
  kind: 'user',
  userId: '01890000-0000-7000-8000-000000000001' as UserId,
  name: 'anna',
  role: 'user',
  via: { session: '01890000-0000-7000-8000-000000000002' as SessionId }
}
const BY_KEY: UserPrincipal = {
  ...ANNA,
  via: { key: '01890000-0000-7000-8000-000000000003' as ApiKeyId, scopes: ['read'] }
}
const KNOWN: Readonly<Record<string, UserPrincipal>> = { session: ANNA, key: BY_KEY }
const addresses: string[] = []

function principals(isRequired: boolean): Principals {
  const accounts: Authenticator = {
    isRequired,
    remembered: text => (text === 'session' ? { principal: ANNA } : undefined),
    authenticate: async (text, address) => {
      addresses.push(address)
      const principal = KNOWN[text]
      if (principal === undefined) throw new SheafError('ERR_UNAUTHENTICATED')
      return { principal, expiresAtMs: 7 }
    }
  }
  return new Principals({ forwarded: new Forwarded([]), accounts, cookie: COOKIE }, { operatorToken: TOKEN })
}

/** @returns who sends it, or why it is refused */
async function ask(headers: IncomingHttpHeaders, { method = 'GET', isRequired = true } = {}): Promise<Asker | string> {
  const socket = { remoteAddress: '192.0.2.7' } as Socket
  return principals(isRequired)
    .of({ headers, method, socket })
    .catch((err: unknown) => (err as SheafError).code)
}

describe('the operator', () => {
  test.each([`Bearer ${TOKEN}`, `bearer ${TOKEN}`, `Bearer   ${TOKEN} `])('%j', async authorization => {
    for (const isRequired of [false, true])
      expect(await ask({ authorization }, { isRequired })).toEqual({ principal: { kind: 'operator' } })
  })

  test.each([
    '',
    TOKEN,
    'Bearer',
    'Bearer ',
    `Bearer ${TOKEN.slice(1)}`,
    `Bearer ${TOKEN}0`,
    `Bearer ${TOKEN.toUpperCase()}`,
    `Bearer ${'0'.repeat(64)}`,
    `Basic ${TOKEN}`,
    `Bearer ${TOKEN} ${TOKEN}`
  ])('is not %j, which names nobody while no accounts are needed', async authorization => {
    expect(await ask({ authorization }, { isRequired: false })).toEqual({ principal: { kind: 'anonymous' } })
    expect(await ask({ authorization })).not.toEqual({ principal: { kind: 'operator' } })
  })
})

describe('at once', () => {
  const name = COOKIE.write('', 0, false).split('=')[0]
  const atOnce = (cookie: string | undefined, isRequired = true) =>
    principals(isRequired).rememberedOf({
      headers: { ...(cookie !== undefined && { cookie }) },
      method: 'GET',
      socket: { remoteAddress: '192.0.2.7' } as Socket
    })

  test('is known whose a session is that has just been here, and nobody else', () => {
    expect(atOnce(`a=b; ${name}=session`)).toEqual(ANNA)
    for (const cookie of [undefined, '', 'a=b', `${name}=other`, `${name}=session; ${name}=session`])
      expect(atOnce(cookie)).toBeUndefined()
  })

  test('is known that it does not matter, while no accounts are needed', () => {
    for (const cookie of [undefined, `${name}=session`]) expect(atOnce(cookie, false)).toEqual({ kind: 'anonymous' })
  })
})

describe('once accounts are needed', () => {
  test('a token or a key tells whose it is, and from where it came counts', async () => {
    expect(await ask({ authorization: 'Bearer session' })).toEqual({ principal: ANNA })
    expect(await ask({ authorization: 'Bearer key' })).toEqual({ principal: BY_KEY })
    expect(addresses.slice(-2)).toEqual(['192.0.2.7', '192.0.2.7'])
    expect(await ask({ authorization: 'Bearer made up' })).toEqual({ principal: { kind: 'anonymous' } })
    expect(await ask({ authorization: 'Bearer made-up' })).toBe('ERR_UNAUTHENTICATED')
    expect(await ask({})).toEqual({ principal: { kind: 'anonymous' } })
  })

  test('so does the cookie of the cluster, among others, and no other cookie', async () => {
    expect(await ask({ cookie: 'a=b; sheaf_9c0fe476=session; sheaf_00000000=key' })).toEqual({
      principal: ANNA,
      cookie: { token: 'session', expiresAtMs: 7 }
    })
    expect(await ask({ cookie: 'sheaf_00000000=session' })).toEqual({ principal: { kind: 'anonymous' } })
    expect(await ask({ cookie: 'sheaf_9c0fe476=x' })).toBe('ERR_UNAUTHENTICATED')
  })

  test('two cookies of that name are none: somebody else has set one', async () => {
    expect(await ask({ cookie: 'sheaf_9c0fe476=session; sheaf_9c0fe476=session' })).toBe('ERR_UNAUTHENTICATED')
  })

  test('a token and a cookie are too much', async () => {
    const cookie = 'sheaf_9c0fe476=session'
    expect(await ask({ authorization: 'Bearer key', cookie })).toBe('ERR_BAD_PARAMETER')
    expect(await ask({ authorization: `Bearer ${TOKEN}`, cookie })).toEqual({ principal: { kind: 'operator' } })
  })

  test.each(['POST', 'PUT', 'PATCH', 'DELETE'])(
    'a cookie alone allows no %s: its page has to be named',
    async method => {
      const cookie = 'sheaf_9c0fe476=session'
      expect(await ask({ cookie }, { method })).toBe('ERR_FOREIGN_ORIGIN')
      expect(await ask({ cookie, 'sec-fetch-site': 'none' }, { method })).toBe('ERR_FOREIGN_ORIGIN')
      // that it is of this node, the host guard has seen
      expect(await ask({ cookie, origin: 'http://192.0.2.1:8000' }, { method })).toMatchObject({ principal: ANNA })
      expect(await ask({ cookie, 'sec-fetch-site': 'same-origin' }, { method })).toMatchObject({ principal: ANNA })
      expect(await ask({ authorization: 'Bearer key' }, { method })).toMatchObject({ principal: BY_KEY })
    }
  )
})
