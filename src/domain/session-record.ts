/*
 * A log-in, as a record of the kind 'session', id = a UUID. It lives, or is ended for ever.
 *
 *   field     key   value
 *   version   –     user, cred, label?, node?, created (ms), until (ms, fixed at birth)
 */
import type { CredentialId } from './access.js'
import { parseSessionId, parseUserId, type SessionId, type UserId } from './ids.js'
import { CREDENTIAL_LABEL_CHARACTERS_MAX } from './limits.js'
import { type Change, type DirectoryRecord, shownVersion } from './record.js'
import { cutLine, mapOf, textOf, timeOf } from './value-fields.js'

export const SESSION_KIND = 'session'
/** No session lives longer, whatever its record says. */
export const SESSION_MS_MAX = 30 * 24 * 3_600_000
const CREDENTIAL_CHARACTERS_MAX = 80
const NODE_CHARACTERS_MAX = 64

export interface NewSession {
  readonly userId: UserId
  /** Of the password that it was begun with. */
  readonly credential: CredentialId
  /** What the client says of itself. */
  readonly label?: string | undefined
  /** The node that began it. */
  readonly node?: string | undefined
  readonly createdAtMs: number
  readonly untilMs: number
}

export interface Session extends NewSession {
  readonly id: SessionId
  readonly isEnded: boolean
}

/** Bounded, since another node may have written the record. @returns undefined for what is no session of anybody */
export function viewSession(record: DirectoryRecord): Session | undefined {
  const id = record.kind === SESSION_KIND ? parseSessionId(record.id) : undefined
  if (id === undefined || id !== record.id) return undefined
  const { value, deleted } = shownVersion(record)
  const userId = parseUserId(textOf(value, 'user') ?? '')
  const credential = textOf(value, 'cred')
  const createdAtMs = timeOf(value, 'created')
  const untilMs = timeOf(value, 'until')
  if (userId === undefined || credential === undefined || createdAtMs === undefined || untilMs === undefined)
    return undefined
  return {
    id,
    isEnded: deleted,
    userId,
    credential: credential.slice(0, CREDENTIAL_CHARACTERS_MAX),
    label: cutLine(textOf(value, 'label'), CREDENTIAL_LABEL_CHARACTERS_MAX),
    node: cutLine(textOf(value, 'node'), NODE_CHARACTERS_MAX),
    createdAtMs,
    untilMs: Math.min(untilMs, createdAtMs + SESSION_MS_MAX)
  }
}

export function createSessionChanges(session: NewSession): Change[] {
  return [{ kind: 'version', deleted: false, value: fieldsOf(session) }]
}

/**
 * @param record - undefined: not heard of here; then its end is written, which beats its birth when that comes
 * @returns no changes if it is ended already
 */
export function endSessionChanges(record: DirectoryRecord | undefined, session: NewSession): Change[] {
  if (record === undefined) return [{ kind: 'version', deleted: true, value: fieldsOf(session) }]
  const { deleted, value } = shownVersion(record)
  return deleted ? [] : [{ kind: 'version', deleted: true, value }]
}

function fieldsOf({ userId, credential, label, node, createdAtMs, untilMs }: NewSession): ReturnType<typeof mapOf> {
  return mapOf({ user: userId, cred: credential, label, node, created: createdAtMs, until: untilMs })
}
