import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { SheafError } from '../../core/errors.js'
import { ContentDigests, checkPlain, type HeaderOf } from './content-claims.js'

/** Bytes queued for a slow reader before the socket is paused. One socket read brings up to 64 KiB. */
const QUEUE_BYTES_MAX = 256 * 1024

export interface RequestBodiesInit {
  readonly bodyStallMs: number
  /** The socket's timeout after the body. */
  readonly answerStallMs: number
}

/** Opens request bodies, and tracks the open ones, so that an error on a connection fails the right body. */
export class RequestBodies {
  readonly #init: RequestBodiesInit
  readonly #open = new WeakMap<Socket, RequestBody>()
  /** Responses to requests whose client waits for `100 Continue`. */
  readonly #awaitingContinue = new WeakMap<IncomingMessage, ServerResponse>()

  constructor(init: RequestBodiesInit) {
    this.#init = init
  }

  /** The client sends its body only after `100 Continue` (`Expect: 100-continue`). */
  expectContinue(request: IncomingMessage, response: ServerResponse): void {
    this.#awaitingContinue.set(request, response)
  }

  /**
   * @param bytesMax - a longer body fails with ERR_TOO_LARGE
   * @throws `ERR_TOO_LARGE` at once when the declared length is larger; what is thrown for headers that say that the bytes are
   * not what is to be stored: see content-claims.ts
   */
  open(request: IncomingMessage, bytesMax: number): RequestBody {
    const headerOf: HeaderOf = name => request.headers[name]?.toString()
    checkPlain(headerOf)
    const digests = ContentDigests.declaredBy(headerOf)
    if (Number(request.headers['content-length'] ?? 0) > bytesMax) throw tooLarge(bytesMax)
    const begin = (): void => {
      this.#open.set(request.socket, body)
      this.#awaitingContinue.get(request)?.writeContinue()
    }
    const body: RequestBody = new RequestBody(request, { ...this.#init, bytesMax, digests, begin })
    return body
  }

  /** Fails the body being read on a connection. @returns false when there is none */
  fail(socket: Socket, error: SheafError): boolean {
    return this.#open.get(socket)?.fail(error) ?? false
  }
}

interface RequestBodyInit extends RequestBodiesInit {
  readonly bytesMax: number
  /** What the bytes must have. */
  readonly digests: ContentDigests | undefined
  /** Called before the first read. */
  readonly begin: () => void
}

/**
 * A request's bytes, pulled by one reader. Unlike Node's own iterator it keeps the connection open when the reader stops
 * early, so that an answer can still be sent; it also costs less per piece.
 *
 * Errors: `ERR_TOO_LARGE`, `ERR_TRUNCATED_BODY` (the client disconnected), `ERR_REQUEST_TIMEOUT` (it stopped sending),
 * `ERR_DIGEST_MISMATCH` in place of the end, so that nothing is done with bytes that are not what the client meant.
 */
export class RequestBody implements AsyncIterableIterator<Uint8Array> {
  readonly #request: IncomingMessage
  readonly #init: RequestBodyInit
  readonly #queue: Uint8Array[] = []
  #queuedBytes = 0
  #receivedBytes = 0
  #state: 'new' | 'open' | 'ended' | 'failed' = 'new'
  #error: SheafError | undefined
  #waiting: { resolve(result: IteratorResult<Uint8Array>): void; reject(error: unknown): void } | undefined

  constructor(request: IncomingMessage, init: RequestBodyInit) {
    this.#request = request
    this.#init = init
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<Uint8Array>> {
    if (this.#state === 'new') this.#begin()
    const chunk = this.#queue.shift()
    if (chunk !== undefined) {
      this.#queuedBytes -= chunk.byteLength
      if (this.#queuedBytes < QUEUE_BYTES_MAX && this.#request.isPaused()) this.#request.resume()
      return Promise.resolve({ done: false, value: chunk })
    }
    if (this.#state === 'failed') return Promise.reject(this.#error)
    if (this.#state === 'ended') return Promise.resolve({ done: true, value: undefined })
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
    })
  }

  /** Ends the reading. */
  return(): Promise<IteratorResult<Uint8Array>> {
    if (this.#state === 'new') this.#state = 'ended'
    this.#settle('ended')
    this.#queue.length = 0
    return Promise.resolve({ done: true, value: undefined })
  }

  /** Fails the body if it is open. @returns whether it was */
  fail(error: SheafError): boolean {
    if (this.#state !== 'open') return false
    this.#error = error
    this.#settle('failed')
    return true
  }

  #begin(): void {
    this.#state = 'open'
    const request = this.#request
    this.#init.begin()
    if (request.destroyed && !request.readableEnded) {
      this.fail(truncated())
      return
    }
    request.socket.setTimeout(this.#init.bodyStallMs)
    request.on('data', this.#onData).on('end', this.#onEnd).on('close', this.#onClose)
    request.on('error', this.#onClose).on('timeout', this.#onTimeout)
  }

  readonly #onData = (chunk: Uint8Array): void => {
    this.#receivedBytes += chunk.byteLength
    if (this.#receivedBytes > this.#init.bytesMax) {
      this.fail(tooLarge(this.#init.bytesMax))
      return
    }
    this.#init.digests?.add(chunk)
    const waiting = this.#waiting
    if (waiting !== undefined) {
      this.#waiting = undefined
      waiting.resolve({ done: false, value: chunk })
      return
    }
    this.#queue.push(chunk)
    this.#queuedBytes += chunk.byteLength
    if (this.#queuedBytes >= QUEUE_BYTES_MAX) this.#request.pause()
  }

  readonly #onEnd = (): void => {
    try {
      this.#init.digests?.check(name => this.#request.trailers[name])
      this.#settle('ended')
    } catch (err) {
      if (!(err instanceof SheafError)) throw err
      this.fail(err)
    }
  }

  readonly #onClose = (): void => {
    this.fail(truncated())
  }

  readonly #onTimeout = (): void => {
    // If bytes are queued, the reader is slow, not the client.
    const waitsForClient = this.#queue.length === 0 && this.#request.readableLength === 0
    if (waitsForClient) this.fail(new SheafError('ERR_REQUEST_TIMEOUT', 'the body stopped arriving'))
    else this.#request.socket.setTimeout(this.#init.bodyStallMs)
  }

  #settle(state: 'ended' | 'failed'): void {
    if (this.#state !== 'open') return
    this.#state = state
    const request = this.#request
    request.off('data', this.#onData).off('end', this.#onEnd).off('close', this.#onClose)
    request.off('error', this.#onClose).off('timeout', this.#onTimeout)
    request.socket.setTimeout(this.#init.answerStallMs)
    const waiting = this.#waiting
    this.#waiting = undefined
    if (state === 'failed') waiting?.reject(this.#error)
    else waiting?.resolve({ done: true, value: undefined })
  }
}

function truncated(): SheafError {
  return new SheafError('ERR_TRUNCATED_BODY', 'the connection ended before the body did')
}

function tooLarge(bytesMax: number): SheafError {
  return new SheafError('ERR_TOO_LARGE', `the body is larger than the maximum of ${bytesMax} bytes`)
}
