import type { JSX } from 'preact'
import { useRef } from 'preact/hooks'

interface NameFormProps {
  readonly label: string
  readonly action: string
  readonly known: readonly string[]
  readonly value?: string
  readonly onName: (name: string) => void
}

/** Asks for a name. */
export function NameForm({ label, action, known, value = '', onName }: NameFormProps): JSX.Element {
  const input = useRef<HTMLInputElement>(null)
  return (
    <form
      class="name-form"
      onSubmit={event => {
        event.preventDefault()
        const name = input.current?.value.trim() ?? ''
        if (name !== '') onName(name)
      }}
    >
      <input
        ref={input}
        list="names"
        defaultValue={value}
        aria-label={label}
        placeholder={label}
        maxLength={100}
        autocomplete="off"
        required
        data-first
      />
      <datalist id="names">
        {known.slice(0, 200).map(name => (
          <option key={name} value={name} />
        ))}
      </datalist>
      <button type="submit" class="button button-strong">
        {action}
      </button>
    </form>
  )
}
