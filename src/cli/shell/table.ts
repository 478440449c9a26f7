export interface Column {
  readonly title: string
  /** Least width in characters. */
  readonly width?: number
  readonly align?: 'left' | 'right'
}

/**
 * Lines of text under aligned titles. With `width` given, rows that come later line up as well, so a long list can be
 * written page by page.
 */
export class Table {
  readonly #columns: readonly Column[]

  constructor(columns: readonly Column[]) {
    this.#columns = columns
  }

  header(): string {
    return this.#line(
      this.#columns.map(column => column.title),
      this.#widths([])
    )
  }

  /** Widths fit all of the given rows. */
  lines(rows: readonly (readonly string[])[], withHeader = true): string[] {
    const widths = this.#widths(rows)
    const titles = this.#columns.map(column => column.title)
    return (withHeader ? [titles, ...rows] : rows).map(row => this.#line(row, widths))
  }

  #widths(rows: readonly (readonly string[])[]): number[] {
    return this.#columns.map(({ title, width = 0 }, index) =>
      Math.max(width, title.length, ...rows.map(row => row[index]?.length ?? 0))
    )
  }

  #line(cells: readonly string[], widths: readonly number[]): string {
    const padded = this.#columns.map(({ align }, index) => {
      const cell = cells[index] ?? ''
      return align === 'right' ? cell.padStart(widths[index] ?? 0) : cell.padEnd(widths[index] ?? 0)
    })
    return padded.join('  ').trimEnd()
  }
}
