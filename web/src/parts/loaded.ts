import { type Signal, useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { ApiError } from '../api/client.js'
import { useApp } from '../state/app.js'

export interface Loaded<T> {
  readonly value: Signal<T | undefined>
  readonly error: Signal<ApiError | undefined>
  readonly load: () => void
}

/** Something that is asked of the node when the part is shown, when `key` changes, and, if it `follows`, when something happens. */
export function useLoaded<T>(
  key: string,
  ask: (signal: AbortSignal) => Promise<T>,
  { follows = false, everyMs }: { readonly follows?: boolean; readonly everyMs?: number } = {}
): Loaded<T> {
  const { live, timers, session } = useApp()
  // what is shown stays while somebody has to log in, and is read anew afterwards
  const isOut = session.access.value === 'out'
  const value = useSignal<T | undefined>(undefined)
  const error = useSignal<ApiError | undefined>(undefined)
  const round = useSignal(0)
  useEffect(() => {
    if (isOut) return undefined
    const abort = new AbortController()
    ask(abort.signal).then(
      answer => {
        if (abort.signal.aborted) return
        value.value = answer
        error.value = undefined
      },
      (reason: unknown) => {
        if (abort.signal.aborted) return
        if (!(reason instanceof ApiError)) throw reason
        error.value = reason
      }
    )
    return () => abort.abort()
  }, [key, round.value, isOut])
  useEffect(() => {
    value.value = undefined
    error.value = undefined
  }, [key])
  const load = (): void => {
    round.value++
  }
  useEffect(() => (follows ? live.onChange(load) : undefined), [follows])
  useEffect(() => (everyMs === undefined ? undefined : timers.after(everyMs, load)), [everyMs, round.value])
  return { value, error, load }
}
