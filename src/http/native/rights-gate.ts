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
    /**
     * Who sends it is told by a token in the query or the body, and not by its headers: `fields` are there before the handler is
     * called, a `form` is read by the handler, which then calls `identify`.
     */
    readonly tokenIn?: 'fields' | 'form'
  }
  interface FastifyRequest {
    /** Who sends it. */
    asker: Asker
    /** What that one may do. */
    rights: ReadonlySet<Right>
    /** Takes whoever has that token for its sender. @throws what a token that is not in force does, `ERR_FORBIDDEN` */
    identify(token: string): Promise<void>
    /**
     * Asks once more whether the one who sent it may, for one that goes on for long: an account or a session may have ended, or have
     * got another role.
     *
     * @throws as it would be refused now
     */
    requireStill(): Promise<void>
    /** The token that it has been told by. */
    identifiedBy: string | undefined
  }
}

const NOBODY: Asker = { principal: { kind: 'anonymous' } }

/**
 * The one place where requests are refused for want of a right: no handler checks one. An app does not build with an operation
 * that says none. Who is not known is told before the body is read, what one may not do after bad parameters.
 *
 * @param app - to be given before its routes are added
 */
export function addRightsGate(
  app: FastifyInstance,
  principals: Pick<Principals, 'of' | 'ofToken' | 'needAccount'>
): void {
  app.addHook('onRoute', ({ schema, method, url }) => {
    invariant(schema?.rights !== undefined, `${[method].flat().join(', ')} ${url} says which rights it needs`)
  })
  app.decorateRequest('asker')
  app.decorateRequest('rights')
  app.decorateRequest('identifiedBy')
  const requireRights = (request: FastifyRequest, { principal }: Asker): ReadonlySet<Right> => {
    const rights = rightsOf(principal, principals.needAccount)
    const lack = lackOf(rights, needsOf(request), request.query as object)
    if (lack === undefined) return rights
    if (principal.kind === 'anonymous' && principals.needAccount) throw new SheafError('ERR_UNAUTHENTICATED')
    throw refusal(request, lack, principal)
  }
  app.decorateRequest('identify', async function (this: FastifyRequest, token: string): Promise<void> {
    const asker = await principals.ofToken(token, this.raw)
    this.rights = requireRights(this, asker)
    this.asker = asker
    this.identifiedBy = token
  })
  app.decorateRequest('requireStill', async function (this: FastifyRequest): Promise<void> {
    const { identifiedBy: token, raw } = this
    requireRights(this, await (token === undefined ? principals.of(raw) : principals.ofToken(token, raw)))
  })
  app.addHook('onRequest', async request => {
    const { needs } = needsOf(request)
    if (request.routeOptions.schema?.tokenIn !== undefined) {
      request.asker = NOBODY
      request.rights = rightsOf(NOBODY.principal, principals.needAccount)
      return
    }
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
    const { tokenIn } = request.routeOptions.schema ?? {}
    const isToBeTold = tokenIn !== undefined && request.asker.principal.kind === 'anonymous'
    const lack = lackOf(request.rights, needsOf(request), request.query as object)
    if (isToBeTold && tokenIn === 'form') done()
    else if (isToBeTold && lack !== undefined)
      done(new SheafError('ERR_UNAUTHENTICATED', 'send the `token` of a log-in'))
    else done(lack === undefined ? undefined : refusal(request, lack, request.asker.principal))
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
