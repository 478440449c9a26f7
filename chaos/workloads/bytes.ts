import type { SeededRandom } from '../../test/support/seeded-random.js'
import type { Call } from '../history.js'
import type { KnownPhoto } from '../known-photos.js'
import { pickPhoto, uploadOf, type Workload } from './workload.js'

/** Kinds of photos by how many of a hundred are so large at most. */
const SIZES = [
  { ofHundred: 75, bytes: 30_000 },
  { ofHundred: 22, bytes: 300_000 },
  { ofHundred: 3, bytes: 900_000 }
]

/** Bytes of all sizes come back as they went in, whole and in ranges. */
export const bytes: Workload = {
  name: 'bytes',
  about: 'uploads photos of all sizes; fetches them and ranges of them at all nodes',
  reaches: ['uploads', 'fetches'],
  next(random, known, number) {
    const photo = random.chance(0.25) ? undefined : pickPhoto(random, known.live)
    return photo === undefined ? uploadOf(random, number, byteCount(random)) : fetchOf(random, photo)
  }
}

/** All of it, or any range. */
export function fetchOf(random: SeededRandom, { photo, byteCount }: KnownPhoto): Call {
  if (random.chance(0.4)) return { kind: 'fetch', photo }
  const from = random.below(byteCount)
  return { kind: 'fetch', photo, range: [from, from + 1 + random.below(byteCount - from)] }
}

function byteCount(random: SeededRandom): number {
  let draw = random.below(100)
  for (const { ofHundred, bytes } of SIZES) {
    if (draw < ofHundred) return 8 + random.below(bytes)
    draw -= ofHundred
  }
  return 8
}
