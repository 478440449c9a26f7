import type { FastifyInstance } from 'fastify'
import { SheafError } from '../../../core/errors.js'
import type { AlbumId } from '../../../domain/ids.js'
import { forEach } from '../../../photos/batch.js'
import { batchJson, laidOutJson } from '../json-forms.js'
import { type RouteContext, requirePhotoId } from '../route-context.js'
import { exhumeSchema, laidOutSchema, releaseSchema } from '../schemas/laid-out-schemas.js'

interface LaidOutQuery {
  readonly by?: string
  readonly since?: string
  readonly limit: number
}

interface ReleaseBody {
  readonly ids?: readonly string[]
  readonly by?: string
}

/** What graves have ended here before its time: an operator looks, lets go or brings back. */
export function addLaidOutRoutes(app: FastifyInstance, { laidOut, whole: { photos, albums } }: RouteContext): void {
  app.get<{ Querystring: LaidOutQuery }>('/v1/admin/laid-out', { schema: laidOutSchema }, async request => {
    const { by, since, limit } = request.query
    const sinceMs = since === undefined ? undefined : requireTime(since)
    const { items, total, isAlarming } = await laidOut.list({ by, sinceMs }, limit)
    return { laid_out: items.map(laidOutJson), total, alarm: isAlarming }
  })

  app.post<{ Body: ReleaseBody }>('/v1/admin/laid-out/release', { schema: releaseSchema }, async request => {
    const { ids, by } = request.body
    const filter = { ids: ids?.map(requirePhotoId), by }
    return { released: await laidOut.release(filter) }
  })

  app.post<{ Body: { readonly ids: readonly string[] } }>(
    '/v1/admin/exhume',
    { schema: exhumeSchema },
    async request => {
      const ids = request.body.ids.map(requirePhotoId)
      return batchJson(
        'exhumed',
        await forEach(ids, id => (laidOut.isAlbum(id) ? albums.exhume(id as string as AlbumId) : photos.exhume(id)))
      )
    }
  )
}

/** @throws `ERR_BAD_PARAMETER` for what the schema lets through though it is no time, such as a leap second */
function requireTime(text: string): number {
  const ms = Date.parse(text)
  if (Number.isNaN(ms)) throw new SheafError('ERR_BAD_PARAMETER', 'since must be a time such as 2026-11-20T14:03:00Z')
  return ms
}
