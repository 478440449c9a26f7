import { readFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { silentLog } from '../../src/core/log.js'
import { nodeFileSystem } from '../../src/core/node-file-system.js'
import { systemRandom } from '../../src/core/random.js'
import type { Space } from '../../src/domain/features.js'
import { photoIdFrom } from '../../src/domain/ids.js'
import { REFINED_MAX, refine } from '../../src/search/refine.js'
import { HnswGraph } from '../../src/similarity/index/hnsw-graph.js'
import { HnswIndexes } from '../../src/similarity/index/hnsw-indexes.js'
import { LabelTable } from '../../src/similarity/index/label-table.js'
import type { Neighbor, VectorEntry, VectorIndex } from '../../src/similarity/index/vector-index.js'
import { nearest } from '../support/exact-vector-indexes.js'
import { noiseBytes } from '../support/photo-maker.js'
import { atLeast, atMost, type Measure, median } from './report.js'
import { MODEL, VectorSet } from './similarity-node.js'
import { StoredVectors } from './stored-vectors.js'

/** As the default model's. */
const SPACES: ReadonlyMap<Space, number> = new Map([
  ['image', 1_024],
  ['text', 384]
])
const K = 10
const K_ASKED = 26
const BATCH = 64
const QUESTIONS_RECALL = 100
const QUESTIONS = 400
const BYTES_MAX = 1_600
const MILLION = 1_000_000
const RATIO_MAX = 1.5
const RECALL_MIN = 0.98

/**
 * One node's index with the vectors of the default model: its memory, whether a search finds what comparing with all whole
 * vectors finds, and its time beside a graph of whole vectors.
 */
export async function measureVectors(scratch: string, count: number): Promise<Measure[]> {
  const folder = join(scratch, 'vectors')
  await mkdir(folder, { recursive: true })
  const sets = new Map(Array.from(SPACES, ([space, dimension]) => [space, new VectorSet({ count, dimension })]))
  const stored = await StoredVectors.create(join(folder, 'whole'))
  const indexes = new HnswIndexes(
    { fileSystem: nodeFileSystem, random: systemRandom, log: silentLog },
    { folder, bytesMax: 2 ** 40 }
  )
  const index = await indexes.open({ model: MODEL, spaces: SPACES })
  const from = performance.now()
  const entries = entriesOf(sets)
  await fill(index, stored, entries, count / 2)
  const halfBytes = residentBytes(indexes.pid)
  await fill(index, stored, entries, count / 2)
  const fillMs = performance.now() - from
  const each = (residentBytes(indexes.pid) - halfBytes) / (count / 2)
  const baseBytes = halfBytes - each * (count / 2)
  const tableBytes = (await tableBytesOf(count)) / count
  const bytes = each + tableBytes + baseBytes / MILLION
  const search = async (space: Space, query: Float32Array, k: number): Promise<readonly Neighbor[]> => {
    const { neighbors } = await index.search(space, query, Math.max(k, REFINED_MAX))
    return refine(neighbors, k, ids => stored.cosines(ids, space, query))
  }
  const measures: Measure[] = [
    {
      name: `${name(count)}: memory for each photo of a million`,
      value: `${bytes.toFixed(0)} B`,
      number: bytes,
      target: atMost(BYTES_MAX, '≤ 1,600 B'),
      note: `two vectors, of 1,024 and 384 numbers; ${each.toFixed(0)} B for each of the second half in the process of the graphs, of whose other ${(baseBytes / 1e6).toFixed(0)} MB each has a millionth, and ${tableBytes.toFixed(0)} B in the node; added in ${(fillMs / count).toFixed(2)} ms each`
    }
  ]
  for (const space of SPACES.keys()) measures.push(await measureRecall(count, space, sets, search))
  measures.push(await measureTime(count, sets.get('image') as VectorSet, search, stored))
  await index.close()
  await stored.close()
  return measures
}

/** Adds the next entries. */
async function fill(
  index: VectorIndex,
  stored: StoredVectors,
  entries: Iterator<VectorEntry>,
  count: number
): Promise<void> {
  for (let left = count; left > 0; ) {
    const batch = Array.from({ length: Math.min(BATCH, left) }, () => entries.next().value as VectorEntry)
    for (const entry of batch) await stored.keep(entry)
    await index.add(batch)
    left -= batch.length
  }
}

function* entriesOf(sets: ReadonlyMap<Space, VectorSet>): Generator<VectorEntry> {
  const iterators = Array.from(sets, ([space, set]) => ({ space, entries: set.entries() }))
  for (;;) {
    const parts = iterators.map(({ space, entries }) => ({ space, next: entries.next() }))
    const [first] = parts
    if (first === undefined || first.next.done) return
    const vectors = parts.map(({ space, next }) => [space, next.value.vectors.get('image')] as const)
    yield { ...first.next.value, vectors: new Map(vectors) }
  }
}

async function measureRecall(
  count: number,
  space: Space,
  sets: ReadonlyMap<Space, VectorSet>,
  search: (space: Space, query: Float32Array, k: number) => Promise<readonly Neighbor[]>
): Promise<Measure> {
  const set = sets.get(space) as VectorSet
  const all = [...set.entries()]
  let found = 0
  for (let n = 0; n < QUESTIONS_RECALL; n++) {
    const query = set.vector(count + n)
    const wanted = new Set(nearest(all, query, K).map(({ id }) => id))
    found += (await search(space, query, K)).filter(({ id }) => wanted.has(id)).length
  }
  const recall = found / (QUESTIONS_RECALL * K)
  return {
    name: `${name(count)}: recall@10, ${space}`,
    value: recall.toFixed(4),
    number: recall,
    target: atLeast(RECALL_MIN),
    note: `against comparing ${QUESTIONS_RECALL} questions with every whole vector`
  }
}

async function measureTime(
  count: number,
  set: VectorSet,
  search: (space: Space, query: Float32Array, k: number) => Promise<readonly Neighbor[]>,
  stored: StoredVectors
): Promise<Measure> {
  const whole = HnswGraph.empty(SPACES.get('image') as number, count)
  let label = 0
  for (const { vectors } of set.entries()) whole.add(label++, Array.from(vectors.get('image') as Float32Array))
  const times = { graph: [] as number[], search: [] as number[] }
  const readsBefore = stored.reads
  for (let n = 0; n < QUESTIONS; n++) {
    const query = set.vector(count + n)
    const start = performance.now()
    await search('image', query, K_ASKED)
    const middle = performance.now()
    whole.search(Array.from(query), K_ASKED)
    times.search.push(middle - start)
    times.graph.push(performance.now() - middle)
  }
  const [here, reference] = [median(times.search), median(times.graph)]
  return {
    name: `${name(count)}: search ÷ search in a graph of whole vectors, p50`,
    value: `${(here / reference).toFixed(2)} ×`,
    number: here / reference,
    target: atMost(RATIO_MAX),
    note: `${here.toFixed(2)} ms, ${((stored.reads - readsBefore) / QUESTIONS).toFixed(0)} whole vectors read of 64 at most; the reference ${reference.toFixed(2)} ms, in this process`
  }
}

function name(count: number): string {
  return `vectors of ${count / 1_000}k photos`
}

function residentBytes(pid: number | undefined): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return 1_024 * Number(/VmRSS:\s+(\d+)/.exec(status)?.[1])
}

/** What the table from photos to labels takes, in the node's own process. */
async function tableBytesOf(count: number): Promise<number> {
  const ids = noiseBytes(1, count * 16)
  const before = await heapUsed()
  const table = new LabelTable(systemRandom)
  for (let at = 0; at < count; at++) table.assign(photoIdFrom(ids.subarray(at * 16, at * 16 + 16)), at)
  const bytes = (await heapUsed()) - before
  if (table.size !== count) throw new Error(`the table holds ${table.size} of ${count} photos`)
  return bytes
}

async function heapUsed(): Promise<number> {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  for (let round = 0; round < 3; round++) {
    collect()
    await setImmediate() // array buffers are freed after the collection
  }
  const { heapUsed: used, arrayBuffers } = process.memoryUsage()
  return used + arrayBuffers
}
