import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { ApiError } from '../api/client.js'
import { ZIPPED_MAX, zipUrl } from '../api/photo-urls.js'
import { useApp } from '../state/app.js'
import {
  changeAlbum,
  chosenIds,
  deletePhotos,
  markPhotos,
  type Outcome,
  restorePhotos,
  tagPhotos
} from '../state/edits.js'
import { chosenCount, everything, NOTHING, type SelectableBucket } from '../state/selection.js'
import type { Timeline } from '../state/timeline.js'
import { t } from '../texts/en.js'
import { wordsFor } from '../texts/problems.js'
import { Icon } from './icons.js'
import { type KeyActions, type SelectionKey, useKeys } from './keys.js'
import { lazy } from './lazy.js'
import { useMayEdit, useWrites } from './lost-bar.js'
import './selection-bar.css'

const AskTag = lazy(async () => (await import('./label-dialogs.js')).AskTag)
const AskAlbum = lazy(async () => (await import('./label-dialogs.js')).AskAlbum)

export interface SelectionBarProps {
  readonly timeline: Timeline
  /** The album that is shown, so that photos can be taken out of it. */
  readonly album?: string | undefined
}

/** What can be done with the chosen photos; there only while some are. */
export function SelectionBar({ timeline, album }: SelectionBarProps): JSX.Element | null {
  const app = useApp()
  const asks = useSignal<'tag' | 'album' | undefined>(undefined)
  const isBusy = useSignal(false)
  const selection = app.selection.value
  const buckets: SelectableBucket[] = timeline.buckets.value.map(({ key, count }) => {
    const ids = timeline.photos(key)?.ids
    return { key, count: ids?.length ?? count, ids }
  })
  const count = chosenCount(selection, buckets)

  const act = async (
    change: (ids: readonly string[]) => Promise<Outcome>,
    said: (n: number) => string,
    back?: (ids: readonly string[]) => Promise<Outcome>
  ): Promise<void> => {
    isBusy.value = true
    try {
      const { done, failed } = await change(await chosenIds(timeline, app.selection.peek()))
      const undo = async (): Promise<void> => {
        const outcome = await (back as NonNullable<typeof back>)(done)
        app.toasts.say(t.selection.restored(outcome.done.length))
        await timeline.load()
      }
      const text = failed > 0 ? `${said(done.length)}. ${t.selection.failed(failed)}.` : said(done.length)
      app.toasts.say(text, back && { label: t.undo, run: () => void undo() })
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      app.toasts.say(wordsFor(error.code, error.detail))
    } finally {
      isBusy.value = false
    }
    await timeline.load()
  }
  const mayEdit = useMayEdit()
  const remove = (): void => {
    if (count === 0 || !mayEdit) return
    void act(
      ids => deletePhotos(app.api, ids),
      t.selection.deleted,
      ids => restorePhotos(app.api, ids)
    ).then(() => {
      app.selection.value = NOTHING
    })
  }
  const mark = (name: 'favourite' | 'archived', said: (n: number) => string): void =>
    void act(
      ids => markPhotos(app.api, ids, { [name]: true }),
      said,
      ids => markPhotos(app.api, ids, { [name]: false })
    )
  const download = async (): Promise<void> => {
    if (count > ZIPPED_MAX) return app.toasts.say(t.selection.tooManyToDownload(ZIPPED_MAX))
    const link = document.createElement('a')
    link.href = zipUrl(await chosenIds(timeline, app.selection.peek()))
    link.download = 'photos.zip'
    link.click()
  }
  const cover = async (id: string): Promise<void> => {
    try {
      const [chosen] = await chosenIds(timeline, app.selection.peek())
      await app.api.patch('/v1/albums/{id}', { cover: chosen ?? null }, { params: { id } })
      app.toasts.say(t.selection.isCover)
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      app.toasts.say(wordsFor(error.code, error.detail))
    }
  }
  const ask = (what: 'tag' | 'album'): void => {
    if (count > 0 && mayEdit) asks.value = what
  }
  const keys: Pick<KeyActions<'gallery'>, SelectionKey> = {
    delete: remove,
    album: () => ask('album'),
    tag: () => ask('tag')
  }
  useKeys('gallery', keys)
  if (selection.size === 0 || count === 0) return null
  const { short: words } = t.selection
  const busy = { isBusy: isBusy.value }
  return (
    <div class="selection-bar" role="toolbar" aria-label={t.selection.chosen(count)}>
      <button
        type="button"
        class="icon-button"
        aria-label={t.selection.clear}
        onClick={() => {
          app.selection.value = NOTHING
        }}
      >
        <Icon name="close" />
      </button>
      <strong class="selection-count" aria-live="polite">
        {t.selection.chosen(count)}
      </strong>
      <button
        type="button"
        class="button"
        onClick={() => {
          app.selection.value = everything(buckets)
        }}
      >
        {t.selection.all}
      </button>
      <div class="bar-buttons">
        <BarButton icon="albums" label={t.selection.album} word={words.album} {...busy} onClick={() => ask('album')} />
        <BarButton icon="tag" label={t.selection.tag} word={words.tag} {...busy} onClick={() => ask('tag')} />
        {album !== undefined && count === 1 && (
          <BarButton
            icon="photos"
            label={t.selection.cover}
            word={words.cover}
            {...busy}
            onClick={() => void cover(album)}
          />
        )}
        {album !== undefined && (
          <BarButton
            icon="close"
            label={t.selection.removeFromAlbum}
            word={words.remove}
            {...busy}
            onClick={() => void act(ids => changeAlbum(app.api, ids, { album, how: 'remove' }), t.selection.removed)}
          />
        )}
        <BarButton
          icon="heart"
          label={t.selection.favourite}
          {...busy}
          onClick={() => mark('favourite', t.selection.favourites)}
        />
        <BarButton
          icon="archive"
          label={t.selection.archive}
          {...busy}
          onClick={() => mark('archived', t.selection.archived)}
        />
        <BarButton isReading icon="download" label={t.selection.download} {...busy} onClick={() => void download()} />
        <BarButton icon="trash" label={t.selection.delete} {...busy} onClick={remove} />
      </div>
      {asks.value === 'tag' && (
        <AskTag
          onClose={() => {
            asks.value = undefined
          }}
          onTag={tag => {
            asks.value = undefined
            void act(
              ids => tagPhotos(app.api, ids, tag),
              n => t.selection.tagged(n, tag)
            )
          }}
        />
      )}
      {asks.value === 'album' && (
        <AskAlbum
          onClose={() => {
            asks.value = undefined
          }}
          onAlbum={(id, name) => {
            asks.value = undefined
            void act(
              ids => changeAlbum(app.api, ids, { album: id, how: 'add' }),
              n => t.selection.added(n, name)
            )
          }}
        />
      )}
    </div>
  )
}

interface BarButtonProps {
  /** It changes nothing. */
  readonly isReading?: boolean
  readonly icon: Parameters<typeof Icon>[0]['name']
  readonly label: string
  /** What is to be seen of the label; default: all. */
  readonly word?: string
  readonly isBusy: boolean
  readonly onClick: () => void
}

function BarButton({
  isReading = false,
  icon,
  label,
  word = label,
  isBusy,
  onClick
}: BarButtonProps): JSX.Element | null {
  const { disabled, title = label } = useWrites()
  const mayEdit = useMayEdit()
  if (!isReading && !mayEdit) return null
  return (
    <button
      type="button"
      class="bar-button"
      aria-label={label}
      title={title}
      disabled={isBusy || disabled}
      onClick={onClick}
    >
      <Icon name={icon} />
      {word}
    </button>
  )
}
