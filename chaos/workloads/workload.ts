import { noiseBytes, sha256Hex } from '../../test/support/photo-maker.js'
import type { SeededRandom } from '../../test/support/seeded-random.js'
import type { Call } from '../history.js'
import type { KnownPhoto, KnownPhotos } from '../known-photos.js'
import type { Ending } from '../requests.js'

/** What clients ask for. */
export interface Workload {
  readonly name: string
  /** One line, for people. */
  readonly about: string
  /** @param number - of the operation; no other of the run has it */
  next(random: SeededRandom, known: KnownPhotos, number: number): Call
  /** @returns what the same client asks the same node at once after that; undefined: nothing */
  readonly follow?: (call: Call, ending: Pick<Ending, 'outcome' | 'told'>) => Call | undefined
  /** Counters of {@link Figures} that a run must have moved to be judged at all. */
  readonly reaches: readonly string[]
}

/** Half of the time one of the newest few, so that clients meet on the same photo. */
const NEWEST = 6

/** @param byteCount - of the photo; at least 8, so that its noise is its own */
export function uploadOf(random: SeededRandom, number: number, byteCount: number): Call {
  const seed = random.below(2 ** 32)
  const name = `u${number}.bin`
  const sha256 = sha256Hex(noiseBytes(seed, byteCount))
  return { kind: 'upload', name, seed, byteCount, sha256, ...(random.chance(0.5) && { key: `key ${name}` }) }
}

/** @returns undefined when there is none */
export function pickPhoto(random: SeededRandom, photos: readonly KnownPhoto[]): KnownPhoto | undefined {
  if (photos.length === 0) return undefined
  return random.pick(random.chance(0.5) ? photos.slice(-NEWEST) : photos)
}
