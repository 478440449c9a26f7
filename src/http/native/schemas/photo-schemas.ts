import { TAKEN_AT_FORM } from '../../../domain/date-text.js'
import { PICTURE_STATES } from '../../../domain/findings.js'
import { LABELS_MAX, NAME_CHARACTERS_MAX } from '../../../domain/limits.js'
import { DATE_PRECISIONS, DATE_SOURCES, ZONE_SOURCES } from '../../../domain/photo-facts.js'
import { SIZE_NAMES, SIZE_STATES } from '../../../domain/size-states.js'
import { TRAITS } from '../../../domain/traits.js'
import {
  ACTOR,
  array,
  BYTES,
  CONFLICT_NUMBER,
  CONTROL,
  COUNT,
  ETAG_HEADER,
  HLC,
  ID_PARAMS,
  json,
  nullable,
  object,
  PHOTO_ID,
  PHOTO_READ,
  problems,
  RECORD_WRITE,
  type Schema,
  SET_PATCH,
  SHA256,
  TEXT,
  TIME,
  VERSION
} from './common.js'

const SIZE_STATE: Schema = {
  type: 'string',
  enum: [...SIZE_STATES],
  description:
    'pending: it will be there; none: there is no picture, or no node has the tool for it; failed: see image_error'
}
/** `pending`: not tried yet. */
export const PICTURE_STATE: Schema = { type: 'string', enum: [...PICTURE_STATES, 'pending'] }
const NUMBER: Schema = { type: 'number' }
const CAMERA: Schema = object({
  make: nullable(TEXT),
  model: nullable(TEXT),
  lens: nullable(TEXT),
  focal_mm: nullable(NUMBER),
  focal35_mm: nullable({ ...NUMBER, description: 'as on a camera for 35 mm film' }),
  f_number: nullable(NUMBER),
  exposure_s: nullable(NUMBER),
  iso: nullable(NUMBER),
  flash: nullable({ type: 'boolean' })
})
const DEGREES = {
  lat: { type: 'number', minimum: -90, maximum: 90, description: 'degrees north' },
  lon: { type: 'number', minimum: -180, maximum: 180, description: 'degrees east' }
} satisfies Record<string, Schema>
const ALTITUDE: Schema = { ...NUMBER, description: 'metres above the sea' }
/** As a person sets it. */
export const SET_PLACE: Schema = {
  ...object({ ...DEGREES, alt: ALTITUDE }, ['alt']),
  description: 'where it was taken, as a person says; 0,0 is no place. null leaves it to the file again'
}
const POINT = { ...DEGREES, alt: nullable(ALTITUDE) }
const PLACE = {
  ...POINT,
  source: {
    type: 'string',
    enum: ['user', 'import', 'file'],
    description: 'who says so: a person, the upload, the file itself'
  }
} satisfies Record<string, Schema>
const NAMED_PLACE: Schema = object({
  ...PLACE,
  name: nullable({ ...TEXT, description: 'of the nearest town or village within 50 km' }),
  region: nullable({ ...TEXT, description: 'the first division of its country' }),
  country: nullable({ ...TEXT, description: 'in English; it is found by its German, French and Spanish names, too' })
})
export const RATING: Schema = { type: 'integer', minimum: 0, maximum: 5 }
export const MARKS = {
  favourite: { type: 'boolean' },
  archived: { type: 'boolean', description: 'not in the time line of everything' }
} satisfies Record<string, Schema>
/** Of a date that a person sets. */
export const TAKEN_AT: Schema = {
  ...TEXT,
  pattern: TAKEN_AT_FORM,
  description:
    'when it was taken, as a person says: what a clock on the wall showed, with its offset if that is known, and shorter ' +
    'where less is known; not later than a day after the upload',
  examples: ['2024-01-01T08:02:32+11:00']
}
const OWNER: Schema = object({
  user_id: PHOTO_ID,
  name: nullable({ ...TEXT, description: 'null: this node has not heard of the account' })
})
const TAGS = ['photos']

