import { describe, expect, it } from 'vitest'
import type { LoggedIn } from '../../../src/accounts/sessions.js'
import type { ListedUser } from '../../../src/accounts/users.js'
import { hasCode } from '../../../src/core/errors.js'
import { ACCESS_KIND, createAccessChanges, viewAccess } from '../../../src/domain/access.js'
import { API_KEY_KIND } from '../../../src/domain/api-key.js'
import { RECORD_FORMATS } from '../../../src/domain/formats.js'
import type { SessionId, UserId } from '../../../src/domain/ids.js'
import { changeRecord, type DirectoryRecord } from '../../../src/domain/record.js'
import { encodeRecord } from '../../../src/domain/record-codec.js'
import { SESSION_KIND } from '../../../src/domain/session-record.js'
import { createUserChanges, USER_KIND } from '../../../src/domain/user.js'
import { recordDraft } from '../../../src/store/record-needles.js'
import { countingStamper } from '../../support/domain-arbitraries.js'
import { type AccountsFixture, ADDRESS, accountsFixture, LITTLE, PASSWORD } from './accounts-fixture.js'

const FROM = { address: ADDRESS, label: 'test' }
const DAY_MS = 24 * 3_600_000

async function codeOf(task: () => unknown): Promise<string> {
  try {
    await task()
    return 'fine'
  } catch (err) {
    return err instanceof Error && 'code' in err ? String(err.code) : String(err)
  }
}

function add({ accounts }: AccountsFixture, name: string, role: ListedUser['role'] = 'user'): Promise<ListedUser> {
  return accounts.users.create({ name, role, password: PASSWORD }, 'operator', ADDRESS)
}

/** @returns what the node says of a token: the name, or the code of its refusal */
async function whoIs({ accounts }: AccountsFixture, text: string): Promise<string> {
  try {
    return (await accounts.authenticate(text, ADDRESS)).principal.name
  } catch (err) {
    if (err instanceof Error && 'code' in err) return String(err.code)
    throw err
  }
}

/** Two nodes of a cluster that hear nothing of each other until they are told. */
async function cutOff(): Promise<[AccountsFixture, AccountsFixture]> {
  const a = await accountsFixture()
  return [a, await accountsFixture({}, { seed: 2, clock: a.clock })]
}

