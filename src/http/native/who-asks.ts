import type { FastifyRequest } from 'fastify'
import type { Job } from '../../admin/jobs.js'
import type { Person } from '../../domain/audience.js'
import type { UserId } from '../../domain/ids.js'
import type { Principal } from '../../domain/principal.js'
import { badField } from '../../photos/photo-rules.js'
import type { ListFilters } from '../../photos/photo-types.js'

type Asked = Pick<FastifyRequest, 'asker'>

/** @returns undefined: somebody without an account, or a node's operator */
export function personOf(principal: Principal): Person | undefined {
  return principal.kind === 'user' ? { userId: principal.userId, role: principal.role } : undefined
}

/** @returns the account whose photos those are that the request uploads; undefined: nobody's */
export function userOf({ asker }: Asked): UserId | undefined {
  return personOf(asker.principal)?.userId
}

/**
 * @param job - what somebody has begun
 * @returns whether it is told, and can be stopped: to that one and to who looks after the node; where no account is needed, to all
 */
export function followsJob(request: Pick<FastifyRequest, 'asker' | 'rights'>, { owner }: Pick<Job, 'owner'>): boolean {
  return request.rights.has('watch') || (owner !== undefined && owner === userOf(request))
}

/** @returns the filters with an account in the place of `me`. @throws `ERR_BAD_PARAMETER` for nobody's account */
export function filtersBy<Filters extends ListFilters>(request: Asked, filters: Filters): Filters {
  if (filters.owner !== 'me') return filters
  const owner = userOf(request)
  if (owner === undefined) throw badField('owner', 'owner=me is for those who have an account: log in, or send its id')
  return { ...filters, owner }
}
