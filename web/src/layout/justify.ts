/** Where each of a list of pictures lies when they are set in rows of about the same height, flush on both sides. */
export interface Rows {
  /** Of each picture, px from the left. */
  readonly lefts: Float32Array
  /** Of each picture, px. */
  readonly widths: Float32Array
  /** Index of the first picture of each row, and at the end the number of pictures. */
  readonly starts: Uint32Array
  /** Of each row, px from the top, and at the end the height of all, without a gap below. */
  readonly tops: Float64Array
  /** Of each row, px. */
  readonly heights: Float32Array
}

export interface RowsInit {
  /** px, more than 0. */
  readonly width: number
  /** What rows come close to, px. */
  readonly rowHeight: number
  readonly gap: number
}

/** Of a picture whose shape is not known. */
const ASPECT_UNKNOWN = 1
/** Panoramas and strips are cut at the sides: a row of one of them would be a line. */
const ASPECT_MIN = 0.4
const ASPECT_MAX = 3.2
/** A last row that is at least so full is set flush. */
const FULL_ENOUGH = 0.85

/** @param aspects - width / height × 1000 of each; null: not known */
export function justify(aspects: readonly (number | null)[], { width, rowHeight, gap }: RowsInit): Rows {
  const count = aspects.length
  const lefts = new Float32Array(count)
  const widths = new Float32Array(count)
  const starts: number[] = []
  const tops: number[] = []
  const heights: number[] = []
  let top = 0
  let first = 0
  while (first < count) {
    const { end, height } = rowFrom(aspects, first, { width, rowHeight, gap })
    let left = 0
    for (let i = first; i < end; i++) {
      const itemWidth = height * aspectOf(aspects[i])
      lefts[i] = left
      widths[i] = itemWidth
      left += itemWidth + gap
    }
    starts.push(first)
    tops.push(top)
    heights.push(height)
    top += height + gap
    first = end
  }
  starts.push(count)
  tops.push(count === 0 ? 0 : top - gap)
  return {
    lefts,
    widths,
    starts: Uint32Array.from(starts),
    tops: Float64Array.from(tops),
    heights: Float32Array.from(heights)
  }
}

/** What so many pictures of usual shapes take: where nobody knows them yet. */
export function estimateHeight(count: number, { width, rowHeight, gap }: RowsInit): number {
  const perRow = Math.max(1, width / (rowHeight * 1.4 + gap))
  return Math.ceil(count / perRow) * (rowHeight + gap) - gap
}

export function aspectOf(milli: number | null | undefined): number {
  const aspect = milli === null || milli === undefined ? ASPECT_UNKNOWN : milli / 1_000
  return Math.min(Math.max(aspect, ASPECT_MIN), ASPECT_MAX)
}

/** Ends the row where its height comes closest to what is wished for. */
function rowFrom(
  aspects: readonly (number | null)[],
  first: number,
  { width, rowHeight, gap }: RowsInit
): { readonly end: number; readonly height: number } {
  let sum = 0
  let before = Number.POSITIVE_INFINITY
  for (let i = first; i < aspects.length; i++) {
    sum += aspectOf(aspects[i])
    const height = Math.max(1, (width - gap * (i - first)) / sum)
    if (height <= rowHeight) {
      const isCloser = i === first || rowHeight - height <= before - rowHeight
      return isCloser ? { end: i + 1, height } : { end: i, height: before }
    }
    before = height
  }
  const isFull = rowHeight / before >= FULL_ENOUGH
  return { end: aspects.length, height: isFull ? before : Math.min(rowHeight, before) }
}
