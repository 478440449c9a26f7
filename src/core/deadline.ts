import type { Clock } from './clock.js'
import { SheafError } from './errors.js'

export interface Deadline {
  /** Aborts with `ERR_PEER_UNREACHABLE` when the time is up, or with the reason of the signal that ends the node. */
  readonly signal: AbortSignal
  /** To be called when whatever had the deadline has ended: the timer goes. */
  readonly cancel: () => void
}

/** @param stop - ends everything early, e.g. because the node stops */
export function deadline(clock: Clock, ms: number, stop?: AbortSignal): Deadline {
  const abort = new AbortController()
  const stopped = (): void => abort.abort(stop?.reason)
  const cancelTimer = clock.schedule(ms, () =>
    abort.abort(new SheafError('ERR_PEER_UNREACHABLE', 'the peer took too long'))
  )
  if (stop?.aborted) stopped()
  else stop?.addEventListener('abort', stopped, { once: true })
  return {
    signal: abort.signal,
    cancel: () => {
      cancelTimer()
      stop?.removeEventListener('abort', stopped)
    }
  }
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
