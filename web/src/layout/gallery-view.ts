import type { Rows } from './justify.js'
import { ScrollSpace } from './scroll-space.js'
import { rowAt, rowOf, type Section, type SectionInput, SectionLayout, type SectionsInit } from './sections.js'

/** A part of a section that is near the view. */
export interface VisibleSection {
  /** Index of the section. */
  readonly index: number
  readonly section: Section
  /** Of the section in the box that is scrolled, px. */
  readonly top: number
  /** Rows from `first` to before `end`; both 0 where the photos are not known. */
  readonly first: number
  readonly end: number
}

export interface PhotoPlace {
  readonly section: number
  readonly index: number
}

export type Direction = 'left' | 'right' | 'up' | 'down'

/** Where to find a place again after the rows have moved. */
interface Anchor {
  readonly key: string
  /** Picture whose row was at the top; undefined: the rows were not known. */
  readonly index: number | undefined
  /** px from the top of that row, or of the section; negative: above it. */
  readonly into: number
  /** The same as a share of the section. */
  readonly share: number
}

/** Above and below the view are laid out as well, in views. */
const OVERSCAN = 1

/** A library as rows of pictures in a view: what is to be seen, and where. Knows nothing of the page. */
export class GalleryView {
  readonly #layout = new SectionLayout()
  readonly #space = new ScrollSpace()
  #viewHeight = 1
  #shown: ReadonlySet<string> = new Set()

  get sections(): readonly Section[] {
    return this.#layout.sections
  }

  /** Height of the box that is scrolled, px. */
  get canvas(): number {
    return this.#space.canvas
  }

  get offset(): number {
    return this.#space.offset
  }

  /** Height of all, px. */
  get height(): number {
    return this.#layout.height
  }

  /**
   * Lays all out anew. What was drawn stays where it is.
   *
   * @returns the `scrollTop` to be set
   */
  lay(inputs: readonly SectionInput[], init: SectionsInit, viewHeight: number): number {
    const anchor = this.#anchor()
    this.#viewHeight = Math.max(1, viewHeight)
    this.#layout.lay(inputs, init)
    this.#space.resize(this.#layout.height, this.#viewHeight)
    return this.#space.goTo(anchor === undefined ? this.#space.offset : this.#offsetOf(anchor))
  }

  scrolled(scrollTop: number): void {
    this.#space.scrolled(scrollTop)
  }

  /** See {@link ScrollSpace.settle}. */
  settle(isResting: boolean): number | undefined {
    return this.#space.settle(isResting)
  }

  goTo(offset: number): number {
    return this.#space.goTo(offset)
  }

