import type { Line, LineOf } from '../../../chaos/history.js'
import {
  type Cut,
  type Damage,
  type Nemesis,
  type NemesisComponents,
  type Stage,
  torment,
  tormentAgain
} from '../../../chaos/nemeses/nemesis.js'
import type { ScheduledFault } from '../../../chaos/schedule.js'
import { SeededRandom } from '../../support/seeded-random.js'
import { SimulatedClock } from '../../support/simulated-clock.js'

/** Nodes that are nowhere: it notes what is done to them, and what has not been made good yet. */
export class RecordedStage implements Stage {
  readonly nodes: readonly string[]
  /** What was done, in order. */
  readonly deeds: string[] = []
  /** Nodes and cuts that something was done to. */
  readonly undone = new Set<string>()
  readonly cuts: Cut[] = []

  constructor(count: number) {
    this.nodes = Array.from({ length: count }, (_, i) => `n${i + 1}`)
  }

  free(): readonly string[] {
    return this.nodes.filter(node => !this.undone.has(node) && !this.undone.has(`clock of ${node}`))
  }

  async kill(nodes: readonly string[]): Promise<void> {
    this.#begin('kill', nodes)
  }

  async stop(node: string): Promise<void> {
    this.#begin('stop', [node])
  }

  async start(nodes: readonly string[]): Promise<void> {
    this.#end('start', nodes)
  }

  pause(node: string): void {
    this.#begin('pause', [node])
  }

  resume(node: string): void {
    this.#end('resume', [node])
  }

  async setClock(node: string, offsetMs: number): Promise<void> {
    if (offsetMs === 0) this.#end('set right', [`clock of ${node}`])
    else this.#begin('set', [`clock of ${node}`])
  }

  async harm(node: string, damage: Damage): Promise<string> {
    this.#begin(damage, [node])
    return damage
  }

  async cut(name: string, cut: Cut): Promise<void> {
    this.cuts.push(cut)
    this.#begin('cut', [name])
  }

  async heal(name: string): Promise<void> {
    this.#end('heal', [name])
  }

  #begin(deed: string, whom: readonly string[]): void {
    for (const each of whom) {
      if (this.undone.has(each)) throw new Error(`${deed} of ${each}, which is in other hands`)
      this.undone.add(each)
    }
    this.deeds.push(`${deed} ${whom.join(' ')}`)
  }

  #end(deed: string, whom: readonly string[]): void {
    for (const each of whom)
      if (!this.undone.delete(each)) throw new Error(`${deed} of ${each}, to which nothing was done`)
    this.deeds.push(`${deed} ${whom.join(' ')}`)
  }
}

export interface Told {
  readonly stage: RecordedStage
  readonly faults: readonly LineOf<'fault'>[]
  /** Of a replay, by its own account. */
  readonly leftOut: number
}

/** Lets nemeses do their work together for so long, and then end it. */
export async function tormented(nemeses: readonly Nemesis[], seed: number, ms: number, nodes = 5): Promise<Told> {
  const random = new SeededRandom(seed)
  return watched(ms, nodes, (components, signal) =>
    nemeses.map(nemesis => torment(nemesis, { ...components, random: random.fork() }, signal).then(() => 0))
  )
}

/** Lets nemeses do again what they did, for so long. */
export async function tormentedAgain(
  nemeses: readonly Nemesis[],
  faults: readonly ScheduledFault[],
  ms: number,
  nodes = 5
): Promise<Told> {
  return watched(ms, nodes, (components, signal) =>
    nemeses.map(nemesis => tormentAgain(nemesis, faults, components, signal))
  )
}

async function watched(
  ms: number,
  nodes: number,
  begin: (components: Omit<NemesisComponents, 'random'>, signal: AbortSignal) => readonly Promise<number>[]
): Promise<Told> {
  const clock = new SimulatedClock()
  const stage = new RecordedStage(nodes)
  const lines: Line[] = []
  const ending = new AbortController()
  const now = (): number => clock.monotonic()
  const record = (line: Line): void => void lines.push(line)
  const ended = Promise.all(begin({ stage, clock, now, record }, ending.signal))
  await clock.advance(ms)
  ending.abort()
  const leftOut = (await ended).reduce((sum, count) => sum + count, 0)
  return { stage, faults: lines.filter(line => line.type === 'fault'), leftOut }
}
