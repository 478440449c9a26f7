import { ERROR_CODES, SheafError } from '../../core/errors.js'
import type { Logger } from '../../core/log.js'
import type { NodeId } from '../../domain/ids.js'
import type { Frame } from './rpc-frames.js'

/** What a stream's answering end knows of the node that asks. */
export interface Requester {
  readonly peer: NodeId
  readonly log: Logger
}

/** @throws `ERR_PEER_PROTOCOL` for a method that nobody handles */
export function requireHandler<Handler>(handlers: ReadonlyMap<string, Handler>, method: string): Handler {
  const handler = handlers.get(method)
  if (handler === undefined) throw new SheafError('ERR_PEER_PROTOCOL', `there is no method ${method}`)
  return handler
}

/**
 * Says to the requester what went wrong: errors that Sheaf names by code and message, any other only as `ERR_INTERNAL`, since
 * what it says is for this node's log.
 */
export function errorFrame(requester: Requester, id: number, method: string, err: unknown): Frame {
  if (err instanceof SheafError) return { type: 'error', id, code: err.code, message: err.message }
  requester.log.error({ err, peer: requester.peer, method }, 'a request of another node met a defect')
  return { type: 'error', id, code: 'ERR_INTERNAL', message: ERROR_CODES.ERR_INTERNAL }
}
