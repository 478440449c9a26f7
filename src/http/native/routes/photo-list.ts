import type { FastifyInstance } from 'fastify'
import { SheafError } from '../../../core/errors.js'
import type { ListQuery, SetPatch } from '../../../photos/photo-types.js'
import { whileConnected } from '../../wire/while-connected.js'
import { batchJson, knownJson, pageJson } from '../json-forms.js'
import { type PlaceBody, placeOfBody } from '../place-body.js'
import { type RouteContext, requirePhotoId } from '../route-context.js'
import { batchSchema, existsSchema, listSchema } from '../schemas/list-schemas.js'

interface BatchBody {
  readonly delete?: readonly string[]
  readonly ids?: readonly string[]
  readonly tags?: SetPatch
  readonly taken_at?: string | null
  readonly shift_s?: number
  readonly place?: PlaceBody | null
}

/** Requests about many photos: lists, and batches. */
export function addPhotoListRoutes(app: FastifyInstance, { photos, gates }: RouteContext): void {
  app.get<{ Querystring: ListQuery }>('/photos', { schema: listSchema }, request =>
    whileConnected(request, signal => {
      const gate = request.query.count === 'exact' ? gates.counts : gates.pages
      return gate.pass(signal, async () => pageJson(await photos.list(request.query, signal)))
    })
  )

  app.post<{ Body: { readonly sha256: readonly string[] } }>('/v1/photos/exists', { schema: existsSchema }, request =>
    whileConnected(request, signal =>
      gates.counts.pass(signal, async () => {
        const digests = request.body.sha256.map(digest => digest.toLowerCase())
        return { sha256: knownJson(await photos.known(digests, signal)) }
      })
    )
  )

  app.post<{ Body: BatchBody }>('/v1/photos/batch', { schema: batchSchema }, async request => {
    const { delete: deleted, ids, tags, taken_at: takenAt, shift_s: shiftS, place } = request.body
    const patch = {
      ...(tags !== undefined && { tags }),
      ...(takenAt !== undefined && { takenAt }),
      ...(shiftS !== undefined && { shiftS }),
      ...(place !== undefined && { place: placeOfBody(place) })
    }
    const isEdit = Object.keys(patch).length > 0
    if (deleted !== undefined && ids === undefined && !isEdit)
      return batchJson('deleted', await photos.batchDelete(deleted.map(requirePhotoId)))

    if (takenAt !== undefined && shiftS !== undefined)
      throw new SheafError('ERR_BAD_PARAMETER', 'taken_at sets the dates and shift_s moves them: send one of the two')

    if (deleted === undefined && ids !== undefined && isEdit)
      return batchJson('updated', await photos.batchEdit(ids.map(requirePhotoId), patch))

    throw new SheafError(
      'ERR_BAD_PARAMETER',
      'the body must be either {delete: [ids]} or {ids: [ids]} with tags: {add, remove}, taken_at, shift_s or place'
    )
  })
}
