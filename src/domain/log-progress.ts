import { contains, type Range, within, withoutAll } from './ranges.js'
import { SUPERBLOCK_BYTES } from './superblock.js'

/** How much of a volume's log is in the directory, bytes. */
export interface LogProgress {
  /** The furthest end of a group that was applied. */
  readonly reached: number
  /** Ranges below `reached` whose needles may be missing in the rows: sorted, apart, {@link GAPS_MAX} at most. */
  readonly gaps: readonly Range[]
}

export const NOTHING_APPLIED: LogProgress = { reached: 0, gaps: [] }

/** Bound on the gaps that are kept. Further ones count as one with what is between them, which is then applied again. */
export const GAPS_MAX = 64

/**
 * The progress after a group is applied. What the group leaves out behind `reached` becomes a gap; an empty group only tells
 * that the log is that long.
 *
 * @param group - [from, to) of a volume; its first needle follows the superblock
 * @returns `progress` itself if the group was applied before
 */
export function progressAfter(progress: LogProgress, group: Range): LogProgress {
  const { reached, gaps } = progress
  const { to } = group
  const from = group.from <= SUPERBLOCK_BYTES ? 0 : group.from
  if (Math.max(from, to) <= reached && within(gaps, { from, to }).length === 0) return progress
  const open = from > reached ? appended(gaps, { from: reached, to: from }) : gaps
  return { reached: Math.max(reached, to), gaps: bounded(withoutAll(open, [{ from, to }])) }
}

/** Whether the needle at the offset is in the rows. */
export function isApplied({ reached, gaps }: LogProgress, offset: number): boolean {
  return offset < reached && !contains(gaps, offset)
}

/** @returns the ranges of a log with the given end whose needles may be missing in the rows, sorted */
export function missingRanges({ reached, gaps }: LogProgress, end: number): Range[] {
  return reached < end ? [...gaps, { from: reached, to: end }] : [...gaps]
}

/** @returns the gaps with another one behind them */
function appended(gaps: readonly Range[], gap: Range): Range[] {
  const last = gaps.at(-1)
  return last?.to === gap.from ? [...gaps.slice(0, -1), { from: last.from, to: gap.to }] : [...gaps, gap]
}

function bounded(gaps: readonly Range[]): readonly Range[] {
  const [first, last] = [gaps[GAPS_MAX - 1], gaps.at(-1)]
  if (gaps.length <= GAPS_MAX || first === undefined || last === undefined) return gaps
  return [...gaps.slice(0, GAPS_MAX - 1), { from: first.from, to: last.to }]
}
