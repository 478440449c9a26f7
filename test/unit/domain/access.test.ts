import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  ACCESS_KIND,
  ACCOUNT_STATES,
  type Access,
  createAccessChanges,
  isCredentialInForce,
  ROLES,
  type Role,
  rehashPasswordChanges,
  setPasswordChanges,
  setRoleChanges,
  setStateChanges,
  viewAccess
} from '../../../src/domain/access.js'
import { hlcFrom } from '../../../src/domain/hlc.js'
import type { ActorId, UserId } from '../../../src/domain/ids.js'
import { type Change, changeRecord, type DirectoryRecord, mergeRecords } from '../../../src/domain/record.js'
import { ACTORS, hostileRecordArb } from '../../support/domain-arbitraries.js'

const id = '01990000-0000-7000-8000-00000000a11a' as UserId
const key = { kind: ACCESS_KIND, id }

function write(
  before: DirectoryRecord | undefined,
  ms: number,
  changes: readonly Change[],
  actor = ACTORS[0] as ActorId
): DirectoryRecord {
  return changeRecord(key, before, { actor, hlc: () => hlcFrom(ms) }, changes)
}

function view(record: DirectoryRecord): Access {
  return viewAccess(record) as Access
}

const born = write(undefined, 1_000, createAccessChanges({ role: 'user', phc: 'one', why: 'set', by: 'operator' }))
const [, B, C] = ACTORS as [ActorId, ActorId, ActorId]

type Command =
  | { readonly at: number; readonly kind: 'role'; readonly role: Role; readonly ms: number }
  | { readonly at: number; readonly kind: 'hear'; readonly from: number }

const commandArb: fc.Arbitrary<Command> = fc.oneof(
  fc.record({
    at: fc.nat(2),
    kind: fc.constant('role' as const),
    role: fc.constantFrom(...ROLES),
    // clocks that are anything but right
    ms: fc.integer({ min: 2_000, max: 9_000 })
  }),
  fc.record({ at: fc.nat(2), kind: fc.constant('hear' as const), from: fc.nat(2) })
)

interface Write {
  readonly role: Role
  readonly saw: ReadonlySet<Write>
}

/** Runs a history on three nodes, beside a model that knows who saw what. */
function run(commands: readonly Command[]): { records: DirectoryRecord[]; known: Set<Write>[] } {
  const first: Write = { role: 'user', saw: new Set() }
  const records = [born, born, born]
  const known = [new Set([first]), new Set([first]), new Set([first])]
  for (const command of commands) {
    const before = records[command.at] as DirectoryRecord
    const seen = known[command.at] as Set<Write>
    if (command.kind === 'hear') {
      records[command.at] = mergeRecords(before, records[command.from] as DirectoryRecord)
      for (const one of known[command.from] as Set<Write>) seen.add(one)
      continue
    }
    const changes = setRoleChanges(before, command.role, 'operator')
    if (changes.length === 0) continue
    const latest = Math.max(...before.entries.map(({ hlc }) => Number(hlc >> 16n)))
    records[command.at] = write(before, Math.max(command.ms, latest + 1), changes, ACTORS[command.at])
    seen.add({ role: command.role, saw: new Set(seen) })
  }
  return { records, known }
}

/** @returns the least role of what nobody wrote over */
function leastOf(known: ReadonlySet<Write>): Role {
  const last = [...known].filter(one => ![...known].some(other => other.saw.has(one)))
  return ROLES.find(role => last.some(one => one.role === role)) as Role
}

describe('the role of an account', () => {
  it('is the least of what was written at the same time, whatever the clocks say and in whatever order it is heard', () => {
    fc.assert(
      fc.property(fc.array(commandArb, { maxLength: 25 }), fc.constantFrom('012', '210', '1021'), (commands, order) => {
        const { records, known } = run(commands)
        for (const [at, record] of records.entries())
          expect(view(record).role).toBe(leastOf(known[at] as ReadonlySet<Write>))
        const merged = [...order].map(at => records[Number(at)] as DirectoryRecord).reduce(mergeRecords)
        expect(view(merged).role).toBe(leastOf(new Set(known.flatMap(set => [...set]))))
        expect(view(mergeRecords(merged, records[0] as DirectoryRecord))).toEqual(view(merged))
      })
    )
  })

  it('is what somebody gives who saw all', () => {
    fc.assert(
      fc.property(fc.array(commandArb, { maxLength: 25 }), fc.constantFrom(...ROLES), (commands, role) => {
        const merged = run(commands).records.reduce(mergeRecords)
        const given = write(merged, 10_000_000, setRoleChanges(merged, role, 'operator'), C)
        expect(view(given)).toMatchObject({ role, isContested: false })
      })
    )
  })
})

