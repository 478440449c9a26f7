import {
  array,
  COUNT,
  CURSOR,
  json,
  NEXT_CURSOR,
  nullable,
  object,
  problems,
  type Schema,
  TEXT,
  TIME
} from './common.js'
import { META_FIELDS } from './photo-schemas.js'

const TAGS = ['photos']
export const LABELS_QUERY = object(
  {
    prefix: { ...TEXT, description: 'only those that begin so, whatever their case and accents', examples: ['gar'] },
    after: { ...TEXT, description: 'next_after of the previous page' },
    limit: { type: 'integer', minimum: 1, maximum: 1000, default: 1000 }
  },
  ['prefix', 'after', 'limit']
)
export const NEXT_AFTER: Schema = nullable({ ...TEXT, description: 'null on the last page' })
const LABEL_COUNT = {
  name: { ...TEXT, description: 'as most photos have it' },
  count: { ...COUNT, description: 'photos on this node with it, however they spell it' }
}
export const tagsSchema: Schema = {
  summary: 'Tags and how many photos have them, in alphabetical order',
  tags: TAGS,
  querystring: LABELS_QUERY,
  response: {
    200: json('a page', object({ tags: array(object(LABEL_COUNT)), next_after: NEXT_AFTER })),
    ...problems('ERR_DIRECTORY_UNAVAILABLE', 'ERR_OVERLOADED')
  }
}

export const trashSchema: Schema = {
  summary: 'Deleted photos that are not gone for good yet, those deleted last first',
  description: 'POST /photos/{id}/undelete brings one back.',
  tags: TAGS,
  querystring: object({ limit: { type: 'integer', minimum: 1, maximum: 1000, default: 50 }, cursor: CURSOR }, [
    'limit',
    'cursor'
  ]),
  response: {
    200: json(
      'a page',
      object({
        photos: array(
          object({
            ...META_FIELDS,
            deleted_at: TIME,
            purge_after: { ...TIME, description: 'about when it is gone for good, as far as this node knows' },
            restorable: { type: 'boolean', description: 'its bytes are here, and the delete can still be undone' }
          })
        ),
        total: COUNT,
        next_cursor: NEXT_CURSOR
      })
    ),
    ...problems('ERR_BAD_CURSOR', 'ERR_DIRECTORY_UNAVAILABLE', 'ERR_INDEX_BUILDING', 'ERR_OVERLOADED')
  }
}
