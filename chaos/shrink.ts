import type { Clock } from '../src/core/clock.js'
import type { Plan } from './plan.js'
import type { Schedule, ScheduledOperation } from './schedule.js'

/** What was done in a run, to be done again. */
export interface Recording {
  readonly plan: Plan
  readonly schedule: Schedule
}

export interface ShrinkComponents {
  readonly clock: Pick<Clock, 'monotonic'>
  /** Does it again. @returns whether it fails as the recorded run did */
  readonly fails: (recording: Recording) => Promise<boolean>
  /** How long all tries may take together, ms. */
  readonly msMax: number
  /** Load before the first fault, ms. */
  readonly calmMs: number
}

/** A failure that needs luck may not show each time. */
const TRIES_AT_FIRST = 3

/**
 * Looks for less that still fails: without whole nemeses, in half the time, without single faults, without operations. What does
 * not fail when it is tried, once, is taken to be needed.
 *
 * @returns undefined where the recording itself does not fail again
 */
export async function shrink(recording: Recording, components: ShrinkComponents): Promise<Recording | undefined> {
  const shrinking = new Shrinking(recording, components)
  return (await shrinking.failsAtAll()) ? shrinking.run() : undefined
}

class Shrinking {
  readonly #components: ShrinkComponents
  readonly #fromMs: number
  #smallest: Recording
  #longestMs = 0

  constructor(recording: Recording, components: ShrinkComponents) {
    this.#components = components
    this.#smallest = recording
    this.#fromMs = components.clock.monotonic()
  }

  async failsAtAll(): Promise<boolean> {
    for (let i = 0; i < TRIES_AT_FIRST; i++) if (await this.#accept(this.#smallest)) return true
    return false
  }

  async run(): Promise<Recording> {
    for (const nemesis of this.#smallest.plan.nemeses) await this.#accept(withoutNemesis(this.#smallest, nemesis))
    const { calmMs } = this.#components
    while (this.#smallest.plan.seconds > 1 && (await this.#accept(inHalfTheTime(this.#smallest, calmMs))));
    await this.#drop(
      ({ schedule }) => schedule.faults,
      (recording, faults) => withSchedule(recording, { faults })
    )
    await this.#drop(
      ({ schedule }) => schedule.operations,
      (recording, operations) => withSchedule(recording, { operations: tellable(operations, recording.schedule) })
    )
    return this.#smallest
  }

  /** Leaves out pieces of a list, half of it at first, in the end each item by itself. */
  async #drop<Item>(
    listOf: (recording: Recording) => readonly Item[],
    having: (recording: Recording, items: readonly Item[]) => Recording
  ): Promise<void> {
    for (
      let size = Math.ceil(listOf(this.#smallest).length / 2);
      size >= 1;
      size = size === 1 ? 0 : Math.ceil(size / 2)
    ) {
      for (let at = 0; at < listOf(this.#smallest).length && this.#hasTime(); ) {
        const items = listOf(this.#smallest)
        const rest = [...items.slice(0, at), ...items.slice(at + size)]
        if (!(await this.#accept(having(this.#smallest, rest)))) at += size
      }
    }
  }

  /** Tries it, where there is time; what fails is the smallest from then on. */
  async #accept(recording: Recording): Promise<boolean> {
    if (!this.#hasTime()) return false
    const { clock, fails } = this.#components
    const from = clock.monotonic()
    const isFailing = await fails(recording)
    this.#longestMs = Math.max(this.#longestMs, clock.monotonic() - from)
    if (isFailing) this.#smallest = recording
    return isFailing
  }

  /** For another try, which takes as long as the longest so far. */
  #hasTime(): boolean {
    const { clock, msMax } = this.#components
    return clock.monotonic() - this.#fromMs + this.#longestMs <= msMax
  }
}

function withoutNemesis({ plan, schedule }: Recording, nemesis: string): Recording {
  return {
    plan: { ...plan, nemeses: plan.nemeses.filter(name => name !== nemesis) },
    schedule: { ...schedule, faults: schedule.faults.filter(fault => fault.nemesis !== nemesis) }
  }
}

function inHalfTheTime({ plan, schedule }: Recording, calmMs: number): Recording {
  const seconds = Math.ceil(plan.seconds / 2)
  const ms = seconds * 1_000
  return {
    plan: { ...plan, seconds },
    schedule: {
      ...schedule,
      operations: schedule.operations.filter(({ afterMs }) => afterMs < calmMs + ms),
      faults: schedule.faults.filter(({ afterMs }) => afterMs < ms)
    }
  }
}

function withSchedule({ plan, schedule }: Recording, change: Partial<Schedule>): Recording {
  return { plan, schedule: { ...schedule, ...change } }
}

/** Leaves out what is about photos whose uploads are left out. */
function tellable(operations: readonly ScheduledOperation[], { names }: Schedule): readonly ScheduledOperation[] {
  const kept = new Set(operations.map(({ op }) => op))
  return operations.filter(({ call }) =>
    Object.values(call).every(value => {
      const origins = typeof value === 'string' ? names.get(value) : undefined
      return origins === undefined || origins.some(op => kept.has(op))
    })
  )
}
