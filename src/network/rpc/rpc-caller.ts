import { ConcurrencyLimit } from '../../core/concurrency-limit.js'
import { SheafError } from '../../core/errors.js'
import type { ByteChannel } from './byte-channel.js'
import { FrameWriter } from './frame-writer.js'
import { FRAME_ID_MAX, type Frame, FrameParser, unexpected } from './rpc-frames.js'

const MIB = 2 ** 20
const REQUESTS_MAX = 256
const REQUEST_BYTES_IN_FLIGHT_MAX = 16 * MIB
const WAITING_MAX = 4096
/** A notification behind a longer queue than this would come too late to be of use. */
const NOTIFY_QUEUE_BYTES_MAX = 4 * MIB

interface Call {
  readonly resolve: (body: Uint8Array) => void
  readonly reject: (error: unknown) => void
}

/**
 * The requesting end of an RPC stream. Many requests are in flight at once over one stream; answers come in any order.
 * Requests beyond the bounds wait in order.
 */
export class RpcCaller {
  readonly #channel: ByteChannel
  readonly #writer: FrameWriter
  readonly #limit = new ConcurrencyLimit({
    countMax: REQUESTS_MAX,
    bytesMax: REQUEST_BYTES_IN_FLIGHT_MAX,
    waitingMax: WAITING_MAX
  })
  readonly #calls = new Map<number, Call>()
  #lastId = 0
  /** Why the stream ended. */
  #ended: SheafError | undefined

  constructor(channel: ByteChannel) {
    this.#channel = channel
    this.#writer = new FrameWriter(channel)
  }

  /** Whether the stream can no longer be used. */
  get ended(): boolean {
    return this.#ended !== undefined
  }

  /**
   * Reads answers until the stream ends; then all pending calls fail.
   *
   * @returns `ERR_PEER_PROTOCOL` when a malformed frame ended the stream; undefined otherwise
   */
  async run(): Promise<SheafError | undefined> {
    let cause: unknown
    try {
      const parser = new FrameParser()
      for await (const piece of this.#channel.read()) {
        for (const frame of parser.push(piece)) this.#settle(frame)
      }
    } catch (err) {
      cause = err
    }
    this.end(cause)
    return cause instanceof SheafError && cause.code === 'ERR_PEER_PROTOCOL' ? cause : undefined
  }

  /** Ends the stream; all pending calls fail. */
  end(cause?: unknown): void {
    if (this.#ended !== undefined) return
    this.#ended = new SheafError('ERR_PEER_UNREACHABLE', 'the connection to the node ended; try again', { cause })
    this.#channel.abort(this.#ended)
    for (const call of this.#calls.values()) call.reject(this.#ended)
    this.#calls.clear()
  }

  /**
   * @throws `ERR_PEER_UNREACHABLE` when the stream ends first; the other end's error by its code; the signal's reason;
   * `ERR_OVERLOADED` when too many requests wait to be sent
   */
  async request(method: string, body: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    const leave = await this.#limit.enter(body.length, signal)
    try {
      if (this.#ended !== undefined) throw this.#ended
      return await this.#call(method, body, signal)
    } finally {
      leave()
    }
  }

  /** @returns false when the message was dropped: the queue is full, or the stream has ended */
  notify(method: string, body: Uint8Array): boolean {
    if (this.#ended !== undefined || this.#writer.queuedBytes + body.length > NOTIFY_QUEUE_BYTES_MAX) return false
    this.#writer.write({ type: 'notify', id: 0, method, body })
    return true
  }

  #call(method: string, body: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    const id = this.#freshId()
    return new Promise((resolve, reject) => {
      const cancel = (): void => {
        this.#calls.delete(id)
        this.#writer.write({ type: 'cancel', id })
        reject(signal.reason)
      }
      const done = (): void => signal.removeEventListener('abort', cancel)
      this.#calls.set(id, {
        resolve: answer => {
          done()
          resolve(answer)
        },
        reject: error => {
          done()
          reject(error)
        }
      })
      signal.addEventListener('abort', cancel, { once: true })
      this.#writer.write({ type: 'request', id, method, body })
    })
  }

  #settle(frame: Frame): void {
    const call = this.#calls.get(frame.id) // undefined: canceled while the answer was in flight
    this.#calls.delete(frame.id)
    if (frame.type === 'answer') call?.resolve(frame.body)
    else if (frame.type === 'error') call?.reject(new SheafError(frame.code, frame.message))
    else throw unexpected(frame)
  }

  #freshId(): number {
    do this.#lastId = this.#lastId === FRAME_ID_MAX ? 1 : this.#lastId + 1
    while (this.#calls.has(this.#lastId))
    return this.#lastId
  }
}
