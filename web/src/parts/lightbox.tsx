import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { ApiError, type Meta } from '../api/client.js'
import { originalUrl, sizeUrl } from '../api/photo-urls.js'
import { useApp } from '../state/app.js'
import { deletePhotos, editPhoto, restorePhotos, type TaggedMeta } from '../state/edits.js'
import { t } from '../texts/en.js'
import { wordsFor } from '../texts/problems.js'
import { Icon, type IconName } from './icons.js'
import { type KeyActions, useKeys } from './keys.js'
import { PhotoInfo } from './photo-info.js'
import { Problem } from './problem.js'
import { Blur } from './tile.js'
import { ToastArea } from './toast.js'

/** What browsers show themselves; of other files the node's picture is shown at most. */
const SHOWN_TYPES = new Set(['image/jpeg', 'image/png', 'image/webp', 'image/avif', 'image/gif'])
const SWIPE_PX = 60
/** Small pictures are not blown up to the whole screen. */
const UPSCALE_MAX = 1.6
const WIDTH_PX_MIN = 200

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

  const isDeleting = useRef(false)

  const read = async (signal?: AbortSignal): Promise<void> => {
    if (isDeleting.current) return
    try {
      const answer = await app.api.getTagged('/photo/{id}/meta', { params: { id }, signal })
      // of a photo that is going to the trash, nothing more is asked
      if (isDeleting.current) return
      meta.value = answer
      error.value = undefined
    } catch (reason) {
      if (signal?.aborted === true) return
      if (!(reason instanceof ApiError)) throw reason
      error.value = reason
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
    app.lastShown.value = id
    void read(abort.signal).then(async () => {
      const day = dayOf(meta.peek()?.body)
      const order = app.order.peek()
      const [before, after] = await Promise.all([order?.neighbour(id, -1, day), order?.neighbour(id, 1, day)])
      if (!abort.signal.aborted) neighbours.value = { before, after }
    })
    const unfollow = app.live.onChange(() => void read(abort.signal))
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
    if (done.length > 0) app.toasts.say(t.selection.restored(1))
    else app.toasts.say(t.selection.failed(1))
  }
  const remove = async (): Promise<void> => {
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
    const link = document.createElement('a')
    link.href = originalUrl(id)
    link.download = meta.peek()?.body.name ?? ''
    link.click()
  }
  const toggleZoom = (): void => {
    isZoomed.value = !isZoomed.peek()
  }
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
        <div class="lightbox-bar">
          <ToolButton icon="left" label={t.back} onClick={close} />
          <span class="lightbox-title">{body !== undefined && titleOf(body)}</span>
          <ToolButton icon="zoom" label={t.photo.zoom} isOn={isZoomed.value} onClick={toggleZoom} />
          <ToolButton
            icon="heart"
            label={t.photo.favourite}
            isOn={body?.favourite === true}
            onClick={() => void like()}
          />
          <ToolButton icon="download" label={t.photo.download} onClick={download} />
          <ToolButton icon="info" label={t.photo.info} isOn={hasInfo.value} onClick={toggleInfo} />
          <ToolButton icon="trash" label={t.photo.delete} onClick={() => void remove()} />
        </div>
        {error.value !== undefined ? (
          <Problem error={error.value} onAgain={() => void read()} />
        ) : (
          <Stage
            key={id}
            id={id}
            meta={body}
            isZoomed={isZoomed.value}
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

interface StageProps {
  readonly id: string
  readonly meta: Meta | undefined
  readonly isZoomed: boolean
  readonly onZoom: () => void
  readonly onSwipe: (step: 1 | -1) => void
}

function Stage({ id, meta, isZoomed, onZoom, onSwipe }: StageProps): JSX.Element {
  const frame = useRef<HTMLDivElement>(null)
  const from = useRef<{ readonly x: number; readonly y: number } | undefined>(undefined)
  const isReady = useSignal(false)
  const isBroken = useSignal(false)
  const isVideo = meta?.content_type.startsWith('video/') === true
  const hasSmall = meta === undefined || meta.sizes.small === 'ready'
  const canShow = meta !== undefined && SHOWN_TYPES.has(meta.content_type)
  const large =
    meta === undefined
      ? undefined
      : isZoomed && canShow
        ? originalUrl(id)
        : meta.sizes.large === 'ready'
          ? sizeUrl(id, 'large', meta.variants.large?.sha256 ?? meta.sha256)
          : canShow
            ? originalUrl(id)
            : undefined
  useEffect(() => {
    // in the middle of what is larger than the frame
    const { current } = frame
    if (current !== null && isZoomed)
      current.scrollTo(
        (current.scrollWidth - current.clientWidth) / 2,
        (current.scrollHeight - current.clientHeight) / 2
      )
  }, [isZoomed])
  if (meta !== undefined && isVideo && !isBroken.value)
    return (
      <div class="lightbox-frame">
        <video
          controls
          playsInline
          preload="metadata"
          src={originalUrl(id)}
          aria-label={nameOf(meta)}
          {...(meta.sizes.large === 'ready' && { poster: sizeUrl(id, 'large', meta.variants.large?.sha256) })}
          onError={() => {
            isBroken.value = true
          }}
        />
      </div>
    )
  if (meta !== undefined && large === undefined)
    return (
      <div class="lightbox-frame">
        <div class="lightbox-none">
          <Icon name="file" />
          <p>
            {isBroken.value ? t.photo.videoFails : meta.sizes.large === 'pending' ? t.photo.pending : t.photo.noPicture}
          </p>
        </div>
      </div>
    )
  const alt = meta === undefined ? '' : nameOf(meta)
  return (
    <div
      ref={frame}
      class={isZoomed ? 'lightbox-frame is-zoomed' : 'lightbox-frame'}
      onTouchStart={({ touches }) => {
        const [touch] = touches
        from.current = touches.length === 1 && touch !== undefined ? { x: touch.clientX, y: touch.clientY } : undefined
      }}
      onTouchEnd={({ changedTouches }) => {
        const [touch] = changedTouches
        if (touch === undefined || from.current === undefined || isZoomed) return
        const x = touch.clientX - from.current.x
        if (Math.abs(x) > SWIPE_PX && Math.abs(x) > 2 * Math.abs(touch.clientY - from.current.y))
          onSwipe(x < 0 ? 1 : -1)
      }}
    >
      <div class="lightbox-picture" style={shapeOf(meta)}>
        {!isReady.value && <Blur hash={meta?.thumbhash ?? undefined} />}
        {!isReady.value && hasSmall && <img class="lightbox-small" src={sizeUrl(id, 'small')} alt="" />}
        {large !== undefined && (
          <button type="button" class="lightbox-large" tabIndex={-1} onClick={onZoom}>
            <img
              class={isReady.value ? 'is-ready' : undefined}
              src={large}
              alt={alt}
              onLoad={() => {
                isReady.value = true
              }}
            />
          </button>
        )}
      </div>
    </div>
  )
}

/** The frame gives the picture the largest box of its shape that fits, see the style sheet. */
function shapeOf(meta: Meta | undefined): Record<string, string> {
  if (meta?.aspect === null || meta?.aspect === undefined) return {}
  const px = Math.max(meta.width ?? 0, WIDTH_PX_MIN)
  return { '--aspect': String(meta.aspect), '--width': `${px * UPSCALE_MAX}px`, '--pixels': `${px}px` }
}

interface ToolButtonProps {
  readonly icon: IconName
  readonly label: string
  readonly isOn?: boolean
  readonly onClick: () => void
}

function ToolButton({ icon, label, isOn, onClick }: ToolButtonProps): JSX.Element {
  return (
    <button type="button" class="icon-button" aria-label={label} title={label} aria-pressed={isOn} onClick={onClick}>
      <Icon name={icon} filled={isOn === true && icon === 'heart'} />
    </button>
  )
}

function titleOf({ taken_at, created_at }: Meta): string {
  return taken_at === null ? t.moment(created_at) : t.taken(taken_at)
}

function nameOf({ caption, name, taken_at }: Meta): string {
  if (caption !== null && caption !== '') return caption
  return taken_at === null ? name : `${name}, ${t.taken(taken_at)}`
}

function dayOf(meta: Meta | undefined): string | undefined {
  if (meta === undefined) return undefined
  const { taken_at, created_at } = meta
  const [year, month = '01', day = '01'] = (taken_at ?? created_at).slice(0, 10).split('-')
  return `${year}-${month}-${day}`
}
