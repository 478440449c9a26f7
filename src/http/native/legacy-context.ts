import type { FastifyRequest } from 'fastify'
import { SheafError } from '../../core/errors.js'
import type { UserPrincipal } from '../../domain/principal.js'
import type { Refusals } from './refusals.js'
import type { RouteContext } from './route-context.js'

/** What the paths of older designs share. */
export interface LegacyContext extends RouteContext {
  readonly accounts: NonNullable<RouteContext['accounts']>
  readonly refusals: Pick<Refusals, 'refuseAs'>
}

/** @throws `ERR_UNAUTHENTICATED` for nobody who has an account */
export function legacyUser({ asker: { principal } }: Pick<FastifyRequest, 'asker'>): UserPrincipal {
  if (principal.kind !== 'user') throw new SheafError('ERR_UNAUTHENTICATED', 'send the `token` of a log-in')
  return principal
}
