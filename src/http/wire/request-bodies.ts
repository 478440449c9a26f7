import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { SheafError } from '../../core/errors.js'

/** Bytes that may wait for a slow reader before the client is made to wait. One read of a socket brings up to 64 KiB. */
const QUEUE_BYTES_MAX = 256 * 1024

export interface RequestBodiesInit {
  readonly bodyStallMs: number
  /** What a socket's timeout goes back to after the body. */
  readonly answerStallMs: number
}

/** Opens request bodies and knows which are open, so that faults of a connection end the right one. */
export class RequestBodies {
  readonly #init: RequestBodiesInit
  readonly #open = new WeakMap<Socket, RequestBody>()
  /** Requests whose client waits to be told to go on, with the way to tell it. */
  readonly #expecting = new WeakMap<IncomingMessage, ServerResponse>()

  constructor(init: RequestBodiesInit) {
    this.#init = init
  }

  /** The client sends its body only when told to (`Expect: 100-continue`). */
  expectContinue(request: IncomingMessage, response: ServerResponse): void {
    this.#expecting.set(request, response)
  }

  /**
   * @param bytesMax - a longer body is ERR_TOO_LARGE
   * @throws `ERR_TOO_LARGE` at once when the declared length says so
   */
  open(request: IncomingMessage, bytesMax: number): RequestBody {
    if (Number(request.headers['content-length'] ?? 0) > bytesMax) throw tooLarge(bytesMax)
    const begin = (): void => {
      this.#open.set(request.socket, body)
      this.#expecting.get(request)?.writeContinue()
    }
    const body: RequestBody = new RequestBody(request, { ...this.#init, bytesMax, begin })
    return body
  }

  /** What a client sends turned out malformed. @returns false when no body was being read on that connection */
  fail(socket: Socket, error: SheafError): boolean {
    return this.#open.get(socket)?.fail(error) ?? false
  }
}

interface RequestBodyInit extends RequestBodiesInit {
  readonly bytesMax: number
  /** Called before the first byte is asked for. */
  readonly begin: () => void
}

/**
 * A request's bytes, pulled by one reader. Unlike Node's own iterator it leaves the connection alone when the reader stops early, so
 * that an answer can still be sent, and costs no promise per piece that has already arrived.
 *
 * Errors: `ERR_TOO_LARGE`, `ERR_TRUNCATED_BODY` (the client went away), `ERR_REQUEST_TIMEOUT` (it sends nothing).
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

  /** The reader wants no more. */
  return(): Promise<IteratorResult<Uint8Array>> {
    if (this.#state === 'new') this.#state = 'ended'
    this.#settle('ended')
    this.#queue.length = 0
    return Promise.resolve({ done: true, value: undefined })
  }

  /** Ends the body with an error, unless it has ended. @returns whether it did */
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

  readonly #onEnd = (): void => this.#settle('ended')

  readonly #onClose = (): void => {
    this.fail(truncated())
  }

  readonly #onTimeout = (): void => {
    // Bytes that wait here mean that the reader is slow, not the client.
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
  return new SheafError('ERR_TOO_LARGE', `the body is larger than the ${bytesMax} bytes allowed`)
}
