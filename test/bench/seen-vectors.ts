import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { silentLog } from '../../src/core/log.js'
import { nodeFileSystem } from '../../src/core/node-file-system.js'
import { systemRandom } from '../../src/core/random.js'
import { AudienceSet, namedAudience } from '../../src/domain/audience.js'
import { REFINED_MAX, refine } from '../../src/search/refine.js'
import { HnswIndexes } from '../../src/similarity/index/hnsw-indexes.js'
import type { Neighbor, VectorEntry } from '../../src/similarity/index/vector-index.js'
import { nearest } from '../support/exact-vector-indexes.js'
import { atLeast, atMost, type Measure, median } from './report.js'
import { CLUSTERS, MODEL, VectorSet } from './similarity-node.js'
import { StoredVectors } from './stored-vectors.js'

const DIMENSION = 1_024
const K = 10
const BATCH = 64
const QUESTIONS = 60
const WARM_UP = 10
const RECALL_MIN = 0.98
const P50_MS_MAX = 150
/** Of all photos, in whole clusters: what people share is of one kind. */
const SHARES = [0.0025, 0.01, 0.05, 0.1, 0.5] as const
const PROMISED = 0.01

/** One node's index for somebody who sees some of the photos: does he find what comparing with each of those finds, and how fast. */
export async function measureSeenVectors(scratch: string, count: number): Promise<Measure[]> {
  const folder = join(scratch, 'seen-vectors')
  await mkdir(folder, { recursive: true })
  const set = new VectorSet({ count, dimension: DIMENSION })
  const stored = await StoredVectors.create(join(folder, 'whole'))
  const components = { fileSystem: nodeFileSystem, random: systemRandom, log: silentLog }
  const indexes = new HnswIndexes(components, { folder, bytesMax: 2 ** 40 })
  const index = await indexes.open({ model: MODEL, spaces: new Map([['image', DIMENSION]]) })
  const clusters = Array.from({ length: count }, (_, n) => set.clusterOf(n))
  const entries = Array.from(set.entries(), (entry, n) => ({ ...entry, audience: albumOf(clusters[n] as number) }))
  for (let at = 0; at < count; at += BATCH) {
    const batch = entries.slice(at, at + BATCH)
    for (const entry of batch) await stored.keep(entry)
    await index.add(batch.map(entry => ({ ...entry })))
  }
  const search = async (query: Float32Array, seen?: AudienceSet): Promise<readonly Neighbor[]> => {
    const { neighbors } = await index.search('image', query, REFINED_MAX, seen)
    return refine(neighbors, K, ids => stored.cosines(ids, 'image', query))
  }
  const questions = Array.from({ length: QUESTIONS }, (_, n) => set.vector(count + n))
  const wholeMs = median(await timesOf(questions, query => search(query)))
  const measures: Measure[] = []
  for (const share of SHARES) {
    const open = Math.round(share * CLUSTERS)
    const seen = new AudienceSet(Array.from({ length: open }, (_, cluster) => namedAudience(albumOf(cluster))))
    const visible = entries.filter((_, n) => (clusters[n] as number) < open)
    measures.push(...(await measureShare(share, visible, seen, questions, search, wholeMs)))
  }
  await index.close()
  await stored.close()
  return measures
}

const albumOf = (cluster: number): string => `album ${cluster}`

async function measureShare(
  share: number,
  visible: readonly VectorEntry[],
  seen: AudienceSet,
  questions: readonly Float32Array[],
  search: (query: Float32Array, seen: AudienceSet) => Promise<readonly Neighbor[]>,
  wholeMs: number
): Promise<Measure[]> {
  let found = 0
  let least = K
  for (const query of questions) {
    const wanted = new Set(nearest(visible, query, K).map(({ id }) => id))
    const neighbors = await search(query, seen)
    least = Math.min(least, neighbors.length)
    found += neighbors.filter(({ id }) => wanted.has(id)).length
  }
  const recall = found / (questions.length * K)
  const ms = median(await timesOf(questions, query => search(query, seen)))
  const name = `search of who sees ${100 * share} %, in clusters`
  const isPromised = share === PROMISED
  return [
    {
      name: `${name}: recall@10`,
      value: recall.toFixed(4),
      number: recall,
      ...(isPromised && { target: atLeast(RECALL_MIN) }),
      note: `${visible.length.toLocaleString('en')} photos; against comparing with every whole vector of these`
    },
    {
      name: `${name}: fewest of ${K}`,
      value: `${least}`,
      number: least,
      target: atLeast(K),
      note: `of ${questions.length} questions`
    },
    {
      name: `${name}: p50`,
      value: `${ms.toFixed(1)} ms`,
      number: ms,
      ...(isPromised && { target: atMost(P50_MS_MAX, `≤ ${P50_MS_MAX} ms`) }),
      note: `${(ms / wholeMs).toFixed(1)} × a search among all, ${wholeMs.toFixed(1)} ms`
    }
  ]
}

async function timesOf(
  questions: readonly Float32Array[],
  search: (query: Float32Array) => Promise<unknown>
): Promise<number[]> {
  const times: number[] = []
  for (const [n, query] of [...questions.slice(0, WARM_UP), ...questions].entries()) {
    const from = performance.now()
    await search(query)
    if (n >= WARM_UP) times.push(performance.now() - from)
  }
  return times
}
