import type { FastifyInstance } from 'fastify'
import { Preconditions } from '../wire/preconditions.js'

/**
 * Holds the conditions of GET and HEAD against every answer that goes through Fastify, with the ETag that its route has set,
 * if any. Of what is streamed past it, photos have their own; dumps and events are never the same twice.
 */
export function addReadConditions(app: FastifyInstance): void {
  app.addHook('onSend', async (request, reply, payload) => {
    const { method, headers } = request
    if (reply.statusCode !== 200 || (method !== 'GET' && method !== 'HEAD')) return payload
    const isUnchanged = new Preconditions(method, headers).check({ etag: reply.getHeader('etag')?.toString() })
    if (!isUnchanged) return payload
    reply.code(304).removeHeader('content-type')
    // of HEAD, Fastify still takes the length, which may be told
    return method === 'HEAD' ? payload : null
  })
}