  /** @returns the `scrollTop` to be set so that a photo is wholly in view; undefined: it is */
  reveal(place: PhotoPlace): number | undefined {
    const box = this.#rowBox(place)
    if (box === undefined) return undefined
    const { offset } = this.#space
    if (box.top >= offset && box.bottom <= offset + this.#viewHeight) return undefined
    const isAbove = box.top < offset
    return this.#space.goTo(isAbove ? box.top - box.margin : box.bottom - this.#viewHeight + box.margin)
  }

  /**
   * What of the sections near the view can be drawn so that it stays where it is when photos come: below a section whose photos
   * are not known yet, only what was drawn before.
   */
  visible(): VisibleSection[] {
    const top = this.topSection()
    let isCertain = true
    const visible = this.near().filter(({ index, section: { key, rows } }) => {
      const isShown = isCertain || this.#shown.has(key)
      if (index >= top && rows === undefined) isCertain = false
      return isShown
    })
    this.#shown = new Set(visible.map(({ section }) => section.key))
    return visible
  }

  /** What is near the view, from the top. */
  near(): VisibleSection[] {
    const { offset, shift } = this.#space
    const from = offset - OVERSCAN * this.#viewHeight
    const to = offset + (1 + OVERSCAN) * this.#viewHeight
    const visible: VisibleSection[] = []
    for (let index = Math.max(0, this.#layout.at(from)); index < this.sections.length; index++) {
      const section = this.sections[index] as Section
      if (section.top >= to) break
      const { rows, top, headingHeight } = section
      const rowsTop = top + headingHeight
      const first = rows === undefined ? 0 : rowAt(rows, from - rowsTop)
      const end = rows === undefined ? 0 : Math.min(rows.heights.length, rowAt(rows, to - rowsTop) + 1)
      visible.push({ index, section, top: top - shift, first, end })
    }
    return visible
  }

  /** @returns number of the first photo in the view, from 0, with a fraction */
  ordinal(): number {
    const section = this.sections[this.#layout.at(this.#space.offset)]
    if (section === undefined) return 0
    const isAtTheEnd = this.#space.offset > 0 && this.#space.offset >= this.height - this.#viewHeight - 1
    if (isAtTheEnd) return this.#total
    return section.ordinal + ((this.#space.offset - section.top) / section.height) * section.count
  }

  /** @returns the place in the content of the photo with that number */
  offsetOfOrdinal(ordinal: number): number {
    if (ordinal >= this.#total) return this.height
    const section = this.sections.findLast(it => it.ordinal <= ordinal) ?? this.sections[0]
    if (section === undefined) return 0
    return section.top + ((ordinal - section.ordinal) / Math.max(1, section.count)) * section.height
  }

  /** @returns the index of the section at the top of the view; -1: there is none */
  topSection(): number {
    return this.#layout.at(this.#space.offset)
  }

  /** @returns the photo beside, above or below; undefined: none, or in a section that is not known yet */
  neighbour({ section: at, index }: PhotoPlace, direction: Direction): PhotoPlace | undefined {
    const rows = this.sections[at]?.rows
    if (rows === undefined) return undefined
    if (direction === 'left' || direction === 'right') {
      const to = index + (direction === 'left' ? -1 : 1)
      if (to >= 0 && to < rows.widths.length) return { section: at, index: to }
      const beside = at + (direction === 'left' ? -1 : 1)
      const count = this.sections[beside]?.rows?.widths.length
      return count === undefined ? undefined : { section: beside, index: direction === 'left' ? count - 1 : 0 }
    }
    const step = direction === 'up' ? -1 : 1
    const row = rowOf(rows, index) + step
    const centre = (rows.lefts[index] as number) + (rows.widths[index] as number) / 2
    if (row >= 0 && row < rows.heights.length) return { section: at, index: nearest(rows, row, centre) }
    const other = this.sections[at + step]?.rows
    if (other === undefined) return undefined
    return { section: at + step, index: nearest(other, step === 1 ? 0 : other.heights.length - 1, centre) }
  }

  get #total(): number {
    const last = this.sections.at(-1)
    return last === undefined ? 0 : last.ordinal + last.count
  }

  #rowBox({ section: at, index }: PhotoPlace): { top: number; bottom: number; margin: number } | undefined {
    const section = this.sections[at]
    if (section?.rows === undefined) return undefined
    const { rows, headingHeight } = section
    const row = rowOf(rows, index)
    const top = section.top + headingHeight + (rows.tops[row] as number)
    return { top, bottom: top + (rows.heights[row] as number), margin: Math.max(16, row === 0 ? headingHeight : 0) }
  }

  #anchor(): Anchor | undefined {
    const { offset } = this.#space
    const top = this.topSection()
    const section = this.sections[top]
    if (section === undefined || offset === 0) return undefined
    const into = offset - section.top
    const { rows, headingHeight } = section
    const share = into / section.height
    if (rows === undefined && into >= headingHeight) {
      const shown = this.sections.find(({ key }, i) => i > top && this.#shown.has(key))
      if (shown !== undefined) return { key: shown.key, index: undefined, into: offset - shown.top, share: 0 }
    }
    if (rows === undefined || into < headingHeight) return { key: section.key, index: undefined, into, share }
    const row = rowAt(rows, into - headingHeight)
    return {
      key: section.key,
      index: rows.starts[row] as number,
      into: into - headingHeight - (rows.tops[row] as number),
      share
    }
  }

  #offsetOf({ key, index, into, share }: Anchor): number {
    const section = this.sections.find(it => it.key === key)
    if (section === undefined) return this.#space.offset
    const { top, rows, headingHeight, height } = section
    if (index === undefined) return into <= headingHeight ? top + into : top + share * height
    if (rows === undefined) return top + share * height
    const row = rowOf(rows, Math.min(index, rows.widths.length - 1))
    return top + headingHeight + (rows.tops[row] as number) + into
  }
}

/** @returns the picture of the row whose middle is closest */
function nearest(rows: Rows, row: number, centre: number): number {
  let best = rows.starts[row] as number
  let distance = Number.POSITIVE_INFINITY
  for (let i = best; i < (rows.starts[row + 1] as number); i++) {
    const away = Math.abs((rows.lefts[i] as number) + (rows.widths[i] as number) / 2 - centre)
    if (away < distance) {
      best = i
      distance = away
    }
  }
  return best
}
