import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { LinkEdit, LinkMaker } from '../../../accounts/share-links.js'
import { SheafError } from '../../../core/errors.js'
import type { LinkId, UserId } from '../../../domain/ids.js'
import { LINKED_PHOTOS_MAX } from '../../../domain/limits.js'
import { type LinkRole, type ShareLink, setOf } from '../../../domain/share-link.js'
import { requireMayWithAlbum } from '../../../photos/albums/album-lookup.js'
import type { GuestLinks } from '../guest-links.js'
import { timeJson, timeOrNull } from '../json-forms.js'
import { type RouteContext, requireAlbumId, requirePhotoId } from '../route-context.js'
import {
  closeLinksSchema,
  createLinkSchema,
  deleteLinkSchema,
  editLinkSchema,
  linksSchema,
  openLinkSchema
} from '../schemas/link-schemas.js'
import { personOf } from '../who-asks.js'

interface IdParams {
  readonly id: string
}

interface LinkBody {
  readonly role?: LinkRole
  readonly download?: boolean
  readonly metadata?: boolean
  readonly password?: string | null
  readonly expires_at?: string | null
  readonly label?: string | null
}

interface NewLinkBody extends LinkBody {
  readonly album?: string
  readonly photos?: readonly string[]
}

interface LinksContext extends RouteContext {
  readonly accounts: NonNullable<RouteContext['accounts']>
  readonly links: GuestLinks
}

/** Links: people with accounts make them, and guests open them. */
export function addLinkRoutes(app: FastifyInstance, context: LinksContext): void {
  const { accounts, seenBy, addressOf, isSecure, links: guests } = context
  const { links, users } = accounts

  const personJson = (id: UserId): object => ({ user_id: id, name: users.nameOf(id) ?? null })
  const linkJson = (link: ShareLink): object => ({
    link_id: link.id,
    album_id: link.album ?? null,
    role: link.role,
    download: link.download,
    metadata: link.metadata,
    has_password: link.phc !== undefined,
    label: link.label ?? null,
    by: personJson(link.by),
    created_at: timeJson(link.createdAtMs),
    expires_at: timeOrNull(link.untilMs),
    in_force: guests.isInForce(link)
  })
  /** @throws `ERR_FORBIDDEN` */
  const makerOf = (request: FastifyRequest): LinkMaker => {
    const person = personOf(request.asker.principal)
    if (person === undefined) throw new SheafError('ERR_FORBIDDEN', 'only somebody who has an account has links')
    const { viewer, photos } = seenBy(request)
    return {
      userId: person.userId,
      address: addressOf(request),
      requireSharer: album => requireMayWithAlbum(viewer, 'share', album),
      label: async (ids, labels) =>
        (await photos.batchLabel(ids, labels)).flatMap(({ photoId, error }) =>
          error === undefined ? [] : new SheafError(error, undefined, { details: { photo_id: photoId } })
        ),
      labelled: async label =>
        (await photos.list({ album: label, limit: LINKED_PHOTOS_MAX })).photos.map(({ photo }) => photo.id)
    }
  }

  app.get<{ Querystring: { readonly album?: string } }>('/v1/links', { schema: linksSchema }, async request => {
    const { userId, requireSharer } = makerOf(request)
    const { album } = request.query
    if (album === undefined) return { links: links.list(userId).map(linkJson) }
    const id = requireAlbumId(album)
    requireSharer(id)
    return { links: links.listOf(id).map(linkJson) }
  })

  app.post<{ Body: NewLinkBody }>('/v1/links', { schema: createLinkSchema }, async (request, reply) => {
    const { album, photos, ...said } = request.body
    const of = {
      ...(album !== undefined && { album: requireAlbumId(album) }),
      ...(photos !== undefined && { photos: photos.map(requirePhotoId) })
    }
    const { link, secret } = await links.create({ ...of, ...editOf(said) }, makerOf(request))
    reply.code(201)
    return { link: linkJson(link), secret, path: `/#/s/${secret}` }
  })

  app.patch<{ Params: IdParams; Body: LinkBody }>('/v1/links/:id', { schema: editLinkSchema }, async request =>
    linkJson(await links.edit(requireLinkId(request.params.id), editOf(request.body), makerOf(request)))
  )

  app.delete<{ Params: IdParams }>('/v1/links/:id', { schema: deleteLinkSchema }, async request => {
    const id = requireLinkId(request.params.id)
    await links.remove(id, makerOf(request))
    return { status: 'deleted', link_id: id }
  })

  app.post<{ Body: { readonly secret: string; readonly password?: string } }>(
    '/v1/links/open',
    { schema: openLinkSchema },
    async (request, reply) => {
      const { secret, password } = request.body
      const address = addressOf(request)
      const known = guests.knownIn(request.raw)
      const isInForce = guests.isInForce
      const { link, cookie } = await links.open(secret, password, { known, isInForce, address })
      const { cookie: header } = request.headers
      reply.header('set-cookie', guests.cookies.write(link.id, cookie, header, isSecure(request)))
      const { title, count } = link.album === undefined ? NO_ALBUM : await guests.albumOf(link, link.album)
      return {
        link_id: link.id,
        album: link.album === undefined ? null : { album_id: link.album, title, count },
        list: link.album ?? setOf(link.id),
        can: [
          ...(link.download && link.metadata ? ['download'] : []),
          ...(link.role === 'contributor' ? ['upload'] : [])
        ],
        metadata: link.metadata,
        expires_at: timeOrNull(link.untilMs)
      }
    }
  )

  app.delete('/v1/links/open', { schema: closeLinksSchema }, async (request, reply) => {
    const headers = guests.cookies.clear(request.headers.cookie, isSecure(request))
    if (headers.length > 0) reply.header('set-cookie', headers)
    return { status: 'closed' }
  })
}

const NO_ALBUM = { title: null, count: null }

function requireLinkId(text: string): LinkId {
  return requirePhotoId(text) as string as LinkId
}

function editOf({ expires_at: until, ...said }: LinkBody): LinkEdit {
  return { ...said, ...(until !== undefined && { untilMs: until === null ? null : Date.parse(until) }) }
}
