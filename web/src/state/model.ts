import { ApiError } from '../api/client.js'
import type { App } from './app.js'

/**
 * Asks first whether the node has a model, if it tells: a search without one is an error that is known beforehand.
 *
 * @throws {@link ApiError} `ERR_MODEL_UNAVAILABLE`
 */
export async function requireModel({ api, session }: Pick<App, 'api' | 'session'>, signal: AbortSignal): Promise<void> {
  if (!session.can.peek().has('watch')) return
  const { model } = await api.get('/status', { signal })
  if (model === null || model === undefined) throw new ApiError('ERR_MODEL_UNAVAILABLE', 503, 'there is no model yet')
}
