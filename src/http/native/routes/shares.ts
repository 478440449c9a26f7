import type { FastifyInstance, FastifyRequest } from 'fastify'
import { SheafError } from '../../../core/errors.js'
import { type AlbumRole, type Grantee, granteeOf, groupIn, parseGrantee, userIn } from '../../../domain/acl.js'
import type { Person } from '../../../domain/audience.js'
import { type AlbumId, parseUserId, type UserId } from '../../../domain/ids.js'
import { requireMayWithAlbum } from '../../../photos/albums/album-lookup.js'
import type { AlbumSharing } from '../../../photos/albums/album-shares.js'
import { timeOrNull } from '../json-forms.js'
import { type RouteContext, requireAlbumId } from '../route-context.js'
import { albumOwnerSchema, shareSchema, sharesSchema, unshareSchema } from '../schemas/share-schemas.js'
import { personOf } from '../who-asks.js'

interface AlbumParams {
  readonly id: string
}

interface ShareParams extends AlbumParams {
  readonly principal: string
}

interface ShareBody {
  readonly role: Exclude<AlbumRole, 'none'>
  readonly expires_at?: string | null
}

type SharesContext = RouteContext & { readonly accounts: NonNullable<RouteContext['accounts']> }

/** To whom albums are open. */
export function addShareRoutes(app: FastifyInstance, { shares, accounts, seenBy }: SharesContext): void {
  const { users, groups } = accounts

  const sharingJson = ({ owner, standing, mayShare, shares: given }: AlbumSharing): object => ({
    owner: owner === 'everyone' ? null : personJson(owner),
    role: standing,
    can: mayShare ? ['share'] : [],
    shares: given.map(({ grantee, role, untilMs, givers, isContested, isInForce }) => ({
      principal: grantee,
      user: userOrNull(grantee),
      group: groupOrNull(grantee),
      role,
      expires_at: timeOrNull(untilMs),
      given_by: givers.map(personJson),
      contested: isContested,
      in_force: isInForce
    }))
  })
  const personJson = (id: UserId): object => ({ user_id: id, name: users.nameOf(id) ?? null })
  const userOrNull = (grantee: Grantee): object | null => {
    const id = userIn(grantee)
    return id === undefined ? null : personJson(id)
  }
  const groupOrNull = (grantee: Grantee): object | null => {
    const id = groupIn(grantee)
    return id === undefined ? null : { group_id: id, name: groups.nameOf(id) ?? null }
  }
  /** @throws `ERR_USER_NOT_FOUND` */
  const userCalled = (name: string): UserId => {
    const id = users.called(name)
    if (id !== undefined) return id
    throw new SheafError('ERR_USER_NOT_FOUND', `nobody has an account with the name ${JSON.stringify(name)}`)
  }
  /** @throws `ERR_BAD_ID`, `ERR_ALBUM_NOT_FOUND` for one that is not open to whoever asks */
  const albumOf = (request: FastifyRequest<{ Params: AlbumParams }>): AlbumId => {
    const id = requireAlbumId(request.params.id)
    const { viewer } = seenBy(request)
    requireMayWithAlbum(viewer, 'see', id)
    if (!viewer.knowsPeople)
      throw new SheafError('ERR_FORBIDDEN', 'only somebody who has an account is told to whom an album is open')
    return id
  }
  const granteeCalled = (text: string): Grantee => parseGrantee(text) ?? granteeOf(userCalled(text))

  app.get<{ Params: AlbumParams }>('/v1/albums/:id/shares', { schema: sharesSchema }, async request =>
    sharingJson(shares.list(albumOf(request), personOf(request.asker.principal)))
  )

  app.put<{ Params: ShareParams; Body: ShareBody }>(
    '/v1/albums/:id/shares/:principal',
    { schema: shareSchema },
    async request => {
      const { role, expires_at: until } = request.body
      const share = { role, untilMs: until == null ? undefined : Date.parse(until) }
      const id = albumOf(request)
      return sharingJson(await shares.give(id, granteeCalled(request.params.principal), share, requirePerson(request)))
    }
  )

  app.delete<{ Params: ShareParams }>('/v1/albums/:id/shares/:principal', { schema: unshareSchema }, async request => {
    const id = albumOf(request)
    return sharingJson(await shares.take(id, granteeCalled(request.params.principal), requirePerson(request)))
  })

  app.put<{ Params: AlbumParams; Body: { readonly user: string } }>(
    '/v1/albums/:id/owner',
    { schema: albumOwnerSchema },
    async request => {
      const { user } = request.body
      const next = parseUserId(user) ?? userCalled(user)
      return sharingJson(await shares.setOwner(albumOf(request), next, requirePerson(request)))
    }
  )
}

/** @throws `ERR_FORBIDDEN` */
function requirePerson(request: FastifyRequest): Person {
  const person = personOf(request.asker.principal)
  if (person === undefined) throw new SheafError('ERR_FORBIDDEN', 'only somebody who has an account can share')
  return person
}
