import { createServer as createPlainServer, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { fastify } from 'fastify'
import type { Clock } from '../core/clock.js'
import { type ErrorCode, SheafError } from '../core/errors.js'
import { invariant } from '../core/invariant.js'
import type { Logger } from '../core/log.js'
import { addMetricsRoute, METRICS_ROUTE } from './native/routes/metrics.js'
import { fromFastify } from './wire/framework-errors.js'
import { problemOf, sendProblem } from './wire/problem.js'
import type { HttpApp } from './wire/server.js'
import { HTTP_TIMEOUTS } from './wire/timeouts.js'

const CONNECTIONS_MAX = 64
const REQUEST_MS_MAX = 10_000

export interface MetricsAppComponents {
  readonly scrape: () => Promise<string>
  readonly onProblem: (code: ErrorCode) => void
  readonly clock: Clock
  readonly log: Logger
}

/** Builds the app of `--metrics`, which has nothing but the metrics. */
export async function buildMetricsApp(
  { scrape, onProblem, clock, log }: MetricsAppComponents,
  { token }: { readonly token: string | undefined }
): Promise<HttpApp> {
  let answer: RequestListener | undefined
  const app = fastify({
    serverFactory: handler => {
      answer = handler
      return createPlainServer() // never listens, as in app.ts
    }
  })
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
  invariant(answer !== undefined, 'Fastify has made its handler')
  const listener = answer
  const options = { requestTimeout: REQUEST_MS_MAX, headersTimeout: REQUEST_MS_MAX }
  return {
    createServer: tls => {
      const server =
        tls === undefined ? createPlainServer(options, listener) : createTlsServer({ ...options, ...tls }, listener)
      server.maxConnections = CONNECTIONS_MAX
      server.timeout = HTTP_TIMEOUTS.answerStallMs
      return server
    },
    close: () => app.close()
  }
}
