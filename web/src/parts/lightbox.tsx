import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { ApiError, type Meta, UNREACHABLE } from '../api/client.js'
import { originalUrl } from '../api/photo-urls.js'
import { useApp } from '../state/app.js'
import { deletePhotos, editPhoto, restorePhotos, type TaggedMeta } from '../state/edits.js'
import { t } from '../texts/en.js'
import { wordsFor } from '../texts/problems.js'
import { Icon, type IconName } from './icons.js'
import { type KeyActions, useKeys } from './keys.js'
import { LostBar, useMayDownload, useMayEdit, useWrites } from './lost-bar.js'
import { PhotoInfo } from './photo-info.js'
import { Problem } from './problem.js'
import { nameOf, Stage } from './stage.js'
import { ToastArea } from './toast.js'
import './lightbox.css'

/** How long a photo of a slide show stays, once it is there. */
const SLIDE_MS = 5_000

/** One photo, as large as there is room. The gallery stays below it. */
export function Lightbox({ id }: { readonly id: string }): JSX.Element {
  const app = useApp()
  const dialog = useRef<HTMLDialogElement>(null)
  const meta = useSignal<TaggedMeta | undefined>(undefined)
  const error = useSignal<ApiError | undefined>(undefined)
  const isZoomed = useSignal(false)
  const hasInfo = useSignal(false)
  const neighbours = useSignal<{ readonly before?: string | undefined; readonly after?: string | undefined }>({})
  const lastDeleted = useRef<string | undefined>(undefined)

  const shown = useRef(id)
  shown.current = id
  const isDeleting = useRef(false)
  const isPlaying = useSignal(false)
  const isSlideShow = useSignal(false)
  const mayEdit = useMayEdit()
  const mayDownload = useMayDownload()

  const read = async (signal?: AbortSignal): Promise<void> => {
    if (isDeleting.current) return
    try {
      const answer = await app.api.getTagged('/photo/{id}/meta', { params: { id }, signal })
      // of a photo that is going to the trash, nothing more is asked; what was saved on leaving one is not shown with the next
      if (isDeleting.current || shown.current !== id) return
      meta.value = answer
      error.value = undefined
    } catch (reason) {
      if (signal?.aborted === true || shown.current !== id) return
      if (!(reason instanceof ApiError)) throw reason
      // what was read stays while the node is gone
      if (reason.code !== UNREACHABLE || meta.peek() === undefined) error.value = reason
    }
  }
  useEffect(() => {
    dialog.current?.showModal()
  }, [])
  useEffect(() => {
    const abort = new AbortController()
    isDeleting.current = false
    meta.value = undefined
    isZoomed.value = false
    isPlaying.value = false
    const readAll = async (): Promise<void> => {
      await read(abort.signal)
      const day = dayOf(meta.peek()?.body)
      const order = app.order.peek()
      try {
        const [before, after] = await Promise.all([order?.neighbour(id, -1, day), order?.neighbour(id, 1, day)])
        if (!abort.signal.aborted) neighbours.value = { before, after }
      } catch (reason) {
        // a node that is gone does not say what is beside it; when it is back, something has changed
        if (!(reason instanceof ApiError)) throw reason
      }
    }
    void readAll()
    const unfollow = app.live.onChange(() => void readAll())
    return () => {
      abort.abort()
      unfollow()
    }
  }, [id, app.order.value])

  const close = (): void => app.back()
  const go = (to: string | undefined): void => {
    if (to !== undefined) app.replace({ page: 'photo', id: to })
  }
  const { before, after } = neighbours.value
  const undo = async (deleted: string): Promise<void> => {
    const { done } = await restorePhotos(app.api, [deleted])
    if (done.length === 0) return app.toasts.say(t.selection.failed(1))
    app.toasts.say(t.selection.restored(1))
    if (app.route.peek().page === 'photo') go(deleted)
    else app.go({ page: 'photo', id: deleted })
  }
  const remove = async (): Promise<void> => {
    if (!mayEdit) return
    isDeleting.current = true
    try {
      const { failed } = await deletePhotos(app.api, [id])
      if (failed > 0) throw new ApiError('ERR_INTERNAL', 500, '')
      lastDeleted.current = id
      app.toasts.say(t.photo.deleted, { label: t.undo, run: () => void undo(id) })
      const next = after ?? before
      if (next === undefined) close()
      else go(next)
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason
      isDeleting.current = false
      app.toasts.say(wordsFor(reason.code, reason.detail))
    }
  }
  const rate = async (rating: number): Promise<void> => {
    if (!mayEdit) return
    try {
      await editPhoto(app.api, id, { rating: rating === 0 ? null : rating }, undefined)
      await read()
      app.toasts.say(t.photo.stars(rating))
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason
      app.toasts.say(wordsFor(reason.code, reason.detail))
      await read()
    }
  }
  const like = async (): Promise<void> => {
    if (!mayEdit) return
    const favourite = meta.peek()?.body.favourite !== true
    try {
      // a mark is of nobody's making, so it need not meet what was seen
      await editPhoto(app.api, id, { favourite }, undefined)
      app.toasts.say(favourite ? t.photo.isFavourite : t.photo.noFavourite)
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason
      app.toasts.say(wordsFor(reason.code, reason.detail))
    }
    await read()
  }
  const download = (): void => {
    if (!mayDownload) return
    const link = document.createElement('a')
    link.href = originalUrl(id)
    link.download = meta.peek()?.body.name ?? ''
    link.click()
  }
  const toggleZoom = (): void => {
    isZoomed.value = !isZoomed.peek()
  }
  const play = (): void => {
    const traits = meta.peek()?.body.traits ?? []
    isPlaying.value = !isPlaying.peek() && (traits.includes('live') || traits.includes('motion'))
  }
  const toggleSlideShow = (): void => {
    isSlideShow.value = !isSlideShow.peek()
  }
  useEffect(() => {
    if (!isSlideShow.value || meta.value === undefined) return
    if (after === undefined) {
      isSlideShow.value = false
      return
    }
    return app.timers.after(SLIDE_MS, () => go(after))
  }, [isSlideShow.value, meta.value === undefined, after])
  const toggleInfo = (): void => {
    hasInfo.value = !hasInfo.peek()
  }
  const select = (): void => {
    const choose = app.choose.peek()
    if (choose === undefined) return
    choose(id)
    app.toasts.say(t.photo.selectionChanged)
  }
  const keys: KeyActions<'photo'> & Pick<KeyActions<'everywhere'>, 'close'> = {
    next: () => go(after),
    previous: () => go(before),
    info: toggleInfo,
    selectPhoto: select,
    zoom: toggleZoom,
    download,
    favourite: () => void like(),
    playMotion: play,
    slideshow: toggleSlideShow,
    deletePhoto: () => void remove(),
    undo: () => lastDeleted.current !== undefined && void undo(lastDeleted.current),
    similar: () => app.go({ page: 'similar', id }),
    fullScreen: () =>
      void (document.fullscreenElement === null ? dialog.current?.requestFullscreen() : document.exitFullscreen()),
    close: () => (hasInfo.peek() ? toggleInfo() : close()),
    rate0: () => void rate(0),
    rate1: () => void rate(1),
    rate2: () => void rate(2),
    rate3: () => void rate(3),
    rate4: () => void rate(4),
    rate5: () => void rate(5)
  }
  useKeys('photo', keys)

  const { body } = meta.value ?? {}
  const writes = useWrites()
  return (
    <dialog
      ref={dialog}
      class={hasInfo.value ? 'lightbox has-info' : 'lightbox'}
      aria-label={body === undefined ? t.photo.dialog : nameOf(body)}
      onCancel={event => {
        event.preventDefault()
        close()
      }}
    >
      <div class="lightbox-stage">
        <LostBar />
        <div class="lightbox-bar">
          <ToolButton icon="left" label={t.back} onClick={close} />
          <span class="lightbox-title">{body !== undefined && titleOf(body)}</span>
          <span class="wide-only">
            <ToolButton
              icon={isSlideShow.value ? 'pause' : 'play'}
              label={isSlideShow.value ? t.photo.stopSlideshow : t.photo.slideshow}
              onClick={toggleSlideShow}
            />
            <ToolButton icon="zoom" label={t.photo.zoom} isOn={isZoomed.value} onClick={toggleZoom} />
          </span>
          {mayEdit && (
            <ToolButton
              icon="heart"
              label={t.photo.favourite}
              isOn={body?.favourite === true}
              {...writes}
              onClick={() => void like()}
            />
          )}
          {mayDownload && <ToolButton icon="download" label={t.photo.download} onClick={download} />}
          <ToolButton icon="info" label={t.photo.info} isOn={hasInfo.value} onClick={toggleInfo} />
          {mayEdit && <ToolButton icon="trash" label={t.photo.delete} {...writes} onClick={() => void remove()} />}
        </div>
        {error.value !== undefined ? (
          <Problem error={error.value} onAgain={() => void read()} />
        ) : (
          <Stage
            key={id}
            id={id}
            meta={body}
            isZoomed={isZoomed.value}
            isPlaying={isPlaying.value}
            onPlay={play}
            onZoom={toggleZoom}
            onSwipe={step => go(step === 1 ? after : before)}
          />
        )}
        {before !== undefined && !isZoomed.value && (
          <button
            type="button"
            class="lightbox-step is-before"
            aria-label={t.photo.previous}
            onClick={() => go(before)}
          >
            <Icon name="left" />
          </button>
        )}
        {after !== undefined && !isZoomed.value && (
          <button type="button" class="lightbox-step is-after" aria-label={t.photo.next} onClick={() => go(after)}>
            <Icon name="right" />
          </button>
        )}
      </div>
      {hasInfo.value && meta.value !== undefined && (
        <PhotoInfo
          key={id}
          meta={meta.value}
          onChange={() => void read()}
          onClose={toggleInfo}
          onRate={rating => void rate(rating)}
        />
      )}
      <ToastArea />
    </dialog>
  )
}

interface ToolButtonProps {
  readonly icon: IconName
  readonly label: string
  readonly isOn?: boolean
  readonly disabled?: boolean
  /** Default: the label. */
  readonly title?: string | undefined
  readonly onClick: () => void
}

function ToolButton({ icon, label, isOn, onClick, disabled = false, title = label }: ToolButtonProps): JSX.Element {
  const state = { disabled, title, 'aria-pressed': isOn }
  return (
    <button type="button" class="icon-button" aria-label={label} {...state} onClick={onClick}>
      <Icon name={icon} filled={isOn === true && icon === 'heart'} />
    </button>
  )
}

function titleOf({ taken_at, created_at }: Meta): string {
  return taken_at === null ? t.moment(created_at) : t.taken(taken_at)
}

function dayOf(meta: Meta | undefined): string | undefined {
  if (meta === undefined) return undefined
  const { taken_at, created_at } = meta
  const [year, month = '01', day = '01'] = (taken_at ?? created_at).slice(0, 10).split('-')
  return `${year}-${month}-${day}`
}
