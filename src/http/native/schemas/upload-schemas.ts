import type { ErrorCode } from '../../../core/errors.js'
import { FILE_TIME_MS_MAX, LABELS_MAX, SOURCE_BYTES_MAX } from '../../../domain/limits.js'
import { PLACE_FORM } from '../../../domain/place-text.js'
import {
  array,
  BYTES,
  CONTROL,
  COOKIE,
  COUNT,
  json,
  LABEL,
  object,
  PHOTO_ID,
  problems,
  RECORD_WRITE,
  type Schema,
  SHA256,
  TEXT
} from './common.js'
import { MARKS, RATING, TAKEN_AT } from './photo-schemas.js'

export const RECEIPT = object({
  photo_id: PHOTO_ID,
  logical_volume: TEXT,
  cookie: COOKIE,
  size: BYTES,
  sha256: SHA256,
  content_type: TEXT,
  copies: { ...COUNT, description: 'nodes known to hold the bytes durably' }
})

const PLAIN_TEXT: Schema = { ...TEXT, pattern: `^[^${CONTROL}]{1,${SOURCE_BYTES_MAX}}$` }

/** What the client knows of the file beside its bytes. */
const STATEMENTS = {
  file_time: {
    type: 'integer',
    minimum: -FILE_TIME_MS_MAX,
    maximum: FILE_TIME_MS_MAX,
    description: 'when the file was last changed, ms since the Unix epoch; may be negative',
    examples: [1_704_063_752_000]
  },
  source: {
    ...PLAIN_TEXT,
    description: `the folder that it was in, at most ${SOURCE_BYTES_MAX} bytes`,
    examples: ['2024/Kiel']
  },
  zone: {
    ...TEXT,
    maxLength: 64,
    pattern: '^([A-Z][A-Za-z_]*(/[A-Za-z0-9_+-]+)+|UTC|Z|[+-]\\d\\d:\\d\\d)$',
    description: 'where its clocks were, when they do not say: the name of a time zone, or an offset',
    examples: ['Europe/Berlin']
  },
  taken_at: TAKEN_AT,
  caption: TEXT,
  rating: RATING,
  ...MARKS,
  place: {
    ...TEXT,
    pattern: PLACE_FORM,
    description: 'where it was taken, as a sidecar says: degrees north, degrees east, and metres if they are known',
    examples: ['54.3233,10.1228', '54.3233,10.1228,3.5']
  },
  imported_from: {
    ...PLAIN_TEXT,
    description: `the photo's id where it was exported, at most ${SOURCE_BYTES_MAX} bytes`,
    examples: ['019aa1d2-0c5e-7b1a-9f3e-5d2c8a417e60']
  }
} satisfies Record<string, Schema>
export const STATEMENT_NAMES = Object.keys(STATEMENTS)
/** Fields of forms are texts, whatever they mean. */
const STATEMENT_FIELDS = {
  ...STATEMENTS,
  file_time: { ...TEXT, pattern: '^-?\\d{1,15}$', description: STATEMENTS.file_time.description },
  rating: { ...TEXT, pattern: '^[0-5]$' },
  favourite: { ...TEXT, enum: ['true', 'false'] },
  archived: { ...TEXT, enum: ['true', 'false'] }
}

const QUERY = {
  min_copies: {
    type: 'integer',
    minimum: 1,
    maximum: 1_000_000,
    description: 'durable copies to wait for, at most 10 s; then 503 ERR_TOO_FEW_COPIES, and the photo is stored'
  },
  tag: array(LABEL, { maxItems: LABELS_MAX }),
  album: array(LABEL, { maxItems: LABELS_MAX }),
  ...STATEMENTS
}

const FILE: Schema = { type: 'string', contentMediaType: 'application/octet-stream' }
const LABEL_FIELD = array(LABEL, { maxItems: 50, description: 'a field for each; with those of the query at most 500' })
const FIELDS = { tag: LABEL_FIELD, album: LABEL_FIELD, ...STATEMENT_FIELDS }
const ALT_KEY: Schema = { type: 'string', enum: ['orig', 'large', 'small', 'thumb'] }
const STORED: readonly ErrorCode[] = [
  'ERR_EMPTY_FILE',
  'ERR_TOO_LARGE',
  'ERR_ATTRIBUTES_TOO_LARGE',
  'ERR_IDEMPOTENCY_MISMATCH',
  'ERR_PRECONDITION_FAILED',
  'ERR_TOO_FEW_COPIES',
  'ERR_QUOTA_EXCEEDED',
  'ERR_DISK_READ',
  ...RECORD_WRITE
]
const FORM: readonly ErrorCode[] = ['ERR_NOT_MULTIPART', 'ERR_NO_FILE']
const LOCATION = { Location: { ...TEXT, description: 'path of the photo' } }
const IDEMPOTENCY = {
  type: 'object',
  properties: {
    'idempotency-key': {
      type: 'string',
      pattern: '^[\\x20-\\x7e]{1,255}$',
      description: 'remembered for 24 h',
      examples: ['import-2026-photo-1']
    }
  }
}

/** No schema can validate a stream: `streamedBody` is only for the OpenAPI document. */
function form(fields: Readonly<Record<string, Schema>>): Schema {
  const schema = object({ ...fields, file: FILE }, Object.keys(fields))
  return { content: { 'multipart/form-data': { schema } } }
}

const RULES =
  'Fields must precede the file, which must not be empty; all but tag and album may come once, and others are refused.'

export const uploadSchema: Schema = {
  summary: 'Stores a file as a new photo, or adds a size to one',
  description:
    'With photo_id and alt_key large, small or thumb, the file becomes that size of that photo; either without the other is ' +
    '400, and so is what is said of a photo that there is already: caption, rating, taken_at and the like. ' +
    RULES,
  tags: ['uploads'],
  rights: { needs: ['upload'] },
  headers: IDEMPOTENCY,
  querystring: object({ ...QUERY, alt_key: ALT_KEY, photo_id: PHOTO_ID }, [
    ...Object.keys(QUERY),
    'alt_key',
    'photo_id'
  ]),
  streamedBody: form({ ...FIELDS, alt_key: ALT_KEY, photo_id: PHOTO_ID }),
  response: {
    200: json('stored durably', RECEIPT),
    ...problems(
      ...FORM,
      ...STORED,
      'ERR_BAD_ALT_KEY',
      'ERR_BAD_ID',
      'ERR_PHOTO_NOT_FOUND',
      'ERR_PHOTO_DELETED',
      'ERR_ALT_KEY_EXISTS'
    )
  }
}

export const postPhotoSchema: Schema = {
  summary: 'Stores a file as a new photo',
  description: RULES,
  tags: ['uploads'],
  rights: { needs: ['upload'] },
  headers: IDEMPOTENCY,
  querystring: object(QUERY, Object.keys(QUERY)),
  streamedBody: form(FIELDS),
  response: { 201: json('stored durably', RECEIPT, LOCATION), ...problems(...FORM, ...STORED) }
}

export const putPhotoSchema: Schema = {
  summary: 'Stores the body as a new photo; the fastest way to upload',
  description: 'The body must not be empty, nor of type multipart/form-data.',
  tags: ['uploads'],
  rights: { needs: ['upload'] },
  headers: IDEMPOTENCY,
  querystring: object({ filename: TEXT, ...QUERY }, ['filename', ...Object.keys(QUERY)]),
  streamedBody: { content: { '*/*': { schema: FILE } } },
  response: {
    201: json('stored durably', RECEIPT, LOCATION),
    ...problems('ERR_LENGTH_REQUIRED', ...STORED)
  }
}
