import type { Call } from '../history.js'
import { editOf } from './register.js'
import { pickPhoto, uploadOf, type Workload } from './workload.js'

const PHOTO_BYTES = 64
/** So few that a list has all of them, and clients meet on each again and again. */
const PHOTOS_MAX = 120

/** Whoever writes at a node looks there at once; and whole lists of each node. */
export const session: Workload = {
  name: 'session',
  about: 'writes, and looks at once at the same node; looks at the same few photos, and lists all of them',
  reaches: ['edits', 'deletes', 'undeletes', 'looks', 'wholeLists'],
  next(random, known, number) {
    const draw = random.fraction()
    const upload = () => uploadOf(random, number, PHOTO_BYTES)
    if (draw < 0.08 && known.live.length + known.deleted.length < PHOTOS_MAX) return upload()
    if (draw < 0.14) return { kind: 'list', whole: true }
    if (draw < 0.4) return editOf(random, known, number) ?? { kind: 'list', whole: true }
    const photo = pickPhoto(random, draw < 0.48 || draw > 0.9 ? known.deleted : known.live)
    if (photo === undefined) return { kind: 'list', whole: true }
    if (draw < 0.48) return { kind: 'undelete', photo: photo.photo }
    return { kind: draw < 0.54 ? 'delete' : 'look', photo: photo.photo }
  },
  follow(call, { outcome, told }): Call | undefined {
    if (outcome !== 'ok') return undefined
    if (call.kind === 'upload') return told?.photo === undefined ? undefined : { kind: 'look', photo: told.photo }
    const isWrite = call.kind === 'edit' || call.kind === 'delete' || call.kind === 'undelete'
    return isWrite ? { kind: 'look', photo: call.photo } : undefined
  }
}
