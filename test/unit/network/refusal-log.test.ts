import { beforeEach, expect, test } from 'vitest'
import { silentLog } from '../../../src/core/log.js'
import type { NodeId } from '../../../src/domain/ids.js'
import { type Refusal, RefusalLog } from '../../../src/network/refusal-log.js'
import { SimulatedClock } from '../../support/simulated-clock.js'

let clock: SimulatedClock
let lines: object[]
let refusals: RefusalLog

beforeEach(() => {
  clock = new SimulatedClock()
  lines = []
  refusals = new RefusalLog({ clock, log: { ...silentLog, warn: fields => void lines.push(fields) } })
})

function refuse(peer: string, source: Pick<Refusal, 'host' | 'address'> & { readonly reason?: string } = {}): void {
  refusals.refused({ peer: peer as NodeId, reason: 'why', code: 'ERR_PEER_REFUSED', ...source })
}

test('the first refusal is logged at once, later ones at most once a minute, with a count', async () => {
  refuse('a')
  for (let i = 0; i < 59; i++) {
    await clock.advance(1_000)
    refuse('b')
  }
  expect(lines).toEqual([{ code: 'ERR_PEER_REFUSED', peer: 'a', reason: 'why', suppressed: 0 }])
  await clock.advance(1_000)
  refuse('c')
  expect(lines.slice(1)).toMatchObject([{ peer: 'c', suppressed: 59 }])
  expect([...refusals.counts]).toEqual([['ERR_PEER_REFUSED', 61]])
})

test('each host, and each reason, has lines of its own, whatever the port', () => {
  refuse('a', { host: '10.0.0.1', address: '/ip4/10.0.0.1/tcp/1' })
  refuse('a', { host: '10.0.0.1', address: '/ip4/10.0.0.1/tcp/2' })
  refuse('b', { host: '10.0.0.2', address: '/ip4/10.0.0.2/tcp/1' })
  refuse('a', { host: '10.0.0.1', address: '/ip4/10.0.0.1/tcp/3', reason: 'another' })
  expect(lines).toMatchObject([
    { peer: 'a', address: '/ip4/10.0.0.1/tcp/1', reason: 'why' },
    { peer: 'b', address: '/ip4/10.0.0.2/tcp/1', reason: 'why' },
    { peer: 'a', address: '/ip4/10.0.0.1/tcp/3', reason: 'another' }
  ])
})

test('a thousand hosts share lines above the bound, and those that fell silent make room', async () => {
  for (let i = 0; i < 1_000; i++) refuse('a', { host: `host ${i}` })
  expect(lines).toHaveLength(65)
  await clock.advance(60_000)
  refuse('b', { host: 'host 1000' })
  expect(lines.at(-1)).toMatchObject({ peer: 'b', suppressed: 0 })
  refuse('b', { host: 'host 1001' })
  expect(lines).toHaveLength(67)
})
