import { expect, test } from 'vitest'
import {
  type ClusterMember,
  ClusterStatus,
  type ClusterStatusComponents,
  leastPurgedToMs
} from '../../../src/cluster/cluster-status.js'
import type { NodeId } from '../../../src/domain/ids.js'
import type { MemberView } from '../../../src/network/membership/member-view.js'
import { SimulatedClock } from '../../support/simulated-clock.js'

const HEARTBEAT: NonNullable<MemberView['heartbeat']> = {
  epoch: '0123456789abcdef' as never,
  sequence: 1,
  name: 'b',
  addresses: [],
  directoryDigest: '',
  volumesDigest: '',
  freeBytes: 5,
  totalBytes: 10,
  version: '1.2.3',
  now: 1n as never,
  heads: []
}

function view(id: string, changes: Partial<MemberView> = {}): MemberView {
  return {
    id: id as NodeId,
    name: id,
    addresses: ['/a'],
    self: false,
    state: 'alive',
    lastSeenAtMs: 1,
    joinedAtMs: 2,
    heartbeat: HEARTBEAT,
    clockSkewMs: -3,
    ...changes
  }
}

function status(components: Partial<ClusterStatusComponents> = {}): ClusterStatus {
  const space = async (): Promise<{ freeBytes: number; totalBytes: number }> => ({ freeBytes: 7, totalBytes: 8 })
  return new ClusterStatus(
    { clock: new SimulatedClock(99), space, purgedToMs: () => 77, ...components },
    { nodeId: 'me' as NodeId, name: 'box', version: '1' }
  )
}

test('a node without a network is a cluster of one', async () => {
  expect(await status().members()).toEqual([
    {
      id: 'me',
      name: 'box',
      addresses: [],
      self: true,
      state: 'alive',
      lastSeenAtMs: 99,
      joinedAtMs: undefined,
      lagBytes: 0,
      disk: { freeBytes: 7, totalBytes: 8 },
      version: '1',
      formats: expect.objectContaining({ min: 2, max: 2 }),
      clockSkewMs: 0,
      purgedToMs: 77
    }
  ])
})

test('members are shown with the data of their heartbeats, and with their lag', async () => {
  const never = { heartbeat: undefined, lastSeenAtMs: undefined, clockSkewMs: undefined, state: 'down' } as const
  const members = [
    view('a'),
    view('b', never),
    view('c', { heartbeat: { ...HEARTBEAT, totalBytes: 0, purgedToMs: 5 } })
  ]
  const lagBytes = (id: string): number | undefined => (id === 'b' ? undefined : 42)
  const [a, b, c] = await status({ membership: { members: () => members }, lagBytes }).members()
  expect(a).toMatchObject({ id: 'a', state: 'alive', lagBytes: 42, version: '1.2.3', clockSkewMs: -3, joinedAtMs: 2 })
  expect(a?.disk).toMatchObject({ freeBytes: 5, totalBytes: 10 })
  expect(b).toMatchObject({ id: 'b', state: 'down', lagBytes: undefined, version: undefined, disk: undefined })
  expect(c?.disk).toBeUndefined()
  expect([a?.purgedToMs, b?.purgedToMs, c?.purgedToMs]).toEqual([undefined, undefined, 5])
})

test('what a member says of itself is told; how it catches up only while it is in reach', async () => {
  const told = { http: ['http://10.0.0.7:8000'], startedAtMs: 4, photos: 6, bytesPerS: 5, etaS: 8 }
  const heartbeat = { ...HEARTBEAT, ...told, directoryDigest: 'ab' }
  const members = [view('a', { heartbeat, state: 'via' }), view('b', { heartbeat, state: 'down' }), view('c')]
  const [a, b, c] = await status({ membership: { members: () => members } }).members()
  expect(a).toMatchObject({ ...told, directoryDigest: 'ab' })
  expect(b).toMatchObject({ http: told.http, photos: 6, bytesPerS: undefined, etaS: undefined })
  expect(c).toMatchObject({ http: [], directoryDigest: undefined, photos: undefined })
})

test('the cluster has purged what the last of its members has, and it is not known while one does not say', () => {
  const member = (purgedToMs: number | undefined, state: ClusterMember['state'] = 'alive'): ClusterMember => {
    return { ...view('m', { state }), purgedToMs, lagBytes: 0, disk: undefined, version: '1' }
  }
  expect(leastPurgedToMs([member(9), member(3, 'down'), member(5)])).toBe(3)
  expect(leastPurgedToMs([member(9), member(undefined)])).toBeUndefined()
  expect(leastPurgedToMs([member(9), member(undefined, 'left'), member(1, 'left')])).toBe(9)
  expect(leastPurgedToMs([])).toBeUndefined()
})