describe('accounts', () => {
  it('are off until this node hears of one, and then on for ever', async () => {
    const [a, b] = await cutOff()
    expect([a.accounts.isRequired, a.accounts.haveBeen, a.accounts.settings.isAuthOn]).toEqual([false, false, false])
    await add(a, 'anna', 'admin')
    expect([a.accounts.isRequired, b.accounts.isRequired]).toEqual([true, false])
    await a.tell(b)
    expect([b.accounts.isRequired, b.accounts.settings.isAuthOn, b.accounts.admins]).toEqual([true, true, 1])
    const on = await accountsFixture({}, { auth: 'on' })
    const off = await accountsFixture({}, { auth: 'off' })
    await add(off, 'anna')
    expect([on.accounts.isRequired, off.accounts.isRequired, off.accounts.haveBeen]).toEqual([true, false, true])
  })

  it('are known again after a start', async () => {
    const fixture = await accountsFixture()
    const { accounts } = fixture
    await add(fixture, 'anna', 'admin')
    const { token } = await accounts.sessions.login('anna', PASSWORD, FROM)
    await accounts.stop()
    await accounts.start()
    expect([accounts.isRequired, accounts.admins]).toEqual([true, 1])
    expect(accounts.remembered(token.text)).toBe(undefined)
    expect(await whoIs(fixture, token.text)).toBe('anna')
  })

  it('need a cluster key where there are other members', async () => {
    let isOpen = true
    const fixture = await accountsFixture({ isOpenCluster: () => isOpen })
    expect(await codeOf(() => add(fixture, 'anna'))).toBe('ERR_CLUSTER_KEY_NEEDED')
    expect(fixture.accounts.isRequired).toBe(false)
    isOpen = false
    expect(await codeOf(() => add(fixture, 'anna'))).toBe('fine')
  })

  it('are made, shown in the order of their names and changed', async () => {
    const fixture = await accountsFixture()
    const { users } = fixture.accounts
    const quota = { bytes: 1_000, photos: undefined }
    const bob = await users.create(
      { name: 'bob', display: ' Bob ', mail: 'b@c.example', quota, role: 'guest' },
      'operator',
      ADDRESS
    )
    const anna = await add(fixture, 'Anna', 'admin')
    expect(bob).toMatchObject({
      name: 'bob',
      display: 'Bob',
      mail: 'b@c.example',
      quota,
      role: 'guest',
      state: 'open',
      hasPassword: false
    })
    expect(users.list(undefined, 1)).toMatchObject({ users: [{ id: anna.id, hasPassword: true }], nextAfter: anna.id })
    expect(users.list(anna.id, 5)).toMatchObject({ users: [{ id: bob.id }], nextAfter: undefined })
    const edited = await users.edit(bob.id, { name: 'Berta', display: null, quota: null })
    expect(edited).toMatchObject({
      name: 'Berta',
      display: undefined,
      quota: { bytes: undefined },
      mail: 'b@c.example'
    })
    expect([users.called('bertá'), users.called('bob')]).toEqual([bob.id, undefined])
    expect(await users.edit(bob.id, { name: 'BERTA' })).toMatchObject({ name: 'BERTA' })
    expect(await users.setRole(bob.id, 'auditor', anna.id)).toMatchObject({ role: 'auditor', isContested: false })
    expect(JSON.stringify(users.list(undefined, 9))).not.toMatch(/argon2|phc/)
  })

  it('are refused with bad or taken names, and with other bad fields', async () => {
    const fixture = await accountsFixture()
    const { users } = fixture.accounts
    const anna = await add(fixture, 'anna')
    await add(fixture, 'bob')
    const make = (account: object): Promise<string> =>
      codeOf(() => users.create({ name: 'x', role: 'user', ...account }, 'operator', ADDRESS))
    for (const name of ['ANNA', 'ánna']) expect(await make({ name })).toBe('ERR_NAME_TAKEN')
    const bad = [
      { name: 'a b' },
      { name: anna.id },
      { password: 'short' },
      { mail: 'x' },
      { display: ' ' },
      { display: 'a\nb' },
      { quota: { bytes: -1, photos: 1 } }
    ]
    for (const account of bad) expect(await make(account)).toBe('ERR_BAD_PARAMETER')
    expect(await codeOf(() => users.edit(anna.id, { name: 'Bob' }))).toBe('ERR_NAME_TAKEN')
    const nobody = '01990000-0000-7000-8000-000000000000' as UserId
    expect(await codeOf(() => users.edit(nobody, { display: 'x' }))).toBe('ERR_USER_NOT_FOUND')
    expect(await codeOf(() => users.setRole(nobody, 'admin', 'operator'))).toBe('ERR_USER_NOT_FOUND')
    const both = await Promise.all([codeOf(() => add(fixture, 'eve')), codeOf(() => add(fixture, 'Eve'))])
    expect(both.sort()).toEqual(['ERR_NAME_TAKEN', 'fine'])
  })

  it('keep one administrator who may log in', async () => {
    const fixture = await accountsFixture()
    const { users } = fixture.accounts
    const anna = await add(fixture, 'anna', 'admin')
    for (const task of [
      () => users.setRole(anna.id, 'user', anna.id),
      () => users.setState(anna.id, 'disabled', anna.id)
    ])
      expect(await codeOf(task)).toBe('ERR_LAST_ADMIN')
    const bob = await add(fixture, 'bob', 'admin')
    const both = [anna, bob].map(({ id }) => codeOf(() => users.setRole(id, 'user', 'operator')))
    expect((await Promise.all(both)).sort()).toEqual(['ERR_LAST_ADMIN', 'fine'])
    expect(fixture.accounts.admins).toBe(1)
  })

  it('of two who claim one name are told apart, and the password says who logs in', async () => {
    const [a, b] = await cutOff()
    const first = await add(a, 'anna')
    await a.clock.advance(1_000)
    const second = await b.accounts.users.create(
      { name: 'Anna', role: 'user', password: 'another one' },
      'operator',
      ADDRESS
    )
    await b.tell(a)
    const shown = `Anna~${second.id.slice(24, 28)}`
    expect(a.accounts.users.get(first.id)).toMatchObject({ name: 'anna', isNameContested: true })
    expect(a.accounts.users.get(second.id).name).toBe(shown)
    const login = async (name: string, password: string): Promise<string> => {
      const { token } = await a.accounts.sessions.login(name, password, FROM)
      return whoIs(a, token.text)
    }
    expect(await login('anna', PASSWORD)).toBe('anna')
    expect(await login('anna', 'another one')).toBe(shown)
    expect(await login(shown, 'another one')).toBe(shown)
    expect(await codeOf(() => login(shown, PASSWORD))).toBe('ERR_BAD_CREDENTIALS')
    await a.accounts.users.edit(second.id, { name: 'anne' })
    expect(a.accounts.users.get(first.id)).toMatchObject({ name: 'anna', isNameContested: false })
  })

  it('let what another node wrote be viewed, whatever it is', async () => {
    const fixture = await accountsFixture()
    const id = '01990000-0000-7000-8000-00000000a11a' as UserId
    const odd = [
      changeRecord({ kind: USER_KIND, id }, undefined, countingStamper(), createUserChanges({ name: 'a b~\u202e' })),
      changeRecord({ kind: USER_KIND, id: 'x' }, undefined, countingStamper(), createUserChanges({ name: 'eve' })),
      changeRecord({ kind: SESSION_KIND, id }, undefined, countingStamper(), [{ kind: 'version', value: new Map() }]),
      changeRecord({ kind: API_KEY_KIND, id: 'y' }, undefined, countingStamper(), [
        { kind: 'version', value: new Map() }
      ])
    ]
    await fixture.directory.merge(odd.map(encodeRecord))
    expect(fixture.accounts.users.list(undefined, 9).users).toMatchObject([
      { id, name: id, role: 'guest', state: 'disabled' }
    ])
    expect(fixture.accounts.sessions.list(id)).toEqual([])
    expect(await codeOf(() => add(fixture, 'eve'))).toBe('fine')
  })
})

