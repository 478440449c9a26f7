import { type ChildProcess, fork } from 'node:child_process'
import { constants, setPriority } from 'node:os'
import { env } from 'node:process'
import { abortable } from '../../core/abortable.js'
import type { Clock } from '../../core/clock.js'
import { SheafError } from '../../core/errors.js'
import type { Logger } from '../../core/log.js'
import { siblingProgram } from '../../core/program.js'
import type { ModelId } from '../../domain/features.js'
import type { TextEmbedding } from '../models/embedder.js'
import type { LoadedModel } from '../models/model-spec.js'
import type { DecodingTool } from './decoding-tools.js'
import type { ByteSource } from './heads/head-bytes.js'
import type { Head } from './heads/head-facts.js'
import type { Analysis, AnalysisRequest, HeadRequest } from './image-analyzer.js'
import { type ImageProcess, ImageProcessEnded, type ImageProcessEndReason } from './image-process.js'
import type { CallResult, FromImageProcess, ToImageProcess } from './image-process-messages.js'
import { piecesOf } from './photo-pieces.js'

const MIB = 2 ** 20
const SECOND_MS = 1_000

/** Time limit for the process to start. */
const START_MS_MAX = 30 * SECOND_MS
/** Time limit to load models, or to embed a text. */
const CALL_MS_MAX = 60 * SECOND_MS
/** Time limit to receive the bytes of a photo. */
const BYTES_MS_MAX = 60 * SECOND_MS
/** Time limit for the analysis that follows, in case the process can no longer watch its own CPU time. */
const ANALYSIS_MS_MAX = 180 * SECOND_MS
/** How long the process may keep working on a cancelled photo: a decoder cannot be interrupted. */
const CANCEL_MS_MAX = 2 * SECOND_MS

/** Larger photos are handled one at a time, so that two of them are never in memory together. */
const LARGE_BYTES = 32 * MIB
const HEAP_MIB_MAX = 512
const STDERR_TAIL_LENGTH = 2_000

/** The only environment variables passed on: a process that decodes untrusted files gets no secrets. */
const ENVIRONMENT = ['PATH', 'LD_LIBRARY_PATH', 'DYLD_LIBRARY_PATH', 'SystemRoot', 'TMPDIR', 'TMP', 'TEMP', 'HOME']

export interface ForkedImageProcessComponents {
  readonly clock: Clock
  readonly log: Logger
  /** What it decodes pictures with beside what every node has; default: nothing. */
  readonly tools?: ReadonlySet<DecodingTool>
}

interface Call {
  /** Of a head that is being read: such a call is never why the process ends. */
  readonly source: ByteSource | undefined
  readonly resolve: (result: CallResult) => void
  readonly reject: (error: unknown) => void
}

/**
 * The node's end of the image process. A process, not a thread, so that a decoder's crash or a runaway allocation ends only
 * this process. It is also killed when a task takes too long.
 */
export class ForkedImageProcess implements ImageProcess {
  readonly #clock: Clock
  readonly #log: Logger
  readonly #process: ChildProcess
  readonly #exit: Promise<void>
  readonly #calls = new Map<number, Call>()
  #lastCall = 0
  /** Settles when the latest large photo is done. */
  #largeTurns: Promise<void> = Promise.resolve()
  #markReady: () => void = () => {}
  /** Why it is being killed; undefined: it is not. */
  #killReason: ImageProcessEndReason | undefined
  /** How it ended; undefined: it runs. */
  #end: { readonly reason: ImageProcessEndReason; readonly detail: string } | undefined
  #stderrTail = ''

