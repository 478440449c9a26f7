import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { ApiError } from '../api/client.js'
import { lazy } from '../parts/lazy.js'
import { inviteIn, isOverheard, logIn } from '../state/account.js'
import { useApp } from '../state/app.js'
import { t } from '../texts/en.js'
import { words } from '../texts/en-account.js'
import { whyNot } from './why-not.js'
import '../styles/form.css'
import './login-page.css'

const SignupForm = lazy(async () => (await import('./signup-form.js')).SignupForm)

/** Asks who it is, above all else that is there, and hides it. */
export function LoginPage(): JSX.Element {
  const app = useApp()
  const dialog = useRef<HTMLDialogElement>(null)
  const name = useRef<HTMLInputElement>(null)
  const password = useRef<HTMLInputElement>(null)
  const problem = useSignal<string | undefined>(undefined)
  const isBusy = useSignal(false)
  const invite = useSignal(inviteIn(location.hash))
  /** Whether somebody without an account makes one. */
  const isNew = useSignal(invite.value !== undefined)
  useEffect(() => {
    const noteInvite = (): void => {
      invite.value = inviteIn(location.hash)
      isNew.value = invite.value !== undefined
    }
    addEventListener('hashchange', noteInvite)
    return () => removeEventListener('hashchange', noteInvite)
  }, [])
  useEffect(() => {
    const before = document.activeElement
    dialog.current?.showModal()
    name.current?.focus()
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus()
    }
  }, [])
  const submit = async (): Promise<void> => {
    if (isBusy.peek()) return
    isBusy.value = true
    problem.value = undefined
    try {
      await logIn(app, name.current?.value.trim() ?? '', password.current?.value ?? '')
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      problem.value = whyNot(error)
      password.current?.select()
    } finally {
      isBusy.value = false
    }
  }
  return (
    <dialog
      ref={dialog}
      class="login"
      aria-labelledby="login-title"
      onCancel={event => event.preventDefault()}
      // a browser closes it all the same when Escape is pressed twice
      onClose={() => dialog.current?.showModal()}
      onKeyDown={event => event.key === 'Escape' && event.preventDefault()}
    >
      <div class="login-body">
        <p class="login-brand">{t.name}</p>
        <h1 id="login-title">{isNew.value ? words.newAccount : words.logInTo(app.session.name.value)}</h1>
        {isOverheard(location) && <p class="note">{words.overheard}</p>}
        {isNew.value ? (
          <SignupForm
            invite={invite.value}
            onCancel={() => {
              isNew.value = false
            }}
          />
        ) : (
          <>
            <form
              class="form"
              method="post"
              onSubmit={event => {
                event.preventDefault()
                void submit()
              }}
            >
              <label class="form-field">
                <span>{words.name}</span>
                <input
                  ref={name}
                  name="username"
                  autocomplete="username"
                  autocapitalize="none"
                  spellcheck={false}
                  maxLength={256}
                  required
                />
              </label>
              <label class="form-field">
                <span>{words.password}</span>
                <input
                  ref={password}
                  name="password"
                  type="password"
                  autocomplete="current-password"
                  maxLength={1024}
                  required
                  aria-invalid={problem.value !== undefined}
                  aria-describedby="login-problem"
                />
              </label>
              <p id="login-problem" class={problem.value === undefined ? 'visually-hidden' : 'note'} role="alert">
                {problem.value}
              </p>
              <button type="submit" class="button button-strong" disabled={isBusy.value}>
                {words.logIn}
              </button>
            </form>
            {(app.session.maySignUp.value || invite.value !== undefined) && (
              <button
                type="button"
                class="button"
                onClick={() => {
                  isNew.value = true
                }}
              >
                {words.signUp}
              </button>
            )}
          </>
        )}
      </div>
    </dialog>
  )
}
