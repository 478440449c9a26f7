import type { ErrorCode } from '../../../core/errors.js'
import { TAKEN_AT_FORM } from '../../../domain/date-text.js'
import { LABEL_CHARACTERS_MAX } from '../../../domain/limits.js'
import { everyNeed, type Needs, rightsOf } from '../../../domain/rights.js'
import { ERROR_MAP } from '../../wire/error-map.js'
import type { PatternFault } from '../../wire/framework-errors.js'

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
  const values = schema.enum as readonly unknown[] | undefined
  return { ...schema, type: [schema.type, 'null'], ...(values !== undefined && { enum: [...values, null] }) }
}

export const TEXT: Schema = { type: 'string' }
export const COUNT: Schema = { type: 'integer', minimum: 0 }
export const BYTES: Schema = { type: 'integer', minimum: 0, description: 'bytes' }
export const TIME: Schema = { type: 'string', format: 'date-time', description: 'RFC 3339, UTC' }
const UUID = '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'
export const PHOTO_ID: Schema = {
  type: 'string',
  format: 'uuid',
  pattern: UUID,
  description: 'UUID; any case in requests, lower case in answers',
  examples: ['019aa1d2-0c5e-7b1a-9f3e-5d2c8a417e60']
}
const UUID_OR_NONE = `^none$|${UUID}`
export const ALBUM_OR_NONE: Schema = { type: 'string', pattern: UUID_OR_NONE, examples: ['none'] }
export const SHA256: Schema = { type: 'string', pattern: '^[0-9a-f]{64}$' }
export const COOKIE: Schema = { type: 'string', pattern: '^[0-9a-f]{32}$' }
export const ACTOR: Schema = {
  type: 'string',
  pattern: '^[0-9a-f]{16}([0-9a-f]{8})?$',
  description: 'epoch of the writing process; after an undelete also the generation'
}
export const HLC: Schema = { type: 'string', pattern: '^\\d+\\.\\d+$', description: 'hybrid logical clock: ms.counter' }
/** Which write made a version. */
export const VERSION: Schema = object({ hlc: HLC, actor: ACTOR })
export const CONFLICT_NUMBER: Schema = {
  ...TEXT,
  pattern: '^[1-9][0-9]{0,8}$',
  description: 'number of the conflict version, from 1',
  examples: ['1']
}

const CURSOR_TEXT = '^[A-Za-z0-9_-]{1,100}$'
/** Of a list. What is made up has this form at best, and is refused all the same. */
export const CURSOR: Schema = {
  type: 'string',
  pattern: CURSOR_TEXT,
  description: 'next_cursor of the previous page; keep the same filters. Any other text is 400 ERR_BAD_CURSOR'
}
export const NEXT_CURSOR: Schema = {
  type: ['string', 'null'],
  pattern: CURSOR_TEXT,
  description: 'null on the last page'
}

/** For patterns, which not every program reads with the names of Unicode. */
export const CONTROL = '\\x00-\\x1f\\x7f-\\x9f'
/** White space at the ends does not count. */
const LABEL_TEXT = `^\\s*[^${CONTROL}\\s]([^${CONTROL}]{0,${LABEL_CHARACTERS_MAX - 2}}[^${CONTROL}\\s])?\\s*$`
/** A tag, or an album. */
export const LABEL: Schema = {
  type: 'string',
  pattern: LABEL_TEXT,
  description: `1–${LABEL_CHARACTERS_MAX} characters, without control characters`,
  examples: ['garden']
}

/** What a text is that does not match one of these patterns; of others, the parameter is only named. */
export const PATTERN_FAULTS: Readonly<Record<string, PatternFault>> = {
  [UUID]: { code: 'ERR_BAD_ID', detail: 'is not a UUID' },
  [UUID_OR_NONE]: { code: 'ERR_BAD_ID', detail: 'is neither a UUID nor none' },
  [TAKEN_AT_FORM]: {
    code: 'ERR_BAD_PARAMETER',
    detail: 'must be a date such as 2024-01-01T08:02:32+11:00, 2024-01-01T08:02 or 1985-07'
  },
  [CURSOR_TEXT]: { code: 'ERR_BAD_CURSOR' },
  [LABEL_TEXT]: {
    code: 'ERR_BAD_PARAMETER',
    detail: `must have 1–${LABEL_CHARACTERS_MAX} characters, without control characters`
  }
}

export const BATCH_IDS: Schema = array(PHOTO_ID, { minItems: 1, maxItems: 10_000 })
const LABELS: Schema = array(LABEL, { maxItems: 500 })
export const SET_PATCH: Schema = object({ add: LABELS, remove: LABELS }, ['add', 'remove'])

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

/** What any operation may answer. */
const ALWAYS: readonly ErrorCode[] = [
  'ERR_BAD_REQUEST',
  'ERR_BAD_PARAMETER',
  'ERR_FOREIGN_ORIGIN',
  'ERR_REQUEST_TIMEOUT',
  'ERR_EXPECTATION_FAILED',
  'ERR_HEADERS_TOO_LARGE',
  'ERR_INTERNAL',
  'ERR_STOPPING'
]
/** What one may answer to the body of a request, also to one that it does not need. */
const OF_BODIES: readonly ErrorCode[] = [
  'ERR_TRUNCATED_BODY',
  'ERR_DIGEST_MISMATCH',
  'ERR_TOO_LARGE',
  'ERR_UNSUPPORTED_MEDIA',
  'ERR_UNSUPPORTED_ENCODING'
]