describe('log-in', () => {
  async function withAnna(): Promise<
    AccountsFixture & { anna: ListedUser; login: (password?: string) => Promise<LoggedIn> }
  > {
    const fixture = await accountsFixture()
    const anna = await add(fixture, 'anna')
    return { ...fixture, anna, login: (password = PASSWORD) => fixture.accounts.sessions.login('anna', password, FROM) }
  }

  it('gives a session that says who somebody is, until it is ended', async () => {
    const fixture = await withAnna()
    const { accounts, anna } = fixture
    const { session, token } = await fixture.login()
    const { principal, expiresAtMs } = await accounts.authenticate(token.text, ADDRESS)
    expect(principal).toEqual({
      kind: 'user',
      userId: anna.id,
      name: 'anna',
      role: 'user',
      via: { session: session.id }
    })
    expect(expiresAtMs).toBe(token.expiresAtMs)
    expect(accounts.remembered(token.text)?.principal).toBe(principal)
    expect(accounts.sessions.list(anna.id)).toMatchObject([{ id: session.id, label: 'test' }])
    await accounts.sessions.end(anna.id, session.id)
    expect(accounts.remembered(token.text)).toBe(undefined)
    expect(await whoIs(fixture, token.text)).toBe('ERR_SESSION_ENDED')
    await accounts.sessions.end(anna.id, session.id)
    const nobodys = '01990000-0000-7000-8000-000000000000' as SessionId
    expect(await codeOf(() => accounts.sessions.end(anna.id, nobodys))).toBe('ERR_SESSION_NOT_FOUND')
    const bob = await add(fixture, 'bob')
    const other = await fixture.login()
    expect(await codeOf(() => accounts.sessions.end(bob.id, other.session.id))).toBe('ERR_SESSION_NOT_FOUND')
  })

  it('is refused alike for a wrong name and a wrong password, and names a disabled account to who knows the password', async () => {
    const fixture = await withAnna()
    const { accounts, anna } = fixture
    const refusals = [() => fixture.login('wrong one'), () => accounts.sessions.login('nobody', PASSWORD, FROM)]
    for (const task of refusals) {
      const err: unknown = await task().catch((caught: unknown) => caught)
      expect(hasCode(err, 'ERR_BAD_CREDENTIALS') && [err.message, err.details]).toEqual([
        'no account has that name and password',
        {}
      ])
    }
    await accounts.users.setState(anna.id, 'disabled', 'operator')
    expect(await codeOf(() => fixture.login('wrong one'))).toBe('ERR_BAD_CREDENTIALS')
    expect(await codeOf(() => fixture.login())).toBe('ERR_ACCOUNT_DISABLED')
  })

  it('waits after five wrong passwords', async () => {
    const fixture = await withAnna()
    for (let i = 0; i < 5; i++) expect(await codeOf(() => fixture.login('wrong one'))).toBe('ERR_BAD_CREDENTIALS')
    expect(await codeOf(() => fixture.login())).toBe('ERR_TOO_MANY_TRIES')
    await fixture.clock.advance(1_000)
    expect(await codeOf(() => fixture.login())).toBe('fine')
  })

  it('goes on where somebody has logged in before, while strangers try at the same address', async () => {
    const fixture = await withAnna()
    const { sessions } = fixture.accounts
    const { device, token } = await fixture.login()
    await add(fixture, 'bob')
    const bobs = await sessions.login('bob', PASSWORD, FROM)
    for (let i = 0; i < 5; i++) await codeOf(() => fixture.login('wrong one'))
    const from = (text: string): Promise<string> =>
      codeOf(() => sessions.login('anna', PASSWORD, { ...FROM, device: text }))
    for (const text of ['', 'x', token.text, bobs.device.text]) expect(await from(text)).toBe('ERR_TOO_MANY_TRIES')
    expect(await from(device.text)).toBe('fine')
    expect(await whoIs(fixture, device.text)).toBe('ERR_UNAUTHENTICATED')
  })

  it('gives no more than 100 sessions: the oldest ends', async () => {
    const fixture = await withAnna()
    const { accounts, anna, clock } = fixture
    const first = await fixture.login()
    for (let i = 0; i < 100; i++) {
      await clock.advance(5_000)
      await fixture.login()
    }
    expect(accounts.sessions.list(anna.id)).toHaveLength(100)
    expect(await whoIs(fixture, first.token.text)).toBe('ERR_SESSION_ENDED')
  })

  it('is of use for 12 hours without being used, and for 30 days with', async () => {
    const fixture = await withAnna()
    const { accounts, clock } = fixture
    const { session, token } = await fixture.login()
    expect(await accounts.sessions.renew(session.id, token.expiresAtMs)).toBe(undefined)
    let last = token
    for (;;) {
      await clock.leap(10 * 3_600_000)
      const next = await accounts.sessions.renew(session.id, last.expiresAtMs)
      if (next === undefined) break
      expect(await whoIs(fixture, next.text)).toBe('anna')
      last = next
    }
    expect(last.expiresAtMs).toBe(session.untilMs)
    await clock.leap(DAY_MS)
    expect(await whoIs(fixture, last.text)).toBe('ERR_UNAUTHENTICATED')
    await fixture.login()
    const ended = fixture.directory.lookUp({ kind: SESSION_KIND, id: session.id }).stored?.record
    expect(ended?.entries.map(({ deleted }) => deleted)).toEqual([true])
  })

  it('of a program gives an access token for a quarter of an hour, and others while the session lives', async () => {
    const fixture = await withAnna()
    const { accounts, anna, clock } = fixture
    const { session, token } = await fixture.login()
    const { access, refresh } = await accounts.sessions.programTokens(session)
    expect(await whoIs(fixture, access.text)).toBe('anna')
    expect(await whoIs(fixture, refresh.text)).toBe('ERR_UNAUTHENTICATED')
    expect(await codeOf(() => accounts.sessions.refresh(token.text, ADDRESS))).toBe('ERR_UNAUTHENTICATED')
    await clock.advance(20 * 60_000)
    expect(await whoIs(fixture, access.text)).toBe('ERR_UNAUTHENTICATED')
    expect(await whoIs(fixture, (await accounts.sessions.refresh(refresh.text, ADDRESS)).text)).toBe('anna')
    await accounts.sessions.endOthers(anna.id)
    expect(await codeOf(() => accounts.sessions.refresh(refresh.text, ADDRESS))).toBe('ERR_SESSION_ENDED')
  })

  it('of others ends with a password of one’s own, and all with one that an administrator sets', async () => {
    const fixture = await withAnna()
    const { accounts, anna } = fixture
    const [one, two] = [await fixture.login(), await fixture.login()]
    expect(
      await codeOf(() => accounts.sessions.changePassword(anna.id, { old: 'wrong one', new: 'a new one' }, FROM))
    ).toBe('ERR_BAD_CREDENTIALS')
    expect(await whoIs(fixture, one.token.text)).toBe('anna')
    const changed = await accounts.sessions.changePassword(anna.id, { old: PASSWORD, new: 'a new one' }, FROM)
    const codes = await Promise.all([one, two, changed].map(({ token }) => whoIs(fixture, token.text)))
    expect(codes).toEqual(['ERR_SESSION_ENDED', 'ERR_SESSION_ENDED', 'anna'])
    expect(await codeOf(() => fixture.login())).toBe('ERR_BAD_CREDENTIALS')
    await accounts.users.resetPassword(anna.id, 'of the admin', 'operator', ADDRESS)
    expect(await whoIs(fixture, changed.token.text)).toBe('ERR_SESSION_ENDED')
    expect(await codeOf(() => fixture.login('of the admin'))).toBe('fine')
  })

  it('hashes a password anew when hashes take more by now, and ends nothing', async () => {
    const fixture = await withAnna()
    const before = await fixture.login()
    const { directory, writer, clock, anna } = fixture
    const dearer = await accountsFixture({ directory, writer }, { clock, hashingCost: { ...LITTLE, memoryKiB: 16 } })
    await dearer.accounts.sessions.login('anna', PASSWORD, FROM)
    const record = directory.lookUp({ kind: ACCESS_KIND, id: anna.id }).stored?.record
    expect(record && viewAccess(record)?.password?.phc).toContain('m=16')
    expect(await whoIs(fixture, before.token.text)).toBe('anna')
    expect(await codeOf(() => fixture.login())).toBe('fine')
  })
})

