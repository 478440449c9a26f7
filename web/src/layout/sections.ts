import { estimateHeight, justify, type Rows, type RowsInit } from './justify.js'

/** A bucket of the time line as it lies on the page. */
export interface Section {
  readonly key: string
  readonly count: number
  /** Number of the first photo in the whole library, from 0. */
  readonly ordinal: number
  /** Of the heading or the first row, px in the content. */
  readonly top: number
  readonly headingHeight: number
  readonly height: number
  /** undefined: its photos are not known yet, and the height is a guess. */
  readonly rows: Rows | undefined
}

export interface SectionInput {
  readonly key: string
  readonly count: number
  /** Whether a heading stands above it. */
  readonly hasHeading: boolean
  readonly aspects: readonly (number | null)[] | undefined
}

export interface SectionsInit extends RowsInit {
  readonly headingHeight: number
}

/** Lays sections out below one another, and keeps the rows of those that have not changed. */
export class SectionLayout {
  #init: SectionsInit = { width: 1, rowHeight: 1, gap: 0, headingHeight: 0 }
  readonly #rows = new Map<string, { readonly aspects: readonly (number | null)[]; readonly rows: Rows }>()
  #sections: readonly Section[] = []
  #height = 0

  get sections(): readonly Section[] {
    return this.#sections
  }

  /** Of all, px. */
  get height(): number {
    return this.#height
  }

  lay(inputs: readonly SectionInput[], init: SectionsInit): void {
    const { width, rowHeight, gap } = this.#init
    if (init.width !== width || init.rowHeight !== rowHeight || init.gap !== gap) this.#rows.clear()
    this.#init = init
    let top = 0
    let ordinal = 0
    const sections: Section[] = []
    for (const { key, count, hasHeading, aspects } of inputs) {
      const rows = aspects && this.#rowsOf(key, aspects)
      if (rows === undefined) this.#rows.delete(key)
      const headingHeight = hasHeading ? init.headingHeight : 0
      const inner = rows === undefined ? estimateHeight(count, init) : (rows.tops.at(-1) as number)
      const height = headingHeight + inner + init.gap
      sections.push({ key, count, ordinal, top, headingHeight, height, rows })
      top += height
      ordinal += count
    }
    this.#sections = sections
    this.#height = top
  }

  /** @returns the index of the section at this place of the content; the last one beyond the end; -1: there is none */
  at(offset: number): number {
    return lastAtOrBefore(this.#sections.length, i => (this.#sections[i] as Section).top <= offset)
  }

  #rowsOf(key: string, aspects: readonly (number | null)[]): Rows {
    const known = this.#rows.get(key)
    if (known?.aspects === aspects) return known.rows
    const rows = justify(aspects, this.#init)
    this.#rows.set(key, { aspects, rows })
    return rows
  }
}

/** @param offset - px from the first row @returns the index of the row there, from 0 */
export function rowAt(rows: Rows, offset: number): number {
  return Math.max(
    0,
    lastAtOrBefore(rows.heights.length, i => (rows.tops[i] as number) <= offset)
  )
}

/** @returns the row of a picture */
export function rowOf(rows: Rows, index: number): number {
  return Math.max(
    0,
    lastAtOrBefore(rows.heights.length, i => (rows.starts[i] as number) <= index)
  )
}

/** Binary search. @returns the last index for which it holds, which it does for all before; -1: for none */
function lastAtOrBefore(length: number, holds: (index: number) => boolean): number {
  let low = 0
  let high = length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (holds(middle)) low = middle + 1
    else high = middle
  }
  return low - 1
}
