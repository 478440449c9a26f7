import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { aclKey, granteeOf } from '../../../src/domain/acl.js'
import {
  handOverChanges,
  type NewPlace,
  type Place,
  placeChanges,
  placesAbove,
  viewPlace
} from '../../../src/domain/album-tree.js'
import { type AlbumAct, type AlbumAudience, mayWithAlbum, type Person } from '../../../src/domain/audience.js'
import { hlcFrom } from '../../../src/domain/hlc.js'
import type { ActorId, AlbumId, UserId } from '../../../src/domain/ids.js'
import { ALBUM_DEPTH_MAX } from '../../../src/domain/limits.js'
import { type Change, changeRecord, type DirectoryRecord, mergeRecords } from '../../../src/domain/record.js'
import { decodeRecord, encodeRecord } from '../../../src/domain/record-codec.js'
import { ACTORS, hostileRecordArb } from '../../support/domain-arbitraries.js'

const albumOf = (n: number): AlbumId => `01990000-0000-7000-8000-0000000a${String(n).padStart(4, '0')}` as AlbumId
const [ANN, BEN] = ['a', 'b'].map(letter => `01990000-0000-7000-8000-0000000000${letter}${letter}`) as [UserId, UserId]
const [SELF, HOLIDAYS, WORK] = [0, 1, 2].map(albumOf) as [AlbumId, AlbumId, AlbumId]
const [A, B] = ACTORS as [ActorId, ActorId]
const NOWHERE: NewPlace = { parent: undefined, inherits: true }
const NOW = 5_000

type Acl = DirectoryRecord | undefined

let ms = 10_000
function write(before: Acl, changes: readonly Change[], actor = A, album = SELF, atMs = ++ms): DirectoryRecord {
  return decodeRecord(encodeRecord(changeRecord(aclKey(album), before, { actor, hlc: () => hlcFrom(atMs) }, changes)))
}

function put(
  before: Acl,
  parent: AlbumId | undefined,
  { actor = A, owner = ANN, inherits = true } = {}
): DirectoryRecord {
  return write(before, placeChanges(before, owner, { parent, inherits }), actor)
}

const shown = (acl: Acl, owner: UserId | 'nobody' = ANN): string | undefined =>
  viewPlace(acl, owner === 'nobody' ? undefined : owner)?.parent

describe('where an album stands', () => {
  it('is what was said last, by whoever it belonged to, and nothing is written where it stands there', () => {
    expect(shown(undefined)).toBeUndefined()
    const acl = put(put(undefined, HOLIDAYS), WORK)
    expect([shown(acl), shown(acl, BEN), shown(acl, 'nobody')]).toEqual([WORK, undefined, WORK])
    expect(placeChanges(acl, ANN, { parent: WORK, inherits: true })).toEqual([])
    expect(placeChanges(acl, ANN, { parent: WORK, inherits: false })).toHaveLength(1)
    expect(placeChanges(undefined, ANN, NOWHERE)).toEqual([])
    expect(shown(put(acl, undefined))).toBeUndefined()
  })

  it('is nowhere if that was said at the same time, and closed before open', () => {
    const before = put(undefined, HOLIDAYS)
    const [out, away] = [put(before, undefined), put(before, WORK, { actor: B })]
    expect(shown(mergeRecords(out, away))).toBeUndefined()
    expect(shown(put(mergeRecords(out, away), WORK))).toBe(WORK)
    const [closed, open] = [put(before, WORK, { inherits: false }), put(before, WORK, { actor: B })]
    expect(viewPlace(mergeRecords(closed, open), ANN)).toMatchObject({ parent: WORK, inherits: false })
    // to say the same again settles it
    expect(placeChanges(mergeRecords(open, put(before, HOLIDAYS, { inherits: false })), ANN, NOWHERE)).toHaveLength(1)
  })

  it('stays when the album is handed over, but not where somebody puts it at the same time who hands it over', () => {
    const before = put(undefined, HOLIDAYS, { inherits: false })
    const handed = write(before, handOverChanges(before, ANN, ANN, BEN, ANN, NOW))
    expect(viewPlace(handed, BEN)).toMatchObject({ parent: HOLIDAYS, inherits: false })
    const moved = put(before, WORK, { actor: B })
    expect(shown(mergeRecords(handed, moved), BEN)).toBe(HOLIDAYS)
    expect(handOverChanges(handed, ANN, BEN, BEN, BEN, NOW)).toEqual([])
    // of nobody, and then of somebody
    const unowned = write(undefined, placeChanges(undefined, undefined, { parent: HOLIDAYS, inherits: true }))
    expect([shown(unowned, 'nobody'), shown(unowned, ANN)]).toEqual([HOLIDAYS, undefined])
    expect(shown(write(unowned, handOverChanges(unowned, undefined, undefined, ANN, ANN, NOW)))).toBe(HOLIDAYS)
  })

  it('is nowhere where another node has written what cannot be read', () => {
    const parents = [7, 'x', '', null].map((parent): Change => {
      return { kind: 'add', field: 'place', key: 'parent', value: new Map([['parent', parent]]) }
    })
    for (const change of parents) {
      const before = put(undefined, HOLIDAYS)
      const odd = write(before, [change], B)
      expect([shown(odd, 'nobody'), shown(mergeRecords(odd, put(before, WORK)))]).toEqual([undefined, undefined])
    }
    const recordArb = hostileRecordArb(aclKey(SELF), ['place'], ['parent'], ['parent', 'closed', 'owner'])
    fc.assert(fc.property(recordArb, fc.constantFrom(ANN, undefined), (record, owner) => void viewPlace(record, owner)))
  })
})

