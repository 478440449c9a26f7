import { expect, onTestFinished, test } from 'vitest'
import { type AlbumStanding, aclKey, grantChanges, granteeOf } from '../../src/domain/acl.js'
import type { Person } from '../../src/domain/audience.js'
import type { AlbumId, NodeId, UserId } from '../../src/domain/ids.js'
import { SHARES_MAX } from '../../src/domain/limits.js'
import type { Change } from '../../src/domain/record.js'
import { AlbumShares } from '../../src/photos/albums/album-shares.js'
import { KnownAlbums } from '../../src/photos/viewers/known-albums.js'
import { nodePair } from '../support/node-pair.js'
import { SimulatedNode } from '../support/simulated-node.js'

function person(n: number): Person {
  return { userId: `01890000-0000-7000-8000-00000000000${n}` as UserId, role: 'user' }
}
const [anna, ben, carl] = [person(1), person(2), person(3)]

/** Of a node on which all of these people have accounts. */
function sharesOn(node: SimulatedNode): AlbumShares {
  const { directory, writer } = node.services.local
  const unowned = () => 'everyone' as const
  const none = { groupsOf: () => [], isGroup: () => false }
  const known = new KnownAlbums({ directory, clock: node.clock, unowned })
  return new AlbumShares({ directory, writer, clock: node.clock, known, unowned, isOpen: () => true, ...none })
}

/** @returns what that one is in the album, as that node knows it */
function standing(node: SimulatedNode, album: AlbumId, who: Person): AlbumStanding {
  return sharesOn(node).list(album, who).standing
}

test('what is taken away on one side of a cut stays away, and what the one who is out has given elsewhere counts for nothing', async () => {
  const { clock, network, a, b } = await nodePair()
  onTestFinished(async () => {
    await Promise.all([a.stop(), b.stop()])
  })
  const { album } = await a.services.albums.create({ title: 'Meer', maker: anna.userId })
  const id = album?.id as AlbumId
  await sharesOn(a).give(id, granteeOf(ben.userId), { role: 'manager' }, anna)
  await clock.advance(2_000)
  expect(standing(b, id, ben)).toBe('manager')

  network.links.partition(['a' as NodeId], ['b' as NodeId])
  await sharesOn(a).take(id, granteeOf(ben.userId), anna)
  await sharesOn(b).give(id, granteeOf(carl.userId), { role: 'viewer' }, ben)
  await b.services.albums.edit(id, { title: 'See' })
  await clock.advance(2_000)
  expect([standing(a, id, ben), standing(b, id, ben), standing(b, id, carl)]).toEqual(['none', 'manager', 'viewer'])

  network.links.heal()
  await clock.advance(60_000)
  for (const node of [a, b]) {
    expect([anna, ben, carl].map(who => standing(node, id, who))).toEqual(['owner', 'none', 'none'])
    expect(sharesOn(node).list(id, anna).shares).toMatchObject([{ grantee: granteeOf(carl.userId), isInForce: false }])
    expect((await node.services.albums.get(id)).name).toBe('See')
  }
  await sharesOn(b).give(id, granteeOf(carl.userId), { role: 'viewer' }, anna)
  await clock.advance(2_000)
  expect(standing(a, id, carl)).toBe('viewer')
})

test('an album is shared with a thousand one by one, and no more', async () => {
  const node = new SimulatedNode({})
  await node.start()
  onTestFinished(() => node.stop())
  const id = (await node.services.albums.create({ title: 'Meer', maker: anna.userId })).album?.id as AlbumId
  const userId = (n: number): UserId => `01890000-0000-7000-8000-${String(n).padStart(12, '0')}` as UserId
  const gift = (n: number): Change[] =>
    grantChanges(undefined, anna.userId, granteeOf(userId(n)), { role: 'viewer', by: anna.userId }, 0).slice(1)
  const birth: Change = { kind: 'version', deleted: false, value: new Map() }
  const gifts = Array.from({ length: SHARES_MAX }, (_, i) => gift(i + 100)).flat()
  await node.services.local.writer.write(aclKey(id), () => [birth, ...gifts])
  const shares = sharesOn(node)
  await expect(shares.give(id, granteeOf(userId(5)), { role: 'viewer' }, anna)).rejects.toMatchObject({
    code: 'ERR_BAD_PARAMETER',
    message: expect.stringContaining('everyone')
  })
  await shares.give(id, granteeOf(userId(100)), { role: 'contributor' }, anna)
  await shares.take(id, granteeOf(userId(101)), anna)
  expect(shares.list(id, anna).shares).toHaveLength(SHARES_MAX - 1)
})

test('what is said on the two sides of a cut of where albums stand opens none to more people than either side meant', async () => {
  const { clock, network, a, b } = await nodePair()
  onTestFinished(async () => {
    await Promise.all([a.stop(), b.stop()])
  })
  const make = async (title: string): Promise<AlbumId> =>
    (await a.services.albums.create({ title, maker: anna.userId })).album?.id as AlbumId
  const [trips, work, crete, house] = [
    await make('Trips'),
    await make('Work'),
    await make('Crete'),
    await make('House')
  ]
  await sharesOn(a).give(trips, granteeOf(ben.userId), { role: 'viewer' }, anna)
  await sharesOn(a).give(work, granteeOf(carl.userId), { role: 'viewer' }, anna)
  await clock.advance(2_000)

  const put = async (node: SimulatedNode, album: AlbumId, parent: AlbumId): Promise<void> => {
    await node.services.albums.as(node.services.viewers.of(anna)).move(album, { parent, inherits: true })
  }
  network.links.partition(['a' as NodeId], ['b' as NodeId])
  await put(a, crete, trips)
  await put(a, trips, work)
  await clock.advance(1_000)
  await put(b, work, trips)
  // while she hands an album over on one side, she opens it to others on the other one
  await sharesOn(a).setOwner(house, ben.userId, anna)
  await put(b, house, work)
  expect([standing(a, crete, carl), standing(b, work, ben), standing(b, house, carl)]).toEqual(Array(3).fill('viewer'))

  network.links.heal()
  await clock.advance(60_000)
  for (const node of [a, b]) {
    const { albums } = node.services
    const parents = await Promise.all(
      [trips, work, crete, house].map(async album => (await albums.get(album)).place?.parent)
    )
    expect(parents).toEqual([work, undefined, trips, undefined])
    expect([ben, carl].map(who => standing(node, crete, who))).toEqual(['viewer', 'viewer'])
    expect([standing(node, work, ben), standing(node, house, carl)]).toEqual(['none', 'none'])
  }
})
