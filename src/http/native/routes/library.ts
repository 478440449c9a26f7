import type { FastifyInstance } from 'fastify'
import type { LabelsQuery } from '../../../directory/labels.js'
import type { TrashQuery } from '../../../photos/library-lists.js'
import { whileConnected } from '../../wire/while-connected.js'
import { batchJson, statsJson, trashedJson } from '../json-forms.js'
import { type RouteContext, requirePhotoId } from '../route-context.js'
import { emptyTrashSchema, statsSchema, tagsSchema, trashSchema } from '../schemas/library-schemas.js'

/** What there is in the library: tags, the trash, how much of what. */
export function addLibraryRoutes(app: FastifyInstance, { seenBy, gates }: RouteContext): void {
  app.get<{ Querystring: LabelsQuery }>('/tags', { schema: tagsSchema }, request =>
    whileConnected(request, signal =>
      gates.pages.pass(signal, async () => {
        const { labels, nextAfter } = await seenBy(request).lists.labels('tag', request.query)
        return { tags: labels, next_after: nextAfter ?? null }
      })
    )
  )

  app.get<{ Querystring: TrashQuery }>('/trash', { schema: trashSchema }, request =>
    whileConnected(request, signal =>
      gates.pages.pass(signal, async () => {
        const { photos, total, nextCursor } = await seenBy(request).lists.trash(request.query, signal)
        return { photos: photos.map(trashedJson), total, next_cursor: nextCursor }
      })
    )
  )

  app.post<{ Body: { readonly ids?: readonly string[] } }>('/trash/empty', { schema: emptyTrashSchema }, request =>
    whileConnected(request, signal =>
      gates.counts.pass(signal, async () => {
        const { ids } = request.body
        if (ids !== undefined)
          return { ...batchJson('emptied', await seenBy(request).photos.batchPurge(ids.map(requirePhotoId))), left: 0 }
        const { outcomes, left } = await seenBy(request).photos.emptyTrash(signal)
        return { ...batchJson('emptied', outcomes), left }
      })
    )
  )

  app.get('/stats', { schema: statsSchema }, request =>
    whileConnected(request, signal =>
      gates.pages.pass(signal, async () => statsJson(await seenBy(request).lists.stats(signal)))
    )
  )
}
