import { beforeEach, expect, test } from 'vitest'
import { SheafError } from '../../../src/core/errors.js'
import { silentLog } from '../../../src/core/log.js'
import { Histogram, MetricsRegistry } from '../../../src/core/metrics.js'
import type { NodeId } from '../../../src/domain/ids.js'
import { MeteredTransport } from '../../../src/network/metered-transport.js'
import { SeededRandom } from '../../support/seeded-random.js'
import { SimulatedClock } from '../../support/simulated-clock.js'
import { SimulatedNetwork } from '../../support/simulated-network.js'

const never = new AbortController().signal
const [A, B] = ['a', 'b'] as [NodeId, NodeId]

let clock: SimulatedClock
let a: MeteredTransport
let b: MeteredTransport
let metrics: { readonly a: MetricsRegistry; readonly b: MetricsRegistry }

/** Lets time pass until a promise has settled. */
async function settled<Result>(promise: Promise<Result>): Promise<Result> {
  let done = false
  promise.finally(() => (done = true)).catch(() => {})
  while (!done) await clock.advance(10)
  return promise
}

beforeEach(async () => {
  clock = new SimulatedClock()
  const network = new SimulatedNetwork({ clock, random: new SeededRandom(1) })
  metrics = { a: new MetricsRegistry({ log: silentLog }), b: new MetricsRegistry({ log: silentLog }) }
  a = new MeteredTransport(network.transport(A), { metrics: metrics.a, clock })
  b = new MeteredTransport(network.transport(B), { metrics: metrics.b, clock })
  b.handle('double', async (_peer, body) => Buffer.concat([body, body]))
  b.handle('refuse', async () => {
    throw new SheafError('ERR_OVERLOADED')
  })
  b.handleFetch('pieces', async function* () {
    yield Buffer.alloc(10)
    yield Buffer.alloc(20)
  })
  b.handleFetch('broken', async function* () {
    yield Buffer.alloc(10)
    throw new SheafError('ERR_DISK_READ')
  })
  b.subscribe('news', () => {})
  await a.start()
  await b.start()
  await settled(a.dial(b.addresses()[0] as string, never))
})

/** @returns the series as `name{labels}` and value; of histograms how many values there were */
async function read(registry: MetricsRegistry): Promise<Record<string, number>> {
  const series = (await registry.collect()).flatMap(({ name, series }) =>
    series.map(({ labels, value }) => {
      const count = value instanceof Histogram ? value.counts.reduce((sum, n) => sum + n, 0) : value
      return [`${name}{${Object.values(labels).join(',')}}`, count] as const
    })
  )
  return Object.fromEntries(series)
}

test('requests are counted, timed and weighed on both sides', async () => {
  await settled(a.request(B, 'double', Buffer.alloc(3), never))
  expect(await read(metrics.a)).toMatchObject({
    'sheaf_rpc_calls_total{double,ok}': 1,
    'sheaf_rpc_call_duration_seconds{double}': 1,
    'sheaf_peer_sent_bytes_total{b}': 3,
    'sheaf_peer_received_bytes_total{b}': 6
  })
  expect(await read(metrics.b)).toMatchObject({
    'sheaf_rpc_requests_total{double,ok}': 1,
    'sheaf_rpc_request_duration_seconds{double}': 1,
    'sheaf_rpc_requests_in_flight{}': 0,
    'sheaf_peer_sent_bytes_total{a}': 6,
    'sheaf_peer_received_bytes_total{a}': 3
  })
})

test('what is refused is counted by its code', async () => {
  await expect(settled(a.request(B, 'refuse', Buffer.alloc(3), never))).rejects.toMatchObject({
    code: 'ERR_OVERLOADED'
  })
  expect(await read(metrics.a)).toMatchObject({ 'sheaf_rpc_calls_total{refuse,error}': 1 })
  expect(await read(metrics.b)).toMatchObject({
    'sheaf_rpc_requests_total{refuse,error}': 1,
    'sheaf_rpc_refused_total{ERR_OVERLOADED}': 1
  })
})

test('streams count once, with all their bytes', async () => {
  const readAll = async (): Promise<void> => {
    for await (const _piece of a.fetch(B, 'pieces', Buffer.alloc(1), never));
  }
  await settled(readAll())
  expect(await read(metrics.a)).toMatchObject({
    'sheaf_rpc_calls_total{pieces,ok}': 1,
    'sheaf_peer_received_bytes_total{b}': 30
  })
  expect(await read(metrics.b)).toMatchObject({
    'sheaf_rpc_requests_total{pieces,ok}': 1,
    'sheaf_peer_sent_bytes_total{a}': 30
  })
})

test('a stream that breaks counts as one error', async () => {
  const readAll = async (): Promise<void> => {
    for await (const _piece of a.fetch(B, 'broken', Buffer.alloc(1), never));
  }
  await expect(settled(readAll())).rejects.toThrow(SheafError)
  const [here, there] = [await read(metrics.a), await read(metrics.b)]
  expect(here).toMatchObject({ 'sheaf_rpc_calls_total{broken,error}': 1 })
  expect(there).toMatchObject({ 'sheaf_rpc_requests_total{broken,error}': 1, 'sheaf_rpc_requests_in_flight{}': 0 })
  for (const values of [here, there]) expect(Object.keys(values).filter(name => name.includes('broken,ok'))).toEqual([])
})

test('gossip is counted by topic and direction', async () => {
  a.publish('news', Buffer.alloc(9))
  await clock.advance(1_000)
  expect(await read(metrics.a)).toMatchObject({ 'sheaf_gossip_bytes_total{news,sent}': 9 })
  expect(await read(metrics.b)).toMatchObject({ 'sheaf_gossip_messages_total{news,received}': 1 })
})

test('a peer that is gone has no series', async () => {
  await settled(a.request(B, 'double', Buffer.alloc(3), never))
  await settled(b.stop())
  await clock.advance(1_000)
  expect(a.peers()).toEqual([])
  expect(Object.keys(await read(metrics.a)).filter(name => name.includes('peer'))).toEqual([])
  await expect(settled(a.request(B, 'double', Buffer.alloc(3), never))).rejects.toThrow(SheafError)
  expect(Object.keys(await read(metrics.a)).filter(name => name.includes('peer'))).toEqual([])
})
