import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { silentLog } from '../../../src/core/log.js'
import { ACL_KIND, aclKey, grantChanges, granteeOf, granteeOfGroup } from '../../../src/domain/acl.js'
import { ALBUM_KIND, createAlbumChanges } from '../../../src/domain/album.js'
import type { Person } from '../../../src/domain/audience.js'
import type { AlbumId, GroupId, UserId } from '../../../src/domain/ids.js'
import { GROUPS_OF_USER_MAX } from '../../../src/domain/limits.js'
import { GROUP_KIND } from '../../../src/domain/people-group.js'
import type { Change } from '../../../src/domain/record.js'
import { encodeRecord } from '../../../src/domain/record-codec.js'
import { mapOf } from '../../../src/domain/value-fields.js'
import { KnownAlbums } from '../../../src/photos/viewers/known-albums.js'
import { Viewers } from '../../../src/photos/viewers/viewers.js'
import { SimulatedClock } from '../../support/simulated-clock.js'
import { type AccountsFixture, ADDRESS, accountsFixture } from './accounts-fixture.js'

const MEER = '01990000-0000-7000-8000-00000000a1b0' as AlbumId
const NAMES = ['anna', 'ben', 'carl', 'dora'] as const
type Name = (typeof NAMES)[number]

interface Node extends AccountsFixture {
  readonly viewers: Viewers
}

/** Nodes that know the same: four accounts, a group of anna's with ben as a manager, and an album of hers that is open to it. */
async function cluster(count: number): Promise<{ nodes: Node[]; who: Record<Name, Person>; group: GroupId }> {
  const clock = new SimulatedClock()
  const nodes: Node[] = []
  for (let seed = 1; seed <= count; seed++) {
    const node = await accountsFixture({}, { seed, clock })
    const groupsOf = (id: UserId) => node.accounts.groups.of(id)
    const viewers = new Viewers({
      directory: node.directory,
      albums: new KnownAlbums({ directory: node.directory, clock, unowned: () => 'everyone' }),
      groupsOf,
      clock,
      log: silentLog
    })
    await viewers.start()
    nodes.push({ ...node, viewers })
  }
  const [first] = nodes as [Node]
  const people: [Name, Person][] = []
  for (const name of NAMES) {
    const { id } = await first.accounts.users.create({ name, role: 'user' }, 'operator', ADDRESS)
    people.push([name, { userId: id, role: 'user' }])
  }
  const who = Object.fromEntries(people) as Record<Name, Person>
  const maker = who.anna.userId
  const { groups } = first.accounts
  const { id: group } = await groups.create('Family', who.anna)
  await groups.put(group, who.ben.userId, 'manager', who.anna)
  await first.writer.write({ kind: ALBUM_KIND, id: MEER }, () => createAlbumChanges({ title: 'Meer', maker }))
  const gift = { role: 'viewer', by: maker } as const
  await first.writer.write(aclKey(MEER), before =>
    grantChanges(before, maker, granteeOfGroup(group), gift, clock.now())
  )
  await meet(nodes)
  return { nodes, who, group }
}

async function meet(nodes: readonly Node[]): Promise<void> {
  for (const node of nodes) for (const other of nodes) if (node !== other) await node.tell(other)
}

const sees = ({ viewers }: Node, person: Person): boolean => viewers.of(person).mayWithAlbum('see', MEER)
const isIn = ({ accounts }: Node, group: GroupId, { userId }: Person): boolean =>
  accounts.groups.of(userId).includes(granteeOfGroup(group))

