import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { Accounts } from '../../../src/accounts/accounts.js'
import { tokenKeyOf } from '../../../src/accounts/token-keys.js'
import { ClosedAccounts } from '../../../src/admin/closed-accounts.js'
import { silentLog } from '../../../src/core/log.js'
import type { Inheritance } from '../../../src/domain/access.js'
import { granteeOf } from '../../../src/domain/acl.js'
import type { Person } from '../../../src/domain/audience.js'
import type { AlbumId, GroupId, PhotoId, UserId } from '../../../src/domain/ids.js'
import { pairChange } from '../../../src/domain/pairs.js'
import { type Photo, viewPhoto } from '../../../src/domain/photo.js'
import { conflictVersions } from '../../../src/domain/record.js'
import { USER_KIND } from '../../../src/domain/user.js'
import { AlbumCatalog } from '../../../src/photos/albums/album-catalog.js'
import { AlbumPlaces } from '../../../src/photos/albums/album-places.js'
import { AlbumShares } from '../../../src/photos/albums/album-shares.js'
import { Albums } from '../../../src/photos/albums/albums.js'
import { KnownAlbums } from '../../../src/photos/viewers/known-albums.js'
import { Viewers } from '../../../src/photos/viewers/viewers.js'
import { requireRecord } from '../../../src/store/record-writer.js'
import { SeededRandom } from '../../support/seeded-random.js'
import { LITTLE } from '../accounts/accounts-fixture.js'
import { bodyOf, type PhotosFixture, photosFixture } from '../photos/photos-fixture.js'

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000

let base: PhotosFixture
let accounts: Accounts
let albums: Albums
let shares: AlbumShares
let viewers: Viewers
let rank: number
let seed = 0

beforeEach(async () => {
  base = await photosFixture()
  rank = 0
  const { directory, clock, photos, components } = base
  const { writer } = components
  const random = new SeededRandom(7)
  const shared = { directory, writer, clock, random, log: silentLog }
  accounts = new Accounts(
    { ...shared, tokenKeys: [tokenKeyOf(new Uint8Array(32).fill(1))] },
    { cluster: 'home', auth: 'auto', hashingCost: LITTLE }
  )
  const catalog = new AlbumCatalog({ directory, log: silentLog })
  const known = new KnownAlbums({ directory, clock, unowned: () => 'everyone' })
  viewers = new Viewers({
    directory,
    albums: known,
    clock,
    log: silentLog,
    groupsOf: id => accounts.groups.of(id)
  })
  albums = new Albums({ ...shared, catalog, places: new AlbumPlaces({ ...shared, catalog, known }), photos })
  const isOpen = (id: UserId): boolean => accounts.users.isOpen(id)
  shares = new AlbumShares({
    ...shared,
    known,
    unowned: () => 'everyone',
    isOpen,
    groupsOf: id => accounts.groups.of(id),
    isGroup: id => accounts.groups.nameOf(id) !== undefined
  })
  const closed = new ClosedAccounts({
    ...shared,
    photos,
    albums,
    shares,
    viewers,
    closed: nowMs => accounts.users.closedFor(nowMs),
    wipe: (id, heir) => accounts.wipe(id, heir),
    isOpen,
    rank: () => rank
  })
  const parts = [catalog, accounts, viewers, closed]
  for (const part of parts) await part.start()
  onTestFinished(async () => {
    for (const part of parts.toReversed()) await part.stop()
    await directory.stop()
  })
  await addAccount('boss', 'admin')
})

async function addAccount(name: string, role: 'user' | 'admin' = 'user'): Promise<Person> {
  const { id } = await accounts.users.create({ name, role, mail: `${name}@home.example` }, 'operator', '192.0.2.1')
  return { userId: id, role }
}

async function upload(owner: UserId): Promise<PhotoId> {
  const { photoId } = await base.photos.upload(bodyOf(Buffer.from(`photo ${seed++}`)), { owner })
  return photoId
}

const viewOf = (id: PhotoId): Photo => viewPhoto(requireRecord(base.directory, id))
const ownerOf = (id: PhotoId): UserId | undefined => viewOf(id).owner
const isDeleted = (id: PhotoId): boolean => viewOf(id).deleted

const close = (id: UserId, photos: Inheritance = 'trash') => accounts.users.close(id, photos, 'operator')
const membersOf = (id: GroupId, person: Person): unknown => accounts.groups.get(id, { person, isKeeper: false }).members
/** The loop looks once an hour. */
const pass = (ms: number): Promise<void> => base.clock.advance(ms + HOUR_MS)

