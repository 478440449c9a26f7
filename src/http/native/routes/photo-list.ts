import type { FastifyInstance } from 'fastify'
import { SheafError } from '../../../core/errors.js'
import type { BatchPatch, ListQuery } from '../../../photos/photo-types.js'
import { whileConnected } from '../../wire/while-connected.js'
import { batchJson, knownJson, metaJson, pageJson } from '../json-forms.js'
import { type PlaceBody, placeOfBody } from '../place-body.js'
import { type RouteContext, requirePhotoId } from '../route-context.js'
import { batchSchema, existsSchema, listSchema, lookupSchema } from '../schemas/list-schemas.js'

interface BatchBody extends Pick<BatchPatch, 'tags' | 'albums' | 'caption' | 'rating' | 'favourite' | 'archived'> {
  readonly delete?: readonly string[]
  readonly undelete?: readonly string[]
  readonly ids?: readonly string[]
  readonly taken_at?: string | null
  readonly shift_s?: number
  readonly place?: PlaceBody | null
}

/** Requests about many photos: lists, and batches. */
export function addPhotoListRoutes(app: FastifyInstance, { photos, similarity, gates }: RouteContext): void {
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

  app.post<{ Body: { readonly ids: readonly string[] } }>('/v1/photos/lookup', { schema: lookupSchema }, request =>
    whileConnected(request, signal =>
      gates.pages.pass(signal, async () => {
        const found = await photos.lookUp(request.body.ids.map(requirePhotoId), signal)
        return { photos: found.map(metaJson) }
      })
    )
  )

  app.post<{ Body: BatchBody }>('/v1/photos/batch', { schema: batchSchema }, async request => {
    const { delete: deleted, undelete, ids, taken_at: takenAt, shift_s: shiftS, place, ...said } = request.body
    const patch = {
      ...said,
      ...(takenAt !== undefined && { takenAt }),
      ...(shiftS !== undefined && { shiftS }),
      ...(place !== undefined && { place: placeOfBody(place) })
    }
    const isEdit = Object.keys(patch).length > 0
    const asked = [deleted, undelete, ids].filter(one => one !== undefined)
    if (asked.length !== 1 || isEdit !== (ids !== undefined))
      throw new SheafError(
        'ERR_BAD_PARAMETER',
        'the body must be {delete: [ids]}, {undelete: [ids]}, or {ids: [ids]} with what is to be changed'
      )
    if (takenAt !== undefined && shiftS !== undefined)
      throw new SheafError('ERR_BAD_PARAMETER', 'taken_at sets the dates and shift_s moves them: send one of the two')

    if (deleted !== undefined) return batchJson('deleted', await photos.batchDelete(deleted.map(requirePhotoId)))
    if (undelete !== undefined) {
      const outcomes = await photos.batchUndelete(undelete.map(requirePhotoId))
      similarity?.duplicates.forget()
      return batchJson('restored', outcomes)
    }
    return batchJson('updated', await photos.batchEdit((ids ?? []).map(requirePhotoId), patch))
  })
}
