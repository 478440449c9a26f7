import { abortable } from '../../core/abortable.js'
import type { Clock } from '../../core/clock.js'
import { SheafError } from '../../core/errors.js'
import { KeyedLock } from '../../core/keyed-lock.js'
import type { Logger } from '../../core/log.js'
import type { ModelId } from '../../domain/features.js'
import { SEARCH_CHARACTERS_MAX } from '../../domain/limits.js'
import type { TextEmbedding } from '../models/embedder.js'
import type { LoadedModel } from '../models/model-spec.js'
import type { DecodingTool } from './decoding-tools.js'
import type { Head } from './heads/head-facts.js'
import {
  type Analysis,
  type AnalysisRequest,
  type HeadRequest,
  IMAGE_BYTES_MAX,
  type ImageAnalyzer
} from './image-analyzer.js'
import { type ImageProcess, ImageProcessEnded, type ImageProcessEndReason } from './image-process.js'

/** Photos in flight, per priority: one is decoded while another goes through the model, and others are received or resized. */
const CONCURRENCY = { interactive: 2, backlog: 4 } as const
/** How long a client waits for its picture to be looked at. */
const INTERACTIVE_MS_MAX = 10_000
/** Photos that may wait, per priority. */
const QUEUE_MAX = 64
const TEXTS_MAX = 64
/** The current one, and the previous one, which embeds queries until the current one has analyzed all photos. */
const MODELS_MAX = 2
/** How often a process may end with only this photo in flight before the photo is to blame. */
const ENDS_BLAMED_MAX = 2
/** How often a process may end during one call, for any reason, before the call fails. */
const ENDS_MAX = 6
const IDLE_MS = 5 * 60_000

const ERROR_OF_END = {
  crashed: 'ERR_IMAGE_CRASHED',
  slow: 'ERR_IMAGE_TOO_LARGE',
  outgrown: 'ERR_IMAGE_TOO_LARGE'
} as const

export interface QueuedImageAnalyzerComponents {
  readonly clock: Clock
  readonly log: Logger
  /** Those that the process uses; default: none. */
  readonly tools?: ReadonlySet<DecodingTool>
  /** @throws `ERR_ANALYST_UNAVAILABLE` */
  readonly startProcess: () => Promise<ImageProcess>
}

interface Job {
  readonly request: AnalysisRequest
  readonly signal: AbortSignal
  readonly resolve: (analysis: Analysis) => void
  readonly reject: (error: unknown) => void
}

/**
 * Queues photos for one image process. Starts the process on demand, restarts it when it ends, and stops it after a while
 * without work.
 */
export class QueuedImageAnalyzer implements ImageAnalyzer {
  readonly #components: QueuedImageAnalyzerComponents
  readonly #queues: Readonly<Record<AnalysisRequest['priority'], Job[]>> = { interactive: [], backlog: [] }
  readonly #inFlight = { interactive: new Set<Promise<void>>(), backlog: new Set<Promise<void>>() }
  /** Photos that may have caused a process to end: each is retried alone, and no other starts meanwhile. */
  #suspectCount = 0
  readonly #suspectLock = new KeyedLock()
  #isRunning = false
  /** Models that the process must hold; the first is the current one. */
  #models: readonly LoadedModel[] = []
  #modelChange: Promise<void> = Promise.resolve()
  #process: ImageProcess | undefined
  #starting: Promise<ImageProcess> | undefined
  /** Tasks that need the process now. */
  #useCount = 0
  #textCount = 0
  #cancelIdle: () => void = () => {}

  constructor(components: QueuedImageAnalyzerComponents) {
    this.#components = components
  }

  get model(): ModelId | undefined {
    return this.#models[0]?.spec.id
  }

  get tools(): ReadonlySet<DecodingTool> {
    return this.#components.tools ?? new Set()
  }

  has(model: ModelId): boolean {
    return this.#get(model) !== undefined
  }

  async start(): Promise<void> {
    this.#isRunning = true
  }