describe('who a request is from', () => {
  it('is forgotten as soon as anything changes about the account, and not when it changes about another', async () => {
    const fixture = await accountsFixture()
    const { accounts } = fixture
    const [anna, bob] = [await add(fixture, 'anna'), await add(fixture, 'bob')]
    const { token } = await accounts.sessions.login('anna', PASSWORD, FROM)
    await whoIs(fixture, token.text)
    await accounts.users.setRole(bob.id, 'auditor', 'operator')
    await accounts.sessions.login('bob', PASSWORD, FROM)
    expect(accounts.remembered(token.text)).toBeDefined()
    await accounts.users.setRole(anna.id, 'guest', 'operator')
    expect(accounts.remembered(token.text)).toBe(undefined)
    expect((await accounts.authenticate(token.text, ADDRESS)).principal.role).toBe('guest')
    await accounts.users.setState(anna.id, 'disabled', 'operator')
    expect(await whoIs(fixture, token.text)).toBe('ERR_ACCOUNT_DISABLED')
    await accounts.users.setState(anna.id, 'open', 'operator')
    expect(await whoIs(fixture, token.text)).toBe('anna')
    await accounts.users.edit(anna.id, { name: 'anne' })
    expect(await whoIs(fixture, token.text)).toBe('anne')
  })

  it('is refused on another node in the batch that brings the end of a session, or of the account', async () => {
    const [a, b] = await cutOff()
    const anna = await add(a, 'anna')
    const [one, two] = [
      await a.accounts.sessions.login('anna', PASSWORD, FROM),
      await a.accounts.sessions.login('anna', PASSWORD, FROM)
    ]
    await a.tell(b)
    expect([await whoIs(b, one.token.text), await whoIs(b, two.token.text)]).toEqual(['anna', 'anna'])
    await a.accounts.sessions.end(anna.id, one.session.id)
    await a.tell(b)
    expect([await whoIs(b, one.token.text), await whoIs(b, two.token.text)]).toEqual(['ERR_SESSION_ENDED', 'anna'])
    await a.accounts.users.close(anna.id, 'trash', 'operator')
    await a.tell(b)
    expect(await whoIs(b, two.token.text)).toBe('ERR_ACCOUNT_DISABLED')
  })

  describe('whose session is not known here', () => {
    async function withPeers(fetchRecord: () => Promise<boolean>, cutSinceMs?: () => number | undefined) {
      const a = await accountsFixture()
      await add(a, 'anna')
      const b = await accountsFixture({ fetchRecord, cutSinceMs }, { seed: 2, clock: a.clock })
      await a.tell(b)
      const login = async (): Promise<string> => (await a.accounts.sessions.login('anna', PASSWORD, FROM)).token.text
      return { a, b, login }
    }

    it('is found with the peers', async () => {
      const { a, b, login } = await withPeers(async () => {
        await a.tell(b)
        return false
      })
      expect(await whoIs(b, await login())).toBe('anna')
    })

    it('is nobody where all peers have answered, and they are not asked again for a while', async () => {
      let asked = 0
      const { a, b, login } = await withPeers(async () => {
        asked++
        return true
      })
      const text = await login()
      const askedBefore = asked
      expect([await whoIs(b, text), await whoIs(b, text)]).toEqual(['ERR_UNAUTHENTICATED', 'ERR_UNAUTHENTICATED'])
      expect(asked - askedBefore).toBe(1)
      await a.clock.advance(5_000)
      expect(await whoIs(b, text)).toBe('ERR_UNAUTHENTICATED')
      expect(asked - askedBefore).toBe(2)
    })

    it('is believed behind a cut when it logged in since then, and asked for again each time', async () => {
      let cutMs: number | undefined
      let isHealed = false
      const { a, b, login } = await withPeers(
        async () => isHealed,
        () => cutMs
      )
      const early = await login()
      await a.clock.advance(3_600_000)
      cutMs = a.clock.now()
      const late = await login()
      await a.clock.advance(3_600_000)
      expect([await whoIs(b, early), await whoIs(b, late)]).toEqual(['ERR_UNAUTHENTICATED', 'anna'])
      expect(b.accounts.remembered(late)).toBe(undefined)
      isHealed = true
      cutMs = undefined
      await a.clock.advance(1_000)
      expect(await whoIs(b, late)).toBe('ERR_UNAUTHENTICATED')
      await a.tell(b)
      expect(await whoIs(b, late)).toBe('anna')
    })

    it('is nobody after 200 ms without an answer, unless it has just logged in', async () => {
      const { a, b, login } = await withPeers(() => new Promise(() => {}))
      const [text, again] = [await login(), await login()]
      const young = whoIs(b, text)
      await untilAsked(a)
      await a.clock.advance(200)
      expect(await young).toBe('anna')
      await a.clock.advance(61_000)
      const old = whoIs(b, again)
      await untilAsked(a)
      await a.clock.advance(200)
      expect(await old).toBe('ERR_UNAUTHENTICATED')
    })

    it('can be ended nevertheless, and that is heard where it was begun', async () => {
      const { a, b, login } = await withPeers(async () => false)
      const text = await login()
      await b.accounts.sessions.logOut(text)
      await b.accounts.sessions.logOut('what is no token')
      await b.tell(a)
      expect(await whoIs(a, text)).toBe('ERR_SESSION_ENDED')
    })
  })

  it('takes a password that was changed elsewhere for good before it hears of that, and only that', async () => {
    const [a, b] = await cutOff()
    const anna = await add(a, 'anna')
    await a.tell(b)
    const old = await a.accounts.sessions.login('anna', PASSWORD, FROM)
    await a.accounts.users.resetPassword(anna.id, 'of the admin', 'operator', ADDRESS)
    const next = await a.accounts.sessions.login('anna', 'of the admin', FROM)
    // the sessions get there before the password
    const records = [old, next].map(
      ({ session }) => a.directory.lookUp({ kind: SESSION_KIND, id: session.id }).stored?.record
    )
    await b.directory.merge(records.flatMap(record => (record === undefined ? [] : encodeRecord(record))))
    expect([await whoIs(b, old.token.text), await whoIs(b, next.token.text)]).toEqual(['anna', 'anna'])
    await a.tell(b)
    expect([await whoIs(b, old.token.text), await whoIs(b, next.token.text)]).toEqual(['ERR_SESSION_ENDED', 'anna'])
  })

  it('is limited to 20 bad tokens a second from one address', async () => {
    const fixture = await accountsFixture()
    for (let i = 0; i < 21; i++) expect(await whoIs(fixture, `bad ${i}`)).toBe('ERR_UNAUTHENTICATED')
    expect(await whoIs(fixture, 'bad')).toBe('ERR_TOO_MANY_TRIES')
    expect(await codeOf(() => fixture.accounts.authenticate('bad', '192.0.2.2'))).toBe('ERR_UNAUTHENTICATED')
  })
})

