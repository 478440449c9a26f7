import type { Principal } from './principal.js'

/**
 * What requests can do with a node: `watch` looks at the node and its cluster, `maintain` starts work that loses nothing,
 * `operate` starts work that does, or that changes who the members are.
 */
export const RIGHTS = ['read', 'upload', 'edit', 'delete', 'watch', 'maintain', 'operate'] as const
export type Right = (typeof RIGHTS)[number]

/** The rights that an operation needs, all of them. */
export interface Needs {
  readonly needs: readonly Right[]
  /** Those that it needs as well where a flag of the query is set, by the name of the flag. */
  readonly with?: Readonly<Record<string, readonly Right[]>>
}

/** Of everybody who reaches the node, since there are no accounts. */
const ANONYMOUS: ReadonlySet<Right> = new Set(RIGHTS.filter(right => right !== 'operate'))
const OPERATOR: ReadonlySet<Right> = new Set(RIGHTS)

export function rightsOf({ kind }: Principal): ReadonlySet<Right> {
  return kind === 'operator' ? OPERATOR : ANONYMOUS
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
