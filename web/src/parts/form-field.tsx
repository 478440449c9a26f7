import type { JSX } from 'preact'
import { useId } from 'preact/hooks'
import '../styles/form.css'

export interface FormFieldProps {
  readonly name: string
  readonly label: string
  readonly type?: 'text' | 'password' | 'email' | 'date'
  readonly autocomplete: 'off' | 'username' | 'name' | 'email' | 'current-password' | 'new-password'
  readonly value?: string
  /** Characters. */
  readonly minLength?: number
  readonly maxLength?: number
  /** Of dates, the first and last one that can be chosen. */
  readonly min?: string
  readonly max?: string
  readonly isRequired?: boolean
  readonly hint?: string
  /** Offered while one types. */
  readonly known?: readonly string[]
  /** It has the focus at first, in a dialog. */
  readonly isFirst?: boolean
}

/** A line to be filled in, with its name above. */
export function FormField({
  label,
  value = '',
  isRequired = false,
  hint,
  known,
  isFirst = false,
  ...rest
}: FormFieldProps): JSX.Element {
  const id = useId()
  return (
    <div class="form-field">
      <label for={id}>{label}</label>
      <input
        id={id}
        autocapitalize="none"
        {...(rest as { readonly name: string })}
        defaultValue={value}
        required={isRequired}
        aria-describedby={hint === undefined ? undefined : `${id}-hint`}
        list={known === undefined ? undefined : `${id}-known`}
        {...(isFirst && { 'data-first': true })}
      />
      {known !== undefined && (
        <datalist id={`${id}-known`}>
          {known.map(name => (
            <option key={name} value={name} />
          ))}
        </datalist>
      )}
      {hint !== undefined && (
        <span id={`${id}-hint`} class="quiet">
          {hint}
        </span>
      )}
    </div>
  )
}

/** @returns what was typed into the fields of a form, by their names, without spaces around it */
export function typedInto(form: HTMLFormElement): Readonly<Record<string, string>> {
  return Object.fromEntries(
    [...new FormData(form)].map(([name, value]) => [
      name,
      typeof value !== 'string' ? '' : /password/i.test(name) ? value : value.trim()
    ])
  )
}
