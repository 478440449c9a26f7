import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ROLES } from '../../../src/domain/access.js'
import { type Acl, ALBUM_ROLES, type AlbumRole, type Grantee, granteeOf, NO_ACL } from '../../../src/domain/acl.js'
import {
  type AlbumAct,
  type AlbumAudience,
  albumAudience,
  mayWithAlbum,
  mayWithPhoto,
  type Person,
  type PhotoAct,
  photoAudience,
  standingIn
} from '../../../src/domain/audience.js'
import type { AlbumId, UserId } from '../../../src/domain/ids.js'

const [ANN, BEN, CAT] = ['a', 'b', 'c'].map(letter => `01990000-0000-7000-8000-0000000000${letter}${letter}`) as [
  UserId,
  UserId,
  UserId
]
const [ONE, TWO, GONE] = ['1', '2', '3'].map(digit => `01990000-0000-7000-8000-0000000000f${digit}`) as [
  AlbumId,
  AlbumId,
  AlbumId
]
const NOW = 5_000
const person = (userId: UserId, role: Person['role'] = 'user'): Person => ({ userId, role })
const ALBUM_ACTS: readonly AlbumAct[] = ['see', 'add', 'edit', 'share', 'delete']
const PHOTO_ACTS: readonly PhotoAct[] = ['see', 'edit', 'give', 'delete']

function aclOf(roles: Readonly<Record<string, AlbumRole>>, giver = ANN): Acl {
  const grants = Object.entries(roles).map(
    ([to, role]) => [to as Grantee, { role, untilMs: undefined, givers: [giver], isContested: false }] as const
  )
  return { owner: undefined, grants: new Map(grants) }
}

function actsWithAlbum(album: AlbumAudience, who: Person | undefined): string {
  return ALBUM_ACTS.filter(act => mayWithAlbum(act, album, who)).join(' ')
}

describe('an album', () => {
  it('allows each role what the table says', () => {
    const roles = { [granteeOf(BEN)]: 'contributor', everyone: 'viewer', public: 'viewer' } as const
    const album = albumAudience(ANN, aclOf(roles), 'everyone', NOW)
    expect(actsWithAlbum(album, person(ANN))).toBe('see add edit share delete')
    expect(actsWithAlbum(album, person(BEN))).toBe('see add')
    expect(actsWithAlbum(album, person(CAT, 'admin'))).toBe('see')
    expect(actsWithAlbum(album, undefined)).toBe('see')
    const managed = albumAudience(ANN, aclOf({ [granteeOf(BEN)]: 'manager' }), 'everyone', NOW)
    expect(actsWithAlbum(managed, person(BEN))).toBe('see add edit share')
    expect(actsWithAlbum(managed, person(CAT, 'admin'))).toBe('')
    expect(actsWithAlbum(managed, undefined)).toBe('')
  })

  it('of nobody is for all who have an account, until the settings say whose it is', () => {
    // nobody could have given that
    const acl = aclOf({ public: 'viewer', [granteeOf(BEN)]: 'manager' })
    const album = albumAudience(undefined, acl, 'everyone', NOW)
    expect(ROLES.map(role => actsWithAlbum(album, person(BEN, role)))).toEqual([
      'see',
      'see add edit',
      'see add edit',
      'see add edit delete'
    ])
    expect(actsWithAlbum(album, undefined)).toBe('')
    const settled = albumAudience(undefined, acl, ANN, NOW)
    expect([person(ANN), person(BEN), person(CAT, 'admin'), undefined].map(who => standingIn(settled, who))).toEqual([
      'owner',
      'manager',
      'viewer',
      'viewer'
    ])
  })

  it('belongs to whom it was handed, and no longer to whoever made it', () => {
    const album = albumAudience(ANN, { ...NO_ACL, owner: BEN }, 'everyone', NOW)
    expect([ANN, BEN].map(id => standingIn(album, person(id)))).toEqual(['none', 'owner'])
  })
})

