import { describe, expect, it } from 'vitest'
import type { Call, Line, LineOf } from '../../../chaos/history.js'
import { Load } from '../../../chaos/load.js'
import type { Ending } from '../../../chaos/requests.js'
import { session } from '../../../chaos/workloads/session.js'
import { set } from '../../../chaos/workloads/set.js'
import type { Workload } from '../../../chaos/workloads/workload.js'
import { SeededRandom } from '../../support/seeded-random.js'
import { SimulatedClock } from '../../support/simulated-clock.js'

const NODES = ['n1', 'n2', 'n3']
const OPEN_MAX = 16

interface Loaded {
  readonly load: Load
  readonly begins: readonly LineOf<'begin'>[]
  readonly ends: readonly LineOf<'end'>[]
}

type Answering = (node: string, call: Call, number: number, clock: SimulatedClock) => Promise<Ending>

/** Uploads are photos, all else is done. */
const answerAll: Answering = async (_, { kind }, number) => ({
  outcome: 'ok',
  status: 200,
  told: kind === 'upload' ? { photo: `p${number}` } : {}
})

const refuseUploads: Answering = async (node, call, number, clock) =>
  call.kind === 'upload' ? { outcome: 'indeterminate', status: 500 } : answerAll(node, call, number, clock)

/** Each takes so long. */
function slowly(ms: number): Answering {
  return async (node, call, number, clock) => {
    await clock.sleep(ms)
    return answerAll(node, call, number, clock)
  }
}

/** Lets clients ask for a while, and waits for what they have begun. */
async function loaded(
  seed: number,
  rate: number,
  ms: number,
  answering: Answering = answerAll,
  { spared, workload = set }: { readonly spared?: string; readonly workload?: Workload } = {}
): Promise<Loaded> {
  const clock = new SimulatedClock()
  const lines: Line[] = []
  let number = 0
  const load = new Load({
    clock,
    random: new SeededRandom(seed),
    workload,
    nodes: NODES,
    isLeftAlone: node => node === spared,
    carryOut: (node, call) => answering(node, call, ++number, clock),
    now: () => clock.monotonic(),
    record: line => void lines.push(line)
  })
  const ending = new AbortController()
  let linesAtEnd = 0
  const ended = load.run(rate, ending.signal).then(() => {
    linesAtEnd = lines.length
  })
  await clock.advance(ms)
  ending.abort()
  await clock.advance(60_000)
  await ended
  expect(lines).toHaveLength(linesAtEnd)
  return {
    load,
    begins: lines.filter(line => line.type === 'begin'),
    ends: lines.filter(line => line.type === 'end')
  }
}

describe('the load', () => {
  it('asks at its rate, and all nodes', async () => {
    const { begins } = await loaded(1, 50, 10_000)
    expect(begins.length).toBeGreaterThanOrEqual(499)
    expect(begins.length).toBeLessThanOrEqual(502)
    const perNode = NODES.map(name => begins.filter(({ node }) => node === name).length)
    for (const count of perNode) expect(count).toBeGreaterThan(100)
  })

  it('asks for the same again under the same seed, and for something else under another', async () => {
    const [first, again, other] = [await loaded(2, 50, 5_000), await loaded(2, 50, 5_000), await loaded(3, 50, 5_000)]
    expect(again.begins).toEqual(first.begins)
    expect(other.begins).not.toEqual(first.begins)
  })

  it('leaves a node alone that has 16 requests open', async () => {
    const { begins, ends } = await loaded(4, 100, 5_000, slowly(20_000))
    for (const name of NODES) expect(begins.filter(({ node }) => node === name)).toHaveLength(OPEN_MAX)
    expect(ends).toHaveLength(begins.length)
  })

  it('leaves a node alone when it is told to, also with what is sent again', async () => {
    const { begins } = await loaded(9, 100, 5_000, refuseUploads, { spared: 'n2' })
    expect(new Set(begins.map(({ node }) => node))).toEqual(new Set(['n1', 'n3']))
  })

  it('ends only when all that was begun has ended, each once', async () => {
    const { begins, ends } = await loaded(5, 50, 2_000, slowly(900))
    expect(ends.map(({ op }) => op).sort((a, b) => a - b)).toEqual(begins.map(({ op }) => op))
    expect(ends.some(({ atMs }) => atMs > 2_000)).toBe(true)
  })

  it('does not make up for what it missed while it stood still', async () => {
    const clock = new SimulatedClock()
    const begins: Line[] = []
    const load = new Load({
      clock,
      random: new SeededRandom(6),
      workload: set,
      nodes: NODES,
      isLeftAlone: () => false,
      carryOut: (node, call) => answerAll(node, call, begins.length, clock),
      now: () => clock.monotonic(),
      record: line => void (line.type === 'begin' && begins.push(line))
    })
    const ending = new AbortController()
    const ended = load.run(100, ending.signal)
    await clock.advance(1_000)
    const before = begins.length
    await clock.leap(10_000)
    expect(begins.length - before).toBeLessThanOrEqual(30)
    ending.abort()
    await clock.advance(1_000)
    await ended
  })

  it('knows of the photos that it was told of, and of no other', async () => {
    const { load, ends } = await loaded(7, 50, 5_000)
    const told = ends.flatMap(({ told }) => told?.photo ?? [])
    expect(new Set(load.photos.map(({ photo }) => photo))).toEqual(new Set(told))
    const { load: refused } = await loaded(7, 50, 5_000, refuseUploads)
    expect(refused.photos).toEqual([])
  })

  it('sends an upload again that was not answered, once, and only where it has a key', async () => {
    const { begins } = await loaded(8, 50, 5_000, refuseUploads)
    const tries = new Map<string, number>()
    const keyed = new Set<string>()
    for (const { call } of begins) {
      if (call.kind !== 'upload') continue
      tries.set(call.name, (tries.get(call.name) ?? 0) + 1)
      if (call.key !== undefined) keyed.add(call.name)
    }
    expect(keyed.size).toBeGreaterThan(0)
    expect(keyed.size).toBeLessThan(tries.size)
    for (const [name, count] of tries) expect([name, count]).toEqual([name, keyed.has(name) ? 2 : 1])
  })

  it('asks what follows a write at once, at the same node', async () => {
    const { begins, ends } = await loaded(9, 50, 5_000, answerAll, { workload: session })
    const writes = begins.filter(({ call }) => call.kind === 'delete' || call.kind === 'edit')
    expect(writes.length).toBeGreaterThan(20)
    for (const { op, node, call } of writes) {
      const ended = ends.find(end => end.op === op)
      expect(begins).toContainEqual(
        expect.objectContaining({
          node,
          atMs: ended?.atMs,
          call: { kind: 'look', photo: 'photo' in call ? call.photo : '' }
        })
      )
    }
  })
})
