import { DIGESTS_MAX, LOOKUP_IDS_MAX, RATING_MAX, SELECTED_PHOTOS_MAX, SHIFT_S_MAX } from '../../../domain/limits.js'
import { MOMENT_TEXT } from '../../../domain/moment.js'
import { PHOTO_KINDS } from '../../../domain/photo-kind.js'
import { TRAITS } from '../../../domain/traits.js'
import {
  array,
  BATCH_IDS,
  batchAnswer,
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
  SET_PATCH,
  TEXT
} from './common.js'
import { JOB_ANSWER } from './node-schemas.js'
import { MARKS, META, PICTURE_STATE, RATING, SET_PLACE, TAKEN_AT } from './photo-schemas.js'

const DIGEST: Schema = {
  type: 'string',
  pattern: '^[0-9a-fA-F]{64}$',
  description: "of the original's bytes, hex",
  examples: ['2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae']
}

const MOMENT: Schema = { type: 'string', pattern: MOMENT_TEXT }

const ORDERS = ['added', 'taken']

/** What photos are looked for by, and in which order. */
export const FILTERS = {
  tag: { ...TEXT, description: 'photos with this tag, whatever its case and accents', examples: ['garden'] },
  album: { ...TEXT, description: 'photos in this album, by id; or in all with this title, as `tag`' },
  type: { ...TEXT, description: 'image, or a full media type, e.g. image/jpeg' },
  state: { ...PICTURE_STATE, description: 'how much of the image could be decoded; none: nothing of it' },
  owner: {
    ...TEXT,
    pattern: '^(me|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})$',
    description: 'photos that this account has uploaded; me: that of whoever asks',
    examples: ['01890000-0000-7000-8000-00000000000a']
  },
  sha256: DIGEST,
  kind: { ...TEXT, enum: PHOTO_KINDS, description: 'what the file is' },
  trait: {
    ...TEXT,
    enum: TRAITS,
    description: 'with a movie in its file (motion), or with a movie beside it (live)'
  },
  camera: { ...TEXT, description: "words of the camera's make or model, or of the lens", examples: ['canon'] },
  place: {
    ...TEXT,
    description: 'words of the names of the place, its region and its country; all of them',
    examples: ['kiel']
  },
  favourite: { type: 'boolean', enum: [true], description: 'only favourites' },
  archived: {
    type: 'boolean',
    enum: [true],
    description: 'only what is archived: the time line of everything leaves that out, all else shows it'
  },
  rating_min: { type: 'integer', minimum: 0, maximum: RATING_MAX, description: 'photos with this rating or more' },
  q: {
    ...TEXT,
    description:
      'words; each must be a prefix of a word in the name or caption, or of the names of the place, whatever their case and accents. Text without words finds nothing'
  },
  sort: {
    ...TEXT,
    enum: ORDERS,
    default: 'added',
    description:
      'newest first by when they were uploaded, or by what a clock on the wall showed when they were taken; those without a date count as taken when they were uploaded'
  },
  from: {
    ...MOMENT,
    description: 'the first year, month, day, minute or second in that order',
    examples: ['2024-07']
  },
  to: { ...MOMENT, description: 'the last one, as a whole: 2024 ends with December', examples: ['2024-07-31'] }
} satisfies Record<string, Schema>
export const FILTER_NAMES = Object.keys(FILTERS) as (keyof typeof FILTERS)[]

export const listSchema: Schema = {
  summary: 'Photos, newest first, a page at a time',
  tags: ['photos'],
  rights: { needs: ['read'] },
  querystring: object(
    {
      ...FILTERS,
      limit: { type: 'integer', minimum: 1, maximum: 1000, default: 50 },
      cursor: CURSOR,
      count: { ...TEXT, enum: ['exact'], description: 'counts all photos that match, which may take long' }
    },
    [...FILTER_NAMES, 'limit', 'cursor', 'count']
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
    ...problems('ERR_BAD_CURSOR', 'ERR_DIRECTORY_UNAVAILABLE', 'ERR_INDEX_BUILDING', 'ERR_OVERLOADED')
  }
}

