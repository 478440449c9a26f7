/*
 * An invite, as a record of the kind 'invite', id = a UUID. Whoever has its text may make one account. It lives, or is over for
 * ever: used, or taken back.
 *
 *   field     key   value
 *   version   –     by (id of a user | operator), sha256 (32 bytes, of the secret's bytes), role: guest | user, label?,
 *                   created (ms), until (ms), user? (the account that was made with it)
 *
 * Its text is 64 characters of base64url: the 16 bytes of the id, then 32 random bytes.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { Doer, Role } from './access.js'
import {
  type InviteId,
  type PhotoId,
  parseInviteId,
  parseUserId,
  photoIdBytes,
  photoIdFrom,
  type UserId
} from './ids.js'
import { CREDENTIAL_LABEL_CHARACTERS_MAX, INVITE_DAYS_MAX } from './limits.js'
import { type Change, type DirectoryRecord, shownVersion } from './record.js'
import { bytesOf, cutLine, mapOf, textOf, timeOf } from './value-fields.js'

export const INVITE_KIND = 'invite'
/** Who may make an account for himself at a node. */
export const SIGNUPS = ['off', 'invite', 'open'] as const
export type Signup = (typeof SIGNUPS)[number]

export const INVITE_SECRET_BYTES = 32
/** What an account may be that nobody has looked at who gets it. */
export const INVITE_ROLES = ['guest', 'user'] as const satisfies readonly Role[]
export type InviteRole = (typeof INVITE_ROLES)[number]
/** No invite lives longer, whatever its record says. */
export const INVITE_MS_MAX = INVITE_DAYS_MAX * 24 * 3_600_000

const ID_BYTES = 16
const SHA256_BYTES = 32
const TEXT = /^[\w-]{64}$/

export interface NewInvite {
  readonly by: Doer
  readonly sha256: Uint8Array
  readonly role: InviteRole
  readonly label: string | undefined
  readonly createdAtMs: number
  readonly untilMs: number
}

export interface Invite extends NewInvite {
  readonly id: InviteId
  /** It was used, or taken back. */
  readonly isOver: boolean
}

export interface InviteText {
  readonly id: InviteId
  readonly secret: Uint8Array
}

/** Bounded, since another node may have written the record. @returns undefined for what is no invite of anybody */
export function viewInvite(record: DirectoryRecord): Invite | undefined {
  const id = record.kind === INVITE_KIND ? parseInviteId(record.id) : undefined
  if (id === undefined || id !== record.id) return undefined
  const { value, deleted } = shownVersion(record)
  const by = textOf(value, 'by') ?? ''
  const giver = by === 'operator' ? by : parseUserId(by)
  const sha256 = bytesOf(value, 'sha256', SHA256_BYTES)
  const createdAtMs = timeOf(value, 'created')
  const untilMs = timeOf(value, 'until')
  if (giver === undefined || sha256 === undefined || createdAtMs === undefined || untilMs === undefined)
    return undefined
  return {
    id,
    isOver: deleted,
    by: giver,
    sha256,
    role: INVITE_ROLES.find(role => role === value.get('role')) ?? 'guest',
    label: cutLine(textOf(value, 'label'), CREDENTIAL_LABEL_CHARACTERS_MAX),
    createdAtMs,
    untilMs: Math.min(untilMs, createdAtMs + INVITE_MS_MAX)
  }
}

export function createInviteChanges({ by, sha256, role, label, createdAtMs, untilMs }: NewInvite): Change[] {
  const fields = { by, sha256, role, label, created: createdAtMs, until: untilMs }
  return [{ kind: 'version', deleted: false, value: mapOf(fields) }]
}

/** @param user - the account that is made with it; undefined: it is taken back. @returns no changes if it is over already */
export function endInviteChanges(record: DirectoryRecord, user?: UserId): Change[] {
  const { deleted, value } = shownVersion(record)
  if (deleted) return []
  return [{ kind: 'version', deleted: true, value: user === undefined ? value : new Map(value).set('user', user) }]
}

/** @param secret - INVITE_SECRET_BYTES random bytes */
export function formatInvite({ id, secret }: InviteText): string {
  return Buffer.concat([photoIdBytes(id as string as PhotoId), secret]).toString('base64url')
}

/** @returns undefined for anything that `formatInvite` did not write */
export function parseInvite(text: string): InviteText | undefined {
  if (!TEXT.test(text)) return undefined
  const bytes = Buffer.from(text, 'base64url')
  return { id: photoIdFrom(bytes.subarray(0, ID_BYTES)) as string as InviteId, secret: bytes.subarray(ID_BYTES) }
}

/** @returns what a record has instead of the secret. It is 256 random bits, so one hash is enough. */
export function inviteDigest(secret: Uint8Array): Uint8Array {
  return createHash('sha256').update(secret).digest()
}

/** In constant time. */
export function opensInvite({ sha256 }: Pick<Invite, 'sha256'>, secret: Uint8Array): boolean {
  return timingSafeEqual(sha256, inviteDigest(secret))
}
