import type { Call, Line, LineOf, NodeState, Phase } from './history.js'

/** A call and its answer. */
export interface Operation {
  readonly op: number
  readonly node: string
  readonly call: Call
  readonly beganMs: number
  /** Undefined: the harness did not live to see it end. */
  readonly end: LineOf<'end'> | undefined
}

interface Window {
  readonly from: number
  readonly to: number
  readonly what: string
}

export interface Trouble {
  readonly node: string
  readonly from: number
  readonly to: number
}

/** When what was so in a run, told by its history. */
export class Timeline {
  readonly operations: readonly Operation[]
  readonly #troubles = new Map<string, Window[]>()
  /** From the harm to the start on what was left. */
  readonly #damages = new Map<string, Window[]>()
  readonly #wrongClocks = new Map<string, Window[]>()
  readonly #cuts = new Map<string, Window[]>()
  readonly #phases: readonly LineOf<'phase'>[]
  readonly #ups: readonly LineOf<'node'>[]

  constructor(lines: readonly Line[]) {
    this.operations = operationsOf(lines)
    this.#phases = lines.filter(line => line.type === 'phase')
    this.#ups = lines.filter(line => line.type === 'node' && line.state === 'up') as LineOf<'node'>[]
    this.#noteTroubles(lines)
    this.#noteDamages(lines)
    this.#noteClocks(lines)
    this.#noteCuts(lines)
  }

