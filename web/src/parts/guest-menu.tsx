import type { JSX } from 'preact'
import { useApp } from '../state/app.js'
import { closeLinks } from '../state/guest.js'
import { words } from '../texts/en-guest.js'
import { Icon, type IconName } from './icons.js'
import { useTold } from './told.js'

/** What somebody without an account can do beside looking. */
export function GuestMenu(): JSX.Element {
  const app = useApp()
  const told = useTold()
  return (
    <>
      <span class="search-place" />
      <button
        type="button"
        class="button"
        onClick={() =>
          void told(async () => {
            await closeLinks(app)
            return words.closed
          })
        }
      >
        <Named icon="close" name={words.close} />
      </button>
      <button
        type="button"
        class="button"
        onClick={() => {
          app.replace({ page: 'photos' })
          app.session.end()
        }}
      >
        <Named icon="user" name={words.logIn} />
      </button>
    </>
  )
}

/** In a narrow bar there is room for the drawing only. */
function Named({ icon, name }: { readonly icon: IconName; readonly name: string }): JSX.Element {
  return (
    <>
      <Icon name={icon} />
      <span class="wide-only">{name}</span>
      <span class="visually-hidden narrow-only">{name}</span>
    </>
  )
}
