import { createServer as createPlainServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type FastifyRequest, fastify } from 'fastify'
import type { ErrorCode } from '../core/errors.js'
import { invariant } from '../core/invariant.js'
import type { Principal } from '../domain/principal.js'
import type { Photos } from '../photos/photos.js'
import type { HttpComponents, HttpInit } from './native/components.js'
import { GuestLinks } from './native/guest-links.js'
import { HotPath } from './native/hot-path.js'
import { discardBody, readJson } from './native/json-body.js'
import { addOpenApi } from './native/openapi.js'
import { PackedAnswers } from './native/packed-answers.js'
import { checkQueryEscapes, coerceQuery } from './native/query-coercion.js'
import { addReadConditions } from './native/read-conditions.js'
import { Refusals } from './native/refusals.js'
import { addRightsGate } from './native/rights-gate.js'
import type { RouteContext } from './native/route-context.js'
import { addAccountRoutes } from './native/routes/accounts.js'
import { addAlbumRoutes } from './native/routes/albums.js'
import { addArchiveRoutes } from './native/routes/archive.js'
import { addClusterRoutes } from './native/routes/cluster.js'
import { addDocsPage } from './native/routes/docs.js'
import { addEventsRoute } from './native/routes/events.js'
import { addFullDumpRoute } from './native/routes/full-dump.js'
import { addGroupRoutes } from './native/routes/groups.js'
import { addInviteRoutes } from './native/routes/invites.js'
import { addLaidOutRoutes } from './native/routes/laid-out.js'
import { addLegacyRoutes } from './native/routes/legacy.js'
import { addLibraryRoutes } from './native/routes/library.js'
import { addLinkRoutes } from './native/routes/links.js'
import { addLogLevelRoute } from './native/routes/log-level.js'
import { addMetricsRoute, METRICS_ROUTE } from './native/routes/metrics.js'
import { addNodeRoutes } from './native/routes/node.js'
import { addPage } from './native/routes/page.js'
import { addPhotoBatchRoute } from './native/routes/photo-batch.js'
import { addPhotoContentRoute } from './native/routes/photo-content.js'
import { addPhotoListRoutes } from './native/routes/photo-list.js'
import { addPhotoMetaRoutes } from './native/routes/photo-meta.js'
import { addPhotoZipRoute } from './native/routes/photo-zip.js'
import { addSessionRoutes } from './native/routes/session.js'
import { addShareRoutes } from './native/routes/shares.js'
import { addFindSimilarRoute, addSimilarityRoutes } from './native/routes/similarity.js'
import { addTimelineRoutes } from './native/routes/timeline.js'
import { addUploadRoutes } from './native/routes/uploads.js'
import type { Schema } from './native/schemas/common.js'
import { seenLibrary, viewerOf } from './native/seen-library.js'
import { ClientErrors } from './wire/client-errors.js'
import { Forwarded } from './wire/forwarded.js'
import { openGates } from './wire/gate.js'
import { HostGuard } from './wire/host-guard.js'
import { LinkCookies } from './wire/link-cookies.js'
import { createNodeServer, type NodeServerComponents } from './wire/node-server.js'
import { Principals } from './wire/principals.js'
import { RequestBodies } from './wire/request-bodies.js'
import { RequestIds } from './wire/request-ids.js'
import type { HttpApp } from './wire/server.js'
import { SessionCookie } from './wire/session-cookie.js'
import { HTTP_TIMEOUTS } from './wire/timeouts.js'
import { traceRequest } from './wire/traced-requests.js'

/** No effective limit: the limit on the header block applies first. */
const PARAM_CHARACTERS_MAX = 16 * 1024
/** What watches a node may know it by any name. */
const ROUTES_OF_ANY_HOST = new Set(['/health', '/health/live', '/health/ready', METRICS_ROUTE])

