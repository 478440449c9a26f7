import type { Clock } from '../src/core/clock.js'
import { isWrite, type Line } from './history.js'

const LOOK_MS = 2
/** Where no write comes in that time, none is to be had. */
const WAIT_MS_MAX = 500

/** The writes that nodes have begun and not answered, as the lines of a history tell it. */
export class WritesUnderWay {
  readonly #clock: Clock
  readonly #nodes = new Map<number, string>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  note(line: Line): void {
    if (line.type === 'begin' && isWrite(line.call)) this.#nodes.set(line.op, line.node)
    if (line.type === 'end') this.#nodes.delete(line.op)
  }

  /** Whether a node has begun one. */
  isAt(node: string): boolean {
    return [...this.#nodes.values()].includes(node)
  }

  /** Waits a moment until one of the nodes is at a write: a kill between writes proves little. */
  async until(nodes: readonly string[]): Promise<void> {
    const clock = this.#clock
    for (const from = clock.monotonic(); clock.monotonic() - from < WAIT_MS_MAX; await clock.sleep(LOOK_MS))
      if (nodes.some(node => this.isAt(node))) return
  }
}
