import type { FastifyInstance } from 'fastify'
import { SheafError } from '../../../core/errors.js'
import type { ListQuery, SetPatch } from '../../../photos/photo-types.js'
import { whileConnected } from '../../wire/while-connected.js'
import { batchJson, pageJson } from '../json-forms.js'
import { type RouteContext, requirePhotoId } from '../route-context.js'
import { batchSchema, listSchema } from '../schemas/list-schemas.js'

interface BatchBody {
  readonly delete?: readonly string[]
  readonly ids?: readonly string[]
  readonly tags?: SetPatch
}

/** Requests about many photos: lists, batch deletes and batch tags. */
export function addPhotoListRoutes(app: FastifyInstance, { photos, gates }: RouteContext): void {
  app.get<{ Querystring: ListQuery }>('/photos', { schema: listSchema }, request =>
    whileConnected(request, signal => {
      const gate = request.query.count === 'exact' ? gates.counts : gates.pages
      return gate.pass(signal, async () => pageJson(await photos.list(request.query, signal)))
    })
  )

  app.post<{ Body: BatchBody }>('/v1/photos/batch', { schema: batchSchema }, async request => {
    const { delete: deleted, ids, tags } = request.body
    if (deleted !== undefined && ids === undefined && tags === undefined) {
      return batchJson('deleted', await photos.batchDelete(deleted.map(requirePhotoId)))
    }
    if (deleted === undefined && ids !== undefined && tags !== undefined) {
      return batchJson('updated', await photos.batchTag(ids.map(requirePhotoId), tags))
    }
    throw new SheafError(
      'ERR_BAD_PARAMETER',
      'the body must be either {delete: [ids]} or {ids: [ids], tags: {add, remove}}'
    )
  })
}
