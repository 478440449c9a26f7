import {
  array,
  BATCH_IDS,
  batchAnswer,
  COUNT,
  json,
  nullable,
  object,
  problems,
  type Schema,
  SET_PATCH,
  TEXT
} from './common.js'
import { META } from './photo-schemas.js'

export const listSchema: Schema = {
  summary: 'Photos, newest first, a page at a time',
  tags: ['photos'],
  querystring: object(
    {
      limit: { type: 'integer', minimum: 1, maximum: 1000, default: 50 },
      cursor: { ...TEXT, description: 'next_cursor of the previous page; keep the same filters' },
      tag: TEXT,
      album: TEXT,
      type: { ...TEXT, description: 'image, or a full media type, e.g. image/jpeg' },
      sha256: { type: 'string', pattern: '^[0-9a-fA-F]{64}$', description: "of the original's bytes, hex" },
      q: { ...TEXT, description: 'words; each must be a prefix of a word in the name or caption' },
      count: { ...TEXT, enum: ['exact'], description: 'counts all photos that match, which may take long' }
    },
    ['limit', 'cursor', 'tag', 'album', 'type', 'sha256', 'q', 'count']
  ),
  response: {
    200: json(
      'a page',
      object({
        photos: array(META),
        total: { ...COUNT, description: 'number of photos on this node that match the filters, on all pages' },
        total_exact: { type: 'boolean', description: 'false: there are at least `total`' },
        next_cursor: nullable({ ...TEXT, description: 'null on the last page' })
      })
    ),
    ...problems()
  }
}

export const batchSchema: Schema = {
  summary: 'Deletes or tags many photos',
  tags: ['photos'],
  // One object instead of oneOf, whose errors only say "matches none".
  body: object({ delete: BATCH_IDS, ids: BATCH_IDS, tags: SET_PATCH }, ['delete', 'ids', 'tags']),
  response: {
    200: batchAnswer('deleted', 'updated'),
    ...problems(413, 415)
  }
}
