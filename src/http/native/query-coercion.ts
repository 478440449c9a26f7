import { SheafError } from '../../core/errors.js'
import type { Schema } from './schemas/common.js'

/** As JSON writes numbers, within what a double holds. */
const JSON_NUMBER = /^-?\d{1,15}(\.\d{1,30})?(e[+-]?\d{1,2})?$/i

/**
 * Converts the strings of a query to the types of its schema: numbers, booleans, and arrays for repeatable parameters. What
 * does not fit stays a string, which validation refuses. Bodies are not converted: in JSON `"5"` is not 5.
 */
export function coerceQuery(query: Record<string, unknown>, schema: Schema): void {
  const properties = schema.properties as Readonly<Record<string, Schema>>
  for (const [name, value] of Object.entries(query)) {
    const type = properties[name]?.type
    if (type === 'integer' && typeof value === 'string' && /^-?\d{1,15}$/.test(value)) query[name] = Number(value)
    if (type === 'number' && typeof value === 'string' && JSON_NUMBER.test(value)) query[name] = Number(value)
    if (type === 'boolean' && (value === 'true' || value === 'false')) query[name] = value === 'true'
    if (type === 'array' && typeof value === 'string') query[name] = [value]
  }
}

/** @throws `ERR_BAD_PARAMETER` for a percent escape that is malformed or not UTF-8 */
export function checkQueryEscapes(url: string): void {
  const start = url.indexOf('?')
  if (start === -1 || !url.includes('%', start)) return
  try {
    decodeURIComponent(url.slice(start))
  } catch (cause) {
    throw new SheafError('ERR_BAD_PARAMETER', 'the query has a malformed percent escape; escape a literal % as %25', {
      cause
    })
  }
}