export const existsSchema: Schema = {
  summary: 'Which originals are here already',
  description:
    'Asks of this node alone. Of several photos with the same bytes it names one, a live one if there is one.',
  tags: ['photos'],
  rights: { needs: ['read'] },
  body: object({ sha256: array(DIGEST, { maxItems: DIGESTS_MAX }) }),
  response: {
    200: json(
      'the photos, by digest; what is not here is absent',
      object({
        sha256: {
          type: 'object',
          additionalProperties: object({
            photo_id: PHOTO_ID,
            state: { type: 'string', enum: ['live', 'trashed'], description: 'trashed: deleted, and can be undeleted' }
          })
        }
      })
    ),
    ...problems('ERR_DIRECTORY_UNAVAILABLE', 'ERR_INDEX_BUILDING', 'ERR_OVERLOADED')
  }
}

export const lookupSchema: Schema = {
  summary: 'What is known of some photos',
  description:
    'Asks of this node alone, as lists do; for answers that name photos by ids only. What is not here, or deleted, is left out.',
  tags: ['photos'],
  rights: { needs: ['read'] },
  body: object({ ids: array(PHOTO_ID, { maxItems: LOOKUP_IDS_MAX }) }),
  response: {
    200: json('in the order of the ids', object({ photos: array(META) })),
    ...problems('ERR_BAD_ID', 'ERR_DIRECTORY_UNAVAILABLE', 'ERR_OVERLOADED')
  }
}

/** The lists of which all photos can be selected. */
const LISTS = ['photos', 'timeline', 'trash']

const SELECT = object(
  {
    list: {
      ...TEXT,
      enum: LISTS,
      description:
        'whose photos: those of GET /photos (unless said) or GET /photos/timeline with these filters, or all in the trash'
    },
    ...FILTERS,
    sort: { ...TEXT, enum: ORDERS, description: 'of the list; `from` and `to` are times in that order' },
    job: { ...TEXT, description: 'in place of a list: the photos that this job has changed, to undo it' }
  },
  ['list', ...FILTER_NAMES, 'job']
)

export const batchSchema: Schema = {
  summary: 'Deletes or restores many photos, or changes what is said of them',
  description:
    'Either `delete`, or `undelete`, or `ids` with what is to be changed; or `select` with `total` and either `act` or what is to be changed. ' +
    'With several of these or with nothing to do it is 400, and so are `taken_at` and `shift_s` together. A photo without a date cannot be ' +
    'shifted: ERR_NO_DATE is its outcome. Which photos are selected is settled when the request comes: what is added later is left alone. ' +
    'Up to 1,000 are changed at once; of more, a job is answered, whose result has what was `changed`, and what `failed` with which `errors`.',
  tags: ['photos'],
  rights: { needs: ['edit', 'delete'] },
  // One object instead of oneOf, whose errors only say "matches none".
  body: object(
    {
      delete: BATCH_IDS,
      undelete: BATCH_IDS,
      ids: BATCH_IDS,
      select: SELECT,
      total: {
        ...COUNT,
        maximum: SELECTED_PHOTOS_MAX,
        description: 'so many photos are to be selected, as the list has said; else it is 409 and nothing is done'
      },
      act: {
        ...TEXT,
        enum: ['delete', 'undelete'],
        description:
          'what is done with selected photos that are not changed otherwise; undelete takes the trash, or a job'
      },
      tags: SET_PATCH,
      albums: { ...SET_PATCH, description: 'ids of albums, titles, or labels, as in metadata' },
      caption: nullable(TEXT),
      rating: nullable(RATING),
      ...MARKS,
      taken_at: nullable(TAKEN_AT),
      place: nullable(SET_PLACE),
      shift_s: {
        type: 'integer',
        minimum: -SHIFT_S_MAX,
        maximum: SHIFT_S_MAX,
        description: 'moves the date of each photo by so many seconds',
        examples: [3600]
      }
    },
    [
      'delete',
      'undelete',
      'ids',
      'select',
      'total',
      'act',
      'tags',
      'albums',
      'caption',
      'rating',
      'taken_at',
      'place',
      'shift_s',
      ...Object.keys(MARKS)
    ]
  ),
  response: {
    200: batchAnswer('deleted', 'restored', 'updated'),
    202: JOB_ANSWER,
    ...problems('ERR_BAD_ID', 'ERR_SELECTION_CHANGED', 'ERR_NO_SUCH_JOB', 'ERR_INDEX_BUILDING', ...RECORD_WRITE)
  }
}
