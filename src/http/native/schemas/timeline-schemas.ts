import { BUCKET_KEY, BUCKET_PHOTOS_MAX } from '../../../domain/bucket-key.js'
import { array, COUNT, json, nullable, object, PHOTO_ID, problems, type Schema, TEXT } from './common.js'
import { FILTER_NAMES, FILTERS } from './list-schemas.js'

const QUERY = object({ ...FILTERS, sort: { ...FILTERS.sort, default: 'taken' } }, FILTER_NAMES)
const REVISION: Schema = { ...TEXT, description: 'another one when anything in it is different; its ETag' }
const DAY: Schema = { ...TEXT, examples: ['2024-05-01'] }
const SECONDS = { type: 'number', description: 'seconds since 1970, as if in UTC; negative before' } as const

export const BUCKET = object({
  key: { ...TEXT, examples: ['2024-05'] },
  from: { ...DAY, description: 'its first day' },
  to: { ...DAY, description: 'its last day' },
  count: COUNT,
  revision: REVISION
})
/** In columns. */
export const BUCKET_PHOTOS = object(
  {
    revision: REVISION,
    photo_ids: array(PHOTO_ID),
    aspects: array(nullable({ type: 'integer', description: 'width / height × 1000; null: not known yet' })),
    taken_s: { ...array(SECONDS), description: 'what a clock on the wall showed; of photos sorted by it' },
    added_s: { ...array(SECONDS), description: 'when they were added; of photos sorted by it' },
    flags: array({
      type: 'integer',
      description:
        'sum of: 1 RAW, 2 video, 4 without a date of its own, 8 with versions that lost, 16 with a thumb that can be had, ' +
        '32 favourites, 64 with a movie in its file, 128 with a movie beside it'
    }),
    hashes: array(nullable({ ...TEXT, description: 'ThumbHash, base64; null: none' }))
  },
  ['taken_s', 'added_s']
)

export const timelineSchema: Schema = {
  summary: 'How many photos and videos there are in which time',
  description: `Buckets of at most ${BUCKET_PHOTOS_MAX} photos, newest first; together they have all that match.`,
  tags: ['photos'],
  rights: { needs: ['read'] },
  querystring: QUERY,
  response: {
    200: json(
      'the time line',
      object({
        total: COUNT,
        revision: REVISION,
        buckets: array(BUCKET)
      })
    ),
    ...problems('ERR_DIRECTORY_UNAVAILABLE', 'ERR_INDEX_BUILDING', 'ERR_OVERLOADED')
  }
}

export const bucketSchema: Schema = {
  summary: 'What is in a bucket of the time line, in columns',
  description: 'With the filters and the order that the time line was read with. All columns are equally long.',
  tags: ['photos'],
  rights: { needs: ['read'] },
  params: object({ key: { type: 'string', pattern: BUCKET_KEY, examples: ['2024-05'] } }),
  querystring: QUERY,
  response: {
    200: json('its photos, newest first', BUCKET_PHOTOS),
    ...problems('ERR_DIRECTORY_UNAVAILABLE', 'ERR_INDEX_BUILDING', 'ERR_NO_SUCH_BUCKET', 'ERR_OVERLOADED')
  }
}
