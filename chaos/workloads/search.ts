import { addColoursModel, COLOURS_MODEL } from '../../test/support/colours-model-folder.js'
import { searchAll } from '../final-searches.js'
import { pickPhoto, pictureOf, type Workload } from './workload.js'

/** So few that one answer has all of them. */
const PICTURES_MAX = 150

/** What searches find is what lives. */
export const search: Workload = {
  name: 'search',
  about: 'uploads and deletes pictures; searches for all of them at all nodes, which look at them with a small model',
  reaches: ['uploads', 'deletes', 'searches', 'wholeSearches'],
  next(random, known, number) {
    const draw = random.fraction()
    if (draw < 0.15)
      return known.live.length < PICTURES_MAX ? pictureOf(random, number) : { kind: 'search', words: 'photo' }
    if (draw < 0.35) return { kind: 'search', words: 'photo' }
    const photo = pickPhoto(random, draw < 0.42 ? known.deleted : known.live)
    if (photo === undefined) return pictureOf(random, number)
    if (draw < 0.42) return { kind: 'undelete', photo: photo.photo }
    return { kind: draw < 0.5 ? 'delete' : 'look', photo: photo.photo }
  },
  async prepare(folder) {
    return ['--model', COLOURS_MODEL, '--models', await addColoursModel(folder)]
  },
  finish: searchAll
}
