import type { AudienceSet } from '../domain/audience.js'
import type { PhotoId } from '../domain/ids.js'
import type { LabelField } from '../domain/terms.js'
import type { Database } from './database.js'
import {
  addedOf,
  counterKey,
  msOfPosition,
  photoIdOfPosition,
  positionOfKey,
  termKey,
  termOfCounterKey,
  termRange
} from './index-keys.js'
import type { Index } from './index-state.js'
import { openSealed, rangeOf, u64From } from './keys.js'
import { audienceCounter, audienceCounters } from './term-index.js'

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
  /** Whose photos are counted; default: all. Labels that none of them has are not listed. */
  readonly audiences?: AudienceSet | undefined
}

/** What the names of counters of spellings begin with, before the term. */
const SPELLED = 'spelled\0'
/** Rows at each end of a label that are read for one that somebody sees, and of these at once. */
const SPAN_ROWS_MAX = 4_096
const SPAN_ROWS = 64

/** Which counters are read. */
interface CountsQuery {
  /** Of terms that begin so; */
  readonly start: string
  /** or so, or stand between the two. */
  readonly last?: string
  /** Only those behind this one. */
  readonly after?: string | undefined
  readonly limit: number
  readonly audiences?: AudienceSet | undefined
  readonly isOmitted?: ((term: string) => boolean) | undefined
}

/** A label as some photos have it. */
type Spelled = Pick<LabelCount, 'name' | 'count'>

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
 * @param audiences - whose photos are counted; default: all
 * @returns how many photos have each of its values, the first ones in the order of their bytes
 */
export async function readCounts(
  database: Database,
  { tables }: Index,
  name: string,
  limit: number,
  audiences?: AudienceSet
): Promise<Map<string, number>> {
  const start = `${name}\0`
  const counts = await readCounters(database, tables, { start, limit, audiences })
  return new Map(Array.from(counts, ([term, count]) => [term.slice(start.length), count]))
}

/** @returns terms and how many photos have them, the first ones in the order of their bytes */
async function readCounters(
  database: Database,
  tables: Index['tables'],
  { start, last = start, after, limit, audiences, isOmitted = () => false }: CountsQuery
): Promise<[term: string, count: number][]> {
  const counts = new Map<string, number>()
  for (const name of audiences?.digests.map(audienceCounters) ?? ['']) {
    const range = { gte: counterKey(tables, name + start), lt: rangeOf(counterKey(tables, name + last)).lt }
    const gt = after === undefined ? undefined : counterKey(tables, name + after)
    const isPast = gt !== undefined && Buffer.compare(gt, range.gte) >= 0
    let left = limit
    for await (const [key, value] of database.iterator(isPast ? { gt, lt: range.lt } : range)) {
      const term = termOfCounterKey(key).slice(name.length)
      if (isOmitted(term)) continue
      counts.set(term, (counts.get(term) ?? 0) + u64From(openSealed(key, value, 8)))
      // the first ones of all are among the first ones of each
      if (--left === 0) break
    }
  }
  if (audiences === undefined) return [...counts]
  const inOrder = Array.from(counts, entry => ({ entry, bytes: Buffer.from(entry[0]) }))
  inOrder.sort((a, b) => Buffer.compare(a.bytes, b.bytes))
  return inOrder.slice(0, limit).map(({ entry }) => entry)
}

/** @returns how many photos of some audiences have a term, which is one that is counted for each */
export async function readCountOf(
  database: Database,
  { tables }: Pick<Index, 'tables'>,
  term: string,
  audiences: AudienceSet
): Promise<number> {
  const keys = audiences.digests.map(digest => counterKey(tables, audienceCounter(term, digest)))
  const rows = await database.getMany(keys)
  return keys.reduce((sum, key, i) => {
    const row = rows[i]
    return row === undefined ? sum : sum + u64From(openSealed(key, row, 8))
  }, 0)
}

