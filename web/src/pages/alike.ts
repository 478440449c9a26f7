/** As far below the best as photos are taken to show what was asked for, where nothing is known of the model. */
const SHARE_OF_BEST = 0.8
/**
 * Models that know words by the names of classes only: of a word that is none of these, even the best photo scores below this. See
 * docs/similarity.md for how it was chosen.
 */
const SCORE_MIN: Readonly<Record<string, number>> = { mobilenet: 0.4, resnet50: 0.4 }

/**
 * How many photos that a search by words has found are shown at first: a search always finds something that scores best.
 *
 * @param scores - falling, -1 to 1
 * @param model - that has given them
 * @returns 0…`scores.length`
 */
export function alikeCount(scores: readonly number[], model: string): number {
  const least = SCORE_MIN[model] ?? SHARE_OF_BEST * (scores[0] ?? 0)
  const end = scores.findIndex(score => score < least)
  return end < 0 ? scores.length : end
}
