import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { ApiError } from '../api/client.js'
import { FormField, typedInto } from '../parts/form-field.js'
import { useWrites } from '../parts/lost-bar.js'
import { isOnlyHere } from '../state/account.js'
import { useApp } from '../state/app.js'
import { LINK_END_DEFAULT, LINK_ENDS, type LinkEnd, termsOf } from '../state/links.js'
import { DAY_MAX, dayOf } from '../state/shares.js'
import { refusal, words } from '../texts/en-links.js'

const LABEL_CHARACTERS_MAX = 100
const PASSWORD_CHARACTERS_MIN = 8
const PASSWORD_CHARACTERS_MAX = 1_024

/** What a link is of. */
export type Linked = { readonly album: string } | { readonly photos: string[] }

export interface NewLinkProps {
  readonly isOfAlbum: boolean
  /** @throws {@link ApiError} */
  readonly linked: () => Promise<Linked>
  /** Its first field has the focus at first, in a dialog. */
  readonly isFirst?: boolean
  /** @param address - where the link is opened, to be shown this once */
  readonly onMade: (address: string) => void
}

/** Makes a link. */
export function NewLink({ isOfAlbum, linked, isFirst = false, onMade }: NewLinkProps): JSX.Element {
  const { api } = useApp()
  const end = useSignal<LinkEnd>(LINK_END_DEFAULT)
  const tellsFacts = useSignal(true)
  const isBusy = useSignal(false)
  const problem = useSignal('')
  const writes = useWrites()
  const make = async (form: HTMLFormElement): Promise<void> => {
    isBusy.value = true
    problem.value = ''
    try {
      const terms = termsOf(typedInto(form), Date.now())
      const { path } = await api.post('/v1/links', { ...(await linked()), ...terms })
      form.reset()
      end.value = LINK_END_DEFAULT
      tellsFacts.value = true
      onMade(`${location.origin}${path}`)
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      problem.value = refusal(error)
    } finally {
      isBusy.value = false
    }
  }
  return (
    <form
      class="form"
      aria-label={words.make}
      onSubmit={event => {
        event.preventDefault()
        if (!isBusy.peek()) void make(event.currentTarget)
      }}
    >
      <FormField
        name="label"
        label={words.label}
        hint={words.labelHint}
        autocomplete="off"
        maxLength={LABEL_CHARACTERS_MAX}
        isFirst={isFirst}
      />
      <label class="form-field">
        <span>{words.end}</span>
        <select
          name="end"
          value={end.value}
          onChange={({ currentTarget }) => {
            end.value = currentTarget.value as LinkEnd
          }}
        >
          {LINK_ENDS.map(it => (
            <option key={it} value={it}>
              {words.ends[it]}
            </option>
          ))}
        </select>
      </label>
      {end.value === 'day' && (
        <FormField
          name="day"
          type="date"
          label={words.lastDay}
          autocomplete="off"
          min={dayOf(Date.now())}
          max={DAY_MAX}
          isRequired
        />
      )}
      <FormField
        name="password"
        type="password"
        label={words.password}
        hint={words.passwordHint}
        autocomplete="new-password"
        minLength={PASSWORD_CHARACTERS_MIN}
        maxLength={PASSWORD_CHARACTERS_MAX}
      />
      <fieldset>
        <legend>{words.gives}</legend>
        <label class="form-choice">
          <input
            type="checkbox"
            name="metadata"
            checked={tellsFacts.value}
            onChange={({ currentTarget }) => {
              tellsFacts.value = currentTarget.checked
            }}
          />
          {words.metadata}
        </label>
        {tellsFacts.value ? (
          <label class="form-choice">
            <input type="checkbox" name="download" defaultChecked />
            {words.download}
          </label>
        ) : (
          <p class="quiet">{words.downloadNeeds}</p>
        )}
        {isOfAlbum && (
          <label class="form-choice">
            <input type="checkbox" name="upload" />
            {words.upload}
          </label>
        )}
      </fieldset>
      {problem.value !== '' && (
        <p class="note" role="alert">
          {problem.value}
        </p>
      )}
      <div class="buttons">
        <button
          type="submit"
          class="button button-strong"
          title={writes.title}
          disabled={writes.disabled || isBusy.value}
        >
          {words.create}
        </button>
      </div>
    </form>
  )
}

/** The one time that the address of a link is to be seen. */
export function LinkAddress({
  address,
  onClose
}: {
  readonly address: string
  readonly onClose: () => void
}): JSX.Element {
  const field = useRef<HTMLInputElement>(null)
  const said = useSignal('')
  useEffect(() => field.current?.select(), [address])
  const copy = async (): Promise<void> => {
    // a page that came by plain HTTP from another machine may not write there: then it is copied by hand
    const { clipboard } = navigator as { readonly clipboard?: Clipboard }
    try {
      if (clipboard === undefined) throw new DOMException('no clipboard', 'NotAllowedError')
      await clipboard.writeText(address)
      said.value = words.copied
    } catch (error) {
      if (!(error instanceof DOMException)) throw error
      field.current?.select()
      said.value = words.byHand
    }
  }
  return (
    <div class="form">
      <label class="form-field">
        <span>{words.address}</span>
        <input ref={field} class="link-address" readOnly value={address} />
      </label>
      <p>{words.once}</p>
      {isOnlyHere(location.hostname) && <p class="note">{words.onlyHere}</p>}
      <div class="buttons">
        <span class="quiet" role="status">
          {said.value}
        </span>
        <button type="button" class="button" onClick={() => void copy()}>
          {words.copy}
        </button>
        <button type="button" class="button button-strong" onClick={onClose}>
          {words.done}
        </button>
      </div>
    </div>
  )
}
