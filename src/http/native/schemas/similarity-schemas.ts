import type { ErrorCode } from '../../../core/errors.js'
import { DISTINCT_IDS_MAX, MERGED_PHOTOS_MAX, SEARCH_CHARACTERS_MAX } from '../../../domain/limits.js'
import { MERGEABLE } from '../../../domain/merged-metadata.js'
import {
  array,
  batchAnswer,
  COUNT,
  CURSOR,
  ID_PARAMS,
  json,
  NEXT_CURSOR,
  nullable,
  object,
  PHOTO_ID,
  PHOTO_READ,
  problems,
  RECORD_WRITE,
  type Schema,
  TEXT
} from './common.js'

const TAGS = ['similarity']
const K: Schema = { type: 'integer', minimum: 1, maximum: 1000, description: 'maximum number of results' }
const TAG: Schema = { ...TEXT, description: 'only photos with this tag' }
/** {@link K} in a form, whose fields are text. */
export const K_TEXT = '^\\s*0*([1-9][0-9]{0,2}|1000)\\s*$'
const K_FIELD: Schema = {
  type: 'string',
  pattern: K_TEXT,
  description: 'maximum number of results, 1–1000; default 5',
  examples: ['5']
}
const Q: Schema = {
  type: 'string',
  minLength: 1,
  maxLength: SEARCH_CHARACTERS_MAX,
  pattern: '\\S',
  description: 'words, in any language that the model knows',
  examples: ['a red rose']
}
const SCORE: Schema = { type: 'number', minimum: -1, maximum: 1, description: 'cosine similarity; 1: identical' }

export const SEARCHED: readonly ErrorCode[] = [
  'ERR_MODEL_UNAVAILABLE',
  'ERR_INDEX_BUILDING',
  'ERR_INDEX_UNAVAILABLE',
  'ERR_ANALYST_UNAVAILABLE',
  'ERR_DIRECTORY_UNAVAILABLE',
  'ERR_FORMAT_TOO_NEW',
  'ERR_OVERLOADED'
]

export const COVERAGE = object({
  shards_ok: COUNT,
  shards_total: COUNT,
  fraction: { type: 'number', minimum: 0, maximum: 1, description: 'how much of the index answered' }
})

const SEARCH_FIELDS = {
  coverage: COVERAGE,
  model: { ...TEXT, description: 'the model whose vectors were compared' },
  model_id: TEXT
}

export const findSimilarSchema: Schema = {
  summary: 'Photos similar to a picture in the request, which is not stored',
  description: 'Best first. Copies of the picture itself are left out. Form fields may come before or after the file.',
  tags: TAGS,
  rights: { needs: ['read'] },
  // No default for k: it would look like the client's choice and override the form's.
  querystring: object({ k: K, tag: TAG }, ['k', 'tag']),
  streamedBody: {
    content: {
      'multipart/form-data': {
        schema: object({ file: { type: 'string', contentMediaType: 'image/*' }, k: K_FIELD, tag: TAG }, ['k', 'tag'])
      }
    }
  },
  response: {
    200: json(
      'best first',
      object({
        similar_photo_ids: array(PHOTO_ID),
        distances: array(SCORE),
        ...SEARCH_FIELDS
      })
    ),
    ...problems(
      'ERR_NOT_MULTIPART',
      'ERR_NO_FILE',
      'ERR_EMPTY_FILE',
      'ERR_IMAGE_UNREADABLE',
      'ERR_IMAGE_TOO_LARGE',
      'ERR_IMAGE_CRASHED',
      ...SEARCHED
    )
  }
}

export const similarSchema: Schema = {
  summary: 'Photos similar to a stored photo',
  tags: TAGS,
  rights: { needs: ['read'] },
  params: ID_PARAMS,
  querystring: object({ k: { ...K, default: 5 }, tag: TAG }, ['k', 'tag']),
  response: {
    200: json(
      'best first',
      object({ results: array(object({ photo_id: PHOTO_ID, distance: SCORE })), ...SEARCH_FIELDS })
    ),
    ...problems(...PHOTO_READ, 'ERR_NOT_AN_IMAGE', 'ERR_NOT_INDEXED', 'ERR_BYTES_UNREACHABLE', ...SEARCHED)
  }
}

export const searchSchema: Schema = {
  summary: 'Photos matching a text',
  description:
    'A model with one space for texts and images compares the text with the images. The default model compares it with the ' +
    'concepts that it recognizes in them, which gives lower scores. A text of which the model knows no word is 400.',
  tags: TAGS,
  rights: { needs: ['read'] },
  querystring: object({ q: Q, k: { ...K, default: 20 }, min_score: SCORE, tag: TAG }, ['k', 'min_score', 'tag']),
  response: {
    200: json('best first', object({ results: array(object({ photo_id: PHOTO_ID, score: SCORE })), ...SEARCH_FIELDS })),
    ...problems('ERR_TEXT_SEARCH_UNAVAILABLE', ...SEARCHED)
  }
}

