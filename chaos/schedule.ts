import { type Call, HistoryFileError, type Line, linesOf, type Told } from './history.js'

export interface ScheduledOperation {
  readonly op: number
  /** Since the load began. */
  readonly afterMs: number
  readonly node: string
  readonly call: Call
}

export interface ScheduledFault {
  readonly nemesis: string
  /** Of all that it drew. */
  readonly seed: number
  /** Since faults began. */
  readonly afterMs: number
}

/** What was asked of whom in a run, what was done to whom, and when: enough to do it again. */
export interface Schedule {
  readonly operations: readonly ScheduledOperation[]
  readonly faults: readonly ScheduledFault[]
  /** Names that nodes gave, such as ids of photos, and the operations that were told them; another run has others. */
  readonly names: ReadonlyMap<string, readonly number[]>
}

/** @throws {@link HistoryFileError} of a run that came to nothing */
export function scheduleOf(lines: readonly Line[]): Schedule {
  const phases = new Map(linesOf(lines, 'phase').map(({ phase, atMs }) => [phase, atMs]))
  const [calmMs, faultsMs = 0] = [phases.get('calm'), phases.get('faults')]
  if (calmMs === undefined)
    throw new HistoryFileError('nothing was asked in this run: its nodes never met, so there is nothing to replay')
  const operations = linesOf(lines, 'begin').map(({ op, node, call, atMs }) => {
    return { op, node, call, afterMs: atMs - calmMs }
  })
  const faults = linesOf(lines, 'fault')
    .filter(({ state }) => state === 'begins')
    .map(({ nemesis, seed, atMs }) => ({ nemesis, seed, afterMs: atMs - faultsMs }))
  return { operations, faults, names: namesIn(lines) }
}

/** @returns the operations on which a call depends, since it mentions what they were told */
export function originsOf(call: Call, names: Schedule['names']): readonly number[] {
  return Object.values(call).flatMap(value => (typeof value === 'string' ? (names.get(value) ?? []) : []))
}

/**
 * @param told - what an operation was told in the run that goes on; undefined: nothing
 * @returns the call with names of that run; undefined when one of them was not given this time
 */
export function renamed(
  call: Call,
  names: Schedule['names'],
  told: (op: number) => string | undefined
): Call | undefined {
  const fields = Object.entries(call).map(([field, value]) => {
    const origins = typeof value === 'string' ? names.get(value) : undefined
    return [field, origins === undefined ? value : origins.map(told).find(name => name !== undefined)] as const
  })
  return fields.some(([, value]) => value === undefined) ? undefined : (Object.fromEntries(fields) as Call)
}

function namesIn(lines: readonly Line[]): Schedule['names'] {
  const names = new Map<string, number[]>()
  for (const { op, told } of linesOf(lines, 'end')) {
    const name = nameIn(told)
    if (name !== undefined) names.set(name, [...(names.get(name) ?? []), op])
  }
  return names
}

/** @returns the name that a node gave to what was made */
export function nameIn(told: Told | undefined): string | undefined {
  return told?.photo ?? told?.album
}
