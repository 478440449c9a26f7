import type { PhotoId } from '../domain/ids.js'
import type { Neighbor } from '../similarity/index/vector-index.js'

/** Photos whose whole vectors are read for one search on one node, at most. */
export const REFINED_MAX = 64
/** Read at once; whether more must be read is known after each batch. */
const BATCH = 16

/**
 * Puts right what a search in projected vectors found. Their scores are upper bounds, so reading ends as soon as no neighbor
 * that is left can be among the `k` best; it also ends after {@link REFINED_MAX}. Neighbors beyond those get a score that is
 * lowered by what the bounds were too high on average, and never come before one that was read.
 *
 * @param bounds - by falling score
 * @param exactScores - reads whole vectors; undefined for one that cannot be read, which keeps a lowered bound
 * @returns at most `k`, by falling score
 * @see Faloutsos et al. 1994, "Fast subsequence matching in time-series databases": filter by bounds, then refine
 */
export async function refine(
  bounds: readonly Neighbor[],
  k: number,
  exactScores: (ids: readonly PhotoId[]) => Promise<readonly (number | undefined)[]>
): Promise<readonly Neighbor[]> {
  const exact: Neighbor[] = []
  const unread: Neighbor[] = []
  let excess = 0
  let at = 0
  while (at < Math.min(bounds.length, REFINED_MAX) && !isSettled(exact, k, bounds[at])) {
    const batch = bounds.slice(at, Math.min(at + BATCH, REFINED_MAX))
    const scores = await exactScores(batch.map(({ id }) => id))
    for (const [i, bound] of batch.entries()) {
      const score = scores[i]
      if (score === undefined) unread.push(bound)
      else {
        exact.push({ id: bound.id, score })
        excess += bound.score - score
      }
    }
    exact.sort(byFallingScore)
    at += batch.length
  }
  const bias = exact.length === 0 ? 0 : Math.max(0, excess / exact.length)
  const lowered = (neighbor: Neighbor): Neighbor => ({ ...neighbor, score: Math.max(-1, neighbor.score - bias) })
  const read = [...exact, ...unread.map(lowered)].sort(byFallingScore)
  const least = read.at(-1)?.score ?? 1
  const rest = bounds.slice(at).map(neighbor => ({ ...neighbor, score: Math.min(least, lowered(neighbor).score) }))
  return [...read, ...rest].slice(0, k)
}

function isSettled(exact: readonly Neighbor[], k: number, next: Neighbor | undefined): boolean {
  const last = exact[k - 1]
  return last !== undefined && next !== undefined && last.score >= next.score
}

function byFallingScore(a: Neighbor, b: Neighbor): number {
  return b.score - a.score
}
