import type { FastifyInstance } from 'fastify'
import type { ListQuery } from '../../../photos/photo-types.js'
import { whileConnected } from '../../wire/while-connected.js'
import { knownJson, metaJson, pageJson } from '../json-forms.js'
import { type RouteContext, requirePhotoId } from '../route-context.js'
import { existsSchema, listSchema, lookupSchema } from '../schemas/list-schemas.js'
import { filtersBy } from '../who-asks.js'

/** Lists of photos, and what is known of some of them. */
export function addPhotoListRoutes(app: FastifyInstance, { seenBy, gates }: RouteContext): void {
  app.get<{ Querystring: ListQuery }>('/photos', { schema: listSchema }, request =>
    whileConnected(request, signal => {
      const gate = request.query.count === 'exact' ? gates.counts : gates.pages
      return gate.pass(signal, async () =>
        pageJson(await seenBy(request).photos.list(filtersBy(request, request.query), signal))
      )
    })
  )

  app.post<{ Body: { readonly sha256: readonly string[] } }>('/v1/photos/exists', { schema: existsSchema }, request =>
    whileConnected(request, signal =>
      gates.counts.pass(signal, async () => {
        const digests = request.body.sha256.map(digest => digest.toLowerCase())
        return { sha256: knownJson(await seenBy(request).photos.known(digests, signal)) }
      })
    )
  )

  app.post<{ Body: { readonly ids: readonly string[] } }>('/v1/photos/lookup', { schema: lookupSchema }, request =>
    whileConnected(request, signal =>
      gates.pages.pass(signal, async () => {
        const found = await seenBy(request).photos.lookUp(request.body.ids.map(requirePhotoId), signal)
        return { photos: found.map(metaJson) }
      })
    )
  )
}
