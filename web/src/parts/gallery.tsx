import { useSignal, useSignalEffect } from '@preact/signals'
import type { JSX } from 'preact'
import { useEffect, useLayoutEffect, useMemo, useRef } from 'preact/hooks'
import type { Bucket } from '../api/client.js'
import { type Direction, GalleryView, type PhotoPlace, type VisibleSection } from '../layout/gallery-view.js'
import type { SectionsInit } from '../layout/sections.js'
import { useApp } from '../state/app.js'
import { everything, isChosen, type SelectableBucket, stillThere, toggled, withRange } from '../state/selection.js'
import { FLAG, type Timeline } from '../state/timeline.js'
import { t } from '../texts/en.js'
import { useStable } from './hooks.js'
import { Icon } from './icons.js'
import { type KeyActions, type SelectionKey, useKeys } from './keys.js'
import { Scrubber } from './scrubber.js'
import { Tile, tileName } from './tile.js'
import './gallery.css'

/** Pictures are not asked for while so many views pass in a second. */
const FAST_VIEWS_PER_S = 4
const REST_MS = 120
const NARROW_PX = 640

function geometryOf(width: number): SectionsInit {
  const isNarrow = width < NARROW_PX
  return {
    width,
    rowHeight: isNarrow ? 120 : 208,
    gap: isNarrow ? 2 : 4,
    headingHeight: isNarrow ? 48 : 64
  }
}

export interface GalleryProps {
  readonly timeline: Timeline
  /** Above the photos, scrolling with them. */
  readonly head?: JSX.Element | undefined
}

