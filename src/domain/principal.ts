import type { Role } from './access.js'
import type { ApiKeyScope } from './api-key.js'
import type { OpenedLink } from './audience.js'
import type { ApiKeyId, SessionId, UserId } from './ids.js'

/**
 * Who sends a request, as far as a node can tell.
 *
 * - `anonymous`: sends nothing that names anybody
 * - `operator`: can read the data folder of the node, and so has its token
 * - `user`: has an account
 * - `link`: has none, and has opened share links
 */
export type Principal = { readonly kind: 'anonymous' } | { readonly kind: 'operator' } | UserPrincipal | LinkPrincipal

export interface LinkPrincipal {
  readonly kind: 'link'
  /** Those in force; at least one. */
  readonly links: readonly OpenedLink[]
  /** What some of these give beside reading. */
  readonly gives: readonly ('download' | 'upload')[]
}

export interface UserPrincipal {
  readonly kind: 'user'
  readonly userId: UserId
  /** As people see it: no two accounts have the same one. */
  readonly name: string
  readonly role: Role
  readonly via: { readonly session: SessionId } | { readonly key: ApiKeyId; readonly scopes: readonly ApiKeyScope[] }
}
