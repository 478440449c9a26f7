import type { JSX } from 'preact'
import type { ApiError } from '../api/client.js'
import { t } from '../texts/en.js'
import { wordsFor } from '../texts/problems.js'
import './problem.css'

/** Says what went wrong and, if it may help, offers to try again. */
export function Problem({ error, onAgain }: { readonly error: ApiError; onAgain?: () => void }): JSX.Element {
  return (
    <div class="problem" role="alert">
      <p>{wordsFor(error.code, error.detail)}</p>
      {onAgain !== undefined && (
        <button type="button" class="button" onClick={onAgain}>
          {t.again}
        </button>
      )}
    </div>
  )
}
