import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { Socket } from 'node:net'
import type { Clock } from '../../core/clock.js'
import { type ErrorCode, SheafError } from '../../core/errors.js'
import type { Logger } from '../../core/log.js'
import type { ClientErrors } from './client-errors.js'
import { problemOf, sendProblem } from './problem.js'
import type { RequestBodies } from './request-bodies.js'
import { REQUEST_ID_HEADER, type RequestIds } from './request-ids.js'
import type { HttpTimeouts } from './timeouts.js'
import type { TlsPair } from './tls-files.js'

const HEADER_BYTES_MAX = 16 * 1024
const CONNECTIONS_MAX = 4_096
const CONNECTIONS_MIN = 64
/** Files and sockets that are no client's: libraries, LevelDB, peers, uploads on disk. */
const OTHER_FILES = 512
/** Requests that may wait on a connection; one read from the socket may bring more. */
const PIPELINED_MAX = 16
/** Bytes per socket read. Node's default of 16 KiB would pause bodies four times as often. */
const BODY_BUFFER_BYTES = 64 * 1024

export interface NodeServerComponents {
  readonly bodies: RequestBodies
  readonly clientErrors: ClientErrors
  readonly ids: RequestIds
  readonly clock: Clock
  readonly log: Logger
  /** Told of every problem that is answered here. */
  readonly onProblem: (code: ErrorCode) => void
  /** The methods of a path, as `Allow` lists them. */
  readonly allow: (url: string) => string
  /** Answers simple requests at once. @returns whether it did */
  readonly hot: (request: IncomingMessage, response: ServerResponse) => boolean
  /** Answers everything else. */
  readonly cold: (request: IncomingMessage, response: ServerResponse) => void
  /** Files and sockets that the process may have open; undefined: more than enough. */
  readonly openFilesMax: number | undefined
}

/** @returns how many clients may be connected, so that volumes and peers can be opened whatever they do */
export function connectionsMax(openFilesMax: number = Number.POSITIVE_INFINITY): number {
  return Math.max(CONNECTIONS_MIN, Math.min(CONNECTIONS_MAX, Math.floor((openFilesMax - OTHER_FILES) / 2)))
}

/**
 * Node's HTTP server with a time limit on everything that a client could delay. A socket that is idle for `answerStallMs` is
 * cut, unless its answer is still being computed. While a body is read, its own, shorter limit applies (request-bodies.ts).
 *
 * @param tls - undefined: it speaks plain HTTP
 */
export function createNodeServer(components: NodeServerComponents, timeouts: HttpTimeouts, tls?: TlsPair): Server {
  const { bodies, clientErrors, ids, clock, log, allow, onProblem, hot, cold, openFilesMax } = components
  const pipelined = new PipelinedRequests()

  const refuse = (request: IncomingMessage, response: ServerResponse, error: SheafError): void => {
    onProblem(error.code)
    response.setHeader(REQUEST_ID_HEADER, ids.of(request.rawHeaders))
    sendProblem(request, response, problemOf(error, log), { clock }, timeouts.lingerMs)
  }

  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    const { socket } = request
    // Node gives a connection to one response at a time, in order; none of the others is worked on until then.
    if (response.socket === null) {
      pipelined.add(socket)
      response.once('socket', () => {
        pipelined.remove(socket)
        onRequest(request, response)
      })
      return
    }
    if (!server.listening) {
      response.shouldKeepAlive = false
      refuse(request, response, new SheafError('ERR_STOPPING'))
      return
    }
    if (hot(request, response)) return
    if (!hasOneHost(request)) {
      refuse(request, response, new SheafError('ERR_BAD_REQUEST', 'a request must have one Host header'))
      return
    }
    response.setHeader(REQUEST_ID_HEADER, ids.of(request.rawHeaders))
    clientErrors.noteResponse(socket, response)
    response.on('timeout', () => {
      // Unsent bytes mean that the client does not read; without any, the answer is still being computed.
      if (socket.writableLength > 0) socket.destroy()
      else socket.setTimeout(timeouts.answerStallMs)
    })
    cold(request, response)
  }

  const options = {
    maxHeaderSize: HEADER_BYTES_MAX,
    highWaterMark: BODY_BUFFER_BYTES,
    headersTimeout: timeouts.headersMs,
    // An upload may take any time while bytes keep arriving.
    requestTimeout: 0,
    keepAliveTimeout: timeouts.keepAliveMs,
    connectionsCheckingInterval: Math.min(5_000, timeouts.headersMs),
    // it is looked at here, where the answer is a problem
    requireHostHeader: false
  }
  const server: Server =
    tls === undefined
      ? createServer(options, onRequest)
      : createTlsServer({ ...options, ...tls, handshakeTimeout: timeouts.headersMs }, onRequest)
  server.on('clientError', (error: Error, socket: Socket) => clientErrors.handle(error, socket))
  server.maxConnections = connectionsMax(openFilesMax)
  server.timeout = timeouts.answerStallMs
  server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) =>
    refuse(request, response, new SheafError('ERR_EXPECTATION_FAILED'))
  )
  server.on('connect', ({ url = '' }: IncomingMessage, socket: Socket) =>
    clientErrors.refuse(socket, new SheafError('ERR_METHOD_NOT_ALLOWED', undefined, { details: { allow: allow(url) } }))
  )
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    bodies.expectContinue(request, response)
    onRequest(request, response)
  })
  return server
}

/** RFC 9112, section 3.2; HTTP/1.0 may do without. */
function hasOneHost({ rawHeaders, httpVersionMinor }: IncomingMessage): boolean {
  const count = rawHeaders.filter((name, i) => i % 2 === 0 && name.toLowerCase() === 'host').length
  return count === 1 || (count === 0 && httpVersionMinor === 0)
}

/** Counts the requests of each connection that wait for the one before them, and takes in no more while there are many. */
class PipelinedRequests {
  readonly #counts = new WeakMap<Socket, number>()

  add(socket: Socket): void {
    const count = (this.#counts.get(socket) ?? 0) + 1
    this.#counts.set(socket, count)
    if (count === PIPELINED_MAX) socket.pause()
  }

  remove(socket: Socket): void {
    const count = (this.#counts.get(socket) ?? 0) - 1
    this.#counts.set(socket, count)
    if (count === PIPELINED_MAX - 1) socket.resume()
  }
}
