import { beforeEach, describe, expect, it } from 'vitest'
import { EventGossip } from '../../../../src/cluster/events/event-gossip.js'
import { silentLog } from '../../../../src/core/log.js'
import { encodeMessage } from '../../../../src/network/rpc/message.js'
import { Replica, World } from '../../replication/records/replica.js'

let world: World
let a: Replica
let b: Replica
let heard: string[]
let gossips: EventGossip[]

beforeEach(async () => {
  world = new World()
  a = await Replica.start(world, 'a')
  b = await Replica.start(world, 'b')
  await world.connect(a, b)
  heard = []
  gossips = [a, b].map(({ transport }) => {
    const note = (type: string, node: string): void => void heard.push(`${transport.self}: ${type} ${node}`)
    return new EventGossip({ transport, clock: world.clock, log: silentLog, note })
  })
  for (const gossip of gossips) await gossip.start()
})

describe('event gossip', () => {
  it('tells here and at peers that a node is repaired', async () => {
    gossips[0]?.announceRepair()
    await world.clock.advance(10)
    expect(heard).toEqual(['a: repair.done a', 'b: repair.done a'])
  })

  it('ignores what it does not know, and what is malformed', async () => {
    const bodies = [
      encodeMessage({ version: 1, sender: 'a', type: 'something else' }),
      encodeMessage({ version: 2, sender: 'a', type: 'repair.done' }),
      encodeMessage({ version: 1, type: 'repair.done' }),
      encodeMessage({ version: 1, sender: 'a'.repeat(129), type: 'repair.done' }),
      Uint8Array.of(0xff)
    ]
    for (const body of bodies) a.transport.publish('events', body)
    await world.clock.advance(10)
    expect(heard).toEqual([])
  })

  it('hears no more than a bounded number, and nothing when it does not run', async () => {
    const body = encodeMessage({ version: 1, sender: 'a', type: 'repair.done' })
    for (let i = 0; i < 200; i++) a.transport.publish('events', body)
    await world.clock.advance(10)
    expect(heard).toHaveLength(100)
    await world.clock.advance(1_000)
    await gossips[1]?.stop()
    a.transport.publish('events', body)
    await world.clock.advance(10)
    expect(heard).toHaveLength(100)
  })
})