/** All photos of a time line, in rows, with months above them and a scrubber beside. Only what is near the view exists. */
export function Gallery({ timeline, head }: GalleryProps): JSX.Element {
  const app = useApp()
  const scroller = useRef<HTMLDivElement>(null)
  const box = useRef<HTMLDivElement>(null)
  const view = useMemo(() => new GalleryView(), [])
  const size = useSignal({ width: 0, height: 0, headHeight: 0 })
  const visible = useSignal<readonly VisibleSection[]>([])
  const canvas = useSignal(0)
  const ordinal = useSignal(0)
  const isFast = useSignal(false)
  const focused = useSignal<string | undefined>(undefined)
  const anchor = useRef<PhotoPlace | undefined>(undefined)
  const motion = useRef({ at: 0, offset: 0, cancelRest: (): void => {} })

  const selectable = (): SelectableBucket[] =>
    timeline.buckets.peek().map(({ key, count }) => {
      const ids = timeline.photos(key)?.ids
      return { key, count: ids?.length ?? count, ids }
    })

  const draw = (): void => {
    const now = view.visible()
    if (!isAlike(now, visible.peek())) visible.value = now
    ordinal.value = view.ordinal()
    // the nearest first
    const top = view.topSection()
    const near = view.near().sort((a, b) => Math.abs(a.index - top) - Math.abs(b.index - top))
    timeline.want(near.map(({ section }) => section.key))
  }
  const setScroll = (scrollTop: number | undefined): void => {
    const { headHeight } = size.peek()
    if (scrollTop !== undefined && scroller.current !== null)
      scroller.current.scrollTop = scrollTop === 0 ? 0 : scrollTop + headHeight
  }

  useLayoutEffect(() => {
    const measure = (): void => {
      const { clientWidth: width = 0 } = box.current ?? {}
      const { clientHeight: height = 0 } = scroller.current ?? {}
      const headHeight = box.current?.offsetTop ?? 0
      const before = size.peek()
      if (before.width !== width || before.height !== height || before.headHeight !== headHeight)
        size.value = { width, height, headHeight }
    }
    const observer = new ResizeObserver(measure)
    for (const element of [scroller.current, box.current]) if (element !== null) observer.observe(element)
    measure()
    return () => observer.disconnect()
  }, [])

  useSignalEffect(() => {
    timeline.version.value
    const { width, height } = size.value
    if (width === 0) return
    const inputs = timeline.buckets.value.map(({ key, count, from }, i, all) => {
      const photos = timeline.photos(key)
      const hasHeading = from.slice(0, 7) !== all[i - 1]?.from.slice(0, 7)
      return { key, count: photos?.ids.length ?? count, hasHeading, aspects: photos?.aspects }
    })
    const wasAt = view.offset
    const scrollTop = view.lay(inputs, geometryOf(width), height)
    canvas.value = view.canvas
    if (box.current !== null) box.current.style.height = `${view.canvas}px`
    if (view.offset !== wasAt) setScroll(scrollTop)
    app.selection.value = stillThere(app.selection.peek(), selectable())
    draw()
  })

  const onScroll = (): void => {
    if (scroller.current === null) return
    view.scrolled(scroller.current.scrollTop - size.peek().headHeight)
    setScroll(view.settle(false))
    const now = app.timers.now()
    const { at, offset, cancelRest } = motion.current
    const viewsPerS = (Math.abs(view.offset - offset) / size.peek().height / Math.max(1, now - at)) * 1_000
    if (now - at < 200 && viewsPerS > FAST_VIEWS_PER_S) isFast.value = true
    cancelRest()
    const rest = (): void => {
      isFast.value = false
      setScroll(view.settle(true))
      draw()
    }
    motion.current = { at: now, offset: view.offset, cancelRest: app.timers.after(REST_MS, rest) }
    draw()
  }
  const goTo = (offset: number): void => {
    setScroll(view.goTo(offset))
    draw()
  }

  const placeOf = (id: string): PhotoPlace | undefined => {
    const found = timeline.find(id)
    return found && { section: found.bucket, index: found.index }
  }
  const idAt = ({ section, index }: PhotoPlace): string | undefined =>
    timeline.photos(view.sections[section]?.key ?? '')?.ids[index]
  const focusOn = (place: PhotoPlace | undefined): void => {
    const id = place && idAt(place)
    if (place === undefined || id === undefined) return
    setScroll(view.reveal(place))
    focused.value = id
    draw()
    // the tile is there after the next drawing
    requestAnimationFrame(() => box.current?.querySelector<HTMLElement>(`[data-id="${id}"] a`)?.focus())
  }
  const move = (direction: Direction): void => {
    const place = (focused.peek() === undefined ? undefined : placeOf(focused.peek() as string)) ?? firstInView(view)
    if (place === undefined) return
    focusOn(focused.peek() === undefined ? place : view.neighbour(place, direction))
  }
  const select = useStable((id: string, isRange: boolean): void => {
    const place = placeOf(id)
    const buckets = selectable()
    const bucket = place && buckets[place.section]
    if (place === undefined || bucket === undefined) return
    const from = anchor.current
    app.selection.value =
      isRange && from !== undefined
        ? withRange(app.selection.peek(), buckets, asPlace(from), asPlace(place))
        : toggled(app.selection.peek(), bucket, id)
    anchor.current = place
  })
  const noteFocus = useStable((id: string): void => {
    focused.value = id
  })
  const selectMonth = (index: number): void => {
    const month = monthOf(timeline.buckets.peek()[index])
    const buckets = selectable().filter((_, i) => monthOf(timeline.buckets.peek()[i]) === month)
    const isAll = buckets.every(({ key }) => app.selection.peek().get(key) === 'all')
    const selection = new Map(app.selection.peek())
    for (const { key } of buckets) {
      if (isAll) selection.delete(key)
      else selection.set(key, 'all')
    }
    app.selection.value = selection
  }
  const jumpMonth = (step: 1 | -1): void => {
    const at = view.topSection()
    const month = monthOf(timeline.buckets.peek()[at])
    const isHead = (i: number): boolean => view.sections[i]?.headingHeight !== 0
    let to = at + step
    if (step === -1 && view.offset > (view.sections[at]?.top ?? 0) + 1 && isHead(at)) to = at
    while (
      view.sections[to] !== undefined &&
      (!isHead(to) || (monthOf(timeline.buckets.peek()[to]) === month && to !== at))
    )
      to += step
    const section = view.sections[to]
    if (section !== undefined) goTo(section.top)
  }

  const keys: Omit<KeyActions<'gallery'>, SelectionKey> = {
    right: () => move('right'),
    left: () => move('left'),
    up: () => move('up'),
    down: () => move('down'),
    first: () => {
      goTo(0)
      focusOn({ section: 0, index: 0 })
    },
    last: () => {
      goTo(view.height)
      const section = view.sections.length - 1
      focusOn({ section, index: (view.sections[section]?.rows?.widths.length ?? 0) - 1 })
    },
    select: () => focused.peek() !== undefined && select(focused.peek() as string, false),
    selectTo: () => focused.peek() !== undefined && select(focused.peek() as string, true),
    selectAll: () => {
      app.selection.value = everything(selectable())
    },
    monthBefore: () => jumpMonth(-1),
    monthAfter: () => jumpMonth(1)
  }
  useKeys('gallery', keys)

  // A photo is closed: its tile is focused again.
  useSignalEffect(() => {
    const id = app.lastShown.value
    if (id === undefined || app.route.value.page === 'photo') return
    app.lastShown.value = undefined
    focusOn(placeOf(id))
  })
  useEffect(() => {
    app.order.value = timeline
    app.choose.value = id => select(id, false)
    return () => {
      app.choose.value = undefined
      timeline.want([])
    }
  }, [timeline])

  const total = timeline.total.value ?? 0
  const firstShown = visible.value.find(({ end }) => end > 0)
  const tabStop =
    focused.value ?? (firstShown && timeline.photos(firstShown.section.key)?.ids[firstRowIndex(firstShown)])
  return (
    <div class="gallery">
      <div class="scroller" ref={scroller} onScroll={onScroll} tabIndex={-1}>
        {head}
        <div class="canvas" ref={box}>
          {visible.value.map(part => (
            <GallerySection
              key={part.section.key}
              part={part}
              bucket={timeline.buckets.value[part.index]}
              timeline={timeline}
              total={total}
              isFast={isFast.value}
              tabStop={tabStop}
              onFocus={noteFocus}
              onSelect={select}
              onSelectMonth={selectMonth}
            />
          ))}
        </div>
      </div>
      <Scrubber
        buckets={timeline.buckets.value}
        ordinal={ordinal}
        onGo={to => goTo(view.offsetOfOrdinal(to))}
        onStep={jumpMonth}
      />
    </div>
  )
}

