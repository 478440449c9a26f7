import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ACCESS_KIND } from '../../../src/domain/access.js'
import {
  API_KEY_KIND,
  API_KEY_SCOPES,
  apiKeyDigest,
  createApiKeyChanges,
  deleteApiKeyChanges,
  formatApiKey,
  isSecretOf,
  parseApiKey,
  viewApiKey
} from '../../../src/domain/api-key.js'
import { type Hlc, hlcFrom } from '../../../src/domain/hlc.js'
import type { ActorId, ApiKeyId, SessionId, UserId } from '../../../src/domain/ids.js'
import {
  type Change,
  changeRecord,
  type DirectoryRecord,
  mergeRecords,
  type RecordKey
} from '../../../src/domain/record.js'
import {
  createSessionChanges,
  endSessionChanges,
  SESSION_KIND,
  SESSION_MS_MAX,
  viewSession
} from '../../../src/domain/session-record.js'
import {
  editSettingsChanges,
  SETTINGS_KEY,
  SETTINGS_KIND,
  turnAuthOnChanges,
  viewSettings
} from '../../../src/domain/settings-record.js'
import { endedLife, isBuriable, isExhumable } from '../../../src/domain/tombstone.js'
import { createUserChanges, editUserChanges, USER_KIND, viewUser } from '../../../src/domain/user.js'
import { checkedUserName, claimIn, foldUserName, type NameClaim, shownNameOf } from '../../../src/domain/user-names.js'
import { ACTORS, bytesArb, hostileRecordArb, NOW_MS, photoIdArb } from '../../support/domain-arbitraries.js'

const id = '01990000-0000-7000-8000-00000000a11a'
const userId = '01990000-0000-7000-8000-0000000000e1' as UserId

function write(
  key: RecordKey,
  before: DirectoryRecord | undefined,
  ms: number,
  changes: readonly Change[],
  actor = ACTORS[0] as ActorId
): DirectoryRecord {
  return changeRecord(key, before, { actor, hlc: () => hlcFrom(ms) }, changes)
}

describe('a user', () => {
  const key = { kind: USER_KIND, id }
  const born = write(key, undefined, NOW_MS, createUserChanges({ name: 'anna', display: 'Anna', mail: 'a@b.example' }))

  it('keeps its birth and what it does not know through edits, and loses what is null', () => {
    const quota = { bytes: 10, photos: undefined }
    const edited = write(key, born, NOW_MS + 1, editUserChanges(born, { name: 'anne', mail: null, quota }))
    const expected = {
      name: 'anne',
      display: 'Anna',
      mail: undefined,
      quota,
      createdAtMs: NOW_MS,
      born: hlcFrom(NOW_MS)
    }
    expect(viewUser(edited)).toMatchObject(expected)
    expect(editUserChanges(born, { name: 'anna', display: 'Anna' })).toEqual([])
  })

  it('can be viewed whatever a node has written', () => {
    fc.assert(
      fc.property(hostileRecordArb(key, [], [], ['name', 'display', 'mail', 'quota', 'born']), record => {
        const user = viewUser(record)
        expect(user?.name === undefined || checkedUserName(user.name) === user.name).toBe(true)
        expect((user?.display ?? '').length).toBeLessThanOrEqual(200)
      })
    )
  })
})

