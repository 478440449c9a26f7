import type { FastifyInstance } from 'fastify'
import type { BackupAction } from '../../../admin/backup.js'
import { SheafError } from '../../../core/errors.js'
import { archiveStatusJson, jobJson } from '../json-forms.js'
import type { RouteContext } from '../route-context.js'
import { archiveSchema, backupSchema } from '../schemas/archive-schemas.js'
import { adminSchema } from '../schemas/node-schemas.js'

interface BackupBody {
  readonly target: string
  readonly action?: BackupAction
}

/** The archive of volumes: how far it is, a check of it, and getting back what no node has any more. Backups of this node. */
export function addArchiveRoutes(app: FastifyInstance, { archiving, backup }: RouteContext): void {
  const require = (): NonNullable<typeof archiving> => {
    if (archiving === undefined) throw new SheafError('ERR_NO_ARCHIVE')
    return archiving
  }

  app.get('/v1/admin/archive', { schema: archiveSchema }, async () => archiveStatusJson(require().status()))

  app.post(
    '/v1/admin/archive/verify',
    { schema: adminSchema('archive/verify', 'ERR_NO_ARCHIVE') },
    async (_request, reply) => {
      const job = require().verify()
      reply.code(202).header('location', `/v1/admin/jobs/${job.id}`)
      return jobJson(job)
    }
  )

  app.post(
    '/v1/admin/archive/restore',
    { schema: adminSchema('archive/restore', 'ERR_NO_ARCHIVE') },
    async (_request, reply) => {
      const job = require().restore()
      reply.code(202).header('location', `/v1/admin/jobs/${job.id}`)
      return jobJson(job)
    }
  )

  app.post<{ Body: BackupBody }>('/v1/admin/backup', { schema: backupSchema }, async (request, reply) => {
    const { target, action = 'run' } = request.body
    if (backup === undefined) throw new SheafError('ERR_NOT_FOUND', 'this node cannot be backed up')
    const job = backup.start(action, target)
    reply.code(202).header('location', `/v1/admin/jobs/${job.id}`)
    return jobJson(job)
  })
}
