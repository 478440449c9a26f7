import type { Clock } from '../../src/core/clock.js'
import { SeededRandom } from '../../test/support/seeded-random.js'
import type { Line } from '../history.js'
import type { ScheduledFault } from '../schedule.js'

/** What a driver may be able to do to its nodes. */
export type Capability = 'kill' | 'stop' | 'pause' | 'clock' | 'harm' | 'cut'

/** What may become of the files of a node. `wipe`: all but its identity is gone; `replace`: that as well. */
export const DAMAGES = [
  'flip-volume',
  'flip-index',
  'flip-directory',
  'truncate',
  'wipe',
  'replace',
  'older-copy'
] as const
export type Damage = (typeof DAMAGES)[number]

/** Ways that nothing gets along any more, by names of nodes. */
export type Cut = readonly (readonly [from: string, to: string])[]

/** The nodes, for those who torment them. */
export interface Stage {
  readonly nodes: readonly string[]
  /** Nodes that no other nemesis has in its hands. */
  free(): readonly string[]
  /** kill −9, all at once, in the middle of a write if one comes soon. Nobody else touches them until they are started. */
  kill(nodes: readonly string[]): Promise<void>
  /** SIGTERM, in the middle of a write if one comes soon. Nobody else touches it until it is started. */
  stop(node: string): Promise<void>
  start(nodes: readonly string[]): Promise<void>
  /** SIGSTOP. Nobody else touches it until it is resumed. */
  pause(node: string): void
  resume(node: string): void
  /**
   * Puts the clock of a node's machine forward or back, and waits until the node shows it, if it runs. Nobody else touches
   * it until its clock is right again.
   *
   * @param offsetMs - by which it is ahead of the real time; 0: it is right
   */
  setClock(node: string, offsetMs: number): Promise<void>
  /**
   * Has clients leave a node alone until others hold all that it has, stops it, and harms its files. Nobody else touches it
   * until it is started.
   *
   * @returns what was done, in words; undefined when the others did not come to hold all in time: it runs on
   */
  harm(node: string, damage: Damage, random: SeededRandom): Promise<string | undefined>
  /** @param name - of the cut; it is not in force now */
  cut(name: string, cut: Cut): Promise<void>
  heal(name: string): Promise<void>
}

/** A fault that has begun. */
export interface Disturbance {
  readonly what: string
  readonly cut?: Cut
  /** Makes it good again. */
  end(): Promise<void>
}

export interface Nemesis {
  readonly name: string
  /** One line, for people. */
  readonly about: string
  readonly needs: Capability
  /** How long all is well before its fault begins, and how long that lasts: from, to, in ms. */
  readonly restMs: readonly [number, number]
  readonly holdMs: readonly [number, number]
  /** Counters of {@link Figures} that a run must have moved to be judged at all. */
  readonly reaches: readonly string[]
  /** @returns undefined when there is nothing to do it to now */
  begin(stage: Stage, random: SeededRandom): Promise<Disturbance | undefined>
}

export interface NemesisComponents {
  readonly stage: Stage
  readonly random: SeededRandom
  readonly clock: Clock
  /** Milliseconds since the run began. */
  readonly now: () => number
  readonly record: (line: Line) => void
}

/** Lets a nemesis do its work, again and again. @returns once the signal has aborted and its last fault has ended */
export async function torment(nemesis: Nemesis, components: NemesisComponents, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const draws = components.random.fork()
    await pass(components.clock, drawMs(nemesis.restMs, draws), signal)
    await disturb(nemesis, draws, components, signal)
  }
}

/**
 * Lets a nemesis do what it did in another run, as long after the beginning as it did then.
 *
 * @returns how much of that it left out, since there was nothing to do it to this time, or the signal had aborted
 */
export async function tormentAgain(
  nemesis: Nemesis,
  faults: readonly ScheduledFault[],
  components: Omit<NemesisComponents, 'random'>,
  signal: AbortSignal
): Promise<number> {
  const { clock } = components
  const from = clock.monotonic()
  let leftOut = 0
  for (const { seed, afterMs } of faults.filter(fault => fault.nemesis === nemesis.name)) {
    const draws = new SeededRandom(seed)
    drawMs(nemesis.restMs, draws) // when it began then says how long it rested
    await pass(clock, from + afterMs - clock.monotonic(), signal)
    if (!(await disturb(nemesis, draws, components, signal))) leftOut++
  }
  return leftOut
}

/** One fault, from its begin to its end. @returns whether there was one */
async function disturb(
  nemesis: Nemesis,
  draws: SeededRandom,
  { stage, clock, now, record }: Omit<NemesisComponents, 'random'>,
  signal: AbortSignal
): Promise<boolean> {
  if (signal.aborted) return false
  const atMs = now()
  const disturbance = await nemesis.begin(stage, draws)
  if (disturbance === undefined) return false
  const { what, cut } = disturbance
  const { seed } = draws
  const fault = { type: 'fault', nemesis: nemesis.name, seed, what, ...(cut !== undefined && { cut }) } as const
  record({ ...fault, atMs, state: 'begins' })
  await pass(clock, drawMs(nemesis.holdMs, draws), signal)
  await disturbance.end()
  record({ ...fault, atMs: now(), state: 'ends' })
  return true
}

function drawMs([from, to]: readonly [number, number], draws: SeededRandom): number {
  return from + draws.below(to - from + 1)
}

/** Rests for so long, or until the signal aborts. */
function pass(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return clock.sleep(Math.max(0, ms), signal).catch(() => {})
}

/** @returns the items in a random order */
export function shuffled<Item>(random: SeededRandom, items: readonly Item[]): Item[] {
  return items
    .map(item => ({ item, order: random.fraction() }))
    .sort((a, b) => a.order - b.order)
    .map(({ item }) => item)
}
