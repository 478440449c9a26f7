import { type FastifyInstance, fastify } from 'fastify'
import type { Clock } from '../core/clock.js'
import { type ErrorCode, SheafError } from '../core/errors.js'
import type { Logger } from '../core/log.js'
import { addMetricsRoute, METRICS_ROUTE } from './native/routes/metrics.js'
import { fromFastify } from './wire/framework-errors.js'
import { problemOf, sendProblem } from './wire/problem.js'
import { HTTP_TIMEOUTS } from './wire/timeouts.js'

const CONNECTIONS_MAX = 64
const REQUEST_MS_MAX = 10_000

export interface MetricsAppComponents {
  readonly scrape: () => Promise<string>
  readonly onProblem: (code: ErrorCode) => void
  readonly clock: Clock
  readonly log: Logger
}

/** Builds the server of `--metrics`, which has nothing but the metrics. */
export async function buildMetricsApp(
  { scrape, onProblem, clock, log }: MetricsAppComponents,
  { token }: { readonly token: string | undefined }
): Promise<FastifyInstance> {
  const app = fastify({ requestTimeout: REQUEST_MS_MAX, connectionTimeout: HTTP_TIMEOUTS.answerStallMs })
  app.server.maxConnections = CONNECTIONS_MAX
  app.setErrorHandler((error, request, reply) => {
    const known = fromFastify(error)
    const code = known instanceof SheafError ? known.code : 'ERR_INTERNAL'
    onProblem(code)
    reply.hijack()
    const headers = code === 'ERR_METRICS_TOKEN' ? { 'www-authenticate': 'Bearer' } : {}
    sendProblem(request.raw, reply.raw, problemOf(known, log, headers), { clock }, HTTP_TIMEOUTS.lingerMs)
  })
  app.setNotFoundHandler(() => {
    throw new SheafError('ERR_NOT_FOUND', `this port serves ${METRICS_ROUTE} alone`)
  })
  addMetricsRoute(app, { scrape, token })
  await app.ready()
  return app
}
