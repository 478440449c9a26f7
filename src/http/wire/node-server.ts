import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Clock } from '../../core/clock.js'
import { SheafError } from '../../core/errors.js'
import type { Logger } from '../../core/log.js'
import type { ClientErrors } from './client-errors.js'
import { problemOf, sendProblem } from './problem.js'
import type { RequestBodies } from './request-bodies.js'
import { REQUEST_ID_HEADER, type RequestIds } from './request-ids.js'
import type { HttpTimeouts } from './timeouts.js'

const HEADER_BYTES_MAX = 16 * 1024
const CONNECTIONS_MAX = 4_096
/** Bytes per socket read. Node's default of 16 KiB would pause bodies four times as often. */
const BODY_BUFFER_BYTES = 64 * 1024

export interface NodeServerComponents {
  readonly bodies: RequestBodies
  readonly clientErrors: ClientErrors
  readonly ids: RequestIds
  readonly clock: Clock
  readonly log: Logger
  /** Answers simple requests at once. @returns whether it did */
  readonly hot: (request: IncomingMessage, response: ServerResponse) => boolean
  /** Answers everything else. */
  readonly cold: (request: IncomingMessage, response: ServerResponse) => void
}

/**
 * Node's HTTP server with a time limit on everything that a client could delay. A socket that is idle for `answerStallMs` is
 * cut, unless its answer is still being computed. While a body is read, its own, shorter limit applies (request-bodies.ts).
 */
export function createNodeServer(components: NodeServerComponents, timeouts: HttpTimeouts): Server {
  const { bodies, clientErrors, ids, clock, log, hot, cold } = components

  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    if (!server.listening) {
      const problem = problemOf(new SheafError('ERR_STOPPING'), log)
      response.shouldKeepAlive = false
      response.setHeader(REQUEST_ID_HEADER, ids.of(request.rawHeaders))
      sendProblem(request, response, problem, { clock }, timeouts.lingerMs)
      return
    }
    if (hot(request, response)) return
    response.setHeader(REQUEST_ID_HEADER, ids.of(request.rawHeaders))
    const { socket } = request
    clientErrors.noteResponse(socket, response)
    response.on('timeout', () => {
      // Unsent bytes mean that the client does not read; without any, the answer is still being computed.
      if (socket.writableLength > 0) socket.destroy()
      else socket.setTimeout(timeouts.answerStallMs)
    })
    cold(request, response)
  }

  const server = createServer(
    {
      maxHeaderSize: HEADER_BYTES_MAX,
      highWaterMark: BODY_BUFFER_BYTES,
      headersTimeout: timeouts.headersMs,
      // An upload may take any time while bytes keep arriving.
      requestTimeout: 0,
      keepAliveTimeout: timeouts.keepAliveMs,
      connectionsCheckingInterval: Math.min(5_000, timeouts.headersMs)
    },
    onRequest
  )
  server.maxConnections = CONNECTIONS_MAX
  server.timeout = timeouts.answerStallMs
  // Every pipelined answer listens for the end of its connection.
  server.on('connection', socket => socket.setMaxListeners(0))
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    bodies.expectContinue(request, response)
    onRequest(request, response)
  })
  return server
}
