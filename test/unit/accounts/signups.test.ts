import { describe, expect, it } from 'vitest'
import type { ListedUser } from '../../../src/accounts/users.js'
import { INVITE_KIND, INVITE_MS_MAX, parseInvite } from '../../../src/domain/invite.js'
import { INVITES_MAX } from '../../../src/domain/limits.js'
import { type AccountsFixture, ADDRESS, accountsFixture, PASSWORD } from './accounts-fixture.js'

const DAY_MS = 24 * 3_600_000

async function codeOf(task: () => unknown): Promise<string> {
  try {
    await task()
    return 'fine'
  } catch (err) {
    return err instanceof Error && 'code' in err ? String(err.code) : String(err)
  }
}

async function openTo(
  signup: 'off' | 'invite' | 'open',
  overrides = {}
): Promise<AccountsFixture & { anna: ListedUser }> {
  const fixture = await accountsFixture(overrides, { signup })
  const anna = await fixture.accounts.users.create({ name: 'anna', role: 'admin' }, 'operator', ADDRESS)
  return { ...fixture, anna }
}

let address = 1
/** Each from an address of his own, so that nobody waits. */
function signUp({ accounts }: AccountsFixture, name: string, invite?: string): Promise<ListedUser> {
  return accounts.signups.signUp({ name, password: PASSWORD, invite }, `198.51.100.${address++ % 250}`)
}

async function inviteTo({ accounts, anna }: AccountsFixture & { readonly anna: ListedUser }): Promise<string> {
  return (await accounts.invites.create({ role: 'guest', label: 'Ben' }, anna.id)).text
}

describe('people who make accounts for themselves', () => {
  it('do so where the node lets them', async () => {
    const off = await openTo('off')
    expect(await codeOf(() => signUp(off, 'ben'))).toBe('ERR_SIGNUP_CLOSED')
    expect(await codeOf(async () => signUp(off, 'ben', await inviteTo(off)))).toBe('ERR_SIGNUP_CLOSED')
    const byInvite = await openTo('invite')
    expect(await codeOf(() => signUp(byInvite, 'ben'))).toBe('ERR_SIGNUP_CLOSED')
    expect(await signUp(byInvite, 'ben', await inviteTo(byInvite))).toMatchObject({ name: 'ben', role: 'guest' })
    const open = await openTo('open')
    expect(await signUp(open, 'ben')).toMatchObject({ name: 'ben', role: 'user', state: 'open', hasPassword: true })
    expect(await signUp(open, 'cleo', await inviteTo(open))).toMatchObject({ role: 'guest' })
    expect(await codeOf(() => signUp(open, 'BEN'))).toBe('ERR_NAME_TAKEN')
    expect(await codeOf(() => signUp(open, 'dora', 'x'))).toBe('ERR_INVITE_NOT_FOUND')
  })

  it('are never the first', async () => {
    const fixture = await accountsFixture({}, { signup: 'open' })
    expect(await codeOf(() => signUp(fixture, 'ben'))).toBe('ERR_NO_ACCOUNTS')
    const { text } = await fixture.accounts.invites.create({ role: 'user' }, 'operator')
    expect(await codeOf(() => signUp(fixture, 'ben', text))).toBe('ERR_NO_ACCOUNTS')
    expect(fixture.accounts.haveBeen).toBe(false)
  })

  it('are held up when many come from one address, or from anywhere', async () => {
    const { accounts, clock } = await openTo('open')
    const ask = (name: string, from: string): Promise<string> =>
      codeOf(() => accounts.signups.signUp({ name, password: PASSWORD }, from))
    for (let i = 0; i < 5; i++) expect(await ask(`a${i}`, ADDRESS)).toBe('fine')
    expect(await ask('more', ADDRESS)).toBe('ERR_TOO_MANY_TRIES')
    expect(await ask('other', '203.0.113.9')).toBe('fine')
    await clock.advance(60_000)
    expect(await ask('more', ADDRESS)).toBe('fine')
    // names that are taken count as well
    for (let i = 0; i < 99; i++) await ask('anna', `2001:db8:0:${i.toString(16)}::1`)
    expect(await ask('late', '2001:db8:1::1')).toBe('ERR_TOO_MANY_TRIES')
  })
})

