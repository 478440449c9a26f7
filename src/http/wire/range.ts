/** Bytes [start, end) of a representation. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

const RANGE_UNIT = /^bytes=(.*)$/i
const RANGE_SPEC = /^(\d*)-(\d*)$/

/**
 * Reads a Range header (RFC 9110, section 14). Units other than bytes are ignored, as the RFC requires; so are
 * multiple ranges, which the RFC permits and which avoids multipart/byteranges.
 *
 * @param size - size of the representation in bytes, ≥ 0
 * @returns the requested range, cut to the size; `whole`; or `unsatisfiable` (also for malformed headers)
 */
export function parseRange(header: string, size: number): ByteRange | 'whole' | 'unsatisfiable' {
  const set = RANGE_UNIT.exec(header.trim())?.[1]
  if (set === undefined) return /^[!#$%&'*+.^_`|~0-9a-z-]+=/i.test(header.trim()) ? 'whole' : 'unsatisfiable'
  // A list may have empty elements (RFC 9110, section 5.6.1).
  const specs = set
    .split(',')
    .map(spec => spec.trim())
    .filter(spec => spec !== '')
  const ranges = specs.map(spec => parseSpec(spec, size))
  const [range] = ranges
  if (range === undefined || ranges.includes('malformed')) return 'unsatisfiable'
  if (ranges.length > 1) return 'whole'
  return range === 'malformed' ? 'unsatisfiable' : range
}

function parseSpec(spec: string, size: number): ByteRange | 'unsatisfiable' | 'malformed' {
  const match = RANGE_SPEC.exec(spec)
  if (match === null || spec === '-') return 'malformed'
  const [, first = '', last = ''] = match
  // Numbers above 2^53 lose digits, but remain larger than any size.
  if (first === '') {
    const suffix = Math.min(Number(last), size)
    return suffix === 0 ? 'unsatisfiable' : { start: size - suffix, end: size }
  }
  const start = Number(first)
  if (last !== '' && isLess(last, first)) return 'malformed'
  if (start >= size) return 'unsatisfiable'
  return { start, end: last === '' ? size : Math.min(Number(last) + 1, size) }
}

/** Compares digit strings of any length. */
function isLess(a: string, b: string): boolean {
  return BigInt(a) < BigInt(b)
}
