import { hash } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import type { PhotoMeta, PhotoPatch } from '../../../photos/photo-types.js'
import type { LinkedPhoto } from '../../../search/similarity-types.js'
import { circumstancesJson, conflictJson, metaJson } from '../json-forms.js'
import { conditionOf, metaConditionOf } from '../photo-conditions.js'
import { type PlaceBody, placeOfBody } from '../place-body.js'
import { conflictNumber, type RouteContext, requirePhotoId } from '../route-context.js'
import {
  conflictsSchema,
  deletePhotoSchema,
  getMetaSchema,
  patchMetaSchema,
  restoreSchema,
  undeleteSchema
} from '../schemas/photo-schemas.js'

const LINKED_ETAG_DIGITS = 8

interface IdParams {
  readonly id: string
}

interface PatchBody extends Omit<PhotoPatch, 'takenAt' | 'place'> {
  readonly taken_at?: string | null
  readonly place?: PlaceBody | null
}

/** Delete, undelete, metadata and conflict versions of one photo. */
export function addPhotoMetaRoutes(app: FastifyInstance, { seenBy, places }: RouteContext): void {
  app.delete<{ Params: IdParams; Querystring: { readonly partners: boolean } }>(
    '/photo/:id',
    { schema: deletePhotoSchema },
    async request => {
      const id = requirePhotoId(request.params.id)
      await seenBy(request).photos.remove(id, { withPartners: request.query.partners, condition: conditionOf(request) })
      return { status: 'deleted', photo_id: id }
    }
  )

  app.post<{ Params: IdParams }>('/photo/:id/undelete', { schema: undeleteSchema }, async request => {
    const id = requirePhotoId(request.params.id)
    const { photos, duplicates } = seenBy(request)
    await photos.undelete(id, conditionOf(request))
    duplicates?.forget()
    return { status: 'restored', photo_id: id }
  })

  app.get<{ Params: IdParams }>('/photo/:id/meta', { schema: getMetaSchema }, async (request, reply) => {
    const id = requirePhotoId(request.params.id)
    const { photos, duplicates } = seenBy(request)
    const meta = await photos.meta(id)
    const linked = (await duplicates?.linked(id)) ?? []
    const etag = linkedEtag(meta.etag, linked)
    reply.headers(metaHeaders({ etag }))
    return { ...metaJson(meta), ...circumstancesJson(meta, places), ...linkedJson(linked) }
  })

  app.patch<{ Params: IdParams; Body: PatchBody }>(
    '/photo/:id/meta',
    { schema: patchMetaSchema },
    async (request, reply) => {
      const id = requirePhotoId(request.params.id)
      const { taken_at: takenAt, place, ...patch } = request.body
      const edit = {
        ...patch,
        ...(takenAt !== undefined && { takenAt }),
        ...(place !== undefined && { place: placeOfBody(place) })
      }
      const meta = await seenBy(request).photos.patch(id, edit, metaConditionOf(request))
      reply.headers(metaHeaders(meta))
      return metaJson(meta)
    }
  )

  app.get<{ Params: IdParams }>('/photo/:id/conflicts', { schema: conflictsSchema }, async request => {
    const conflicts = await seenBy(request).photos.conflicts(requirePhotoId(request.params.id))
    return { conflicts: conflicts.map(conflictJson) }
  })

  app.post<{ Params: IdParams & { n: string } }>(
    '/photo/:id/conflicts/:n/restore',
    { schema: restoreSchema },
    async (request, reply) => {
      const id = requirePhotoId(request.params.id)
      const meta = await seenBy(request).photos.restore(id, conflictNumber(request.params.n), metaConditionOf(request))
      reply.headers(metaHeaders(meta))
      return metaJson(meta)
    }
  )
}

/** Metadata may change, so a client may cache it but must revalidate. */
function metaHeaders({ etag }: Pick<PhotoMeta, 'etag'>): Record<string, string> {
  return { etag, 'cache-control': 'private, no-cache' }
}

/** Links in other photos' records are part of the answer, so the ETag covers them; conditions of edits compare only its first part. */
function linkedEtag(etag: string, linked: readonly LinkedPhoto[]): string {
  if (linked.length === 0) return etag
  const digest = hash('sha256', JSON.stringify(linkedJson(linked))).slice(0, LINKED_ETAG_DIGITS)
  return `${etag.slice(0, -1)}.${digest}"`
}

function linkedJson(linked: readonly LinkedPhoto[]): object {
  return { similar: linked.map(({ photoId, tier, score }) => ({ photo_id: photoId, tier, score })) }
}