describe('a closed account', () => {
  test('stands as it is for seven days, can be opened again, and then all is as before', async () => {
    const anna = await addAccount('anna')
    const id = await upload(anna.userId)
    await close(anna.userId)
    await pass(6 * DAY_MS)
    expect([accounts.users.get(anna.userId).name, isDeleted(id)]).toEqual(['anna', false])
    await accounts.users.setState(anna.userId, 'open', 'operator')
    await pass(30 * DAY_MS)
    expect([accounts.users.get(anna.userId).state, isDeleted(id)]).toEqual(['open', false])
  })

  test('then has its photos in the trash and its albums deleted, and nothing is left but its id', async () => {
    const [anna, ben] = [await addAccount('anna'), await addAccount('ben')]
    const ids = [await upload(anna.userId), await upload(anna.userId)]
    const other = await upload(ben.userId)
    const own = (await albums.as(viewers.of(anna)).create({ title: 'own', maker: anna.userId })).album?.id as AlbumId
    const bens = (await albums.as(viewers.of(ben)).create({ title: 'ben', maker: ben.userId })).album?.id as AlbumId
    await shares.give(bens, granteeOf(anna.userId), { role: 'viewer' }, ben)
    await accounts.apiKeys.create(anna.userId, { scopes: ['read'] })
    await accounts.users.edit(anna.userId, { display: 'Anna' })
    const choir = await accounts.groups.create('choir', anna)
    const club = await accounts.groups.create('club', ben)
    await accounts.groups.put(club.id, anna.userId, 'manager', ben)
    await close(anna.userId)
    await pass(7 * DAY_MS)
    expect([...ids, other].map(isDeleted)).toEqual([true, true, false])
    expect(() => shares.list(own, anna)).toThrow(expect.objectContaining({ code: 'ERR_ALBUM_DELETED' }))
    expect(shares.list(bens, ben).shares).toEqual([])
    expect(accounts.apiKeys.list(anna.userId)).toEqual([])
    expect(accounts.groups.nameOf(choir.id)).toBeUndefined()
    expect(membersOf(club.id, ben)).toEqual([{ userId: ben.userId, role: 'owner' }])
    expect(accounts.users.get(anna.userId)).toMatchObject({
      name: anna.userId,
      display: undefined,
      mail: undefined,
      state: 'closed',
      hasPassword: false
    })
    const record = base.directory.getSync({ kind: USER_KIND, id: anna.userId })?.record
    expect(record && conflictVersions(record)).toEqual([])
    await expect(accounts.users.setState(anna.userId, 'open', 'operator')).rejects.toMatchObject({
      code: 'ERR_USER_NOT_FOUND'
    })
    await addAccount('anna') // the name is free
  })

  test('hands photos with what belongs to them and albums over, in whole, also what comes in later', async () => {
    const [anna, ben] = [await addAccount('anna'), await addAccount('ben')]
    const { writer } = base.components
    const [still, video] = [await upload(anna.userId), await upload(anna.userId)]
    await writer.edit(still, () => ({ changes: [pairChange({ of: undefined, parts: [video], isLive: true })] }))
    await writer.edit(video, () => ({ changes: [pairChange({ of: still, parts: [] })] }))
    const trashed = await upload(anna.userId)
    await base.photos.remove(trashed)
    const own = (await albums.as(viewers.of(anna)).create({ title: 'own', maker: anna.userId })).album?.id as AlbumId
    const choir = await accounts.groups.create('choir', anna)
    await close(anna.userId, ben.userId)
    await pass(7 * DAY_MS)
    expect(membersOf(choir.id, ben)).toEqual([{ userId: ben.userId, role: 'owner' }])
    expect([still, video, trashed].map(ownerOf)).toEqual([ben.userId, ben.userId, anna.userId])
    expect(shares.list(own, ben).owner).toBe(ben.userId)
    expect(base.directory.usageOf(ben.userId)?.photos).toBe(2)
    expect((await base.photos.as(viewers.of(ben)).meta(still)).photo.deleted).toBe(false)
    const late = await upload(anna.userId) // from beyond a cut
    await pass(0)
    expect(ownerOf(late)).toBe(ben.userId)
    await base.photos.patch(late, { caption: 'edited' })
    await base.photos.remove(late)
    await base.photos.undelete(late)
    expect(ownerOf(late)).toBe(ben.userId)
  })

  test('of which the heir has gone as well leaves its photos in the trash', async () => {
    const [anna, ben] = [await addAccount('anna'), await addAccount('ben')]
    const id = await upload(anna.userId)
    await close(anna.userId, ben.userId)
    await accounts.users.setState(ben.userId, 'disabled', 'operator')
    await pass(7 * DAY_MS)
    expect(isDeleted(id)).toBe(true)
  })

  test('is left to the first node in the order', async () => {
    const anna = await addAccount('anna')
    const id = await upload(anna.userId)
    rank = 1
    await close(anna.userId)
    await pass(8 * DAY_MS)
    expect([accounts.users.get(anna.userId).name, isDeleted(id)]).toEqual(['anna', false])
    rank = 0
    await pass(0)
    expect(isDeleted(id)).toBe(true)
  })

  test('cannot be the last administrator, nor leave its photos to itself or to nobody', async () => {
    const [boss] = accounts.users.list(undefined, 1).users
    const anna = await addAccount('anna')
    await expect(close(boss?.id as UserId)).rejects.toMatchObject({ code: 'ERR_LAST_ADMIN' })
    await expect(close(anna.userId, anna.userId)).rejects.toMatchObject({ code: 'ERR_BAD_PARAMETER' })
  })
})

test('of states that differ on two sides of a cut, one that this version does not know ends nothing for good', async () => {
  const anna = await addAccount('anna')
  await base.components.writer.write({ kind: 'access', id: anna.userId }, () => [
    { kind: 'add', field: 'state', key: 'state', value: new Map([['state', 'sleeping']]) }
  ])
  expect(accounts.users.get(anna.userId).state).toBe('closed')
  expect(accounts.users.closedFor(Number.MAX_SAFE_INTEGER)).toEqual([])
})
