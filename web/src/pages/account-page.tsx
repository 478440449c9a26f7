import type { JSX } from 'preact'
import { FormField, typedInto } from '../parts/form-field.js'
import { useLoaded } from '../parts/loaded.js'
import { useWrites } from '../parts/lost-bar.js'
import { Problem } from '../parts/problem.js'
import { ScrollPage } from '../parts/scroll-page.js'
import { useTold } from '../parts/told.js'
import { useApp } from '../state/app.js'
import type { User } from '../state/session.js'
import { t } from '../texts/en.js'
import { deviceName, words } from '../texts/en-account.js'
import { ApiKeys } from './api-keys.js'
import { Groups } from './groups.js'
import { Links } from './links.js'
import './account-page.css'

/** One's own account: what it says of a person, the password, where he is logged in, and keys for programs. */
export function AccountPage(): JSX.Element {
  const { session, toasts } = useApp()
  const user = session.user.value
  return (
    <ScrollPage>
      <h1>{words.account}</h1>
      {user !== undefined && (
        <div class="account">
          <Person user={user} />
          <Password user={user} />
          <Devices />
          <Groups />
          {session.can.value.has('share') && <Links onSay={text => toasts.say(text)} />}
          <ApiKeys />
        </div>
      )}
    </ScrollPage>
  )
}

function Person({ user }: { readonly user: User }): JSX.Element {
  const { api, session } = useApp()
  const { user_id: id, name, role } = user
  const mine = useLoaded(`account ${id}`, signal => api.get('/v1/users/{id}', { params: { id }, signal }))
  const told = useTold()
  const writes = useWrites()
  const save = (form: HTMLFormElement): void =>
    void told(async () => {
      const { display = '', mail = '' } = typedInto(form)
      await api.patch('/v1/users/{id}', { display: display || null, mail: mail || null }, { params: { id } })
      await session.reload()
      mine.load()
      return words.saved
    })
  const { display, mail, usage, quota } = mine.value.value ?? {}
  return (
    <section aria-label={name}>
      <h2>{name}</h2>
      <p class="quiet">{words.roles[role]}</p>
      {usage && quota && <p>{words.room(usage, quota)}</p>}
      {mine.error.value !== undefined && <Problem error={mine.error.value} onAgain={mine.load} />}
      {mine.value.value !== undefined && (
        <form
          class="form"
          onSubmit={event => {
            event.preventDefault()
            save(event.currentTarget)
          }}
        >
          <FormField name="display" label={words.display} autocomplete="name" maxLength={100} value={display ?? ''} />
          <FormField
            name="mail"
            label={words.mail}
            type="email"
            autocomplete="email"
            maxLength={254}
            value={mail ?? ''}
          />
          <div class="buttons">
            <button type="submit" class="button button-strong" {...writes}>
              {t.save}
            </button>
          </div>
        </form>
      )}
    </section>
  )
}

function Password({ user: { user_id: id, name } }: { readonly user: User }): JSX.Element {
  const { api } = useApp()
  const told = useTold()
  const writes = useWrites()
  const change = async (form: HTMLFormElement): Promise<void> => {
    const { old_password: old = '', new_password: fresh = '' } = typedInto(form)
    const isChanged = await told(async () => {
      await api.put('/v1/users/{id}/password', { old, new: fresh }, { params: { id } })
      return words.passwordChanged
    })
    if (isChanged) form.reset()
  }
  return (
    <section aria-label={words.changePassword}>
      <h2>{words.changePassword}</h2>
      <form
        class="form"
        onSubmit={event => {
          event.preventDefault()
          void change(event.currentTarget)
        }}
      >
        <input type="text" name="username" autocomplete="username" value={name} hidden readOnly />
        <FormField
          name="old_password"
          label={words.old}
          type="password"
          autocomplete="current-password"
          maxLength={256}
          isRequired
        />
        <FormField
          name="new_password"
          label={words.new}
          hint={words.newHint}
          type="password"
          autocomplete="new-password"
          minLength={8}
          maxLength={256}
          isRequired
        />
        <div class="buttons">
          <button type="submit" class="button button-strong" {...writes}>
            {words.changePassword}
          </button>
        </div>
      </form>
    </section>
  )
}

function Devices(): JSX.Element {
  const { api } = useApp()
  const loaded = useLoaded('devices', signal => api.get('/v1/sessions', { signal }), { follows: true })
  const told = useTold()
  const writes = useWrites()
  const end = async (id: string): Promise<void> => {
    await told(async () => words.ended((await api.delete('/v1/sessions/{id}', { params: { id } })).ended))
    loaded.load()
  }
  const { sessions = [] } = loaded.value.value ?? {}
  return (
    <section aria-label={words.devices}>
      <h2>{words.devices}</h2>
      <p class="quiet">{words.devicesHint}</p>
      {loaded.error.value !== undefined && <Problem error={loaded.error.value} onAgain={loaded.load} />}
      <ul class="account-rows">
        {sessions.map(({ session_id: id, label, node, current, created_at, expires_at }) => (
          <li key={id}>
            <span class="account-name">
              <strong>{deviceName(label)}</strong>
              <span class="quiet">
                {[
                  ...(current ? [words.thisDevice] : []),
                  ...(node === null ? [] : [node]),
                  words.since(t.moment(created_at), t.moment(expires_at))
                ].join(' · ')}
              </span>
            </span>
            {!current && (
              <button
                type="button"
                class="button"
                aria-label={words.endOf(deviceName(label))}
                {...writes}
                onClick={() => void end(id)}
              >
                {words.end}
              </button>
            )}
          </li>
        ))}
      </ul>
      {sessions.some(({ current }) => !current) && (
        <div class="buttons">
          <button type="button" class="button" {...writes} onClick={() => void end('others')}>
            {words.endOthers}
          </button>
        </div>
      )}
    </section>
  )
}
