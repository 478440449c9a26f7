import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import type { ApiKey } from '../api/client.js'
import { Dialog } from '../parts/dialog.js'
import { FormField, typedInto } from '../parts/form-field.js'
import { useLoaded } from '../parts/loaded.js'
import { useWrites } from '../parts/lost-bar.js'
import { Problem } from '../parts/problem.js'
import { useTold } from '../parts/told.js'
import { useApp } from '../state/app.js'
import { t } from '../texts/en.js'
import { words } from '../texts/en-account.js'

type Scope = ApiKey['scopes'][number]

/** What a role lacks is not offered: a key never gives more than its account has. */
const SCOPE_NEEDS: readonly (readonly [Scope, string])[] = [
  ['read', 'read'],
  ['upload', 'upload'],
  ['write', 'edit'],
  ['metrics', 'metrics'],
  ['admin', 'operate']
]

/** Keys by which programs act for the account. */
export function ApiKeys(): JSX.Element {
  const { api } = useApp()
  const loaded = useLoaded('keys', signal => api.get('/v1/keys', { signal }))
  const isAsking = useSignal(false)
  const secret = useSignal<string | undefined>(undefined)
  const told = useTold()
  const writes = useWrites()
  const remove = async (id: string): Promise<void> => {
    await told(async () => {
      await api.delete('/v1/keys/{id}', { params: { id } })
      return words.keyDeleted
    })
    loaded.load()
  }
  const { keys } = loaded.value.value ?? {}
  return (
    <section aria-label={words.keys}>
      <h2>{words.keys}</h2>
      <p class="quiet">{words.keysHint}</p>
      {loaded.error.value !== undefined && <Problem error={loaded.error.value} onAgain={loaded.load} />}
      {keys?.length === 0 && <p class="quiet">{words.noKeys}</p>}
      <ul class="account-rows">
        {keys?.map(({ key_id: id, label, scopes, created_at }) => (
          <li key={id}>
            <span class="account-name">
              <strong>{label ?? words.unnamedKey}</strong>
              <span class="quiet">
                {[...scopes.map(scope => words.scope[scope]), words.keySince(t.moment(created_at))].join(' · ')}
              </span>
            </span>
            <button
              type="button"
              class="button"
              aria-label={words.deleteOf(label ?? words.unnamedKey)}
              {...writes}
              onClick={() => void remove(id)}
            >
              {words.delete}
            </button>
          </li>
        ))}
      </ul>
      <div class="buttons">
        <button
          type="button"
          class="button"
          {...writes}
          onClick={() => {
            isAsking.value = true
          }}
        >
          {words.newKey}
        </button>
      </div>
      {isAsking.value && (
        <NewKey
          onClose={() => {
            isAsking.value = false
          }}
          onMade={text => {
            isAsking.value = false
            secret.value = text
            loaded.load()
          }}
        />
      )}
      {secret.value !== undefined && (
        <Secret
          text={secret.value}
          onClose={() => {
            secret.value = undefined
          }}
        />
      )}
    </section>
  )
}

function NewKey({
  onClose,
  onMade
}: {
  readonly onClose: () => void
  readonly onMade: (secret: string) => void
}): JSX.Element {
  const { api, session } = useApp()
  const chosen = useSignal<ReadonlySet<Scope>>(new Set<Scope>(['read']))
  const told = useTold()
  const isEmpty = chosen.value.size === 0
  const make = (form: HTMLFormElement): void =>
    void told(async () => {
      const { label = '' } = typedInto(form)
      const { secret } = await api.post('/v1/keys', { scopes: [...chosen.peek()], ...(label !== '' && { label }) })
      onMade(secret)
      return words.saved
    })
  return (
    <Dialog title={words.newKey} onClose={onClose}>
      <form
        class="form"
        onSubmit={event => {
          event.preventDefault()
          if (!isEmpty) make(event.currentTarget)
        }}
      >
        <FormField name="label" label={words.keyLabel} autocomplete="off" maxLength={100} isFirst />
        <fieldset>
          <legend>{words.scopes}</legend>
          {SCOPE_NEEDS.filter(([, right]) => session.can.value.has(right)).map(([scope]) => (
            <label key={scope} class="form-choice">
              <input
                type="checkbox"
                checked={chosen.value.has(scope)}
                onChange={({ currentTarget }) => {
                  const next = new Set(chosen.peek())
                  if (currentTarget.checked) next.add(scope)
                  else next.delete(scope)
                  chosen.value = next
                }}
              />
              {words.scope[scope]}
            </label>
          ))}
        </fieldset>
        {isEmpty && (
          <p class="note" role="alert">
            {words.scopeNeeded}
          </p>
        )}
        <div class="buttons">
          <button type="submit" class="button button-strong" disabled={isEmpty}>
            {words.makeKey}
          </button>
        </div>
      </form>
    </Dialog>
  )
}

/** The one time that it is to be seen. */
function Secret({ text, onClose }: { readonly text: string; readonly onClose: () => void }): JSX.Element {
  const isCopied = useSignal(false)
  // a page that came by plain HTTP from another machine may not write there: then it is marked and copied by hand
  const clipboard = (navigator as { readonly clipboard?: Clipboard }).clipboard
  return (
    <Dialog title={words.secret} onClose={onClose}>
      <p>{words.secretHint}</p>
      <code class="secret">{text}</code>
      <div class="buttons">
        {clipboard !== undefined && (
          <button
            type="button"
            class="button"
            onClick={() =>
              void clipboard.writeText(text).then(
                () => {
                  isCopied.value = true
                },
                () => {}
              )
            }
          >
            {isCopied.value ? words.copied : words.copy}
          </button>
        )}
        <button type="button" class="button button-strong" onClick={onClose}>
          {words.done}
        </button>
      </div>
    </Dialog>
  )
}
