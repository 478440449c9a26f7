import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { NeedleIdentity } from '../../src/domain/needle.js'
import { NeedleIndex } from '../../src/volumes/needle-index.js'
import { noiseBytes } from '../support/photo-maker.js'
import { atMost, type Measure } from './report.js'

const NEEDLE_COUNT = 1_000_000
const BYTES_PER_NEEDLE_MAX = 34

/** What the index over all needles costs in memory, heap and typed arrays together, and how fast it answers. */
export async function measureIndexMemory(): Promise<Measure[]> {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const ids = noiseBytes(1, NEEDLE_COUNT * 16)
  const identity = (at: number): NeedleIdentity => ({
    kind: 'data',
    id: ids.subarray(at * 16, at * 16 + 16),
    generation: 0,
    alternateKey: 0,
    chunk: 0
  })
  const used = async (): Promise<number> => {
    for (let round = 0; round < 3; round++) {
      collect()
      await setImmediate() // array buffers are freed after the collection
    }
    const { heapUsed, arrayBuffers } = process.memoryUsage()
    return heapUsed + arrayBuffers
  }
  const before = await used()
  const index = new NeedleIndex()
  for (let at = 0; at < NEEDLE_COUNT; at++) index.add(identity(at), at & 63, 256 + at * 512, 400)
  const bytes = (await used()) - before

  const start = performance.now()
  let found = 0
  for (let at = 0; at < NEEDLE_COUNT; at++) found += index.find(identity((at * 7919) % NEEDLE_COUNT)).length
  const nanoseconds = ((performance.now() - start) * 1e6) / NEEDLE_COUNT
  if (found < NEEDLE_COUNT) throw new Error(`the index found ${found} of ${NEEDLE_COUNT} needles`)
  return [
    {
      name: 'needle index at a million needles',
      value: `${(bytes / NEEDLE_COUNT).toFixed(1)} B each`,
      number: bytes / NEEDLE_COUNT,
      target: atMost(BYTES_PER_NEEDLE_MAX, '≤ 34 B'),
      note: `heap and typed arrays after a collection; a look-up takes ${nanoseconds.toFixed(0)} ns`
    }
  ]
}
