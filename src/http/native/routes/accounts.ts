import type { FastifyInstance, FastifyRequest } from 'fastify'
import { SheafError } from '../../../core/errors.js'
import type { AccountState, Doer, Inheritance, Role } from '../../../domain/access.js'
import { type ApiKeyId, parseUserId, type SessionId, type UserId } from '../../../domain/ids.js'
import type { UserPrincipal } from '../../../domain/principal.js'
import type { UserEdit } from '../../../domain/user.js'
import { apiKeyJson, sessionJson, userJson } from '../account-json.js'
import { timeJson } from '../json-forms.js'
import { type RouteContext, requirePhotoId } from '../route-context.js'
import {
  closeUserSchema,
  createKeySchema,
  createUserSchema,
  deleteKeySchema,
  endSessionSchema,
  keysSchema,
  passwordSchema,
  patchUserSchema,
  roleSchema,
  sessionsSchema,
  stateSchema,
  tokenKeysSchema,
  tokensSchema,
  userSchema,
  usersSchema
} from '../schemas/account-schemas.js'
import { type LoginBody, login, requireAccounts, setCookie } from './session.js'

interface IdParams {
  readonly id: string
}

interface TokensBody extends Partial<LoginBody> {
  readonly refresh_token?: string
}

interface NewUserBody {
  readonly name: string
  readonly password?: string
  readonly display?: string
  readonly mail?: string
  readonly role: Role
}

type AccountsContext = RouteContext & { readonly accounts: NonNullable<RouteContext['accounts']> }

/** Accounts, their sessions, and the tokens and keys of programs. */
export function addAccountRoutes(app: FastifyInstance, context: AccountsContext): void {
  addTokenRoutes(app, context)
  addOwnRoutes(app, context)
  addUserRoutes(app, context)
}

function addTokenRoutes(app: FastifyInstance, context: AccountsContext): void {
  app.post<{ Body: TokensBody }>('/v1/tokens', { schema: tokensSchema }, async request => {
    const { sessions } = requireAccounts(context)
    const { name, password, refresh_token: refreshToken } = request.body
    const isLogin = name !== undefined && password !== undefined
    if (isLogin === (refreshToken !== undefined))
      throw new SheafError('ERR_BAD_PARAMETER', 'the body must be {name, password} or {refresh_token}')
    if (refreshToken !== undefined) {
      const { text, expiresAtMs } = await sessions.refresh(refreshToken, context.addressOf(request))
      return { access_token: text, refresh_token: null, expires_at: timeJson(expiresAtMs) }
    }
    const { session } = await login(context, request as FastifyRequest<{ Body: LoginBody }>)
    const { access, refresh } = await sessions.programTokens(session)
    return { access_token: access.text, refresh_token: refresh.text, expires_at: timeJson(access.expiresAtMs) }
  })

  app.get('/v1/tokens/keys', { schema: tokenKeysSchema }, async () => ({
    keys: await requireAccounts(context).tokens.publicKeys()
  }))
}

/** What belongs to whoever asks. */
function addOwnRoutes(app: FastifyInstance, context: AccountsContext): void {
  const { sessions, apiKeys } = context.accounts

  app.get('/v1/sessions', { schema: sessionsSchema }, async request => {
    const { userId, via } = requireUser(request)
    const current = 'session' in via ? via.session : undefined
    return { sessions: sessions.list(userId).map(session => sessionJson(session, current)) }
  })

  app.delete<{ Params: IdParams }>('/v1/sessions/:id', { schema: endSessionSchema }, async request => {
    const { userId, via } = requireUser(request)
    const { id } = request.params
    if (id === 'others') return { ended: await sessions.endOthers(userId, 'session' in via ? via.session : undefined) }
    await sessions.end(userId, requirePhotoId(id) as string as SessionId)
    return { ended: 1 }
  })

  app.get('/v1/keys', { schema: keysSchema }, async request => ({
    keys: apiKeys.list(requireUser(request).userId).map(apiKeyJson)
  }))

  app.post<{ Body: { readonly scopes: readonly string[]; readonly label?: string; readonly expires_at?: string } }>(
    '/v1/keys',
    { schema: createKeySchema },
    async (request, reply) => {
      const { userId } = requireUser(request)
      const { scopes, label, expires_at: expiresAt } = request.body
      const untilMs = expiresAt === undefined ? undefined : Date.parse(expiresAt)
      const { key, text } = await apiKeys.create(userId, { scopes, label, untilMs })
      reply.code(201)
      return { key: apiKeyJson(key), secret: text }
    }
  )

  app.delete<{ Params: IdParams }>('/v1/keys/:id', { schema: deleteKeySchema }, async request => {
    const id = requirePhotoId(request.params.id) as string as ApiKeyId
    await apiKeys.remove(requireUser(request).userId, id)
    return { status: 'deleted', key_id: id }
  })
}

