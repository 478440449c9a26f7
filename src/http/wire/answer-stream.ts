import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

export interface AnswerTarget {
  readonly response: ServerResponse
  /** The response's own is not there while it waits behind another one of its connection. */
  readonly socket: Socket
  /** Sends status and headers. */
  readonly writeHead: () => void
  /** Told what ended the answer before its end. It is cut then, so that the client does not take it for complete. */
  readonly onCut: (error: unknown) => void
}

/**
 * Sends chunks as the client takes them: at most one of them beyond the socket's own buffer is in memory. The head follows the first chunk, so
 * that what is wrong from the start can still become a problem. Stops without an error when the client goes away.
 *
 * @param chunks - always closed, read to the end or not
 * @throws what `chunks` throws instead of a first chunk; nothing has been sent then
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

/** Resolves when the response takes more, or never will. */
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
