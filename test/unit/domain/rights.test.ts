import { describe, expect, test } from 'vitest'
import { ROLES, type Role } from '../../../src/domain/access.js'
import { API_KEY_SCOPES, type ApiKeyScope } from '../../../src/domain/api-key.js'
import type { ApiKeyId, SessionId, UserId } from '../../../src/domain/ids.js'
import type { Principal } from '../../../src/domain/principal.js'
import { everyNeed, lackOf, type Needs, RIGHTS, type Right, rightsOf } from '../../../src/domain/rights.js'

const COMPACT: Needs = { needs: ['maintain'], with: { now: ['operate'] } }
const ID = '01890000-0000-7000-8000-000000000001'
const open = rightsOf({ kind: 'anonymous' }, false)

function user(role: Role, scopes?: readonly ApiKeyScope[]): Principal {
  const via = scopes === undefined ? { session: ID as SessionId } : { key: ID as ApiKeyId, scopes }
  return { kind: 'user', userId: ID as UserId, name: 'anna', role, via }
}

describe('who has which rights', () => {
  test('while no accounts are needed, everybody all but what only the operator may', () => {
    expect(RIGHTS.filter(right => !open.has(right))).toEqual(['share', 'account', 'accounts', 'operate'])
    expect(RIGHTS.filter(right => !rightsOf({ kind: 'operator' }, false).has(right))).toEqual(['share'])
  })

  test('once they are, nobody unknown anything, and the operator nothing that has to do with photos', () => {
    expect([...rightsOf({ kind: 'anonymous' }, true)]).toEqual([])
    expect([...rightsOf({ kind: 'operator' }, true)].sort()).toEqual([
      'account',
      'accounts',
      'jobs',
      'maintain',
      'metrics',
      'operate',
      'watch'
    ])
  })

  test('each role has what the one below it has', () => {
    for (const [i, role] of ROLES.entries()) {
      const below = rightsOf(user(ROLES[i - 1] ?? role), true)
      expect([...below].filter(right => !rightsOf(user(role), true).has(right))).toEqual([])
    }
    expect([...rightsOf(user('guest'), true)]).toEqual(['read', 'download', 'account'])
    expect(RIGHTS.filter(right => !rightsOf(user('admin'), true).has(right))).toEqual([])
  })

  test('a key has no right that its account lacks, and none over accounts, or who sees what', () => {
    for (const role of ROLES) {
      const ofRole = rightsOf(user(role), true)
      const ofKey = rightsOf(user(role, API_KEY_SCOPES), true)
      expect([...ofKey].filter(right => !ofRole.has(right))).toEqual([])
      expect(['account', 'accounts', 'share'].some(right => ofKey.has(right as Right))).toBe(false)
      expect([...rightsOf(user(role, []), true)]).toEqual([])
    }
    expect([...rightsOf(user('user', ['upload', 'admin']), true)]).toEqual(['upload', 'jobs'])
  })
})

test('all rights that an operation needs have to be there', () => {
  expect(lackOf(new Set(['edit']), { needs: ['edit', 'delete'] }, {})).toBe('delete')
  expect(lackOf(new Set(['edit', 'delete']), { needs: ['edit', 'delete'] }, {})).toBeUndefined()
  expect(lackOf(new Set(), { needs: [] }, {})).toBeUndefined()
})

test('a flag of the query can need more, where it is set', () => {
  expect(everyNeed(COMPACT)).toEqual(['maintain', 'operate'])
  expect(lackOf(open, COMPACT, { now: true })).toBe('operate')
  for (const query of [{}, { now: false }, { other: true }]) expect(lackOf(open, COMPACT, query)).toBeUndefined()
  expect(lackOf(new Set(['operate']), COMPACT, { now: true })).toBe('maintain')
})