function addUserRoutes(app: FastifyInstance, context: AccountsContext): void {
  const { users, sessions } = context.accounts

  app.get<{ Querystring: { readonly after?: string; readonly limit: number } }>(
    '/v1/users',
    { schema: usersSchema },
    async ({ query: { after, limit } }) => {
      const page = users.list(after === undefined ? undefined : requireUserId(after), limit)
      return { users: page.users.map(userJson), next_after: page.nextAfter ?? null }
    }
  )

  app.post<{ Body: NewUserBody }>('/v1/users', { schema: createUserSchema }, async (request, reply) => {
    if (context.accounts.admins === 0 && request.body.role !== 'admin')
      throw new SheafError('ERR_BAD_PARAMETER', 'somebody has to be an administrator: make that account first')
    const user = await users.create(request.body, doerOf(request), context.addressOf(request))
    reply.code(201).header('location', `/v1/users/${user.id}`)
    return userJson(user)
  })

  app.get<{ Params: IdParams }>('/v1/users/:id', { schema: userSchema }, async request =>
    userJson(users.get(requireOwn(request)))
  )

  app.patch<{ Params: IdParams; Body: UserEdit }>('/v1/users/:id', { schema: patchUserSchema }, async request => {
    const id = requireOwn(request)
    const { name, quota } = request.body
    if ((name !== undefined || quota !== undefined) && !request.rights.has('accounts'))
      throw new SheafError('ERR_FORBIDDEN', 'only an administrator can change a name or a quota')
    return userJson(await users.edit(id, request.body))
  })

  app.delete<{ Params: IdParams; Body: { readonly password?: string; readonly photos: string } }>(
    '/v1/users/:id',
    { schema: closeUserSchema },
    async request => {
      const id = requireOwn(request)
      const { password, photos } = request.body
      const { principal } = request.asker
      if (principal.kind === 'user' && principal.userId === id) {
        if (password === undefined)
          throw new SheafError('ERR_BAD_PARAMETER', 'to close your own account, send your password')
        await sessions.requirePassword(id, password, context.addressOf(request))
      }
      return userJson(await users.close(id, inheritanceOf(users, photos), doerOf(request)))
    }
  )

  app.put<{ Params: IdParams; Body: { readonly old?: string; readonly new: string } }>(
    '/v1/users/:id/password',
    { schema: passwordSchema },
    async (request, reply) => {
      const id = requireOwn(request)
      const { old, new: password } = request.body
      const address = context.addressOf(request)
      const { principal, cookie } = request.asker
      if (principal.kind === 'user' && principal.userId === id) {
        if (old === undefined)
          throw new SheafError('ERR_BAD_PARAMETER', 'to change your own password, send the old one')
        const label = request.headers['user-agent']
        const loggedIn = await sessions.changePassword(id, { old, new: password }, { address, label })
        if (cookie !== undefined) setCookie(context, request, reply, loggedIn)
      } else await users.resetPassword(id, password, doerOf(request), address)
      return { status: 'changed' }
    }
  )

  app.put<{ Params: IdParams; Body: { readonly role: Role } }>(
    '/v1/users/:id/role',
    { schema: roleSchema },
    async request => userJson(await users.setRole(requireUserId(request.params.id), request.body.role, doerOf(request)))
  )

  app.put<{ Params: IdParams; Body: { readonly state: Exclude<AccountState, 'closed'> } }>(
    '/v1/users/:id/state',
    { schema: stateSchema },
    async request =>
      userJson(await users.setState(requireUserId(request.params.id), request.body.state, doerOf(request)))
  )
}

/** @throws `ERR_USER_NOT_FOUND` */
function inheritanceOf(users: AccountsContext['accounts']['users'], text: string): Inheritance {
  if (text === 'trash') return text
  const who = text.slice('to:'.length)
  const id = parseUserId(who) ?? users.called(who)
  if (id === undefined || !users.isOpen(id))
    throw new SheafError('ERR_USER_NOT_FOUND', 'there is no open account of that name to get the photos', {
      details: { user_id: null }
    })
  return id
}

/** @throws `ERR_FORBIDDEN` for the operator, who is nobody's account */
function requireUser({ asker: { principal } }: FastifyRequest): UserPrincipal {
  if (principal.kind !== 'user')
    throw new SheafError('ERR_FORBIDDEN', 'only somebody who is logged in has sessions and keys of his own')
  return principal
}

/**
 * @returns the account that is asked for
 * @throws `ERR_USER_NOT_FOUND` for that of somebody else, as for one that there is not
 */
function requireOwn(request: FastifyRequest<{ Params: IdParams }>): UserId {
  const id = requireUserId(request.params.id)
  const { principal } = request.asker
  const isOwn = principal.kind === 'user' && principal.userId === id
  if (isOwn || request.rights.has('accounts')) return id
  throw new SheafError('ERR_USER_NOT_FOUND', undefined, { details: { user_id: id } })
}

export function doerOf({ asker: { principal } }: FastifyRequest): Doer {
  return principal.kind === 'user' ? principal.userId : 'operator'
}

/** @throws `ERR_BAD_ID` */
function requireUserId(text: string): UserId {
  return requirePhotoId(text) as string as UserId
}
