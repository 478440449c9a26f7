import type { FastifyInstance } from 'fastify'
import type { SignupWish } from '../../../accounts/signups.js'
import { SheafError } from '../../../core/errors.js'
import type { InviteId } from '../../../domain/ids.js'
import type { InviteRole } from '../../../domain/invite.js'
import { inviteJson, userJson } from '../account-json.js'
import { type RouteContext, requirePhotoId } from '../route-context.js'
import { createInviteSchema, deleteInviteSchema, invitesSchema, signupSchema } from '../schemas/invite-schemas.js'
import { doerOf } from './accounts.js'

interface NewInviteBody {
  readonly role: InviteRole
  readonly label?: string
  readonly expires_at?: string
}

type InvitesContext = RouteContext & { readonly accounts: NonNullable<RouteContext['accounts']> }

/** People who make accounts for themselves, and whom administrators let do so. */
export function addInviteRoutes(app: FastifyInstance, { accounts, addressOf }: InvitesContext): void {
  const { invites, signups } = accounts

  app.post<{ Body: SignupWish }>('/v1/signup', { schema: signupSchema }, async (request, reply) => {
    const user = await signups.signUp(request.body, addressOf(request))
    reply.code(201)
    return userJson(user)
  })

  app.get('/v1/invites', { schema: invitesSchema }, async () => ({ invites: (await invites.list()).map(inviteJson) }))

  app.post<{ Body: NewInviteBody }>('/v1/invites', { schema: createInviteSchema }, async (request, reply) => {
    if (signups.mode === 'off')
      throw new SheafError('ERR_SIGNUP_CLOSED', 'no invite is taken at this node; start it with --signup invite')
    const { role, label, expires_at: expiresAt } = request.body
    const untilMs = expiresAt === undefined ? undefined : Date.parse(expiresAt)
    const { invite, text } = await invites.create({ role, label, untilMs }, doerOf(request))
    reply.code(201)
    return { invite: inviteJson(invite), secret: text }
  })

  app.delete<{ Params: { readonly id: string } }>('/v1/invites/:id', { schema: deleteInviteSchema }, async request => {
    const id = requirePhotoId(request.params.id) as string as InviteId
    await invites.remove(id)
    return { status: 'deleted', invite_id: id }
  })
}
