import type { JSX } from 'preact'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { sizeFor, sizeUrl } from '../api/photo-urls.js'
import { decodeThumbHash, meanColour } from '../layout/thumb-hash.js'
import { formatRoute } from '../router.js'
import { useApp } from '../state/app.js'
import { FLAG } from '../state/timeline.js'
import { t } from '../texts/en.js'
import { memo } from './hooks.js'
import { Icon } from './icons.js'
import './tile.css'

const LONG_PRESS_MS = 450

export interface TileProps {
  readonly id: string
  readonly name: string
  /** px in the section. */
  readonly left: number
  readonly top: number
  readonly width: number
  readonly height: number
  readonly isVideo: boolean
  readonly hasConflicts: boolean
  readonly isFavourite: boolean
  readonly hasThumb: boolean
  /** ThumbHash, base64. */
  readonly hash: string | undefined
  /** In the whole list, from 1. */
  readonly number: number
  readonly total: number
  readonly isFast: boolean
  readonly isTabStop: boolean
  readonly isChosen: boolean
  readonly isSelecting: boolean
  readonly onFocus: (id: string) => void
  readonly onSelect: (id: string, isRange: boolean) => void
}

/** @param seconds - when it was taken, since 1970, as if in UTC */
export function tileName(flags: number, seconds: number): string {
  return (flags & FLAG.video) !== 0 ? t.library.videoOf(seconds) : t.library.photoOf(seconds)
}

/** A photo among others. */
function PhotoTile(props: TileProps): JSX.Element {
  const { id, name, left, top, width, height, isChosen, isSelecting } = props
  const { timers } = useApp()
  const press = useRef({ cancel: (): void => {}, isLong: false })
  const onTouchStart = (): void => {
    press.current.isLong = false
    press.current.cancel = timers.after(LONG_PRESS_MS, () => {
      press.current.isLong = true
      props.onSelect(id, false)
    })
  }
  const onTouchStop = (): void => press.current.cancel()
  const choose = (event: MouseEvent): void => {
    // a click on the picture selects as well while something is selected; the one that ends a long press does nothing
    if (!isSelecting && !event.shiftKey && !press.current.isLong) return
    event.preventDefault()
    if (press.current.isLong) {
      press.current.isLong = false
      return
    }
    props.onSelect(id, event.shiftKey)
  }
  return (
    <li
      class={`tile${isChosen ? ' is-chosen' : ''}${isSelecting ? ' is-selecting' : ''}`}
      data-id={id}
      aria-posinset={props.number}
      aria-setsize={props.total}
      style={{ left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px` }}
    >
      <a
        class="tile-link"
        href={formatRoute({ page: 'photo', id })}
        tabIndex={props.isTabStop ? 0 : -1}
        onFocus={() => props.onFocus(id)}
        onClick={choose}
        onTouchStart={onTouchStart}
        onTouchEnd={onTouchStop}
        onTouchMove={onTouchStop}
        onTouchCancel={onTouchStop}
        onContextMenu={event => press.current.isLong && event.preventDefault()}
      >
        <TilePicture {...props} />
        {props.isVideo && (
          <span class="badge badge-video">
            <Icon name="play" filled />
          </span>
        )}
        {props.isFavourite && (
          <span class="badge badge-favourite" title={t.selection.favourite}>
            <Icon name="heart" filled />
          </span>
        )}
        {props.hasConflicts && (
          <span class="badge badge-conflicts" title={t.library.conflicts}>
            <Icon name="fork" />
          </span>
        )}
      </a>
      <button
        type="button"
        class={isChosen ? 'round-check is-on' : 'round-check'}
        aria-pressed={isChosen}
        aria-label={`${t.library.select}: ${name}`}
        tabIndex={-1}
        onClick={event => props.onSelect(id, event.shiftKey)}
      >
        {isChosen && <Icon name="check" />}
      </button>
    </li>
  )
}

export const Tile = memo(PhotoTile)

function TilePicture({ id, name, width, height, hasThumb, hash, isFast }: TileProps): JSX.Element {
  const app = useApp()
  const image = useRef<HTMLImageElement>(null)
  // what was asked for once stays, so that nothing vanishes when scrolling becomes fast
  const [isAsked, setAsked] = useState(!isFast)
  const preview = usePreview(hasThumb ? undefined : app.uploads.previews.get(id))
  if (!isFast && !isAsked) setAsked(true)
  useEffect(() => {
    const element = image.current
    // removing an element does not end its request
    return () => element?.removeAttribute('src')
  }, [])
  const isKnown = hasThumb || preview !== undefined
  const address = preview ?? sizeUrl(id, sizeFor(Math.max(width, height) * Math.min(devicePixelRatio, 2)))
  return (
    <>
      {hash !== undefined &&
        (isAsked ? <Blur hash={hash} /> : <span class="blur" style={{ background: meanColour(bytesOf(hash)) }} />)}
      {isKnown ? (
        <img ref={image} alt={name} draggable={false} decoding="async" {...(isAsked && { src: address })} />
      ) : (
        <span class="no-picture">
          <Icon name="file" />
          <span class="visually-hidden">{`${name}, ${t.library.withoutPicture}`}</span>
        </span>
      )}
    </>
  )
}

/** @returns an address of a local file, as long as it is shown */
function usePreview(file: File | undefined): string | undefined {
  const [address, setAddress] = useState<string | undefined>(undefined)
  useLayoutEffect(() => {
    if (file === undefined) {
      setAddress(undefined)
      return undefined
    }
    const made = URL.createObjectURL(file)
    setAddress(made)
    return () => URL.revokeObjectURL(made)
  }, [file])
  return address
}

/** The picture, blurred, until it comes. */
export function Blur({ hash }: { readonly hash: string | undefined }): JSX.Element | null {
  const canvas = useRef<HTMLCanvasElement>(null)
  useLayoutEffect(() => {
    const picture = hash === undefined ? undefined : decodeThumbHash(bytesOf(hash))
    if (canvas.current === null || picture === undefined) return
    canvas.current.width = picture.width
    canvas.current.height = picture.height
    canvas.current.getContext('2d')?.putImageData(new ImageData(picture.rgba, picture.width, picture.height), 0, 0)
  }, [hash])
  return hash === undefined ? null : <canvas class="blur" ref={canvas} />
}

function bytesOf(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), character => character.charCodeAt(0))
}
