import { type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { type ErrorCode, SheafError, systemErrorCode } from '../../core/errors.js'
import type { Logger } from '../../core/log.js'
import { type Problem, problemOf } from './problem.js'
import type { RequestBodies } from './request-bodies.js'
import { REQUEST_ID_HEADER, type RequestIds } from './request-ids.js'

/** Codes of Node's parser. All others mean that the bytes are not HTTP/1.1. */
const PARSER_ERRORS: Readonly<Record<string, ErrorCode>> = {
  HPE_HEADER_OVERFLOW: 'ERR_HEADERS_TOO_LARGE',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 'ERR_TOO_LARGE',
  HPE_INVALID_EOF_STATE: 'ERR_TRUNCATED_BODY',
  ERR_HTTP_REQUEST_TIMEOUT: 'ERR_REQUEST_TIMEOUT'
}

/** Answers requests that Node's parser rejects. */
export class ClientErrors {
  readonly #bodies: RequestBodies
  readonly #ids: RequestIds
  readonly #log: Logger
  /** The latest response on each connection. The hot path's are not here: they are written at once. */
  readonly #responses = new WeakMap<Socket, ServerResponse>()
  /** Connections already handled; further errors on them are ignored. */
  readonly #handled = new WeakSet<Socket>()

  constructor(components: { readonly bodies: RequestBodies; readonly ids: RequestIds; readonly log: Logger }) {
    this.#bodies = components.bodies
    this.#ids = components.ids
    this.#log = components.log
  }

  noteResponse(socket: Socket, response: ServerResponse): void {
    this.#responses.set(socket, response)
  }

  handle(error: Error, socket: Socket): void {
    const parserCode = systemErrorCode(error) ?? ''
    const code = PARSER_ERRORS[parserCode] ?? 'ERR_BAD_REQUEST'
    const known = new SheafError(code, code === 'ERR_BAD_REQUEST' ? 'the request is not HTTP/1.1' : undefined)
    // If a body is being read, it fails and its route answers.
    if (this.#handled.has(socket) || this.#bodies.fail(socket, known)) return
    this.#handled.add(socket)
    const answer = this.#responses.get(socket)
    if (answer === undefined || answer.writableFinished || isUnanswered(answer)) {
      if (socket.writable && parserCode !== 'ECONNRESET')
        socket.write(rawProblem(problemOf(known, this.#log), this.#ids.next()))
      socket.destroySoon()
    } else {
      // The error follows a complete request, whose answer must be neither replaced nor cut off.
      answer.once('close', () => socket.destroySoon())
    }
  }
}

/** The request's body is malformed, and no route has begun to read it. */
function isUnanswered(answer: ServerResponse): boolean {
  return !answer.req.complete && answer.socket !== null && !answer.headersSent
}

function rawProblem({ status, headers, body }: Problem, requestId: string): string {
  const all = Object.entries({ ...headers, [REQUEST_ID_HEADER]: requestId })
  const lines = all.map(([name, value]) => `${name}: ${value}\r\n`)
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}connection: close\r\n\r\n${body}`
}
