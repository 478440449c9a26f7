import {
  array,
  BATCH_IDS,
  batchAnswer,
  COUNT,
  CURSOR,
  json,
  NEXT_CURSOR,
  object,
  problems,
  RECORD_WRITE,
  type Schema,
  SET_PATCH,
  TEXT
} from './common.js'
import { META, PICTURE_STATE } from './photo-schemas.js'

export const listSchema: Schema = {
  summary: 'Photos, newest first, a page at a time',
  tags: ['photos'],
  querystring: object(
    {
      limit: { type: 'integer', minimum: 1, maximum: 1000, default: 50 },
      cursor: CURSOR,
      tag: { ...TEXT, description: 'photos with this tag', examples: ['garden'] },
      album: { ...TEXT, description: 'photos in this album' },
      type: { ...TEXT, description: 'image, or a full media type, e.g. image/jpeg' },
      state: { ...PICTURE_STATE, description: 'how much of the image could be decoded; none: nothing of it' },
      sha256: {
        type: 'string',
        pattern: '^[0-9a-fA-F]{64}$',
        description: "of the original's bytes, hex",
        examples: ['2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae']
      },
      q: { ...TEXT, description: 'words; each must be a prefix of a word in the name or caption' },
      count: { ...TEXT, enum: ['exact'], description: 'counts all photos that match, which may take long' }
    },
    ['limit', 'cursor', 'tag', 'album', 'type', 'state', 'sha256', 'q', 'count']
  ),
  response: {
    200: json(
      'a page',
      object({
        photos: array(META),
        total: { ...COUNT, description: 'number of photos on this node that match the filters, on all pages' },
        total_exact: { type: 'boolean', description: 'false: there are at least `total`' },
        next_cursor: NEXT_CURSOR
      })
    ),
    ...problems('ERR_BAD_CURSOR', 'ERR_DIRECTORY_UNAVAILABLE', 'ERR_OVERLOADED')
  }
}

export const batchSchema: Schema = {
  summary: 'Deletes or tags many photos',
  description: 'Either `delete`, or `ids` with `tags`; with all or with none of them it is 400.',
  tags: ['photos'],
  // One object instead of oneOf, whose errors only say "matches none".
  body: object({ delete: BATCH_IDS, ids: BATCH_IDS, tags: SET_PATCH }, ['delete', 'ids', 'tags']),
  response: {
    200: batchAnswer('deleted', 'updated'),
    ...problems('ERR_BAD_ID', ...RECORD_WRITE)
  }
}
