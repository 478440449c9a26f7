import type { PhotoId } from '../domain/ids.js'
import type { LabelField } from '../domain/terms.js'
import type { Database } from './database.js'
import {
  counterKey,
  msOfPosition,
  photoIdOfPosition,
  positionOfKey,
  termOfCounterKey,
  termRange
} from './index-keys.js'
import type { Index } from './index-state.js'
import { openSealed, rangeOf, u64From } from './keys.js'

/** A tag or an album that photos have. */
export interface LabelCount {
  /** As most photos have it. */
  readonly name: string
  /** Live photos with it, however they spell it. */
  readonly count: number
}

export interface LabelsQuery {
  /** What labels begin with, whatever its case and accents; default: anything. */
  readonly prefix?: string | undefined
  /** Only labels behind this one. */
  readonly after?: string | undefined
  readonly limit: number
}

/** The photos of a label in the order in which they were taken. */
export interface LabelSpan {
  /** The one taken last. */
  readonly newest: PhotoId
  /** What a clock on the wall showed, ms as if in UTC: at the first and at the last. */
  readonly fromMs: number
  readonly toMs: number
}

/**
 * @param name - of counted terms
 * @returns how many photos have each of its values, the first ones in the order of their bytes
 */
export async function readCounts(
  database: Database,
  { tables }: Index,
  name: string,
  limit: number
): Promise<Map<string, number>> {
  const counts = new Map<string, number>()
  const start = `${name}\0`
  for await (const [key, value] of database.iterator(rangeOf(counterKey(tables, start)))) {
    counts.set(termOfCounterKey(key).slice(start.length), u64From(openSealed(key, value, 8)))
    if (counts.size === limit) break
  }
  return counts
}

/** @returns labels in the order in which they are folded. @throws {@link DamageError} */
export async function readLabels(
  database: Database,
  { tables, language }: Index,
  field: LabelField,
  { prefix = '', after, limit }: LabelsQuery,
  isOmitted: (label: string) => boolean = () => false
): Promise<LabelCount[]> {
  const range = rangeOf(counterKey(tables, language.labelTerm(field, prefix)))
  const gt = after === undefined ? undefined : counterKey(tables, language.labelTerm(field, after))
  const isPast = gt !== undefined && Buffer.compare(gt, range.gte) >= 0
  const bounds = isPast ? { gt, lt: range.lt } : range
  const labels: LabelCount[] = []
  for await (const [key, value] of database.iterator(bounds)) {
    const term = termOfCounterKey(key)
    if (isOmitted(labelOf(term))) continue
    const count = u64From(openSealed(key, value, 8))
    labels.push({ name: await spelling(database, tables, term, count), count })
    if (labels.length === limit) break
  }
  return labels
}

/** @returns the label of a term, as it is folded */
function labelOf(term: string): string {
  return term.slice(term.indexOf('\0') + 1)
}

/** @returns how most photos spell the label of a term; of several spellings that as many have, the first one */
async function spelling(database: Database, tables: Index['tables'], term: string, count: number): Promise<string> {
  const start = `spelled\0${term}\0`
  const rows = await database.iterator(rangeOf(counterKey(tables, start))).all()
  let most = { name: labelOf(term), count }
  const others = rows.map(([key, value]) => ({
    name: termOfCounterKey(key).slice(start.length),
    count: u64From(openSealed(key, value, 8))
  }))
  for (const other of others) most = { ...most, count: most.count - other.count }
  for (const other of others) if (other.count > most.count) most = other
  return most.name
}

/** @returns undefined when no photo has the term, or the index has no such order */
export async function readSpan(database: Database, { tables }: Index, term: string): Promise<LabelSpan | undefined> {
  const range = termRange(tables.order.taken, term)
  const [first] = await database.keys({ ...range, limit: 1 }).all()
  const [last] = await database.keys({ ...range, limit: 1, reverse: true }).all()
  if (first === undefined || last === undefined) return undefined
  return {
    newest: photoIdOfPosition(last),
    fromMs: msOfPosition(positionOfKey(first, 'taken'), 'taken'),
    toMs: msOfPosition(positionOfKey(last, 'taken'), 'taken')
  }
}
