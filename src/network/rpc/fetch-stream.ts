import { SheafError } from '../../core/errors.js'
import type { FetchHandler } from '../transport.js'
import type { ByteChannel } from './byte-channel.js'
import { FrameWriter, PIECE_BYTES } from './frame-writer.js'
import { errorFrame, type Requester, requireHandler } from './handlers.js'
import { type Frame, FrameParser, unexpected } from './rpc-frames.js'

/** The answering end reads this far ahead of the channel, so that disk and network work at the same time. */
const AHEAD_BYTES = 4 * PIECE_BYTES

/**
 * The requesting end of a bulk stream. It always ends the stream: after the last piece, when the caller leaves the loop,
 * and on an error.
 *
 * @throws `ERR_PEER_UNREACHABLE` when the stream ends before the answer does; `ERR_PEER_PROTOCOL`; the other end's error
 * by its code; the signal's reason
 */
export async function* fetchOver(
  channel: ByteChannel,
  method: string,
  body: Uint8Array,
  signal: AbortSignal
): AsyncGenerator<Uint8Array> {
  const abort = (): void => channel.abort(new Error('the reader gave up'))
  signal.addEventListener('abort', abort, { once: true })
  try {
    signal.throwIfAborted()
    new FrameWriter(channel).write({ type: 'request', id: 0, method, body })
    for await (const frame of frames(channel)) {
      if (frame.type === 'piece') yield frame.body
      else if (frame.type === 'end') return
      else if (frame.type === 'error') throw new SheafError(frame.code, frame.message)
      else throw unexpected(frame)
    }
    throw new Error('the stream was closed before the answer was complete')
  } catch (err) {
    signal.throwIfAborted()
    if (err instanceof SheafError) throw err
    throw new SheafError('ERR_PEER_UNREACHABLE', 'the connection to the node ended; try again', { cause: err })
  } finally {
    signal.removeEventListener('abort', abort)
    abort() // harmless after the last piece
  }
}

/** The answering end: reads one request, then sends its answer at the reader's pace. Never rejects. */
export async function serveFetch(
  channel: ByteChannel,
  requester: Requester,
  handlers: ReadonlyMap<string, FetchHandler>
): Promise<void> {
  const incoming = frames(channel)
  const readerEnded = new AbortController()
  try {
    const first = await incoming.next()
    if (first.done === true) return
    if (first.value.type !== 'request') throw unexpected(first.value)
    // Only the end of the stream may follow; it means that nobody reads any more.
    const readerClosed = incoming.next().then(
      () => readerEnded.abort(new SheafError('ERR_PEER_UNREACHABLE', 'the reader closed the stream')),
      cause =>
        readerEnded.abort(new SheafError('ERR_PEER_UNREACHABLE', 'the connection to the reader ended', { cause }))
    )
    await answer(channel, first.value, requester, handlers, readerEnded.signal)
    await channel.close()
    await readerClosed // the reader closes after the last piece
  } catch (err) {
    if (err instanceof SheafError && err.code === 'ERR_PEER_PROTOCOL') {
      requester.log.warn(
        { code: err.code, reason: err.message, peer: requester.peer },
        'a malformed frame of a peer ended a stream'
      )
    }
  } finally {
    channel.abort(new Error('the answer is complete'))
  }
}

async function answer(
  channel: ByteChannel,
  request: Extract<Frame, { type: 'request' | 'notify' }>,
  requester: Requester,
  handlers: ReadonlyMap<string, FetchHandler>,
  signal: AbortSignal
): Promise<void> {
  const { id, method, body } = request
  const writer = new FrameWriter(channel)
  try {
    const handler = requireHandler(handlers, method)
    for await (const piece of handler(requester.peer, body, signal)) {
      for (let offset = 0; offset < piece.length; offset += PIECE_BYTES) {
        if (signal.aborted) return
        writer.write({ type: 'piece', id, body: piece.subarray(offset, offset + PIECE_BYTES) })
        await writer.below(AHEAD_BYTES)
      }
      if (signal.aborted) return
    }
    writer.write({ type: 'end', id })
  } catch (err) {
    if (signal.aborted) return
    if (err instanceof SheafError && err.code === 'ERR_PEER_PROTOCOL') {
      requester.log.warn(
        { code: err.code, reason: err.message, peer: requester.peer, method },
        'refused a malformed request of a peer'
      )
    }
    writer.write(errorFrame(requester, id, method, err))
  }
  await writer.below(0)
}

async function* frames(channel: ByteChannel): AsyncGenerator<Frame> {
  const parser = new FrameParser({ cutPieces: true })
  for await (const piece of channel.read()) yield* parser.push(piece)
}
