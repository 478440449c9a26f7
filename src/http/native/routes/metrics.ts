import { hash, timingSafeEqual } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import { SheafError } from '../../../core/errors.js'
import { EXPOSITION_TYPE } from '../../../core/exposition.js'
import type { Needs } from '../../../domain/rights.js'
import { metricsSchema } from '../schemas/node-schemas.js'

export const METRICS_ROUTE = '/metrics'

/** What Prometheus scrapes. Needs the token, if there is one. */
export function addMetricsRoute(
  app: FastifyInstance,
  { scrape, token }: { readonly scrape: () => Promise<string>; readonly token: string | undefined }
): void {
  // who has the token of its own needs nothing else
  const rights: Needs = { needs: token === undefined ? ['metrics'] : [] }
  app.get(METRICS_ROUTE, { schema: { ...metricsSchema, rights } }, async (request, reply) => {
    if (token !== undefined && !isBearerOf(token, request.headers.authorization))
      throw new SheafError('ERR_METRICS_TOKEN')
    const text = await scrape()
    // As bytes: they are sent as they are, while a string would go through the serializer of JSON.
    return reply.type(EXPOSITION_TYPE).send(Buffer.from(text))
  })
}

/** Compares digests, so that the time tells nothing. */
function isBearerOf(token: string, authorization = ''): boolean {
  const given = /^bearer +(\S+) *$/i.exec(authorization)?.[1] ?? ''
  return timingSafeEqual(hash('sha256', given, 'buffer'), hash('sha256', token, 'buffer'))
}
