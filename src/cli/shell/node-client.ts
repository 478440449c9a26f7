import { Agent, type ClientRequest, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import { type RequestOptions as HttpsRequestOptions, request as httpsRequest, Agent as TlsAgent } from 'node:https'
import { pipeline } from 'node:stream'
import type { Clock } from '../../core/clock.js'
import { ERROR_CODES, type ErrorCode, hasCode, SheafError, systemErrorCode } from '../../core/errors.js'

const CONNECT_MS = 10_000
/** An answer may take this long without a byte: undeleting a large file copies it before it answers. */
const SILENCE_MS = 300_000
const CONNECTIONS_MAX = 8
const JSON_BYTES_MAX = 64 * 2 ** 20
const PROBLEM_BYTES_MAX = 64 * 1_024
const ATTEMPTS_MAX = 5
const RETRY_PAUSE_MS = 500
const UNIX = 'unix:'

const UNTRUSTED = 'its certificate is signed by nobody whom this machine trusts: name the authority with --ca FILE'
/** What helps where the connection failed because of TLS. */
const TLS_FAULTS: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: UNTRUSTED,
  SELF_SIGNED_CERT_IN_CHAIN: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNTRUSTED,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNTRUSTED,
  CERT_HAS_EXPIRED: 'its certificate has expired; renew it, and the node takes it by itself',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet; look at the clocks of both machines',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name; name the node by one that stands in it',
  EPROTO: 'it does not speak HTTPS: use http:// instead of https://'
}

export interface NodeRequest {
  readonly method?: 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE'
  /** Undefined values are left out; lists repeat the parameter. */
  readonly query?: Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: UploadBody
  /** Only an operator or administrator may do this, so where nobody else is named, the token of the node goes along. */
  readonly operator?: boolean
  /** Default: as the user says. `kept`: as who is logged in, whatever else the user names. */
  readonly as?: 'nobody' | 'kept'
}

/** Bytes to send: all at once, or as `open` has them, which is called once for each attempt. */
export type UploadBody = { readonly bytes: Uint8Array } | UploadStream

export interface UploadStream {
  readonly byteCount: number
  open(): AsyncIterable<Uint8Array>
}

/** The connection failed, or ended before the answer was there. */
class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost'
}

/** Where a node is. */
export interface NodeAddress {
  /** http or https, with a path that ends in a slash; of a Unix socket http://localhost/ */
  readonly url: URL
  /** Of a Unix socket. */
  readonly socketPath?: string
}

/** As whom a client asks. */
export interface ClientCredentials {
  /** @param isOperators - only an operator or administrator may do it. @returns what to send, if anything */
  token(isOperators: boolean): Promise<string | undefined>
  keptToken(): Promise<string | undefined>
  /** @returns another one, where one that was refused can be renewed */
  instead(refused: string): Promise<string | undefined>
  /** @returns what to do about a refusal, to stand in brackets behind it */
  wayOut(refused: string | undefined): Promise<string>
}

export interface NodeClientInit extends NodeAddress {
  readonly signal: AbortSignal
  /** Certificates, PEM: only what one of them has signed is trusted. Undefined: what this machine trusts. */
  readonly ca?: Buffer | undefined
}

/** Talks HTTP to one node: streams both ways, retries what may be repeated, and turns every failure into a {@link SheafError}. */
export class NodeClient {
  readonly #clock: Clock
  readonly #credentials: ClientCredentials | undefined
  readonly #url: URL
  readonly #socketPath: string | undefined
  /** As the user names the node. */
  readonly #name: string
  readonly #signal: AbortSignal
  readonly #agent: Agent
  readonly #ca: Buffer | undefined
  /** A connection has been made. */
  #reached = false

  /**
   * @param components.credentials - without them nobody is named
   */
  constructor(components: { readonly clock: Clock; readonly credentials?: ClientCredentials }, init: NodeClientInit) {
    this.#clock = components.clock
    this.#credentials = components.credentials
    this.#url = init.url
    this.#socketPath = init.socketPath
    this.#name = init.socketPath === undefined ? init.url.origin : `${UNIX}${init.socketPath}`
    this.#signal = init.signal
    this.#ca = init.ca
    const options = { keepAlive: true, maxSockets: CONNECTIONS_MAX }
    this.#agent = init.url.protocol === 'https:' ? new TlsAgent({ ...options, ca: init.ca }) : new Agent(options)
  }

  close(): void {
    this.#agent.destroy()
  }

  /**
   * Sends a request and reads its JSON answer.
   *
   * @throws `ERR_NODE_UNREACHABLE`, what the node answered, what the body threw
   */
  json<T>(path: string, options: NodeRequest = {}): Promise<T> {
    return this.#persist(options, async () => {
      const text = await readText(await this.#exchange(path, options), JSON_BYTES_MAX)
      const value = parseObject(text)
      if (value === undefined) throw notANode(this.#name)
      return value as T
    })
  }

