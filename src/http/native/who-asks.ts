import type { FastifyRequest } from 'fastify'
import type { UserId } from '../../domain/ids.js'
import { badField } from '../../photos/photo-rules.js'
import type { ListFilters } from '../../photos/photo-types.js'

type Asked = Pick<FastifyRequest, 'asker'>

/** @returns the account whose photos those are that the request uploads; undefined: nobody's */
export function userOf({ asker: { principal } }: Asked): UserId | undefined {
  return principal.kind === 'user' ? principal.userId : undefined
}

/** @returns the filters with an account in the place of `me`. @throws `ERR_BAD_PARAMETER` for nobody's account */
export function filtersBy<Filters extends ListFilters>(request: Asked, filters: Filters): Filters {
  if (filters.owner !== 'me') return filters
  const owner = userOf(request)
  if (owner === undefined) throw badField('owner', 'owner=me is for those who have an account: log in, or send its id')
  return { ...filters, owner }
}