describe('an invite', () => {
  it('makes one account, also of two who ask at once, and none when the name is taken', async () => {
    const fixture = await openTo('invite')
    const text = await inviteTo(fixture)
    expect(await codeOf(() => signUp(fixture, 'anna', text))).toBe('ERR_NAME_TAKEN')
    const outcomes = await Promise.all(['ben', 'cleo', 'dora'].map(name => codeOf(() => signUp(fixture, name, text))))
    expect(outcomes.sort()).toEqual(['ERR_INVITE_NOT_FOUND', 'ERR_INVITE_NOT_FOUND', 'fine'])
    expect(fixture.accounts.users.list(undefined, 9).users).toHaveLength(2)
    expect(await fixture.accounts.invites.list()).toEqual([])
  })

  it('is not taken with another secret, after its end, when it was taken back, or when its giver is no administrator', async () => {
    const fixture = await openTo('invite')
    const { accounts, anna, clock } = fixture
    const { invite, text } = await accounts.invites.create({ role: 'user', untilMs: clock.now() + DAY_MS }, anna.id)
    const wrong = `${text.slice(0, 40)}${text.slice(40).split('').reverse().join('')}`
    for (const bad of ['', 'x'.repeat(64), `${text}x`, wrong])
      expect(await codeOf(() => signUp(fixture, 'ben', bad)), bad).toBe('ERR_INVITE_NOT_FOUND')
    await accounts.users.create({ name: 'boss', role: 'admin' }, 'operator', ADDRESS)
    await accounts.users.setRole(anna.id, 'user', 'operator')
    expect(await codeOf(() => signUp(fixture, 'ben', text))).toBe('ERR_INVITE_NOT_FOUND')
    await accounts.users.setRole(anna.id, 'admin', 'operator')
    await clock.advance(DAY_MS)
    expect(await codeOf(() => signUp(fixture, 'ben', text))).toBe('ERR_INVITE_NOT_FOUND')
    const second = await accounts.invites.create({ role: 'user' }, 'operator')
    expect(second.invite.untilMs).toBe(clock.now() + 14 * DAY_MS)
    await accounts.invites.remove(second.invite.id)
    await accounts.invites.remove(second.invite.id)
    expect(await codeOf(() => signUp(fixture, 'ben', second.text))).toBe('ERR_INVITE_NOT_FOUND')
    expect(await codeOf(() => accounts.invites.remove(anna.id as never))).toBe('ERR_INVITE_NOT_FOUND')
    // what is over is written as such, so that a grave ends it
    expect(fixture.directory.lookUp({ kind: INVITE_KIND, id: invite.id }).stored?.record).toBeDefined()
    expect(await accounts.invites.list()).toEqual([])
  })

  it('ends within 90 days, and there are so many at most', async () => {
    const { accounts, clock } = await openTo('invite')
    const make = (untilMs: number): Promise<string> =>
      codeOf(() => accounts.invites.create({ role: 'user', untilMs }, 'operator'))
    for (const untilMs of [clock.now(), clock.now() + INVITE_MS_MAX + 1, Number.NaN])
      expect(await make(untilMs)).toBe('ERR_BAD_PARAMETER')
    for (let i = 0; i < INVITES_MAX; i++) await accounts.invites.create({ role: 'user' }, 'operator')
    expect(await make(clock.now() + DAY_MS)).toBe('ERR_TOO_MANY_INVITES')
    await clock.advance(14 * DAY_MS)
    expect(await make(clock.now() + DAY_MS)).toBe('fine')
    expect(await accounts.invites.list()).toHaveLength(1)
  })

  it('makes an account on each side of a cut; both stay, and it is over', async () => {
    const a = await openTo('invite')
    const b = await accountsFixture({}, { seed: 2, clock: a.clock, signup: 'invite' })
    const text = await inviteTo(a)
    await a.tell(b)
    await signUp(a, 'ben', text)
    await signUp(b, 'cleo', text)
    await a.tell(b)
    await b.tell(a)
    for (const node of [a, b]) {
      expect(node.accounts.users.list(undefined, 9).users.map(({ name }) => name)).toEqual(['anna', 'ben', 'cleo'])
      expect(await codeOf(() => signUp(node, 'dora', text))).toBe('ERR_INVITE_NOT_FOUND')
    }
  })

  it('that was taken back on one side is taken on the other until that hears of it', async () => {
    const a = await openTo('invite')
    const b = await accountsFixture({}, { seed: 2, clock: a.clock, signup: 'invite' })
    const text = await inviteTo(a)
    await a.tell(b)
    const { id } = parseInvite(text)!
    await a.accounts.invites.remove(id)
    await signUp(b, 'ben', text)
    await b.tell(a)
    expect(a.accounts.users.called('ben')).toBeDefined()
    await a.tell(b)
    expect(await codeOf(() => signUp(b, 'cleo', text))).toBe('ERR_INVITE_NOT_FOUND')
  })

  it('of a node elsewhere is asked for', async () => {
    const a = await openTo('invite')
    const text = await inviteTo(a)
    const b = await accountsFixture(
      {
        fetchRecord: async () => {
          await a.tell(b)
          return true
        }
      },
      { seed: 2, clock: a.clock, signup: 'invite' }
    )
    await b.accounts.users.create({ name: 'boss', role: 'admin' }, 'operator', ADDRESS)
    expect(await signUp(b, 'ben', text)).toMatchObject({ name: 'ben' })
  })
})