  /**
   * Sends a request.
   *
   * @returns the answer, with a status of 2xx; the caller reads or destroys it
   * @throws `ERR_NODE_UNREACHABLE`, what the node answered, what the body threw
   */
  open(path: string, options: NodeRequest = {}): Promise<IncomingMessage> {
    return this.#persist(options, () => this.#exchange(path, options))
  }

  /** Retries after a lost connection, unless that could do the work twice, and when the node is overloaded. */
  async #persist<T>({ method }: NodeRequest, attempt: () => Promise<T>): Promise<T> {
    for (let attempts = 1; ; attempts++) {
      try {
        return await attempt()
      } catch (err) {
        this.#signal.throwIfAborted()
        const lost = err instanceof ConnectionLost
        // A node that was reached before and refuses now may be restarting; one that never was is not there.
        const mayReturn = lost && this.#reached && TLS_FAULTS[err.message] === undefined
        const again = lost ? mayReturn && method !== 'POST' : hasCode(err, 'ERR_OVERLOADED')
        if (!again || attempts === ATTEMPTS_MAX) throw lost ? this.#unreachable(err) : err
        await this.#clock.sleep(RETRY_PAUSE_MS * 2 ** (attempts - 1), this.#signal)
      }
    }
  }

  #unreachable(err: ConnectionLost): SheafError {
    const wayOut =
      TLS_FAULTS[err.message] ?? 'start a node with `sheaf start`, or name another one with --node URL or SHEAF_NODE'
    const message = `no answer from ${this.#name} (${err.message}): ${wayOut}`
    return new SheafError('ERR_NODE_UNREACHABLE', message, { cause: err.cause })
  }

  async #exchange(path: string, options: NodeRequest): Promise<IncomingMessage> {
    const { as, operator = false } = options
    const credentials = as === 'nobody' ? undefined : this.#credentials
    const token = await (as === 'kept' ? credentials?.keptToken() : credentials?.token(operator))
    try {
      return await this.#ask(path, options, token)
    } catch (err) {
      if (credentials === undefined || !isForWantOfAccount(err)) throw err
      // the node has refused before it read a body, so nothing is done twice
      const another = token && (await credentials.instead(token))
      if (another) return await this.#ask(path, options, another)
      throw new SheafError(err.code, `${err.message} (${await credentials.wayOut(token)})`, err)
    }
  }

  async #ask(path: string, options: NodeRequest, token: string | undefined): Promise<IncomingMessage> {
    const headers = { ...options.headers, ...(token !== undefined && { authorization: `Bearer ${token}` }) }
    const answer = await this.#send(path, { ...options, headers })
    const { statusCode = 0 } = answer
    if (statusCode >= 200 && statusCode < 300) return answer
    throw problemOf(statusCode, await readText(answer, PROBLEM_BYTES_MAX), this.#name)
  }

  /** @returns the answer's head, whatever its status. @throws {@link ConnectionLost}, what the body threw */
  #send(path: string, { method = 'GET', query = {}, headers = {}, body }: NodeRequest): Promise<IncomingMessage> {
    const url = new URL(path.slice(1), this.#url)
    for (const [name, value] of Object.entries(query)) {
      const values = typeof value === 'object' ? value : [value]
      for (const one of values) if (one !== undefined) url.searchParams.append(name, String(one))
    }
    const length = body === undefined ? {} : { 'content-length': 'bytes' in body ? body.bytes.length : body.byteCount }
    // A kept connection may be closing at this very moment, and a POST could not be sent again.
    const agent = method === 'POST' ? undefined : this.#agent

    return new Promise((resolve, reject) => {
      let answered = false
      let bodyError: unknown
      const request = this.#request(url, { ...this.#connection(agent), method, headers: { ...headers, ...length } })
      request.once('response', answer => {
        answered = true
        // The node may answer before it has read everything: then its answer counts, and the rest is not sent.
        answer.once('close', () => {
          if (!request.writableFinished) request.destroy()
        })
        resolve(answer)
      })
      request.once('error', err => {
        if (!answered) reject(bodyError ?? new ConnectionLost(systemErrorCode(err) ?? err.message, { cause: err }))
      })
      this.#limitSilence(request)
      if (body === undefined) return request.end()
      if ('bytes' in body) return request.end(body.bytes)
      const bytes = catching(body.open(), err => {
        bodyError = err
      })
      // Its errors are the request's own, which are heard above.
      pipeline(bytes, request, () => {})
    })
  }

  /** @param agent - undefined: a connection for this request alone */
  #connection(agent: Agent | undefined): HttpsRequestOptions {
    return {
      agent: agent ?? false,
      signal: this.#signal,
      ...(this.#socketPath !== undefined && { socketPath: this.#socketPath }),
      ...(this.#ca !== undefined && { ca: this.#ca })
    }
  }

  #limitSilence(request: ClientRequest): void {
    const giveUp = (): void => {
      request.destroy(Object.assign(new Error('timed out'), { code: 'ETIMEDOUT' }))
    }
    request.once('socket', socket => {
      if (!socket.connecting) return
      socket.setTimeout(CONNECT_MS, giveUp)
      socket.once('connect', () => {
        this.#reached = true
        socket.off('timeout', giveUp)
      })
    })
    // Node counts this one from the moment of connection on.
    request.setTimeout(SILENCE_MS, giveUp)
  }

  #request(url: URL, options: RequestOptions): ClientRequest {
    return url.protocol === 'https:' ? httpsRequest(url, options) : httpRequest(url, options)
  }
}

