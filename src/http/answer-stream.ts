import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/**
 * Sends chunks as the client takes them, then ends the answer. Headers must have been written. At most one chunk beyond the socket's own
 * buffer is in memory. Stops without an error when the client goes away.
 *
 * @param onError - told what `chunks` threw; the answer is cut then, so that the client does not take it for complete
 */
export async function streamAnswer(
  response: ServerResponse,
  socket: Socket,
  chunks: AsyncIterable<Uint8Array>,
  onError: (error: unknown) => void
): Promise<void> {
  try {
    for await (const chunk of chunks) {
      if (socket.destroyed) return
      if (!response.write(chunk)) await writable(response, socket)
    }
    response.end()
  } catch (err) {
    response.destroy()
    // A response that waits behind another one of its connection has no socket of its own to destroy.
    socket.destroy()
    onError(err)
  }
}

/**
 * Reads the first chunk ahead, so that what is wrong from the start is thrown before a status has been sent.
 *
 * @throws what `chunks` throws
 */
export async function begun<Chunk>(chunks: AsyncIterable<Chunk>): Promise<AsyncIterable<Chunk>> {
  const iterator = chunks[Symbol.asyncIterator]()
  const first = await iterator.next()
  return (async function* () {
    try {
      for (let result = first; !result.done; result = await iterator.next()) yield result.value
    } finally {
      await iterator.return?.()
    }
  })()
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