  async stop(): Promise<void> {
    this.#isRunning = false
    this.#cancelIdle()
    for (const queue of Object.values(this.#queues)) {
      for (const job of queue.splice(0)) job.reject(new SheafError('ERR_STOPPING'))
    }
    await this.#process?.stop()
    await Promise.allSettled([this.#starting])
    await this.#process?.stop()
    await Promise.allSettled([...this.#inFlight.interactive, ...this.#inFlight.backlog, this.#modelChange])
  }

  useModel(model: LoadedModel): Promise<void> {
    return this.#changeModels(async () => {
      if (this.model === model.spec.id) return
      this.#models = this.#models.filter(({ spec }) => spec.id !== model.spec.id).slice(0, MODELS_MAX - 1)
      const models = [model, ...this.#models]
      await this.#retryOnEnd(async () => (await this.#getProcess()).holdModels(models))
      this.#models = models
    })
  }

  keepOnly(models: ReadonlySet<ModelId>): Promise<void> {
    return this.#changeModels(async () => {
      const kept = this.#models.filter(({ spec }, i) => i === 0 || models.has(spec.id))
      if (kept.length === this.#models.length) return
      this.#models = kept
      if (this.#starting === undefined && this.#process?.ended !== false) return // the next process loads these
      await this.#retryOnEnd(async () => (await this.#getProcess()).holdModels(kept))
    })
  }

  async analyze(request: AnalysisRequest, signal: AbortSignal): Promise<Analysis> {
    signal.throwIfAborted()
    this.#requireRunning()
    if (request.size === 0) throw new SheafError('ERR_IMAGE_UNREADABLE', 'the file is empty')
    if (request.size > IMAGE_BYTES_MAX) {
      throw new SheafError(
        'ERR_IMAGE_TOO_LARGE',
        `the image has ${request.size} bytes, more than the maximum of ${IMAGE_BYTES_MAX}`
      )
    }
    const queue = this.#queues[request.priority]
    if (queue.length >= QUEUE_MAX)
      throw new SheafError('ERR_OVERLOADED', 'too many photos are waiting for analysis; try again')
    return request.priority === 'interactive'
      ? this.#inTime(signal, inTime => this.#enqueue(queue, request, inTime))
      : this.#enqueue(queue, request, signal)
  }

  async #enqueue(queue: Job[], request: AnalysisRequest, signal: AbortSignal): Promise<Analysis> {
    const { job, analysis } = newJob(request, signal)
    queue.push(job)
    this.#fill()
    try {
      return await abortable(analysis, signal)
    } finally {
      removeFrom(queue, job)
    }
  }

  async #inTime<Result>(signal: AbortSignal, task: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
    const over = new AbortController()
    const cancel = this.#components.clock.schedule(INTERACTIVE_MS_MAX, () => over.abort(tooSlow()))
    try {
      return await task(AbortSignal.any([signal, over.signal]))
    } finally {
      cancel()
    }
  }

  async readHead(request: HeadRequest, signal: AbortSignal): Promise<Head | undefined> {
    signal.throwIfAborted()
    this.#requireRunning()
    return abortable(
      this.#retryOnEnd(async () => (await this.#getProcess()).readHead(request, signal)),
      signal
    )
  }

  async embedText(text: string, model: ModelId, signal: AbortSignal): Promise<TextEmbedding> {
    signal.throwIfAborted()
    this.#requireRunning()
    const spec = this.#get(model)?.spec
    if (spec === undefined) throw new SheafError('ERR_MODEL_UNAVAILABLE')
    if (spec.text === undefined) throw new SheafError('ERR_TEXT_SEARCH_UNAVAILABLE')
    if (text.trim() === '' || [...text].length > SEARCH_CHARACTERS_MAX) {
      throw new SheafError('ERR_BAD_PARAMETER', `a text must have 1 to ${SEARCH_CHARACTERS_MAX} characters`)
    }
    if (this.#textCount >= TEXTS_MAX)
      throw new SheafError('ERR_OVERLOADED', 'too many texts are waiting to be embedded; try again')
    this.#textCount++
    const embedding = this.#retryOnEnd(async () => (await this.#getProcess()).embedText(text, model)).finally(
      () => this.#textCount--
    )
    return abortable(embedding, signal)
  }

  #requireRunning(): void {
    if (!this.#isRunning) throw new SheafError('ERR_STOPPING')
  }

  // --- models ---

  #get(model: ModelId): LoadedModel | undefined {
    return this.#models.find(({ spec }) => spec.id === model)
  }

  /** Runs model changes one after the other. */
  #changeModels(change: () => Promise<void>): Promise<void> {
    const done = this.#modelChange.then(() => {
      this.#requireRunning()
      return change()
    })
    this.#modelChange = done.catch(() => {}) // the caller handles it
    return done
  }

  // --- photos ---

  #fill(): void {
    for (const priority of ['interactive', 'backlog'] as const) {
      const inFlight = this.#inFlight[priority]
      while (inFlight.size < CONCURRENCY[priority] && this.#suspectCount === 0) {
        const job = this.#queues[priority].shift()
        if (job === undefined) break
        const done = this.#analyze(job.request, job.signal)
          .then(job.resolve, job.reject)
          .finally(() => {
            inFlight.delete(done)
            this.#fill()
          })
        inFlight.add(done)
      }
    }
  }

  async #analyze(request: AnalysisRequest, signal: AbortSignal): Promise<Analysis> {
    let blamed = 0
    let suspect = false
    const analyze = async (): Promise<Analysis> => (await this.#getProcess()).analyze(request, signal)
    const onEnd = (end: ImageProcessEnded): void => {
      signal.throwIfAborted()
      if (end.blamed && ++blamed >= ENDS_BLAMED_MAX) throw faultOf(end.reason)
      if (suspect || end.reason === 'stopped') return
      suspect = true
      this.#suspectCount++
    }
    try {
      return await this.#retryOnEnd(() => (suspect ? this.#suspectLock.run('photo', analyze) : analyze()), onEnd)
    } finally {
      if (suspect) this.#suspectCount--
    }
  }

  // --- the process ---

  /**
   * Runs a task that uses the image process; retries it when the process ends.
   *
   * @param onEnd - throws when the task must not be retried
   */
  async #retryOnEnd<Result>(
    task: () => Promise<Result>,
    onEnd: (end: ImageProcessEnded) => void = () => {}
  ): Promise<Result> {
    this.#cancelIdle()
    this.#useCount++
    try {
      for (let ends = 1; ; ends++) {
        try {
          return await task()
        } catch (err) {
          if (!(err instanceof ImageProcessEnded)) throw err
          this.#requireRunning()
          if (err.reason !== 'stopped') this.#components.log.warn({ err }, 'image process ended; it will be restarted')
          onEnd(err)
          if (ends >= ENDS_MAX) throw new SheafError('ERR_ANALYST_UNAVAILABLE', undefined, { cause: err })
        }
      }
    } finally {
      if (--this.#useCount === 0 && this.#isRunning) this.#stopWhenIdle()
    }
  }

  async #getProcess(): Promise<ImageProcess> {
    if (this.#starting === undefined && this.#process?.ended === false) return this.#process
    this.#starting ??= this.#startProcess().finally(() => {
      this.#starting = undefined
    })
    return this.#starting
  }

  async #startProcess(): Promise<ImageProcess> {
    this.#requireRunning()
    const imageProcess = await this.#components.startProcess()
    this.#process = imageProcess
    if (!this.#isRunning) await imageProcess.stop()
    const loaded: LoadedModel[] = []
    for (const model of this.#models) {
      try {
        await imageProcess.holdModels([...loaded, model])
        loaded.push(model)
      } catch (err) {
        if (err instanceof ImageProcessEnded) throw err
        this.#components.log.error(
          { err, model: model.spec.name },
          'model can no longer be loaded; pull or add it again, then restart the node'
        )
        // the other model, if any, stays in use; with none, photos are analyzed without features
        this.#models = this.#models.filter(other => other !== model)
      }
    }
    return imageProcess
  }

  #stopWhenIdle(): void {
    this.#cancelIdle = this.#components.clock.schedule(IDLE_MS, () => void this.#process?.stop())
  }
}

function newJob(
  request: AnalysisRequest,
  signal: AbortSignal
): { readonly job: Job; readonly analysis: Promise<Analysis> } {
  let settle!: Pick<Job, 'resolve' | 'reject'>
  const analysis = new Promise<Analysis>((resolve, reject) => {
    settle = { resolve, reject }
  })
  return { job: { request, signal, ...settle }, analysis }
}

function tooSlow(): SheafError {
  return new SheafError(
    'ERR_OVERLOADED',
    `the picture could not be looked at within ${INTERACTIVE_MS_MAX / 1_000} s; try again, or with a smaller one`
  )
}

function faultOf(reason: ImageProcessEndReason): SheafError {
  return new SheafError(reason === 'stopped' ? 'ERR_ANALYST_UNAVAILABLE' : ERROR_OF_END[reason])
}

function removeFrom<Item>(items: Item[], item: Item): void {
  const at = items.indexOf(item)
  if (at !== -1) items.splice(at, 1)
}
