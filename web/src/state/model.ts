import { type Api, ApiError } from '../api/client.js'

/**
 * Asks first whether the node has a model: a search without one is an error that is known beforehand.
 *
 * @throws {@link ApiError} `ERR_MODEL_UNAVAILABLE`
 */
export async function requireModel(api: Pick<Api, 'get'>, signal: AbortSignal): Promise<void> {
  const { model } = await api.get('/status', { signal })
  if (model === null || model === undefined) throw new ApiError('ERR_MODEL_UNAVAILABLE', 503, 'there is no model yet')
}
