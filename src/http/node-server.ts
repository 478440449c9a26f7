import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Clock } from '../core/clock.js'
import { SheafError, systemErrorCode } from '../core/errors.js'
import type { Logger } from '../core/log.js'
import type { HttpTimeouts } from './components.js'
import { problemOf, rawProblem, sendProblem } from './problem.js'
import type { RequestBodies } from './request-bodies.js'

const HEADER_BYTES_MAX = 16 * 1024
const CONNECTIONS_MAX = 4_096
/** One read of a socket; Node's default of 16 KiB pauses bodies four times as often. */
const BODY_BUFFER_BYTES = 64 * 1024

export interface NodeServerComponents {
  readonly bodies: RequestBodies
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
  const { bodies, clock, log, hot, cold } = components
  /** The latest request of a connection that takes the normal way. */
  const current = new WeakMap<Socket, ServerResponse>()

  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    if (!server.listening) {
      const problem = problemOf(new SheafError('ERR_STOPPING'), log)
      response.shouldKeepAlive = false
      sendProblem(request, response, problem, { clock }, timeouts.lingerMs)
      return
    }
    if (hot(request, response)) return
    const { socket } = request
    current.set(socket, response)
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
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    bodies.expectContinue(request, response)
    onRequest(request, response)
  })
  server.on('clientError', (error: Error, socket: Socket) => {
    const code = systemErrorCode(error)
    // A body that is being read fails, and its route answers.
    if (code === 'HPE_INVALID_EOF_STATE' && bodies.truncate(socket)) return
    const busy = current.get(socket)
    // Amid another answer these bytes would be taken for a part of it.
    if (socket.writable && code !== 'ECONNRESET' && (busy === undefined || busy.writableFinished)) {
      const { known, reason } = CLIENT_ERRORS[code ?? ''] ?? CLIENT_ERRORS['']!
      socket.end(rawProblem(problemOf(known(), log), reason))
    }
    socket.destroySoon()
  })
  return server
}

interface ClientError {
  readonly known: () => SheafError
  /** Reason phrase of the status line. */
  readonly reason: string
}

/** By the code of Node's parser. */
const CLIENT_ERRORS: Readonly<Record<string, ClientError>> = {
  HPE_HEADER_OVERFLOW: {
    known: () => new SheafError('ERR_HEADERS_TOO_LARGE'),
    reason: 'Request Header Fields Too Large'
  },
  HPE_CHUNK_EXTENSIONS_OVERFLOW: { known: () => new SheafError('ERR_TOO_LARGE'), reason: 'Content Too Large' },
  HPE_INVALID_EOF_STATE: { known: () => new SheafError('ERR_TRUNCATED_BODY'), reason: 'Bad Request' },
  ERR_HTTP_REQUEST_TIMEOUT: { known: () => new SheafError('ERR_REQUEST_TIMEOUT'), reason: 'Request Timeout' },
  '': { known: () => new SheafError('ERR_BAD_REQUEST', 'the request is not HTTP/1.1'), reason: 'Bad Request' }
}
