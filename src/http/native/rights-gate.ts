import type { FastifyInstance, FastifyRequest } from 'fastify'
import { SheafError } from '../../core/errors.js'
import { invariant } from '../../core/invariant.js'
import { OPERATOR_TOKEN_FILE } from '../../core/operator-token.js'
import type { Principal } from '../../domain/principal.js'
import { lackOf, type Needs, type Right, rightsOf } from '../../domain/rights.js'
import type { Asker, Principals } from '../wire/principals.js'

declare module 'fastify' {
  interface FastifySchema {
    /** Who may: every operation says it. */
    readonly rights?: Needs
  }
  interface FastifyRequest {
    /** Who sends it. */
    asker: Asker
    /** What that one may do. */
    rights: ReadonlySet<Right>
    /** Whether the one who sent it may still have the answer, for one that goes on for long: an account or a session may have ended. */
    stillMay(): Promise<boolean>
  }
}

const NOBODY: Asker = { principal: { kind: 'anonymous' } }

/**
 * The one place where requests are refused for want of a right: no handler checks one. An app does not build with an operation
 * that says none. Who is not known is told before the body is read, what one may not do after bad parameters.
 *
 * @param app - to be given before its routes are added
 */
export function addRightsGate(app: FastifyInstance, principals: Pick<Principals, 'of' | 'needAccount'>): void {
  app.addHook('onRoute', ({ schema, method, url }) => {
    invariant(schema?.rights !== undefined, `${[method].flat().join(', ')} ${url} says which rights it needs`)
  })
  app.decorateRequest('asker')
  app.decorateRequest('rights')
  app.decorateRequest('stillMay', async function (this: FastifyRequest): Promise<boolean> {
    const asker = await principals.of(this.raw).catch(() => NOBODY)
    return lackOf(rightsOf(asker.principal, principals.needAccount), needsOf(this), this.query as object) === undefined
  })
  app.addHook('onRequest', async request => {
    const { needs } = needsOf(request)
    request.asker = await principals.of(request.raw).catch((err: unknown) => {
      // whoever asks for what is everybody's may have a session that has ended: how else could he log in
      if (needs.length > 0) throw err
      return NOBODY
    })
    const { principal } = request.asker
    request.rights = rightsOf(principal, principals.needAccount)
    // an act of the operator is refused as such
    if (principal.kind === 'anonymous' && principals.needAccount && needs.length > 0 && !needs.includes('operate'))
      throw new SheafError('ERR_UNAUTHENTICATED')
  })
  app.addHook('preHandler', (request, _reply, done) => {
    const lack = lackOf(request.rights, needsOf(request), request.query as object)
    done(lack === undefined ? undefined : refusal(request, lack, request.asker.principal))
  })
}

function needsOf(request: FastifyRequest): Needs {
  const { rights } = request.routeOptions.schema ?? {}
  invariant(rights !== undefined, 'only operations have handlers')
  return rights
}

function refusal({ headers }: FastifyRequest, lack: Right, principal: Principal): SheafError {
  if (principal.kind !== 'anonymous') return new SheafError('ERR_FORBIDDEN', lacking(lack, principal))
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

function lacking(right: Right, principal: Exclude<Principal, { kind: 'anonymous' }>): string {
  if (principal.kind === 'operator') return `this needs the right \`${right}\`: log in as somebody who has an account`
  if (principal.kind === 'link') return `this needs the right \`${right}\`, which the link does not give`
  const { role, via } = principal
  return 'key' in via
    ? `this needs the right \`${right}\`, which this API key does not give`
    : `this needs the right \`${right}\`, which the role ${role} does not have; an administrator can give it`
}