/** @returns labels in the order in which they are folded. @throws {@link DamageError} */
export async function readLabels(
  database: Database,
  { tables, language }: Index,
  field: LabelField,
  { prefix = '', after, limit, audiences }: LabelsQuery,
  isOmitted: (label: string) => boolean = () => false
): Promise<LabelCount[]> {
  const counts = await readCounters(database, tables, {
    start: language.labelTerm(field, prefix),
    after: after === undefined ? undefined : language.labelTerm(field, after),
    limit,
    audiences,
    isOmitted: term => isOmitted(labelOf(term))
  })
  const terms = counts.map(([term]) => term)
  const spelled = await readSpellings(database, tables, terms, audiences)
  return counts.map(([term, count]) => ({ name: spelling(term, count, spelled.get(term) ?? []), count }))
}

/** @returns the label of a term, as it is folded */
function labelOf(term: string): string {
  return term.slice(term.indexOf('\0') + 1)
}

/**
 * @param terms - in the order of their bytes
 * @returns of each term how photos spell its label, and how many of them do, where that is not as it is folded
 */
async function readSpellings(
  database: Database,
  tables: Index['tables'],
  terms: readonly string[],
  audiences: AudienceSet | undefined
): Promise<ReadonlyMap<string, readonly Spelled[]>> {
  const spelled = new Map<string, Spelled[]>(terms.map(term => [term, []]))
  const [first, last] = [terms[0], terms.at(-1)]
  if (first === undefined || last === undefined) return spelled
  // of many audiences each is read once for all terms; of all photos, there may be much between two terms
  const ranges = audiences === undefined ? terms.map(term => [term, term]) : [[first, last]]
  for (const [from, to] of ranges) {
    const query = {
      start: `${SPELLED}${from}\0`,
      last: `${SPELLED}${to}\0`,
      limit: Number.POSITIVE_INFINITY,
      audiences
    }
    for (const [counter, count] of await readCounters(database, tables, query)) {
      const text = counter.slice(SPELLED.length)
      for (let end = text.indexOf('\0'); end !== -1; end = text.indexOf('\0', end + 1))
        spelled.get(text.slice(0, end))?.push({ name: text.slice(end + 1), count })
    }
  }
  return spelled
}

/** @returns how most photos spell the label of a term; of several spellings that as many have, the first one */
function spelling(term: string, count: number, others: readonly Spelled[]): string {
  const folded = { name: labelOf(term), count: others.reduce((left, other) => left - other.count, count) }
  return others.reduce((most, other) => (other.count > most.count ? other : most), folded).name
}

/**
 * @param audiences - whose photos count; default: all
 * @returns undefined when no photo has the term, or none of these among the {@link SPAN_ROWS_MAX} at an end, or the index has no such order
 */
export async function readSpan(
  database: Database,
  { tables }: Index,
  term: string,
  audiences?: AudienceSet
): Promise<LabelSpan | undefined> {
  const range = termRange(tables.order.taken, term)
  const endOf = async (reverse: boolean): Promise<Uint8Array | undefined> => {
    const rows = database.keys({ ...range, limit: audiences === undefined ? 1 : SPAN_ROWS_MAX, reverse })
    try {
      for (;;) {
        const keys = await rows.nextv(SPAN_ROWS)
        if (keys.length === 0 || audiences === undefined) return keys[0]
        const added = keys.map(key => addedOf(positionOfKey(key, 'taken')))
        const digests = await database.getMany(added.map(position => termKey(tables.order.added, 'all', position)))
        const isSeen = digests.map(digest => digest !== undefined && audiences.has(digest))
        if (isSeen.includes(true)) return keys[isSeen.indexOf(true)]
      }
    } finally {
      await rows.close()
    }
  }
  const [first, last] = [await endOf(false), await endOf(true)]
  if (first === undefined || last === undefined) return undefined
  return {
    newest: photoIdOfPosition(last),
    fromMs: msOfPosition(positionOfKey(first, 'taken'), 'taken'),
    toMs: msOfPosition(positionOfKey(last, 'taken'), 'taken')
  }
}