interface GallerySectionProps {
  readonly part: VisibleSection
  readonly bucket: Bucket | undefined
  readonly timeline: Timeline
  readonly total: number
  readonly isFast: boolean
  readonly tabStop: string | undefined
  readonly onFocus: (id: string) => void
  readonly onSelect: (id: string, isRange: boolean) => void
  readonly onSelectMonth: (index: number) => void
}

function GallerySection(props: GallerySectionProps): JSX.Element | null {
  const { part, bucket, timeline, total, isFast, tabStop } = props
  const { section, top, first, end } = part
  const app = useApp()
  if (bucket === undefined) return null
  const [year = 0, month = 0] = bucket.from.split('-').map(Number)
  const title = t.library.month(year, month)
  const photos = timeline.photos(section.key)
  const selection = app.selection.value
  const isSelecting = selection.size > 0
  const { rows } = section
  const tiles: JSX.Element[] = []
  if (rows !== undefined && photos !== undefined && photos.ids.length === rows.widths.length)
    for (let row = first; row < end; row++)
      for (let i = rows.starts[row] as number; i < (rows.starts[row + 1] as number); i++) {
        const id = photos.ids[i] as string
        const flags = photos.flags[i] ?? 0
        tiles.push(
          <Tile
            key={id}
            id={id}
            name={tileName(flags, photos.seconds[i] ?? 0)}
            left={rows.lefts[i] as number}
            top={rows.tops[row] as number}
            width={rows.widths[i] as number}
            height={rows.heights[row] as number}
            isVideo={(flags & FLAG.video) !== 0}
            hasConflicts={(flags & FLAG.conflicts) !== 0}
            isFavourite={(flags & FLAG.favourite) !== 0}
            hasThumb={(flags & FLAG.thumb) !== 0}
            hash={photos.hashes[i] ?? undefined}
            number={section.ordinal + i + 1}
            total={total}
            isFast={isFast}
            isTabStop={id === tabStop}
            isChosen={isChosen(selection, section.key, id)}
            isSelecting={isSelecting}
            onFocus={props.onFocus}
            onSelect={props.onSelect}
          />
        )
      }
  const isAllChosen = selection.get(section.key) === 'all'
  return (
    <section class="month" style={{ top: `${top}px` }} aria-label={title}>
      {section.headingHeight > 0 && (
        <header class="month-head" style={{ height: `${section.headingHeight}px` }}>
          <h2>{title}</h2>
          <button
            type="button"
            class={isAllChosen ? 'round-check is-on' : 'round-check'}
            aria-pressed={isAllChosen}
            aria-label={t.library.selectMonth(title)}
            onClick={() => props.onSelectMonth(part.index)}
          >
            {isAllChosen && <Icon name="check" />}
          </button>
        </header>
      )}
      <ul class="tiles" style={{ top: `${section.headingHeight}px` }} aria-label={t.library.gallery}>
        {tiles}
      </ul>
    </section>
  )
}

function asPlace({ section, index }: PhotoPlace): { bucket: number; index: number } {
  return { bucket: section, index }
}

/** Nothing else would be drawn. */
function isAlike(now: readonly VisibleSection[], before: readonly VisibleSection[]): boolean {
  return (
    now.length === before.length &&
    now.every(({ section, top, first, end }, i) => {
      const was = before[i]
      return was?.section === section && was.top === top && was.first === first && was.end === end
    })
  )
}

function monthOf(bucket: Bucket | undefined): string | undefined {
  return bucket?.from.slice(0, 7)
}

function firstRowIndex({ section, first }: VisibleSection): number {
  return section.rows?.starts[first] ?? 0
}

function firstInView(view: GalleryView): PhotoPlace | undefined {
  const section = view.topSection()
  const rows = view.sections[section]?.rows
  if (rows === undefined) return undefined
  const into = view.offset - (view.sections[section]?.top ?? 0)
  const row = rows.tops.findIndex((top, i) => i < rows.heights.length && top >= into)
  return { section, index: rows.starts[Math.max(0, row)] ?? 0 }
}
