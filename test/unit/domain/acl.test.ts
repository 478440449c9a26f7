import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  ALBUM_ROLES,
  type AlbumRole,
  aclKey,
  type Grantee,
  grantChanges,
  granteeOf,
  inForce,
  isGrantable,
  parseGrantee,
  restsOn,
  setOwnerChanges,
  userIn,
  viewAcl
} from '../../../src/domain/acl.js'
import { hlcFrom } from '../../../src/domain/hlc.js'
import type { ActorId, AlbumId, UserId } from '../../../src/domain/ids.js'
import { type Change, changeRecord, type DirectoryRecord, mergeRecords } from '../../../src/domain/record.js'
import { decodeRecord, encodeRecord } from '../../../src/domain/record-codec.js'
import { TIME_MS_MAX } from '../../../src/domain/value-fields.js'
import { ACTORS, hostileRecordArb } from '../../support/domain-arbitraries.js'

const ALBUM = '01990000-0000-7000-8000-00000000a1b0' as AlbumId
const userOf = (letter: string): UserId => `01990000-0000-7000-8000-0000000000${letter}${letter}` as UserId
const [OWNER, ANN, BEN, CAT] = ['a', 'b', 'c', 'd'].map(userOf) as [UserId, UserId, UserId, UserId]
const [ann, ben, cat] = [ANN, BEN, CAT].map(granteeOf) as [Grantee, Grantee, Grantee]
const GRANTEES: readonly Grantee[] = [ann, ben, cat, 'everyone', 'public']
const NOW = 5_000
const [A, B, C] = ACTORS as [ActorId, ActorId, ActorId]

type Acl = DirectoryRecord | undefined

let ms = 10_000
function write(before: Acl, changes: readonly Change[], actor = A, atMs = ++ms): Acl {
  if (changes.length === 0) return before
  const record = changeRecord(aclKey(ALBUM), before, { actor, hlc: () => hlcFrom(atMs) }, changes)
  return decodeRecord(encodeRecord(record))
}

function give(before: Acl, grantee: Grantee, role: AlbumRole, by: UserId, actor = A, untilMs?: number): Acl {
  return write(before, grantChanges(before, OWNER, grantee, { role, by, untilMs }, NOW), actor)
}

function merged(...acls: readonly Acl[]): Acl {
  const records = acls.filter(acl => acl !== undefined)
  return records.length === 0 ? undefined : records.reduce(mergeRecords)
}

/** @returns the roles in force */
function roles(acl: Acl, owner: UserId | undefined = OWNER, nowMs = NOW): Partial<Record<Grantee, AlbumRole>> {
  return Object.fromEntries([...inForce(viewAcl(acl), owner, nowMs)].map(([grantee, { role }]) => [grantee, role]))
}

type Command =
  | {
      readonly at: number
      readonly by: UserId
      readonly grantee: Grantee
      readonly role: AlbumRole
      readonly ms: number
    }
  | { readonly at: number; readonly from: number }

const commandArb: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      at: fc.nat(2),
      by: fc.constantFrom(OWNER, OWNER, ANN, BEN, CAT),
      grantee: fc.constantFrom(...GRANTEES),
      role: fc.constantFrom(...ALBUM_ROLES, 'manager' as const),
      // clocks that are anything but right
      ms: fc.integer({ min: 20_000, max: 90_000 })
    })
  },
  { weight: 2, arbitrary: fc.record({ at: fc.nat(2), from: fc.nat(2) }) }
)

interface Write {
  readonly grantee: string
  readonly role: AlbumRole
  readonly by: string
  readonly saw: ReadonlySet<Write>
}

/** A history on three nodes, whose people do what they may as their node sees it, beside a model that knows who saw what. */
class History {
  readonly acls: Acl[] = [undefined, undefined, undefined]
  readonly known: Set<Write>[] = [new Set(), new Set(), new Set()]
  readonly #isHonest: boolean

  constructor(isHonest = true) {
    this.#isHonest = isHonest
  }

