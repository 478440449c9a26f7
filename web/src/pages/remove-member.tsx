import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { ApiError } from '../api/client.js'
import { Dialog } from '../parts/dialog.js'
import { useApp } from '../state/app.js'
import { operatorHeaders } from '../state/operator.js'
import { t } from '../texts/en.js'
import { words } from '../texts/en-cluster.js'
import { wordsFor } from '../texts/problems.js'

export interface RemoveMemberProps {
  readonly id: string
  readonly name: string
  readonly onRemoved: () => void
  readonly onClose: () => void
}

/** Asks for the name of the machine, so that none is removed by a slip. */
export function RemoveMember({ id, name, onRemoved, onClose }: RemoveMemberProps): JSX.Element {
  const app = useApp()
  const typed = useSignal('')
  const note = useSignal('')
  const isMeant = typed.value.trim() === name
  const remove = async (): Promise<void> => {
    try {
      await app.api.delete('/v1/admin/members/{id}', { params: { id }, headers: operatorHeaders() })
      app.toasts.say(words.removed(name))
      onClose()
      onRemoved()
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      note.value = wordsFor(error.code, error.detail)
    }
  }
  return (
    <Dialog title={words.removeTitle(name)} onClose={onClose}>
      <p>{words.removeHint}</p>
      {note.value !== '' && (
        <p class="note" role="alert">
          {note.value}
        </p>
      )}
      <form
        class="confirm"
        onSubmit={event => {
          event.preventDefault()
          if (isMeant) void remove()
        }}
      >
        <label class="field">
          <span>{words.removeType(name)}</span>
          <input
            type="text"
            autocomplete="off"
            value={typed.value}
            onInput={event => {
              typed.value = event.currentTarget.value
            }}
          />
        </label>
        <div class="buttons">
          <button type="button" class="button" onClick={onClose}>
            {t.cancel}
          </button>
          <button type="submit" class="button button-danger" disabled={!isMeant}>
            {words.removeTitle(name)}
          </button>
        </div>
      </form>
    </Dialog>
  )
}
