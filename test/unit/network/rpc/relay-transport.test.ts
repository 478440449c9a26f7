import { afterEach, expect, test } from 'vitest'
import { SheafError } from '../../../../src/core/errors.js'
import type { NodeId } from '../../../../src/domain/ids.js'
import { encodeMessage } from '../../../../src/network/rpc/message.js'
import { RELAYED_BYTES_MAX, RelayTransport } from '../../../../src/network/rpc/relay-transport.js'
import { SeededRandom } from '../../../support/seeded-random.js'
import { SimulatedClock, settle } from '../../../support/simulated-clock.js'
import { SimulatedNetwork } from '../../../support/simulated-network.js'
import type { SimulatedTransport } from '../../../support/simulated-transport.js'

const never = new AbortController().signal
const [A, M, B] = ['a', 'm', 'b'] as [NodeId, NodeId, NodeId]

/** Nodes a and b, each connected to m alone. */
class Star {
  readonly clock = new SimulatedClock()
  readonly network = new SimulatedNetwork({ clock: this.clock, random: new SeededRandom(1) })
  readonly strangers = new Set<NodeId>()
  readonly plain = new Map<NodeId, SimulatedTransport>()
  readonly nodes = new Map<NodeId, RelayTransport>()
  /** What b was asked or told: who, how, what. */
  readonly heard: string[] = []

  constructor() {
    for (const id of [A, M, B]) {
      const transport = this.network.transport(id)
      this.plain.set(id, transport)
      const node = new RelayTransport({
        transport,
        clock: this.clock,
        waysTo: node => (id === M || node === M ? [] : [M]),
        isMember: node => !this.strangers.has(node)
      })
      this.nodes.set(id, node)
      for (const method of ['records.get', 'member.beat-via', 'volume.read']) {
        const handler = async (peer: NodeId, body: Uint8Array): Promise<Uint8Array> => {
          this.heard.push(`${id} heard ${method} of ${peer}: ${Buffer.from(body)}`)
          if (`${Buffer.from(body)}` === 'fail') throw new SheafError('ERR_DIRECTORY_UNAVAILABLE', 'planted')
          if (`${Buffer.from(body)}` === 'silence') return new Promise(() => {})
          return Buffer.from('answer')
        }
        node.handle(method, handler, { relayed: method !== 'volume.read' })
      }
    }
  }

  async start(): Promise<void> {
    for (const node of this.nodes.values()) await node.start()
    for (const id of [A, B]) await this.until(this.at(id).dial(this.network.addressOf(M), never))
  }

  at(id: NodeId): RelayTransport {
    return this.nodes.get(id) as RelayTransport
  }

  async until<Result>(task: Promise<Result>): Promise<Result> {
    let isOver = false
    const end = (): void => {
      isOver = true
    }
    task.then(end, end)
    while (!isOver) {
      await settle()
      await this.clock.advance(1)
    }
    return await task
  }

  ask(body: string, method = 'records.get'): Promise<string> {
    const answer = this.at(A).request(B, method, Buffer.from(body), never)
    return this.until(answer.then(bytes => `${Buffer.from(bytes)}`)).catch((err: SheafError) => err.code)
  }

  /** What m answers to a message that says to pass something on. */
  passOn(fields: Parameters<typeof encodeMessage>[0]): Promise<string> {
    const body = encodeMessage({ to: B, method: 'records.get', body: Buffer.from('?'), answer: 1, ...fields })
    const answer = (this.plain.get(A) as SimulatedTransport).request(M, 'relay.pass', body, never)
    return this.until(answer.then(bytes => `${Buffer.from(bytes)}`)).catch((err: SheafError) => err.code)
  }
}

const stars: Star[] = []
afterEach(async () => {
  for (const star of stars.splice(0)) for (const node of star.nodes.values()) await node.stop()
})

async function star(): Promise<Star> {
  const made = new Star()
  stars.push(made)
  await made.start()
  return made
}

test('a question gets to a node that is not connected, from whoever asks it, and the answer back', async () => {
  const net = await star()
  expect(await net.ask('hello')).toBe('answer')
  expect(net.heard).toEqual(['b heard records.get of a: hello'])
})

