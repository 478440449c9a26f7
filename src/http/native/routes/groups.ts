import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { GroupAsker, ListedGroup, ShownGroup } from '../../../accounts/groups.js'
import { SheafError } from '../../../core/errors.js'
import type { Person } from '../../../domain/audience.js'
import { type GroupId, parseUserId, type UserId } from '../../../domain/ids.js'
import type { MemberRole } from '../../../domain/people-group.js'
import { timeJson } from '../json-forms.js'
import { type RouteContext, requirePhotoId } from '../route-context.js'
import {
  createGroupSchema,
  deleteGroupSchema,
  deleteMemberSchema,
  groupSchema,
  groupsSchema,
  patchGroupSchema,
  putMemberSchema
} from '../schemas/group-schemas.js'
import { personOf } from '../who-asks.js'

interface GroupParams {
  readonly id: string
}

interface MemberParams extends GroupParams {
  readonly user: string
}

type GroupsContext = RouteContext & { readonly accounts: NonNullable<RouteContext['accounts']> }

/** Groups of people, to whom albums can be opened. */
export function addGroupRoutes(app: FastifyInstance, { accounts: { groups, users } }: GroupsContext): void {
  const groupJson = ({ members, ...group }: ShownGroup): object => ({
    ...listedJson(group),
    members: members?.map(({ userId, role }) => ({ user_id: userId, name: users.nameOf(userId) ?? null, role })) ?? null
  })
  /** @throws `ERR_USER_NOT_FOUND` */
  const userCalled = (text: string): UserId => {
    const id = parseUserId(text) ?? users.called(text)
    if (id !== undefined) return id
    throw new SheafError('ERR_USER_NOT_FOUND', `nobody has an account with the name ${JSON.stringify(text)}`)
  }

  app.get('/v1/groups', { schema: groupsSchema }, async request => ({
    groups: groups.list(askerOf(request)).map(listedJson)
  }))

  app.post<{ Body: { readonly name: string } }>('/v1/groups', { schema: createGroupSchema }, async (request, reply) => {
    const group = await groups.create(request.body.name, requirePerson(request))
    reply.code(201).header('location', `/v1/groups/${group.id}`)
    return groupJson(group)
  })

  app.get<{ Params: GroupParams }>('/v1/groups/:id', { schema: groupSchema }, async request =>
    groupJson(groups.get(groupIdOf(request), askerOf(request)))
  )

  app.patch<{ Params: GroupParams; Body: { readonly name: string } }>(
    '/v1/groups/:id',
    { schema: patchGroupSchema },
    async request => groupJson(await groups.rename(groupIdOf(request), request.body.name, askerOf(request)))
  )

  app.delete<{ Params: GroupParams }>('/v1/groups/:id', { schema: deleteGroupSchema }, async request => {
    const id = groupIdOf(request)
    await groups.remove(id, askerOf(request))
    return { status: 'deleted', group_id: id }
  })

  app.put<{ Params: MemberParams; Body: { readonly role: MemberRole } }>(
    '/v1/groups/:id/members/:user',
    { schema: putMemberSchema },
    async request => {
      const user = userCalled(request.params.user)
      return groupJson(await groups.put(groupIdOf(request), user, request.body.role, requirePerson(request)))
    }
  )

  app.delete<{ Params: MemberParams }>(
    '/v1/groups/:id/members/:user',
    { schema: deleteMemberSchema },
    async request => {
      const [id, user] = [groupIdOf(request), userCalled(request.params.user)]
      await groups.take(id, user, requirePerson(request))
      return { status: 'removed', group_id: id, user_id: user }
    }
  )
}

function listedJson({ id, name, standing, size, createdAtMs }: ListedGroup): object {
  const isManager = standing === 'manager' || standing === 'owner'
  return {
    group_id: id,
    name,
    role: standing,
    can: isManager ? ['edit'] : [],
    count: size,
    created_at: timeJson(createdAtMs)
  }
}

/** Who looks after accounts sees what groups are called, and can delete those that nobody needs any more. */
function askerOf({ asker, rights }: FastifyRequest): GroupAsker {
  return { person: personOf(asker.principal), isKeeper: rights.has('accounts') }
}

/** @throws `ERR_FORBIDDEN` */
function requirePerson({ asker }: FastifyRequest): Person {
  const person = personOf(asker.principal)
  if (person === undefined) throw new SheafError('ERR_FORBIDDEN', 'only somebody who has an account can be in a group')
  return person
}

/** @throws `ERR_BAD_ID` */
function groupIdOf({ params: { id } }: FastifyRequest<{ Params: GroupParams }>): GroupId {
  return requirePhotoId(id) as string as GroupId
}