  run(command: Command, onShare: (before: Acl, after: Acl, grantee: Grantee, by: UserId) => void = () => {}): void {
    const { at } = command
    const before = this.acls[at]
    const seen = this.known[at] as Set<Write>
    if ('from' in command) {
      this.acls[at] = merged(before, this.acls[command.from])
      for (const one of this.known[command.from] as Set<Write>) seen.add(one)
      return
    }
    const { by, grantee, role } = command
    if (!isGrantable(grantee, role)) return
    if (this.#isHonest && by !== OWNER && roles(before)[granteeOf(by)] !== 'manager') return
    const other = userIn(grantee)
    if (this.#isHonest && role !== 'manager' && other && restsOn(before, OWNER, by, other, NOW)) return
    const changes = grantChanges(before, OWNER, grantee, { role, by }, NOW)
    if (changes.length === 0) return
    const latest = Math.max(0, ...(before?.entries ?? []).map(({ hlc }) => Number(hlc >> 16n)))
    const after = write(before, changes, ACTORS[at], Math.max(command.ms, latest + 1))
    this.acls[at] = after
    onShare(before, after, grantee, by)
    const saw = new Set(seen)
    for (const change of changes)
      if (change.kind === 'add' && change.field === 'grants') {
        const [role, by] = ['role', 'by'].map(name => change.value?.get(name)) as [AlbumRole, string]
        seen.add({ grantee: change.key, role, by, saw })
      }
  }
}

/** As the rule is told: the least of what nobody wrote over, where somebody gives it who is the owner or a manager himself. */
function expected(known: ReadonlySet<Write>): Partial<Record<string, AlbumRole>> {
  const last = (grantee: string): Write[] => {
    const writes = [...known].filter(one => one.grantee === grantee)
    return writes.filter(one => !writes.some(other => other.saw.has(one)))
  }
  const found: Record<string, AlbumRole> = {}
  for (let count = -1; count !== Object.keys(found).length; ) {
    count = Object.keys(found).length
    for (const grantee of GRANTEES) {
      const writes = last(grantee)
      const role = ALBUM_ROLES.find(one => writes.some(write => write.role === one)) ?? 'none'
      const isGiven = writes.some(({ by }) => by === OWNER || found[`user:${by}`] === 'manager')
      if (role !== 'none' && isGiven) found[grantee] = role
    }
  }
  return found
}

const historyArb = fc.array(commandArb, { maxLength: 40, size: 'max' })
const RUNS = { numRuns: Number(process.env.SHEAF_HISTORIES ?? 400) }

describe('the roles in an album', () => {
  it('are the least of what was given at the same time, by whom who may, in whatever order it is heard', () => {
    fc.assert(
      fc.property(historyArb, fc.boolean(), fc.constantFrom('012', '210', '1021'), (commands, isHonest, order) => {
        const history = new History(isHonest)
        for (const command of commands) history.run(command)
        for (const [at, acl] of history.acls.entries())
          expect(roles(acl)).toEqual(expected(history.known[at] as ReadonlySet<Write>))
        const all = merged(...[...order].map(at => history.acls[Number(at)]))
        expect(roles(all)).toEqual(expected(new Set(history.known.flatMap(set => [...set]))))
        expect(merged(all, history.acls[0])).toEqual(all)
      }),
      RUNS
    )
  })

  it('change for nobody but whom one is given to; who leaves takes what he gave with him', () => {
    fc.assert(
      fc.property(historyArb, commands => {
        const history = new History()
        for (const command of commands)
          history.run(command, (before, after, grantee, by) => {
            const [{ [grantee]: _, ...others }, { [grantee]: __, ...now }] = [roles(before), roles(after)]
            if (userIn(grantee) === by) expect(others).toMatchObject(now)
            else expect(now).toEqual(others)
          })
      }),
      RUNS
    )
  })

  it('are what the owner gives who saw all', () => {
    fc.assert(
      fc.property(historyArb, fc.constantFrom(...GRANTEES), fc.constantFrom(...ALBUM_ROLES), (commands, to, role) => {
        const history = new History(false)
        for (const command of commands) history.run(command)
        if (!isGrantable(to, role)) return
        expect(roles(give(merged(...history.acls), to, role, OWNER))[to] ?? 'none').toBe(role)
      }),
      RUNS
    )
  })
})

describe('an album whose nodes are cut off from each other', () => {
  const shared = give(give(undefined, ann, 'manager', OWNER), ben, 'viewer', ANN)

  it('keeps out who was thrown out, whatever happens elsewhere, until somebody who knows it gives again', () => {
    const out = give(shared, ben, 'none', OWNER, B)
    const more = give(shared, ben, 'contributor', ANN, C)
    expect(roles(merged(out, more))).toEqual({ [ann]: 'manager' })
    expect(viewAcl(merged(out, more)).grants.get(ben)).toMatchObject({ role: 'none', isContested: true })
    const again = give(merged(out, more), ben, 'viewer', ANN)
    expect(roles(merged(again, out, more))).toEqual({ [ann]: 'manager', [ben]: 'viewer' })
  })

  it('does not take what a manager gives who is none any more, and keeps what he gave before', () => {
    const out = give(shared, ann, 'none', OWNER, B)
    const far = give(give(shared, cat, 'manager', ANN, C), 'public', 'viewer', CAT, C)
    expect(roles(out)).toEqual({ [ben]: 'viewer' })
    expect(viewAcl(out).grants.get(ben)?.givers).toEqual([OWNER])
    expect(roles(merged(out, far))).toEqual({ [ben]: 'viewer' })
    // nor when he becomes one again, as nobody has seen in between what he gave
    expect(roles(give(merged(out, far), ann, 'manager', OWNER))).toEqual({ [ann]: 'manager', [ben]: 'viewer' })
  })

  it('has neither of two managers who throw each other out, and none who only have each other', () => {
    const both = give(shared, ben, 'manager', OWNER)
    expect(roles(merged(give(both, ben, 'none', ANN, B), give(both, ann, 'none', BEN, C)))).toEqual({})
    const hostile = write(undefined, [
      { kind: 'version', value: new Map() },
      ...[
        [ann, BEN],
        [ben, CAT],
        [cat, ANN]
      ].map(([key, by]): Change => {
        const value = new Map([
          ['role', 'manager'],
          ['by', by as string]
        ])
        return { kind: 'add', field: 'grants', key: key as string, value }
      })
    ])
    expect(roles(hostile)).toEqual({})
    expect(roles(give(hostile, ann, 'manager', OWNER))).toEqual({ [ann]: 'manager' })
  })

  it('belongs to whom it was handed to last, with all that its owner had given; what he gives elsewhere is void', () => {
    const handed = write(shared, setOwnerChanges(shared, OWNER, CAT, OWNER, NOW), B)
    const far = give(shared, 'everyone', 'viewer', OWNER, C)
    expect(viewAcl(handed).owner).toBe(CAT)
    expect(roles(merged(handed, far), CAT)).toEqual({ [ann]: 'manager', [ben]: 'viewer' })
    expect(setOwnerChanges(handed, CAT, CAT, CAT, NOW)).toEqual([])
    const later = write(shared, setOwnerChanges(shared, OWNER, BEN, OWNER, NOW), C)
    expect(viewAcl(merged(handed, later)).owner).toBe(BEN)
    expect(roles(merged(handed, later), BEN)).toEqual({ [ann]: 'manager', [ben]: 'viewer' })
    expect(viewAcl(write(undefined, setOwnerChanges(undefined, undefined, ANN, OWNER, NOW))).owner).toBe(ANN)
  })
})

describe('a role', () => {
  it('of a manager rests on whom it hangs on, and on nobody else', () => {
    const chain = give(give(undefined, ann, 'manager', OWNER), ben, 'manager', ANN)
    const rests = (acl: Acl, manager: UserId, other: UserId): boolean => restsOn(acl, OWNER, manager, other, NOW)
    expect([rests(chain, BEN, ANN), rests(chain, ANN, BEN), rests(chain, OWNER, ANN)]).toEqual([true, false, false])
    expect(rests(chain, ANN, ANN)).toBe(false)
    const both = merged(give(chain, cat, 'manager', OWNER), give(chain, cat, 'manager', ANN, B))
    expect(rests(both, CAT, ANN)).toBe(false)
  })

  it('that was disputed is none after it was taken away, whatever somebody gives who has not heard of it all', () => {
    const given = give(undefined, ann, 'viewer', OWNER, A)
    const taken = give(give(undefined, ann, 'manager', OWNER, B), ann, 'none', OWNER, B)
    const settled = give(merged(given, taken), ann, 'none', OWNER, A)
    const elsewhere = give(taken, ann, 'manager', OWNER, B)
    expect(roles(merged(settled, elsewhere))).toEqual({})
  })

  it('ends when it says, with all that was given by it; of two ends the first counts', () => {
    const acl = give(give(undefined, ann, 'manager', OWNER, A, NOW + 1), ben, 'viewer', ANN)
    expect(roles(acl)).toEqual({ [ann]: 'manager', [ben]: 'viewer' })
    expect(roles(acl, OWNER, NOW + 1)).toEqual({})
    const [b, c] = [give(acl, ben, 'contributor', OWNER, B), give(acl, ben, 'viewer', OWNER, C, NOW + 9)]
    expect(viewAcl(merged(b, c)).grants.get(ben)).toMatchObject({ role: 'viewer', untilMs: NOW + 9, isContested: true })
  })

  it('is given once: the same again changes nothing, nor does taking away what nobody has', () => {
    const acl = give(undefined, ann, 'viewer', OWNER)
    expect(give(acl, ann, 'viewer', OWNER)).toBe(acl)
    expect(give(acl, ben, 'none', OWNER)).toBe(acl)
    const gone = give(acl, ann, 'none', OWNER)
    expect(give(gone, ann, 'none', OWNER)).toBe(gone)
    // what is void is given
    const stray = give(acl, ben, 'viewer', CAT)
    expect(roles(stray)).toEqual({ [ann]: 'viewer' })
    expect(roles(give(stray, ben, 'viewer', OWNER))).toEqual({ [ann]: 'viewer', [ben]: 'viewer' })
  })

  it('is bounded for many at once, also where another node has written more', () => {
    expect([isGrantable('public', 'contributor'), isGrantable('everyone', 'manager')]).toEqual([false, false])
    expect([isGrantable('public', 'viewer'), isGrantable(ann, 'manager')]).toEqual([true, true])
    const group: Grantee = `group:${CAT}` as Grantee
    expect([isGrantable(group, 'contributor'), isGrantable(group, 'manager')]).toEqual([true, false])
    const all = give(give(undefined, 'public', 'manager', OWNER), 'everyone', 'manager', OWNER)
    const acl = give(all, group, 'manager', OWNER)
    expect(roles(acl)).toEqual({ public: 'viewer', everyone: 'contributor', [group]: 'contributor' })
    // nor does what somebody gives count who is a manager by it alone
    expect(roles(give(acl, ben, 'viewer', CAT))).toEqual(roles(acl))
  })

  it('is of everyone, of the public, of a group, or of an account by its id', () => {
    expect([parseGrantee('everyone'), parseGrantee('public')]).toEqual(['everyone', 'public'])
    expect([parseGrantee(ANN.toUpperCase()), parseGrantee(`user:${ANN}`)]).toEqual([ann, ann])
    expect(parseGrantee(`group:${CAT.toUpperCase()}`)).toBe(`group:${CAT}`)
    expect(['', 'ann', 'user:', 'group:', 'group:1'].map(parseGrantee)).toEqual(Array(5).fill(undefined))
    expect([userIn(ann), userIn('everyone')]).toEqual([ANN, undefined])
  })
})

describe('a record of another node', () => {
  const acl = give(undefined, ann, 'viewer', OWNER) as DirectoryRecord

  it('gives nothing by what it does not say, or says in words of later', () => {
    const values: readonly (readonly [string, unknown])[] = [
      ['role', 'emperor'],
      ['role', 7],
      ['by', 'operator'],
      ['by', 7],
      ['until', 'soon'],
      ['until', TIME_MS_MAX + 1],
      ['until', -TIME_MS_MAX]
    ]
    for (const [name, said] of values) {
      const entries = acl.entries.map(entry =>
        entry.field === 'grants' ? { ...entry, value: new Map(entry.value).set(name, said as string) } : entry
      )
      expect(roles({ ...acl, entries }), `${name} ${String(said)}`).toEqual({})
    }
    const keys = acl.entries.map(entry => ({ ...entry, key: entry.key.toUpperCase() }))
    expect(roles({ ...acl, entries: keys })).toEqual({})
    expect(roles({ ...acl, kind: 'album' })).toEqual({})
  })

  it('is viewed whatever is in it', () => {
    const names = ['role', 'by', 'until', 'owner']
    fc.assert(
      fc.property(hostileRecordArb(aclKey(ALBUM), ['grants', 'owner'], [ann, 'everyone', 'owner'], names), record => {
        expect(Object.values(roles(record))).not.toContain('none')
        expect(grantChanges(record, OWNER, ben, { role: 'viewer', by: OWNER }, NOW)).not.toEqual([])
      })
    )
  })
})
