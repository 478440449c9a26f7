import type { Clock } from '../../src/core/clock.js'
import { sleepOn } from './simulated-clock.js'

/** A machine's wall clock: off by so much from the true time, ms. */
export interface Wall {
  skewMs: number
}

/**
 * What one process sees of the time that all share: its machine's wall clock, and timers that end with the process or wait
 * while it is stopped.
 */
export class ProcessClock implements Clock {
  readonly #time: Clock
  readonly #wall: Wall
  readonly #cancels = new Set<() => void>()
  /** Tasks that fell due while the process was stopped; undefined while it runs. */
  #held: Set<() => void> | undefined
  #dead = false

  constructor(time: Clock, wall: Wall) {
    this.#time = time
    this.#wall = wall
  }

  now(): number {
    return Math.floor(this.#time.now() + this.#wall.skewMs)
  }

  monotonic(): number {
    return this.#time.monotonic()
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, ms, signal)
  }

  schedule(ms: number, task: () => void): () => void {
    if (this.#dead) return () => {}
    const cancel = (): void => {
      cancelTimer()
      this.#cancels.delete(cancel)
      this.#held?.delete(task)
    }
    const cancelTimer = this.#time.schedule(ms, () => {
      this.#cancels.delete(cancel)
      if (this.#held === undefined) task()
      else this.#held.add(task)
    })
    this.#cancels.add(cancel)
    return cancel
  }

  /** No task of the process runs any more, and none of its sleeps ends. */
  die(): void {
    this.#dead = true
    for (const cancel of this.#cancels) cancel()
    this.#held = undefined
  }

  /** SIGSTOP. */
  stop(): void {
    this.#held ??= new Set()
  }

  /** SIGCONT: what fell due meanwhile runs at once. */
  continue(): void {
    const held = this.#held ?? []
    this.#held = undefined
    for (const task of held) task()
  }
}
