import { expect, onTestFinished, test } from 'vitest'
import { type Seal, type SealKeeper, sealedTransport } from '../../../../src/cluster/forgetting/sealed-transport.js'
import { SheafError } from '../../../../src/core/errors.js'
import type { Hlc } from '../../../../src/domain/hlc.js'
import type { NodeId } from '../../../../src/domain/ids.js'
import type { Transport } from '../../../../src/network/transport.js'
import { World } from '../../replication/records/replica.js'

/** Refuses what was said under a promise below its own horizon. */
class Keeper implements SealKeeper {
  readonly seen: [NodeId, Seal][] = []
  promise = 5n as Hlc
  horizon = 5n as Hlc

  seal(): Seal {
    return { promise: this.promise, horizon: this.horizon }
  }

  async shown(peer: NodeId, seal: Seal): Promise<void> {
    this.seen.push([peer, seal])
  }

  require(_peer: NodeId, { promise }: Seal): void {
    if (promise < this.horizon) throw new SheafError('ERR_PEER_BEHIND')
  }

  trusts(): boolean {
    return this.horizon <= 5n
  }
}

const NO_LIMIT = new AbortController().signal

async function pair(): Promise<{ world: World; a: Transport; b: Transport; of: { a: Keeper; b: Keeper } }> {
  const world = new World()
  const of = { a: new Keeper(), b: new Keeper() }
  const [plainA, plainB] = [world.network.transport('a' as NodeId), world.network.transport('b' as NodeId)]
  const [a, b] = [sealedTransport(plainA, of.a), sealedTransport(plainB, of.b)]
  await a.start()
  await b.start()
  onTestFinished(async () => {
    await a.stop()
    await b.stop()
  })
  await world.during(a.dial(b.addresses()[0] ?? '', NO_LIMIT))
  return { world, a, b, of }
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString()

test('bodies arrive as they were, each side with the seal of the other', async () => {
  const { world, a, b, of } = await pair()
  of.a.promise = 7n as Hlc
  b.handle('records.get', async (_peer, body) => Buffer.from(`${text(body)}!`))
  const answer = await world.during(a.request('b' as NodeId, 'records.get', Buffer.from('hello'), NO_LIMIT))
  expect(text(answer)).toBe('hello!')
  expect(of.b.seen).toEqual([['a', { promise: 7n, horizon: 5n }]])
  expect(of.a.seen).toEqual([['b', { promise: 5n, horizon: 5n }]])
})

test('an answer is sealed as it stood before anything was read for it', async () => {
  const { world, a, b, of } = await pair()
  b.handle('records.get', async () => {
    of.b.promise = 9n as Hlc
    return new Uint8Array()
  })
  await world.during(a.request('b' as NodeId, 'records.get', new Uint8Array(), NO_LIMIT))
  expect(of.a.seen.at(-1)?.[1].promise).toBe(5n)
})

test('who is behind may ask, and its offers are refused', async () => {
  const { world, a, b, of } = await pair()
  let taken = 0
  for (const method of ['records.get', 'records.put']) {
    b.handle(method, async () => {
      taken++
      return new Uint8Array()
    })
  }
  of.a.promise = 4n as Hlc
  const ask = (method: string): Promise<Uint8Array> =>
    world.during(a.request('b' as NodeId, method, new Uint8Array(), NO_LIMIT))
  await ask('records.get')
  await expect(ask('records.put')).rejects.toMatchObject({ code: 'ERR_PEER_BEHIND' })
  expect(taken).toBe(1)
  of.b.promise = 4n as Hlc
  await expect(ask('records.get')).rejects.toMatchObject({ code: 'ERR_PEER_BEHIND' })
})

test('gossip and hints of who is behind are passed over', async () => {
  const { world, a, b, of } = await pair()
  const heard: string[] = []
  b.subscribe('records', (_from, body) => heard.push(text(body)))
  b.subscribe('events', (_from, body) => heard.push(text(body)))
  b.handle('volume.ack', async (_peer, body) => {
    heard.push(text(body))
    return new Uint8Array()
  })
  const tell = async (word: string): Promise<void> => {
    a.publish('records', Buffer.from(`record ${word}`))
    a.publish('events', Buffer.from(`event ${word}`))
    a.notify('b' as NodeId, 'volume.ack', Buffer.from(`ack ${word}`))
    await world.clock.advance(50)
  }
  await tell('one')
  of.b.horizon = 6n as Hlc
  await tell('two')
  expect(heard.sort()).toEqual(['ack one', 'event one', 'event two', 'record one'])
})

test('a message that is too short for a seal is no message', async () => {
  const { world, a, b, of } = await pair()
  void of
  b.handle('records.get', async () => new Uint8Array())
  const plain = world.network.transport('c' as NodeId)
  await plain.start()
  onTestFinished(() => plain.stop())
  await world.during(plain.dial(b.addresses()[0] ?? '', NO_LIMIT))
  await expect(
    world.during(plain.request('b' as NodeId, 'records.get', new Uint8Array(3), NO_LIMIT))
  ).rejects.toMatchObject({ code: 'ERR_PEER_PROTOCOL' })
  void a
})
