import { useSignal } from '@preact/signals'
import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { ApiError } from '../api/client.js'
import { sizeUrl } from '../api/photo-urls.js'
import { formatRoute } from '../router.js'
import { useApp } from '../state/app.js'
import { editPhoto, type PhotoChange, type TaggedMeta } from '../state/edits.js'
import { requireModel } from '../state/model.js'
import { t } from '../texts/en.js'
import { wordsFor } from '../texts/problems.js'
import { Icon } from './icons.js'
import { useLoaded } from './loaded.js'
import { useMayEdit, useWrites } from './lost-bar.js'
import { PhotoCaption } from './photo-caption.js'
import { PhotoFacts } from './photo-facts.js'
import '../styles/facts.css'
import './photo-info.css'

const SIMILAR_MAX = 12

export interface PhotoInfoProps {
  readonly meta: TaggedMeta
  /** It is to be read anew. */
  readonly onChange: () => void
  readonly onClose: () => void
  readonly onRate: (rating: number) => void
}

/** What is known of a photo, and what a person may change. */
export function PhotoInfo({ meta, onChange, onClose, onRate }: PhotoInfoProps): JSX.Element {
  const app = useApp()
  const mayEdit = useMayEdit()
  const isGuest = app.session.isGuest.value
  const { body, etag } = meta
  const { photo_id: id } = body
  const note = useSignal('')
  const isGone = useRef(false)
  useEffect(
    () => () => {
      isGone.current = true
    },
    []
  )
  const say = (text: string): void => {
    if (!isGone.current) note.value = text
    else if (text !== '') app.toasts.say(text)
  }
  /** @returns whether it was made */
  const guarded = async (change: () => Promise<void>): Promise<boolean> => {
    try {
      note.value = ''
      await change()
      return true
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      say(wordsFor(error.code, error.detail))
      return false
    }
  }
  // labels and facts are put on and taken off one by one, so they need not meet what was seen
  const change = async (to: PhotoChange): Promise<void> => {
    await editPhoto(app.api, id, to, undefined)
    onChange()
  }
  const edit = (to: PhotoChange): Promise<boolean> => guarded(() => change(to))
  const albums = useLoaded('albums', signal => app.api.get('/v1/albums', { signal }))
  const tags = useLoaded('tags', signal => app.api.get('/tags', { signal }))
  const known = albums.value.value?.albums ?? []
  const inAlbum = async (album: string, how: 'add' | 'remove'): Promise<void> => {
    const { results } = await app.api.post('/v1/albums/{id}/photos', how === 'add' ? { add: [id] } : { remove: [id] }, {
      params: { id: album }
    })
    const failed = results.find(({ status }) => status === 'failed')
    if (failed !== undefined) throw new ApiError(failed.code ?? 'ERR_INTERNAL', 409, '')
    onChange()
  }
  const addToAlbum = (name: string): Promise<boolean> =>
    guarded(async () => {
      const album =
        known.find(it => it.album_id !== null && it.name === name) ??
        (await app.api.post('/v1/albums', { title: name }))
      if (album.album_id !== null) await inAlbum(album.album_id, 'add')
      albums.load()
    })
  const mine = body.album_ids.map(albumId => ({
    id: albumId,
    name: known.find(it => it.album_id === albumId)?.name ?? '…'
  }))
  const labels = body.albums.filter(name => !mine.some(it => it.name === name))
  return (
    <aside class="info" aria-label={t.photo.info}>
      <header class="info-head">
        <h2>{t.photo.info}</h2>
        <button type="button" class="icon-button" aria-label={t.close} onClick={onClose}>
          <Icon name="close" />
        </button>
      </header>
      {note.value !== '' && (
        <p class="note" role="alert">
          {note.value}
        </p>
      )}
      {mayEdit ? <PhotoCaption meta={meta} onChange={onChange} onProblem={say} /> : <p>{body.caption}</p>}
      {(mayEdit || body.rating !== null) && <Stars rating={body.rating ?? 0} onRate={onRate} />}
      {!isGuest && (
        <>
          <Labels
            title={t.tags}
            add={t.photo.addTag}
            known={tags.value.value?.tags.map(({ name }) => name) ?? []}
            onAdd={name => edit({ tags: { add: [name] } })}
          >
            {body.tags.map(tag => (
              <Chip
                key={tag}
                href={formatRoute({ page: 'tag', name: tag })}
                remove={t.photo.removeTag(tag)}
                onRemove={() => void edit({ tags: { remove: [tag] } })}
              >
                {tag}
              </Chip>
            ))}
          </Labels>
          <Labels
            title={t.albums}
            add={t.photo.addAlbum}
            known={known.filter(it => it.album_id !== null).map(({ name }) => name)}
            onAdd={addToAlbum}
          >
            {mine.map(album => (
              <Chip
                key={album.id}
                href={formatRoute({ page: 'album', id: album.id })}
                remove={t.photo.removeAlbum(album.name)}
                onRemove={() => void guarded(() => inAlbum(album.id, 'remove'))}
              >
                {album.name}
              </Chip>
            ))}
            {labels.map(name => (
              <Chip
                key={name}
                remove={t.photo.removeAlbum(name)}
                onRemove={() => void edit({ albums: { remove: [name] } })}
              >
                {name}
              </Chip>
            ))}
          </Labels>
        </>
      )}
      <PhotoFacts
        meta={body}
        onEdit={async to => {
          try {
            await change(to)
            return undefined
          } catch (error) {
            if (error instanceof ApiError) return error
            throw error
          }
        }}
      />
      {!isGuest && (
        <>
          <Versions id={id} etag={etag} onRestore={() => onChange()} />
          <Similar id={id} />
        </>
      )}
    </aside>
  )
}