/** The record's fields. */
const PHOTO = {
  photo_id: PHOTO_ID,
  name: TEXT,
  content_type: TEXT,
  size: BYTES,
  sha256: SHA256,
  width: nullable({ ...COUNT, description: 'null until known' }),
  height: nullable({ ...COUNT, description: 'null until known' }),
  aspect: nullable({ type: 'number', description: 'width by height' }),
  taken_at: nullable({
    ...TEXT,
    examples: ['2024-01-01T08:02:32.000+11:00', '2024-01-01T08:02:32.000', '1985-07'],
    description:
      'what a clock on the wall showed, without an offset where that is unknown, and shorter where less is known'
  }),
  taken_at_source: nullable({ type: 'string', enum: [...DATE_SOURCES], description: 'where taken_at is from' }),
  taken_at_precision: nullable({ type: 'string', enum: [...DATE_PRECISIONS], description: 'how much of it is known' }),
  taken_at_zone_source: nullable({
    type: 'string',
    enum: [...ZONE_SOURCES],
    description: 'where its offset is from, if the date does not say it itself; utc: nothing is known of local time'
  }),
  place: nullable(object(PLACE)),
  state: nullable({
    ...PICTURE_STATE,
    description: 'how much of the picture could be decoded; poster: one of a video; null for other files'
  }),
  image_error: nullable({ ...TEXT, description: 'the code of why the image cannot be decoded' }),
  sizes: object(Object.fromEntries(SIZE_NAMES.map(name => [name, SIZE_STATE]))),
  thumbhash: nullable({
    ...TEXT,
    description: 'the picture in 5 to 25 bytes of base64, to be shown before it comes: ThumbHash by Evan Wallace'
  }),
  file_time: nullable({ ...TIME, description: 'when the file was last changed, as the client said' }),
  source: nullable({ ...TEXT, description: 'the folder that the file was in' }),
  zone: nullable({ ...TEXT, description: 'where its clocks were, when they did not say' }),
  imported_from: nullable({ ...TEXT, description: "the photo's id where it was exported" }),
  created_at: TIME,
  tags: array(TEXT),
  partners: array(PHOTO_ID, {
    description:
      'its parts: the video of a live photo, the RAW file of a picture. Lists show this photo for all of them'
  }),
  part_of: { ...nullable(PHOTO_ID), description: 'the photo that lists show for it' },
  traits: array(
    { type: 'string', enum: [...TRAITS] },
    { description: 'motion: there is a movie in its file, see `part=motion`; live: one of its partners is a movie' }
  ),
  albums: array(TEXT, { description: 'titles; labels of those that are nothing but that' }),
  album_ids: array(PHOTO_ID),
  caption: nullable(TEXT),
  rating: nullable(RATING),
  ...MARKS,
  attributes: { type: 'object', additionalProperties: TEXT },
  owner: { ...nullable(OWNER), description: 'who uploaded it; null: nobody who had an account' },
  generation: COUNT,
  logical_volume: TEXT,
  variants: {
    type: 'object',
    description: 'further sizes by alt_key',
    additionalProperties: object({ size: BYTES, sha256: SHA256, content_type: TEXT })
  },
  version: object({ hlc: HLC, vector_clock: { type: 'object', additionalProperties: COUNT }, actor: ACTOR })
}

/** The record's fields, and what only this node knows. */
export const META_FIELDS = {
  ...PHOTO,
  copies: {
    ...COUNT,
    description: 'nodes in reach that are known to hold the original, this one included; 0 where it lacks it'
  }
}
export const META = object(META_FIELDS)
/** As in the log: without what only this node knows. */
export const PHOTO_RECORD = object(PHOTO)
export const PHOTO_DETAILS = object({
  ...META_FIELDS,
  camera: nullable(CAMERA),
  place: nullable(NAMED_PLACE),
  similar: array(
    object({
      photo_id: PHOTO_ID,
      tier: { type: 'string', enum: ['near', 'similar'] },
      score: { type: 'number', minimum: -1, maximum: 1 }
    }),
    { description: 'similar photos found so far, best first' }
  )
})

const COOKIE_QUERY: Schema = {
  ...TEXT,
  description: "the photo's cookie; checked if given, required with --require-cookie"
}
const BYTES_CONTENT = { content: { '*/*': { schema: { type: 'string', contentMediaType: '*/*' } } } }
const CONTENT_HEADERS: Schema = {
  ...ETAG_HEADER,
  'X-Sheaf-Source': {
    type: 'string',
    enum: ['local', 'peer', 'cache'],
    description: 'where the bytes came from'
  }
}

export const getContentSchema: Schema = {
  summary: 'The bytes of a photo, whole or a range',
  tags: TAGS,
  rights: { needs: ['read'] },
  params: ID_PARAMS,
  querystring: {
    type: 'object',
    // Unknown parameters are allowed here: web pages append them to image URLs to bypass caches.
    properties: {
      alt_key: {
        type: 'string',
        enum: ['orig', 'large', 'small', 'thumb'],
        default: 'orig',
        description: 'which size'
      },
      part: {
        type: 'string',
        enum: ['motion'],
        description:
          'motion: of a picture with a movie in its file (`traits` says so) the movie, instead of the whole file'
      },
      cookie: COOKIE_QUERY,
      v: {
        ...TEXT,
        description:
          'how the SHA-256 of the size begins, 8 to 64 digits: when it does, browsers may keep the size for a year without asking'
      }
    }
  },
  response: {
    200: { description: 'the whole photo', headers: CONTENT_HEADERS, ...BYTES_CONTENT },
    206: { description: 'the requested range', headers: CONTENT_HEADERS, ...BYTES_CONTENT },
    304: { description: 'unchanged', headers: CONTENT_HEADERS },
    ...problems(
      ...PHOTO_READ,
      'ERR_BAD_ALT_KEY',
      'ERR_NOT_FOUND',
      'ERR_RANGE_NOT_SATISFIABLE',
      'ERR_NOT_READY',
      'ERR_BYTES_UNREACHABLE',
      'ERR_NEEDLE_CORRUPT'
    )
  }
}