/** Builds the HTTP API, ready but not listening: {@link HttpServer} makes it listen. */
export async function buildHttpApp(components: HttpComponents, init: HttpInit): Promise<HttpApp> {
  const { photos, albums, clock, random, log, logLevel, webFile, meter, accounts } = components
  const timeouts = { ...HTTP_TIMEOUTS, ...init.timeouts }
  const bodies = new RequestBodies(timeouts)
  const ids = new RequestIds(random)
  const onProblem = (code: ErrorCode): void => meter?.problem(code)
  const clientErrors = new ClientErrors({ bodies, ids, log, onProblem })
  const guard = new HostGuard([init.hostName, ...(init.allowHosts ?? [])])
  const forwarded = new Forwarded(init.trustProxies ?? [])
  const cookie = accounts && new SessionCookie(accounts.tokens.tags)
  const links =
    accounts &&
    new GuestLinks({
      viewers: components.viewers,
      albums,
      links: accounts.links,
      cookies: new LinkCookies(accounts.tokens.tags[0] ?? ''),
      forwarded
    })
  const principals = new Principals({ forwarded, accounts, cookie, guestIn: links?.guestIn }, init)
  const photosOf = (principal: Principal): Pick<Photos, 'openHot'> => photos.as(viewerOf(components, { principal }))
  const hotPath = new HotPath({ photosOf, guard, ids, principals })
  const refusals = new Refusals(
    { clock, log, onProblem, forwarded },
    { lingerMs: timeouts.lingerMs, noSuchPath: 'there is no such path; GET /openapi.json lists all' }
  )
  const hot = (request: IncomingMessage, response: ServerResponse): boolean => {
    const startedAtMs = clock.monotonic()
    const isAnswered = hotPath.answer(request, response)
    if (isAnswered) meter?.hot(startedAtMs)
    return isAnswered
  }
  let cold: NodeServerComponents['cold'] | undefined
  const app = fastify({
    serverFactory: handler => {
      cold = handler
      return createPlainServer() // never listens: there is one server for each address
    },
    routerOptions: { maxParamLength: PARAM_CHARACTERS_MAX },
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false, allowUnionTypes: true } },
    frameworkErrors: refusals.refuse
  })
  // Answers match their schemas by construction; a test checks real answers against them.
  app.setSerializerCompiler(() => data => JSON.stringify(data))
  const { tracer } = components
  if (tracer !== undefined) {
    // The span has to be the current one in all that follows, so this hook calls back from within it.
    app.addHook('onRequest', (request, reply, done) => {
      const { url: route } = request.routeOptions
      if (route === undefined || ROUTES_OF_ANY_HOST.has(route)) done()
      else traceRequest(tracer, { raw: request.raw, route }, reply.raw, done)
    })
  }
  app.addHook('onRequest', async (request, reply) => {
    const { url } = request.routeOptions
    meter?.begin(request.method, url, reply.raw)
    reply.headers({ 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' })
    const sender = forwarded.senderOf(request.raw)
    if (url === undefined || !ROUTES_OF_ANY_HOST.has(url)) guard.checkHost(request.headers, sender)
    guard.checkOrigin(request.method, request.headers, sender)
    checkQueryEscapes(request.raw.url ?? '')
  })
  refusals.attachTo(app)
  addRightsGate(app, principals)
  app.addHook('preValidation', async request => {
    const schema = request.routeOptions.schema?.querystring as Schema | undefined
    if (schema !== undefined) coerceQuery(request.query as Record<string, unknown>, schema)
  })
  const packed = new PackedAnswers()
  packed.addChoice(app)
  addReadConditions(app)
  packed.addPacking(app)
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', async (request: FastifyRequest) =>
    request.routeOptions.schema?.body === undefined
      ? await discardBody(bodies, request.raw)
      : await readJson(bodies, request.raw)
  )

  await addOpenApi(app, init.version)
  const context: RouteContext = {
    ...components,
    seenBy: request => seenLibrary(components, request),
    whole: { photos, albums },
    init,
    bodies,
    gates: openGates(clock),
    cookie,
    addressOf: ({ raw }) => forwarded.senderOf(raw).address ?? '',
    isSecure: ({ raw }) => forwarded.senderOf(raw).isSecure
  }
  addPhotoContentRoute(app, context)
  addPhotoMetaRoutes(app, context)
  addPhotoListRoutes(app, context)
  addPhotoBatchRoute(app, context)
  addLibraryRoutes(app, context)
  addAlbumRoutes(app, context)
  addTimelineRoutes(app, context)
  addNodeRoutes(app, context)
  addClusterRoutes(app, context)
  addSessionRoutes(app, context)
  if (accounts !== undefined && links !== undefined) {
    addAccountRoutes(app, { ...context, accounts })
    addInviteRoutes(app, { ...context, accounts })
    addShareRoutes(app, { ...context, accounts })
    addGroupRoutes(app, { ...context, accounts })
    addLinkRoutes(app, { ...context, accounts, links })
  }
  addLaidOutRoutes(app, context)
  addArchiveRoutes(app, context)
  addEventsRoute(app, context)
  if (logLevel !== undefined) addLogLevelRoute(app, { ...context, logLevel })
  addFullDumpRoute(app, context)
  addPhotoZipRoute(app, context)
  const { scrape } = components
  if (scrape !== undefined) addMetricsRoute(app, { scrape, token: init.metricsToken })
  if (webFile !== undefined) {
    addDocsPage(app, webFile)
    await addPage(app, webFile, log)
  }
  const { similarity } = components
  if (similarity !== undefined) addSimilarityRoutes(app, context)
  await app.register(async uploads => {
    // Uploads are streamed: the routes read the body themselves.
    uploads.removeAllContentTypeParsers()
    uploads.addContentTypeParser('*', (_request, _body, done) => done(null))
    addUploadRoutes(uploads, context)
    if (similarity !== undefined) addFindSimilarRoute(uploads, context)
  })
  if (init.legacyApi === true && accounts !== undefined)
    await app.register(older => addLegacyRoutes(older, { ...context, accounts, refusals }))
  await app.ready()
  invariant(cold !== undefined, 'Fastify has made its handler')
  const { openFilesMax } = init
  const allow = (url: string): string => refusals.allow(url)
  const parts = { bodies, clientErrors, ids, clock, log, onProblem, allow, hot, cold, openFilesMax }
  return { createServer: tls => createNodeServer(parts, timeouts, tls), close: () => app.close() }
}