describe('names', () => {
  it('are letters and digits without what looks like nothing or like somebody else', () => {
    const good = ['anna', 'Änne', 'a', '7', '安娜', 'anna.b-c_d@e+f', 'x'.repeat(64)]
    expect(good.map(checkedUserName)).toEqual(good)
    const bad = [
      '',
      '.a',
      'a b',
      'a~1',
      'a/b',
      'a\u202eb',
      'a\u200bb',
      'a:b',
      'x'.repeat(65),
      id,
      'Operator',
      'public',
      '<a>'
    ]
    expect(bad.map(checkedUserName)).toEqual(bad.map(() => undefined))
    expect(checkedUserName('a\u0308nne')).toBe('änne')
  })

  const claimArb: fc.Arbitrary<NameClaim> = fc.record({
    id: fc.oneof(
      photoIdArb.map(text => text as string as UserId),
      // ids that are alike where they should not be
      fc.nat(3).map(n => `0199000${n}-0000-7000-8000-7f3c7f3c7f3c` as UserId),
      fc.nat(99).map(n => `01990000-0000-7000-8000-7f3c0000${String(n).padStart(4, '0')}` as UserId)
    ),
    name: fc.constantFrom('anna', 'Anna', 'ANNÀ', 'bob', 'bob1'),
    born: fc.bigInt({ min: 0n, max: 3n }).map(stamp => stamp as Hlc)
  })

  it('are shown differently for each account, and the oldest has its own', () => {
    fc.assert(
      fc.property(fc.uniqueArray(claimArb, { selector: claim => claim.id, maxLength: 12 }), claims => {
        const rivals = (claim: NameClaim): NameClaim[] =>
          claims.filter(({ name }) => foldUserName(name) === foldUserName(claim.name))
        const shown = claims.map(claim => shownNameOf(claim, rivals(claim)))
        expect(new Set(shown.map(foldUserName)).size).toBe(claims.length)
        expect(claims.map(claim => shownNameOf(claim, rivals(claim).reverse()))).toEqual(shown)
        expect(shown.map(claimIn)).toEqual(claims.map(({ name }) => name))
        for (const claim of claims) {
          const isOldest = rivals(claim).every(({ born }) => born >= claim.born)
          if (isOldest && rivals(claim).every(({ id, born }) => born > claim.born || id >= claim.id))
            expect(shownNameOf(claim, rivals(claim))).toBe(claim.name)
        }
      })
    )
  })

  it('have as much of the id behind them as tells them apart', () => {
    const claim = (tail: string, born: bigint): NameClaim => ({
      id: `01990000-0000-7000-8000-${tail}` as UserId,
      name: 'anna',
      born: born as Hlc
    })
    const [first, second, third] = [claim('aaaaaaaaaaaa', 1n), claim('7f3c00000000', 2n), claim('7f3d00000000', 3n)]
    expect(shownNameOf(second, [first, second])).toBe('anna~7f3c')
    expect(shownNameOf(third, [third, second, first])).toBe('anna~7f3d')
    expect(shownNameOf(claim('7f3c10000000', 4n), [first, second])).toBe('anna~7f3c1')
  })
})

describe('a session', () => {
  const key = { kind: SESSION_KIND, id: id as SessionId }
  const session = { userId, credential: '1.1-00000000000000a1-1', createdAtMs: NOW_MS, untilMs: NOW_MS + 1_000 }
  const born = write(key, undefined, NOW_MS, createSessionChanges({ ...session, label: 'phone', node: 'n1' }))

  it('is ended for ever, also by a node that had not heard of it', () => {
    expect(viewSession(born)).toMatchObject({ ...session, label: 'phone', node: 'n1', isEnded: false })
    const unheard = write(key, undefined, NOW_MS - 5_000, endSessionChanges(undefined, session), ACTORS[1])
    expect(viewSession(mergeRecords(born, unheard))?.isEnded).toBe(true)
    const ended = write(key, born, NOW_MS, endSessionChanges(born, session))
    expect(endSessionChanges(ended, session)).toEqual([])
    expect(endedLife(ended)).toBe(0)
  })

  it('lives 30 days at most, and can be viewed whatever a node has written', () => {
    const long = write(key, undefined, NOW_MS, createSessionChanges({ ...session, untilMs: NOW_MS * 2 }))
    expect(viewSession(long)?.untilMs).toBe(NOW_MS + SESSION_MS_MAX)
    fc.assert(
      fc.property(hostileRecordArb(key, [], [], ['user', 'cred', 'label', 'created', 'until']), record => {
        const view = viewSession(record)
        expect((view?.credential ?? '').length + (view?.label ?? '').length).toBeLessThanOrEqual(280)
      })
    )
  })
})