describe('an account', () => {
  it('is disabled when one disables it and another one, who has not heard, opens it or changes the password', () => {
    const away = write(born, 2_000, setStateChanges(born, 'disabled', 'operator'), B)
    const changed = write(born, 9_000, setPasswordChanges('two', 'set', id), C)
    expect(view(mergeRecords(away, changed))).toMatchObject({ state: 'disabled', password: { phc: 'two' } })
    const reopened = write(write(born, 3_000, setStateChanges(born, 'disabled', id)), 4_000, [])
    const open = write(reopened, 5_000, setStateChanges(reopened, 'open', 'operator'))
    expect(view(open).state).toBe('open')
    expect(view(mergeRecords(open, away)).state).toBe('disabled')
    const closed = write(away, 6_000, setStateChanges(away, 'closed', 'operator'), B)
    expect(view(mergeRecords(closed, open)).state).toBe('closed')
  })

  it('has the password of an administrator rather than its own later one; of two of a kind the later', () => {
    const own = write(born, 9_000, setPasswordChanges('own', 'set', id), B)
    const reset = write(born, 2_000, setPasswordChanges('reset', 'reset', 'operator'), C)
    const merged = mergeRecords(own, reset)
    expect(view(merged)).toMatchObject({ password: { phc: 'reset' }, isContested: true })
    expect(view(mergeRecords(own, write(born, 9_001, setPasswordChanges('later', 'set', id)))).password?.phc).toBe(
      'later'
    )
    const after = write(merged, 10_000, setPasswordChanges('mine', 'set', id), B)
    expect(view(after)).toMatchObject({ password: { phc: 'mine' }, isContested: false })
  })

  it('knows which credentials are over, and takes those that it has not heard of', () => {
    const cred = view(born).password?.credential as string
    const own = write(born, 9_000, setPasswordChanges('own', 'set', id), B)
    const reset = write(born, 2_000, setPasswordChanges('reset', 'reset', 'operator'), C)
    const [ofOwn, ofReset] = [own, reset].map(record => view(record).password?.credential as string) as [string, string]
    expect([cred, ofOwn, ofReset].map(one => isCredentialInForce(born, one))).toEqual([true, true, true])
    expect([cred, ofOwn, ofReset].map(one => isCredentialInForce(own, one))).toEqual([false, true, true])
    const merged = mergeRecords(own, reset)
    expect([cred, ofOwn, ofReset].map(one => isCredentialInForce(merged, one))).toEqual([false, false, true])
    for (const odd of ['', 'x', `${cred}0x`, '1.1-00-1', '9'.repeat(500)])
      expect(isCredentialInForce(own, odd)).toBe(false)
  })

  it('keeps a credential when its password is hashed anew, and that beats no change of the password', () => {
    const { credential = '' } = view(born).password ?? {}
    const rehashed = write(born, 9_000, rehashPasswordChanges(born, credential, 'one again'), B)
    expect(view(rehashed).password).toMatchObject({ phc: 'one again', credential })
    expect(isCredentialInForce(rehashed, credential)).toBe(true)
    const changed = write(born, 2_000, setPasswordChanges('two', 'set', id), C)
    expect(view(mergeRecords(rehashed, changed)).password?.phc).toBe('two')
    expect(rehashPasswordChanges(changed, credential, 'one again')).toEqual([])
    const both = mergeRecords(rehashed, write(born, 9_001, rehashPasswordChanges(born, credential, 'and again'), C))
    expect(view(both).password).toMatchObject({ phc: 'and again', credential })
  })

  it('counts as the least where a record says what nobody knows, or nothing', () => {
    const odd = write(born, 2_000, [
      { kind: 'add', field: 'role', key: 'role', value: new Map([['role', 'owner']]) },
      { kind: 'add', field: 'state', key: 'state', value: new Map([['state', 1]]) },
      { kind: 'add', field: 'secret', key: 'password', value: new Map([['phc', 'x'.repeat(257)]]) }
    ])
    expect(view(odd)).toMatchObject({ role: 'guest', state: 'closed', password: { phc: '' } })
    const empty = write(undefined, 1, [{ kind: 'version', value: new Map() }])
    expect(view(empty)).toMatchObject({ role: 'guest', state: 'disabled', password: undefined })
    const raised = write(born, 2_000, [{ kind: 'version', deleted: true, value: new Map() }])
    expect(view(raised)).toMatchObject({ role: 'guest', state: 'disabled', password: undefined })
  })

  it('can be viewed whatever a node has written', () => {
    fc.assert(
      fc.property(hostileRecordArb(key, ['role', 'state', 'secret'], ['role', 'state', 'password']), record => {
        const { role, state, password } = view(record)
        expect(ROLES).toContain(role)
        expect(ACCOUNT_STATES).toContain(state)
        expect((password?.phc ?? '').length).toBeLessThanOrEqual(256)
        isCredentialInForce(record, password?.credential ?? '')
      })
    )
  })
})
