/** A range of bytes or offsets: `from` inclusive, `to` exclusive. */
export interface Range {
  readonly from: number
  readonly to: number
}

/** @returns the parts of a range that are outside another one; an empty `cut` takes nothing away */
export function without<R extends Range>(range: R, cut: Range): R[] {
  if (cut.to <= cut.from || cut.to <= range.from || range.to <= cut.from) return [range]
  const left = { ...range, to: Math.min(cut.from, range.to) }
  const right = { ...range, from: Math.max(cut.to, range.from) }
  return [left, right].filter(part => part.from < part.to)
}

/** @returns the parts of the ranges that are outside all cuts, in the order of the ranges */
export function withoutAll<R extends Range>(ranges: readonly R[], cuts: readonly Range[]): R[] {
  return cuts.reduce<R[]>((left, cut) => left.flatMap(range => without(range, cut)), [...ranges])
}

/** @returns the parts of the ranges that are inside another one, in the order of the ranges */
export function within(ranges: readonly Range[], { from, to }: Range): Range[] {
  return ranges
    .map(range => ({ from: Math.max(range.from, from), to: Math.min(range.to, to) }))
    .filter(part => part.from < part.to)
}

/** Whether the offset is in one of the ranges. */
export function contains(ranges: readonly Range[], offset: number): boolean {
  return ranges.some(({ from, to }) => from <= offset && offset < to)
}