describe('an API key', () => {
  const key = { kind: API_KEY_KIND, id: id as ApiKeyId }
  const secret = new Uint8Array(32).fill(7)
  const fields = {
    userId,
    sha256: apiKeyDigest(secret),
    scopes: ['read', 'upload'] as const,
    label: 'camera',
    createdAtMs: NOW_MS,
    untilMs: undefined
  }
  const born = write(key, undefined, NOW_MS, createApiKeyChanges(fields))

  it('has a text that is read back, and no other text is taken for it', () => {
    const text = formatApiKey({ id: key.id, secret })
    expect(text).toMatch(/^sheaf_[0-9a-f]{32}_[\w-]{45}$/)
    fc.assert(
      fc.property(photoIdArb, bytesArb(32), (one, bytes) => {
        const apiKey = { id: one as string as ApiKeyId, secret: bytes }
        expect(parseApiKey(formatApiKey(apiKey))).toEqual({ ...apiKey, secret: Buffer.from(bytes) })
      })
    )
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.constantFrom(...'abz019-_'), (at, character) => {
        const typo = text.slice(0, at) + character + text.slice(at + 1)
        // 12 bits let one typo of 4,096 through; the hash finds it
        const parsed = parseApiKey(typo)
        if (typo !== text && parsed !== undefined) expect(isSecretOf(fields, parsed.secret)).toBe(parsed.id !== key.id)
      })
    )
    for (const other of ['', 'sheaf_', text.slice(1), `${text}x`, text.toUpperCase()])
      expect(parseApiKey(other)).toBe(undefined)
  })

  it('keeps scopes that there are, and does not outlive an end that cannot be read', () => {
    expect(viewApiKey(born)).toMatchObject({ ...fields, isDeleted: false })
    expect(isSecretOf(fields, secret)).toBe(true)
    expect(isSecretOf(fields, new Uint8Array(32))).toBe(false)
    const odd = write(key, born, NOW_MS, [
      {
        kind: 'version',
        value: new Map([...(born.entries[0]?.value ?? []), ['scopes', ['admin', 'root', 1]], ['until', 'never']])
      }
    ])
    expect(viewApiKey(odd)).toMatchObject({ scopes: ['admin'], untilMs: 0 })
    expect(endedLife(write(key, born, NOW_MS, deleteApiKeyChanges(born)))).toBe(0)
    fc.assert(
      fc.property(hostileRecordArb(key, [], [], ['user', 'type', 'sha256', 'scopes', 'until', 'created']), record => {
        for (const scope of viewApiKey(record)?.scopes ?? []) expect(API_KEY_SCOPES).toContain(scope)
      })
    )
  })
})

describe('the settings of the cluster', () => {
  const on = write(SETTINGS_KEY, undefined, NOW_MS, turnAuthOnChanges(undefined))

  it('remember for ever that there was an account', () => {
    expect(viewSettings(undefined)).toEqual({ isAuthOn: false, unowned: 'everyone' })
    expect(turnAuthOnChanges(on)).toEqual([])
    const edited = write(
      SETTINGS_KEY,
      undefined,
      NOW_MS + 1,
      editSettingsChanges(undefined, { unowned: userId }, 'operator'),
      ACTORS[1]
    )
    expect(viewSettings(mergeRecords(on, edited))).toEqual({ isAuthOn: true, unowned: userId })
    const raised = write(SETTINGS_KEY, on, NOW_MS + 2, [
      { kind: 'version', deleted: true, value: new Map(), carry: () => true }
    ])
    expect(viewSettings(raised).isAuthOn).toBe(true)
  })

  it('let in the fewest of what was set at the same time', () => {
    const set = (unowned: UserId | 'everyone', actor: ActorId | undefined): DirectoryRecord =>
      write(SETTINGS_KEY, on, NOW_MS + 1, editSettingsChanges(on, { unowned }, 'operator'), actor)
    const merged = mergeRecords(set('everyone', ACTORS[2]), set(userId, ACTORS[1]))
    expect(viewSettings(merged)).toMatchObject({ unowned: userId })
    const later = write(
      SETTINGS_KEY,
      merged,
      NOW_MS + 9,
      editSettingsChanges(merged, { unowned: 'everyone' }, 'operator')
    )
    expect(viewSettings(later)).toMatchObject({ unowned: 'everyone' })
  })

  it('can be viewed whatever a node has written', () => {
    fc.assert(
      fc.property(hostileRecordArb(SETTINGS_KEY, ['auth', 'unowned'], ['x']), record => {
        expect(typeof viewSettings(record).isAuthOn).toBe('boolean')
      })
    )
  })
})

it('people and their rights cannot be buried; what they end can', () => {
  for (const kind of [USER_KIND, ACCESS_KIND, SETTINGS_KIND]) expect(isBuriable({ kind, id })).toBe(false)
  for (const kind of [SESSION_KIND, API_KEY_KIND]) {
    expect(isBuriable({ kind, id })).toBe(true)
    expect(isExhumable({ kind })).toBe(false)
  }
  expect(['photo', 'album', 'what is to come'].map(kind => isExhumable({ kind }))).toEqual([true, true, true])
})
