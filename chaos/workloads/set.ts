import { pickPhoto, uploadOf, type Workload } from './workload.js'

const PHOTO_BYTES_MAX = 8_000

/** The set of photos: what is uploaded stays, what is deleted goes. */
export const set: Workload = {
  name: 'set',
  about: 'uploads and deletes small photos; looks at them and at lists',
  reaches: ['uploads', 'deletes', 'looks'],
  next(random, known, number) {
    const draw = random.fraction()
    const upload = () => uploadOf(random, number, 8 + random.below(PHOTO_BYTES_MAX))
    if (draw < 0.4) return upload()
    if (draw < 0.45) return { kind: 'list' }
    const photo = pickPhoto(random, draw < 0.9 ? known.live : known.deleted)
    if (photo === undefined) return upload()
    return { kind: draw < 0.6 ? 'delete' : 'look', photo: photo.photo }
  }
}
