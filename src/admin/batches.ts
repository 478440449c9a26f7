import { type ErrorCode, SheafError } from '../core/errors.js'
import type { Progress } from '../core/progress.js'
import type { PhotoId, UserId } from '../domain/ids.js'
import { PackedIds } from '../domain/packed-ids.js'
import type { SelectedList } from '../photos/library-lists.js'
import type { BatchOutcome } from '../photos/photo-types.js'
import type { Viewer } from '../photos/viewers/viewer.js'
import type { Job, Jobs } from './jobs.js'

const INIT: BatchesInit = { atOnceMax: 1_000, piece: 500, keptIdsMax: 1_000_000 }
/** Each keeps the ids of its photos, at most 16 MB. */
const RUNNING_MAX = 2
/** When a whole piece fails for one of these reasons, so will the next one. */
const OF_THE_NODE: ReadonlySet<ErrorCode> = new Set([
  'ERR_DISK_FULL',
  'ERR_DISK_WRITE',
  'ERR_DIRECTORY_UNAVAILABLE',
  'ERR_LEAVING',
  'ERR_STOPPING'
])

export interface BatchesComponents {
  readonly jobs: Jobs
  /** @returns all that a list has now. @throws `ERR_BAD_PARAMETER`, `ERR_INDEX_BUILDING`, the signal's reason */
  readonly find: (list: SelectedList, viewer: Viewer, signal: AbortSignal) => Promise<PackedIds>
}

export interface BatchesInit {
  /** Photos that are changed while the client waits, about a second; fewer in tests only. */
  readonly atOnceMax: number
  /** Photos between two looks at whether a job is to stop; fewer in tests only. */
  readonly piece: number
  /** Ids of photos that jobs have changed, kept so that it can be undone, 16 bytes each; fewer in tests only. */
  readonly keptIdsMax: number
}

/** All of a list; or what a job has changed, to undo that. */
export type Selected = SelectedList | { readonly job: string }

export interface BatchRequest {
  readonly select: Selected
  /** So many photos does the client believe these to be. */
  readonly total: number
  readonly kind: string
  /** For whom. */
  readonly viewer: Viewer
  /** The account of that one; undefined: nobody's. */
  readonly owner: UserId | undefined
  /** Changes some photos, at most 1,000. @throws what makes all of it impossible */
  readonly change: (ids: readonly PhotoId[]) => Promise<readonly BatchOutcome[]>
}

/** What a job has changed so far. */
export interface BatchReport {
  readonly changed: number
  readonly failed: number
  /** Why. */
  readonly errors: readonly { readonly code: ErrorCode; readonly count: number }[]
}

/**
 * Changes all photos of a list without the client naming them. Which ones these are is settled at once, from one snapshot: what
 * comes into the list later is left alone, and that photos leave it by being changed makes no difference.
 */
export class Batches {
  readonly #components: BatchesComponents
  readonly #init: BatchesInit
  /** Ids that jobs have changed, by job, oldest first. */
  readonly #changed = new Map<string, PackedIds>()
  #count = 0
  #running = 0

  constructor(components: BatchesComponents, init: Partial<BatchesInit> = {}) {
    this.#components = components
    this.#init = { ...INIT, ...init }
  }

  /**
   * @returns the outcomes of up to 1,000 photos, newest first; of more, the job that goes on
   * @throws `ERR_SELECTION_CHANGED` before anything is done, `ERR_NO_SUCH_JOB`, `ERR_OVERLOADED`, `ERR_STOPPING`; as `find` and
   * `change`
   */
  async run(request: BatchRequest, signal: AbortSignal): Promise<readonly BatchOutcome[] | Job> {
    const { select, total, viewer, change } = request
    await change([]) // what is wrong with the request is thrown before anything is done
    const ids =
      'job' in select ? this.#changedBy(select.job, request.owner) : await this.#components.find(select, viewer, signal)
    if (ids.size !== total)
      throw new SheafError(
        'ERR_SELECTION_CHANGED',
        `these are ${ids.size} photos and not ${total}, so nothing was done: look at the list again`,
        { details: { total, found: ids.size } }
      )
    return total <= this.#init.atOnceMax ? change(ids.slice(0, total)) : this.#start(ids, request)
  }

  #changedBy(id: string, owner: UserId | undefined): PackedIds {
    const ids = this.#changed.get(id)
    const job = this.#components.jobs.get(id)
    if (ids === undefined || job?.finishedAtMs === undefined || job.owner !== owner)
      throw new SheafError('ERR_NO_SUCH_JOB', 'this node does not know, or no longer, what that job has changed')
    return ids
  }

  #start(ids: PackedIds, { kind, owner, change }: BatchRequest): Job {
    if (this.#running >= RUNNING_MAX)
      throw new SheafError(
        'ERR_OVERLOADED',
        `${RUNNING_MAX} jobs change many photos already: try again when one of them has ended, or stop it`
      )
    const changed = new PackedIds()
    this.#count++
    const subject = String(this.#count)
    const job = this.#components.jobs.start(
      kind,
      async (progress, signal): Promise<BatchReport> => {
        try {
          return await this.#changeAll(ids, change, changed, progress, signal)
        } finally {
          this.#running--
          this.#forgetOldest()
        }
      },
      { subject, isStoppable: true, owner }
    )
    this.#running++
    this.#changed.set(job.id, changed)
    return job
  }

  /** Jobs that nobody can ask for any more, and the oldest of the others while they keep too much. */
  #forgetOldest(): void {
    const { jobs } = this.#components
    for (const id of this.#changed.keys()) if (jobs.get(id) === undefined) this.#changed.delete(id)
    let kept = Array.from(this.#changed.values()).reduce((sum, { size }) => sum + size, 0)
    for (const [id, { size }] of this.#changed) {
      if (kept <= this.#init.keptIdsMax) return
      if (jobs.get(id)?.finishedAtMs === undefined) continue
      this.#changed.delete(id)
      kept -= size
    }
  }

  async #changeAll(
    ids: PackedIds,
    change: BatchRequest['change'],
    changed: PackedIds,
    progress: (progress: Progress) => void,
    signal: AbortSignal
  ): Promise<BatchReport> {
    const { piece } = this.#init
    const errors = new Map<ErrorCode, number>()
    for (let at = 0; at < ids.size && !signal.aborted; at += piece) {
      progress({ done: at, total: ids.size, unit: 'photos' })
      const outcomes = await change(ids.slice(at, at + piece))
      for (const { photoId, error } of outcomes) {
        if (error === undefined) changed.add(photoId)
        else errors.set(error, (errors.get(error) ?? 0) + 1)
      }
      const [first] = outcomes
      if (
        first?.error !== undefined &&
        OF_THE_NODE.has(first.error) &&
        outcomes.every(({ error }) => error === first.error)
      )
        throw new SheafError(first.error)
      progress({ done: at + outcomes.length, total: ids.size, unit: 'photos' })
    }
    return {
      changed: changed.size,
      failed: [...errors.values()].reduce((sum, count) => sum + count, 0),
      errors: Array.from(errors, ([code, count]) => ({ code, count }))
    }
  }
}
