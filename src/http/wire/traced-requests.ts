import type { IncomingMessage, ServerResponse } from 'node:http'
import { TRACE_PARENT_CHARACTERS_MAX, type Tracer } from '../../core/tracing.js'

/** Runs what a request is answered with in a span, which follows the client's `traceparent` and ends with the answer. */
export function traceRequest(
  tracer: Tracer,
  { raw: request, route }: { readonly raw: IncomingMessage; readonly route: string },
  response: ServerResponse,
  work: () => void
): void {
  const { method = 'GET', headers } = request
  const given = headers.traceparent
  const parent = typeof given === 'string' && given.length <= TRACE_PARENT_CHARACTERS_MAX ? given : null
  const attributes = { 'http.request.method': method, 'http.route': route }
  const span = tracer.begin(`${method} ${route}`, { kind: 'server', parent, attributes })
  response.once('close', () => {
    const { statusCode } = response
    const failure = statusCode >= 500 || !response.writableFinished ? new Error(`status ${statusCode}`) : undefined
    span.end(failure, { 'http.response.status_code': statusCode })
  })
  tracer.run(span, work)
}
