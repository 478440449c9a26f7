import { beforeEach, expect, test } from 'vitest'
import { LoopWatch } from '../../../../src/core/loop-watch.js'
import { PENDING_MAX, PendingConnections } from '../../../../src/network/libp2p/pending-connections.js'
import { STALL_MS } from '../../../../src/network/libp2p/silence-watch.js'
import { SimulatedClock } from '../../../support/simulated-clock.js'

class FakeConnection extends EventTarget {
  isOpen = true

  speak(): void {
    this.dispatchEvent(new Event('message'))
  }

  abort(): void {
    this.isOpen = false
    this.dispatchEvent(new Event('close'))
  }
}

let clock: SimulatedClock
let pending: PendingConnections

beforeEach(() => {
  clock = new SimulatedClock()
  pending = new PendingConnections({ loop: new LoopWatch({ clock }, { lateMs: STALL_MS }) })
})

function arrive(host: string): FakeConnection {
  const connection = new FakeConnection()
  pending.add(connection as never, host)
  return connection
}

const arriveMany = (count: number, host: string): FakeConnection[] => Array.from({ length: count }, () => arrive(host))
const open = (connections: readonly FakeConnection[]): number => connections.filter(({ isOpen }) => isOpen).length

test('one that says nothing for half a second is ended; one that speaks is left', async () => {
  const [silent, speaking] = [arrive('a'), arrive('a')]
  await clock.advance(400)
  speaking.speak()
  await clock.advance(200)
  expect([silent.isOpen, speaking.isOpen]).toEqual([false, true])
  expect(pending.count).toBe(1)
  expect(clock.pending).toBe(0)
})

test('where this process was stalled, it has ten seconds', async () => {
  const silent = arrive('a')
  await clock.leap(1_000) // nothing of what came meanwhile was read
  await clock.advance(9_000)
  expect(silent.isOpen).toBe(true)
  await clock.advance(600)
  expect(silent.isOpen).toBe(false)
})

test('of one address the oldest silent one makes room, then the oldest', () => {
  const many = arriveMany(64, 'a')
  const [first, second] = many as [FakeConnection, FakeConnection]
  first.speak()
  arrive('a')
  expect([first.isOpen, second.isOpen]).toEqual([true, false])
  for (const connection of many) connection.speak()
  const fresh = arriveMany(20, 'a')
  expect(open(fresh)).toBe(20) // they had no time yet
  expect(first.isOpen).toBe(false)
  expect(pending.count).toBe(64)
})

test('of all addresses the one with the most makes room', () => {
  const member = arrive('member')
  const crowd = ['a', 'b', 'c', 'd', 'e'].flatMap(host => arriveMany(64, host))
  expect(pending.count).toBe(PENDING_MAX)
  expect(member.isOpen).toBe(true)
  expect(open(crowd)).toBe(PENDING_MAX - 1)
})

test('who was admitted or has left takes no room', () => {
  const admitted = arriveMany(64, 'a')
  for (const connection of admitted) pending.admitted(connection as never)
  const left = arriveMany(64, 'a')
  for (const connection of left) connection.abort()
  arriveMany(64, 'a')
  expect(open(admitted)).toBe(64)
  expect(pending.count).toBe(64)
})