describe('an API key', () => {
  it('acts for its account within its scopes until it is deleted, or ends', async () => {
    const fixture = await accountsFixture()
    const { accounts, clock } = fixture
    const anna = await add(fixture, 'anna')
    const { key, text } = await accounts.apiKeys.create(anna.id, {
      scopes: ['upload', 'read'],
      label: 'camera',
      untilMs: clock.now() + DAY_MS
    })
    const { principal } = await accounts.authenticate(text, ADDRESS)
    expect(principal).toMatchObject({ userId: anna.id, role: 'user', via: { key: key.id, scopes: ['read', 'upload'] } })
    expect(accounts.apiKeys.list(anna.id)).toEqual([key])
    expect(JSON.stringify(key)).not.toContain('sha256')
    await clock.advance(DAY_MS)
    expect(await whoIs(fixture, text)).toBe('ERR_UNAUTHENTICATED')
    const other = await accounts.apiKeys.create(anna.id, { scopes: ['metrics'] })
    expect(await whoIs(fixture, other.text)).toBe('anna')
    const bob = await add(fixture, 'bob')
    expect(await codeOf(() => accounts.apiKeys.remove(bob.id, other.key.id))).toBe('ERR_API_KEY_NOT_FOUND')
    await accounts.users.setState(anna.id, 'disabled', 'operator')
    expect(await whoIs(fixture, other.text)).toBe('ERR_ACCOUNT_DISABLED')
    await accounts.users.setState(anna.id, 'open', 'operator')
    await accounts.apiKeys.remove(anna.id, other.key.id)
    await accounts.apiKeys.remove(anna.id, other.key.id)
    expect(await whoIs(fixture, other.text)).toBe('ERR_UNAUTHENTICATED')
    expect(accounts.apiKeys.list(anna.id)).toEqual([key])
  })

  it('is refused with a typo without looking anything up, and with another secret', async () => {
    const asked: string[] = []
    const fixture = await accountsFixture({
      fetchRecord: async ({ kind }) => {
        asked.push(kind)
        return true
      }
    })
    const anna = await add(fixture, 'anna')
    const { text, key } = await fixture.accounts.apiKeys.create(anna.id, { scopes: ['read'] })
    expect(
      await whoIs(
        fixture,
        text.replace(/.$/, last => (last === 'a' ? 'b' : 'a'))
      )
    ).toBe('ERR_UNAUTHENTICATED')
    const other = await fixture.accounts.apiKeys.create(anna.id, { scopes: ['read'] })
    const mixed = other.text.replace(other.key.id.replaceAll('-', ''), key.id.replaceAll('-', ''))
    expect(await whoIs(fixture, mixed)).toBe('ERR_UNAUTHENTICATED')
    expect(asked).toEqual([])
  })

  it('is refused with scopes or an end that there are not, and one hundred are enough', async () => {
    const fixture = await accountsFixture()
    const { apiKeys } = fixture.accounts
    const anna = await add(fixture, 'anna')
    const bad = [
      { scopes: [] },
      { scopes: ['root'] },
      { scopes: ['read'], untilMs: 1 },
      { scopes: ['read'], untilMs: Number.NaN }
    ]
    for (const wish of bad) expect(await codeOf(() => apiKeys.create(anna.id, wish))).toBe('ERR_BAD_PARAMETER')
    for (let i = 0; i < 100; i++) await apiKeys.create(anna.id, { scopes: ['read'] })
    expect(await codeOf(() => apiKeys.create(anna.id, { scopes: ['read'] }))).toBe('ERR_TOO_MANY_API_KEYS')
  })
})

