/** A JSON Schema (draft 2020-12, as in OpenAPI 3.1), or a fragment of an OpenAPI document that Fastify passes on. */
export type Schema = Readonly<Record<string, unknown>>

/** An object with all of `properties`, except that those in `optional` may be absent, and no others. */
export function object(properties: Readonly<Record<string, Schema>>, optional: readonly string[] = []): Schema {
  const required = Object.keys(properties).filter(name => !optional.includes(name))
  return { type: 'object', properties, required, additionalProperties: false }
}

export function array(items: Schema, bounds: Schema = {}): Schema {
  return { type: 'array', items, ...bounds }
}

export function nullable(schema: Schema): Schema {
  return { ...schema, type: [schema.type, 'null'] }
}

export const TEXT: Schema = { type: 'string' }
export const COUNT: Schema = { type: 'integer', minimum: 0 }
export const BYTES: Schema = { type: 'integer', minimum: 0, description: 'bytes' }
export const TIME: Schema = { type: 'string', format: 'date-time', description: 'RFC 3339, UTC' }
export const PHOTO_ID: Schema = {
  type: 'string',
  format: 'uuid',
  description: 'UUID; any case in requests, lower case in answers'
}
export const SHA256: Schema = { type: 'string', pattern: '^[0-9a-f]{64}$' }
export const COOKIE: Schema = { type: 'string', pattern: '^[0-9a-f]{32}$' }
export const ACTOR: Schema = {
  type: 'string',
  pattern: '^[0-9a-f]{16}([0-9a-f]{8})?$',
  description: 'epoch of the writing process; after an undelete also the generation'
}
export const HLC: Schema = { type: 'string', pattern: '^\\d+\\.\\d+$', description: 'hybrid logical clock: ms.counter' }

export const BATCH_IDS: Schema = array(TEXT, { minItems: 1, maxItems: 10_000 })
const LABELS: Schema = array({ type: 'string', minLength: 1, maxLength: 100 }, { maxItems: 500 })
export const SET_PATCH: Schema = object({ add: LABELS, remove: LABELS }, ['add', 'remove'])

const PROBLEM: Schema = {
  ...object({ code: TEXT, title: TEXT, status: { type: 'integer' }, detail: TEXT }),
  // RFC 9457 allows further members, e.g. complete, photo_id, copies.
  additionalProperties: true
}

export function json(description: string, schema: Schema, headers: Schema = {}): Schema {
  return { description, headers, content: { 'application/json': { schema } } }
}

/** @param done - what was done with a photo, if it did not fail */
export function batchAnswer(...done: readonly string[]): Schema {
  const status = { type: 'string', enum: [...done, 'failed'] }
  const code = { ...TEXT, description: 'why it failed' }
  return json(
    'the outcome for each id, in the order of the request',
    object({ results: array(object({ photo_id: PHOTO_ID, status, code }, ['code'])) })
  )
}

/** For what only the operator may do. */
export const OPERATOR: readonly Schema[] = [{ operator: [] }]
/** For what only the operator may do with some parameters. */
export const SOMETIMES_OPERATOR: readonly Schema[] = [{}, ...OPERATOR]

export function problems(...statuses: readonly number[]): Schema {
  const content = { 'application/problem+json': { schema: PROBLEM } }
  const all = [...new Set([...statuses, 400, 403, 500, 503])].sort((a, b) => a - b)
  return Object.fromEntries(all.map(status => [status, { description: PROBLEM_MEANINGS[status], content }]))
}

const PROBLEM_MEANINGS: Readonly<Record<number, string>> = {
  400: 'the request is invalid; see code and detail',
  401: "the operator's token is missing or wrong",
  403: 'refused: a web page of another site, or an unknown host name',
  404: 'not found',
  408: 'the body stopped arriving',
  409: 'that size already exists with other bytes',
  410: 'deleted',
  411: 'neither Content-Length nor chunked encoding',
  412: 'If-Match names another version',
  413: 'larger than allowed',
  415: 'unsupported type of body or photo',
  416: 'the range is malformed or outside the bytes',
  422: 'the Idempotency-Key was used with another body, or the image cannot be decoded',
  500: 'a defect or damaged data; the log has the details',
  503: 'temporarily unavailable; Retry-After says when to try again',
  507: 'the disk has no space for uploads'
}

export const ID_PARAMS: Schema = object({ id: { ...TEXT, description: 'photo id, a UUID' } })
export const ETAG_HEADER: Schema = { ETag: { schema: TEXT, description: 'strong' } }
