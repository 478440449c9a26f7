import { array, BYTES, COOKIE, COUNT, json, object, PHOTO_ID, problems, type Schema, SHA256, TEXT } from './common.js'

const RECEIPT = object({
  photo_id: PHOTO_ID,
  logical_volume: TEXT,
  cookie: COOKIE,
  size: BYTES,
  sha256: SHA256,
  content_type: TEXT,
  copies: { ...COUNT, description: 'nodes known to hold the bytes durably' }
})

const QUERY = {
  min_copies: {
    type: 'integer',
    minimum: 1,
    description: 'durable copies to wait for, at most 10 s; then 503 ERR_TOO_FEW_COPIES'
  },
  tag: array(TEXT),
  album: array(TEXT)
}

const FILE: Schema = { type: 'string', contentMediaType: 'application/octet-stream' }
const LABEL_FIELDS = { tag: array(TEXT), album: array(TEXT) }
const ALT_KEY: Schema = { type: 'string', enum: ['orig', 'large', 'small', 'thumb'] }
const UPLOAD_PROBLEMS = problems(408, 411, 413, 415, 422, 507)
const LOCATION = { Location: { schema: TEXT, description: 'path of the photo' } }
const IDEMPOTENCY = {
  type: 'object',
  properties: { 'idempotency-key': { ...TEXT, description: 'remembered for 24 h' } }
}

/** No schema can validate a stream: `streamedBody` is only for the OpenAPI document. */
function form(fields: Readonly<Record<string, Schema>>): Schema {
  const schema = object({ ...fields, file: FILE }, Object.keys(fields))
  return { content: { 'multipart/form-data': { schema } } }
}

export const uploadSchema: Schema = {
  summary: 'Stores a file as a new photo, or adds a size to one',
  description:
    'With photo_id and alt_key large, small or thumb, the file becomes that size of that photo. Fields must precede the file.',
  tags: ['uploads'],
  headers: IDEMPOTENCY,
  querystring: object({ ...QUERY, alt_key: ALT_KEY, photo_id: TEXT }, [...Object.keys(QUERY), 'alt_key', 'photo_id']),
  streamedBody: form({ ...LABEL_FIELDS, alt_key: ALT_KEY, photo_id: TEXT }),
  response: { 200: json('stored durably', RECEIPT), ...problems(404, 408, 409, 410, 413, 415, 422, 507) }
}

export const postPhotoSchema: Schema = {
  summary: 'Stores a file as a new photo',
  description: 'Fields must precede the file.',
  tags: ['uploads'],
  headers: IDEMPOTENCY,
  querystring: object(QUERY, Object.keys(QUERY)),
  streamedBody: form(LABEL_FIELDS),
  response: { 201: json('stored durably', RECEIPT, LOCATION), ...UPLOAD_PROBLEMS }
}

export const putPhotoSchema: Schema = {
  summary: 'Stores the body as a new photo; the fastest way to upload',
  tags: ['uploads'],
  headers: IDEMPOTENCY,
  querystring: object({ filename: TEXT, ...QUERY }, ['filename', ...Object.keys(QUERY)]),
  streamedBody: { content: { '*/*': { schema: FILE } } },
  response: { 201: json('stored durably', RECEIPT, LOCATION), ...UPLOAD_PROBLEMS }
}