function Stars({
  rating,
  onRate
}: {
  readonly rating: number
  readonly onRate: (rating: number) => void
}): JSX.Element {
  const { disabled, title } = useWrites()
  const mayEdit = useMayEdit()
  return (
    <fieldset class="stars" disabled={disabled || !mayEdit} title={title}>
      <legend>{t.photo.rating}</legend>
      {[1, 2, 3, 4, 5].map(n => (
        <button
          key={n}
          type="button"
          class={n <= rating ? 'star is-on' : 'star'}
          aria-label={t.photo.stars(n)}
          aria-pressed={n === rating}
          onClick={() => onRate(n === rating ? 0 : n)}
        >
          <Icon name="star" filled={n <= rating} />
        </button>
      ))}
    </fieldset>
  )
}

interface LabelsProps {
  readonly title: string
  /** What the field is for. */
  readonly add: string
  /** Names to choose from. */
  readonly known: readonly string[]
  readonly children: ComponentChildren
  /** @returns whether it was added */
  readonly onAdd: (name: string) => Promise<boolean>
}

function Labels({ title, add, known, children, onAdd }: LabelsProps): JSX.Element {
  const writes = useWrites()
  const mayEdit = useMayEdit()
  const list = `list-${title}`
  const input = useRef<HTMLInputElement>(null)
  const typed = useRef('')
  const write = (text: string): void => {
    typed.current = text
    if (input.current !== null) input.current.value = text
  }
  /** What is typed is added when the field is left, too, and stays in it when that fails. */
  const take = async (): Promise<void> => {
    const name = typed.current.trim()
    if (name === '') return
    write('')
    if (!(await onAdd(name)) && typed.current === '') write(name)
  }
  const latest = useRef(take)
  latest.current = take
  useEffect(() => () => void latest.current(), [])
  return (
    <section class="labels" aria-label={title}>
      <h3>{title}</h3>
      <ul class="chips">{children}</ul>
      {mayEdit && (
        <form
          onSubmit={event => {
            event.preventDefault()
            void take()
          }}
        >
          <input
            ref={input}
            name="name"
            onInput={({ currentTarget }) => {
              typed.current = currentTarget.value
            }}
            onBlur={() => void take()}
            onKeyDown={event => {
              if (event.key !== 'Escape') return
              event.preventDefault()
              event.stopPropagation()
              write('')
              event.currentTarget.blur()
            }}
            list={list}
            placeholder={add}
            aria-label={add}
            maxLength={100}
            autocomplete="off"
            {...writes}
          />
          <datalist id={list}>
            {known.slice(0, 200).map(name => (
              <option key={name} value={name} />
            ))}
          </datalist>
        </form>
      )}
    </section>
  )
}

