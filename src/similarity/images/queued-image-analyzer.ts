import { abortable } from '../../core/abortable.js'
import type { Clock } from '../../core/clock.js'
import { SheafError } from '../../core/errors.js'
import { KeyedLock } from '../../core/keyed-lock.js'
import type { Logger } from '../../core/log.js'
import type { ModelId } from '../../domain/features.js'
import type { TextEmbedding } from '../models/embedder.js'
import type { LoadedModel } from '../models/model-spec.js'
import {
  type Analysis,
  type AnalysisRequest,
  IMAGE_BYTES_MAX,
  type ImageAnalyzer,
  TEXT_LENGTH_MAX
} from './image-analyzer.js'
import { type ImageProcess, ImageProcessEnded, type ImageProcessEndReason } from './image-process.js'

/** One photo is decoded while one goes through the model; meanwhile others come in or are made smaller. */
const AT_ONCE = 5
/** Photos that may wait for their turn, of each priority. */
const WAITING_MAX = 64
const TEXTS_MAX = 64
/** One that looks at photos, and the one before it, which answers questions until the other has seen them all. */
const MODELS_MAX = 2
/** How often a process may end while it looks at a photo before the photo is at fault. */
const ENDS_BLAMED_MAX = 2
/** … and how often in all, for whatever reason, before one waits for better times. */
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
 * Photos in line for one child process, which is started when it is needed, again when it ends, and stopped when it has had
 * nothing to do for a while.
 */
export class QueuedImageAnalyzer implements ImageAnalyzer {
  readonly #components: QueuedImageAnalyzerComponents
  readonly #lines: Readonly<Record<AnalysisRequest['priority'], Job[]>> = { asked: [], backlog: [] }
  readonly #jobs = new Set<Promise<void>>()
  /** Photos over which a child may have ended: each is tried alone, while no other begins. */
  #suspects = 0
  readonly #alone = new KeyedLock()
  #running = false
  /** What a child is to hold; the first is in use. */
  #models: readonly LoadedModel[] = []
  #modelChange: Promise<void> = Promise.resolve()
  #process: ImageProcess | undefined
  #opening: Promise<ImageProcess> | undefined
  /** What the child is needed for at the moment. */
  #uses = 0
  #texts = 0
  #cancelIdle: () => void = () => {}

  constructor(components: QueuedImageAnalyzerComponents) {
    this.#components = components
  }

  get model(): ModelId | undefined {
    return this.#models[0]?.spec.id
  }

  has(model: ModelId): boolean {
    return this.#get(model) !== undefined
  }

  async start(): Promise<void> {
    this.#running = true
  }

  async stop(): Promise<void> {
    this.#running = false
    this.#cancelIdle()
    for (const line of Object.values(this.#lines)) {
      for (const job of line.splice(0)) job.reject(new SheafError('ERR_STOPPING'))
    }
    await this.#process?.stop()
    await Promise.allSettled([this.#opening])
    await this.#process?.stop()
    await Promise.allSettled([...this.#jobs, this.#modelChange])
  }

  useModel(model: LoadedModel): Promise<void> {
    return this.#changeModels(async () => {
      if (this.model === model.spec.id) return
      this.#models = this.#models.filter(({ spec }) => spec.id !== model.spec.id).slice(0, MODELS_MAX - 1)
      const models = [model, ...this.#models]
      await this.#persist(async () => (await this.#open()).holdModels(models))
      this.#models = models
    })
  }

  keepOnly(models: ReadonlySet<ModelId>): Promise<void> {
    return this.#changeModels(async () => {
      const kept = this.#models.filter(({ spec }, i) => i === 0 || models.has(spec.id))
      if (kept.length === this.#models.length) return
      this.#models = kept
      if (this.#opening === undefined && this.#process?.ended !== false) return // the next one holds these
      await this.#persist(async () => (await this.#open()).holdModels(kept))
    })
  }

  async analyze(request: AnalysisRequest, signal: AbortSignal): Promise<Analysis> {
    signal.throwIfAborted()
    this.#requireRunning()
    if (request.size === 0) throw new SheafError('ERR_IMAGE_UNREADABLE', 'the file is empty')
    if (request.size > IMAGE_BYTES_MAX) {
      throw new SheafError('ERR_IMAGE_TOO_LARGE', `the image has ${request.size} bytes, more than ${IMAGE_BYTES_MAX}`)
    }
    const line = this.#lines[request.priority]
    if (line.length >= WAITING_MAX) throw new SheafError('ERR_OVERLOADED', 'too many photos wait to be looked at')
    const { job, analysis } = newJob(request, signal)
    line.push(job)
    this.#fill()
    try {
      return await abortable(analysis, signal)
    } finally {
      removeFrom(line, job)
    }
  }

  async embedText(text: string, model: ModelId, signal: AbortSignal): Promise<TextEmbedding> {
    signal.throwIfAborted()
    this.#requireRunning()
    const spec = this.#get(model)?.spec
    if (spec === undefined) throw new SheafError('ERR_MODEL_UNAVAILABLE')
    if (spec.text === undefined) throw new SheafError('ERR_TEXT_SEARCH_UNAVAILABLE')
    if (text.trim() === '' || text.length > TEXT_LENGTH_MAX) {
      throw new SheafError('ERR_BAD_PARAMETER', `a text has 1 to ${TEXT_LENGTH_MAX} characters`)
    }
    if (this.#texts >= TEXTS_MAX) throw new SheafError('ERR_OVERLOADED', 'too many texts wait to be embedded')
    this.#texts++
    const embedding = this.#persist(async () => (await this.#open()).embedText(text, model)).finally(
      () => this.#texts--
    )
    return abortable(embedding, signal)
  }

  #requireRunning(): void {
    if (!this.#running) throw new SheafError('ERR_STOPPING')
  }

  // --- models ---

  #get(model: ModelId): LoadedModel | undefined {
    return this.#models.find(({ spec }) => spec.id === model)
  }

  /** One after the other. */
  #changeModels(change: () => Promise<void>): Promise<void> {
    const done = this.#modelChange.then(() => {
      this.#requireRunning()
      return change()
    })
    this.#modelChange = done.catch(() => {}) // the caller knows
    return done
  }

