import type { Clock } from '../core/clock.js'
import { SheafError } from '../core/errors.js'
import type { Logger } from '../core/log.js'
import type { Progress } from '../core/progress.js'
import type { Random } from '../core/random.js'
import type { UserId } from '../domain/ids.js'

const HISTORY_MAX = 100
/** Listeners hear of progress no more often, ms; of another state at once. */
const PROGRESS_MS = 1_000

export type JobState = 'queued' | 'running' | 'done' | 'failed' | 'cancelled'

/** A snapshot of one long-running task. */
export interface Job {
  readonly id: string
  readonly kind: string
  /** Who began it; undefined: nobody who has an account. */
  readonly owner: UserId | undefined
  readonly state: JobState
  readonly progress: Progress | undefined
  /** Wall clock ms. */
  readonly createdAtMs: number
  /** Whether {@link Jobs.cancel} ends it while it runs. */
  readonly isStoppable: boolean
  readonly finishedAtMs: number | undefined
  /** The task's result once `done`, and of one that was stopped what it had done by then: plain data. */
  readonly result: unknown
  /** Once `failed`. */
  readonly error: { readonly code: string; readonly message: string } | undefined
}

/** The work of a job: reports its progress, and stops soon after the signal. */
export type JobTask = (progress: (progress: Progress) => void, signal: AbortSignal) => Promise<unknown>

export interface JobInit {
  /** What it works on, where that makes a difference. */
  readonly subject?: string
  /** Whether it can be stopped by who reads of it. Default: it goes on until the node stops. */
  readonly isStoppable?: boolean
  readonly owner?: UserId | undefined
}

interface Entry {
  job: Job
  readonly subject: string
  readonly abort: AbortController
  readonly completion: Promise<void>
  /** Listeners will hear of its progress. */
  cancelNews: (() => void) | undefined
}

/** Long-running work that a client starts and polls. One job of a kind and subject runs at a time; the last 100 are kept. */
export class Jobs {
  readonly #clock: Clock
  readonly #random: Random
  readonly #log: Logger
  /** By id, oldest first. */
  readonly #entries = new Map<string, Entry>()
  readonly #listeners = new Set<(job: Job) => void>()
  #stopping = false

  constructor(components: { readonly clock: Clock; readonly random: Random; readonly log: Logger }) {
    this.#clock = components.clock
    this.#random = components.random
    this.#log = components.log
  }

  /** @returns the job of this kind and subject that runs */
  running(kind: string, subject = ''): Job | undefined {
    const entries = [...this.#entries.values()]
    return entries.find(each => each.job.kind === kind && each.subject === subject && !isFinished(each.job))?.job
  }

  /**
   * Starts the work, unless a job of its kind and subject is running.
   *
   * @returns the running job
   * @throws `ERR_STOPPING`
   */
  start(kind: string, task: JobTask, { subject = '', isStoppable = false, owner }: JobInit = {}): Job {
    if (this.#stopping) throw new SheafError('ERR_STOPPING')
    const running = this.running(kind, subject)
    if (running !== undefined) return running
    const id = Buffer.from(this.#random.bytes(8)).toString('hex')
    const abort = new AbortController()
    const job: Job = {
      id,
      kind,
      owner,
      state: 'queued',
      progress: undefined,
      createdAtMs: this.#clock.now(),
      isStoppable,
      finishedAtMs: undefined,
      result: undefined,
      error: undefined
    }
    // The task starts in a later tick, so its entry exists before it reports.
    const completion = Promise.resolve().then(() => this.#run(id, task, abort.signal))
    this.#entries.set(id, { job, subject, abort, completion, cancelNews: undefined })
    this.#forgetOldest()
    return job
  }

  /** @returns undefined for an id that this process never knew or has dropped */
  get(id: string): Job | undefined {
    return this.#entries.get(id)?.job
  }

  /**
   * Lets a job end soon, if it has not ended.
   *
   * @throws `ERR_NO_SUCH_JOB`, `ERR_JOB_NOT_STOPPABLE`
   */
  cancel(id: string): Job {
    const entry = this.#entries.get(id)
    if (entry === undefined) throw new SheafError('ERR_NO_SUCH_JOB')
    if (!entry.job.isStoppable) throw new SheafError('ERR_JOB_NOT_STOPPABLE')
    entry.abort.abort(new SheafError('ERR_JOB_STOPPED'))
    return entry.job
  }

  /** Newest first. */
  list(): readonly Job[] {
    return Array.from(this.#entries.values(), entry => entry.job).reverse()
  }

  /** Calls the listener when a job is in another state, and about its progress. @returns removes the listener */
  onChange(listener: (job: Job) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Cancels running jobs and waits for them to end; no job can be started afterwards. */
  async stop(): Promise<void> {
    this.#stopping = true
    for (const entry of this.#entries.values()) entry.abort.abort(new SheafError('ERR_STOPPING'))
    await Promise.all(Array.from(this.#entries.values(), entry => entry.completion))
  }

  async #run(id: string, task: JobTask, signal: AbortSignal): Promise<void> {
    this.#update(id, { state: 'running' })
    try {
      signal.throwIfAborted()
      const result = await task(progress => this.#update(id, { progress }), signal)
      const state = signal.aborted ? 'cancelled' : 'done'
      this.#update(id, { state, result, finishedAtMs: this.#clock.now() })
    } catch (err) {
      const state = signal.aborted ? 'cancelled' : 'failed'
      const code = err instanceof SheafError ? err.code : 'ERR_INTERNAL'
      const message = err instanceof Error ? err.message : String(err)
      this.#update(id, { state, error: { code, message }, finishedAtMs: this.#clock.now() })
      this.#log.warn({ err, job: id, kind: this.get(id)?.kind, state }, 'job did not finish')
    }
  }

  #update(id: string, change: Partial<Job>): void {
    const entry = this.#entries.get(id)
    if (entry === undefined) return
    entry.job = { ...entry.job, ...change }
    if (change.state === undefined) entry.cancelNews ??= this.#clock.schedule(PROGRESS_MS, () => this.#tell(entry))
    else this.#tell(entry)
  }

  #tell(entry: Entry): void {
    entry.cancelNews?.()
    entry.cancelNews = undefined
    for (const listener of this.#listeners) listener(entry.job)
  }

  #forgetOldest(): void {
    for (const [id, { job }] of this.#entries) {
      if (this.#entries.size <= HISTORY_MAX) return
      if (isFinished(job)) this.#entries.delete(id)
    }
  }
}

function isFinished(job: Job): boolean {
  return job.state === 'done' || job.state === 'failed' || job.state === 'cancelled'
}
