import { describe, expect, it } from 'vitest'
import { outcomeOf } from '../../../chaos/outcomes.js'
import { carryOut, type Ending, type NodeClient } from '../../../chaos/requests.js'
import { type Answer, NoAnswer } from '../../support/http-client.js'
import { SimulatedClock } from '../../support/simulated-clock.js'

const DEADLINE_MS = 5_000
const BUSY: Answer = { status: 503, headers: {}, body: Buffer.from('{"code":"ERR_OVERLOADED"}') }
const LISTED: Answer = { status: 200, headers: {}, body: Buffer.from('{}') }

/** @returns how asking for a list ends, and when, at a node that gives these answers, the last one for ever */
async function asked(answers: readonly (() => Answer)[]): Promise<{ ending: Ending; tookMs: number }> {
  const clock = new SimulatedClock()
  let tries = 0
  const request = async (): Promise<Answer> => {
    const answer = answers[Math.min(tries++, answers.length - 1)]
    if (answer === undefined) throw new Error('a request has no answer')
    return answer()
  }
  let tookMs = Number.NaN
  const asking = carryOut(
    { client: { request } as unknown as NodeClient, clock, operatorToken: () => undefined },
    { kind: 'list' },
    DEADLINE_MS
  ).then(ending => {
    tookMs = clock.monotonic()
    return ending
  })
  await clock.advance(60_000)
  return { ending: await asking, tookMs }
}

function failing(code: string): () => never {
  return () => {
    throw new NoAnswer('GET /photos', Object.assign(new Error(code), { code }))
  }
}

describe('a request', () => {
  it('is sent again to a node that is too busy', async () => {
    const { ending, tookMs } = await asked([() => BUSY, () => BUSY, () => LISTED])
    expect(ending).toEqual({ outcome: 'ok', status: 200, retries: 2, told: {} })
    expect(tookMs).toBe(500)
  })

  it('is given up before its deadline at a node that stays too busy', async () => {
    const { ending, tookMs } = await asked([() => BUSY])
    expect(ending).toEqual({ outcome: 'indeterminate', status: 503, code: 'ERR_OVERLOADED', retries: 19 })
    expect(tookMs).toBe(4_750)
  })

  it('that was refused had no effect, one without an answer may have had', async () => {
    expect((await asked([failing('ECONNREFUSED')])).ending.outcome).toBe('failed')
    expect((await asked([failing('ECONNRESET')])).ending.outcome).toBe('indeterminate')
  })
})

describe('the outcome', () => {
  it.each([
    [200, undefined, 'ok'],
    [503, 'ERR_TOO_FEW_COPIES', 'ok'],
    [404, 'ERR_PHOTO_NOT_FOUND', 'failed'],
    [412, undefined, 'failed'],
    [507, 'ERR_DISK_FULL', 'failed'],
    [503, 'ERR_LEAVING', 'failed'],
    [503, 'ERR_STOPPING', 'failed'],
    [503, 'ERR_BYTES_UNREACHABLE', 'indeterminate'],
    [500, undefined, 'indeterminate']
  ] as const)('of %i %s is %s', (status, code, outcome) => {
    expect(outcomeOf(status, code)).toBe(outcome)
  })
})
