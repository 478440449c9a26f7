import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { ApiError, type UserAccount } from '../api/client.js'
import { Dialog } from '../parts/dialog.js'
import { FormField, typedInto } from '../parts/form-field.js'
import { useLoaded } from '../parts/loaded.js'
import { useWrites } from '../parts/lost-bar.js'
import { Problem } from '../parts/problem.js'
import { ScrollPage } from '../parts/scroll-page.js'
import { useTold } from '../parts/told.js'
import { useApp } from '../state/app.js'
import { operatorHeaders } from '../state/operator.js'
import { t } from '../texts/en.js'
import { words } from '../texts/en-account.js'
import './account-page.css'

type Role = UserAccount['role']
const ROLES: readonly Role[] = ['guest', 'user', 'auditor', 'admin']
/** As many more are shown each time. */
const PAGE = 100
const LIMIT_MAX = 1_000

/** All accounts, for whoever may change them. */
export function AccountsPage(): JSX.Element {
  const { api, session } = useApp()
  const limit = useSignal(PAGE)
  const loaded = useLoaded(
    'accounts',
    signal => api.get('/v1/users', { query: { limit: limit.peek() }, headers: operatorHeaders(), signal }),
    { follows: true }
  )
  const isAsking = useSignal(false)
  const writes = useWrites()
  const { users = [], next_after: next = null } = loaded.value.value ?? {}
  return (
    <ScrollPage>
      <div class="page-head">
        <h1>{words.accounts}</h1>
        <button
          type="button"
          class="button"
          {...writes}
          onClick={() => {
            isAsking.value = true
          }}
        >
          {words.newAccount}
        </button>
      </div>
      {loaded.error.value !== undefined && <Problem error={loaded.error.value} onAgain={loaded.load} />}
      {loaded.value.value !== undefined && users.length === 0 && <p class="empty">{words.firstAccount}</p>}
      <ul class="account-rows">
        {users.map(user => (
          <AccountRow key={user.user_id} user={user} onChange={loaded.load} />
        ))}
      </ul>
      {next !== null && limit.value < LIMIT_MAX && (
        <button
          type="button"
          class="button"
          onClick={() => {
            limit.value = Math.min(LIMIT_MAX, limit.peek() + PAGE)
            loaded.load()
          }}
        >
          {t.more}
        </button>
      )}
      {isAsking.value && (
        <NewAccount
          isFirst={users.length === 0}
          onClose={() => {
            isAsking.value = false
          }}
          onMade={() => {
            isAsking.value = false
            loaded.load()
            void session.reload()
          }}
        />
      )}
    </ScrollPage>
  )
}

function AccountRow({ user, onChange }: { readonly user: UserAccount; readonly onChange: () => void }): JSX.Element {
  const { api, session } = useApp()
  const { user_id: id, name, display, role, state, has_password, contested } = user
  const isAsking = useSignal(false)
  const told = useTold()
  const writes = useWrites()
  const isMe = session.user.value?.user_id === id
  const ask = { params: { id }, headers: operatorHeaders() }
  const change = async (make: () => Promise<unknown>): Promise<void> => {
    await told(async () => {
      await make()
      return words.saved
    })
    onChange()
  }
  const isOpen = state === 'open'
  const turn = isOpen ? words.disable : words.enable
  return (
    <li>
      <span class="account-name">
        <strong>{name}</strong>
        <span class="quiet">
          {[
            ...(display === null ? [] : [display]),
            ...(isMe ? [words.you] : []),
            ...(isOpen ? [] : [words.state[state]]),
            ...(has_password ? [] : [words.noPassword])
          ].join(' · ')}
        </span>
        {contested && <span class="note">{words.contested}</span>}
      </span>
      <select
        aria-label={words.roleOf(name)}
        value={role}
        {...writes}
        onChange={({ currentTarget }) =>
          void change(() => api.put('/v1/users/{id}/role', { role: currentTarget.value as Role }, ask))
        }
      >
        {ROLES.map(it => (
          <option key={it} value={it}>
            {words.roles[it]}
          </option>
        ))}
      </select>
      {!isMe && (
        <>
          <button
            type="button"
            class="button"
            aria-label={words.actOn(words.reset, name)}
            {...writes}
            onClick={() => {
              isAsking.value = true
            }}
          >
            {words.reset}
          </button>
          <button
            type="button"
            class={isOpen ? 'button button-danger' : 'button'}
            aria-label={words.actOn(turn, name)}
            {...writes}
            onClick={() =>
              void change(() => api.put('/v1/users/{id}/state', { state: isOpen ? 'disabled' : 'open' }, ask))
            }
          >
            {turn}
          </button>
        </>
      )}
      {isAsking.value && (
        <Dialog
          title={words.actOn(words.reset, name)}
          onClose={() => {
            isAsking.value = false
          }}
        >
          <p>{words.resetHint(name)}</p>
          <form
            class="form"
            onSubmit={event => {
              event.preventDefault()
              const { new_password: password = '' } = typedInto(event.currentTarget)
              isAsking.value = false
              void change(() => api.put('/v1/users/{id}/password', { new: password }, ask))
            }}
          >
            <NewPassword isFirst />
            <div class="buttons">
              <button type="submit" class="button button-strong">
                {words.reset}
              </button>
            </div>
          </form>
        </Dialog>
      )}
    </li>
  )
}

interface NewAccountProps {
  /** Somebody has to be an administrator. */
  readonly isFirst: boolean
  readonly onClose: () => void
  readonly onMade: () => void
}

function NewAccount({ isFirst, onClose, onMade }: NewAccountProps): JSX.Element {
  const { api, toasts } = useApp()
  const problem = useSignal<ApiError | undefined>(undefined)
  const make = async (form: HTMLFormElement): Promise<void> => {
    const { name = '', new_password: password = '', role = 'admin' } = typedInto(form)
    try {
      await api.post('/v1/users', { name, password, role: role as Role }, { headers: operatorHeaders() })
      toasts.say(words.made(name))
      onMade()
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      problem.value = error
    }
  }
  return (
    <Dialog title={words.newAccount} onClose={onClose}>
      <form
        class="form"
        onSubmit={event => {
          event.preventDefault()
          void make(event.currentTarget)
        }}
      >
        <FormField name="name" label={words.name} autocomplete="off" maxLength={64} isRequired isFirst />
        <NewPassword />
        {!isFirst && (
          <label class="form-field">
            <span>{words.role}</span>
            <select name="role">
              {ROLES.map(role => (
                <option key={role} value={role} selected={role === 'user'}>
                  {words.roles[role]}
                </option>
              ))}
            </select>
          </label>
        )}
        {problem.value !== undefined && <Problem error={problem.value} />}
        <div class="buttons">
          <button type="submit" class="button button-strong">
            {words.create}
          </button>
        </div>
      </form>
    </Dialog>
  )
}

function NewPassword({ isFirst = false }: { readonly isFirst?: boolean }): JSX.Element {
  return (
    <FormField
      name="new_password"
      label={words.password}
      hint={words.newHint}
      type="password"
      autocomplete="new-password"
      minLength={8}
      maxLength={256}
      isRequired
      isFirst={isFirst}
    />
  )
}