test('an error of the far end comes back by its code', async () => {
  const net = await star()
  expect(await net.ask('fail')).toBe('ERR_DIRECTORY_UNAVAILABLE')
})

test('a hint gets there, too', async () => {
  const net = await star()
  net.at(A).notify(B, 'member.beat-via', Buffer.from('beat'))
  await net.clock.advance(1_000)
  await settle()
  expect(net.heard).toEqual(['b heard member.beat-via of a: beat'])
})

test('who is connected is asked directly', async () => {
  const net = await star()
  await net.until(net.at(A).dial(net.network.addressOf(B), never))
  expect(await net.ask('hello')).toBe('answer')
  expect(net.network.links.traffic.has('request relay.pass')).toBe(false)
})

test('what is not meant to be passed on is not, by the asker, nor in the middle, nor at the far end', async () => {
  const net = await star()
  expect(await net.ask('bytes', 'volume.read')).toBe('ERR_PEER_UNREACHABLE')
  expect(await net.passOn({ method: 'volume.read' })).toBe('ERR_PEER_PROTOCOL')
  const inner = encodeMessage({ to: A, method: 'records.get', body: Buffer.from('?'), answer: 1 })
  expect(await net.passOn({ method: 'relay.pass', body: inner })).toBe('ERR_PEER_PROTOCOL') // no loops
  const taken = encodeMessage({ from: A, method: 'relay.take', body: inner })
  const direct = (net.plain.get(M) as SimulatedTransport).request(B, 'relay.take', taken, never)
  await expect(net.until(direct)).rejects.toMatchObject({ code: 'ERR_PEER_PROTOCOL' })
  expect(net.heard).toEqual([])
})

test('messages are bounded, and go to whom the node in the middle is connected to', async () => {
  const net = await star()
  expect(await net.ask('x'.repeat(RELAYED_BYTES_MAX + 1))).toBe('ERR_PEER_UNREACHABLE')
  expect(await net.passOn({ body: Buffer.alloc(RELAYED_BYTES_MAX + 1) })).toBe('ERR_PEER_PROTOCOL')
  expect(await net.passOn({ to: 'nobody' })).toBe('ERR_PEER_UNREACHABLE')
  expect(await net.passOn({ to: M })).toBe('ERR_PEER_UNREACHABLE')
  expect(net.heard).toEqual([])
})

test.each([A, B])('when %s is no member, nothing is passed on', async stranger => {
  const net = await star()
  net.strangers.add(stranger)
  expect(await net.ask('hello')).toBe('ERR_MEMBER_REMOVED')
  expect(net.heard).toEqual([])
})

test('a node that sends without an end is held to a rate, and others are not', async () => {
  const net = await star()
  for (let i = 0; i < 1_500; i++) net.at(A).notify(B, 'member.beat-via', Buffer.from('beat'))
  await net.clock.advance(1_000)
  await settle()
  expect(net.heard.length).toBeGreaterThanOrEqual(1_000)
  expect(net.heard.length).toBeLessThan(1_500)
  const answer = net.at(B).request(A, 'records.get', Buffer.from('hello'), never)
  expect(`${Buffer.from(await net.until(answer))}`).toBe('answer')
})

test('a question that is never answered ends after a minute', async () => {
  const net = await star()
  const asked = net
    .at(A)
    .request(B, 'records.get', Buffer.from('silence'), never)
    .catch((err: SheafError) => err.code)
  for (const ms of [1_000, 58_000, 3_000]) {
    await net.clock.advance(ms)
    await settle()
  }
  expect(await asked).toBe('ERR_PEER_UNREACHABLE')
})

test.each(['gives up', 'is gone'])(
  'when the asker %s, the question in the middle ends, and is no defect',
  async how => {
    const net = await star()
    const asker = new AbortController()
    const asked = net.at(A).request(B, 'records.get', Buffer.from('silence'), asker.signal)
    asked.catch(() => {})
    await net.clock.advance(1_000)
    await settle()
    if (how === 'is gone') net.plain.get(A)?.die('kill')
    else asker.abort(new Error('enough'))
    for (let turn = 0; turn < 3; turn++) {
      await net.clock.advance(1_000)
      await settle()
    }
    expect(net.network.defects).toEqual([])
  }
)
