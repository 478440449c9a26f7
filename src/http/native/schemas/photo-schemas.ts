import {
  ACTOR,
  array,
  BYTES,
  COUNT,
  ETAG_HEADER,
  HLC,
  ID_PARAMS,
  json,
  nullable,
  object,
  PHOTO_ID,
  problems,
  type Schema,
  SET_PATCH,
  SHA256,
  TEXT,
  TIME
} from './common.js'

const RATING: Schema = { type: 'integer', minimum: 0, maximum: 5 }
const TAGS = ['photos']

/** What the record says. */
export const PHOTO = {
  photo_id: PHOTO_ID,
  name: TEXT,
  content_type: TEXT,
  size: BYTES,
  sha256: SHA256,
  width: nullable({ ...COUNT, description: 'null until known' }),
  height: nullable({ ...COUNT, description: 'null until known' }),
  taken_at: nullable({ ...TIME, description: 'null until known' }),
  created_at: TIME,
  tags: array(TEXT),
  albums: array(TEXT),
  caption: nullable(TEXT),
  rating: nullable(RATING),
  attributes: { type: 'object', additionalProperties: TEXT },
  owner: nullable(TEXT),
  generation: COUNT,
  logical_volume: TEXT,
  variants: {
    type: 'object',
    description: 'further sizes by alt_key',
    additionalProperties: object({ size: BYTES, sha256: SHA256, content_type: TEXT })
  },
  version: object({ hlc: HLC, vector_clock: { type: 'object', additionalProperties: COUNT }, actor: ACTOR })
}

/** The same and what this node knows beside it. */
const META_FIELDS = { ...PHOTO, copies: { ...COUNT, description: 'nodes known to hold the original' } }
export const META = object(META_FIELDS)

const COOKIE_QUERY: Schema = {
  ...TEXT,
  description: "the photo's cookie; checked when given, needed with --require-cookie"
}
const BYTES_CONTENT = { content: { '*/*': { schema: { type: 'string', contentMediaType: '*/*' } } } }
const CONTENT_HEADERS: Schema = {
  ...ETAG_HEADER,
  'X-Sheaf-Source': {
    schema: { type: 'string', enum: ['local', 'peer', 'cache'] },
    description: 'where the bytes were'
  }
}

export const getContentSchema: Schema = {
  summary: 'The bytes of a photo, whole or a range',
  tags: TAGS,
  params: ID_PARAMS,
  querystring: {
    type: 'object',
    // Unknown parameters are let through here: addresses of pictures get them appended to get past caches.
    properties: {
      alt_key: {
        type: 'string',
        enum: ['orig', 'large', 'small', 'thumb'],
        default: 'orig',
        description: 'which size'
      },
      cookie: COOKIE_QUERY
    }
  },
  response: {
    200: { description: 'the whole', headers: CONTENT_HEADERS, ...BYTES_CONTENT },
    206: { description: 'the range asked for', headers: CONTENT_HEADERS, ...BYTES_CONTENT },
    304: { description: 'unchanged', headers: CONTENT_HEADERS },
    ...problems(404, 410, 412, 416)
  }
}

export const deletePhotoSchema: Schema = {
  summary: 'Deletes a photo; deleting again is harmless',
  tags: TAGS,
  params: ID_PARAMS,
  response: {
    200: json('deleted', object({ status: { type: 'string', const: 'deleted' }, photo_id: PHOTO_ID })),
    ...problems(404)
  }
}

export const undeleteSchema: Schema = {
  summary: 'Brings a deleted photo back, while its bytes are in reach',
  tags: TAGS,
  params: ID_PARAMS,
  response: {
    200: json('there again', object({ status: { type: 'string', const: 'restored' }, photo_id: PHOTO_ID })),
    ...problems(404, 410, 507)
  }
}

export const getMetaSchema: Schema = {
  summary: 'Metadata of a photo',
  tags: TAGS,
  params: ID_PARAMS,
  response: {
    200: json(
      'the metadata',
      object({
        ...META_FIELDS,
        similar: array(
          object({
            photo_id: PHOTO_ID,
            tier: { type: 'string', enum: ['near', 'similar'] },
            score: { type: 'number', minimum: -1, maximum: 1 }
          }),
          { description: 'photos that were found to look like this one, best first' }
        )
      }),
      ETAG_HEADER
    ),
    304: { description: 'unchanged', headers: ETAG_HEADER },
    ...problems(404, 410)
  }
}

export const patchMetaSchema: Schema = {
  summary: 'Changes metadata',
  description:
    'What is absent stays; null removes. If-Match is a check on this node, not a compare-and-set of the whole cluster. ' +
    'All that clients attach to a photo takes at most 4 KB.',
  tags: TAGS,
  params: ID_PARAMS,
  body: {
    ...object(
      {
        name: TEXT,
        caption: nullable(TEXT),
        rating: nullable(RATING),
        tags: SET_PATCH,
        albums: SET_PATCH,
        attributes: { type: 'object', additionalProperties: nullable(TEXT) }
      },
      ['name', 'caption', 'rating', 'tags', 'albums', 'attributes']
    ),
    minProperties: 1
  },
  response: { 200: json('the new metadata', META, ETAG_HEADER), ...problems(404, 410, 412, 413, 415) }
}

export const conflictsSchema: Schema = {
  summary: 'Concurrent versions that lost against the one shown',
  tags: TAGS,
  params: ID_PARAMS,
  response: {
    200: json(
      'greatest first',
      object({
        conflicts: array(
          object({
            n: { type: 'integer', minimum: 1 },
            name: TEXT,
            caption: nullable(TEXT),
            rating: nullable(RATING),
            deleted: { type: 'boolean' },
            version: object({ hlc: HLC, actor: ACTOR })
          })
        )
      })
    ),
    ...problems(404, 410)
  }
}

export const restoreSchema: Schema = {
  summary: 'Makes a conflict version the one shown',
  tags: TAGS,
  params: object({
    id: { ...TEXT, description: 'photo id, a UUID' },
    n: { ...TEXT, description: 'its number, from 1' }
  }),
  response: { 200: json('the new metadata', META, ETAG_HEADER), ...problems(404, 410) }
}
