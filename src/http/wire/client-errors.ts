import { type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { type ErrorCode, SheafError, systemErrorCode } from '../../core/errors.js'
import type { Logger } from '../../core/log.js'
import { type Problem, problemHeaders, problemOf } from './problem.js'
import type { RequestBodies } from './request-bodies.js'
import { REQUEST_ID_HEADER, type RequestIds } from './request-ids.js'

/** Codes of Node's parser. All others mean that the bytes are not HTTP/1.1. */
const PARSER_ERRORS: Readonly<Record<string, ErrorCode>> = {
  HPE_HEADER_OVERFLOW: 'ERR_HEADERS_TOO_LARGE',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 'ERR_TOO_LARGE',
  HPE_INVALID_EOF_STATE: 'ERR_TRUNCATED_BODY',
  ERR_HTTP_REQUEST_TIMEOUT: 'ERR_REQUEST_TIMEOUT'
}

/** Codes of OpenSSL where a client begins with something else than TLS. */
const PLAIN_ON_TLS: ReadonlySet<string> = new Set(['ERR_SSL_HTTP_REQUEST', 'ERR_SSL_WRONG_VERSION_NUMBER'])

/** How long such a client may take its answer. */
const PLAIN_MS_MAX = 2_000

/** Answers requests that Node's parser rejects. */
export class ClientErrors {
  readonly #bodies: RequestBodies
  readonly #ids: RequestIds
  readonly #log: Logger
  readonly #onProblem: (code: ErrorCode) => void
  /** The latest response on each connection. The hot path's are not here: they are written at once. */
  readonly #responses = new WeakMap<Socket, ServerResponse>()
  /** Connections already handled; further errors on them are ignored. */
  readonly #handled = new WeakSet<Socket>()

  constructor(components: {
    readonly bodies: RequestBodies
    readonly ids: RequestIds
    readonly log: Logger
    readonly onProblem: (code: ErrorCode) => void
  }) {
    this.#bodies = components.bodies
    this.#ids = components.ids
    this.#log = components.log
    this.#onProblem = components.onProblem
  }

  noteResponse(socket: Socket, response: ServerResponse): void {
    this.#responses.set(socket, response)
  }

  handle(error: Error, socket: Socket): void {
    const parserCode = systemErrorCode(error) ?? ''
    const code = PARSER_ERRORS[parserCode] ?? 'ERR_BAD_REQUEST'
    const isPlain = PLAIN_ON_TLS.has(parserCode)
    const detail = isPlain ? 'this port speaks HTTPS: use https:// instead of http://' : 'the request is not HTTP/1.1'
    const known = new SheafError(code, code === 'ERR_BAD_REQUEST' ? detail : undefined)
    if (isPlain) {
      this.#answerInPlain(socket, known)
      return
    }
    // If a body is being read, it fails and its route answers.
    if (this.#handled.has(socket) || this.#bodies.fail(socket, known)) return
    this.#handled.add(socket)
    const answer = this.#responses.get(socket)
    if (answer === undefined || answer.writableFinished || isUnanswered(answer)) {
      if (socket.writable && parserCode !== 'ECONNRESET') this.refuse(socket, known)
      else socket.destroySoon()
    } else {
      // The error follows a complete request, whose answer must be neither replaced nor cut off.
      answer.once('close', () => socket.destroySoon())
    }
  }

  /** Answers with a problem, for which there is no response of Node's, and ends the connection. */
  refuse(socket: Socket, error: SheafError): void {
    this.#onProblem(error.code)
    socket.write(rawProblem(problemOf(error, this.#log, problemHeaders(error)), this.#ids.next()))
    socket.destroySoon()
  }

  /** @param socket - its TLS handshake has failed */
  #answerInPlain(socket: Socket, error: SheafError): void {
    const plain = beneathTls(socket)
    if (plain === undefined) return
    plain.on('error', () => {}) // the client has gone without the answer
    plain.setTimeout(PLAIN_MS_MAX, () => plain.destroy())
    plain.end(rawProblem(problemOf(error, this.#log), this.#ids.next()))
  }
}

/** The request's body is malformed, and no route has begun to read it. */
function isUnanswered(answer: ServerResponse): boolean {
  return !answer.req.complete && answer.socket !== null && !answer.headersSent
}

/** @returns the TCP connection of one whose TLS handshake failed. Node has no public name for it */
function beneathTls(socket: Socket & { readonly _parent?: Socket }): Socket | undefined {
  return socket._parent
}

function rawProblem({ status, headers, body }: Problem, requestId: string): string {
  const all = Object.entries({ ...headers, [REQUEST_ID_HEADER]: requestId })
  const lines = all.map(([name, value]) => `${name}: ${value}\r\n`)
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}connection: close\r\n\r\n${body}`
}
