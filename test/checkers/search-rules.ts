/*
 * What searches may find: of each photo that a node knows to be deleted nothing, and where nothing is wrong in the cluster all
 * that they found before. An answer says by its coverage how much of the index it is of.
 */

/** An answer to a search for everything. */
export interface SearchAnswer {
  readonly photos: readonly string[]
  /** How much of the index has answered, from 0 to 1. */
  readonly coverage: number
}

/**
 * Holds an answer against what its node had answered before, while nothing was wrong and nobody deleted anything of it.
 *
 * @param before - photos of an earlier answer of the node that live for sure
 * @returns what is wrong, in words; an answer that says that it is not of all is never
 */
export function judgeCoverage({ photos, coverage }: SearchAnswer, before: readonly string[]): string[] {
  if (coverage < 1) return []
  const found = new Set(photos)
  return before
    .filter(photo => !found.has(photo))
    .map(photo => `it says that it is of all, and lacks ${photo}, which was found before`)
}

/**
 * Holds the last answer of a node, when all had been quiet for long, against what lives there.
 *
 * @returns what is wrong, in words
 */
export function judgeIndex(answer: SearchAnswer | undefined, live: readonly string[]): string[] {
  if (answer === undefined) return ['it does not answer searches']
  const { photos, coverage } = answer
  const problems = coverage < 1 ? [`it still says that it searches ${coverage} of the index`] : []
  const [found, alive] = [new Set(photos), new Set(live)]
  for (const photo of alive) if (!found.has(photo)) problems.push(`it does not find ${photo}, which lives`)
  for (const photo of found) if (!alive.has(photo)) problems.push(`it finds ${photo}, which does not live`)
  return problems
}
