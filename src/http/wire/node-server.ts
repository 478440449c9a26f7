import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Clock } from '../../core/clock.js'
import { SheafError } from '../../core/errors.js'
import type { Logger } from '../../core/log.js'
import type { ClientErrors } from './client-errors.js'
import { problemOf, sendProblem } from './problem.js'
import type { RequestBodies } from './request-bodies.js'
import type { HttpTimeouts } from './timeouts.js'

const HEADER_BYTES_MAX = 16 * 1024
const CONNECTIONS_MAX = 4_096
/** One read of a socket; Node's default of 16 KiB pauses bodies four times as often. */
const BODY_BUFFER_BYTES = 64 * 1024

export interface NodeServerComponents {
  readonly bodies: RequestBodies
  readonly clientErrors: ClientErrors
  readonly clock: Clock
  readonly log: Logger
  /** Answers at once what it can. @returns whether it did */
  readonly hot: (request: IncomingMessage, response: ServerResponse) => boolean
  /** Answers everything else. */
  readonly cold: (request: IncomingMessage, response: ServerResponse) => void
}

/**
 * Node's server with bounds on everything that a client could draw out. A socket that is silent for `answerStallMs` is cut, but for one whose
 * answer is being worked on; bodies have their own, shorter bound while they are read (request-bodies.ts).
 */
export function createNodeServer(components: NodeServerComponents, timeouts: HttpTimeouts): Server {
  const { bodies, clientErrors, clock, log, hot, cold } = components

  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    if (!server.listening) {
      const problem = problemOf(new SheafError('ERR_STOPPING'), log)
      response.shouldKeepAlive = false
      sendProblem(request, response, problem, { clock }, timeouts.lingerMs)
      return
    }
    if (hot(request, response)) return
    const { socket } = request
    clientErrors.answering(socket, response)
    response.on('timeout', () => {
      // Bytes that wait to be sent mean that the client takes none; without any, the answer just takes long.
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
      // An upload may take as long as it keeps moving.
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
