import type { IncomingMessage, ServerResponse } from 'node:http'
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify'
import { SheafError } from '../core/errors.js'
import { InvariantError } from '../core/invariant.js'
import type { HttpComponents, HttpInit } from './native/components.js'
import { HotPath } from './native/hot-path.js'
import { discardBody, readJson } from './native/json-body.js'
import { addOpenApi } from './native/openapi.js'
import { checkQueryEscapes, coerceQuery } from './native/query-coercion.js'
import type { RouteContext } from './native/route-context.js'
import { RouteTable } from './native/route-table.js'
import { addArchiveRoutes } from './native/routes/archive.js'
import { addClusterRoutes } from './native/routes/cluster.js'
import { addEventsRoute } from './native/routes/events.js'
import { addFullDumpRoute } from './native/routes/full-dump.js'
import { addLaidOutRoutes } from './native/routes/laid-out.js'
import { addLogLevelRoute } from './native/routes/log-level.js'
import { addNodeRoutes } from './native/routes/node.js'
import { addPhotoContentRoute } from './native/routes/photo-content.js'
import { addPhotoListRoutes } from './native/routes/photo-list.js'
import { addPhotoMetaRoutes } from './native/routes/photo-meta.js'
import { addFindSimilarRoute, addSimilarityRoutes } from './native/routes/similarity.js'
import { addUploadRoutes } from './native/routes/uploads.js'
import type { Schema } from './native/schemas/common.js'
import { ClientErrors } from './wire/client-errors.js'
import { fromFastify } from './wire/framework-errors.js'
import { HostGuard } from './wire/host-guard.js'
import { createNodeServer } from './wire/node-server.js'
import { OperatorGuard } from './wire/operator-guard.js'
import { type ProblemHeaders, problemOf, sendProblem } from './wire/problem.js'
import { RequestBodies } from './wire/request-bodies.js'
import { RequestIds, requestIdOf } from './wire/request-ids.js'
import { HTTP_TIMEOUTS } from './wire/timeouts.js'

/** No effective limit: the limit on the header block applies first. */
const PARAM_CHARACTERS_MAX = 16 * 1024

/** Builds the HTTP API, ready but not listening: {@link HttpServer} makes it listen. */
export async function buildHttpApp(components: HttpComponents, init: HttpInit): Promise<FastifyInstance> {
  const { photos, clock, random, log, fatal, logLevel } = components
  const timeouts = { ...HTTP_TIMEOUTS, ...init.timeouts }
  const bodies = new RequestBodies(timeouts)
  const ids = new RequestIds(random)
  const clientErrors = new ClientErrors({ bodies, ids, log })
  const guard = new HostGuard([init.hostName, ...(init.allowHosts ?? [])])
  const hotPath = new HotPath({ photos, guard, ids })
  const table = new RouteTable()

  const refuse = (error: unknown, request: FastifyRequest, reply: FastifyReply): void => {
    const known = fromFastify(error)
    reply.hijack()
    const problem = problemOf(known, log, problemHeaders(known), requestIdOf(reply.raw))
    sendProblem(request.raw, reply.raw, problem, { clock }, timeouts.lingerMs)
    if (known instanceof InvariantError) fatal(known)
  }

  const hot = (request: IncomingMessage, response: ServerResponse): boolean => hotPath.answer(request, response)
  const app = fastify({
    serverFactory: cold => createNodeServer({ bodies, clientErrors, ids, clock, log, hot, cold }, timeouts),
    clientErrorHandler: (error, socket) => clientErrors.handle(error, socket),
    routerOptions: { maxParamLength: PARAM_CHARACTERS_MAX },
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false, allowUnionTypes: true } },
    frameworkErrors: refuse
  })
  app.setErrorHandler(refuse)
  // Answers match their schemas by construction; a test checks real answers against them.
  app.setSerializerCompiler(() => data => JSON.stringify(data))
  app.setNotFoundHandler(request => {
    const methods = table.methodsOf(request.raw.url ?? '')
    if (methods.length === 0)
      throw new SheafError('ERR_NOT_FOUND', 'there is no such path; GET /openapi.json lists all')
    throw new SheafError('ERR_METHOD_NOT_ALLOWED', undefined, { details: { allow: methods.join(', ') } })
  })
  app.addHook('onRoute', ({ url, method }) => table.add(url, [method].flat()))
  app.addHook('onRequest', async (request, reply) => {
    reply.headers({ 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' })
    guard.check(request.method, request.headers)
    checkQueryEscapes(request.raw.url ?? '')
  })
  app.addHook('preValidation', async request => {
    const schema = request.routeOptions.schema?.querystring as Schema | undefined
    if (schema !== undefined) coerceQuery(request.query as Record<string, unknown>, schema)
  })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', async (request: FastifyRequest) =>
    request.routeOptions.schema?.body === undefined
      ? await discardBody(bodies, request.raw)
      : await readJson(bodies, request.raw)
  )

  await addOpenApi(app, init.version)
  const context: RouteContext = { ...components, init, bodies, operator: new OperatorGuard(init.operatorToken) }
  addPhotoContentRoute(app, context)
  addPhotoMetaRoutes(app, context)
  addPhotoListRoutes(app, context)
  addNodeRoutes(app, context)
  addClusterRoutes(app, context)
  addLaidOutRoutes(app, context)
  addArchiveRoutes(app, context)
  addEventsRoute(app, context)
  if (logLevel !== undefined) addLogLevelRoute(app, { ...context, logLevel })
  addFullDumpRoute(app, context)
  const { similarity } = components
  if (similarity !== undefined) addSimilarityRoutes(app, { ...context, similarity })
  await app.register(async uploads => {
    // Uploads are streamed: the routes read the body themselves.
    uploads.removeAllContentTypeParsers()
    uploads.addContentTypeParser('*', (_request, _body, done) => done(null))
    addUploadRoutes(uploads, context)
    if (similarity !== undefined) addFindSimilarRoute(uploads, { ...context, similarity })
  })
  await app.ready()
  return app
}

function problemHeaders(error: unknown): ProblemHeaders {
  if (!(error instanceof SheafError)) return {}
  const { allow, size } = error.details
  if (error.code === 'ERR_METHOD_NOT_ALLOWED') return { allow: String(allow) }
  if (error.code === 'ERR_NOT_OPERATOR') return { 'www-authenticate': 'Bearer realm="operator"' }
  if (error.code === 'ERR_RANGE_NOT_SATISFIABLE') return { 'content-range': `bytes */${size}` }
  return {}
}
