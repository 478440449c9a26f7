/** Numbers, times and names as people read them. Programs use `--json`. */

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'] as const

/** @returns `0 B`, `812 B`, `2.4 MB`, `130 GB`: three digits, powers of 1000 */
export function humanBytes(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1_000
    unit++
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2
  return `${value.toFixed(digits)} ${UNITS[unit]}`
}

/** @returns `42 s`, `3 min 10 s`, `2 h 5 min` */
export function humanSeconds(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  if (whole < 60) return `${whole} s`
  if (whole < 3_600) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  return `${Math.floor(whole / 3_600)} h ${Math.floor((whole % 3_600) / 60)} min`
}

/** @param timestamp - RFC 3339. @returns `2026-11-20 14:03` in the local time zone; the text itself when it is no time */
export function humanTime(timestamp: string): string {
  const at = new Date(timestamp)
  if (Number.isNaN(at.getTime())) return printable(timestamp)
  const two = (n: number): string => String(n).padStart(2, '0')
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}`
}

/** @returns `1 photo`, `2 photos` */
export function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`
}

/** @returns text that others wrote, without characters that could control a terminal */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '�')
}
