import { SheafError } from '../../core/errors.js'
import type { FetchHandler } from '../transport.js'
import type { ByteChannel } from './byte-channel.js'
import { FrameWriter, PIECE_BYTES } from './frame-writer.js'
import { type Requester, errorFrame, requireHandler } from './handlers.js'
import { type Frame, FrameParser, unexpected } from './rpc-frames.js'

/** What the answering end reads from its handler ahead of what the channel takes, so that the disk works while the network does. */
const AHEAD_BYTES = 4 * PIECE_BYTES

/**
 * The asking end of a bulk stream, which it ends in every case: having read all, on leaving the loop, on an error.
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
    throw new SheafError('ERR_PEER_UNREACHABLE', 'the connection to the node ended', { cause: err })
  } finally {
    signal.removeEventListener('abort', abort)
    abort() // harmless when all has been read
  }
}

/** The answering end: one request, then its answer at the pace at which it is read. Never rejects. */
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
    // Nothing more is to come but the end, which means that nobody reads any longer.
    const readerClosed = incoming.next().then(
      () => readerEnded.abort(new SheafError('ERR_PEER_UNREACHABLE', 'the reader has left')),
      cause => readerEnded.abort(new SheafError('ERR_PEER_UNREACHABLE', 'the reader is gone', { cause }))
    )
    await answer(channel, first.value, requester, handlers, readerEnded.signal)
    await channel.close()
    await readerClosed // the reader closes once it has everything
  } catch (err) {
    if (err instanceof SheafError && err.code === 'ERR_PEER_PROTOCOL') {
      requester.log.warn({ code: err.code, reason: err.message, peer: requester.peer }, 'a malformed frame ended a stream')
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
      requester.log.warn({ code: err.code, reason: err.message, peer: requester.peer, method }, 'a message was not understood')
    }
    writer.write(errorFrame(requester, id, method, err))
  }
  await writer.below(0)
}

async function* frames(channel: ByteChannel): AsyncGenerator<Frame> {
  const parser = new FrameParser({ cutPieces: true })
  for await (const piece of channel.read()) yield* parser.push(piece)
}
