import { beforeEach, describe, expect, test } from 'vitest'
import type { NodeId } from '../../src/domain/ids.js'
import { SeededRandom } from '../support/seeded-random.js'
import { SimulatedClock } from '../support/simulated-clock.js'
import { SimulatedNetwork } from '../support/simulated-network.js'
import type { SimulatedTransport } from '../support/simulated-transport.js'

// What the simulated network does beyond the contract of Transport. Other tests trust it, so it is tested itself.

const never = new AbortController().signal
const [A, B, C] = ['a', 'b', 'c'] as [NodeId, NodeId, NodeId]

let clock: SimulatedClock
let network: SimulatedNetwork
let a: SimulatedTransport
let b: SimulatedTransport
let events: string[]

/** Lets time pass until a promise has settled. */
async function settled<Result>(promise: Promise<Result>, msMax = 60_000): Promise<Result> {
  let done = false
  const end = (): void => {
    done = true
  }
  promise.then(end, end)
  for (let ms = 0; !done && ms < msMax; ms += 10) await clock.advance(10)
  if (!done) throw new Error(`not settled after ${msMax} ms`)
  return promise
}

async function startNode(id: NodeId): Promise<SimulatedTransport> {
  const transport = network.transport(id)
  transport.handle('echo', async (_peer, body) => body)
  transport.onPeer((peer, state) => events.push(`${id} sees ${peer} ${state}`))
  await transport.start()
  return transport
}

function connect(from: SimulatedTransport, to: SimulatedTransport): Promise<NodeId | undefined> {
  return settled(from.dial(to.addresses()[0] as string, never))
}

function echo(): Promise<Uint8Array> {
  return a.request(B, 'echo', Buffer.from('x'), never)
}

beforeEach(async () => {
  clock = new SimulatedClock()
  network = new SimulatedNetwork({ clock, random: new SeededRandom(1) })
  events = []
  a = await startNode(A)
  b = await startNode(B)
  await connect(a, b)
})

describe('a cut link', () => {
  test('is noticed by both sides after seconds, also when it is cut in one direction only', async () => {
    for (const [from, to] of [
      [A, B],
      [B, A]
    ] as const) {
      events = []
      network.links.cut(from, to)
      await clock.advance(2_400)
      expect(events).toEqual([])
      await clock.advance(1_200)
      expect(events.sort()).toEqual(['a sees b down', 'b sees a down'])
      network.links.heal()
      await connect(a, b)
    }
  })

  test('fails requests once it is noticed, and delays them when it is mended before', async () => {
    network.links.cut(A, B)
    await expect(settled(echo())).rejects.toMatchObject({ code: 'ERR_PEER_UNREACHABLE' })
    network.links.heal()
    await connect(a, b)
    network.links.partition([A], [B, C])
    const answer = echo()
    await clock.advance(1_000)
    network.links.mend(A, B)
    network.links.mend(B, A)
    expect(await settled(answer)).toHaveLength(1)
  })

  test('cannot be dialled over', async () => {
    network.links.cut(B, A)
    await a.hangUp(B)
    await expect(connect(a, b)).rejects.toMatchObject({ code: 'ERR_PEER_UNREACHABLE' })
  })
})

describe('a process', () => {
  test('that is killed is missed at once; one that lost its power after seconds', async () => {
    b.die('kill')
    await clock.advance(10)
    expect(events.at(-1)).toBe('a sees b down')
    b = await startNode(B)
    await connect(a, b)
    events = []
    b.die('crash')
    await clock.advance(2_000)
    expect(events).toEqual([])
    await clock.advance(1_600)
    expect(events).toEqual(['a sees b down'])
  })

  test('that is dead neither hears nor gets an answer, and its dials come to nothing', async () => {
    const c = await startNode(C)
    let isAnswered = false
    const answered = (): void => {
      isAnswered = true
    }
    echo().then(answered, answered)
    a.dial(c.addresses()[0] as string, never).then(answered, answered)
    a.die('kill')
    echo().then(answered, answered)
    await clock.advance(10_000)
    expect(isAnswered).toBe(false)
    expect(c.peers()).toEqual([])
    expect(events).not.toContain('a sees b down')
  })
})

describe('hints', () => {
  const heard = async (count: number, send: (body: Uint8Array) => void): Promise<string[]> => {
    for (let i = 0; i < count; i++) send(Buffer.from(String(i)))
    await clock.advance(1_000)
    return received
  }
  let received: string[]
  beforeEach(() => {
    received = []
    b.handle('hint', async (_peer, body) => {
      received.push(Buffer.from(body).toString())
      return body
    })
    b.subscribe('news', (_from, body) => received.push(Buffer.from(body).toString()))
  })

  test.each(['notify', 'publish'] as const)(
    'of %s overtake each other, are lost and come twice, as asked for',
    async way => {
      const send = (body: Uint8Array): void => (way === 'notify' ? a.notify(B, 'hint', body) : a.publish('news', body))
      const sent = Array.from({ length: 200 }, (_, i) => String(i))
      expect((await heard(200, send)).sort()).toEqual(sent.toSorted())
      expect(received).not.toEqual(sent)
      received = []
      network.links.quality = { ...network.links.quality, [`${way}Loss`]: 0.5 }
      const some = await heard(200, send)
      expect(some.length).toBeGreaterThan(60)
      expect(some.length).toBeLessThan(140)
      received = []
      network.links.quality = { ...network.links.quality, [`${way}Loss`]: 0, [`${way}Twice`]: 1 }
      // a published message is taken for what it is when it comes again
      expect(await heard(10, send)).toHaveLength(way === 'notify' ? 20 : 10)
    }
  )

  test('published ones reach those that are connected with others only; nothing published crosses a cut', async () => {
    const c = await startNode(C)
    const got: string[] = []
    c.subscribe('news', (from, body) => got.push(`${from} ${Buffer.from(body)}`))
    await connect(b, c)
    await heard(1, body => a.publish('news', body))
    expect(got).toEqual(['a 0'])
    network.links.partition([A], [B, C])
    await heard(1, body => a.publish('news', body))
    network.links.heal()
    await clock.advance(10_000)
    expect(got).toEqual(['a 0'])
  })
})

test('counts what is put on the wires', async () => {
  network.links.traffic.clear()
  await settled(echo())
  a.notify(B, 'echo', new Uint8Array(5))
  expect([...network.links.traffic]).toEqual([
    ['request echo', { messages: 1, bytes: 1 }],
    ['answer echo', { messages: 1, bytes: 1 }],
    ['notify echo', { messages: 1, bytes: 5 }]
  ])
  expect(network.links.total(name => name.endsWith('echo'))).toEqual({ messages: 3, bytes: 7 })
})