  // --- photos ---

  #fill(): void {
    while (this.#jobs.size < AT_ONCE && this.#suspects === 0) {
      const job = this.#lines.asked.shift() ?? this.#lines.backlog.shift()
      if (job === undefined) return
      const done = this.#look(job.request, job.signal)
        .then(job.resolve, job.reject)
        .finally(() => {
          this.#jobs.delete(done)
          this.#fill()
        })
      this.#jobs.add(done)
    }
  }

  async #look(request: AnalysisRequest, signal: AbortSignal): Promise<Analysis> {
    let blamed = 0
    let suspect = false
    const analyze = async (): Promise<Analysis> => (await this.#open()).analyze(request, signal)
    const onEnd = (end: ImageProcessEnded): void => {
      signal.throwIfAborted()
      if (end.blamed && ++blamed >= ENDS_BLAMED_MAX) throw faultOf(end.reason)
      if (suspect || end.reason === 'stopped') return
      suspect = true
      this.#suspects++
    }
    try {
      return await this.#persist(() => (suspect ? this.#alone.run('photo', analyze) : analyze()), onEnd)
    } finally {
      if (suspect) this.#suspects--
    }
  }

  // --- the child ---

  /**
   * Runs a task that opens a child, again when that one ends.
   *
   * @param onEnd - throws when it is not to be tried again
   */
  async #persist<Result>(
    task: () => Promise<Result>,
    onEnd: (end: ImageProcessEnded) => void = () => {}
  ): Promise<Result> {
    this.#cancelIdle()
    this.#uses++
    try {
      for (let ends = 1; ; ends++) {
        try {
          return await task()
        } catch (err) {
          if (!(err instanceof ImageProcessEnded)) throw err
          this.#requireRunning()
          if (err.reason !== 'stopped') this.#components.log.warn({ err }, 'image process ended')
          onEnd(err)
          if (ends >= ENDS_MAX) throw new SheafError('ERR_ANALYST_UNAVAILABLE', undefined, { cause: err })
        }
      }
    } finally {
      if (--this.#uses === 0 && this.#running) this.#stopWhenIdle()
    }
  }

  async #open(): Promise<ImageProcess> {
    if (this.#opening === undefined && this.#process?.ended === false) return this.#process
    this.#opening ??= this.#start().finally(() => {
      this.#opening = undefined
    })
    return this.#opening
  }

  async #start(): Promise<ImageProcess> {
    this.#requireRunning()
    const child = await this.#components.startProcess()
    this.#process = child
    if (!this.#running) await child.stop()
    const held: LoadedModel[] = []
    for (const model of this.#models) {
      try {
        await child.holdModels([...held, model])
        held.push(model)
      } catch (err) {
        if (err instanceof ImageProcessEnded) throw err
        this.#components.log.error({ err, model: model.spec.name }, 'the model can no longer be loaded')
        // the other one goes on; without any, photos are looked at without
        this.#models = this.#models.filter(other => other !== model)
      }
    }
    return child
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

function faultOf(reason: ImageProcessEndReason): SheafError {
  return new SheafError(reason === 'stopped' ? 'ERR_ANALYST_UNAVAILABLE' : ERROR_OF_END[reason])
}

function removeFrom<Item>(items: Item[], item: Item): void {
  const at = items.indexOf(item)
  if (at !== -1) items.splice(at, 1)
}
