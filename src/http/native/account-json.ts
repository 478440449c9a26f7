import type { ListedApiKey } from '../../accounts/api-keys.js'
import type { ListedInvite } from '../../accounts/invites.js'
import type { ListedUser } from '../../accounts/users.js'
import type { SessionId } from '../../domain/ids.js'
import type { Session } from '../../domain/session-record.js'
import { timeJson, timeOrNull } from './json-forms.js'

export function userJson(user: ListedUser): object {
  return {
    user_id: user.id,
    name: user.name,
    display: user.display ?? null,
    mail: user.mail ?? null,
    role: user.role,
    state: user.state,
    has_password: user.hasPassword,
    contested: user.isContested || user.isNameContested,
    closed_until: timeOrNull(user.closing?.untilMs),
    ...roomJson(user),
    created_at: timeJson(user.createdAtMs)
  }
}

/** What somebody's photos take, and what they may. */
export function roomJson({ quota, usage }: Pick<ListedUser, 'quota' | 'usage'>): object {
  return { quota: { bytes: quota.bytes ?? null, photos: quota.photos ?? null }, usage: usage ?? null }
}

/** @param current - the session of the request */
export function sessionJson(session: Session, current: SessionId | undefined): object {
  return {
    session_id: session.id,
    label: session.label ?? null,
    node: session.node ?? null,
    current: session.id === current,
    created_at: timeJson(session.createdAtMs),
    expires_at: timeJson(session.untilMs)
  }
}

export function apiKeyJson(key: ListedApiKey): object {
  return {
    key_id: key.id,
    label: key.label ?? null,
    scopes: key.scopes,
    created_at: timeJson(key.createdAtMs),
    expires_at: timeOrNull(key.untilMs)
  }
}

export function inviteJson(invite: ListedInvite): object {
  return {
    invite_id: invite.id,
    role: invite.role,
    label: invite.label ?? null,
    by: invite.by === 'operator' ? null : invite.by,
    created_at: timeJson(invite.createdAtMs),
    expires_at: timeJson(invite.untilMs)
  }
}