interface ChipProps {
  readonly href?: string
  readonly remove: string
  readonly children: ComponentChildren
  readonly onRemove: () => void
}

function Chip({ href, remove, children, onRemove }: ChipProps): JSX.Element {
  const writes = useWrites()
  const mayEdit = useMayEdit()
  return (
    <li class="chip">
      {href === undefined ? <span>{children}</span> : <a href={href}>{children}</a>}
      {mayEdit && (
        <button type="button" aria-label={remove} {...writes} onClick={onRemove}>
          <Icon name="close" />
        </button>
      )}
    </li>
  )
}

function Versions({
  id,
  etag,
  onRestore
}: {
  readonly id: string
  readonly etag: string
  readonly onRestore: () => void
}): JSX.Element | null {
  const app = useApp()
  const versions = useLoaded(`${id} ${etag}`, signal =>
    app.api.get('/photo/{id}/conflicts', { params: { id }, signal })
  )
  const writes = useWrites()
  const mayEdit = useMayEdit()
  const conflicts = versions.value.value?.conflicts ?? []
  if (conflicts.length === 0) return null
  const restore = async (n: number): Promise<void> => {
    try {
      await app.api.post('/photo/{id}/conflicts/{n}/restore', undefined, { params: { id, n: String(n) } })
      app.toasts.say(t.photo.restored)
      onRestore()
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      app.toasts.say(wordsFor(error.code, error.detail))
    }
  }
  return (
    <section class="versions" aria-label={t.photo.versions}>
      <h3>{t.photo.versions}</h3>
      <p class="quiet">{t.photo.versionsHint}</p>
      <ul>
        {conflicts.map(({ n, name, caption, rating }) => (
          <li key={n}>
            <span>{[caption ?? name, ...(rating === null ? [] : [t.photo.stars(rating)])].join(' · ')}</span>
            {mayEdit && (
              <button type="button" class="button" {...writes} onClick={() => void restore(n)}>
                {t.photo.restoreVersion}
              </button>
            )}
          </li>
        ))}
      </ul>
    </section>
  )
}

function Similar({ id }: { readonly id: string }): JSX.Element {
  const app = useApp()
  const similar = useLoaded(`similar ${id}`, async signal => {
    await requireModel(app, signal)
    return await app.api.get('/similar/{id}', { params: { id }, query: { k: SIMILAR_MAX }, signal })
  })
  const { error, value } = similar
  return (
    <section class="similar" aria-label={t.photo.similar}>
      <h3>{t.photo.similar}</h3>
      {error.value !== undefined && <p class="quiet">{wordsFor(error.value.code, error.value.detail)}</p>}
      {value.value?.results.length === 0 && <p class="quiet">{t.photo.noSimilar}</p>}
      <ul class="strip">
        {value.value?.results.map(({ photo_id, distance }) => (
          <li key={photo_id}>
            <a href={formatRoute({ page: 'photo', id: photo_id })} title={t.searchPage.score(distance)}>
              <img
                src={sizeUrl(photo_id, 'thumb')}
                alt={`${t.photo.similar}, ${t.searchPage.score(distance)}`}
                loading="lazy"
              />
            </a>
          </li>
        ))}
      </ul>
    </section>
  )
}