describe('who is in a group', () => {
  const step = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        act: fc.constantFrom('put', 'take'),
        at: fc.nat(2),
        by: fc.constantFrom<Name>('anna', 'ben'),
        user: fc.constantFrom<Name>('carl', 'dora')
      })
    },
    { weight: 2, arbitrary: fc.record({ act: fc.constant('tell'), at: fc.nat(2), to: fc.nat(2) }) },
    { weight: 1, arbitrary: fc.record({ act: fc.constant('rename'), at: fc.nat(2) }) }
  )

  test('is whoever was taken in and not taken out by somebody who did not know, and only they see', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 16, size: 'max' }), fc.boolean(), async (steps, isDeleted) => {
        const { nodes, who, group } = await cluster(3)
        interface Write {
          readonly user: Name
          readonly isIn: boolean
          readonly saw: ReadonlySet<Write>
        }
        const known: Set<Write>[] = nodes.map(() => new Set())
        /** As the rule is told: of what nobody wrote over, being taken out counts. */
        const expected = (writes: ReadonlySet<Write>, user: Name): boolean => {
          const last = [...writes].filter(
            one => one.user === user && ![...writes].some(other => other.user === user && other.saw.has(one))
          )
          return last.length > 0 && last.every(one => one.isIn)
        }
        const hold = (at: number): void => {
          for (const user of ['carl', 'dora'] as const) {
            const is = expected(known[at] as Set<Write>, user)
            expect([isIn(nodes[at] as Node, group, who[user]), sees(nodes[at] as Node, who[user])]).toEqual([is, is])
          }
        }
        for (const one of steps) {
          const node = nodes[one.at] as Node
          const { groups } = node.accounts
          if ('to' in one) {
            await node.tell(nodes[one.to] as Node)
            for (const write of known[one.at] as Set<Write>) known[one.to]?.add(write)
            hold(one.to)
          } else if ('user' in one) {
            const before = node.directory.digest()
            const saw = new Set(known[one.at])
            const id = who[one.user].userId
            if (one.act === 'put') await groups.put(group, id, 'member', who[one.by])
            else await groups.take(group, id, who[one.by])
            if (node.directory.digest() !== before) known[one.at]?.add({ user: one.user, isIn: one.act === 'put', saw })
            hold(one.at)
          } else await groups.rename(group, `name ${one.at}`, { person: who.ben, isKeeper: false })
        }
        const [first] = nodes as [Node]
        if (isDeleted) await first.accounts.groups.remove(group, { person: who.anna, isKeeper: false })
        await meet(nodes)
        const all = new Set(known.flatMap(set => [...set]))
        for (const node of nodes)
          for (const name of NAMES) {
            const is = !isDeleted && (name === 'anna' || name === 'ben' || expected(all, name))
            expect([name, isIn(node, group, who[name]), sees(node, who[name])]).toEqual([
              name,
              is,
              is || name === 'anna'
            ])
          }
      }),
      { numRuns: Number(process.env.SHEAF_HISTORIES ?? 12) }
    )
  })

  test('is not whom a manager takes in who was thrown out elsewhere, and is whom he had taken in before', async () => {
    const { nodes, who, group } = await cluster(2)
    const [a, b] = nodes as [Node, Node]
    await a.accounts.groups.put(group, who.carl.userId, 'member', who.ben)
    await meet(nodes)
    await a.accounts.groups.take(group, who.ben.userId, who.anna)
    await b.accounts.groups.put(group, who.dora.userId, 'manager', who.ben)
    expect([sees(a, who.ben), sees(b, who.dora)]).toEqual([false, true])
    await meet(nodes)
    for (const node of nodes) expect(NAMES.map(name => sees(node, who[name]))).toEqual([true, false, true, false])
  })

  test('is nobody any more where it was deleted on one side and changed on the other', async () => {
    const { nodes, who, group } = await cluster(2)
    const [a, b] = nodes as [Node, Node]
    await a.accounts.groups.remove(group, { person: who.anna, isKeeper: false })
    await b.accounts.groups.rename(group, 'Clan', { person: who.ben, isKeeper: false })
    await b.accounts.groups.put(group, who.dora.userId, 'member', who.ben)
    expect([sees(a, who.ben), sees(b, who.dora)]).toEqual([false, true])
    await meet(nodes)
    for (const node of nodes) {
      expect(NAMES.map(name => sees(node, who[name]))).toEqual([true, false, false, false])
      expect(node.accounts.groups.list({ person: undefined, isKeeper: true })).toEqual([])
    }
  })

  test('is known in whatever order the records come, and after a start', async () => {
    const { nodes, who, group } = await cluster(1)
    const [node] = nodes as [Node]
    await node.accounts.groups.put(group, who.carl.userId, 'member', who.anna)
    for (const kinds of [
      [GROUP_KIND, ACL_KIND],
      [ACL_KIND, GROUP_KIND]
    ]) {
      const other = await accountsFixture({}, { seed: 9 })
      for (const kind of kinds) await tellKind(node, other, kind)
      expect(other.accounts.groups.of(who.carl.userId)).toEqual([granteeOfGroup(group)])
      await other.accounts.stop()
    }
    const again = await accountsFixture({}, { seed: 10 })
    await again.accounts.stop()
    await node.tell(again)
    expect(again.accounts.groups.of(who.carl.userId)).toEqual([])
    await again.accounts.start()
    expect(again.accounts.groups.of(who.carl.userId)).toEqual([granteeOfGroup(group)])
  })
})

async function tellKind(from: AccountsFixture, to: AccountsFixture, kind: string): Promise<void> {
  const records: Uint8Array[] = []
  for await (const record of from.directory.records(kind)) records.push(encodeRecord(record))
  await to.directory.merge(records)
}

test('a record of another node makes nobody a member by what is no account, or has an end', async () => {
  const { nodes, who, group } = await cluster(1)
  const [{ writer, accounts }] = nodes as [Node]
  const anna = who.anna.userId
  const entry = (key: string, role: string, until?: number): Change => ({
    kind: 'add',
    field: 'grants',
    key,
    value: mapOf({ role, by: anna, until })
  })
  await writer.write(aclKey(group), () => [
    entry('everyone', 'contributor'),
    entry('public', 'viewer'),
    entry(granteeOfGroup(group), 'viewer'),
    entry(granteeOf(who.carl.userId), 'viewer', 9e12),
    entry(granteeOf(who.dora.userId), 'none')
  ])
  const { members } = accounts.groups.get(group, { person: who.anna, isKeeper: false })
  expect(members?.map(({ userId }) => userId)).toEqual([anna, who.ben.userId].sort())
})

test('somebody is in so many groups, and in no more', async () => {
  const { nodes, who } = await cluster(1)
  const [{ accounts }] = nodes as [Node]
  const { groups } = accounts
  for (let n = groups.of(who.anna.userId).length; n < GROUPS_OF_USER_MAX; n++) await groups.create(`${n}`, who.anna)
  await expect(groups.create('one more', who.anna)).rejects.toMatchObject({ code: 'ERR_BAD_PARAMETER' })
  const { id } = await groups.create('of ben', who.ben)
  await expect(groups.put(id, who.anna.userId, 'member', who.ben)).rejects.toMatchObject({ code: 'ERR_BAD_PARAMETER' })
  expect(groups.of(who.anna.userId)).toHaveLength(GROUPS_OF_USER_MAX)
})
