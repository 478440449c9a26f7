import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import type { Duplicates, Merged } from '../state/duplicates.js'
import { words } from '../texts/en-duplicates.js'

export interface AcceptAllProps {
  readonly duplicates: Duplicates
  readonly count: { readonly groups: number; readonly photos: number }
  /** @param problem - why it ended before its end */
  readonly onEnd: (merges: readonly Merged[], problem: unknown) => void
}

/** Keeps one of each group of equal bytes, all at one press. */
export function AcceptAll({ duplicates, count, onEnd }: AcceptAllProps): JSX.Element {
  const done = useSignal<number | undefined>(undefined)
  const abort = useRef(new AbortController())
  useEffect(() => () => abort.current.abort(), [])
  const copies = count.photos - count.groups
  const accept = async (): Promise<void> => {
    abort.current = new AbortController()
    done.value = 0
    const merges: Merged[] = []
    let problem: unknown
    try {
      await duplicates.mergeExact(merged => {
        merges.push(merged)
        done.value = merges.length
      }, abort.current.signal)
    } catch (reason) {
      if (!abort.current.signal.aborted) problem = reason
    }
    done.value = undefined
    onEnd(merges, problem)
  }
  return (
    <section class="accept-all">
      <div>
        <h2>{words.all(count.groups, copies)}</h2>
        <p>{words.allHint(copies)}</p>
      </div>
      {done.value === undefined ? (
        <button type="button" class="button button-strong" onClick={() => void accept()}>
          {words.keepOneOfEach}
        </button>
      ) : (
        <div class="accept-progress">
          <progress max={count.groups} value={done.value} aria-label={words.keepOneOfEach} />
          <span class="quiet">{words.progress(done.value, count.groups)}</span>
          <button type="button" class="button" onClick={() => abort.current.abort()}>
            {words.stop}
          </button>
        </div>
      )}
    </section>
  )
}