describe('a photo', () => {
  const audiences = new Map([
    [ONE, albumAudience(ANN, aclOf({ [granteeOf(BEN)]: 'manager', public: 'viewer' }), 'everyone', NOW)],
    [TWO, albumAudience(undefined, NO_ACL, 'everyone', NOW)]
  ])
  const acts = (owner: UserId | undefined, albums: readonly string[], who?: Person, unowned?: UserId): string => {
    const sharing = { unowned: unowned ?? ('everyone' as const), albumOf: (id: AlbumId) => audiences.get(id) }
    const audience = photoAudience({ owner, albums })
    return PHOTO_ACTS.filter(act => mayWithPhoto(act, audience, who, sharing)).join(' ')
  }
  const ALL = 'see edit give delete'

  it('is its owner’s alone, until it is in an album', () => {
    expect(acts(CAT, [], person(CAT))).toBe(ALL)
    for (const who of [person(BEN), person(BEN, 'admin'), undefined]) expect(acts(CAT, [], who)).toBe('')
    expect(acts(CAT, [ONE], person(BEN))).toBe('see edit')
    expect(acts(CAT, [ONE], undefined)).toBe('see')
    // everybody sees what is in an album of nobody, and changes nothing of somebody else's by it
    for (const role of ROLES) expect(acts(CAT, [TWO], person(BEN, role))).toBe('see')
    expect(acts(CAT, [TWO], undefined)).toBe('')
  })

  it('is opened by no label, and by no album that is gone', () => {
    const labels = ['holiday', GONE, ONE.toUpperCase()]
    expect(photoAudience({ owner: CAT, albums: labels }).albums).toEqual([GONE])
    expect(acts(CAT, labels, person(BEN))).toBe('')
  })

  it('of nobody is seen by all who have an account, changed by all but guests and deleted by administrators', () => {
    expect(ROLES.map(role => acts(undefined, [], person(BEN, role)))).toEqual([
      'see',
      'see edit give',
      'see edit give',
      ALL
    ])
    expect(acts(undefined, [])).toBe('')
    expect([acts(undefined, [], person(ANN), ANN), acts(undefined, [], person(BEN, 'admin'), ANN)]).toEqual([ALL, ''])
  })

  it('is shown to nobody by one album less, and whoever changes it sees it', () => {
    const albumArb = fc.record({
      owner: fc.constantFrom(ANN, BEN, undefined),
      ben: fc.constantFrom(...ALBUM_ROLES),
      all: fc.constantFrom('none', 'viewer', 'contributor' as const)
    })
    const whoArb = fc.option(fc.record({ userId: fc.constantFrom(ANN, BEN, CAT), role: fc.constantFrom(...ROLES) }), {
      nil: undefined
    })
    const unownedArb = fc.constantFrom('everyone' as const, ANN)
    const ownerArb = fc.constantFrom(CAT, undefined)
    fc.assert(
      fc.property(albumArb, albumArb, whoArb, unownedArb, ownerArb, (one, two, who, unowned, owner) => {
        const both = new Map(
          [one, two].map(({ owner: maker, ben, all }, i) => {
            const acl = aclOf({ [granteeOf(BEN)]: ben, everyone: all }, maker)
            return [[ONE, TWO][i] as AlbumId, albumAudience(maker, acl, unowned, NOW)]
          })
        )
        const may = (act: PhotoAct, ...albums: readonly AlbumId[]): boolean =>
          mayWithPhoto(act, { owner, albums }, who, { unowned, albumOf: id => both.get(id) })
        for (const act of PHOTO_ACTS) {
          if (may(act, ONE)) expect(may(act, ONE, TWO)).toBe(true)
          if (may(act, ONE, TWO)) expect(may('see', ONE, TWO)).toBe(true)
          expect(may(act, ONE, TWO)).toBe(may(act, ONE) || may(act, TWO))
        }
      })
    )
  })
})
