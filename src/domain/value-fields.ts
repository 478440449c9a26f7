/*
 * Fields of a version's value. Reading is lenient: a field that is absent or has an unexpected type is undefined, so that
 * one odd field from another node does not hide a record.
 */
import type { Value } from './cbor.js'

type Fields = ReadonlyMap<string, Value>

/** The years 0 to 9999. */
const TIME_MS_MIN = Date.UTC(-1, 12)
export const TIME_MS_MAX = Date.UTC(9999, 11, 31, 23, 59, 59, 999)

export function textOf(fields: Fields, key: string): string | undefined {
  const value = fields.get(key)
  return typeof value === 'string' ? value : undefined
}

export function numberOf(fields: Fields | undefined, key: string): number | undefined {
  const value = fields?.get(key)
  return typeof value === 'number' ? value : undefined
}

/** @returns a safe integer from 0 */
export function integerOf(fields: Fields | undefined, key: string): number | undefined {
  const value = numberOf(fields, key)
  return value !== undefined && Number.isSafeInteger(value) && value >= 0 ? value : undefined
}

/** @returns ms since the Unix epoch, of a moment that RFC 3339 can write */
export function timeOf(fields: Fields | undefined, key: string): number | undefined {
  const value = numberOf(fields, key)
  return value !== undefined && value >= TIME_MS_MIN && value <= TIME_MS_MAX ? value : undefined
}

/** @returns exactly `byteCount` bytes */
export function bytesOf(fields: Fields, key: string, byteCount: number): Uint8Array | undefined {
  const value = fields.get(key)
  return value instanceof Uint8Array && value.length === byteCount ? value : undefined
}

/** @returns exactly `byteCount` bytes as lower-case hex */
export function hexOf(fields: Fields, key: string, byteCount: number): string | undefined {
  const bytes = bytesOf(fields, key, byteCount)
  return bytes === undefined ? undefined : Buffer.from(bytes.buffer, bytes.byteOffset, byteCount).toString('hex')
}

/** @returns the text entries of a map; empty if there is no map */
export function textsOf(fields: Fields, key: string): ReadonlyMap<string, string> {
  const texts = new Map<string, string>()
  const value = fields.get(key)
  if (!(value instanceof Map)) return texts
  for (const [name, text] of value) if (typeof name === 'string' && typeof text === 'string') texts.set(name, text)
  return texts
}

/** @returns one line of at most so many characters, of a text that may be megabytes long; undefined if nothing is left */
export function cutLine(text: string | undefined, charactersMax: number): string | undefined {
  if (text === undefined) return undefined
  const start = [...text.slice(0, 2 * charactersMax)].slice(0, charactersMax).join('')
  return start.replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, ' ').trim() || undefined
}

/** Sets the field, or removes it if `value` is undefined. */
export function setOrDelete<V>(fields: Map<string, V>, key: string, value: V | undefined): void {
  if (value === undefined) fields.delete(key)
  else fields.set(key, value)
}

/** @returns the fields that are not undefined */
export function mapOf(fields: Readonly<Record<string, Value | undefined>>): ReadonlyMap<string, Value> {
  const map = new Map<string, Value>()
  for (const [key, value] of Object.entries(fields)) if (value !== undefined) map.set(key, value)
  return map
}
