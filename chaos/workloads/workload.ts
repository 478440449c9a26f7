import { sha256Hex } from '../../test/support/photo-maker.js'
import type { SeededRandom } from '../../test/support/seeded-random.js'
import type { ClusterNode } from '../drivers/cluster-node.js'
import type { FinishComponents } from '../final-searches.js'
import type { Call, Upload } from '../history.js'
import type { KnownPhoto, KnownPhotos } from '../known-photos.js'
import type { People } from '../people.js'
import type { Ending } from '../requests.js'
import { bytesOf, pictureBytes } from '../uploaded-bytes.js'

/** What clients ask for. */
export interface Workload {
  readonly name: string
  /** One line, for people. */
  readonly about: string
  /** How long faults may go on with it; default: as long as with any. */
  readonly secondsMax?: number
  /** @param number - of the operation; no other of the run has it */
  next(random: SeededRandom, known: KnownPhotos, number: number): Call
  /** @returns what the same client asks the same node at once after that; undefined: nothing */
  readonly follow?: (call: Call, ending: Pick<Ending, 'outcome' | 'told'>) => Call | undefined
  /** Makes what its nodes need before they start. @param folder - for that. @returns settings that they get */
  readonly prepare?: (folder: string) => Promise<readonly string[]>
  /** Makes accounts, once all nodes have met. */
  readonly admit?: (nodes: readonly ClusterNode[]) => Promise<People>
  /** Reads what else is judged from all nodes, once they agree. */
  readonly finish?: (nodes: readonly ClusterNode[], components: FinishComponents) => Promise<void>
  /** Counters of {@link Figures} that a run must have moved to be judged at all. */
  readonly reaches: readonly string[]
}

/** Half of the time one of the newest few, so that clients meet on the same photo. */
const NEWEST = 6

/** @param byteCount - of the photo; at least 8, so that its noise is its own */
export function uploadOf(random: SeededRandom, number: number, byteCount: number): Call {
  const seed = random.below(2 ** 32)
  return upload(random, { name: `u${number}.bin`, seed, byteCount })
}

/** A picture that searches can find. */
export function pictureOf(random: SeededRandom, number: number): Call {
  const seed = random.below(2 ** 32)
  return upload(random, { name: `u${number}.png`, seed, byteCount: pictureBytes(seed).length, isPicture: true })
}

/** Half of them can be sent again. */
function upload(random: SeededRandom, what: Omit<Upload, 'sha256' | 'key'>): Call {
  const sha256 = sha256Hex(bytesOf(what))
  return { kind: 'upload', ...what, sha256, ...(random.chance(0.5) && { key: `key ${what.name}` }) }
}

/** @returns undefined when there is none */
export function pickPhoto(random: SeededRandom, photos: readonly KnownPhoto[]): KnownPhoto | undefined {
  if (photos.length === 0) return undefined
  return random.pick(random.chance(0.5) ? photos.slice(-NEWEST) : photos)
}
