import type { Call, FinalPhoto, Line, LineOf, Phase, Upload } from '../../../chaos/history.js'
import { judge, type Verdict } from '../../../chaos/judge.js'
import type { Plan } from '../../../chaos/plan.js'
import { noiseBytes, sha256Hex } from '../../support/photo-maker.js'

const PLAN: Plan = { driver: 'process', nodes: 2, workload: 'mixed', nemeses: [], seconds: 20, seed: 1, rate: 100 }
export const DEADLINE_MS = 5_000
const STEP_MS = 10
const PARTED = { nemesis: 'partition-halves', seed: 1, what: 'n1 | n2' } as const

/** The upload of a photo by the name; all else about it follows from that. */
export function uploadNamed(name: string, key?: string): Upload {
  const byteCount = 100
  const seed = [...name].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), 7) >>> 0
  return { name, seed, byteCount, sha256: sha256Hex(noiseBytes(seed, byteCount)), ...(key !== undefined && { key }) }
}

/** What a node answers to a look or an edit. */
export function shown(name: string, clock: Record<string, number>, generation = 0): NonNullable<LineOf<'end'>['told']> {
  const actor = Object.keys(clock).at(-1) as string
  return { name, tags: [], generation, clock, actor }
}

/** Writes a history as a run does: a step takes 10 ms, and two nodes, n1 and n2, run from the start. */
export class ScriptedHistory {
  readonly lines: Line[] = []
  #atMs = 0
  #ops = 0

  constructor() {
    this.lines.push({ type: 'run', plan: PLAN, began: '2026-12-01T00:00:00.000Z', node: 'v24' })
    this.phase('start')
    for (const node of ['n1', 'n2']) this.node(node, 'up')
    this.phase('faults')
    for (const node of ['n1', 'n2']) this.ask(node, { kind: 'list' })
  }

  /** Time passes. */
  pass(ms: number): void {
    this.#atMs += ms
  }

  phase(phase: Phase): void {
    this.lines.push({ type: 'phase', atMs: this.#next(), phase })
  }

  node(node: string, state: LineOf<'node'>['state']): void {
    this.lines.push({ type: 'node', atMs: this.#next(), node, state })
  }

  clock(node: string, offsetMs: number): void {
    this.lines.push({ type: 'clock', atMs: this.#next(), node, offsetMs })
  }

  cut(state: 'begins' | 'ends'): void {
    const cut = [
      ['n1', 'n2'],
      ['n2', 'n1']
    ] as const
    this.lines.push({ type: 'fault', atMs: this.#next(), ...PARTED, state, cut })
  }

  begin(node: string, call: Call): number {
    this.lines.push({ type: 'begin', atMs: this.#next(), op: ++this.#ops, node, call })
    return this.#ops
  }

  end(op: number, ending: Partial<LineOf<'end'>> = {}): void {
    this.lines.push({ type: 'end', atMs: this.#next(), op, outcome: 'ok', status: 200, ...ending })
  }

  /** A call and its answer. */
  ask(node: string, call: Call, ending: Partial<LineOf<'end'>> = {}): void {
    this.end(this.begin(node, call), ending)
  }

  upload(node: string, photo: string, ending: Partial<LineOf<'end'>> = {}): void {
    this.ask(node, { kind: 'upload', ...uploadNamed(photo) }, { status: 201, told: { photo }, ...ending })
  }

  /** @param counter - of n1's or n2's writes of the photo, this one included */
  edit(node: string, photo: string, name: string, clock: Record<string, number>): void {
    this.ask(node, { kind: 'edit', photo, name, adds: [], removes: [] }, { told: shown(name, clock) })
  }

  /** An answer that says that it is of all. */
  search(node: string, ...photos: readonly string[]): void {
    this.ask(node, { kind: 'search', words: 'photo' }, { told: { photos, coverage: 1 } })
  }

  /** Both nodes show this in the end. */
  finally(photo: string, seen: Partial<FinalPhoto>): void {
    for (const node of ['n1', 'n2']) this.finallyAt(node, photo, seen)
  }

  finallyAt(node: string, photo: string, seen: Partial<FinalPhoto>): void {
    this.lines.push({ type: 'final', node, photo, seen: { status: 200, ...seen } })
  }

  verdict(): Verdict {
    const finals = this.lines.filter(line => line.type === 'final')
    for (const node of ['n1', 'n2']) {
      const live = finals.filter(final => final.node === node && final.seen.status === 200)
      this.lines.push({ type: 'listed', node, photos: live.map(({ photo }) => photo) })
    }
    this.lines.push({ type: 'converged', ms: 1_000 })
    this.phase('end')
    return judge(this.lines, PLAN, { deadlineMs: DEADLINE_MS, reaches: [] })
  }

  #next(): number {
    this.#atMs += STEP_MS
    return this.#atMs
  }
}

/** What a node shows in the end of a photo that lives. */
export function finalOf(photo: string, name = photo, generation = 0): FinalPhoto {
  const { sha256 } = uploadNamed(photo)
  return {
    status: 200,
    name,
    tags: [],
    generation,
    sha256,
    conflicts: [],
    bytes: { status: 200, sha256, source: 'local' }
  }
}
