import { bytes, fetchOf } from './bytes.js'
import { register } from './register.js'
import { set } from './set.js'
import { pickPhoto, type Workload } from './workload.js'

/** All at once, with undo and compaction. */
export const mixed: Workload = {
  name: 'mixed',
  about: 'register, set and bytes at once, with undeletes and compaction',
  reaches: ['uploads', 'edits', 'deletes', 'undeletes', 'looks', 'fetches'],
  next(random, known, number) {
    const draw = random.fraction()
    if (draw < 0.3) return register.next(random, known, number)
    if (draw < 0.7) return set.next(random, known, number)
    if (draw < 0.85) return bytes.next(random, known, number)
    if (draw < 0.855) return { kind: 'compact' }
    const isUndo = draw < 0.91
    const photo = pickPhoto(random, isUndo ? known.deleted : known.live)
    if (photo === undefined) return { kind: 'list' }
    return isUndo ? { kind: 'undelete', photo: photo.photo } : fetchOf(random, photo)
  }
}