/**
 * The body of an answer, piece by piece.
 *
 * @throws `ERR_NODE_UNREACHABLE` when the connection ends before the body does
 */
export async function* answerBytes(answer: IncomingMessage): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    for await (const piece of answer) yield piece as Uint8Array
  } catch (err) {
    throw new SheafError('ERR_NODE_UNREACHABLE', 'the connection was lost in the middle of an answer; try again', {
      cause: err
    })
  }
}

/** The part of a request that sends a value as JSON. */
export function jsonBody(value: unknown): Required<Pick<NodeRequest, 'headers' | 'body'>> {
  return { headers: { 'content-type': 'application/json' }, body: { bytes: Buffer.from(JSON.stringify(value)) } }
}

/** @throws `ERR_USAGE` unless it is an http or https URL without query, or `unix:` with a path */
export function parseNodeAddress(text: string): NodeAddress {
  if (text.startsWith(UNIX) && text.length > UNIX.length)
    return { url: new URL('http://localhost/'), socketPath: text.slice(UNIX.length) }

  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !['http:', 'https:'].includes(url.protocol) || url.search !== '') {
    throw new SheafError(
      'ERR_USAGE',
      `--node (or SHEAF_NODE) ${JSON.stringify(text)} must be a URL such as http://127.0.0.1:8000, or unix:PATH`
    )
  }
  if (!url.pathname.endsWith('/')) url.pathname += '/'
  return { url }
}

async function* catching(
  body: AsyncIterable<Uint8Array>,
  onError: (err: unknown) => void
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* body
  } catch (err) {
    onError(err)
    throw err
  }
}

/** @returns what an answer of status 4xx or 5xx says; the problem's members are the details */
function problemOf(status: number, text: string, origin: string): SheafError {
  const problem = parseObject(text)
  const { code, detail, title } = problem ?? {}
  if (typeof code !== 'string') return notANode(`${origin} (status ${status})`)
  const message = [detail, title].find(candidate => typeof candidate === 'string') ?? code
  return refusal(code, message, { ...problem })
}

/** @returns what a node means by a code; a newer node may know some that this client does not */
export function refusal(code: string, message?: string, details: SheafError['details'] = {}): SheafError {
  return isErrorCode(code)
    ? new SheafError(code, message, { details })
    : new SheafError('ERR_INTERNAL', message === undefined ? code : `${message} (${code})`, { details })
}

function isForWantOfAccount(err: unknown): err is SheafError {
  return hasCode(err, 'ERR_UNAUTHENTICATED') || hasCode(err, 'ERR_SESSION_ENDED')
}

function notANode(who: string): SheafError {
  return new SheafError('ERR_NODE_UNREACHABLE', `${who} answers, but not as a Sheaf node does; check --node`)
}

function parseObject(text: string): Partial<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? { ...value } : undefined
  } catch {
    return undefined // not from a node
  }
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERROR_CODES, code)
}

/** @throws {@link ConnectionLost}; `ERR_NODE_UNREACHABLE` when the answer is longer than a node's would be */
async function readText(answer: IncomingMessage, bytesMax: number): Promise<string> {
  const pieces: Uint8Array[] = []
  let byteCount = 0
  try {
    for await (const piece of answer) {
      byteCount += piece.length
      pieces.push(piece)
      if (byteCount > bytesMax) break
    }
  } catch (err) {
    throw new ConnectionLost(systemErrorCode(err) ?? 'cut off', { cause: err })
  }
  if (byteCount > bytesMax)
    throw new SheafError(
      'ERR_NODE_UNREACHABLE',
      `the answer is longer than ${bytesMax} bytes, so it is not a Sheaf node's; check --node`
    )
  return Buffer.concat(pieces).toString('utf8')
}
