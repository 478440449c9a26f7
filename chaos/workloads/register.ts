import type { SeededRandom } from '../../test/support/seeded-random.js'
import type { Call } from '../history.js'
import type { KnownPhotos } from '../known-photos.js'
import { pickPhoto, uploadOf, type Workload } from './workload.js'

/** A record keeps 16 conflict versions: fewer edits than that, and none may be missing. */
const EDITS_MAX = 12
const PHOTO_BYTES = 64
const TAGS = ['red', 'green', 'blue']

/** Names and tags of the same few photos, edited from everywhere at once. */
export const register: Workload = {
  name: 'register',
  about: 'edits names and tags of the same photos at all nodes; looks at them',
  reaches: ['edits', 'looks'],
  next(random, known, number) {
    const draw = random.fraction()
    if (draw < 0.1) return uploadOf(random, number, PHOTO_BYTES)
    if (draw < 0.5) return editOf(random, known, number) ?? uploadOf(random, number, PHOTO_BYTES)
    return look(random, known, number)
  }
}

/** @returns undefined when no photo can bear another one */
export function editOf(random: SeededRandom, known: KnownPhotos, number: number): Call | undefined {
  const photo = pickPhoto(
    random,
    known.live.filter(({ edits }) => edits < EDITS_MAX)
  )
  if (photo === undefined) return undefined
  const adds = random.chance(0.3) ? [random.chance(0.5) ? random.pick(TAGS) : `t${number}`] : []
  const removable = photo.tags.filter(tag => !adds.includes(tag))
  const removes = removable.length > 0 && random.chance(0.2) ? [random.pick(removable)] : []
  return { kind: 'edit', photo: photo.photo, name: `e${number}`, adds, removes }
}

function look(random: SeededRandom, known: KnownPhotos, number: number): Call {
  const photo = pickPhoto(random, known.live)
  return photo === undefined ? uploadOf(random, number, PHOTO_BYTES) : { kind: 'look', photo: photo.photo }
}
