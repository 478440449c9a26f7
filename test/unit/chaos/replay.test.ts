import { describe, expect, it } from 'vitest'
import { NEMESES } from '../../../chaos/catalogue.js'
import type { Call, Line, LineOf } from '../../../chaos/history.js'
import { Load } from '../../../chaos/load.js'
import { halves } from '../../../chaos/nemeses/partitions.js'
import { kill, pause, stop } from '../../../chaos/nemeses/processes.js'
import { replayCommand } from '../../../chaos/plan.js'
import { type Schedule, scheduleOf } from '../../../chaos/schedule.js'
import { mixed } from '../../../chaos/workloads/mixed.js'
import { SeededRandom } from '../../support/seeded-random.js'
import { SimulatedClock } from '../../support/simulated-clock.js'
import { tormented, tormentedAgain } from './recorded-stage.js'
import { uploadNamed } from './scripted-history.js'

const NODES = ['n1', 'n2', 'n3']
const MINUTE = 60_000

interface Cluster {
  /** Of the ids that it gives. */
  readonly prefix: string
  readonly answerMs: number
  /** Names of photos whose upload fails. */
  readonly refuses?: readonly string[]
}

/** A load on nodes that answer so; what it is to do is said by the caller. */
async function recorded(
  { prefix, answerMs, refuses = [] }: Cluster,
  ms: number,
  begin: (load: Load, signal: AbortSignal) => Promise<void>
): Promise<readonly Line[]> {
  const clock = new SimulatedClock()
  const lines: Line[] = [{ type: 'phase', atMs: 0, phase: 'calm' }]
  let photos = 0
  const load = new Load({
    clock,
    random: new SeededRandom(11),
    workload: mixed,
    nodes: NODES,
    isLeftAlone: () => false,
    async carryOut(_, call) {
      await clock.sleep(answerMs)
      if (call.kind !== 'upload') return { outcome: 'ok', status: 200, told: {} }
      if (refuses.includes(call.name)) return { outcome: 'indeterminate', status: 500 }
      return { outcome: 'ok', status: 201, told: { photo: `${prefix}${++photos}` } }
    },
    now: () => clock.monotonic(),
    record: line => void lines.push(line)
  })
  const ending = new AbortController()
  const ended = begin(load, ending.signal)
  await clock.advance(ms)
  ending.abort()
  await clock.advance(MINUTE)
  await ended
  return lines
}

function replayed(schedule: Schedule, cluster: Cluster): Promise<readonly Line[]> {
  return recorded(cluster, 15_000, (load, signal) => load.repeat(schedule, signal))
}

function begins(lines: readonly Line[]): readonly LineOf<'begin'>[] {
  return lines.filter(line => line.type === 'begin')
}

/** What was asked, with photos by the number of the upload that made them. */
function asked(lines: readonly Line[]): readonly (readonly [number, string, Call])[] {
  const uploads = new Map<string, number>()
  for (const line of lines) if (line.type === 'end' && line.told?.photo) uploads.set(line.told.photo, line.op)
  return begins(lines).map(({ op, node, call }) => {
    return [op, node, 'photo' in call ? { ...call, photo: `of #${uploads.get(call.photo)}` } : call]
  })
}

function leftOut(lines: readonly Line[]): number | undefined {
  return lines.find(line => line.type === 'count')?.value
}