const TIER: Schema = { type: 'string', enum: ['exact', 'near', 'similar'] }
export const DUPLICATE_GROUP = object({
  tier: TIER,
  size: { type: 'integer', minimum: 2, description: 'number of its photos' },
  photo_ids: array(PHOTO_ID, { maxItems: MERGED_PHOTOS_MAX, description: `the first ${MERGED_PHOTOS_MAX}` }),
  score: SCORE
})
const TIER_COUNT = object({ groups: COUNT, photos: COUNT })

export const duplicatesSchema: Schema = {
  summary: 'Groups of identical or similar photos',
  description:
    'exact: the same bytes. near: the same picture, encoded or edited differently. similar: pictures that resemble each ' +
    'other. All photos of a group look like one of them. Without tier: all groups, strictest tier first. A page may have ' +
    'fewer groups than others, as what was deleted a moment ago is left out.',
  tags: TAGS,
  rights: { needs: ['read'] },
  querystring: object({ tier: TIER, cursor: CURSOR }, ['tier', 'cursor']),
  response: {
    200: json(
      'a page',
      object({
        groups: array(DUPLICATE_GROUP),
        total: { ...COUNT, description: 'groups on all pages; up to 10 s old' },
        tiers: {
          ...object({ exact: TIER_COUNT, near: TIER_COUNT, similar: TIER_COUNT }),
          description: 'how much there is of each, whichever was asked for'
        },
        coverage: COVERAGE,
        next_cursor: NEXT_CURSOR
      })
    ),
    ...problems('ERR_BAD_CURSOR', ...SEARCHED)
  }
}

export const notDuplicateSchema: Schema = {
  summary: 'Marks two photos as not duplicates of each other',
  tags: TAGS,
  rights: { needs: ['edit'] },
  params: ID_PARAMS,
  body: object({ photo_id: { ...PHOTO_ID, description: 'of another photo' } }),
  response: {
    200: json('remembered', object({ status: { type: 'string', const: 'remembered' }, photo_id: PHOTO_ID })),
    ...problems(...PHOTO_READ, ...RECORD_WRITE, 'ERR_PRECONDITION_FAILED')
  }
}

const MERGE: Schema = array(
  { type: 'string', enum: MERGEABLE },
  {
    uniqueItems: true,
    default: MERGEABLE,
    description:
      'what of the others the photo that is kept gets; marks: it becomes a favourite if one is, and leaves the archive unless all are in it'
  }
)

export const resolveDuplicatesSchema: Schema = {
  summary: 'Keeps one of several photos: merges what is said of the others into it, then deletes those',
  description:
    'What the photo that is kept has, it keeps: tags and albums are added to its own; a rating and a caption only where it has ' +
    'none: the greatest rating, and the caption of the first in `remove` that has one. Only then the others are deleted; undelete ' +
    'those whose status is deleted to undo it, and take from the photo what `merged` says. Doing it again does nothing. Files ' +
    'beside those deleted, such as RAW files, stay. When the photo to keep is not there, nothing is deleted.',
  tags: TAGS,
  rights: { needs: ['edit', 'delete'] },
  body: object(
    {
      keep: { ...PHOTO_ID, description: 'the photo that stays; must not be in remove' },
      remove: array(PHOTO_ID, { minItems: 1, maxItems: MERGED_PHOTOS_MAX }),
      merge: MERGE
    },
    ['merge']
  ),
  response: {
    200: json(
      'what became of each',
      object({
        keep: PHOTO_ID,
        merged: {
          ...object({
            tags: array(TEXT),
            albums: array(object({ album_id: nullable(PHOTO_ID), name: TEXT })),
            rating: { type: ['integer', 'null'] },
            caption: { type: ['string', 'null'] },
            favourite: { type: 'boolean', description: 'it has become one' },
            unarchived: { type: 'boolean', description: 'it was archived, and is not any more' }
          }),
          description: 'what the photo that is kept has now that it had not'
        },
        results: array(
          object(
            {
              photo_id: PHOTO_ID,
              status: {
                type: 'string',
                enum: ['deleted', 'was_deleted', 'failed'],
                description: 'was_deleted: before, and nothing of it was merged now. failed: it is as it was'
              },
              code: { ...TEXT, description: 'why it failed' }
            },
            ['code']
          )
        )
      })
    ),
    ...problems(...PHOTO_READ, ...RECORD_WRITE, 'ERR_ATTRIBUTES_TOO_LARGE')
  }
}

export const tellApartSchema: Schema = {
  summary: 'Marks photos as not duplicates of each other, or takes that back',
  description: 'Each of `ids` of each of `others`; without `others`, of each other.',
  tags: TAGS,
  rights: { needs: ['edit'] },
  body: object(
    {
      ids: array(PHOTO_ID, { minItems: 1, maxItems: DISTINCT_IDS_MAX }),
      others: array(PHOTO_ID, { minItems: 1, maxItems: DISTINCT_IDS_MAX }),
      distinct: { type: 'boolean', default: true, description: 'false: they may be duplicates again' }
    },
    ['others', 'distinct']
  ),
  response: {
    200: batchAnswer('remembered'),
    ...problems('ERR_BAD_ID', ...RECORD_WRITE)
  }
}