it('an account whose rights a later version has written is refused, and hides no other', async () => {
  const fixture = await accountsFixture()
  const { accounts, store, directory } = fixture
  const [anna, bob] = [await add(fixture, 'anna', 'admin'), await add(fixture, 'bob')]
  const { token } = await accounts.sessions.login('anna', PASSWORD, FROM)
  expect(await whoIs(fixture, token.text)).toBe('anna')
  const record = directory.lookUp({ kind: ACCESS_KIND, id: anna.id }).stored?.record as DirectoryRecord
  const { header, data } = recordDraft(record, RECORD_FORMATS)
  const later = Uint8Array.from(data)
  later[2] = RECORD_FORMATS.max + 1
  await store.append([{ header, data: later }], 'upkeep')
  expect(accounts.remembered(token.text)).toBe(undefined)
  expect(await whoIs(fixture, token.text)).toBe('ERR_FORMAT_TOO_NEW')
  expect([accounts.isRequired, accounts.admins]).toEqual([true, 0])
  expect(accounts.users.list(undefined, 9).users).toMatchObject([
    { id: anna.id, role: 'guest', state: 'disabled' },
    { id: bob.id, role: 'user', state: 'open' }
  ])
  expect(await codeOf(() => accounts.users.setState(anna.id, 'open', 'operator'))).toBe('ERR_FORMAT_TOO_NEW')
})

it('rights of an account that nobody has named yet are nobody’s', async () => {
  const fixture = await accountsFixture()
  const id = '01990000-0000-7000-8000-00000000a11a' as UserId
  const access = createAccessChanges({ role: 'admin', phc: undefined, why: 'set', by: 'operator' })
  await fixture.directory.merge([
    encodeRecord(changeRecord({ kind: ACCESS_KIND, id }, undefined, countingStamper(), access))
  ])
  expect([fixture.accounts.admins, fixture.accounts.isRequired]).toEqual([0, true])
  expect(await codeOf(() => fixture.accounts.users.get(id))).toBe('ERR_USER_NOT_FOUND')
})

/** Waits for a question to the peers: it has a timer. */
async function untilAsked({ clock }: AccountsFixture): Promise<void> {
  while (clock.pending === 0) await clock.advance(0)
}
