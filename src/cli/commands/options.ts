import { InvalidArgumentError } from 'commander'

/** For options that may be repeated. */
export function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value]
}

export function positiveInteger(value: string): number {
  const n = Number(value)
  if (!/^\d+$/.test(value) || n < 1 || !Number.isSafeInteger(n))
    throw new InvalidArgumentError('It must be a whole number from 1.')
  return n
}

/** The option of commands that ask first. */
export const YES = ['--yes', 'do not ask: it is meant'] as const

/** @returns RFC 3339; a day or a time without a zone is of the local one */
export function timestamp(value: string): string {
  const ms = Date.parse(/^\d{4}-\d\d-\d\d$/.test(value) ? `${value}T00:00` : value)
  if (!/^\d{4}-\d\d-\d\d/.test(value) || Number.isNaN(ms))
    throw new InvalidArgumentError('It must be a time such as 2026-11-20 or 2026-11-20T14:03:00Z.')
  return new Date(ms).toISOString()
}
