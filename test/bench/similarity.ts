import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { NodeId, PhotoId } from '../../src/domain/ids.js'
import { ALL_SHARDS } from '../../src/domain/shards.js'
import { encodeSearch } from '../../src/search/search-messages.js'
import type { ShardSearch } from '../../src/search/shard-search.js'
import { nearest } from '../support/exact-vector-indexes.js'
import { atLeast, atMost, type Measure, median } from './report.js'
import type { FromChild, ToChild } from './similarity-child.js'
import { BenchNode, MODEL, VectorSet, type VectorSetInit } from './similarity-node.js'

const NODES = 3
const K = 10
/** What a search for ten asks of each node: some may be deleted, or copies of the question. */
const K_ASKED = 26
const WARM_UP = 50
const QUESTIONS = 300
const QUESTIONS_RECALL = 100
/** In about the time before a silent member counts as suspect and is asked no more. */
const QUESTIONS_PAUSED = 60
const HEDGE_MS = 50

const never = new AbortController().signal

/**
 * Three nodes in processes of their own, with real connections and real indexes: does a search over all find what comparing
 * with every vector finds, what does it cost beside a local search, and what when one node stands still.
 *
 * @param scratch - a folder for the indexes
 */
export async function measureSimilarity(scratch: string, set: VectorSetInit): Promise<Measure[]> {
  const children: ChildProcess[] = []
  const expected = compareWithAll(set) // first: it keeps this process from answering its peers
  const node = await BenchNode.start()
  try {
    let members: readonly NodeId[] = []
    const search = node.serve(() => members)
    await node.transport.start()
    const started: Extract<FromChild, { kind: 'started' }>[] = []
    for (let i = 1; i < NODES; i++) {
      const child = fork(join(import.meta.dirname, 'similarity-child.ts'), { execArgv: ['--import', 'tsx'] })
      children.push(child)
      started.push((await heard(child)) as Extract<FromChild, { kind: 'started' }>)
    }
    members = [node.transport.self, ...started.map(({ id }) => id as NodeId)]
    for (const [i, { address }] of started.entries()) {
      await node.transport.dial(address, never)
      for (const other of children.slice(i + 1)) await asked(other, { kind: 'dial', address })
    }
    const from = performance.now()
    await node.fill(join(scratch, 'similarity-0'), set, members)
    const fillMs = performance.now() - from
    const perVector = (fillMs / node.index.size).toFixed(1)
    process.stderr.write(`  ${node.index.size} vectors on the first node, ${perVector} ms each\n`)
    for (const [i, child] of children.entries()) {
      await asked(child, { kind: 'fill', folder: join(scratch, `similarity-${i + 1}`), set, members: [...members] })
    }
    const questions = new VectorSet(set)
    const question = (n: number): Float32Array => questions.vector(set.count + n)
    return [
      await measureRecall(search, set, question, expected),
      ...(await measureCost(search, node, members[1] as NodeId, question, set)),
      await measurePaused(search, children[0] as ChildProcess, question, set)
    ]
  } finally {
    for (const child of children) child.kill('SIGKILL')
    await node.stop()
  }
}

/** @returns the K closest of all vectors to each of the first questions */
function compareWithAll(set: VectorSetInit): ReadonlySet<PhotoId>[] {
  const vectors = new VectorSet(set)
  const all = [...vectors.entries()]
  return Array.from(
    { length: QUESTIONS_RECALL },
    (_, n) => new Set(nearest(all, vectors.vector(set.count + n), K).map(({ id }) => id))
  )
}

