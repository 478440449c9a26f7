const KI = 1024
const SIZE_UNITS: ReadonlyMap<string, number> = new Map([
  ['', 1],
  ['K', 1e3],
  ['M', 1e6],
  ['G', 1e9],
  ['T', 1e12],
  ['KI', KI],
  ['MI', KI ** 2],
  ['GI', KI ** 3],
  ['TI', KI ** 4]
])

/** @returns whole bytes of `1000000000`, `1G`, `512Mi`, `1.5 GB` or `64KiB` (K = 1000, Ki = 1024; any case), or undefined */
export function parseBytes(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([KMGT]?I?)B?$/.exec(text.trim().toUpperCase())
  const unit = SIZE_UNITS.get(match?.[2] ?? '?')
  if (match === null || unit === undefined) return undefined
  const bytes = Number(match[1]) * unit
  return Number.isSafeInteger(bytes) ? bytes : undefined
}
