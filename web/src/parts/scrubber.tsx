import { type ReadonlySignal, useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { useMemo, useRef } from 'preact/hooks'
import type { Bucket } from '../api/client.js'
import { type YearCount, YearScale } from '../layout/year-scale.js'
import { t } from '../texts/en.js'
import './scrubber.css'

/** Years closer than this are not written out, as a share of the scale. */
const LABEL_SPACE = 0.035
const PAGE_SHARE = 0.1

export interface ScrubberProps {
  readonly buckets: readonly Bucket[]
  /** Number of the first photo in view, with a fraction. */
  readonly ordinal: ReadonlySignal<number>
  readonly onGo: (ordinal: number) => void
  readonly onStep: (step: 1 | -1) => void
}

/** The time line at the side: shows where one is, and leads anywhere. */
export function Scrubber({ buckets, ordinal: { value: ordinal }, onGo, onStep }: ScrubberProps): JSX.Element | null {
  const track = useRef<HTMLDivElement>(null)
  const isDragging = useSignal(false)
  const hovered = useSignal<number | undefined>(undefined)
  const scale = useMemo(() => new YearScale(yearsOf(buckets)), [buckets])
  if (buckets.length < 2) return null
  const at = scale.positionOf(ordinal)
  const now = monthText(buckets, ordinal)
  const shareOf = (event: PointerEvent): number => {
    const { top = 0, height = 1 } = track.current?.getBoundingClientRect() ?? {}
    return Math.min(1, Math.max(0, (event.clientY - top) / height))
  }
  const go = (share: number): void => onGo(scale.ordinalAt(Math.min(1, Math.max(0, share))))
  const onKeyDown = (event: KeyboardEvent): void => {
    const steps: Readonly<Record<string, () => void>> = {
      ArrowDown: () => onStep(1),
      ArrowRight: () => onStep(1),
      ArrowUp: () => onStep(-1),
      ArrowLeft: () => onStep(-1),
      PageDown: () => go(at + PAGE_SHARE),
      PageUp: () => go(at - PAGE_SHARE),
      Home: () => go(0),
      End: () => go(1)
    }
    const step = steps[event.key]
    if (step === undefined) return
    event.preventDefault()
    event.stopPropagation()
    step()
  }
  const shown = isDragging.value ? at : hovered.value
  return (
    <div
      class={isDragging.value ? 'scrubber is-dragging' : 'scrubber'}
      role="slider"
      tabIndex={0}
      aria-label={t.library.scrubber}
      aria-orientation="vertical"
      aria-valuemin={0}
      aria-valuemax={scale.total}
      aria-valuenow={Math.round(ordinal)}
      aria-valuetext={now}
      onKeyDown={onKeyDown}
      onPointerDown={event => {
        event.preventDefault()
        event.currentTarget.setPointerCapture(event.pointerId)
        event.currentTarget.focus({ preventScroll: true })
        isDragging.value = true
        go(shareOf(event))
      }}
      onPointerMove={event => {
        const share = shareOf(event)
        hovered.value = share
        if (isDragging.value) go(share)
      }}
      onPointerUp={() => {
        isDragging.value = false
      }}
      onPointerLeave={() => {
        hovered.value = undefined
      }}
    >
      <div class="scrubber-track" ref={track}>
        {spaced(scale.ticks).map(({ year, at: top }) => (
          <span key={year} class="scrubber-year" style={{ top: `${top * 100}%` }} aria-hidden="true">
            {year}
          </span>
        ))}
        <span class="scrubber-thumb" style={{ top: `${at * 100}%` }} aria-hidden="true" />
        {shown !== undefined && (
          <span class="scrubber-label" style={{ top: `${shown * 100}%` }} aria-hidden="true">
            {monthText(buckets, scale.ordinalAt(shown))}
          </span>
        )}
      </div>
    </div>
  )
}

function yearsOf(buckets: readonly Bucket[]): YearCount[] {
  const years: { year: string; count: number }[] = []
  for (const { from, count } of buckets) {
    const year = from.slice(0, 4)
    const last = years.at(-1)
    if (last?.year === year) last.count += count
    else years.push({ year, count })
  }
  return years
}

function monthText(buckets: readonly Bucket[], ordinal: number): string {
  let before = 0
  for (const { from, count } of buckets) {
    before += count
    if (ordinal < before) return textOf(from)
  }
  return textOf(buckets.at(-1)?.from ?? '1970-01')
}

function textOf(from: string): string {
  const [year = 0, month = 0] = from.split('-').map(Number)
  return t.library.month(year, month)
}

function spaced(ticks: YearScale['ticks']): YearScale['ticks'] {
  let last = Number.NEGATIVE_INFINITY
  return ticks.filter(({ at }) => {
    if (at - last < LABEL_SPACE || at > 1 - LABEL_SPACE / 2) return false
    last = at
    return true
  })
}
