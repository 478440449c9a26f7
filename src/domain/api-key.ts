/*
 * A key of a program, as a record of the kind 'key', id = a UUID. It lives, or is deleted for ever.
 *
 *   field     key   value
 *   version   –     user, type: api, sha256 (32 bytes, of the secret's bytes), scopes (texts), label?, created (ms), until? (ms)
 *
 * What a program sends is `sheaf_<id><secret><check>`, joined by `_` behind the id: 32 hex digits, 43 characters of base64url
 * that are 32 random bytes, and 2 that are the first 12 bits of the SHA-256 of all before them. A typo is seen without
 * looking anything up, and what looks for leaked secrets finds it by its form.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { PhotoId } from './ids.js'
import { type ApiKeyId, parseApiKeyId, parseUserId, photoIdBytes, photoIdFrom, type UserId } from './ids.js'
import { CREDENTIAL_LABEL_CHARACTERS_MAX } from './limits.js'
import { type Change, type DirectoryRecord, shownVersion } from './record.js'
import { bytesOf, cutLine, mapOf, textOf, timeOf } from './value-fields.js'

export const API_KEY_KIND = 'key'
export const API_KEY_SECRET_BYTES = 32
/** What a key lets a program do of what its account may do. */
export const API_KEY_SCOPES = ['read', 'write', 'upload', 'metrics', 'admin'] as const
export type ApiKeyScope = (typeof API_KEY_SCOPES)[number]

const SHA256_BYTES = 32
const CHECK_CHARACTERS = 2
const TEXT = /^(sheaf_([0-9a-f]{32})_([\w-]{43}))([\w-]{2})$/

export interface NewApiKey {
  readonly userId: UserId
  readonly sha256: Uint8Array
  readonly scopes: readonly ApiKeyScope[]
  readonly label: string | undefined
  readonly createdAtMs: number
  /** Undefined: until it is deleted. */
  readonly untilMs: number | undefined
}

export interface ApiKey extends NewApiKey {
  readonly id: ApiKeyId
  readonly isDeleted: boolean
}

export interface ApiKeyText {
  readonly id: ApiKeyId
  readonly secret: Uint8Array
}

/** Bounded, since another node may have written the record. @returns undefined for what is no key of anybody */
export function viewApiKey(record: DirectoryRecord): ApiKey | undefined {
  const id = record.kind === API_KEY_KIND ? parseApiKeyId(record.id) : undefined
  if (id === undefined || id !== record.id) return undefined
  const { value, deleted } = shownVersion(record)
  const userId = parseUserId(textOf(value, 'user') ?? '')
  const sha256 = bytesOf(value, 'sha256', SHA256_BYTES)
  const createdAtMs = timeOf(value, 'created')
  if (value.get('type') !== 'api' || userId === undefined || sha256 === undefined || createdAtMs === undefined)
    return undefined
  const scopes = value.get('scopes')
  // an end that cannot be read is no reason to live for ever
  const untilMs = value.has('until') ? (timeOf(value, 'until') ?? 0) : undefined
  return {
    id,
    isDeleted: deleted,
    userId,
    sha256,
    scopes: API_KEY_SCOPES.filter(scope => Array.isArray(scopes) && scopes.includes(scope)),
    label: cutLine(textOf(value, 'label'), CREDENTIAL_LABEL_CHARACTERS_MAX),
    createdAtMs,
    untilMs
  }
}

export function createApiKeyChanges({ userId, sha256, scopes, label, createdAtMs, untilMs }: NewApiKey): Change[] {
  const fields = { user: userId, type: 'api', sha256, scopes: [...scopes], label, created: createdAtMs, until: untilMs }
  return [{ kind: 'version', deleted: false, value: mapOf(fields) }]
}

/** @returns no changes if it is deleted already */
export function deleteApiKeyChanges(record: DirectoryRecord): Change[] {
  const { deleted, value } = shownVersion(record)
  return deleted ? [] : [{ kind: 'version', deleted: true, value }]
}

/** @param secret - API_KEY_SECRET_BYTES random bytes */
export function formatApiKey({ id, secret }: ApiKeyText): string {
  const text = `sheaf_${hexOfId(id)}_${Buffer.from(secret).toString('base64url')}`
  return text + checkOf(text)
}

/** @returns undefined for anything that `formatApiKey` did not write, such as what has a typo */
export function parseApiKey(text: string): ApiKeyText | undefined {
  const [, body = '', hex = '', secret = '', check] = TEXT.exec(text) ?? []
  if (check === undefined || check !== checkOf(body)) return undefined
  return { id: photoIdFrom(Buffer.from(hex, 'hex')) as string as ApiKeyId, secret: Buffer.from(secret, 'base64url') }
}

/** Whether a text is meant as a key, well-formed or not. */
export function isLikeApiKey(text: string): boolean {
  return text.startsWith('sheaf_')
}

/** @returns what a record has instead of the secret. It is 256 random bits, so one hash is enough. */
export function apiKeyDigest(secret: Uint8Array): Uint8Array {
  return createHash('sha256').update(secret).digest()
}

/** In constant time. */
export function isSecretOf({ sha256 }: Pick<ApiKey, 'sha256'>, secret: Uint8Array): boolean {
  return timingSafeEqual(sha256, apiKeyDigest(secret))
}

function hexOfId(id: ApiKeyId): string {
  return Buffer.from(photoIdBytes(id as string as PhotoId)).toString('hex')
}

function checkOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, CHECK_CHARACTERS)
}
