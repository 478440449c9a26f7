import type { JSX } from 'preact'
import { ApiError } from '../api/client.js'
import { formatRoute } from '../router.js'
import { logOut } from '../state/account.js'
import { useApp } from '../state/app.js'
import { t } from '../texts/en.js'
import { words } from '../texts/en-account.js'
import { wordsFor } from '../texts/problems.js'
import { Icon } from './icons.js'
import './user-menu.css'

const MENU = 'user-menu'

/** Who is logged in, the way to the accounts, and out. */
export function UserMenu(): JSX.Element {
  const app = useApp()
  const { session, uploads, toasts } = app
  const user = session.user.value
  const managesAll = session.can.value.has('accounts')
  const name = user?.display ?? user?.name ?? words.menu
  const close = (): void => document.getElementById(MENU)?.hidePopover()
  const leave = async (): Promise<void> => {
    try {
      await logOut(app)
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      toasts.say(wordsFor(error.code, error.detail))
    }
  }
  const ask = (): void => {
    close()
    if (uploads.isBusy.peek()) toasts.say(t.uploads.leave, { label: words.logOut, run: () => void leave() })
    else void leave()
  }
  return (
    <>
      <button type="button" class="button user-button" popovertarget={MENU} aria-label={`${words.menu}: ${name}`}>
        <Icon name="user" />
        <span class="wide-only">{name}</span>
      </button>
      <div id={MENU} class="user-menu" popover="auto">
        {user !== undefined && (
          <a href={formatRoute({ page: 'account' })} onClick={close}>
            {words.account}
          </a>
        )}
        {managesAll && (
          <a href={formatRoute({ page: 'accounts' })} onClick={close}>
            {words.accounts}
          </a>
        )}
        {user !== undefined && (
          <button type="button" onClick={ask}>
            {words.logOut}
          </button>
        )}
      </div>
    </>
  )
}
