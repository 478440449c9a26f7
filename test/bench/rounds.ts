import { atLeast, atMost, type Measure, median } from './report.js'
import type { WrkResult } from './wrk.js'

export interface RoundsInit {
  readonly rounds: number
  readonly seconds: number
}

/** A load on Sheaf, and the same on the yardstick right after it. */
export interface Round {
  readonly sheaf: WrkResult
  /** Undefined where the yardstick is not installed. */
  readonly yardstick: WrkResult | undefined
}

export interface ComparisonInit {
  /** E.g. `GET 64 KB by id`. */
  readonly name: string
  /** E.g. `nginx static`. */
  readonly yardstick: string
  readonly how: string
  /** What the ratio of rates must be at least; undefined: nothing is promised. */
  readonly rateMin?: number
  /** What the ratio of CPU times must be at most; undefined: nothing is promised. */
  readonly cpuMax?: number
}

type Compared = Round & { readonly yardstick: WrkResult }

/** @returns requests a second and CPU time a request, each ÷ the yardstick's, and Sheaf's own figures */
export function compare(rounds: readonly Round[], init: ComparisonInit): Measure[] {
  const { name, yardstick, how, rateMin, cpuMax } = init
  const compared = rounds.filter((round): round is Compared => round.yardstick !== undefined)
  const ratio = (of: (result: WrkResult) => number): number[] =>
    compared.map(({ sheaf, yardstick }) => of(sheaf) / of(yardstick))
  return [
    {
      ...ratioMeasure(
        `${name}: rate ÷ ${yardstick}`,
        ratio(one => one.requestsPerS),
        how
      ),
      ...(rateMin !== undefined && { target: atLeast(rateMin) }),
      rounds
    },
    {
      ...ratioMeasure(
        `${name}: CPU time ÷ ${yardstick}`,
        ratio(one => one.cpuUs),
        'of the server, a request'
      ),
      ...(cpuMax !== undefined && { target: atMost(cpuMax, `≤ ${cpuMax}`) })
    },
    ratesMeasure(name, yardstick, rounds, compared)
  ]
}

function ratioMeasure(name: string, ratios: readonly number[], how: string): Measure {
  if (ratios.length === 0) return { name, value: '–', number: null, note: 'skipped: the yardstick is not installed' }
  const span = `rounds ${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)}`
  const ratio = median(ratios)
  return { name, value: `${ratio.toFixed(2)} ×`, number: ratio, note: `${how}; ${span}` }
}

function ratesMeasure(
  name: string,
  yardstick: string,
  rounds: readonly Round[],
  compared: readonly Compared[]
): Measure {
  const rateOf = (results: readonly WrkResult[]): number => median(results.map(one => one.requestsPerS))
  const describe = (results: readonly WrkResult[]): string =>
    [
      `p50 ${median(results.map(({ p50Ms }) => p50Ms)).toFixed(1)} ms`,
      `p99 ${median(results.map(({ p99Ms }) => p99Ms)).toFixed(1)} ms`,
      `${median(results.map(({ cpuUs }) => cpuUs)).toFixed(0)} µs CPU each`
    ].join(', ')
  const ours = rounds.map(({ sheaf }) => sheaf)
  const theirs = compared.map(round => round.yardstick)
  const beside = theirs.length === 0 ? '' : `; ${yardstick} ${rateOf(theirs).toFixed(0)}/s, ${describe(theirs)}`
  return { name, value: `${rateOf(ours).toFixed(0)}/s`, number: rateOf(ours), note: `${describe(ours)}${beside}` }
}
