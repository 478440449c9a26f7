import type { Clock } from './clock.js'
import { SheafError } from './errors.js'

export interface Deadline {
  /** Aborts with the error of `late` when the time is up, or earlier with the reason of `stop`. */
  readonly signal: AbortSignal
  /** Clears the timer. Call it when the work under the deadline has ended. */
  readonly cancel: () => void
}

/**
 * @param stop - aborts early, e.g. because the node stops
 * @param late - the error when the time is up; default: `ERR_PEER_UNREACHABLE`
 */
export function deadline(clock: Clock, ms: number, stop?: AbortSignal, late = peerIsLate): Deadline {
  const abort = new AbortController()
  const abortEarly = (): void => abort.abort(stop?.reason)
  const cancelTimer = clock.schedule(ms, () => abort.abort(late()))
  if (stop?.aborted) abortEarly()
  else stop?.addEventListener('abort', abortEarly, { once: true })
  return {
    signal: abort.signal,
    cancel: () => {
      cancelTimer()
      stop?.removeEventListener('abort', abortEarly)
    }
  }
}

function peerIsLate(): SheafError {
  return new SheafError('ERR_PEER_UNREACHABLE', 'the other node did not answer in time')
}

/** Runs a task under a deadline. */
export async function withDeadline<Result>(
  clock: Clock,
  ms: number,
  stop: AbortSignal | undefined,
  task: (signal: AbortSignal) => Promise<Result>
): Promise<Result> {
  const { signal, cancel } = deadline(clock, ms, stop)
  try {
    return await task(signal)
  } finally {
    cancel()
  }
}
