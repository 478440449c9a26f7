import type { Clock } from './clock.js'
import type { Startable } from './lifecycle.js'
import type { Logger } from './log.js'

/** One bounded unit of background work. `idle` means: nothing to do until `idleMs` have passed or `wake` is called. */
export type Step = (signal: AbortSignal) => Promise<'busy' | 'idle'>

export interface WorkerLoopInit {
  readonly name: string
  /** Pause after an idle step, in ms. */
  readonly idleMs: number
  /** Pause before the first step, in ms; default 0. `wake` ends it. */
  readonly delayMs?: number
  /** Pause after a failed step, in ms; default 1000. Doubles with each failure in a row up to `failureMsMax`. */
  readonly failureMs?: number
  /** Default 60,000. */
  readonly failureMsMax?: number
  readonly step: Step
}

/** Runs the steps of one background job in sequence until stopped; a step that throws is logged and retried later. */
export class WorkerLoop implements Startable {
  readonly #clock: Clock
  readonly #log: Logger
  readonly #init: WorkerLoopInit
  #abort = new AbortController()
  #running: Promise<void> | undefined
  /** `wake` was called since the current step began. */
  #woken = false
  /** Ends the current pause; undefined when there is none that `wake` may end. */
  #endIdle: (() => void) | undefined

  constructor(components: { readonly clock: Clock; readonly log: Logger }, init: WorkerLoopInit) {
    this.#clock = components.clock
    this.#log = components.log
    this.#init = init
  }

  async start(): Promise<void> {
    if (this.#running !== undefined) return
    this.#abort = new AbortController()
    this.#running = this.#run(this.#abort.signal)
  }

  async stop(): Promise<void> {
    this.#abort.abort(new Error(`${this.#init.name} is stopping`))
    await this.#running
    this.#running = undefined
  }

  /**
   * Announces work: ends an idle pause, or skips the one after the current step. It does not shorten the pause after a
   * failure, so frequent calls cannot turn a failing step into a busy loop.
   */
  wake(): void {
    this.#woken = true
    this.#endIdle?.()
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { name, idleMs, delayMs = 0, failureMs = 1_000, failureMsMax = 60_000, step } = this.#init
    let failures = 0
    if (delayMs > 0) await this.#pause(delayMs, signal, 'idle')
    while (!signal.aborted) {
      this.#woken = false
      try {
        const outcome = await step(signal)
        failures = 0
        if (outcome === 'idle' && !this.#woken) await this.#pause(idleMs, signal, 'idle')
      } catch (err) {
        if (signal.aborted) return
        this.#log.warn({ err, worker: name }, 'background step failed; it is retried')
        await this.#pause(Math.min(failureMs * 2 ** failures++, failureMsMax), signal, 'failure')
      }
    }
  }

  async #pause(ms: number, signal: AbortSignal, reason: 'idle' | 'failure'): Promise<void> {
    if (signal.aborted) return
    await new Promise<void>(resolve => {
      const end = (): void => {
        cancel()
        signal.removeEventListener('abort', end)
        this.#endIdle = undefined
        resolve()
      }
      const cancel = this.#clock.schedule(ms, end)
      signal.addEventListener('abort', end)
      if (reason === 'idle') this.#endIdle = end
    })
  }
}
