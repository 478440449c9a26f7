import type { FastifyInstance } from 'fastify'
import type { ListFilters } from '../../../photos/photo-types.js'
import { whileConnected } from '../../wire/while-connected.js'
import { bucketJson, timelineJson } from '../json-forms.js'
import type { RouteContext } from '../route-context.js'
import { bucketSchema, timelineSchema } from '../schemas/timeline-schemas.js'
import { filtersBy } from '../who-asks.js'

/** The whole library in the order of time: how much is where, and small tiles of what is there. */
export function addTimelineRoutes(app: FastifyInstance, { seenBy, gates }: RouteContext): void {
  app.get<{ Querystring: ListFilters }>('/photos/timeline', { schema: timelineSchema }, (request, reply) =>
    whileConnected(request, signal =>
      gates.pages.pass(signal, async () => {
        const timeline = await seenBy(request).lists.timeline(filtersBy(request, request.query), signal)
        reply.header('etag', `"${timeline.revision}"`)
        return timelineJson(timeline)
      })
    )
  )

  app.get<{ Querystring: ListFilters; Params: { readonly key: string } }>(
    '/photos/timeline/:key',
    { schema: bucketSchema },
    (request, reply) =>
      whileConnected(request, signal =>
        gates.pages.pass(signal, async () => {
          const bucket = await seenBy(request).lists.timelineBucket(
            filtersBy(request, request.query),
            request.params.key,
            signal
          )
          reply.header('etag', `"${bucket.revision}"`)
          return bucketJson(bucket, request.query.sort ?? 'taken')
        })
      )
  )
}
