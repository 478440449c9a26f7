import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Logger, silentLog } from '../../src/core/log.js'
import { hlcFrom } from '../../src/domain/hlc.js'
import type { Libp2pTransport } from '../../src/network/libp2p/libp2p-transport.js'
import type { ToldPast } from '../../src/network/told-past.js'
import { Libp2pNetwork } from '../support/libp2p-network.js'
import { until } from '../support/until.js'

/* What nodes tell of the time before graves, over real connections. */

const never = new AbortController().signal
const addressOf = (transport: Libp2pTransport): string => transport.addresses()[0] as string

interface Told {
  readonly transport: Libp2pTransport
  /** What others told it. */
  readonly heard: readonly ToldPast[]
  /** Reasons of the refusals in its log. */
  readonly reasons: readonly unknown[]
}

let network: Libp2pNetwork
beforeEach(() => {
  network = new Libp2pNetwork()
})
afterEach(() => network.close())

function past(horizonMs: number, promiseMs?: number): ToldPast {
  return { horizon: hlcFrom(horizonMs), promise: promiseMs === undefined ? undefined : hlcFrom(promiseMs) }
}

async function started(told: ToldPast): Promise<Told> {
  const reasons: unknown[] = []
  const log: Logger = { ...silentLog, warn: (fields: object) => reasons.push(Reflect.get(fields, 'reason')) }
  const transport = await network.create('k', { log })
  const heard: ToldPast[] = []
  transport.onPast(other => heard.push(other))
  transport.handle('ask', async () => Buffer.from('answer'))
  transport.tellPast(told)
  await transport.start()
  return { transport, heard, reasons }
}

test.each(['late', 'kept'])('a node that was beyond the horizon is refused by both sides, when %s dials', async who => {
  const [kept, late] = [await started(past(5, 5)), await started(past(3, 3))]
  const [from, to] = who === 'late' ? [late, kept] : [kept, late]
  await expect(from.transport.dial(addressOf(to.transport), never)).rejects.toMatchObject({
    code: 'ERR_PEER_REFUSED',
    message: expect.stringContaining('beyond the horizon (5.0)')
  })
  await until('both refuse', 90_000, async () => kept.reasons.length > 0 && late.reasons.length > 0, 10)
  expect(kept.reasons).toEqual([expect.stringMatching(/the other node was beyond.*sheaf export --from-folder$/)])
  expect(late.reasons).toEqual([expect.stringMatching(/this node was beyond.*sheaf export --from-folder$/)])
  expect([kept.heard, late.heard]).toEqual([[past(3, 3)], [past(5, 5)]])
  expect([...kept.transport.peers(), ...late.transport.peers()]).toEqual([])
})

test('when the horizon rises, connected peers are looked at again, and those beyond it hung up on and refused', async () => {
  const [a, late, fresh] = [await started(past(3, 9)), await started(past(3, 4)), await started(past(3))]
  for (const { transport } of [late, fresh]) expect(await transport.dial(addressOf(a.transport), never)).toBeDefined()
  await until('both are there', 90_000, async () => a.transport.peers().length === 2, 10)
  expect([...a.reasons, ...late.reasons]).toEqual([])
  a.transport.tellPast(past(5, 9))
  await until('one is gone', 90_000, async () => a.transport.peers().length === 1, 10)
  await until('it has noticed', 90_000, async () => late.transport.peers().length === 0, 10)
  expect(a.transport.peers()).toEqual([fresh.transport.self])
  await expect(late.transport.dial(addressOf(a.transport), never)).rejects.toMatchObject({ code: 'ERR_PEER_REFUSED' })
  const answer = await fresh.transport.request(a.transport.self, 'ask', new Uint8Array(), never)
  expect(Buffer.from(answer).toString()).toBe('answer')
})

test('a stranger is not listened to', async () => {
  const a = await started(past(3, 4))
  const stranger = await network.create('another')
  stranger.tellPast(past(9, 9))
  await stranger.start()
  await expect(stranger.dial(addressOf(a.transport), never)).rejects.toMatchObject({ code: 'ERR_PEER_REFUSED' })
  expect(a.heard).toEqual([])
})
