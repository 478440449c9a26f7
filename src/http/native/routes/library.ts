import type { FastifyInstance } from 'fastify'
import type { LabelsQuery } from '../../../directory/labels.js'
import { whileConnected } from '../../wire/while-connected.js'
import { trashedJson } from '../json-forms.js'
import type { RouteContext } from '../route-context.js'
import { tagsSchema, trashSchema } from '../schemas/library-schemas.js'

interface TrashQuery {
  readonly limit: number
  readonly cursor?: string
}

/** What there is in the library: tags, the trash. */
export function addLibraryRoutes(app: FastifyInstance, { lists, gates }: RouteContext): void {
  app.get<{ Querystring: LabelsQuery }>('/tags', { schema: tagsSchema }, request =>
    whileConnected(request, signal =>
      gates.pages.pass(signal, async () => {
        const { labels, nextAfter } = await lists.labels('tag', request.query)
        return { tags: labels, next_after: nextAfter ?? null }
      })
    )
  )

  app.get<{ Querystring: TrashQuery }>('/trash', { schema: trashSchema }, request =>
    whileConnected(request, signal =>
      gates.pages.pass(signal, async () => {
        const { limit, cursor } = request.query
        const { photos, total, nextCursor } = await lists.trash(limit, cursor, signal)
        return { photos: photos.map(trashedJson), total, next_cursor: nextCursor }
      })
    )
  )
}
