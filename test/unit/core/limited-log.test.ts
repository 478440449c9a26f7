import { beforeEach, describe, expect, test } from 'vitest'
import { LimitedLog } from '../../../src/core/limited-log.js'
import type { Logger } from '../../../src/core/log.js'
import { SimulatedClock } from '../../support/simulated-clock.js'

type Line = readonly [level: string, message: string, fields: object]

let lines: Line[]
let clock: SimulatedClock
let log: LimitedLog

function recorder(): Logger {
  const write = (level: string) => (fields: object, message: string) => void lines.push([level, message, fields])
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error'), child: recorder }
}

beforeEach(() => {
  lines = []
  clock = new SimulatedClock()
  log = new LimitedLog({ clock, log: recorder() })
})

const of = (message: string): Line[] => lines.filter(([, said]) => said === message)

describe('a flood of one kind of line', () => {
  test('ends after a hundred, and it is said once', () => {
    for (let i = 0; i < 1_000; i++) log.warn({ i }, 'refused')
    expect(of('refused')).toHaveLength(100)
    expect(lines.at(-1)).toEqual(['warn', 'too many lines of one kind: some of them are left out', { kind: 'refused' }])
    expect(lines).toHaveLength(101)
  })

  test('goes on with a line in ten seconds, which says how many were left out', async () => {
    for (let i = 0; i < 150; i++) log.error({}, 'failed')
    await clock.advance(10_000)
    for (let i = 0; i < 50; i++) log.error({ i }, 'failed')
    expect(of('failed').at(-1)).toEqual(['error', 'failed', { i: 0, suppressed: 50 }])
    expect(of('failed')).toHaveLength(101)
    await clock.advance(3_600_000)
    log.error({}, 'failed')
    expect(of('failed').at(-1)).toEqual(['error', 'failed', { suppressed: 49 }])
  })

  test('does not silence another kind, nor what is for debugging', () => {
    for (let i = 0; i < 200; i++) log.info({}, 'one')
    log.info({}, 'two')
    expect(of('two')).toHaveLength(1)
    for (let i = 0; i < 200; i++) log.debug({}, 'three')
    expect(of('three')).toHaveLength(200)
  })

  test('counts for its children together with it', () => {
    for (let i = 0; i < 200; i++) log.child({ i }).warn({}, 'one')
    expect(of('one')).toHaveLength(100)
  })

  test('of messages that are no constants takes no more memory, and is bounded as a whole', () => {
    for (let i = 0; i < 3_000; i++) log.info({}, `message ${i}`)
    expect(lines.filter(([, message]) => message.startsWith('message'))).toHaveLength(1_100)
  })
})
