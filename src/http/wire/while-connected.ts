import type { FastifyRequest } from 'fastify'
import { SheafError } from '../../core/errors.js'

/** Runs a task and aborts it when the client disconnects. */
export async function whileConnected<Result>(
  { raw: { socket } }: Pick<FastifyRequest, 'raw'>,
  task: (signal: AbortSignal) => Promise<Result>
): Promise<Result> {
  const abort = new AbortController()
  const onClose = (): void => abort.abort(new SheafError('ERR_TRUNCATED_BODY', 'the client disconnected'))
  socket.once('close', onClose)
  if (socket.destroyed) onClose()
  try {
    return await task(abort.signal)
  } finally {
    socket.off('close', onClose)
  }
}
