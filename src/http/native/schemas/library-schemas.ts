import { STATS_TYPES_MAX } from '../../../domain/limits.js'
import {
  array,
  BATCH_IDS,
  COUNT,
  CURSOR,
  json,
  NEXT_CURSOR,
  nullable,
  object,
  PHOTO_ID,
  problems,
  RECORD_WRITE,
  type Schema,
  TEXT,
  TIME
} from './common.js'
import { META_FIELDS } from './photo-schemas.js'

const TAGS = ['photos']
export const LABELS_QUERY = {
  prefix: { ...TEXT, description: 'only those that begin so, whatever their case and accents', examples: ['gar'] },
  after: { ...TEXT, description: 'next_after of the previous page' },
  limit: { type: 'integer', minimum: 1, maximum: 1000, default: 1000 }
}
export const NEXT_AFTER: Schema = nullable({ ...TEXT, description: 'null on the last page' })
const LABEL_COUNT = {
  name: { ...TEXT, description: 'as most photos have it' },
  count: { ...COUNT, description: 'photos on this node with it, however they spell it' }
}
export const tagsSchema: Schema = {
  summary: 'Tags and how many photos have them, in alphabetical order',
  tags: TAGS,
  rights: { needs: ['read'] },
  querystring: object(LABELS_QUERY, Object.keys(LABELS_QUERY)),
  response: {
    200: json('a page', object({ tags: array(object(LABEL_COUNT)), next_after: NEXT_AFTER })),
    ...problems('ERR_DIRECTORY_UNAVAILABLE', 'ERR_OVERLOADED')
  }
}

export const TRASHED_PHOTO = object({
  ...META_FIELDS,
  deleted_at: TIME,
  purge_after: { ...TIME, description: 'about when it is gone for good, as far as this node knows' },
  restorable: { type: 'boolean', description: 'its bytes are here, and the delete can still be undone' }
})

export const trashSchema: Schema = {
  summary: 'Deleted photos that are not gone for good yet, those deleted last first',
  description: 'POST /photo/{id}/undelete brings one back.',
  tags: TAGS,
  rights: { needs: ['read'] },
  querystring: object(
    {
      limit: { type: 'integer', minimum: 1, maximum: 1000, default: 50 },
      cursor: CURSOR,
      emptied: { type: 'boolean', description: 'what the trash was emptied of, and is not gone yet' }
    },
    ['limit', 'cursor', 'emptied']
  ),
  response: {
    200: json(
      'a page',
      object({
        photos: array(TRASHED_PHOTO),
        total: COUNT,
        next_cursor: NEXT_CURSOR
      })
    ),
    ...problems('ERR_BAD_CURSOR', 'ERR_DIRECTORY_UNAVAILABLE', 'ERR_INDEX_BUILDING', 'ERR_OVERLOADED')
  }
}

export const emptyTrashSchema: Schema = {
  summary: 'Lets deleted photos go soon',
  description:
    'They leave the list at once, and can be undeleted by id for another day, or less where less was left. Without ids: those deleted ' +
    'last, a thousand at most; ask again while some are left. ERR_PHOTO_NOT_DELETED is the outcome of one that is not deleted.',
  tags: TAGS,
  rights: { needs: ['delete'] },
  body: object({ ids: BATCH_IDS }, ['ids']),
  response: {
    200: json(
      'the outcome for each',
      object({
        results: array(
          object(
            {
              photo_id: PHOTO_ID,
              status: { type: 'string', enum: ['emptied', 'failed'] },
              code: { ...TEXT, description: 'why it failed' }
            },
            ['code']
          )
        ),
        left: { ...COUNT, description: 'photos that are still in the trash; 0 where ids were given' }
      })
    ),
    ...problems('ERR_BAD_ID', 'ERR_INDEX_BUILDING', ...RECORD_WRITE)
  }
}

const COUNTS: Schema = { type: 'object', additionalProperties: COUNT }
export const statsSchema: Schema = {
  summary: 'How much there is of what, on this node',
  tags: TAGS,
  rights: { needs: ['read'] },
  response: {
    200: json(
      'numbers of photos',
      object({
        photos: { ...COUNT, description: 'live photos, parts of others among them' },
        entries: { ...COUNT, description: 'what lists show' },
        favourites: COUNT,
        archived: COUNT,
        trash: COUNT,
        emptied: { ...COUNT, description: 'what the trash was emptied of, and is not gone yet' },
        albums: { ...COUNT, description: 'albums that are records' },
        kinds: { ...COUNTS, description: 'entries by what the file is' },
        types: { ...COUNTS, description: `photos by media type, the first ${STATS_TYPES_MAX} in alphabetical order` },
        states: { ...COUNTS, description: 'photos by how much of the picture could be decoded' },
        ratings: { ...COUNTS, description: 'entries by rating' },
        months: { ...COUNTS, description: 'what the time line shows, by the month in which it was taken' }
      })
    ),
    ...problems('ERR_DIRECTORY_UNAVAILABLE', 'ERR_INDEX_BUILDING', 'ERR_OVERLOADED')
  }
}
