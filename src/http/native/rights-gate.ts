import type { FastifyInstance, FastifyRequest } from 'fastify'
import { SheafError } from '../../core/errors.js'
import { invariant } from '../../core/invariant.js'
import { OPERATOR_TOKEN_FILE } from '../../core/operator-token.js'
import type { Principal } from '../../domain/principal.js'
import { lackOf, type Needs, rightsOf } from '../../domain/rights.js'
import type { Principals } from '../wire/principals.js'

declare module 'fastify' {
  interface FastifySchema {
    /** Who may: every operation says it. */
    readonly rights?: Needs
  }
  interface FastifyRequest {
    /** Who sends it. */
    principal: Principal
  }
}

/**
 * The one place where requests are refused for want of a right: no handler checks one. An app does not build with an operation
 * that says none. Bad parameters are said before.
 *
 * @param app - to be given before its routes are added
 */
export function addRightsGate(app: FastifyInstance, principals: Pick<Principals, 'of'>): void {
  app.addHook('onRoute', ({ schema, method, url }) => {
    invariant(schema?.rights !== undefined, `${[method].flat().join(', ')} ${url} says which rights it needs`)
  })
  app.decorateRequest('principal')
  app.addHook('onRequest', (request, _reply, done) => {
    request.principal = principals.of(request.headers)
    done()
  })
  app.addHook('preHandler', (request, _reply, done) => {
    const { rights } = request.routeOptions.schema ?? {}
    invariant(rights !== undefined, 'only operations have handlers')
    const lack = lackOf(rightsOf(request.principal), rights, request.query as object)
    done(lack === undefined ? undefined : notOperator(request))
  })
}

function notOperator({ headers }: FastifyRequest): SheafError {
  const fault =
    headers.authorization === undefined
      ? "this needs the operator's token"
      : "this is not the operator's token of this node"
  return new SheafError(
    'ERR_NOT_OPERATOR',
    `${fault}: send \`Authorization: Bearer TOKEN\` with what ${OPERATOR_TOKEN_FILE} in its data folder holds, which each ` +
      'start writes anew; `sheaf` reads it from --data DIR or --token-file FILE'
  )
}