  /** @returns what was wrong with a node at any moment from the one to the other, in words; undefined when nothing was */
  troubleOf(node: string, from: number, to: number): string | undefined {
    return overlapping(this.#troubles.get(node), from, to)?.what
  }

  /**
   * Whether one node may have been without the other at any moment from the one to the other: the way between them was cut
   * in any direction, or one did not run.
   *
   * @param graceMs - how long they may take to meet again
   */
  mayBeApart(a: string, b: string, from: number, to: number, graceMs: number): boolean {
    if (a === b) return false
    const since = from - graceMs
    const windows = [
      this.#troubles.get(a),
      this.#troubles.get(b),
      this.#cuts.get(`${a} ${b}`),
      this.#cuts.get(`${b} ${a}`)
    ]
    return windows.some(list => overlapping(list, since, to) !== undefined)
  }

  /** Whether the node's files had been harmed, and may not have been mended yet, at any moment from the one to the other. */
  mayBeDamaged(node: string, from: number, to: number, mendingMs: number): boolean {
    return overlapping(this.#damages.get(node), from - mendingMs, to) !== undefined
  }

  /** @returns a name of its own for the node as it is between two harms: what it had before one, it may have lost in it */
  lifeOf(node: string, at: number): string {
    const harms = this.#damages.get(node)?.filter(({ from }) => from <= at).length ?? 0
    return harms === 0 ? node : `${node} harmed ${harms} times`
  }

  /** Whether the node's clock was not right at any moment from the one to the other. */
  hadWrongClock(node: string, from: number, to: number): boolean {
    return overlapping(this.#wrongClocks.get(node), from, to) !== undefined
  }

  /** Whether the node has come up not long before. */
  hasJustStarted(node: string, at: number, ms: number): boolean {
    return this.#ups.some(up => up.node === node && up.atMs <= at && up.atMs >= at - ms)
  }

  /** Whether anything was wrong anywhere from the one moment to the other. */
  wasQuiet(from: number, to: number): boolean {
    const windows = [...this.#troubles.values(), ...this.#cuts.values()]
    return windows.every(list => overlapping(list, from, to) === undefined)
  }

  phaseAt(ms: number): Phase {
    return this.#phases.findLast(({ atMs }) => atMs <= ms)?.phase ?? 'start'
  }

  /** When a node was in trouble of this kind. */
  troubles(what: string): readonly Trouble[] {
    return [...this.#troubles].flatMap(([node, windows]) =>
      windows.filter(window => window.what === what).map(({ from, to }) => ({ node, from, to }))
    )
  }

  /** Operations that the node had begun and not answered at any moment from the one to the other. */
  openIn(node: string, from: number, to: number): readonly Operation[] {
    return this.operations.filter(
      ({ node: at, beganMs, end }) => at === node && beganMs <= to && (end === undefined || end.atMs >= from)
    )
  }

  #noteTroubles(lines: readonly Line[]): void {
    const open = new Map<string, { from: number; what: string }>()
    for (const line of lines) {
      if (line.type !== 'node' || line.state === 'damaged') continue
      const { node, state, atMs } = line
      const before = open.get(node)
      if (state === 'up' || state === 'resumed') {
        if (before !== undefined) add(this.#troubles, node, { ...before, to: atMs })
        open.delete(node)
      } else if (before === undefined) open.set(node, { from: atMs, what: TROUBLES[state] })
    }
    for (const [node, rest] of open) add(this.#troubles, node, { ...rest, to: Number.POSITIVE_INFINITY })
  }

  #noteDamages(lines: readonly Line[]): void {
    const open = new Map<string, number>()
    for (const line of lines) {
      if (line.type !== 'node') continue
      const { node, state, atMs } = line
      if (state === 'damaged') open.set(node, atMs)
      const from = open.get(node)
      if (state !== 'up' || from === undefined) continue
      add(this.#damages, node, { from, to: atMs, what: 'damaged' })
      open.delete(node)
    }
  }

  #noteClocks(lines: readonly Line[]): void {
    const open = new Map<string, number>()
    const what = 'its clock was wrong'
    for (const line of lines) {
      if (line.type !== 'clock') continue
      const { node, offsetMs, atMs } = line
      const from = open.get(node)
      if (offsetMs !== 0) open.set(node, from ?? atMs)
      else if (from !== undefined) {
        add(this.#wrongClocks, node, { from, to: atMs, what })
        open.delete(node)
      }
    }
    for (const [node, from] of open) add(this.#wrongClocks, node, { from, to: Number.POSITIVE_INFINITY, what })
  }

  #noteCuts(lines: readonly Line[]): void {
    const open = new Map<string, LineOf<'fault'>>()
    const close = ({ atMs: from, what, cut = [] }: LineOf<'fault'>, to: number): void => {
      for (const [a, b] of cut) add(this.#cuts, `${a} ${b}`, { from, to, what })
    }
    for (const line of lines) {
      if (line.type !== 'fault' || line.cut === undefined) continue
      if (line.state === 'begins') open.set(line.nemesis, line)
      else {
        const began = open.get(line.nemesis)
        if (began !== undefined) close(began, line.atMs)
        open.delete(line.nemesis)
      }
    }
    for (const began of open.values()) close(began, Number.POSITIVE_INFINITY)
  }
}

export const NOT_RUNNING = 'the node did not run'
export const STOPPED = 'the node was stopped'
export const STANDING_STILL = 'the node stood still'

const TROUBLES: Readonly<Record<Exclude<NodeState, 'up' | 'resumed' | 'damaged'>, string>> = {
  down: NOT_RUNNING,
  stopping: STOPPED,
  paused: STANDING_STILL
}

function operationsOf(lines: readonly Line[]): Operation[] {
  const ends = new Map<number, LineOf<'end'>>()
  for (const line of lines) if (line.type === 'end') ends.set(line.op, line)
  return lines
    .filter(line => line.type === 'begin')
    .map(({ op, node, call, atMs }) => ({ op, node, call, beganMs: atMs, end: ends.get(op) }))
}

function overlapping(windows: readonly Window[] = [], from: number, to: number): Window | undefined {
  return windows.find(window => window.from <= to && window.to >= from)
}

function add(map: Map<string, Window[]>, key: string, window: Window): void {
  map.set(key, [...(map.get(key) ?? []), window])
}
