import { beforeEach, describe, expect, it } from 'vitest'
import { EventGossip } from '../../../../src/cluster/events/event-gossip.js'
import { silentLog } from '../../../../src/core/log.js'
import { encodeMessage } from '../../../../src/network/rpc/message.js'
import { Replica, World } from '../../replication/records/replica.js'

let world: World
let a: Replica
let b: Replica
let noted: string[]
let gossips: EventGossip[]

beforeEach(async () => {
  world = new World()
  a = await Replica.start(world, 'a')
  b = await Replica.start(world, 'b')
  await world.connect(a, b)
  noted = []
  gossips = [a, b].map(({ transport }) => {
    const note = (type: string, node: string): void => void noted.push(`${transport.self}: ${type} ${node}`)
    return new EventGossip({ transport, clock: world.clock, log: silentLog, note })
  })
  for (const gossip of gossips) await gossip.start()
})

describe('event gossip', () => {
  it('notes a repair on this node and on its peers', async () => {
    gossips[0]?.announceRepair()
    await world.clock.advance(10)
    expect(noted).toEqual(['a: repair.done a', 'b: repair.done a'])
  })

  it('ignores unknown types and versions, and malformed messages', async () => {
    const bodies = [
      encodeMessage({ version: 1, sender: 'a', type: 'something else' }),
      encodeMessage({ version: 2, sender: 'a', type: 'repair.done' }),
      encodeMessage({ version: 1, type: 'repair.done' }),
      encodeMessage({ version: 1, sender: 'a'.repeat(129), type: 'repair.done' }),
      Uint8Array.of(0xff)
    ]
    for (const body of bodies) a.transport.publish('events', body)
    await world.clock.advance(10)
    expect(noted).toEqual([])
  })

  it('limits the events that it accepts, and accepts none when it does not run', async () => {
    const body = encodeMessage({ version: 1, sender: 'a', type: 'repair.done' })
    for (let i = 0; i < 200; i++) a.transport.publish('events', body)
    await world.clock.advance(10)
    expect(noted).toHaveLength(100)
    await world.clock.advance(1_000)
    await gossips[1]?.stop()
    a.transport.publish('events', body)
    await world.clock.advance(10)
    expect(noted).toHaveLength(100)
  })
})
