import type { ApiError } from '../api/client.js'
import { words } from '../texts/en-account.js'
import { wordsFor } from '../texts/problems.js'

/** So long as a node has not said when to try again, s. */
const AGAIN_S = 60

/** @returns what to say of an answer to a name and a password */
export function whyNot({ code, detail, retryAfterS = AGAIN_S }: ApiError): string {
  return code === 'ERR_TOO_MANY_TRIES' ? words.tooManyTries(retryAfterS) : wordsFor(code, detail)
}
