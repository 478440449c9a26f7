import { useSignal } from '@preact/signals'
import type { ComponentChildren, JSX } from 'preact'
import type { ApiError, Meta } from '../api/client.js'
import { useApp } from '../state/app.js'
import type { PhotoChange } from '../state/edits.js'
import { dateText, placeText, typedDate, typedPlace } from '../state/typed-facts.js'
import { t } from '../texts/en.js'
import { wordsFor } from '../texts/problems.js'
import { Icon } from './icons.js'
import { useMayEdit, useWrites } from './lost-bar.js'

export interface PhotoFactsProps {
  readonly meta: Meta
  /** @returns why it was not made */
  readonly onEdit: (change: PhotoChange) => Promise<ApiError | undefined>
}

/** When, where and with what a photo was taken, and what is kept of it. Name, date and place can be changed. */
export function PhotoFacts({ meta, onEdit }: PhotoFactsProps): JSX.Element {
  const { taken_at, taken_at_source, created_at, place, camera, width, height, size, name, source, copies } = meta
  // to those who have come by a link nothing is said of what it does not tell
  const isGuest = useApp().session.isGuest.value
  const edit = async (change: PhotoChange): Promise<string | undefined> => {
    const error = await onEdit(change)
    return error && wordsFor(error.code, error.detail)
  }
  const editDate = async (text: string): Promise<string | undefined> => {
    const typed = text === '' ? null : typedDate(text)
    if (typed === undefined) return t.photo.dateHint
    const error = await onEdit({ taken_at: typed })
    if (error?.status === 400) return t.photo.noDate(text)
    return error && wordsFor(error.code, error.detail)
  }
  return (
    <dl class="facts">
      {!(isGuest && taken_at === null) && (
        <>
          <dt>{t.photo.taken}</dt>
          <EditableFact label={t.photo.editDate} hint={t.photo.dateHint} text={dateText(taken_at)} onText={editDate}>
            {taken_at === null ? t.photo.dateUnknown : t.taken(taken_at)}
            {taken_at_source === 'file' && <span class="quiet">{t.photo.dateOfFile}</span>}
          </EditableFact>
        </>
      )}
      {!(isGuest && place === null) && (
        <>
          <dt>{t.photo.place}</dt>
          <EditableFact
            label={t.photo.editPlace}
            hint={t.photo.placeHint}
            text={placeText(place)}
            onText={text => {
              const typed = typedPlace(text)
              return typed === undefined ? t.photo.placeHint : edit({ place: typed })
            }}
          >
            {place === null ? (
              t.photo.placeUnknown
            ) : (
              <>
                {[place.name, place.region, place.country].filter(it => it !== null).join(', ')}
                <span class="quiet">{placeText(place)}</span>
              </>
            )}
          </EditableFact>
        </>
      )}
      {camera !== null && (
        <>
          <dt>{t.photo.camera}</dt>
          <dd>
            {[camera.make, camera.model].filter(it => it !== null).join(' ')}
            <span class="quiet">{exposureOf(camera)}</span>
          </dd>
        </>
      )}
      <dt>{t.photo.file}</dt>
      <EditableFact
        label={t.photo.editName}
        hint={t.photo.nameHint}
        text={name}
        onText={text => (text === '' ? t.photo.nameHint : edit({ name: text }))}
      >
        {source === null ? name : `${source}/${name}`}
        <span class="quiet">
          {[...(width !== null && height !== null ? [`${width} × ${height}`] : []), t.size(size)].join(' · ')}
        </span>
      </EditableFact>
      <dt>{t.photo.added}</dt>
      <dd>{t.moment(created_at)}</dd>
      {!isGuest && (
        <>
          <dt>{t.photo.copies}</dt>
          <dd>{copies === 0 ? t.photo.copiesNone : t.photo.copiesOn(copies)}</dd>
        </>
      )}
    </dl>
  )
}

interface EditableFactProps {
  /** What the change is called. */
  readonly label: string
  readonly hint: string
  /** What stands in the field at first. */
  readonly text: string
  readonly children: ComponentChildren
  /** @returns what is wrong with it */
  readonly onText: (text: string) => string | undefined | Promise<string | undefined>
}

function EditableFact({ label, hint, text, children, onText }: EditableFactProps): JSX.Element {
  const isOpen = useSignal(false)
  const wrong = useSignal<string | undefined>(undefined)
  const writes = useWrites()
  const mayEdit = useMayEdit()
  const close = (): void => {
    isOpen.value = false
    wrong.value = undefined
  }
  const save = async (typed: string): Promise<void> => {
    wrong.value = typed === text ? undefined : await onText(typed)
    if (wrong.value === undefined) close()
  }
  if (!isOpen.value)
    return (
      <dd class="fact">
        <span>{children}</span>
        {mayEdit && (
          <button
            type="button"
            class="icon-button"
            aria-label={label}
            title={writes.title ?? label}
            disabled={writes.disabled}
            onClick={() => {
              isOpen.value = true
            }}
          >
            <Icon name="edit" />
          </button>
        )}
      </dd>
    )
  return (
    <dd>
      <form
        class="fact-form"
        onSubmit={event => {
          event.preventDefault()
          const input = event.currentTarget.elements.namedItem('text') as HTMLInputElement
          const typed = input.value.trim()
          void save(typed)
        }}
        onKeyDown={event => {
          if (event.key !== 'Escape') return
          event.stopPropagation()
          event.preventDefault()
          close()
        }}
      >
        <input
          ref={focus}
          name="text"
          defaultValue={text}
          aria-label={label}
          aria-invalid={wrong.value !== undefined}
          maxLength={255}
          autocomplete="off"
        />
        {wrong.value === undefined ? (
          <span class="quiet">{hint}</span>
        ) : (
          <span class="note" role="alert">
            {wrong.value}
          </span>
        )}
        <div class="buttons">
          <button type="submit" class="button button-strong">
            {t.save}
          </button>
          <button type="button" class="button" onClick={close}>
            {t.cancel}
          </button>
        </div>
      </form>
    </dd>
  )
}

/** Once, when it appears: it is one function, not another one each time. */
function focus(element: HTMLElement | null): void {
  element?.focus()
}

function exposureOf({ lens, focal_mm, f_number, exposure_s, iso }: NonNullable<Meta['camera']>): string {
  return [
    lens,
    focal_mm === null ? null : `${t.decimal(focal_mm)} mm`,
    f_number === null ? null : `f/${t.decimal(f_number)}`,
    exposure_s === null ? null : t.exposure(exposure_s),
    iso === null ? null : `ISO ${iso}`
  ]
    .filter(it => it !== null)
    .join(' · ')
}
