import type { FastifyInstance } from 'fastify'
import type { LogLevel, LogLevelSwitch } from '../../../core/log.js'
import type { RouteContext } from '../route-context.js'
import { logLevelSchema } from '../schemas/log-level-schema.js'

/** `POST /v1/admin/log-level`: what the node logs from now on, until it ends. */
export function addLogLevelRoute(app: FastifyInstance, context: RouteContext & { logLevel: LogLevelSwitch }): void {
  const { log, logLevel } = context
  app.post<{ Body: { readonly level: LogLevel } }>('/v1/admin/log-level', { schema: logLevelSchema }, async request => {
    const { level } = request.body
    const previous = logLevel.level
    log.warn({ level, previous }, 'the operator changes the log level')
    logLevel.level = level
    return { level, previous }
  })
}
