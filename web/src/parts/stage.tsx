import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { ApiError, type Meta } from '../api/client.js'
import { motionUrl, originalUrl, sizeUrl } from '../api/photo-urls.js'
import { useApp } from '../state/app.js'
import { t } from '../texts/en.js'
import { wordsFor } from '../texts/problems.js'
import { Icon } from './icons.js'
import { useLoaded } from './loaded.js'
import { useMayDownload } from './lost-bar.js'
import { Blur } from './tile.js'

/** What browsers show themselves; of other files the node's picture is shown at most. */
const SHOWN_TYPES = new Set(['image/jpeg', 'image/png', 'image/webp', 'image/avif', 'image/gif'])
const SWIPE_PX = 60
/** Small pictures are not blown up to the whole screen. */
const UPSCALE_MAX = 1.6
const WIDTH_PX_MIN = 200

export interface StageProps {
  readonly id: string
  readonly meta: Meta | undefined
  readonly isZoomed: boolean
  /** The movie of a live photo runs. */
  readonly isPlaying: boolean
  /** Begins or ends it. */
  readonly onPlay: () => void
  readonly onZoom: () => void
  readonly onSwipe: (step: 1 | -1) => void
}

/** The picture or video itself. */
export function Stage({ id, meta, isZoomed, isPlaying, onPlay, onZoom, onSwipe }: StageProps): JSX.Element {
  const frame = useRef<HTMLDivElement>(null)
  const from = useRef<{ readonly x: number; readonly y: number } | undefined>(undefined)
  const isReady = useSignal(false)
  const isBroken = useSignal(false)
  const isVideo = meta?.content_type.startsWith('video/') === true
  const hasSmall = meta === undefined || meta.sizes.small === 'ready'
  const mayDownload = useMayDownload()
  const canShow = mayDownload && meta !== undefined && SHOWN_TYPES.has(meta.content_type)
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
  if (meta !== undefined && isVideo && mayDownload && !isBroken.value)
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
        {meta !== undefined && isPlaying && <Motion meta={meta} onEnd={onPlay} />}
      </div>
      {hasMotion(meta) && mayDownload && !isZoomed && (
        <button type="button" class="motion-button" aria-pressed={isPlaying} onClick={onPlay}>
          <Icon name="play" filled />
          {t.photo.playMotion}
        </button>
      )}
    </div>
  )
}

function hasMotion(meta: Meta | undefined): boolean {
  return meta?.traits.some(trait => trait === 'live' || trait === 'motion') === true
}

/** The movie that belongs to a picture, over it: a file of its own beside it, or a part of its file. */
function Motion({ meta, onEnd }: { readonly meta: Meta; readonly onEnd: () => void }): JSX.Element | null {
  const app = useApp()
  const movie = useLoaded(`movie of ${meta.photo_id}`, async signal => {
    if (!meta.traits.includes('live')) return motionUrl(meta.photo_id)
    const { photos } = await app.api.post('/v1/photos/lookup', { ids: [...meta.partners] }, { signal })
    const partner = photos.find(({ content_type }) => content_type.startsWith('video/'))
    if (partner === undefined) throw new ApiError('ERR_PHOTO_NOT_FOUND', 404, '')
    return originalUrl(partner.photo_id)
  })
  const failed = (text: string): void => {
    app.toasts.say(text)
    onEnd()
  }
  const error = movie.error.value
  useEffect(() => {
    if (error !== undefined) failed(wordsFor(error.code, error.detail))
  }, [error])
  if (movie.value.value === undefined) return null
  return (
    // biome-ignore lint/a11y/useMediaCaption: the moments of people come without captions
    <video
      class="motion"
      src={movie.value.value}
      autoplay
      playsInline
      aria-label={t.photo.playMotion}
      onEnded={onEnd}
      onError={() => failed(t.photo.videoFails)}
    />
  )
}

/** The frame gives the picture the largest box of its shape that fits, see the style sheet. */
function shapeOf(meta: Meta | undefined): Record<string, string> {
  if (meta?.aspect === null || meta?.aspect === undefined) return {}
  const px = Math.max(meta.width ?? 0, WIDTH_PX_MIN)
  return { '--aspect': String(meta.aspect), '--width': `${px * UPSCALE_MAX}px`, '--pixels': `${px}px` }
}

/** What a photo is called where it is shown. */
export function nameOf({ caption, name, taken_at }: Meta): string {
  if (caption !== null && caption !== '') return caption
  return taken_at === null ? name : `${name}, ${t.taken(taken_at)}`
}
