import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

export interface AnswerTarget {
  readonly response: ServerResponse
  /** The request's socket: the response has none while it waits behind another one on the connection. */
  readonly socket: Socket
  /** Sends status and headers. */
  readonly writeHead: () => void
  /** Called with the error that ended the answer early. The connection is cut, so that the client notices. */
  readonly onCut: (error: unknown) => void
}

/**
 * Sends chunks as fast as the client takes them: at most one beyond the socket's buffer is in memory. The headers are sent
 * only once the first chunk is there, so that an error before it can still be answered. Stops without an error when the
 * client disconnects.
 *
 * @param chunks - always closed, even if not read to the end
 * @throws an error of `chunks` before its first chunk; nothing has been sent then
 */
export async function streamAnswer(chunks: AsyncIterable<Uint8Array>, target: AnswerTarget): Promise<void> {
  const { response, socket, writeHead, onCut } = target
  const iterator = chunks[Symbol.asyncIterator]()
  let result = await iterator.next()
  try {
    writeHead()
    for (; !result.done; result = await iterator.next()) {
      if (socket.destroyed) return
      if (!response.write(result.value)) await writable(response, socket)
    }
    response.end()
  } catch (err) {
    socket.destroy()
    onCut(err)
  } finally {
    await iterator.return?.()
  }
}

/** Resolves when the response takes more data, or never will. */
function writable(response: ServerResponse, socket: Socket): Promise<void> {
  return new Promise(resolve => {
    const done = (): void => {
      response.off('drain', done)
      socket.off('close', done)
      resolve()
    }
    response.on('drain', done)
    socket.on('close', done)
    if (socket.destroyed) done()
  })
}
