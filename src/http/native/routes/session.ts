import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { LoggedIn } from '../../../accounts/sessions.js'
import { SheafError } from '../../../core/errors.js'
import type { Principal } from '../../../domain/principal.js'
import { RIGHTS, type Right, rightsOf } from '../../../domain/rights.js'
import { isPresent } from '../../../network/membership/member-view.js'
import { roomJson } from '../account-json.js'
import { timeOrNull } from '../json-forms.js'
import type { RouteContext } from '../route-context.js'
import { loginSchema, logoutSchema, sessionSchema } from '../schemas/account-schemas.js'

export interface LoginBody {
  readonly name: string
  readonly password: string
  readonly label?: string
}

/** Who asks: logging browsers in and out, and what the page offers. */
export function addSessionRoutes(app: FastifyInstance, context: RouteContext): void {
  const { cluster, init, accounts } = context

  /** @param expiresAtMs - undefined: whoever asks sends something that does not end by itself */
  const stateOf = async (
    principal: Principal,
    rights: ReadonlySet<Right>,
    expiresAtMs: number | undefined
  ): Promise<object> => {
    const needsAccount = accounts?.isRequired === true
    const members = await cluster.members()
    const isKnown = !needsAccount || principal.kind !== 'anonymous'
    return {
      user: principal.kind === 'user' ? meJson(context, principal) : null,
      accounts: needsAccount,
      signup: accounts?.signups.mode ?? 'off',
      can: RIGHTS.filter(right => rights.has(right)),
      expires_at: timeOrNull(expiresAtMs),
      node: { id: init.nodeId, name: members.find(({ self }) => self)?.name ?? '' },
      nodes: members
        .filter(({ self, state, http = [] }) => isKnown && !self && state !== 'left' && http.length > 0)
        .sort((a, b) => Number(isPresent(b.state)) - Number(isPresent(a.state)))
        .map(({ id, name, http = [] }) => ({ id, name, http }))
    }
  }

  // a session that is used goes on, up to its end
  app.addHook('preHandler', async (request, reply) => {
    const { principal, cookie } = request.asker
    if (cookie === undefined || principal.kind !== 'user' || !('session' in principal.via)) return
    const token = await accounts?.sessions.renew(principal.via.session, cookie.expiresAtMs)
    if (token !== undefined) setCookie(context, request, reply, { token })
  })

  app.get('/session', { schema: sessionSchema }, ({ asker, rights }) =>
    stateOf(asker.principal, rights, asker.cookie?.expiresAtMs)
  )

  app.post<{ Body: LoginBody }>('/session', { schema: loginSchema }, async (request, reply) => {
    const { sessions } = requireAccounts(context)
    const { token } = await login(context, request)
    // whoever has set a session before must not have this one
    const { cookie } = request.asker
    if (cookie !== undefined) await sessions.logOut(cookie.token)
    setCookie(context, request, reply, { token })
    const { principal } = await requireAccounts(context).authenticate(token.text, context.addressOf(request))
    return stateOf(principal, rightsOf(principal, true), token.expiresAtMs)
  })

  app.delete('/session', { schema: logoutSchema }, async (request, reply) => {
    const { cookie } = request.asker
    if (cookie !== undefined) await accounts?.sessions.logOut(cookie.token)
    reply.code(204)
    clearCookie(context, request, reply)
  })
}

/** @throws `ERR_NO_ACCOUNTS` */
export function requireAccounts({ accounts }: RouteContext): NonNullable<RouteContext['accounts']> {
  if (accounts?.haveBeen !== true) throw new SheafError('ERR_NO_ACCOUNTS')
  return accounts
}

/** @throws as `Sessions.login` */
export function login(context: RouteContext, request: FastifyRequest<{ Body: LoginBody }>): Promise<LoggedIn> {
  const { name, password, label = request.headers['user-agent'] } = request.body
  const address = context.addressOf(request)
  return requireAccounts(context).sessions.login(name, password, { address, label })
}

export function setCookie(
  { cookie, clock, isSecure }: RouteContext,
  request: FastifyRequest,
  reply: FastifyReply,
  { token }: Pick<LoggedIn, 'token'>
): void {
  const seconds = (token.expiresAtMs - clock.now()) / 1_000
  if (cookie !== undefined) reply.header('set-cookie', cookie.write(token.text, seconds, isSecure(request)))
}

function clearCookie({ cookie, isSecure }: RouteContext, request: FastifyRequest, reply: FastifyReply): void {
  if (cookie !== undefined) reply.header('set-cookie', cookie.clear(isSecure(request)))
}

function meJson(context: RouteContext, { userId, name, role }: Extract<Principal, { kind: 'user' }>): object {
  const user = requireAccounts(context).users.get(userId)
  return { user_id: userId, name, display: user.display ?? null, role, state: user.state, ...roomJson(user) }
}
