import type { Stream, StreamCloseEvent, StreamMessageEvent } from '@libp2p/interface'
import type { ByteChannel } from '../rpc/byte-channel.js'

/** A reader pauses the sender above this; what the sender's window still allows (at most 2 MiB) comes on top. */
const READ_AHEAD_BYTES = 256 * 1024

/**
 * A libp2p stream as a byte channel. It uses events and `pause` directly, since some of the helpers of libp2p 3.3 for
 * reading and waiting buffer without a bound.
 */
export class Libp2pChannel implements ByteChannel {
  readonly #stream: Stream

  constructor(stream: Stream) {
    this.#stream = stream
  }

  send(bytes: Uint8Array): boolean {
    try {
      return this.#stream.send(bytes)
    } catch {
      return false // it has ended: `drained` throws, and `read` gives the reason
    }
  }

  /** After a `drain` event the stream may be full again: its own queue goes first. (`stream.onDrain` waits only once.) */
  async drained(): Promise<void> {
    const stream = this.#stream
    while (stream.writableNeedsDrain && stream.writeStatus !== 'closed') await changed(stream)
    if (stream.writeStatus !== 'writable') throw new Error('the stream has ended')
  }

  async *read(): AsyncGenerator<Uint8Array> {
    const stream = this.#stream
    const pieces: Uint8Array[] = []
    let pieceBytes = 0
    let resuming = false
    let ended = stream.remoteWriteStatus === 'closed'
    let error: Error | undefined
    let wake = (): void => {}

    const pauseIfFull = (): void => {
      if (pieceBytes >= READ_AHEAD_BYTES && stream.readStatus === 'readable') stream.pause()
    }
    const onMessage = ({ data }: StreamMessageEvent): void => {
      for (const piece of data instanceof Uint8Array ? [data] : data) pieces.push(piece)
      pieceBytes += data.byteLength
      // A pause during `resume` is mistaken by the stream for its own: it would extend the sender's window forever.
      if (!resuming) pauseIfFull()
      wake()
    }
    const onEnd = (): void => {
      ended = true
      wake()
    }
    const onClose = (event: StreamCloseEvent): void => {
      error = event.error
      onEnd()
    }
    stream.addEventListener('message', onMessage)
    stream.addEventListener('remoteCloseWrite', onEnd)
    stream.addEventListener('close', onClose)
    try {
      for (;;) {
        const piece = pieces.shift()
        if (piece !== undefined) {
          pieceBytes -= piece.length
          yield piece
        } else if (stream.readStatus === 'paused') {
          resuming = true
          stream.resume()
          resuming = false
          pauseIfFull()
        } else if (ended && stream.readBufferLength === 0) {
          if (error !== undefined) throw error
          return
        } else {
          await new Promise<void>(resolve => {
            wake = resolve
          })
        }
      }
    } finally {
      stream.removeEventListener('message', onMessage)
      stream.removeEventListener('remoteCloseWrite', onEnd)
      stream.removeEventListener('close', onClose)
    }
  }

  async close(): Promise<void> {
    try {
      await this.#stream.close()
    } catch (err) {
      this.abort(err instanceof Error ? err : new Error('the stream could not be closed', { cause: err }))
    }
  }

  abort(reason: Error): void {
    this.#stream.abort(reason)
  }
}

/** Waits for the next event after which a stream may have room. */
function changed(stream: Stream): Promise<void> {
  return new Promise(resolve => {
    const done = (): void => {
      for (const event of ['drain', 'close'] as const) stream.removeEventListener(event, done)
      resolve()
    }
    for (const event of ['drain', 'close'] as const) stream.addEventListener(event, done)
  })
}
