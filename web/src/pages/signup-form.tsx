import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { ApiError } from '../api/client.js'
import { FormField, typedInto } from '../parts/form-field.js'
import { signUp } from '../state/account.js'
import { useApp } from '../state/app.js'
import { words } from '../texts/en-account.js'
import { whyNot } from './why-not.js'

/** Somebody makes an account for himself, and is logged in with it. @param invite - undefined: none is needed */
export function SignupForm({
  invite,
  onCancel
}: {
  readonly invite: string | undefined
  readonly onCancel: () => void
}): JSX.Element {
  const app = useApp()
  const form = useRef<HTMLFormElement>(null)
  const problem = useSignal<string | undefined>(undefined)
  const isBusy = useSignal(false)
  useEffect(() => form.current?.querySelector('input')?.focus(), [])
  const submit = async (): Promise<void> => {
    if (form.current === null || isBusy.peek()) return
    isBusy.value = true
    problem.value = undefined
    const { username: name = '', display = '', password = '' } = typedInto(form.current)
    try {
      await signUp(app, { name, password, ...(display !== '' && { display }), ...(invite !== undefined && { invite }) })
      if (invite !== undefined) app.replace({ page: 'photos' })
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      problem.value = whyNot(error)
    } finally {
      isBusy.value = false
    }
  }
  return (
    <form
      ref={form}
      class="form"
      method="post"
      onSubmit={event => {
        event.preventDefault()
        void submit()
      }}
    >
      <FormField name="username" label={words.name} autocomplete="username" maxLength={64} isRequired />
      <FormField name="display" label={words.display} autocomplete="name" maxLength={100} />
      <FormField
        name="password"
        label={words.password}
        type="password"
        autocomplete="new-password"
        minLength={8}
        maxLength={256}
        hint={words.newHint}
        isRequired
      />
      <p class={problem.value === undefined ? 'visually-hidden' : 'note'} role="alert">
        {problem.value}
      </p>
      <button type="submit" class="button button-strong" disabled={isBusy.value}>
        {words.signUp}
      </button>
      <button type="button" class="button" onClick={onCancel}>
        {words.haveAccount}
      </button>
    </form>
  )
}