/** @returns where each album stands, by the moves that were made at the same time */
function tableOf(parents: readonly number[], stamps: readonly number[]): ReadonlyMap<AlbumId, Place> {
  return new Map(
    parents.flatMap((parent, n): [AlbumId, Place][] => {
      if (parent >= parents.length) return []
      const acl = write(
        undefined,
        placeChanges(undefined, ANN, { parent: albumOf(parent), inherits: true }),
        ACTORS[n % ACTORS.length],
        albumOf(n),
        stamps[n]
      )
      return [[albumOf(n), viewPlace(acl, ANN) as Place]]
    })
  )
}

describe('the tree', () => {
  const lineOf = (length: number): ReadonlyMap<AlbumId, Place> =>
    tableOf(
      [length + 1, ...Array.from({ length }, (_, n) => n)],
      Array.from({ length: length + 1 }, (_, n) => 10 + n)
    )
  const above = (id: AlbumId, table: ReadonlyMap<AlbumId, Place>): readonly AlbumId[] =>
    placesAbove(id, album => table.get(album)).map(({ parent }) => parent)

  it('leads from an album to the one in which nothing stands', () => {
    expect(above(albumOf(2), lineOf(3))).toEqual([albumOf(1), albumOf(0)])
    expect(above(albumOf(0), lineOf(3))).toEqual([])
  })

  it('has so many storeys, and what is below stands in none', () => {
    const line = lineOf(ALBUM_DEPTH_MAX + 2)
    expect(above(albumOf(ALBUM_DEPTH_MAX), line)).toHaveLength(ALBUM_DEPTH_MAX)
    expect(above(albumOf(ALBUM_DEPTH_MAX + 1), line)).toEqual([])
  })

  it('opens a circle at the greatest place', () => {
    // 0 in 1, 1 in 2, 2 in 0 is the last that was said; 3 in 1
    const table = tableOf([1, 2, 0, 1], [100, 200, 300, 400])
    expect([0, 1, 2, 3].map(n => above(albumOf(n), table).length)).toEqual([2, 1, 0, 2])
    expect(above(albumOf(3), table)).toEqual([albumOf(1), albumOf(2)])
    expect(above(SELF, tableOf([0], [100]))).toEqual([])
  })

  it('is a forest whatever was said, in which each album sees above it what its parent sees, and nothing that was not said', () => {
    const tablesArb = fc
      .integer({ min: 1, max: 40 })
      .chain(size =>
        fc.tuple(
          fc.array(fc.nat(size), { minLength: size, maxLength: size }),
          fc.array(fc.integer({ min: 1, max: 9 }), { minLength: size, maxLength: size })
        )
      )
    let circles = 0
    fc.assert(
      fc.property(tablesArb, ([parents, stamps]) => {
        const table = tableOf(parents, stamps)
        for (const n of parents.keys()) {
          const path = above(albumOf(n), table)
          expect(new Set([albumOf(n), ...path]).size).toBe(path.length + 1)
          expect(path.length).toBeLessThanOrEqual(ALBUM_DEPTH_MAX)
          const [parent] = path
          if (parent === undefined) circles += Number(table.has(albumOf(n)))
          else expect([table.get(albumOf(n))?.parent, above(parent, table)]).toEqual([parent, path.slice(1)])
        }
      }),
      { numRuns: 1_000 }
    )
    expect(circles).toBeGreaterThan(100)
  })
})

describe('who may do something with an album', () => {
  const acts: readonly AlbumAct[] = ['see', 'add', 'edit', 'share', 'move', 'delete']
  const person = (userId: UserId): Person => ({ userId, role: 'user' })
  const given = (role: 'viewer' | 'contributor' | 'manager') =>
    new Map([[granteeOf(BEN), { role, untilMs: undefined, givers: [ANN], isContested: false }]])
  const may = (album: AlbumAudience, who: Person | undefined): string =>
    acts.filter(act => mayWithAlbum(act, album, who)).join(' ')

  it('may do it with those in it, but not share, move or delete them', () => {
    const none = new Map()
    const inside = (...above: NonNullable<AlbumAudience['above']>): AlbumAudience => ({
      owner: ANN,
      grants: none,
      above
    })
    expect(may(inside({ owner: ANN, grants: given('viewer') }), person(BEN))).toBe('see')
    expect(may(inside({ owner: ANN, grants: given('contributor') }), person(BEN))).toBe('see add')
    expect(may(inside({ owner: ANN, grants: given('manager') }), person(BEN))).toBe('see add edit')
    expect(may(inside({ owner: BEN, grants: none }), person(BEN))).toBe('see add edit')
    expect(may(inside({ owner: ANN, grants: none }, { owner: 'everyone', grants: none }), person(BEN))).toBe('see add')
    expect(may(inside({ owner: ANN, grants: given('viewer') }), undefined)).toBe('')
    expect(may(inside(), person(ANN))).toBe('see add edit share move delete')
    // the greatest of all counts
    expect(may({ ...inside({ owner: ANN, grants: given('viewer') }), grants: given('manager') }, person(BEN))).toBe(
      'see add edit share'
    )
  })
})
