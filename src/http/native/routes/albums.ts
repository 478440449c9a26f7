import type { FastifyInstance } from 'fastify'
import type { LabelsQuery } from '../../../directory/labels.js'
import type { PhotoId } from '../../../domain/ids.js'
import { whileConnected } from '../../wire/while-connected.js'
import { albumConflictJson, albumJson, outcomesJson } from '../json-forms.js'
import { conflictNumber, type RouteContext, requireAlbumId, requirePhotoId } from '../route-context.js'
import {
  albumConflictsSchema,
  albumPhotosSchema,
  albumsSchema,
  createAlbumSchema,
  deleteAlbumSchema,
  getAlbumSchema,
  makeRealSchema,
  moveAlbumSchema,
  patchAlbumSchema,
  restoreAlbumSchema,
  undeleteAlbumSchema
} from '../schemas/album-schemas.js'
import { userOf } from '../who-asks.js'

interface IdParams {
  readonly id: string
}

interface NewAlbumBody {
  readonly title: string
  readonly caption?: string
  readonly cover?: string
  readonly parent?: string
}

interface AlbumsQuerystring extends LabelsQuery {
  readonly parent?: string
}

interface PlaceBody {
  readonly parent: string | null
  readonly inherits?: boolean
}

interface AlbumPatchBody {
  readonly title?: string
  readonly caption?: string | null
  readonly cover?: string | null
}

interface PhotosBody {
  readonly add?: readonly string[]
  readonly remove?: readonly string[]
}

/** Albums, and which photos are in them. */
export function addAlbumRoutes(app: FastifyInstance, { seenBy, gates }: RouteContext): void {
  for (const path of ['/albums', '/v1/albums']) {
    app.get<{ Querystring: AlbumsQuerystring }>(path, { schema: albumsSchema }, request =>
      whileConnected(request, signal =>
        gates.pages.pass(signal, async () => {
          const { parent, ...query } = request.query
          const within = parent === undefined || parent === 'none' ? parent : requireAlbumId(parent)
          const { albums: page, nextAfter } = await seenBy(request).albums.list({ ...query, parent: within })
          return { albums: page.map(albumJson), next_after: nextAfter ?? null }
        })
      )
    )
  }

  app.post<{ Body: NewAlbumBody }>('/v1/albums', { schema: createAlbumSchema }, async (request, reply) => {
    const { cover, parent, ...said } = request.body
    const album = { ...said, ...(cover !== undefined && { cover: requirePhotoId(cover) }), maker: userOf(request) }
    const made = await seenBy(request).albums.create(album, parent === undefined ? undefined : requireAlbumId(parent))
    reply.code(201).header('location', `/v1/albums/${made.album?.id}`)
    return albumJson(made)
  })

  app.post<{ Body: { readonly name: string } }>('/v1/albums/make-real', { schema: makeRealSchema }, request =>
    whileConnected(request, signal =>
      gates.counts.pass(signal, async () => {
        const { albums } = seenBy(request)
        const { album, outcomes, left } = await albums.makeReal(request.body.name, userOf(request), signal)
        return { ...albumJson(album), results: outcomesJson('added', outcomes), left }
      })
    )
  )

  app.get<{ Params: IdParams }>('/v1/albums/:id', { schema: getAlbumSchema }, async request =>
    albumJson(await seenBy(request).albums.get(requireAlbumId(request.params.id)))
  )

  app.patch<{ Params: IdParams; Body: AlbumPatchBody }>(
    '/v1/albums/:id',
    { schema: patchAlbumSchema },
    async request => {
      const { cover, ...said } = request.body
      const edit = { ...said, ...(cover !== undefined && { cover: cover === null ? null : requirePhotoId(cover) }) }
      return albumJson(await seenBy(request).albums.edit(requireAlbumId(request.params.id), edit))
    }
  )

  app.put<{ Params: IdParams; Body: PlaceBody }>(
    '/v1/albums/:id/parent',
    { schema: moveAlbumSchema },
    async request => {
      const { parent, inherits = true } = request.body
      const place = { parent: parent === null ? undefined : requireAlbumId(parent), inherits }
      return albumJson(await seenBy(request).albums.move(requireAlbumId(request.params.id), place))
    }
  )

  app.delete<{ Params: IdParams }>('/v1/albums/:id', { schema: deleteAlbumSchema }, async request => {
    const id = requireAlbumId(request.params.id)
    await seenBy(request).albums.remove(id)
    return { status: 'deleted', album_id: id }
  })

  app.post<{ Params: IdParams }>('/v1/albums/:id/undelete', { schema: undeleteAlbumSchema }, async request =>
    albumJson(await seenBy(request).albums.undelete(requireAlbumId(request.params.id)))
  )

  app.get<{ Params: IdParams }>('/v1/albums/:id/conflicts', { schema: albumConflictsSchema }, async request => {
    const versions = await seenBy(request).albums.conflicts(requireAlbumId(request.params.id))
    return { conflicts: versions.map((version, i) => albumConflictJson(version, i + 1)) }
  })

  app.post<{ Params: IdParams & { readonly n: string } }>(
    '/v1/albums/:id/conflicts/:n/restore',
    { schema: restoreAlbumSchema },
    async request => {
      const { id, n } = request.params
      return albumJson(await seenBy(request).albums.restore(requireAlbumId(id), conflictNumber(n)))
    }
  )

  app.post<{ Params: IdParams; Body: PhotosBody }>(
    '/v1/albums/:id/photos',
    { schema: albumPhotosSchema },
    async request => {
      const idsOf = (ids: readonly string[] = []): PhotoId[] => ids.map(requirePhotoId)
      const { add, remove } = request.body
      const change = { add: idsOf(add), remove: idsOf(remove) }
      const { added, removed } = await seenBy(request).albums.change(requireAlbumId(request.params.id), change)
      return { results: [...outcomesJson('added', added), ...outcomesJson('removed', removed)] }
    }
  )
}
