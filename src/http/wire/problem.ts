import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '../../core/clock.js'
import { ERROR_CODES, SheafError } from '../../core/errors.js'
import type { Logger } from '../../core/log.js'
import { ERROR_MAP } from './error-map.js'

/** An error as sent to a client (RFC 9457). */
export interface Problem {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** JSON. */
  readonly body: string
}

/** Headers that the status of an error requires. */
export interface ProblemHeaders {
  readonly allow?: string
  readonly 'accept-encoding'?: string
  readonly 'content-range'?: string
  readonly 'www-authenticate'?: string
  readonly 'retry-after'?: string
}

/** @returns the headers that HTTP wants beside a status, from the details of the error */
export function problemHeaders(error: unknown): ProblemHeaders {
  if (!(error instanceof SheafError)) return {}
  const { allow, size, retry_after_s: retryAfterS } = error.details
  switch (error.code) {
    case 'ERR_METHOD_NOT_ALLOWED':
      return { allow: String(allow) }
    case 'ERR_METRICS_TOKEN':
    case 'ERR_UNAUTHENTICATED':
    case 'ERR_SESSION_ENDED':
    case 'ERR_ACCOUNT_DISABLED':
    case 'ERR_BAD_CREDENTIALS':
      return { 'www-authenticate': 'Bearer' }
    case 'ERR_NOT_OPERATOR':
      return { 'www-authenticate': 'Bearer realm="operator"' }
    case 'ERR_TOO_MANY_TRIES':
      return { 'retry-after': String(retryAfterS) }
    case 'ERR_RANGE_NOT_SATISFIABLE':
      return { 'content-range': `bytes */${size}` }
    case 'ERR_UNSUPPORTED_ENCODING':
      return { 'accept-encoding': 'identity' }
    default:
      return {}
  }
}

/**
 * Translates an error to HTTP. The message of a 500 is only logged, because it may contain file paths.
 *
 * @param error - anything but a SheafError is a defect and reported as ERR_INTERNAL
 * @param about - fields of the log line
 */
export function problemOf(error: unknown, log: Logger, headers: ProblemHeaders = {}, about: object = {}): Problem {
  const known = error instanceof SheafError ? error : new SheafError('ERR_INTERNAL', undefined, { cause: error })
  const { status, retryAfterS, members = {} } = ERROR_MAP[known.code]
  if (status === 500) log.error({ err: error, ...about }, 'request failed')
  const title = ERROR_CODES[known.code]
  const problem: Record<string, unknown> = {
    code: known.code,
    title,
    status,
    detail: status === 500 ? title : known.message
  }
  for (const [name, value] of Object.entries(members)) problem[name] = known.details[name] ?? value
  const body = JSON.stringify(problem)
  return {
    status,
    headers: {
      'content-type': 'application/problem+json',
      'content-length': String(Buffer.byteLength(body)),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      ...(retryAfterS === undefined ? {} : { 'retry-after': String(retryAfterS) }),
      ...headers
    },
    body
  }
}

/**
 * Answers with a problem, or cuts the connection when an answer has already begun.
 *
 * If part of the request body is still to come, it is read and dropped for up to `lingerMs` before the connection closes.
 * Closing at once would reset it, and a client still sending might never see the answer (RFC 9112, section 9.6).
 */
export function sendProblem(
  request: IncomingMessage,
  response: ServerResponse,
  problem: Problem,
  components: { readonly clock: Clock },
  lingerMs: number
): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  const { status, headers } = problem
  const body = request.method === 'HEAD' ? '' : problem.body
  if (request.complete || !announcesBody(request)) {
    response.writeHead(status, headers).end(body)
    return
  }
  response.writeHead(status, { ...headers, connection: 'close' })
  if (request.socket.readableEnded) {
    response.end(body)
    return
  }
  response.write(body)
  const end = (): void => {
    cancel()
    request.off('end', end).off('close', end)
    response.end()
  }
  const cancel = components.clock.schedule(lingerMs, end)
  request.once('end', end).once('close', end)
  request.resume()
}

export function announcesBody(request: IncomingMessage): boolean {
  const { headers } = request
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0'
}
