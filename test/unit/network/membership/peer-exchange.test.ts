import { expect, test } from 'vitest'
import { SheafError } from '../../../../src/core/errors.js'
import { type Logger, silentLog } from '../../../../src/core/log.js'
import type { NodeId } from '../../../../src/domain/ids.js'
import type { KnownPeer } from '../../../../src/network/membership/join.js'
import { PeerExchange, type PeerExchangeComponents } from '../../../../src/network/membership/peer-exchange.js'
import { decodePeers, encodePeers } from '../../../../src/network/membership/peer-exchange-messages.js'
import type { RequestHandler } from '../../../../src/network/transport.js'
import { SimulatedClock } from '../../../support/simulated-clock.js'

const SELF = 'self' as NodeId
const PEER = 'peer' as NodeId

interface Fixture {
  readonly clock: SimulatedClock
  readonly exchange: PeerExchange
  readonly handlers: Map<string, RequestHandler>
  readonly logged: string[]
  ask(): Promise<void>
}

function fixture(request: PeerExchangeComponents['transport']['request'], members: KnownPeer[] = []): Fixture {
  const clock = new SimulatedClock()
  const handlers = new Map<string, RequestHandler>()
  const logged: string[] = []
  const log: Logger = {
    ...silentLog,
    debug: () => logged.push('debug'),
    warn: () => logged.push('warn')
  }
  const transport = { self: SELF, request, handle: (name: string, by: RequestHandler) => handlers.set(name, by) }
  const exchange = new PeerExchange({ transport, clock, log, members: () => members })
  return { clock, exchange, handlers, logged, ask: () => exchange.ask(PEER, new AbortController().signal) }
}

const node = (i: number, ...addresses: string[]): KnownPeer => ({ id: `node-${i}` as NodeId, addresses })

test('answers with the members, and keeps what peers answer, without itself', async () => {
  const answer = encodePeers([node(1, '/a'), { id: SELF, addresses: ['/me'] }])
  const { exchange, handlers, ask } = fixture(async () => answer, [node(7, '/x')])
  const answered = await handlers.get('member.peers')?.(PEER, new Uint8Array(), new AbortController().signal)
  expect(decodePeers(answered ?? new Uint8Array())).toEqual([node(7, '/x')])
  await ask()
  expect([...exchange.addressBook]).toEqual([['node-1', ['/a']]])
})

test('keeps the latest thousand nodes, with their latest addresses', async () => {
  const answers = [
    Array.from({ length: 1_000 }, (_, i) => node(i, '/old')),
    [node(0, '/new')],
    Array.from({ length: 10 }, (_, i) => node(1_000 + i, '/old'))
  ]
  const { exchange, ask } = fixture(async () => encodePeers(answers.shift() ?? []))
  for (let i = 0; i < 3; i++) await ask()
  expect(exchange.addressBook.size).toBe(1_000)
  expect(exchange.addressBook.get('node-0' as NodeId)).toEqual(['/new'])
  const dropped = Array.from({ length: 1_010 }, (_, i) => i).filter(
    i => !exchange.addressBook.has(`node-${i}` as NodeId)
  )
  expect(dropped).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
})

test('a peer that fails, sends a malformed answer or none is tolerated', async () => {
  const failing = fixture(async () => {
    throw new SheafError('ERR_PEER_UNREACHABLE')
  })
  await failing.ask()
  expect(failing.logged).toEqual(['debug'])

  const odd = fixture(async () => Uint8Array.of(1, 2, 3))
  await odd.ask()
  expect([odd.logged, odd.exchange.addressBook.size]).toEqual([['warn'], 0])

  const mute = fixture((_peer, _method, _body, signal) => mute.clock.sleep(3_600_000, signal) as Promise<never>)
  const asked = mute.ask()
  await mute.clock.advance(5_000)
  await asked
  expect([mute.logged, mute.clock.pending]).toEqual([['debug'], 0])

  const stop = new AbortController()
  const stopped = mute.exchange.ask(PEER, stop.signal)
  stop.abort(new SheafError('ERR_STOPPING'))
  await stopped
  expect(mute.logged).toHaveLength(1)
})
