import { expect, onTestFinished, test } from 'vitest'
import type { Logger } from '../../../../src/core/log.js'
import { HybridClock, hlcFrom } from '../../../../src/domain/hlc.js'
import type { NodeId } from '../../../../src/domain/ids.js'
import { MemberRefusal } from '../../../../src/network/membership/member-refusal.js'
import type { Departure } from '../../../../src/network/membership/member-view.js'
import { ProcessClock, type Wall } from '../../../support/process-clock.js'
import type { SimulatedTransport } from '../../../support/simulated-transport.js'
import { World } from '../../replication/records/replica.js'

/** A node with its own view of who is no longer a member. */
class RefusingNode {
  readonly departures = new Map<NodeId, Departure>()
  readonly readmitted: NodeId[] = []
  readonly logged: string[] = []
  readonly refusedBy: NodeId[] = []
  leaving = false
  readonly transport: SimulatedTransport
  readonly refusal: MemberRefusal

  constructor(world: World, name: string, wall: Wall = { skewMs: 0 }) {
    this.transport = world.network.transport(name as NodeId)
    const clock = new ProcessClock(world.clock, wall)
    const hybridClock = new HybridClock({ clock })
    const say = (fields: object, message: string): void =>
      void this.logged.push(`${'code' in fields ? String(fields.code) : ''} ${message}`)
    const log: Logger = { debug: () => {}, info: () => {}, warn: say, error: say, child: () => log }
    this.refusal = new MemberRefusal({
      transport: this.transport,
      clock,
      log,
      departureOf: node => this.departures.get(node),
      readmit: async node => {
        this.readmitted.push(node)
        this.departures.delete(node)
      },
      now: () => hybridClock.now(),
      isLeaving: () => this.leaving,
      onRefused: peer => this.refusedBy.push(peer)
    })
  }

  async start(): Promise<void> {
    await this.transport.start()
    await this.refusal.start()
    onTestFinished(async () => {
      await this.refusal.stop()
      await this.transport.stop()
    })
  }
}

async function pair(): Promise<{ world: World; a: RefusingNode; b: RefusingNode; connect: () => Promise<void> }> {
  const world = new World()
  const [a, b] = [new RefusingNode(world, 'a'), new RefusingNode(world, 'b')]
  await a.start()
  await b.start()
  const connect = async (): Promise<void> => {
    await world.during(b.transport.dial(a.transport.addresses()[0] ?? '', new AbortController().signal))
    await world.clock.advance(100)
  }
  return { world, a, b, connect }
}

const B = 'b' as NodeId

function removedAt(ms: number): Departure {
  return { how: 'removed', at: hlcFrom(ms) }
}

test('a node that was removed while it was away becomes a member again by connecting', async () => {
  const { world, a, b, connect } = await pair()
  a.departures.set(B, removedAt(world.clock.now() + 5))
  await connect()
  expect(a.readmitted).toEqual(['b'])
  expect(a.transport.peers()).toEqual(['b'])
  expect(b.logged).toEqual(['ERR_MEMBER_REMOVED this node is no longer a member; asking to be readmitted'])
  expect(b.refusal.isRemoved).toBe(false)
})

test('a node that is removed while connected is told, disconnected, and refused with a code on both sides', async () => {
  const { world, a, b, connect } = await pair()
  await connect()
  await world.clock.advance(10_000)
  a.departures.set(B, removedAt(world.clock.now()))
  a.refusal.noteDeparture(B)
  await world.clock.advance(20)
  b.departures.set(B, removedAt(world.clock.now())) // the record comes a moment after the message
  b.refusal.noteDeparture(B)
  await world.clock.advance(20)
  expect([a.transport.peers(), b.transport.peers(), b.refusal.isRemoved]).toEqual([[], [], true])
  await connect()
  expect([a.transport.peers(), a.readmitted]).toEqual([[], []])
  expect(a.logged).toEqual(['ERR_MEMBER_REMOVED refused a node'])
  expect(b.logged).toEqual(['ERR_MEMBER_REMOVED this node was removed from the cluster; restart it to rejoin'])
})

test('one peer alone puts no node out: its own directory has to say so', async () => {
  const { world, a, b, connect } = await pair()
  await connect()
  await world.clock.advance(10_000)
  b.departures.set(B, removedAt(1)) // of a removal before it started, from which it has returned
  a.departures.set(B, removedAt(world.clock.now()))
  a.refusal.noteDeparture(B)
  await world.clock.advance(2_000)
  expect([a.transport.peers(), b.refusal.isRemoved]).toEqual([['b'], false])
})

test('a node that was removed before it started returns, although others learn of the removal only now', async () => {
  const { world, a, b, connect } = await pair()
  await connect()
  await world.clock.advance(10_000)
  a.departures.set(B, removedAt(1))
  a.refusal.noteDeparture(B)
  await world.clock.advance(100)
  expect([a.readmitted, b.refusal.isRemoved]).toEqual([['b'], false])
})

test('members connect without any log line', async () => {
  const { a, b, connect } = await pair()
  await connect()
  expect([a.transport.peers(), a.logged, b.logged, a.readmitted]).toEqual([['b'], [], [], []])
})

test('a node that returned unnoticed is found by the regular check of all peers', async () => {
  const { world, a, connect } = await pair()
  await connect()
  a.departures.set(B, removedAt(1)) // and no connection was opened since
  await world.clock.advance(6_000)
  expect(a.readmitted).toEqual(['b'])
})

test('a node that leaves on its own does not ask to return', async () => {
  const { world, a, b, connect } = await pair()
  await connect()
  b.leaving = true
  a.departures.set(B, { ...removedAt(1), how: 'left' })
  await world.clock.advance(6_000)
  expect([a.readmitted, a.transport.peers(), b.refusal.isRemoved]).toEqual([[], [], false])
})
