import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Job } from '../../../admin/jobs.js'
import { SheafError } from '../../../core/errors.js'
import { parseVolumeId, volumeId } from '../../../domain/ids.js'
import { cacheStatsJson, jobJson, jobStateJson, statusJson, volumeJson } from '../json-forms.js'
import type { RouteContext } from '../route-context.js'
import {
  adminSchema,
  cacheStatsSchema,
  healthSchema,
  jobSchema,
  jobsSchema,
  readySchema,
  statusSchema,
  stopJobSchema,
  volumeStatsSchema,
  volumesSchema
} from '../schemas/node-schemas.js'
import { followsJob } from '../who-asks.js'

interface AdminQuery {
  /** For `verify`. */
  readonly all_peers?: boolean
  /** For `compact`. */
  readonly now?: boolean
}

/** The node's state, and an operator's requests. */
export function addNodeRoutes(app: FastifyInstance, context: RouteContext): void {
  const { maintenance, whole, jobs, init, unready } = context

  for (const url of ['/health', '/health/live']) app.get(url, { schema: healthSchema }, async () => ({ status: 'ok' }))

  app.get('/health/ready', { schema: readySchema }, async () => {
    const reason = unready()
    if (reason !== undefined) throw reason
    return { status: 'ok' }
  })

  app.get('/status', { schema: statusSchema }, async () => statusJson(init, await maintenance.status()))

  app.get('/cache/stats', { schema: cacheStatsSchema }, async () => cacheStatsJson(whole.photos.cacheStats()))

  app.get('/volumes', { schema: volumesSchema }, async () => ({
    volumes: (await maintenance.volumes()).map(volumeJson)
  }))

  app.get<{ Params: { lv: string } }>('/volume/:lv/stats', { schema: volumeStatsSchema }, async request => {
    const parsed = parseVolumeId(request.params.lv)
    const report = parsed && (await maintenance.volumeStats(volumeId(parsed.epoch, parsed.sequence)))
    if (report === undefined) throw new SheafError('ERR_NO_SUCH_VOLUME')
    return volumeJson(report)
  })

  const work: Readonly<Record<string, (query: AdminQuery) => Job>> = {
    verify: ({ all_peers }) => (all_peers === true ? maintenance.verifyAllPeers() : maintenance.verify()),
    repair: () => maintenance.repair(),
    compact: ({ now }) => maintenance.compact(now),
    scrub: () => maintenance.scrub(),
    'rebuild-directory': () => maintenance.rebuildDirectory(),
    leave: () => maintenance.leave()
  }
  for (const [name, start] of Object.entries(work)) {
    app.post<{ Querystring: AdminQuery }>(
      `/v1/admin/${name}`,
      { schema: adminSchema(name) },
      async (request, reply) => {
        const job = start(request.query)
        reply.code(202).header('location', `/v1/admin/jobs/${job.id}`)
        return jobJson(job)
      }
    )
  }

  /** @throws `ERR_NO_SUCH_JOB` */
  const jobFor = (request: FastifyRequest<{ Params: { id: string } }>): Job => {
    const job = jobs.get(request.params.id)
    if (job === undefined || !followsJob(request, job)) throw new SheafError('ERR_NO_SUCH_JOB')
    return job
  }

  app.get('/v1/admin/jobs', { schema: jobsSchema }, async () => ({ jobs: jobs.list().map(jobStateJson) }))

  app.get<{ Params: { id: string } }>('/v1/admin/jobs/:id', { schema: jobSchema }, async request => {
    return jobJson(jobFor(request))
  })

  app.delete<{ Params: { id: string } }>('/v1/admin/jobs/:id', { schema: stopJobSchema }, async (request, reply) => {
    const { id } = jobFor(request)
    reply.code(202)
    return jobJson(jobs.cancel(id))
  })
}
