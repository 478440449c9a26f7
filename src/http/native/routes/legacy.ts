import type { FastifyInstance, FastifyRequest } from 'fastify'
import { SheafError } from '../../../core/errors.js'
import type { Problem } from '../../wire/problem.js'
import { type LegacyContext, legacyUser } from '../legacy-context.js'
import {
  legacyCloseSchema,
  legacyLoginSchema,
  legacyLogoutSchema,
  legacyRegisterSchema
} from '../schemas/legacy-schemas.js'
import { addLegacyFolders } from './legacy-folders.js'
import { addLegacyImages, addLegacyUpload } from './legacy-images.js'
import { requireAccounts } from './session.js'

interface CredentialsBody {
  readonly username: string
  readonly password: string
}

/**
 * Paths of older designs, for programs that were written for those: `/api/users`, `/api/folders`, `/api/images`. They do
 * nothing that the others do not. Who asks is told by `token` in the query or the body, and errors have a form of their own.
 *
 * @param app - a scope for nothing else
 */
export async function addLegacyRoutes(app: FastifyInstance, context: LegacyContext): Promise<void> {
  const { accounts, refusals } = context
  app.setErrorHandler((error, request, reply) => refusals.refuseAs(olderForm, error, request, reply))
  app.addHook('preValidation', async (request, reply) => {
    // an address may have a token in it
    reply.raw.setHeader('referrer-policy', 'no-referrer')
    const { rights } = request.routeOptions.schema ?? {}
    if (rights === undefined || rights.needs.length === 0) return
    if (!accounts.isRequired) throw new SheafError('ERR_NO_ACCOUNTS')
    const token = tokenOf(request)
    if (token !== undefined) await request.identify(token)
  })
  addLegacyUsers(app, context)
  addLegacyFolders(app, context)
  addLegacyImages(app, context)
  await app.register(async uploads => {
    uploads.removeAllContentTypeParsers()
    uploads.addContentTypeParser('*', (_request, _body, done) => done(null))
    addLegacyUpload(uploads, context)
  })
}

function addLegacyUsers(app: FastifyInstance, context: LegacyContext): void {
  const { accounts, addressOf } = context
  const { users, sessions, signups } = accounts

  const loggedIn = async (request: FastifyRequest<{ Body: CredentialsBody }>, message: string): Promise<object> => {
    const { username, password } = request.body
    const from = { address: addressOf(request), label: request.headers['user-agent'] }
    const { session, token } = await requireAccounts(context).sessions.login(username, password, from)
    const { userId } = session
    return { token: token.text, userId, username: users.nameOf(userId) ?? username, message }
  }

  app.post<{ Body: CredentialsBody }>('/api/users/register', { schema: legacyRegisterSchema }, async request => {
    const { username, password } = request.body
    await signups.signUp({ name: username, password }, addressOf(request))
    return loggedIn(request, 'the account is made')
  })

  app.post<{ Body: CredentialsBody }>('/api/users/login', { schema: legacyLoginSchema }, request =>
    loggedIn(request, 'logged in')
  )

  app.post('/api/users/logout', { schema: legacyLogoutSchema }, async request => {
    await sessions.logOut(tokenOf(request) ?? '')
    return { message: 'logged out' }
  })

  app.delete<{ Body: { readonly password: string } }>(
    '/api/users/delete',
    { schema: legacyCloseSchema },
    async request => {
      const { userId } = legacyUser(request)
      await sessions.requirePassword(userId, request.body.password, addressOf(request))
      await users.close(userId, 'trash', userId)
      return { message: 'the account is closed' }
    }
  )
}

/** @throws `ERR_BAD_PARAMETER` for two that differ */
function tokenOf({ query, body }: FastifyRequest): string | undefined {
  const [inQuery, inBody] = [query, body].map(fields => (Object(fields) as Record<string, unknown>).token)
  if (typeof inQuery === 'string' && typeof inBody === 'string' && inQuery !== inBody)
    throw new SheafError('ERR_BAD_PARAMETER', 'the query has another `token` than the body')
  const token = inBody ?? inQuery
  return typeof token === 'string' ? token : undefined
}

function olderForm({ body, headers, ...problem }: Problem): Problem {
  const { detail, code } = JSON.parse(body) as { readonly detail: string; readonly code: string }
  const older = JSON.stringify({ error: detail, code })
  const about = { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(older)) }
  return { ...problem, headers: { ...headers, ...about }, body: older }
}