describe('a load that is replayed', () => {
  it('asks the same nodes for the same again, at the same times, of photos with other ids', async () => {
    const first = await recorded({ prefix: 'a', answerMs: 30 }, 10_000, (load, signal) => load.run(50, signal))
    const again = await replayed(scheduleOf(first), { prefix: 'b', answerMs: 30 })
    expect(begins(first).length).toBeGreaterThan(400)
    expect(asked(again)).toEqual(asked(first))
    expect(begins(again).map(({ atMs }) => atMs)).toEqual(begins(first).map(({ atMs }) => atMs))
    expect(JSON.stringify(again)).not.toContain('"a1"')
    expect(leftOut(again)).toBe(0)
  })

  it('asks for the same where answers come later, and waits for the photos that it needs', async () => {
    const first = await recorded({ prefix: 'a', answerMs: 30 }, 10_000, (load, signal) => load.run(20, signal))
    const again = await replayed(scheduleOf(first), { prefix: 'b', answerMs: 300 })
    const byOp = (lines: readonly Line[]) => [...asked(lines)].sort(([a], [b]) => a - b)
    expect(byOp(again)).toEqual(byOp(first))
    expect(begins(again).map(({ atMs }) => atMs)).not.toEqual(begins(first).map(({ atMs }) => atMs))
  })

  it('leaves out what is about a photo that was not made this time, and says so', async () => {
    const calls: readonly (readonly [number, Call, string?])[] = [
      [1, { kind: 'upload', ...uploadNamed('p') }, 'p'],
      [2, { kind: 'upload', ...uploadNamed('q') }, 'q'],
      [3, { kind: 'delete', photo: 'id of p' }],
      [4, { kind: 'look', photo: 'id of q' }]
    ]
    const lines = calls.flatMap(([op, call, photo]): Line[] => [
      { type: 'begin', atMs: 100 * op, op, node: 'n1', call },
      {
        type: 'end',
        atMs: 100 * op + 10,
        op,
        outcome: 'ok',
        ...(photo !== undefined && { told: { photo: `id of ${photo}` } })
      }
    ])
    const schedule = scheduleOf([{ type: 'phase', atMs: 50, phase: 'calm' }, ...lines])
    const again = await replayed(schedule, { prefix: 'b', answerMs: 10, refuses: ['p'] })
    expect(begins(again).map(({ op, call }) => [op, call.kind, 'photo' in call ? call.photo : ''])).toEqual([
      [1, 'upload', ''],
      [2, 'upload', ''],
      [4, 'look', 'b1']
    ])
    expect(leftOut(again)).toBe(1)
  })
})

describe('faults that are replayed', () => {
  const nemeses = [kill, pause, halves]

  it.each(NEMESES.map(nemesis => [nemesis.name, nemesis] as const))('hit as %s did', async (_, nemesis) => {
    const { faults, stage } = await tormented([nemesis], 5, MINUTE)
    const schedule = scheduleOf([{ type: 'phase', atMs: 0, phase: 'calm' }, ...faults])
    const again = await tormentedAgain([nemesis], schedule.faults, MINUTE)
    expect(again.faults).toEqual(faults)
    expect(again.stage.deeds).toEqual(stage.deeds)
    expect(again.leftOut).toBe(0)
  })

  it('are left out where there is no time for them, and that is said', async () => {
    const { faults } = await tormented([stop], 5, MINUTE)
    const schedule = scheduleOf([{ type: 'phase', atMs: 0, phase: 'calm' }, ...faults])
    const again = await tormentedAgain([stop], schedule.faults, MINUTE / 2)
    const done = again.faults.filter(({ state }) => state === 'begins').length
    expect([done > 0, again.leftOut > 0, done + again.leftOut]).toEqual([true, true, schedule.faults.length])
  })

  it('hit the same nodes at the same times for as long', async () => {
    const { faults } = await tormented(nemeses, 5, MINUTE)
    const schedule = scheduleOf([{ type: 'phase', atMs: 0, phase: 'calm' }, ...faults])
    const again = await tormentedAgain(nemeses, schedule.faults, MINUTE)
    expect(faults.length).toBeGreaterThan(20)
    expect(again.faults).toEqual(faults)
  })

  it('are those that are left, with all others as they were', async () => {
    const { faults } = await tormented([kill], 5, MINUTE)
    const schedule = scheduleOf([{ type: 'phase', atMs: 0, phase: 'calm' }, ...faults])
    const half = schedule.faults.filter((_, i) => i % 2 === 1)
    const again = await tormentedAgain([kill], half, MINUTE)
    const kept = faults.filter(({ seed }) => half.some(fault => fault.seed === seed))
    expect(again.faults).toEqual(kept)
  })
})

describe('a recording', () => {
  it('of a run whose nodes never met cannot be replayed', () => {
    expect(() => scheduleOf([{ type: 'phase', atMs: 0, phase: 'start' }])).toThrow('there is nothing to replay')
  })

  it('is replayed by a command that names it for a shell', () => {
    expect(replayCommand('/runs/kill+pause-7/history.jsonl')).toBe(
      'npm run chaos -- --replay /runs/kill+pause-7/history.jsonl --times 10'
    )
    expect(replayCommand("/my runs/it's/history.jsonl")).toContain(`--replay '/my runs/it'\\''s/history.jsonl' --times`)
  })
})
