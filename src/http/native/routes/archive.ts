import type { FastifyInstance } from 'fastify'
import { SheafError } from '../../../core/errors.js'
import { archiveStatusJson, jobJson } from '../json-forms.js'
import type { RouteContext } from '../route-context.js'
import { archiveSchema } from '../schemas/archive-schemas.js'
import { adminSchema } from '../schemas/node-schemas.js'

/** The archive of volumes: how far it is, a check of it, and getting back what no node has any more. */
export function addArchiveRoutes(app: FastifyInstance, { archiving, operator }: RouteContext): void {
  const require = (): NonNullable<typeof archiving> => {
    if (archiving === undefined) throw new SheafError('ERR_NO_ARCHIVE')
    return archiving
  }

  app.get('/v1/admin/archive', { schema: archiveSchema }, async () => archiveStatusJson(require().status()))

  app.post('/v1/admin/archive/verify', { schema: adminSchema('archive/verify', 404) }, async (_request, reply) => {
    const job = require().verify()
    reply.code(202).header('location', `/v1/admin/jobs/${job.id}`)
    return jobJson(job)
  })

  app.post('/v1/admin/archive/restore', { schema: adminSchema('archive/restore', 404) }, async (request, reply) => {
    operator.check(request.headers)
    const job = require().restore()
    reply.code(202).header('location', `/v1/admin/jobs/${job.id}`)
    return jobJson(job)
  })
}
