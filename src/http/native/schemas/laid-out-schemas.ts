import {
  array,
  BATCH_IDS,
  batchAnswer,
  COUNT,
  json,
  nullable,
  object,
  PHOTO_ID,
  problems,
  RECORD_WRITE,
  type Schema,
  TEXT,
  TIME
} from './common.js'

const TAGS = ['admin']
const BY: Schema = { ...TEXT, minLength: 1, maxLength: 128, description: 'only what this node’s graves have ended' }

const LAID_OUT = object({
  kind: { ...TEXT, description: '`photo` or `album`' },
  photo_id: { ...PHOTO_ID, description: 'its id; of an album the album’s' },
  generation: { ...COUNT, description: 'the life up to which the grave has ended all' },
  from: { ...nullable(TEXT), description: 'the node that sent the grave; null if not known' },
  died_at: TIME,
  until: { ...nullable(TIME), description: 'about when it is let go; null: not before an operator has looked' },
  was_deleted: { type: 'boolean', description: 'it was deleted, and the delete could still be undone' },
  name: { ...TEXT, description: 'of an album its title' }
})

export const laidOutSchema: Schema = {
  summary:
    'Photos and albums that graves have ended on this node before their time, and that it still keeps, the oldest first',
  tags: TAGS,
  rights: { needs: ['watch'] },
  querystring: object(
    {
      by: BY,
      since: {
        ...TIME,
        description: 'only what died then or later; a leap second is 400',
        examples: ['2026-11-20T14:03:00Z']
      },
      limit: { type: 'integer', minimum: 1, maximum: 10_000, default: 1000 }
    },
    ['by', 'since', 'limit']
  ),
  response: {
    200: json(
      'what fits',
      object({
        laid_out: array(LAID_OUT),
        total: { ...COUNT, description: 'how many fit' },
        alarm: {
          type: 'boolean',
          description: 'all that is laid out is so much that none of it is let go before an operator has looked'
        }
      })
    ),
    ...problems('ERR_DIRECTORY_UNAVAILABLE')
  }
}

export const releaseSchema: Schema = {
  summary: 'Lets go of what is laid out: it cannot be brought back any more',
  description: 'With neither `ids` nor `by`, of all.',
  tags: TAGS,
  rights: { needs: ['operate'] },
  body: object({ ids: BATCH_IDS, by: BY }, ['ids', 'by']),
  response: {
    200: json('how many were let go', object({ released: COUNT })),
    ...problems('ERR_BAD_ID', ...RECORD_WRITE)
  }
}

export const exhumeSchema: Schema = {
  summary: 'Brings back photos and albums that are laid out, on all nodes',
  tags: TAGS,
  rights: { needs: ['operate'] },
  body: object({ ids: BATCH_IDS }),
  response: { 200: batchAnswer('exhumed'), ...problems('ERR_BAD_ID', ...RECORD_WRITE) }
}
