import { createHmac, sign as signBytes } from 'node:crypto'
import { createLocalJWKSet, jwtVerify } from 'jose'
import { describe, expect, it } from 'vitest'
import { loneTokenSecret, TOKEN_KEY_FILE, type TokenKey, tokenKeyOf } from '../../../src/accounts/token-keys.js'
import { Tokens } from '../../../src/accounts/tokens.js'
import { silentLog } from '../../../src/core/log.js'
import type { SessionId, UserId } from '../../../src/domain/ids.js'
import { SeededRandom } from '../../support/seeded-random.js'
import { SimulatedClock } from '../../support/simulated-clock.js'
import { SimulatedDisk } from '../../support/simulated-disk.js'
import { SimulatedFileSystem } from '../../support/simulated-file-system.js'

const NOW_MS = Date.UTC(2026, 10, 20)
const NOW_S = NOW_MS / 1_000
const DAY_MS = 24 * 3_600_000
const key = tokenKeyOf(new Uint8Array(32).fill(1))
const other = tokenKeyOf(new Uint8Array(32).fill(2))
const who = {
  userId: '01990000-0000-7000-8000-00000000a11a' as UserId,
  sessionId: '01990000-0000-7000-8000-0000000000e1' as SessionId,
  credential: '1.1-00000000000000a1-1'
}
const CLAIMS = {
  sid: who.sessionId,
  cred: who.credential,
  iss: 'sheaf',
  aud: 'home',
  sub: who.userId,
  iat: NOW_S,
  exp: NOW_S + 12 * 3_600
}
const HEADER = { alg: 'EdDSA', kid: key.tag, typ: 'sheaf-session+jwt' }

function setUp(keys: readonly [TokenKey, ...TokenKey[]] = [key]): { tokens: Tokens; clock: SimulatedClock } {
  const clock = new SimulatedClock(NOW_MS)
  return { tokens: new Tokens({ keys, clock }, { cluster: 'home' }), clock }
}