async function measureRecall(
  search: ShardSearch,
  set: VectorSetInit,
  question: (n: number) => Float32Array,
  expected: readonly ReadonlySet<PhotoId>[]
): Promise<Measure> {
  let found = 0
  for (const [n, wanted] of expected.entries()) {
    const { neighbors, shards } = await gather(search, question(n))
    if (shards.size < ALL_SHARDS.size) throw new Error('a search did not cover all shards')
    found += neighbors.slice(0, K).filter(({ id }) => wanted.has(id)).length
  }
  const recall = found / (QUESTIONS_RECALL * K)
  return {
    name: `${nameOf(set)}: recall@10 of three nodes`,
    value: recall.toFixed(4),
    number: recall,
    target: atLeast(0.98),
    note: `against comparing ${QUESTIONS_RECALL} questions with every vector`
  }
}

async function measureCost(
  search: ShardSearch,
  node: BenchNode,
  peer: NodeId,
  question: (n: number) => Float32Array,
  set: VectorSetInit
): Promise<Measure[]> {
  const body = encodeSearch({ model: MODEL, space: 'image', vector: question(0) }, K_ASKED)
  const times = { local: [] as number[], trip: [] as number[], gather: [] as number[] }
  // in turn, so that whatever else the machine does falls on all alike
  for (let n = 0; n < WARM_UP + QUESTIONS; n++) {
    for (const way of ['local', 'trip', 'gather'] as const) {
      const vector = question(n) // made here, so that making it is not measured
      const from = performance.now()
      if (way === 'local') await node.search(vector, K_ASKED)
      else if (way === 'trip') await node.transport.request(peer, 'bench.echo', body, never)
      else await gather(search, vector)
      if (n >= WARM_UP) times[way].push(performance.now() - from)
    }
  }
  const [local, trip, all] = [median(times.local), median(times.trip), median(times.gather)]
  return [
    {
      name: `${nameOf(set)}: search over three nodes ÷ (one local search + one round trip), p50`,
      value: `${(all / (local + trip)).toFixed(2)} ×`,
      number: all / (local + trip),
      target: atMost(1.5),
      note: `${all.toFixed(2)} ms; local ${local.toFixed(2)} ms in ${node.index.size} vectors, round trip ${trip.toFixed(2)} ms with the question as body`
    }
  ]
}

async function measurePaused(
  search: ShardSearch,
  child: ChildProcess,
  question: (n: number) => Float32Array,
  set: VectorSetInit
): Promise<Measure> {
  child.kill('SIGSTOP')
  const times: number[] = []
  let covered = 0
  try {
    for (let n = 0; n < QUESTIONS_PAUSED; n++) {
      const vector = question(n)
      const from = performance.now()
      const { shards } = await gather(search, vector)
      times.push(performance.now() - from)
      if (shards.size === ALL_SHARDS.size) covered++
    }
  } finally {
    child.kill('SIGCONT')
  }
  const p99 = times.toSorted((a, b) => a - b)[Math.ceil(times.length * 0.99) - 1] ?? Number.NaN
  const complete = covered === QUESTIONS_PAUSED
  return {
    name: `${nameOf(set)}: one of three nodes stands still, p99`,
    value: `${p99.toFixed(1)} ms`,
    number: complete ? p99 : Number.POSITIVE_INFINITY,
    target: atMost(HEDGE_MS + 50, '≤ 100 ms, all covered'),
    note: `${covered} of ${QUESTIONS_PAUSED} searches covered everything; p50 ${median(times).toFixed(1)} ms; another node is asked after ${HEDGE_MS} ms`
  }
}

function gather(search: ShardSearch, vector: Float32Array): ReturnType<ShardSearch['search']> {
  return search.search({ model: MODEL, space: 'image', vector }, K_ASKED, never)
}

function nameOf({ count, dimension }: VectorSetInit): string {
  return `${count / 1_000}k × ${dimension}`
}

async function asked(child: ChildProcess, message: ToChild): Promise<void> {
  const answer = heard(child)
  child.send(message)
  await answer
}

async function heard(child: ChildProcess): Promise<FromChild> {
  const ended = once(child, 'exit').then(() => Promise.reject(new Error('a node of the bench has ended')))
  const [message] = await Promise.race([once(child, 'message'), ended])
  return message as FromChild
}
