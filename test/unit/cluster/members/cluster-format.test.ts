import { expect, onTestFinished, test } from 'vitest'
import { ClusterFormat, type ClusterFormatComponents } from '../../../../src/cluster/members/cluster-format.js'
import { silentLog } from '../../../../src/core/log.js'
import type { Value } from '../../../../src/domain/cbor.js'
import type { ActorId, NodeId } from '../../../../src/domain/ids.js'
import { changeRecord, mergeRecords } from '../../../../src/domain/record.js'
import type { MemberRecord } from '../../../../src/network/membership/member-view.js'
import { type NodeVersion, ownVersion } from '../../../../src/network/node-version.js'
import { recordDraft } from '../../../../src/store/record-needles.js'
import { NEXT_FORMATS } from '../../../support/next-format.js'
import { photosFixture } from '../../photos/photos-fixture.js'

const ROUND_MS = 100
const KEY = { kind: 'cluster', id: 'format' }

/** A node of the next format and what it sees of others; the test changes that. */
async function fixture(over: Partial<ClusterFormatComponents> = {}, { isToJoin = false, isLast = false } = {}) {
  const { directory, clock, components, store, hybridClock } = await photosFixture()
  const others: MemberRecord[] = []
  const peers = new Map<NodeId, NodeVersion>()
  const required: number[] = []
  const format = new ClusterFormat(
    {
      directory: {
        formats: NEXT_FORMATS,
        getMany: keys => directory.getMany(keys),
        onChange: listener => directory.onChange(listener)
      },
      writer: components.writer,
      transport: {
        self: 'self' as NodeId,
        peers: () => [...peers.keys()],
        versionOf: peer => peers.get(peer),
        requireFormat: least => void required.push(least)
      },
      roll: {
        others: () => others,
        isLast: () => isLast,
        formatsOf: node => others.find(({ id }) => id === node)?.formats
      },
      isOut: () => false,
      compare: async () => true,
      clock,
      log: silentLog,
      ...over
    },
    { roundMs: ROUND_MS, isToJoin }
  )
  onTestFinished(async () => {
    await format.stop()
    await directory.stop()
  })
  /** Puts a record of the cluster's format there, as a peer would: one version for each value. */
  const put = async (...values: readonly ReadonlyMap<string, Value>[]): Promise<void> => {
    const versions = values.map((value, i) =>
      changeRecord(KEY, undefined, { actor: `${i}`.repeat(16) as ActorId, hlc: () => hybridClock.now() }, [
        { kind: 'version', value }
      ])
    )
    await store.append([recordDraft(versions.reduce(mergeRecords))], 'upkeep')
  }
  const member = (id: string, max?: number): MemberRecord => ({
    id: id as NodeId,
    name: id,
    addresses: [],
    joinedAtMs: 1,
    ...(max !== undefined && { formats: { min: 2, max } })
  })
  const rounds = (count: number): Promise<void> => clock.advance(count * ROUND_MS + 1)
  return { format, others, peers, required, put, member, rounds, directory }
}

test('is the least that all members read; one that does not say reads what the first builds did', async () => {
  const { format, others, peers, member, rounds, required } = await fixture()
  peers.set('b' as NodeId, ownVersion('1', { min: 2, max: 3 }))
  others.push(member('b', 3), member('c'))
  await format.start()
  await rounds(3)
  expect([format.current, required]).toEqual([2, [2]])
  others.pop()
  await rounds(2)
  expect([format.current, required.at(-1)]).toEqual([3, 3])
})

test('what a node reads is what it told last, or what its record says', async () => {
  const { format, others, peers, member } = await fixture()
  others.push(member('b', 3), member('c', 4), member('d'))
  peers.set('b' as NodeId, ownVersion('1', { min: 2, max: 2 }))
  const maxima = ['self', 'b', 'c', 'd'].map(id => format.formatsOf(id as NodeId)?.max)
  expect(maxima).toEqual([3, 2, 4, undefined])
})

test('a peer that is not recorded yet counts, by what it told when it connected', async () => {
  const { format, others, peers, member, rounds } = await fixture()
  others.push(member('b', 3))
  peers.set('x' as NodeId, ownVersion('0', { min: 2, max: 2 }))
  await format.start()
  await rounds(3)
  expect(format.current).toBe(2)
  peers.set('x' as NodeId, ownVersion('1', { min: 2, max: 3 }))
  await rounds(2)
  expect(format.current).toBe(3)
})

test('before a rise all peers are asked for members that this node has not heard of', async () => {
  const compared: string[] = []
  let whole = false
  const { format, others, peers, member, rounds } = await fixture({
    compare: async peer => {
      compared.push(peer)
      if (whole && !others.some(({ id }) => id === 'old')) others.push(member('old', 2))
      return whole
    }
  })
  others.push(member('b', 3))
  peers.set('b' as NodeId, ownVersion('1', { min: 2, max: 3 }))
  await format.start()
  await rounds(1)
  expect([compared, format.current]).toEqual([['b'], 2])
  whole = true
  await rounds(5)
  expect([compared, format.current]).toEqual([['b', 'b'], 2])
})

test.each([
  ['is to join others waits for them', true, 2],
  ['is on its own waits for a while', false, 3]
])('a node that never met another and %s', async (_what, isToJoin, later) => {
  const { format, rounds } = await fixture({}, { isToJoin })
  await format.start()
  await rounds(50)
  expect(format.current).toBe(2)
  await rounds(15)
  expect(format.current).toBe(later)
})

test('while all others are absent nothing rises, until they have left or were removed', async () => {
  for (const isLast of [false, true]) {
    const { format, others, member, rounds } = await fixture({}, { isLast, isToJoin: true })
    if (!isLast) others.push(member('b', 3))
    await format.start()
    await rounds(20)
    expect(format.current).toBe(isLast ? 3 : 2)
  }
})

test('a node that is out raises nothing', async () => {
  const { format, rounds } = await fixture({ isOut: () => true }, { isLast: true })
  await format.start()
  await rounds(20)
  expect(format.current).toBe(2)
})

test('is the greatest of all versions that were written apart, and never falls; odd ones say nothing', async () => {
  const { format, put, directory } = await fixture()
  await put(new Map([['format', 3]]), new Map([['format', 5]]), new Map([['format', 4]]))
  await format.start()
  expect([format.current, format.isBeyond]).toEqual([5, true])
  await put(new Map([['format', 2]]))
  expect(format.current).toBe(5)
  const odd = [70_000, -1, 2.5, 'six', null] as const
  await put(...odd.map(value => new Map<string, Value>([['format', value]])), new Map())
  expect([format.current, directory.getSync(KEY) === undefined]).toEqual([5, false])
})