export const deletePhotoSchema: Schema = {
  summary: 'Deletes a photo; deleting again is harmless',
  tags: TAGS,
  rights: { needs: ['delete'] },
  params: ID_PARAMS,
  querystring: object(
    {
      partners: {
        type: 'boolean',
        default: false,
        description:
          'whether its partners are deleted as well: the video of a live photo, a RAW file; conditions are for this one'
      }
    },
    ['partners']
  ),
  response: {
    200: json('deleted', object({ status: { type: 'string', const: 'deleted' }, photo_id: PHOTO_ID })),
    ...problems('ERR_BAD_ID', 'ERR_PHOTO_NOT_FOUND', 'ERR_PRECONDITION_FAILED', ...RECORD_WRITE)
  }
}

export const undeleteSchema: Schema = {
  summary: 'Restores a deleted photo while its bytes are reachable',
  tags: TAGS,
  rights: { needs: ['edit'] },
  params: ID_PARAMS,
  response: {
    200: json('restored', object({ status: { type: 'string', const: 'restored' }, photo_id: PHOTO_ID })),
    ...problems('ERR_BAD_ID', 'ERR_PHOTO_NOT_FOUND', 'ERR_BYTES_GONE', 'ERR_PRECONDITION_FAILED', ...RECORD_WRITE)
  }
}

export const getMetaSchema: Schema = {
  summary: 'Metadata of a photo',
  tags: TAGS,
  rights: { needs: ['read'] },
  params: ID_PARAMS,
  response: {
    200: json('the metadata', PHOTO_DETAILS, ETAG_HEADER),
    304: { description: 'unchanged', headers: ETAG_HEADER },
    ...problems(...PHOTO_READ)
  }
}

export const patchMetaSchema: Schema = {
  summary: 'Changes metadata',
  description:
    'Absent fields stay unchanged; null removes a value. If-Match is checked on this node only: it is no compare-and-set ' +
    'across the cluster. Name, caption and attributes together may take at most 4 KB, and a photo may have at most ' +
    `${LABELS_MAX} tags and albums: with more after the edit it is refused.`,
  tags: TAGS,
  rights: { needs: ['edit'] },
  params: ID_PARAMS,
  body: {
    ...object(
      {
        name: { ...TEXT, maxLength: NAME_CHARACTERS_MAX, pattern: `^[^${CONTROL}]*$` },
        caption: nullable(TEXT),
        rating: nullable(RATING),
        ...MARKS,
        taken_at: nullable({ ...TAKEN_AT, description: `${TAKEN_AT.description}; null leaves it to the file again` }),
        place: nullable(SET_PLACE),
        tags: SET_PATCH,
        albums: SET_PATCH,
        attributes: { type: 'object', additionalProperties: nullable(TEXT) }
      },
      ['name', 'caption', 'rating', ...Object.keys(MARKS), 'taken_at', 'place', 'tags', 'albums', 'attributes']
    ),
    minProperties: 1
  },
  response: {
    200: json('the new metadata', META, ETAG_HEADER),
    ...problems(...PHOTO_READ, ...RECORD_WRITE, 'ERR_PRECONDITION_FAILED', 'ERR_ATTRIBUTES_TOO_LARGE')
  }
}

export const conflictsSchema: Schema = {
  summary: 'Concurrent versions that lost to the current one',
  tags: TAGS,
  rights: { needs: ['read'] },
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
            taken_at: nullable(TEXT),
            place: nullable(object(POINT)),
            deleted: { type: 'boolean' },
            version: VERSION
          })
        )
      })
    ),
    ...problems(...PHOTO_READ)
  }
}

export const restoreSchema: Schema = {
  summary: 'Makes a conflict version the current one',
  tags: TAGS,
  rights: { needs: ['edit'] },
  params: object({
    id: { ...PHOTO_ID, description: 'photo id, a UUID in any case' },
    n: CONFLICT_NUMBER
  }),
  response: {
    200: json('the new metadata', META, ETAG_HEADER),
    ...problems(...PHOTO_READ, ...RECORD_WRITE, 'ERR_NO_SUCH_CONFLICT', 'ERR_PRECONDITION_FAILED')
  }
}
