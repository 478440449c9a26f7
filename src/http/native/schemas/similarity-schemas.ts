import { array, COUNT, ID_PARAMS, json, nullable, object, PHOTO_ID, problems, type Schema, TEXT } from './common.js'

const TAGS = ['similarity']
const K: Schema = { type: 'integer', minimum: 1, maximum: 1000, description: 'maximum number of results' }
const TAG: Schema = { ...TEXT, description: 'only photos with this tag' }
const SCORE: Schema = { type: 'number', minimum: -1, maximum: 1, description: 'cosine similarity; 1: identical' }

const COVERAGE = object({
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
  // No default for k: it would look like the client's choice and override the form's.
  querystring: object({ k: K, tag: TAG }, ['k', 'tag']),
  streamedBody: {
    content: {
      'multipart/form-data': {
        schema: object({ file: { type: 'string', contentMediaType: 'image/*' }, k: { ...K, default: 5 }, tag: TAG }, [
          'k',
          'tag'
        ])
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
    ...problems(408, 413, 415, 422)
  }
}

export const similarSchema: Schema = {
  summary: 'Photos similar to a stored photo',
  tags: TAGS,
  params: ID_PARAMS,
  querystring: object({ k: { ...K, default: 5 }, tag: TAG }, ['k', 'tag']),
  response: {
    200: json(
      'best first',
      object({ results: array(object({ photo_id: PHOTO_ID, distance: SCORE })), ...SEARCH_FIELDS })
    ),
    ...problems(404, 410, 415)
  }
}

export const searchSchema: Schema = {
  summary: 'Photos matching a text',
  description:
    'A model with one space for texts and images compares the text with the images. The default model compares it with the ' +
    'concepts that it recognizes in them, which gives lower scores.',
  tags: TAGS,
  querystring: object({ q: TEXT, k: { ...K, default: 20 }, min_score: SCORE, tag: TAG }, ['k', 'min_score', 'tag']),
  response: {
    200: json('best first', object({ results: array(object({ photo_id: PHOTO_ID, score: SCORE })), ...SEARCH_FIELDS })),
    ...problems()
  }
}

const TIER: Schema = { type: 'string', enum: ['exact', 'near', 'similar'] }

export const duplicatesSchema: Schema = {
  summary: 'Groups of identical or similar photos',
  description:
    'exact: the same bytes. near: the same picture, encoded or edited differently. similar: pictures that resemble each ' +
    'other. Without tier: all groups, strictest tier first.',
  tags: TAGS,
  querystring: object({ tier: TIER, cursor: { ...TEXT, description: 'next_cursor of the previous page' } }, [
    'tier',
    'cursor'
  ]),
  response: {
    200: json(
      'a page',
      object({
        groups: array(object({ tier: TIER, photo_ids: array(PHOTO_ID), score: SCORE })),
        coverage: COVERAGE,
        next_cursor: nullable({ ...TEXT, description: 'null on the last page' })
      })
    ),
    ...problems()
  }
}

export const notDuplicateSchema: Schema = {
  summary: 'Marks two photos as not duplicates of each other',
  tags: TAGS,
  params: ID_PARAMS,
  body: object({ photo_id: TEXT }),
  response: {
    200: json('remembered', object({ status: { type: 'string', const: 'remembered' }, photo_id: PHOTO_ID })),
    ...problems(404, 410, 413, 415)
  }
}
