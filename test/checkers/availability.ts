/*
 * A running node with a healthy disk answers every request within its deadline, whatever its connections. What a client
 * may be refused all the same is said by the circumstances of the request; all else is a fault.
 */

/** A request as its client saw it. */
export interface JudgedRequest {
  readonly tookMs: number
  /** Undefined: no complete answer came. */
  readonly status: number | undefined
  readonly code: string | undefined
}

/** What was so at any moment between the request's begin and its end. */
export interface Circumstances {
  readonly deadlineMs: number
  /** A fault of the node itself, in words: it did not run, or stood still. */
  readonly faultOfNode: string | undefined
  /** Whether the node may not know the photo, so that 404 is due. */
  readonly mayBeUnknown: boolean
  /** Whether the photo may be deleted, so that 410 is due. */
  readonly mayBeDeleted: boolean
  /** Whether the node's files were harmed and may not have been mended yet, so that 404 and 503 are due. */
  readonly mayBeDamaged: boolean
  /** Whether the node may not know somebody who is logged in, so that 401 and 403 are due: files harmed, or a clock that is wrong. */
  readonly mayNotKnowAsker: boolean
  /** Whether somebody asks who may not, so that 401 or 403 is due. */
  readonly mayBeRefused: boolean
  /** Whether the node may not have loaded its model yet, so that 503 `ERR_MODEL_UNAVAILABLE` is due. */
  readonly mayLackModel: boolean
  /** Whether no node in reach may have the photo's bytes, so that 503 `ERR_BYTES_UNREACHABLE` is due. */
  readonly mayLackBytes: boolean
}

export type Availability = 'served' | { readonly excuse: string } | { readonly problem: string }

const DAMAGED = 'its files had been harmed'
const NOT_KNOWN = 'it could not know who asked'
const NO_MODEL = 'the node had just started, and its model was not loaded'
const NO_BYTES = 'its bytes were on no node in reach'

export function judgeAvailability(
  { tookMs, status, code }: JudgedRequest,
  {
    deadlineMs,
    faultOfNode,
    mayBeUnknown,
    mayBeDeleted,
    mayBeDamaged,
    mayNotKnowAsker,
    mayBeRefused,
    mayLackModel,
    mayLackBytes
  }: Circumstances
): Availability {
  if (faultOfNode !== undefined) return { excuse: faultOfNode }
  // what begins with bytes that are at hand is cut off where the rest cannot be had
  const isLacking = status === undefined || code === 'ERR_BYTES_UNREACHABLE'
  if (mayLackBytes && isLacking && tookMs <= deadlineMs) return { excuse: NO_BYTES }
  if (mayBeDamaged && (status === 404 || status === 503) && tookMs <= deadlineMs) return { excuse: DAMAGED }
  if (mayNotKnowAsker && (status === 401 || status === 403) && tookMs <= deadlineMs) return { excuse: NOT_KNOWN }
  if (mayLackModel && code === 'ERR_MODEL_UNAVAILABLE' && tookMs <= deadlineMs) return { excuse: NO_MODEL }
  if (status === undefined) return { problem: `no answer after ${Math.round(tookMs)} ms` }
  if (tookMs > deadlineMs) return { problem: `${status} only after ${Math.round(tookMs)} ms` }
  if (status < 400 || code === 'ERR_TOO_FEW_COPIES') return 'served'
  if (status === 404 && mayBeUnknown) return 'served'
  if (status === 410 && mayBeDeleted) return 'served'
  if ((status === 401 || status === 403) && mayBeRefused) return 'served'
  return { problem: `${status} ${code ?? ''}`.trim() }
}
