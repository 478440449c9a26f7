import { createServer as createPlainServer } from 'node:http'
import { fastify } from 'fastify'
import type { Clock } from '../core/clock.js'
import type { ErrorCode } from '../core/errors.js'
import { invariant } from '../core/invariant.js'
import type { Logger } from '../core/log.js'
import type { Random } from '../core/random.js'
import { Refusals } from './native/refusals.js'
import { addMetricsRoute, METRICS_ROUTE } from './native/routes/metrics.js'
import { ClientErrors } from './wire/client-errors.js'
import { Forwarded } from './wire/forwarded.js'
import { createNodeServer, type NodeServerComponents } from './wire/node-server.js'
import { RequestBodies } from './wire/request-bodies.js'
import { RequestIds } from './wire/request-ids.js'
import type { HttpApp } from './wire/server.js'
import { HTTP_TIMEOUTS } from './wire/timeouts.js'

const CONNECTIONS_MAX = 64

export interface MetricsAppComponents {
  readonly scrape: () => Promise<string>
  readonly onProblem: (code: ErrorCode) => void
  readonly clock: Clock
  readonly random: Pick<Random, 'bytes'>
  readonly log: Logger
}

/** Builds the app of `--metrics`, which has nothing but the metrics. */
export async function buildMetricsApp(
  { scrape, onProblem, clock, random, log }: MetricsAppComponents,
  { token }: { readonly token: string | undefined }
): Promise<HttpApp> {
  const bodies = new RequestBodies(HTTP_TIMEOUTS)
  const ids = new RequestIds(random)
  const clientErrors = new ClientErrors({ bodies, ids, log, onProblem })
  const refusals = new Refusals(
    { clock, log, onProblem, forwarded: new Forwarded([]) },
    { lingerMs: HTTP_TIMEOUTS.lingerMs, noSuchPath: `this port serves ${METRICS_ROUTE} alone` }
  )
  let cold: NodeServerComponents['cold'] | undefined
  const app = fastify({
    serverFactory: handler => {
      cold = handler
      return createPlainServer() // never listens, as in app.ts
    },
    frameworkErrors: refusals.refuse
  })
  refusals.attachTo(app)
  addMetricsRoute(app, { scrape, token })
  await app.ready()
  invariant(cold !== undefined, 'Fastify has made its handler')
  const allow = (url: string): string => refusals.allow(url)
  const hot = (): boolean => false
  const parts = { bodies, clientErrors, ids, clock, log, onProblem, allow, hot, cold, openFilesMax: undefined }
  return {
    createServer: tls => {
      const server = createNodeServer(parts, HTTP_TIMEOUTS, tls)
      server.maxConnections = CONNECTIONS_MAX
      return server
    },
    close: () => app.close()
  }
}