function part(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

/** Whatever somebody may sign who has a key. */
function forge(header: object, claims: object, signer = key): string {
  const body = `${part(header)}.${part(claims)}`
  return `${body}.${signBytes(null, Buffer.from(body), signer.privateKey).toString('base64url')}`
}

describe('a token', () => {
  it('says who logged in, for as long as its type lives and the session at most', async () => {
    const { tokens } = setUp()
    const issued = await tokens.issue('session', who, NOW_MS + 30 * DAY_MS)
    expect(issued.expiresAtMs).toBe(NOW_MS + DAY_MS / 2)
    const claims = { ...who, type: 'session', issuedAtMs: NOW_MS, expiresAtMs: issued.expiresAtMs }
    expect(await tokens.verify(issued.text, ['session', 'access'])).toEqual(claims)
    expect(issued.text.length).toBeLessThan(600)
    expect((await tokens.issue('access', who, NOW_MS + DAY_MS)).expiresAtMs).toBe(NOW_MS + 15 * 60_000)
    expect((await tokens.issue('refresh', who, NOW_MS + 90 * DAY_MS)).expiresAtMs).toBe(NOW_MS + 30 * DAY_MS)
    expect((await tokens.issue('refresh', who, NOW_MS + 5_500)).expiresAtMs).toBe(NOW_MS + 5_000)
  })

  it('ends a minute after its date, by the clock that is asked', async () => {
    const { tokens, clock } = setUp()
    const { text } = await tokens.issue('access', who, NOW_MS + DAY_MS)
    await clock.advance(15 * 60_000 + 59_000)
    expect(await tokens.verify(text, ['access'])).toBeDefined()
    await clock.advance(2_000)
    expect(await tokens.verify(text, ['access'])).toBe(undefined)
  })

  it('is good on every node of the cluster, while keys are changed as well, and for whoever has the public keys', async () => {
    const { tokens: before } = setUp()
    const { tokens: after } = setUp([other, key])
    const { text } = await before.issue('session', who, NOW_MS + DAY_MS)
    expect(await after.verify(text, ['session'])).toMatchObject(who)
    const { text: next } = await after.issue('session', who, NOW_MS + DAY_MS)
    expect(await before.verify(next, ['session'])).toBe(undefined)
    expect(after.tags).toEqual([other.tag, key.tag])
    const keys = await after.publicKeys()
    expect(JSON.stringify(keys)).not.toContain('"d"')
    const set = createLocalJWKSet({ keys })
    const { payload } = await jwtVerify(next, set, { currentDate: new Date(NOW_MS), algorithms: ['EdDSA'] })
    expect(payload.sub).toBe(who.userId)
  })

  it('is what this file forges, but for what is wrong with it', async () => {
    const { tokens } = setUp()
    expect(await tokens.verify(forge(HEADER, CLAIMS), ['session'])).toMatchObject(who)
  })

  const publicBytes = key.publicKey.export({ format: 'pem', type: 'spki' })
  const hmacBody = `${part({ ...HEADER, alg: 'HS256' })}.${part(CLAIMS)}`
  const hmac = createHmac('sha256', publicBytes).update(hmacBody).digest('base64url')
  const good = forge(HEADER, CLAIMS)
  const ownJwk = other.publicKey.export({ format: 'jwk' })

  it.each([
    ['has no signature', `${part({ ...HEADER, alg: 'none' })}.${part(CLAIMS)}.`],
    ['is signed with the public key as a password', `${hmacBody}.${hmac}`],
    ['brings its own key', forge({ ...HEADER, jwk: ownJwk }, CLAIMS, other)],
    ['says where its key lies', forge({ ...HEADER, jku: 'http://127.0.0.1/keys' }, CLAIMS)],
    ['names its key by a path', forge({ ...HEADER, kid: '../../identity.key' }, CLAIMS)],
    ['names its key by a property of all objects', forge({ ...HEADER, kid: '__proto__' }, CLAIMS)],
    ['names its key by a number', forge({ ...HEADER, kid: 0 }, CLAIMS)],
    ['names no key', forge({ alg: 'EdDSA', typ: HEADER.typ }, CLAIMS)],
    ['wants something understood', forge({ ...HEADER, crit: ['b64'], b64: true }, CLAIMS)],
    ['is of another type', forge({ ...HEADER, typ: 'sheaf-refresh+jwt' }, CLAIMS)],
    ['is of no type', forge({ alg: 'EdDSA', kid: key.tag }, CLAIMS)],
    ['is of a type of another program', forge({ ...HEADER, typ: 'JWT' }, CLAIMS)],
    ['is for another cluster', forge(HEADER, { ...CLAIMS, aud: 'work' })],
    ['is for several', forge(HEADER, { ...CLAIMS, aud: ['home', 'work'] })],
    ['is of another issuer', forge(HEADER, { ...CLAIMS, iss: 'shelf' })],
    ['is signed with another key', forge(HEADER, CLAIMS, other)],
    ['is signed with a key that the cluster does not have', forge({ ...HEADER, kid: other.tag }, CLAIMS, other)],
    ['is of the future', forge(HEADER, { ...CLAIMS, iat: NOW_S + 61, exp: NOW_S + 600 })],
    ['has ended', forge(HEADER, { ...CLAIMS, iat: NOW_S - 600, exp: NOW_S - 61 })],
    ['is older than its type lives', forge(HEADER, { ...CLAIMS, iat: NOW_S - 12 * 3_600 - 61, exp: NOW_S + 1 })],
    ['lives ten years', forge(HEADER, { ...CLAIMS, exp: NOW_S + 10 * 365 * 86_400 })],
    ['lives a second too long', forge(HEADER, { ...CLAIMS, exp: CLAIMS.exp + 1 })],
    ['was changed', good.replace(part(CLAIMS), part({ ...CLAIMS, sub: who.sessionId }))],
    ['has another signature', `${good.slice(0, -4)}AAAA`],
    ['has no end', forge(HEADER, { ...CLAIMS, exp: undefined })],
    ['has no beginning', forge(HEADER, { ...CLAIMS, iat: undefined })],
    ['ends before it begins', forge(HEADER, { ...CLAIMS, exp: NOW_S - 1 })],
    ['is of nobody', forge(HEADER, { ...CLAIMS, sub: 'admin' })],
    ['spells an id in another way', forge(HEADER, { ...CLAIMS, sub: who.userId.toUpperCase() })],
    ['has claims that nobody wrote', forge(HEADER, { ...CLAIMS, role: 'admin' })],
    ['has a credential that is none', forge(HEADER, { ...CLAIMS, cred: { $gt: '' } })],
    ['is larger than any', forge(HEADER, { ...CLAIMS, cred: 'x'.repeat(1_000) })],
    ['is empty', ''],
    ['is text', 'a.b.c'],
    ['is a JSON Web Signature in another form', JSON.stringify({ payload: part(CLAIMS), signatures: [] })]
  ])('is refused that %s', async (_what, text) => {
    const { tokens } = setUp()
    expect(await tokens.verify(text, ['session', 'access'])).toBe(undefined)
  })
})

describe('the key of a node that is alone', () => {
  const path = `/data/${TOKEN_KEY_FILE}`

  it('is made once, and again when it is damaged', async () => {
    const fileSystem = new SimulatedFileSystem(new SimulatedDisk())
    await fileSystem.makeDirectory('/data')
    const components = { fileSystem, random: new SeededRandom(1), log: silentLog }
    const secret = await loneTokenSecret(components, '/data')
    expect(Buffer.from((await fileSystem.readFile(path)) ?? []).toString()).toBe(
      `${Buffer.from(secret).toString('hex')}\n`
    )
    expect(await loneTokenSecret(components, '/data')).toEqual(Buffer.from(secret))
    await fileSystem.writeFileAtomic(path, Buffer.from('x'))
    const next = await loneTokenSecret(components, '/data')
    expect(tokenKeyOf(next).tag).not.toBe(tokenKeyOf(secret).tag)
  })
})
