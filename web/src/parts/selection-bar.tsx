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
import { chosenCount, everything, isEverythingUnseen, NOTHING, type SelectableBucket } from '../state/selection.js'
import type { Timeline } from '../state/timeline.js'
import type { Change, ListOutcome } from '../state/whole-list.js'
import { t } from '../texts/en.js'
import { wordsFor } from '../texts/problems.js'
import { Icon } from './icons.js'
import { type KeyActions, type SelectionKey, useKeys } from './keys.js'
import { lazy } from './lazy.js'
import { useMayEdit, useWrites } from './lost-bar.js'
import './selection-bar.css'

const AskTag = lazy(async () => (await import('./label-dialogs.js')).AskTag)
const LinkPhotos = lazy(async () => (await import('../pages/link-photos.js')).LinkPhotos)
const AskAlbum = lazy(async () => (await import('./label-dialogs.js')).AskAlbum)

export interface SelectionBarProps {
  readonly timeline: Timeline
  /** The album that is shown, so that photos can be taken out of it. */
  readonly album?: string | undefined
}

/** What is done with the chosen photos: where all of a list is meant, and where they are named. */
interface Act {
  readonly all: Change
  readonly named: (ids: readonly string[]) => Promise<Outcome>
  /** Takes it back; undefined: that is not offered. */
  readonly back?: Omit<Act, 'back'>
}

interface Done {
  readonly done: number
  readonly failed: number
  /** @returns how many photos are again as they were */
  readonly undo: () => Promise<number>
}

/** What the node does with very many photos. */
interface Work {
  readonly job: string
  readonly done: number
  readonly total: number
}

/** What can be done with the chosen photos; there only while some are. */
export function SelectionBar({ timeline, album }: SelectionBarProps): JSX.Element | null {
  const app = useApp()
  const asks = useSignal<'tag' | 'album' | 'link' | undefined>(undefined)
  const isBusy = useSignal(false)
  const work = useSignal<Work | undefined>(undefined)
  const selection = app.selection.value
  const buckets: SelectableBucket[] = timeline.buckets.value.map(({ key, count }) => {
    const ids = timeline.photos(key)?.ids
    return { key, count: ids?.length ?? count, ids }
  })
  const count = chosenCount(selection, buckets)

  /** Of photos that are not known, the node finds out which ones they are. */
  const changeUnseen = async ({ all, back }: Act): Promise<Done> => {
    const { allOf, changeAll } = await import('../state/whole-list.js')
    const onProgress = (job: string, done: number): void => {
      work.value = { job, done, total: count }
    }
    const components = { api: app.api, timers: app.timers, onProgress }
    const toldOf = ({ done, failed, next }: ListOutcome): Done => ({
      done,
      failed,
      undo: async () => (back === undefined ? 0 : (await next(back.all)).done)
    })
    return toldOf(await changeAll(components, { select: allOf(timeline), total: count }, all))
  }
  const changeSeen = async ({ named, back }: Act): Promise<Done> => {
    const { done, failed } = await named(await chosenIds(timeline, app.selection.peek()))
    return {
      done: done.length,
      failed,
      undo: async () => (back === undefined ? 0 : (await back.named(done)).done.length)
    }
  }
  const trying = async (what: () => Promise<void>): Promise<void> => {
    isBusy.value = true
    try {
      await what()
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      app.toasts.say(wordsFor(error.code, error.detail))
    } finally {
      isBusy.value = false
      work.value = undefined
    }
    await timeline.load()
  }
  const mayEdit = useMayEdit()
  const act = (what: Act, said: (n: number) => string): Promise<void> =>
    trying(async () => {
      const isUnseen = isEverythingUnseen(app.selection.peek(), buckets)
      const { done, failed, undo } = await (isUnseen ? changeUnseen(what) : changeSeen(what))
      const run = (): void => void trying(async () => app.toasts.say(t.selection.restored(await undo())))
      const text = failed > 0 ? `${said(done)}. ${t.selection.failed(failed)}.` : said(done)
      app.toasts.say(text, what.back && { label: t.undo, run })
    })
  const remove = (): void => {
    if (count === 0 || !mayEdit) return
    const back = { all: { act: 'undelete' }, named: (ids: readonly string[]) => restorePhotos(app.api, ids) } as const
    void act({ all: { act: 'delete' }, named: ids => deletePhotos(app.api, ids), back }, t.selection.deleted).then(
      () => {
        app.selection.value = NOTHING
      }
    )
  }
  const mark = (name: 'favourite' | 'archived', said: (n: number) => string): void => {
    const marked = (is: boolean): Omit<Act, 'back'> => ({
      all: { [name]: is },
      named: ids => markPhotos(app.api, ids, { [name]: is })
    })
    void act({ ...marked(true), back: marked(false) }, said)
  }
  const changeOneAlbum = (id: string, how: 'add' | 'remove', said: (n: number) => string): void =>
    void act({ all: { albums: { [how]: [id] } }, named: ids => changeAlbum(app.api, ids, { album: id, how }) }, said)
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
  const stop = async (): Promise<void> => {
    const { job = '' } = work.peek() ?? {}
    await app.api.delete('/v1/admin/jobs/{id}', { params: { id: job } }).catch((error: unknown) => {
      if (!(error instanceof ApiError)) throw error
      app.toasts.say(wordsFor(error.code, error.detail))
    })
  }
  const ask = (what: 'tag' | 'album' | 'link'): void => {
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
  const can = app.session.can.value
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
        {work.value === undefined ? t.selection.chosen(count) : t.selection.progress(work.value.done, work.value.total)}
      </strong>
      {work.value !== undefined && (
        <button type="button" class="button" onClick={() => void stop()}>
          {t.selection.stop}
        </button>
      )}
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
            onClick={() => changeOneAlbum(album, 'remove', t.selection.removed)}
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
        {can.has('share') && (
          <BarButton icon="link" label={t.selection.link} word={words.link} {...busy} onClick={() => ask('link')} />
        )}
        {can.has('download') && (
          <BarButton isReading icon="download" label={t.selection.download} {...busy} onClick={() => void download()} />
        )}
        <BarButton icon="trash" label={t.selection.delete} {...busy} onClick={remove} />
      </div>
      {asks.value === 'tag' && (
        <AskTag
          onClose={() => {
            asks.value = undefined
          }}
          onTag={tag => {
            asks.value = undefined
            void act({ all: { tags: { add: [tag] } }, named: ids => tagPhotos(app.api, ids, tag) }, n =>
              t.selection.tagged(n, tag)
            )
          }}
        />
      )}
      {asks.value === 'link' && (
        <LinkPhotos
          count={count}
          ids={() => chosenIds(timeline, app.selection.peek())}
          onClose={() => {
            asks.value = undefined
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
            changeOneAlbum(id, 'add', n => t.selection.added(n, name))
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
