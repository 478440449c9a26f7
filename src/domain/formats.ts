/*
 * Record formats. A record's format is the least that can express what it holds, so its canonical bytes do not depend on who
 * wrote them, and nodes of two versions have the same digests. What needs a later format is written once the whole cluster
 * reads that: see cluster/members/cluster-format.ts.
 */
import type { Value } from './cbor.js'
import type { DirectoryRecord } from './record.js'

/** Versions of something, 1 to 65535, both included. */
export interface VersionRange {
  readonly min: number
  readonly max: number
}

/** Numbers of record formats. */
export type FormatRange = VersionRange

/** A field of records, not of their entries, that came with a later format than 2. */
export interface LaterField {
  /** Its number in record-codec.ts. */
  readonly number: number
  readonly format: number
  /** What new photos get there as soon as the format may be written. */
  readonly atBirth: Value
}

/** The record formats of a program. */
export interface RecordFormats extends FormatRange {
  readonly laterFields: readonly LaterField[]
}

/** What this program writes, and says that it reads. It reads format 1 as well, of which volumes of before are. */
export const RECORD_FORMATS: RecordFormats = { min: 2, max: 2, laterFields: [] }

/** What a node reads that tells nothing of it: those were the formats of the first builds that tell versions apart. */
export const FIRST_GATED_FORMATS: FormatRange = { min: 2, max: 2 }

/** @returns the greatest version that both know; undefined when there is none */
export function greatestCommon(a: VersionRange, b: VersionRange): number | undefined {
  const greatest = Math.min(a.max, b.max)
  return greatest >= Math.max(a.min, b.min) ? greatest : undefined
}

/** @returns the least format that can express the record */
export function leastFormat({ extra }: Pick<DirectoryRecord, 'extra'>, { min, laterFields }: RecordFormats): number {
  let format = min
  if (extra === undefined) return format
  for (const field of laterFields) if (extra.has(field.number)) format = Math.max(format, field.format)
  return format
}

/** @returns a new photo's record with what is known of it in formats up to `format` */
export function bornIn(record: DirectoryRecord, format: number, { laterFields }: RecordFormats): DirectoryRecord {
  const fields = laterFields.filter(field => field.format <= format)
  if (fields.length === 0) return record
  return {
    ...record,
    extra: new Map([...(record.extra ?? []), ...fields.map(field => [field.number, field.atBirth] as const)])
  }
}