  private constructor({ clock, log, tools = new Set() }: ForkedImageProcessComponents) {
    this.#clock = clock
    this.#log = log
    const { path, execArgv } = siblingProgram(import.meta.url, 'image-process-main')
    const passedOn = ENVIRONMENT.flatMap(name => (env[name] === undefined ? [] : [[name, env[name]]]))
    this.#process = fork(path, [...tools], {
      // few arenas: several threads allocate and free large blocks, and each arena would retain some
      env: { ...Object.fromEntries(passedOn), MALLOC_ARENA_MAX: '2' },
      execArgv: [...execArgv, `--max-old-space-size=${HEAP_MIB_MAX}`],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc']
    })
    this.#lowerPriority()
    this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderrTail = (this.#stderrTail + text).slice(-STDERR_TAIL_LENGTH)
    })
    this.#process.on('message', message => this.#receive(message as FromImageProcess))
    this.#exit = new Promise(resolve => {
      const onEnd = (how: string): void => {
        this.#onExit(how)
        resolve()
      }
      this.#process.on('error', err => onEnd(err.message)) // failed to start
      this.#process.on('close', (code, signal) => onEnd(`exit ${code ?? signal}`))
    })
  }

  /** Requests take precedence over analysis. Set from here, at once: a thread inherits its priority when it starts. */
  #lowerPriority(): void {
    const { pid } = this.#process
    if (pid === undefined) return
    try {
      setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL)
    } catch (err) {
      this.#log.debug({ err, pid }, 'cannot lower the priority of the image process')
    }
  }

  /** @throws `ERR_ANALYST_UNAVAILABLE` */
  static async start(components: ForkedImageProcessComponents): Promise<ForkedImageProcess> {
    const imageProcess = new ForkedImageProcess(components)
    const ready = new Promise<void>(resolve => {
      imageProcess.#markReady = resolve
    })
    await imageProcess.#within(START_MS_MAX, 'slow', Promise.race([ready, imageProcess.#exit]))
    if (imageProcess.#end !== undefined) {
      throw new SheafError('ERR_ANALYST_UNAVAILABLE', undefined, { cause: imageProcess.#endOf(false) })
    }
    components.log.debug({ pid: imageProcess.pid }, 'image process started')
    return imageProcess
  }

  get ended(): boolean {
    return this.#end !== undefined || this.#killReason !== undefined
  }

  /** Undefined when it failed to start. */
  get pid(): number | undefined {
    return this.#process.pid
  }

  async holdModels(models: readonly LoadedModel[]): Promise<void> {
    const { call, answer } = this.#startCall()
    this.#post({ type: 'models', call, models })
    await this.#within(CALL_MS_MAX, 'slow', answer)
  }

  async embedText(text: string, model: ModelId): Promise<TextEmbedding> {
    const { call, answer } = this.#startCall()
    this.#post({ type: 'text', call, text, model })
    return (await this.#within(CALL_MS_MAX, 'slow', answer)) as TextEmbedding
  }

  async analyze(request: AnalysisRequest, signal: AbortSignal): Promise<Analysis> {
    const endTurn = request.size > LARGE_BYTES ? await this.#waitForLargeTurn(signal) : undefined
    const { call, answer } = this.#startCall()
    try {
      await this.#sendPhoto(call, answer, request, signal)
      return (await this.#within(
        ANALYSIS_MS_MAX,
        'slow',
        abortable(this.#requestAnalysis(call, answer, request), signal)
      )) as Analysis
    } catch (err) {
      if (!(err instanceof ImageProcessEnded)) await this.#cancel(call, answer)
      throw err
    } finally {
      endTurn?.()
    }
  }

  async readHead({ source, hints }: HeadRequest, signal: AbortSignal): Promise<Head | undefined> {
    const { call, answer } = this.#startCall(source)
    this.#post({ type: 'head', call, size: source.size, hints })
    let cancelTimer = (): void => {}
    const timeout = new Promise<never>((_, reject) => {
      cancelTimer = this.#clock.schedule(BYTES_MS_MAX, () => reject(bytesTooSlow()))
    })
    try {
      return (await abortable(Promise.race([answer, timeout]), signal)) as Head | undefined
    } finally {
      cancelTimer()
      // not when it was answered
      if (this.#takeCall(call) !== undefined) this.#post({ type: 'cancel', call })
    }
  }

  /** Reads what the process needs of a file's head. */
  async #readRange({ call, at, length }: Extract<FromImageProcess, { type: 'read' }>): Promise<void> {
    const source = this.#calls.get(call)?.source
    if (source === undefined) return // no longer waited for
    try {
      this.#post({ type: 'range', call, bytes: await source.read(at, length) })
    } catch (err) {
      this.#takeCall(call)?.reject(err)
      this.#post({ type: 'cancel', call })
    }
  }

  async stop(): Promise<void> {
    this.#kill('stopped')
    await this.#exit
  }

  #requestAnalysis(
    call: number,
    answer: Promise<CallResult>,
    { size, outputs, preview, priority }: AnalysisRequest
  ): Promise<CallResult> {
    if (this.ended) return answer
    this.#log.debug({ bytes: size, pid: this.pid }, 'analyzing a photo')
    this.#post({ type: 'analyze', call, outputs, priority, ...(preview && { preview }) })
    return answer
  }

  /** Waits for earlier large photos. @returns lets the next one start */
  async #waitForLargeTurn(signal: AbortSignal): Promise<() => void> {
    const previousTurn = this.#largeTurns
    let endTurn = (): void => {}
    this.#largeTurns = new Promise(resolve => {
      endTurn = resolve
    })
    try {
      await abortable(previousTurn, signal)
    } catch (err) {
      previousTurn.then(endTurn, endTurn)
      throw err
    }
    return endTurn
  }

  /** @throws as {@link piecesOf}; `ERR_BYTES_UNREACHABLE` when the bytes arrive too slowly; the signal's reason */
  async #sendPhoto(
    call: number,
    answer: Promise<CallResult>,
    request: AnalysisRequest,
    signal: AbortSignal
  ): Promise<void> {
    let cancelTimer = (): void => {}
    const timeout = new Promise<never>((_, reject) => {
      cancelTimer = this.#clock.schedule(BYTES_MS_MAX, () => reject(bytesTooSlow()))
    })
    // until all bytes are sent, `answer` settles only if the process ends
    const unlessEnded = <Value>(value: Promise<Value>): Promise<Value> =>
      abortable(Promise.race([value, timeout, answer as Promise<never>]), signal)
    const pieces = piecesOf(request)
    try {
      await unlessEnded(this.#send({ type: 'photo', call, size: request.size }))
      for (;;) {
        const piece = await unlessEnded(pieces.next())
        if (piece.done === true) return
        await unlessEnded(this.#send({ type: 'piece', call, bytes: piece.value }))
      }
    } finally {
      cancelTimer()
      pieces.return(undefined).catch(err => this.#log.debug({ err }, 'cannot close the source of a photo'))
    }
  }

  /** Cancels a photo, by killing the process where it works on nothing else. Others must not pay for who goes away. */
  async #cancel(call: number, answer: Promise<CallResult>): Promise<void> {
    if (!this.#calls.has(call)) return
    this.#post({ type: 'cancel', call })
    const isAlone = this.#blamableCount() === 1
    await Promise.allSettled([this.#within(isAlone ? CANCEL_MS_MAX : ANALYSIS_MS_MAX, 'stopped', answer)])
  }

  #startCall(source?: ByteSource): { readonly call: number; readonly answer: Promise<CallResult> } {
    const call = ++this.#lastCall
    const answer = new Promise<CallResult>((resolve, reject) => {
      if (this.ended) reject(this.#endOf(false))
      else this.#calls.set(call, { source, resolve, reject })
    })
    answer.catch(() => {}) // the caller handles it, but perhaps has not attached a handler yet
    return { call, answer }
  }

  #receive(message: FromImageProcess): void {
    switch (message.type) {
      case 'ready':
        this.#markReady()
        break
      case 'excess':
        this.#kill(message.reason)
        break
      case 'read':
        void this.#readRange(message)
        break
      case 'done':
        this.#takeCall(message.call)?.resolve(message.result)
        break
      case 'failed':
        this.#takeCall(message.call)?.reject(new SheafError(message.code, message.message))
        break
    }
  }

  #takeCall(call: number): Call | undefined {
    const found = this.#calls.get(call)
    this.#calls.delete(call)
    return found
  }

  /**
   * Resolves when the channel has taken the message, so that at most one piece of a photo waits in this process. Never
   * resolves if the process is ending; that rejects the call.
   */
  #send(message: ToImageProcess): Promise<void> {
    return new Promise(resolve => {
      if (!this.ended) this.#process.send(message, err => err === null && resolve())
    })
  }

  #post(message: ToImageProcess): void {
    void this.#send(message)
  }

  /** Kills the process if the promise takes longer. */
  async #within<Value>(ms: number, reason: ImageProcessEndReason, promise: Promise<Value>): Promise<Value> {
    const cancel = this.#clock.schedule(ms, () => this.#kill(reason))
    try {
      return await promise
    } finally {
      cancel()
    }
  }

  #kill(reason: ImageProcessEndReason): void {
    if (this.ended) return
    this.#killReason = reason
    this.#process.kill('SIGKILL')
  }

  #onExit(how: string): void {
    if (this.#end !== undefined) return
    this.#end = { reason: this.#killReason ?? 'crashed', detail: `${how} ${this.#stderrTail}`.trim() }
    const blamed = this.#blamableCount() === 1
    for (const { source, reject } of this.#calls.values()) reject(this.#endOf(blamed && source === undefined))
    this.#calls.clear()
  }

  /** Calls in flight that may be why the process ends. */
  #blamableCount(): number {
    return Array.from(this.#calls.values()).filter(({ source }) => source === undefined).length
  }

  #endOf(blamed: boolean): ImageProcessEnded {
    const { reason, detail } = this.#end ?? { reason: this.#killReason ?? 'crashed', detail: 'it is being killed' }
    return new ImageProcessEnded(reason, detail, blamed)
  }
}

function bytesTooSlow(): SheafError {
  return new SheafError(
    'ERR_BYTES_UNREACHABLE',
    `the bytes of the photo did not arrive within ${BYTES_MS_MAX / SECOND_MS} s`
  )
}
