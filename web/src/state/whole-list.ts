import { type Api, ApiError } from '../api/client.js'
import type { Timers } from '../browser/timers.js'
import { type BatchBody, changeNamed } from './edits.js'
import type { Timeline } from './timeline.js'

type Select = NonNullable<BatchBody['select']>
/** What is done with photos, whichever they are. */
export type Change = Pick<BatchBody, 'act' | 'tags' | 'albums' | 'favourite' | 'archived'>

export interface WholeListComponents {
  readonly api: Pick<Api, 'get' | 'post'>
  readonly timers: Timers
  /** The work has begun, or gone on. */
  readonly onProgress: (job: string, done: number) => void
}

export interface ListOutcome {
  readonly done: number
  readonly failed: number
  /** Does something else with what it was done with. */
  readonly next: (change: Change) => Promise<ListOutcome>
}

const AGAIN_MS = 500

/** @returns all that the page shows with these filters */
export function allOf({ filters }: Pick<Timeline, 'filters'>): Select {
  const values = Object.entries(filters).map(([name, value]) => [name, typedOf(name, value)])
  return { list: 'timeline', ...Object.fromEntries(values) }
}

/**
 * Changes photos without having them named, and waits until that is done, or somebody has stopped it.
 *
 * @param total - as many as the page has shown
 * @throws {@link ApiError} `ERR_SELECTION_CHANGED` before anything is done: these are more or fewer by now
 */
export async function changeAll(
  components: WholeListComponents,
  list: { readonly select: Select; readonly total: number },
  change: Change
): Promise<ListOutcome> {
  const answer = await components.api.post('/v1/photos/batch', { ...list, ...change })
  if ('results' in answer) {
    const ids = answer.results.filter(({ status }) => status !== 'failed').map(({ photo_id }) => photo_id)
    return outcomeOf(components, ids, answer.results.length)
  }
  const { changed, failed } = await endOf(answer.job_id, components)
  const select = { job: answer.job_id }
  return { done: changed, failed, next: more => changeAll(components, { select, total: changed }, more) }
}

function outcomeOf(components: WholeListComponents, done: string[], total: number): ListOutcome {
  const next = async ({ act, ...change }: Change): Promise<ListOutcome> => {
    const body = act === undefined ? { ids: done, ...change } : { [act]: done }
    return outcomeOf(components, await changeNamed(components.api, body), done.length)
  }
  return { done: done.length, failed: total - done.length, next }
}

/** @throws {@link ApiError} what has ended the job */
async function endOf(
  id: string,
  { api, timers, onProgress }: WholeListComponents
): Promise<{ readonly changed: number; readonly failed: number }> {
  for (;;) {
    const { progress, finished_at, result, error } = await api.get('/v1/admin/jobs/{id}', { params: { id } })
    onProgress(id, progress?.done ?? 0)
    if (finished_at === null) {
      await new Promise<void>(resolve => timers.after(AGAIN_MS, resolve))
      continue
    }
    if (error !== null) throw new ApiError(error.code, 0, error.message)
    return result as { changed: number; failed: number }
  }
}

function typedOf(name: string, value: string): string | number | true {
  if (name === 'rating_min') return Number(value)
  return name === 'favourite' || name === 'archived' ? true : value
}
