import { ERROR_CODES, SheafError } from '../../core/errors.js'
import type { Logger } from '../../core/log.js'
import type { NodeId } from '../../domain/ids.js'
import type { Frame } from './rpc-frames.js'

/** What a stream's answering end knows about the node that sent the request. */
export interface Requester {
  readonly peer: NodeId
  readonly log: Logger
}

/** @throws `ERR_PEER_PROTOCOL` for a method without a handler */
export function requireHandler<Handler>(handlers: ReadonlyMap<string, Handler>, method: string): Handler {
  const handler = handlers.get(method)
  if (handler === undefined)
    throw new SheafError(
      'ERR_PEER_PROTOCOL',
      `this node does not know the method ${method}; it may run an older version`
    )
  return handler
}

/**
 * @returns the error as an answer: a SheafError by code and message, any other as a bare `ERR_INTERNAL`, since its text
 * belongs in this node's log only
 */
export function errorFrame(requester: Requester, id: number, method: string, err: unknown): Frame {
  if (err instanceof SheafError) return { type: 'error', id, code: err.code, message: err.message }
  requester.log.error({ err, peer: requester.peer, method }, 'a defect in Sheaf made a request of a peer fail')
  return { type: 'error', id, code: 'ERR_INTERNAL', message: ERROR_CODES.ERR_INTERNAL }
}
