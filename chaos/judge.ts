import {
  availabilityOf,
  checkBytes,
  checkDisks,
  checkPhotos,
  checkSameness,
  checkSearches,
  checkSet
} from './checks.js'
import { type Figures, figuresOf } from './figures.js'
import { type Line, linesOf, type Upload } from './history.js'
import { checkPeople } from './people-checks.js'
import type { Plan } from './plan.js'
import { SharingHistory } from './sharing-history.js'
import { checkReads, checkSights } from './sight-checks.js'
import { Timeline } from './timeline.js'
import { ToldWrites } from './told-writes.js'

/** `unknown`: the run could not judge, which is no pass. */
export type Result = 'pass' | 'fail' | 'unknown'

export interface Problem {
  readonly checker: string
  readonly what: string
}

export interface Verdict {
  readonly plan: Plan
  readonly result: Result
  readonly problems: readonly Problem[]
  /** Why the run could not judge. */
  readonly obstacles: readonly string[]
  readonly figures: Figures
}

export interface JudgeInit {
  readonly deadlineMs: number
  /** Counters that must not be empty, or the run got nowhere. */
  readonly reaches: readonly string[]
}

/** Above it, what the harness measured may be its own doing. */
const LAG_MS_MAX = 500

/** @returns what the history proves; always the same for the same lines */
export function judge(lines: readonly Line[], plan: Plan, { deadlineMs, reaches }: JudgeInit): Verdict {
  const timeline = new Timeline(lines)
  const told = new ToldWrites(lines, timeline)
  const finals = linesOf(lines, 'final')
  const haveConverged = linesOf(lines, 'converged').length > 0
  const history = new SharingHistory(timeline, finals)
  const availability = availabilityOf(timeline, told, history, deadlineMs)
  const figures = figuresOf(lines, timeline, availability)
  // first, since it finds the uploads of photos of which nobody was told
  const ofSet = checkSet(timeline.operations, finals, linesOf(lines, 'listed'), told)
  const problems: Problem[] = [
    ...linesOf(lines, 'problem').map(({ checker, what }) => ({ checker, what })),
    ...as('set', ofSet),
    ...as('photos', checkPhotos(finals, told, haveConverged)),
    ...as('session', told.stale),
    ...as('bytes', checkBytes(timeline.operations, finals, uploadsByPhoto(timeline))),
    ...as('search', checkSearches(timeline, linesOf(lines, 'searched'), finals, told)),
    ...as('people', checkPeople(lines, timeline.operations, history, haveConverged)),
    ...as('sight', [
      ...checkReads(timeline.operations, history),
      ...(haveConverged ? checkSights(lines, history) : [])
    ]),
    ...as('convergence', haveConverged ? [...checkSameness(finals), ...checkDisks(linesOf(lines, 'disk'))] : []),
    ...as('availability', refusals(timeline, availability))
  ]
  const obstacles = [...linesOf(lines, 'obstacle').map(({ what }) => what), ...gapsOf(lines, figures, reaches, plan)]
  const result = problems.length > 0 ? 'fail' : obstacles.length > 0 ? 'unknown' : 'pass'
  return { plan, result, problems, obstacles, figures }
}

function as(checker: string, found: readonly string[]): Problem[] {
  return found.map(what => ({ checker, what }))
}

function refusals(timeline: Timeline, availability: ReturnType<typeof availabilityOf>): string[] {
  return timeline.operations.flatMap(({ op, node, call, beganMs }) => {
    const served = availability.get(op)
    if (typeof served !== 'object' || !('problem' in served)) return []
    const photo = 'photo' in call ? ` of ${call.photo}` : ''
    return [`${call.kind} #${op}${photo} at ${node}, ${(beganMs / 1_000).toFixed(1)} s in: ${served.problem}`]
  })
}

/** What a history lacks to prove anything. */
function gapsOf(lines: readonly Line[], figures: Figures, reaches: readonly string[], plan: Plan): string[] {
  const gaps: string[] = []
  if (!linesOf(lines, 'phase').some(({ phase }) => phase === 'end'))
    gaps.push('the history has no end: the harness died')
  if (linesOf(lines, 'final').length === 0) gaps.push('nothing was read in the end')
  for (const name of new Set(reaches))
    if ((figures.reached[name] ?? 0) === 0) gaps.push(`nothing was reached of: ${name}`)
  const serving = figures.service.filter(({ phase, served }) => phase === 'faults' && served > 0)
  if (serving.length < plan.nodes) gaps.push('not every node served anything while faults went on')
  if (figures.lagMsMax > LAG_MS_MAX) gaps.push(`the harness itself was ${figures.lagMsMax} ms late`)
  return gaps
}

function uploadsByPhoto(timeline: Timeline): ReadonlyMap<string, Upload> {
  return new Map(
    timeline.operations.flatMap(({ call, end }) =>
      call.kind === 'upload' && end?.told?.photo !== undefined ? [[end.told.photo, call] as const] : []
    )
  )
}
