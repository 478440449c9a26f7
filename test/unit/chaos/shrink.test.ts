import { describe, expect, it } from 'vitest'
import { type Recording, shrink } from '../../../chaos/shrink.js'
import { uploadNamed } from './scripted-history.js'

const CALM_MS = 3_000
const TRY_MS = 40_000
const HOUR = 3_600_000

/** 40 s under kill and pause: 50 uploads, each followed by a delete; 20 faults. */
const RECORDING: Recording = {
  plan: {
    driver: 'process',
    nodes: 3,
    workload: 'set',
    nemeses: ['kill', 'pause'],
    seconds: 40,
    seed: 1,
    rate: 100
  },
  schedule: {
    operations: Array.from({ length: 50 }, (_, i) => [
      { op: 2 * i + 1, afterMs: 800 * i, node: 'n1', call: { kind: 'upload' as const, ...uploadNamed(`u${i}`) } },
      { op: 2 * i + 2, afterMs: 800 * i + 20, node: 'n2', call: { kind: 'delete' as const, photo: `id ${i}` } }
    ]).flat(),
    faults: Array.from({ length: 20 }, (_, i) => {
      return { nemesis: i % 2 === 0 ? 'kill' : 'pause', seed: i, afterMs: 2_000 * i }
    }),
    names: new Map(Array.from({ length: 50 }, (_, i) => [`id ${i}`, [2 * i + 1]]))
  }
}

interface Shrunk {
  readonly smallest: Recording | undefined
  readonly tries: readonly Recording[]
}

/** Shrinks by a runner that fails where it is told to, and takes 40 s for each try. */
async function shrunk(isFailing: (recording: Recording, tries: number) => boolean, msMax = HOUR): Promise<Shrunk> {
  let nowMs = 0
  const tries: Recording[] = []
  const smallest = await shrink(RECORDING, {
    clock: { monotonic: () => nowMs },
    msMax,
    calmMs: CALM_MS,
    async fails(recording) {
      nowMs += TRY_MS
      tries.push(recording)
      return isFailing(recording, tries.length)
    }
  })
  return { smallest, tries }
}

const has = ({ schedule }: Recording, ...ops: readonly number[]): boolean =>
  ops.every(op => schedule.operations.some(operation => operation.op === op))
const isHitBy = ({ schedule }: Recording, seed: number): boolean => schedule.faults.some(fault => fault.seed === seed)

describe('a failing run is made smaller', () => {
  it('down to the fault and the operations that it takes', async () => {
    const { smallest } = await shrunk(recording => has(recording, 6, 11) && isHitBy(recording, 2))
    expect(smallest?.plan).toMatchObject({ nemeses: ['kill'], seconds: 5 })
    expect(smallest?.schedule.faults).toEqual([{ nemesis: 'kill', seed: 2, afterMs: 4_000 }])
    expect(smallest?.schedule.operations.map(({ op }) => op)).toEqual([5, 6, 11])
  })

  it('without any fault where it takes none', async () => {
    const { smallest } = await shrunk(recording => has(recording, 100))
    expect(smallest?.plan).toMatchObject({ nemeses: [], seconds: 40 })
    expect(smallest?.schedule.faults).toEqual([])
    expect(smallest?.schedule.operations.map(({ op }) => op)).toEqual([99, 100])
  })

  it('the same way each time, and never without an upload that something is about', async () => {
    const isFailing = (recording: Recording): boolean => has(recording, 8) && isHitBy(recording, 1)
    const [first, again] = [await shrunk(isFailing), await shrunk(isFailing)]
    expect(again).toEqual(first)
    for (const { schedule } of first.tries)
      for (const { call, op } of schedule.operations)
        if (call.kind === 'delete') expect(schedule.operations.some(other => other.op === op - 1)).toBe(true)
  })

  it('as far as there is time', async () => {
    const { smallest, tries } = await shrunk(recording => has(recording, 6) && isHitBy(recording, 2), 5 * TRY_MS)
    expect(tries).toHaveLength(5)
    expect(smallest).toBe(tries.findLast(recording => has(recording, 6) && isHitBy(recording, 2)))
    expect(smallest?.schedule.operations.length).toBeGreaterThan(2)
  })

  it('not at all where it does not fail again, which is tried three times', async () => {
    expect(await shrunk(() => false)).toMatchObject({ smallest: undefined, tries: { length: 3 } })
    expect((await shrunk((_, tries) => tries === 2)).smallest).toBe(RECORDING)
  })
})
