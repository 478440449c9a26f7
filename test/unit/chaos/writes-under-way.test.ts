import { describe, expect, it } from 'vitest'
import type { Line } from '../../../chaos/history.js'
import { WritesUnderWay } from '../../../chaos/writes-under-way.js'
import { SimulatedClock } from '../../support/simulated-clock.js'

const remove = (op: number, node: string): Line => ({
  type: 'begin',
  atMs: 0,
  op,
  node,
  call: { kind: 'delete', photo: 'p' }
})
const look = (op: number, node: string): Line => ({
  type: 'begin',
  atMs: 0,
  op,
  node,
  call: { kind: 'look', photo: 'p' }
})
const end = (op: number): Line => ({ type: 'end', atMs: 0, op, outcome: 'ok', status: 200 })

/** @returns after how many ms the wait ended, when these lines come after 100 ms */
async function waitedMs(writes: WritesUnderWay, clock: SimulatedClock, later: readonly Line[] = []): Promise<number> {
  let endedMs = Number.NaN
  const waiting = writes.until(['n1', 'n2']).then(() => {
    endedMs = clock.monotonic()
  })
  await clock.advance(100)
  for (const line of later) writes.note(line)
  await clock.advance(10_000)
  await waiting
  return endedMs
}

function withLines(...lines: readonly Line[]): [WritesUnderWay, SimulatedClock] {
  const clock = new SimulatedClock()
  const writes = new WritesUnderWay(clock)
  for (const line of lines) writes.note(line)
  return [writes, clock]
}

describe('writes under way', () => {
  it('are not waited for where there is one', async () => {
    expect(await waitedMs(...withLines(remove(1, 'n2')))).toBe(0)
  })

  it('are waited for until there is one, which a read is not, nor a write of another node', async () => {
    expect(await waitedMs(...withLines(look(1, 'n1'), remove(2, 'n3')), [remove(3, 'n1')])).toBe(102)
  })

  it('are waited for half a second where none comes', async () => {
    expect(await waitedMs(...withLines())).toBe(500)
  })

  it('are over once they are answered', async () => {
    expect(await waitedMs(...withLines(remove(1, 'n1'), end(1)))).toBe(500)
  })
})
