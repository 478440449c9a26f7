import type { GossipSub, TopicValidatorFn } from '@libp2p/gossipsub'
import type { Connection } from '@libp2p/interface'
import { beforeEach, describe, expect, test } from 'vitest'
import { type Logger, silentLog } from '../../../../src/core/log.js'
import type { NodeId } from '../../../../src/domain/ids.js'
import { Gossip } from '../../../../src/network/libp2p/gossip.js'
import { encodeGossip } from '../../../../src/network/libp2p/gossip-message.js'
import { SeededRandom } from '../../../support/seeded-random.js'

const self = 'me' as NodeId
const peer = 'friend' as NodeId

/** The parts of gossipsub that are used. */
class FakePubsub extends EventTarget {
  readonly topicValidators = new Map<string, TopicValidatorFn>()
  readonly topics: string[] = []
  /** Subscribers of the presence topic. */
  subscribers: string[] = []
  readonly published: { readonly topic: string; readonly data: Uint8Array }[] = []

  subscribe(topic: string): void {
    this.topics.push(topic)
  }

  getSubscribers(topic: string): string[] {
    return topic === '/sheaf/2/presence' ? this.subscribers : []
  }

  async publish(topic: string, data: Uint8Array): Promise<void> {
    this.published.push({ topic, data })
  }

  heartbeat(): void {
    this.dispatchEvent(new Event('gossipsub:heartbeat'))
  }

  deliver(topic: string, data: Uint8Array): void {
    this.dispatchEvent(new CustomEvent('gossipsub:message', { detail: { msg: { topic, data } } }))
  }
}

interface FakeConnection {
  status: string
  readonly remotePeer: string
  streams: { readonly protocol: string; readonly direction: string }[]
}

const gossipStream = { protocol: '/meshsub/1.2.0', direction: 'outbound' }

let pubsub: FakePubsub
let connections: FakeConnection[]
let actions: string[]
let warnings: string[]

/** Each is a check. */
function heartbeats(ms: number): void {
  for (let at = 0; at < ms; at += 500) pubsub.heartbeat()
}

function start(handlers: ReadonlyMap<string, (from: NodeId, body: Uint8Array) => void> = new Map()): Gossip {
  const log: Logger = { ...silentLog, warn: (_fields, message) => void warnings.push(message) }
  const gossip = new Gossip(
    {
      random: new SeededRandom(1),
      log,
      pubsub: pubsub as unknown as GossipSub,
      connections: () => connections as unknown as Connection[],
      identify: async () => void actions.push('identify'),
      hangUp: async () => void actions.push('hang up')
    },
    self
  )
  gossip.start(handlers)
  return gossip
}

beforeEach(() => {
  pubsub = new FakePubsub()
  connections = []
  actions = []
  warnings = []
})

describe('peers', () => {
  test('with gossip streams on one of several connections are left alone', async () => {
    start()
    pubsub.subscribers = [peer]
    connections = [
      { status: 'open', remotePeer: peer, streams: [] },
      { status: 'open', remotePeer: peer, streams: [gossipStream] }
    ]
    heartbeats(60_000)
    expect(actions).toEqual([])
  })

  test('without an outbound gossip stream are identified again', async () => {
    start()
    pubsub.subscribers = [peer]
    const inbound = { ...gossipStream, direction: 'inbound' }
    connections = [{ status: 'open', remotePeer: peer, streams: [inbound] }]
    heartbeats(1_500)
    expect(actions).toEqual([])
    heartbeats(1_500)
    expect(actions).toEqual(['identify'])
    connections = [{ status: 'open', remotePeer: peer, streams: [gossipStream, inbound] }]
    heartbeats(60_000)
    expect(actions).toEqual(['identify'])
  })

  test('that do not subscribe for half a minute are disconnected, to reconnect', async () => {
    start()
    connections = [{ status: 'open', remotePeer: peer, streams: [gossipStream] }]
    heartbeats(30_000)
    expect(new Set(actions)).toEqual(new Set(['identify']))
    heartbeats(500)
    expect(actions.at(-1)).toBe('hang up')
    expect(warnings).toHaveLength(1)
    connections = []
    heartbeats(60_000)
    expect(actions.filter(what => what === 'hang up')).toHaveLength(1)
  })

  test('that disconnect meanwhile start with a fresh time limit', async () => {
    start()
    for (let i = 0; i < 10; i++) {
      connections = [{ status: 'open', remotePeer: peer, streams: [] }]
      heartbeats(1_500)
      connections = []
      heartbeats(500)
    }
    expect(actions).toEqual([])
  })
})

describe('messages', () => {
  const message = (from: string, body: string): Uint8Array =>
    encodeGossip(from as NodeId, new Uint8Array(8), 1, Buffer.from(body))

  test('go to the handler of their topic, except own messages and malformed bytes', () => {
    const heard: string[] = []
    start(new Map([['records', (from, body) => void heard.push(`${from}: ${Buffer.from(body)}`)]]))
    expect(pubsub.topics).toEqual(['/sheaf/2/presence', '/sheaf/2/records'])
    pubsub.deliver('/sheaf/2/records', message('friend', 'news'))
    pubsub.deliver('/sheaf/2/records', message(self, 'echo'))
    pubsub.deliver('/sheaf/2/presence', message('friend', 'unheard'))
    pubsub.deliver('/sheaf/2/records', Buffer.from('garbage'))
    expect(heard).toEqual(['friend: news'])
  })

  test('that make a handler throw are logged, without further harm', () => {
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
    pubsub.deliver('/sheaf/2/records', message('friend', 'news'))
    expect(warnings).toHaveLength(1)
  })

  test('that are malformed are not forwarded', async () => {
    start()
    const validate = pubsub.topicValidators.get('/sheaf/2/presence')
    const verdict = (data: Uint8Array): unknown => validate?.({} as never, { type: 'unsigned', topic: '', data })
    expect(verdict(message('friend', 'news'))).toBe('accept')
    expect(verdict(Buffer.from('garbage'))).toBe('reject')
  })

  test('with the same body are distinct when published twice', () => {
    const gossip = start()
    gossip.publish('records', Buffer.from('x'))
    gossip.publish('records', Buffer.from('x'))
    const [first, second] = pubsub.published.map(({ data }) => Buffer.from(data).toString('hex'))
    expect(first).not.toBe(second)
  })
})
