import type { Clock } from '../src/core/clock.js'
import type { SeededRandom } from '../test/support/seeded-random.js'
import type { Call, Line } from './history.js'
import { type KnownPhoto, KnownPhotos } from './known-photos.js'
import type { Ending } from './requests.js'
import { nameIn, originsOf, renamed, type Schedule } from './schedule.js'
import type { Workload } from './workloads/workload.js'

export interface LoadComponents {
  readonly clock: Clock
  readonly random: SeededRandom
  readonly workload: Workload
  /** Names of the nodes that are asked. */
  readonly nodes: readonly string[]
  /** Whether clients are to leave the node alone for now. */
  readonly isLeftAlone: (node: string) => boolean
  /** @returns how the call ended; never rejects */
  readonly carryOut: (node: string, call: Call) => Promise<Ending>
  /** Milliseconds since the run began. */
  readonly now: () => number
  readonly record: (line: Line) => void
}

/** Requests that a node may have open at once; above it, clients leave it alone. */
const OPEN_MAX = 16
/** How far the load may be behind its rate and still catch up, ms. */
const CATCH_UP_MS = 250

/**
 * Clients that ask all nodes at a steady rate until they are stopped. The seed fixes what each operation draws, not when it
 * is answered.
 */
export class Load {
  readonly #components: LoadComponents
  readonly #known = new KnownPhotos()
  readonly #open = new Map<string, number>()
  readonly #underWay = new Set<Promise<unknown>>()
  #operations = 0

  constructor(components: LoadComponents) {
    this.#components = components
  }

  /** All that clients were told of. */
  get photos(): readonly KnownPhoto[] {
    return [...this.#known.live, ...this.#known.deleted]
  }

  /** @param rate - operations begun a second. @returns once the signal has aborted and all operations have ended */
  async run(rate: number, signal: AbortSignal): Promise<void> {
    const { clock, random, nodes } = this.#components
    const intervalMs = 1_000 / rate
    for (let due = clock.monotonic(); !signal.aborted; due += intervalMs) {
      const now = clock.monotonic()
      if (due > now) await clock.sleep(due - now)
      else if (now - due > CATCH_UP_MS) due = now
      const draws = random.fork()
      const node = draws.pick(nodes)
      if (!this.#isSpared(node)) this.#begin(node, draws)
    }
    while (this.#underWay.size > 0) await Promise.all(this.#underWay)
  }

  /**
   * Asks for what was asked for in another run, as long after the beginning as then, or as soon as what it needs is there.
   *
   * @returns once the signal has aborted and all operations have ended
   */
  async repeat({ operations, names }: Schedule, signal: AbortSignal): Promise<void> {
    const { clock, record } = this.#components
    const from = clock.monotonic()
    const ends = new Map<number, Promise<Ending | undefined>>()
    const told = new Map<number, string>()
    let begun = 0
    for (const { op, node, call, afterMs } of operations) {
      await clock.sleep(Math.max(0, from + afterMs - clock.monotonic()), signal).catch(() => {})
      if (signal.aborted) break
      const origins = originsOf(call, names).flatMap(origin => ends.get(origin) ?? [])
      const end = Promise.all(origins).then(async () => {
        const again = renamed(call, names, origin => told.get(origin))
        if (again === undefined || this.#isSpared(node)) return undefined
        begun++
        const ending = await this.#operate(node, again, op)
        const name = nameIn(ending.told)
        if (name !== undefined) told.set(op, name)
        return ending
      })
      ends.set(op, end)
      this.#watch(end)
    }
    while (this.#underWay.size > 0) await Promise.all(this.#underWay)
    record({ type: 'count', name: 'operationsLeftOut', value: operations.length - begun })
  }

  #begin(node: string, draws: SeededRandom): void {
    const { workload, nodes, isLeftAlone } = this.#components
    const number = ++this.#operations
    const call = workload.next(draws, this.#known, number)
    const elsewhere = draws.pick(nodes)
    const task = this.#operate(node, call, number).then(async ending => {
      // with a key, the same upload may be sent again wherever there is an answer to be had
      if (call.kind === 'upload' && call.key !== undefined && ending.outcome !== 'ok' && !isLeftAlone(elsewhere))
        await this.#operate(elsewhere, call, ++this.#operations)
      const next = workload.follow?.(call, ending)
      if (next !== undefined && !isLeftAlone(node)) await this.#operate(node, next, ++this.#operations)
    })
    this.#watch(task)
  }

  /** Whether it is to be asked nothing now. */
  #isSpared(node: string): boolean {
    return (this.#open.get(node) ?? 0) >= OPEN_MAX || this.#components.isLeftAlone(node)
  }

  #watch(task: Promise<unknown>): void {
    this.#underWay.add(task)
    void task.finally(() => this.#underWay.delete(task))
  }

  async #operate(node: string, call: Call, op: number): Promise<Ending> {
    const { record, now, carryOut } = this.#components
    this.#open.set(node, (this.#open.get(node) ?? 0) + 1)
    this.#known.begin(call)
    record({ type: 'begin', atMs: now(), op, node, call })
    const ending = await carryOut(node, call)
    record({ type: 'end', atMs: now(), op, ...ending })
    this.#known.end(call, ending)
    this.#open.set(node, (this.#open.get(node) ?? 0) - 1)
    return ending
  }
}
