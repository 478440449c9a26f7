import type { Role } from './access.js'
import type { ApiKeyScope } from './api-key.js'
import type { Principal } from './principal.js'

/**
 * What requests can do with a node: `download` gets originals, `share` says to whom albums are open; `account` is about one's own account, `accounts` about those of others as well; `jobs` follows
 * and stops what was begun, by its id; `watch` looks at the node and its cluster, `maintain` starts work that loses nothing, `operate`
 * starts work that does, or that changes who the members are; `metrics` reads figures.
 */
export const RIGHTS = [
  'read',
  'download',
  'upload',
  'edit',
  'delete',
  'share',
  'account',
  'accounts',
  'jobs',
  'watch',
  'maintain',
  'operate',
  'metrics'
] as const
export type Right = (typeof RIGHTS)[number]

/** The rights that an operation needs, all of them. */
export interface Needs {
  readonly needs: readonly Right[]
  /** Those that it needs as well where a flag of the query is set, by the name of the flag. */
  readonly with?: Readonly<Record<string, readonly Right[]>>
}

const NONE: ReadonlySet<Right> = new Set()
/** While there are no accounts, everybody who reaches the node may do all but what only its operator may. */
const OPEN: ReadonlySet<Right> = new Set([
  'read',
  'download',
  'upload',
  'edit',
  'delete',
  'jobs',
  'watch',
  'maintain',
  'metrics'
])
/** Who can read the data folder of a node may do all with it, but log in as nobody: photos are for people. */
const OPERATOR: ReadonlySet<Right> = new Set(['account', 'accounts', 'jobs', 'watch', 'maintain', 'operate', 'metrics'])
const OPEN_OPERATOR: ReadonlySet<Right> = new Set([...OPEN, ...OPERATOR])

const OF_GUESTS: readonly Right[] = ['read', 'download', 'account']
const OF_USERS: readonly Right[] = [...OF_GUESTS, 'upload', 'edit', 'delete', 'share', 'jobs']
const BY_ROLE: Readonly<Record<Role, ReadonlySet<Right>>> = {
  guest: new Set(OF_GUESTS),
  user: new Set(OF_USERS),
  auditor: new Set([...OF_USERS, 'watch', 'metrics']),
  admin: new Set([...OF_USERS, ...OPERATOR])
}

/** Nothing that has to do with accounts, or with who sees what: a key that leaks must not make another one, nor open an album. */
const BY_SCOPE: Readonly<Record<ApiKeyScope, readonly Right[]>> = {
  read: ['read', 'download'],
  write: ['edit', 'delete', 'jobs'],
  upload: ['upload'],
  metrics: ['metrics'],
  admin: ['jobs', 'watch', 'maintain', 'operate']
}

/** @param needsAccount - whether requests need an account */
export function rightsOf(principal: Principal, needsAccount: boolean): ReadonlySet<Right> {
  switch (principal.kind) {
    case 'anonymous':
      return needsAccount ? NONE : OPEN
    case 'operator':
      return needsAccount ? OPERATOR : OPEN_OPERATOR
    case 'link':
      return new Set<Right>(['read', ...principal.gives])
    case 'user': {
      const ofRole = BY_ROLE[principal.role]
      if ('session' in principal.via) return ofRole
      return new Set(principal.via.scopes.flatMap(scope => BY_SCOPE[scope]).filter(right => ofRole.has(right)))
    }
  }
}

/** @returns every right that an operation can need, whatever its query is */
export function everyNeed({ needs, with: more = {} }: Needs): readonly Right[] {
  return [...new Set([...needs, ...Object.values(more).flat()])]
}

/** @returns what is needed and not among the rights, if anything is */
export function lackOf(
  rights: ReadonlySet<Right>,
  { needs, with: more = {} }: Needs,
  query: object
): Right | undefined {
  const flags = Object.keys(more).filter(flag => (query as Readonly<Record<string, unknown>>)[flag] === true)
  return [...needs, ...flags.flatMap(flag => more[flag] ?? [])].find(right => !rights.has(right))
}
