import type { JSX } from 'preact'
import { t } from '../texts/en.js'
import './waiting.css'

/** Something is on its way. It shows after a moment, so that what is fast does not flicker. */
export function Waiting(): JSX.Element {
  return (
    <div class="waiting" role="progressbar" aria-label={t.loading}>
      <span />
    </div>
  )
}
