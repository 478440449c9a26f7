import { describe, expect, test } from 'vitest'
import { SheafError } from '../../../../src/core/errors.js'
import { silentLog } from '../../../../src/core/log.js'
import type { NodeId } from '../../../../src/domain/ids.js'
import { PHOTO_KIND } from '../../../../src/domain/photo.js'
import { encodeGetAnswer } from '../../../../src/replication/records/anti-entropy-messages.js'
import { PeerRecords } from '../../../../src/replication/records/peer-records.js'
import { PHOTO_ID } from '../../../support/domain-arbitraries.js'
import { SimulatedClock } from '../../../support/simulated-clock.js'

const [A, B, C] = ['a', 'b', 'c'] as [NodeId, NodeId, NodeId]

/** What a peer answers, and after how many ms. */
type Answer = readonly [answer: 'record' | 'nothing' | 'error', ms: number]

/** @returns whether the fetch was complete, after how many ms, and who had sent a record by then, and in the end */
async function fetch(answers: ReadonlyMap<NodeId, Answer>, others: readonly NodeId[] = [A, B, C]): Promise<unknown> {
  const clock = new SimulatedClock()
  const merged: (NodeId | undefined)[] = []
  const records = new PeerRecords({
    transport: {
      request: async (peer, _method, _body, signal) => {
        const [answer, ms] = answers.get(peer) as Answer
        await clock.sleep(ms, signal)
        if (answer === 'error') throw new SheafError('ERR_PEER_UNREACHABLE')
        return encodeGetAnswer({ count: 1, records: answer === 'record' ? [new Uint8Array(8)] : [] })
      }
    },
    directory: {
      merge: async (_encoded, from) => merged.push(from)
    },
    clock,
    log: silentLog,
    others: () => others,
    reachable: () => [...answers.keys()]
  })
  let result: unknown
  void records.fetch({ kind: PHOTO_KIND, id: PHOTO_ID }).then(isComplete => {
    result = { isComplete, ms: clock.monotonic(), merged: [...merged] }
  })
  while (result === undefined) await clock.advance(1)
  await clock.advance(3_000)
  expect(clock.pending).toBe(0)
  return { ...(result as object), afterwards: merged }
}

describe('a record that is unknown here', () => {
  test('is asked for until all have answered', async () => {
    const answers = new Map<NodeId, Answer>([
      [A, ['nothing', 5]],
      [B, ['record', 20]],
      [C, ['record', 60]]
    ])
    expect(await fetch(answers)).toEqual({ isComplete: true, ms: 60, merged: [B, C], afterwards: [B, C] })
  })

  test('once it was sent, is not waited for much longer; what comes later is merged', async () => {
    const answers = new Map<NodeId, Answer>([
      [A, ['record', 10]],
      [B, ['record', 1_000]],
      [C, ['nothing', 60_000]]
    ])
    expect(await fetch(answers)).toEqual({ isComplete: false, ms: 110, merged: [A], afterwards: [A, B] })
  })

  test('that nobody sends is unknown everywhere only if every member has answered', async () => {
    const all: readonly (readonly [NodeId, Answer])[] = [A, B, C].map(peer => [peer, ['nothing', 10]])
    expect(await fetch(new Map(all))).toMatchObject({ isComplete: true, ms: 10 })
    expect(await fetch(new Map(all), [A, B, C, 'd' as NodeId])).toMatchObject({ isComplete: false, ms: 10 })
    expect(await fetch(new Map([...all, [C, ['error', 10]]]))).toMatchObject({ isComplete: false, ms: 10 })
    expect(await fetch(new Map([...all, [C, ['nothing', 60_000]]]))).toMatchObject({ isComplete: false, ms: 2_000 })
  })
})
