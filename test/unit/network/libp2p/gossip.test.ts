import type { GossipSub, TopicValidatorFn } from '@libp2p/gossipsub'
import type { Connection } from '@libp2p/interface'
import { beforeEach, describe, expect, test } from 'vitest'
import { type Logger, silentLog } from '../../../../src/core/log.js'
import type { NodeId } from '../../../../src/domain/ids.js'
import { Gossip } from '../../../../src/network/libp2p/gossip.js'
import { encodeGossip } from '../../../../src/network/libp2p/gossip-message.js'
import { SeededRandom } from '../../../support/seeded-random.js'
import { SimulatedClock } from '../../../support/simulated-clock.js'

const self = 'me' as NodeId
const peer = 'friend' as NodeId

/** What of gossipsub is used; `beat` is its heartbeat. */
class FakePubsub extends EventTarget {
  readonly topicValidators = new Map<string, TopicValidatorFn>()
  readonly topics: string[] = []
  /** Of the topic that all subscribe to. */
  subscribers: string[] = []
  readonly published: { readonly topic: string; readonly data: Uint8Array }[] = []

  subscribe(topic: string): void {
    this.topics.push(topic)
  }

  getSubscribers(topic: string): string[] {
    return topic === '/sheaf/1/presence' ? this.subscribers : []
  }

  async publish(topic: string, data: Uint8Array): Promise<void> {
    this.published.push({ topic, data })
  }

  beat(): void {
    this.dispatchEvent(new Event('gossipsub:heartbeat'))
  }

  hear(topic: string, data: Uint8Array): void {
    this.dispatchEvent(new CustomEvent('gossipsub:message', { detail: { msg: { topic, data } } }))
  }
}

interface FakeConnection {
  status: string
  readonly remotePeer: string
  streams: { readonly protocol: string; readonly direction: string }[]
}

const gossiping = { protocol: '/meshsub/1.2.0', direction: 'outbound' }

let clock: SimulatedClock
let pubsub: FakePubsub
let connections: FakeConnection[]
let done: string[]
let said: string[]

async function beats(ms: number): Promise<void> {
  for (let at = 0; at < ms; at += 500) {
    await clock.advance(500)
    pubsub.beat()
  }
}

function start(handlers: ReadonlyMap<string, (from: NodeId, body: Uint8Array) => void> = new Map()): Gossip {
  const log: Logger = { ...silentLog, warn: (_fields, message) => void said.push(message) }
  const gossip = new Gossip(
    {
      clock,
      random: new SeededRandom(1),
      log,
      pubsub: pubsub as unknown as GossipSub,
      connections: () => connections as unknown as Connection[],
      identify: async () => void done.push('identify'),
      hangUp: async () => void done.push('hang up')
    },
    self
  )
  gossip.start(handlers)
  return gossip
}

beforeEach(() => {
  clock = new SimulatedClock()
  pubsub = new FakePubsub()
  connections = []
  done = []
  said = []
})

describe('peers', () => {
  test('that gossip are left alone, on one connection of several, too', async () => {
    start()
    pubsub.subscribers = [peer]
    connections = [
      { status: 'open', remotePeer: peer, streams: [] },
      { status: 'open', remotePeer: peer, streams: [gossiping] }
    ]
    await beats(60_000)
    expect(done).toEqual([])
  })

  test('to whom no stream leads any longer are looked at again', async () => {
    start()
    pubsub.subscribers = [peer]
    const inbound = { ...gossiping, direction: 'inbound' }
    connections = [{ status: 'open', remotePeer: peer, streams: [inbound] }]
    await beats(1_500)
    expect(done).toEqual([])
    await beats(1_500)
    expect(done).toEqual(['identify'])
    connections = [{ status: 'open', remotePeer: peer, streams: [gossiping, inbound] }]
    await beats(60_000)
    expect(done).toEqual(['identify'])
  })

  test('of whom gossipsub knows nothing for ten seconds are connected anew', async () => {
    start()
    connections = [{ status: 'open', remotePeer: peer, streams: [gossiping] }]
    await beats(10_000)
    expect(new Set(done)).toEqual(new Set(['identify']))
    await beats(500)
    expect(done.at(-1)).toBe('hang up')
    expect(said).toHaveLength(1)
    connections = []
    await beats(60_000)
    expect(done.filter(what => what === 'hang up')).toHaveLength(1)
  })

  test('that were gone in between begin anew', async () => {
    start()
    for (let i = 0; i < 10; i++) {
      connections = [{ status: 'open', remotePeer: peer, streams: [] }]
      await beats(1_500)
      connections = []
      await beats(500)
    }
    expect(done).toEqual([])
  })
})

describe('messages', () => {
  const message = (from: string, body: string): Uint8Array =>
    encodeGossip(from as NodeId, new Uint8Array(8), 1, Buffer.from(body))

  test('go to the handler of their topic, but not one’s own, and nothing that is no message', () => {
    const heard: string[] = []
    start(new Map([['records', (from, body) => void heard.push(`${from}: ${Buffer.from(body)}`)]]))
    expect(pubsub.topics).toEqual(['/sheaf/1/presence', '/sheaf/1/records'])
    pubsub.hear('/sheaf/1/records', message('friend', 'news'))
    pubsub.hear('/sheaf/1/records', message(self, 'echo'))
    pubsub.hear('/sheaf/1/presence', message('friend', 'unheard'))
    pubsub.hear('/sheaf/1/records', Buffer.from('garbage'))
    expect(heard).toEqual(['friend: news'])
  })

  test('that a handler does not understand are logged, and harm nobody', () => {
    start(
      new Map([
        [
          'records',
          () => {
            throw new Error('not understood')
          }
        ]
      ])
    )
    pubsub.hear('/sheaf/1/records', message('friend', 'news'))
    expect(said).toHaveLength(1)
  })

  test('that are none are not passed on', async () => {
    start()
    const validate = pubsub.topicValidators.get('/sheaf/1/presence')
    const verdict = (data: Uint8Array): unknown => validate?.({} as never, { type: 'unsigned', topic: '', data })
    expect(verdict(message('friend', 'news'))).toBe('accept')
    expect(verdict(Buffer.from('garbage'))).toBe('reject')
  })

  test('with one body are two when they are published twice', () => {
    const gossip = start()
    gossip.publish('records', Buffer.from('x'))
    gossip.publish('records', Buffer.from('x'))
    const [first, second] = pubsub.published.map(({ data }) => Buffer.from(data).toString('hex'))
    expect(first).not.toBe(second)
  })
})