/** What one may answer that is not everybody's, once there are accounts. */
const OF_ACCOUNTS: readonly ErrorCode[] = [
  'ERR_UNAUTHENTICATED',
  'ERR_SESSION_ENDED',
  'ERR_ACCOUNT_DISABLED',
  'ERR_TOO_MANY_TRIES',
  'ERR_FORBIDDEN'
]

/** What everybody may while there are no accounts. */
const OF_ALL = rightsOf({ kind: 'anonymous' }, false)

/** Groups of what operations have in common. */
export const PHOTO_READ: readonly ErrorCode[] = [
  'ERR_BAD_ID',
  'ERR_PHOTO_NOT_FOUND',
  'ERR_PHOTO_DELETED',
  'ERR_DIRECTORY_UNAVAILABLE',
  'ERR_FORMAT_TOO_NEW'
]
export const RECORD_WRITE: readonly ErrorCode[] = [
  'ERR_DISK_FULL',
  'ERR_DISK_WRITE',
  'ERR_DIRECTORY_UNAVAILABLE',
  'ERR_LEAVING',
  'ERR_OVERLOADED'
]

/** The problems with these codes, by status; the document adds those that any operation has: {@link answersOf}. */
export function problems(...codes: readonly ErrorCode[]): Readonly<Record<string, Schema>> {
  const byStatus = new Map<number, ErrorCode[]>()
  for (const code of new Set(codes)) {
    const { status } = ERROR_MAP[code]
    byStatus.set(status, [...(byStatus.get(status) ?? []), code])
  }
  return Object.fromEntries(Array.from(byStatus, ([status, all]) => [status, problem(status, all)]))
}

/**
 * @param about.hasParams - its path may have a malformed escape
 * @returns all that an operation of the method may answer, by status, where `responses` are its own
 */
export function answersOf(
  method: string,
  responses: Readonly<Record<string, Schema>>,
  { hasParams, needs }: { readonly hasParams: boolean; readonly needs: Needs }
): Schema {
  const isRead = method === 'GET' || method === 'HEAD'
  const common: readonly ErrorCode[] = [
    ...ALWAYS,
    ...(isRead ? (['ERR_PRECONDITION_FAILED'] as const) : OF_BODIES),
    ...(hasParams ? (['ERR_BAD_ID'] as const) : []),
    ...(everyNeed(needs).length > 0 ? OF_ACCOUNTS : []),
    ...(everyNeed(needs).some(right => !OF_ALL.has(right)) ? (['ERR_NOT_OPERATOR'] as const) : [])
  ]
  const all: Record<string, Schema> = isRead ? { 304: { description: 'unchanged: see If-None-Match' } } : {}
  for (const [status, response] of Object.entries({ ...problems(...common), ...responses })) {
    const codes = common.filter(code => String(ERROR_MAP[code].status) === status)
    const own = (response[CODES] as readonly ErrorCode[] | undefined) ?? []
    all[status] =
      own.length > 0 || codes.length > 0 ? problem(Number(status), [...new Set([...own, ...codes])]) : response
  }
  return all
}

/** RFC 9457, which allows further members, e.g. complete, photo_id, copies. */
export const PROBLEM: Schema = {
  ...object({ code: TEXT, title: TEXT, status: { type: 'integer' }, detail: TEXT }),
  additionalProperties: true
}

/** Where the codes of an answer stand until the document is put together. */
const CODES = 'x-codes'

function problem(status: number, codes: readonly ErrorCode[]): Schema {
  const description = `${PROBLEM_MEANINGS[status]}: ${codes.join(', ')}`
  const headers = status === 503 || status === 429 ? { 'Retry-After': { ...COUNT, description: 'seconds' } } : {}
  return { description, headers, content: { 'application/problem+json': { schema: PROBLEM } }, [CODES]: codes }
}

const PROBLEM_MEANINGS: Readonly<Record<number, string>> = {
  400: 'the request is invalid',
  401: 'who asks is not known: a token is missing, wrong or not in force any more',
  403: 'refused: a web page of another site, an unknown host name, or a right that is not there',
  404: 'not found',
  408: 'the request, or its body, stopped arriving',
  409: 'it contradicts what is there',
  410: 'deleted',
  411: 'neither Content-Length nor chunked encoding',
  412: 'a condition of the request does not hold',
  413: 'larger than allowed',
  415: 'unsupported type or encoding of the body, or type of the photo',
  416: 'the range is malformed or outside the bytes',
  417: 'Expect asks for what is not known',
  422: 'the body cannot be taken as what it is meant to be',
  429: 'too many tries; Retry-After says when to try again',
  431: 'the request line and headers take more than 16 KiB',
  500: 'a defect or damaged data; the log has the details',
  503: 'temporarily unavailable; Retry-After says when to try again',
  507: 'the disk has no space for it, or the account may not have more'
}

export const ID_PARAMS: Schema = object({ id: { ...PHOTO_ID, description: 'photo id, a UUID in any case' } })
export const ETAG_HEADER: Schema = { ETag: { ...TEXT, description: 'strong' } }
