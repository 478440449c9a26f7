import { ConcurrencyLimit } from '../../core/concurrency-limit.js'
import { type ErrorCode, SheafError } from '../../core/errors.js'
import { REQUEST_BYTES_MAX, type RequestHandler } from '../transport.js'
import type { ByteChannel } from './byte-channel.js'
import { FrameWriter } from './frame-writer.js'
import { errorFrame, type Requester, requireHandler } from './handlers.js'
import { type Frame, FrameParser, unexpected } from './rpc-frames.js'

const MIB = 2 ** 20
const REQUESTS_MAX = 256
const REQUEST_BYTES_IN_FLIGHT_MAX = 16 * MIB
const ANSWER_QUEUE_BYTES_MAX = 8 * MIB

type IncomingCall = Extract<Frame, { type: 'request' | 'notify' }>

/**
 * The answering end of an RPC stream. It stops reading while too many requests are being handled or too many answers wait
 * to be sent. This slows the requesting end down and bounds memory.
 */
export class RpcResponder {
  readonly #channel: ByteChannel
  readonly #requester: Requester
  readonly #handlers: ReadonlyMap<string, RequestHandler>
  readonly #writer: FrameWriter
  readonly #limit = new ConcurrencyLimit({
    countMax: REQUESTS_MAX,
    bytesMax: REQUEST_BYTES_IN_FLIGHT_MAX,
    waitingMax: 1
  })
  /** By id of the request being handled. */
  readonly #cancel = new Map<number, AbortController>()
  readonly #working = new Set<Promise<void>>()
  /** Violations of the protocol are logged once per stream and code. */
  readonly #warnedCodes = new Set<ErrorCode>()

  constructor(components: {
    readonly channel: ByteChannel
    readonly requester: Requester
    readonly handlers: ReadonlyMap<string, RequestHandler>
  }) {
    this.#channel = components.channel
    this.#requester = components.requester
    this.#handlers = components.handlers
    this.#writer = new FrameWriter(components.channel)
  }

  /** Answers requests until the stream ends, then waits for running handlers. Never rejects. */
  async run(): Promise<void> {
    let cause: unknown
    try {
      const parser = new FrameParser()
      for await (const piece of this.#channel.read()) {
        for (const frame of parser.push(piece)) await this.#take(frame)
      }
    } catch (err) {
      cause = err
      if (err instanceof SheafError) this.#warnOnce(err, 'a malformed frame of a peer ended a stream')
    }
    const ended = new SheafError('ERR_PEER_UNREACHABLE', 'the connection to the requesting node ended', { cause })
    this.#channel.abort(ended)
    for (const controller of this.#cancel.values()) controller.abort(ended)
    await Promise.all(this.#working)
  }

  async #take(frame: Frame): Promise<void> {
    if (frame.type === 'cancel') {
      this.#cancel.get(frame.id)?.abort(new SheafError('ERR_PEER_UNREACHABLE', 'the requesting node no longer waits'))
      return
    }
    if (frame.type !== 'request' && frame.type !== 'notify') throw unexpected(frame)
    if (frame.type === 'request' && this.#cancel.has(frame.id)) throw unexpected(frame)
    await this.#writer.below(ANSWER_QUEUE_BYTES_MAX)
    const leave = await this.#limit.enter(frame.body.length)
    const work = this.#work(frame).finally(() => {
      this.#working.delete(work)
      leave()
    })
    this.#working.add(work)
  }

  async #work(frame: IncomingCall): Promise<void> {
    const { id, method, body } = frame
    const controller = new AbortController()
    if (frame.type === 'request') this.#cancel.set(id, controller)
    try {
      const handler = requireHandler(this.#handlers, method)
      const answer = await handler(this.#requester.peer, body, controller.signal)
      if (frame.type === 'notify') return
      if (answer.length > REQUEST_BYTES_MAX) throw new Error(`an answer of ${answer.length} bytes`)
      if (!controller.signal.aborted) this.#writer.write({ type: 'answer', id, body: answer })
    } catch (err) {
      if (err instanceof SheafError && err.code === 'ERR_PEER_PROTOCOL')
        this.#warnOnce(err, 'refused a malformed request of a peer')
      if (controller.signal.aborted) return
      const error = errorFrame(this.#requester, id, method, err)
      if (frame.type === 'request') this.#writer.write(error)
    } finally {
      if (frame.type === 'request') this.#cancel.delete(id)
    }
  }

  #warnOnce(err: SheafError, message: string): void {
    if (this.#warnedCodes.has(err.code)) return
    this.#warnedCodes.add(err.code)
    this.#requester.log.warn({ code: err.code, reason: err.message, peer: this.#requester.peer }, message)
  }
}
