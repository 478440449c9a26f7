import type { Availability } from '../test/checkers/availability.js'
import { type Call, isWrite, type Line, type LineOf, linesOf, type Outcome, type Phase } from './history.js'
import { NOT_RUNNING, type Operation, STANDING_STILL, STOPPED, type Timeline } from './timeline.js'

export interface Latency {
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

/** How one node served in one phase. */
export interface Service {
  readonly node: string
  readonly phase: Phase
  readonly served: number
  readonly excused: number
  readonly refused: number
  readonly latency: Latency | undefined
}

/** What a run did and met. */
export interface Figures {
  readonly operations: number
  readonly operationsPerSecond: number
  readonly outcomes: Readonly<Record<Outcome, number>>
  /** Of operations that succeeded while faults went on, and of faults that met some. By these a run shows that it got anywhere. */
  readonly reached: Readonly<Record<string, number>>
  readonly service: readonly Service[]
  /** How often which excuse was taken. */
  readonly excuses: Readonly<Record<string, number>>
  readonly faults: Readonly<Record<string, number>>
  /** From the last fault to nodes that agree; undefined: they did not. */
  readonly convergenceMs: number | undefined
  /** The greatest delay of the harness itself while it measured how nodes answer. */
  readonly lagMsMax: number
  readonly photosRead: number
}

const KINDS: Readonly<Record<Call['kind'], string>> = {
  upload: 'uploads',
  edit: 'edits',
  delete: 'deletes',
  undelete: 'undeletes',
  look: 'looks',
  fetch: 'fetches',
  list: 'lists',
  search: 'searches',
  compact: 'compactions',
  makeAlbum: 'albums',
  fill: 'fills',
  takeOut: 'takings',
  share: 'shares',
  unshare: 'unshares',
  shares: 'sharings',
  makeUser: 'accounts',
  setRole: 'roles',
  disable: 'disabledAccounts'
}
/** Phases with load. */
const MEASURED: readonly Phase[] = ['calm', 'faults']

export function figuresOf(
  lines: readonly Line[],
  timeline: Timeline,
  availability: ReadonlyMap<number, Availability>
): Figures {
  const { operations } = timeline
  const ended = operations.flatMap(({ end }) => end ?? [])
  const faults = linesOf(lines, 'fault').filter(({ state }) => state === 'begins')
  const lags = linesOf(lines, 'lag')
    .filter(({ atMs }) => MEASURED.includes(timeline.phaseAt(atMs)))
    .map(({ ms }) => ms)
  const excuses = [...availability.values()].flatMap(served =>
    typeof served === 'object' && 'excuse' in served ? [served.excuse] : []
  )
  const finals = linesOf(lines, 'final')
  return {
    operations: operations.length,
    operationsPerSecond: rate(operations),
    outcomes: { ok: 0, failed: 0, indeterminate: 0, ...countOf(ended.map(({ outcome }) => outcome)) },
    reached: reachedBy(lines, timeline, finals),
    service: serviceOf(timeline, availability),
    excuses: countOf(excuses),
    faults: countOf(faults.map(({ nemesis }) => nemesis)),
    convergenceMs: linesOf(lines, 'converged')[0]?.ms,
    lagMsMax: Math.max(0, ...lags),
    photosRead: finals.length
  }
}

function reachedBy(
  lines: readonly Line[],
  timeline: Timeline,
  finals: readonly LineOf<'final'>[]
): Readonly<Record<string, number>> {
  const inFaults = (ms: number): boolean => timeline.phaseAt(ms) === 'faults'
  const done = timeline.operations.filter(({ end, beganMs }) => end?.outcome === 'ok' && inFaults(beganMs))
  const underWrite = (what: string): number =>
    timeline.troubles(what).filter(({ node, from }) => {
      return inFaults(from) && timeline.openIn(node, from, from).some(({ call }) => isWrite(call))
    }).length
  const pauses = timeline.troubles(STANDING_STILL).filter(({ node, from, to }) => {
    return inFaults(from) && timeline.openIn(node, from, to).length > 0
  })
  const counts = linesOf(lines, 'count').map(({ name, value }) => [name, value] as const)
  return {
    ...countOf(done.map(({ call }) => KINDS[call.kind])),
    wholeLists: done.filter(({ call, end }) => call.kind === 'list' && end?.told?.photos !== undefined).length,
    wholeSearches: done.filter(({ end }) => end?.told?.coverage === 1).length,
    refusals: timeline.operations.filter(({ end }) => end?.status === 401 || end?.status === 403).length,
    hidings: timeline.operations.filter(({ call, end }) => call.as !== undefined && end?.status === 404).length,
    killsUnderWrite: underWrite(NOT_RUNNING),
    stopsUnderWrite: underWrite(STOPPED),
    pausesUnderLoad: pauses.length,
    conflicts: finals.reduce((sum, { seen }) => sum + (seen.conflicts?.length ?? 0), 0),
    ...Object.fromEntries(counts)
  }
}

function serviceOf(timeline: Timeline, availability: ReadonlyMap<number, Availability>): Service[] {
  const groups = new Map<string, Operation[]>()
  for (const operation of timeline.operations) {
    const key = `${operation.node} ${timeline.phaseAt(operation.beganMs)}`
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [operation])
    else group.push(operation)
  }
  return [...groups]
    .map(([key, operations]) => {
      const [node = '', phase = ''] = key.split(' ')
      const kinds = operations.flatMap(({ op }) => availability.get(op) ?? [])
      const served = kinds.filter(kind => kind === 'served').length
      const refused = kinds.filter(kind => typeof kind === 'object' && 'problem' in kind).length
      const latency = latencyOf(
        operations.flatMap(({ op, end, beganMs }) =>
          end !== undefined && availability.get(op) === 'served' ? [end.atMs - beganMs] : []
        )
      )
      return { node, phase: phase as Phase, served, excused: kinds.length - served - refused, refused, latency }
    })
    .sort((a, b) => a.phase.localeCompare(b.phase) || a.node.localeCompare(b.node))
}

/** @returns undefined of none */
function latencyOf(tookMs: readonly number[]): Latency | undefined {
  const sorted = [...tookMs].sort((a, b) => a - b)
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] as number
  if (sorted.length === 0) return undefined
  return { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: sorted.at(-1) as number }
}

function rate(operations: readonly Operation[]): number {
  const [first, last] = [operations[0], operations.at(-1)]
  if (first === undefined || last === undefined || last.beganMs === first.beganMs) return 0
  return Math.round((operations.length / (last.beganMs - first.beganMs)) * 1_000)
}

function countOf(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1
  return counts
}
