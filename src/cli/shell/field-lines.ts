import { printable } from './human.js'

/** @returns one aligned line per field that has a value */
export function fieldLines(all: readonly (readonly [string, string | undefined])[]): string[] {
  const present = all.filter((field): field is readonly [string, string] => field[1] !== undefined)
  const width = Math.max(0, ...present.map(([name]) => name.length))
  return present.map(([name, value]) => `${name.padEnd(width)}  ${printable(value)}`)
}
