import { markerRow } from './batch-markers.js'
import type { BatchPlan } from './batch-plan.js'
import type { Database } from './database.js'
import type { DirectoryView } from './directory-view.js'
import { type IndexTables, indexRanges, indexTables } from './index-keys.js'
import { BUILDING_KEY, type BuiltIndex, buildingRow, type IndexState, servedRow } from './index-state.js'
import { type Operation, recordRange } from './keys.js'
import { recordStateOf } from './stored-record.js'
import { TermPlan } from './term-plan.js'

/** Records that are indexed in one batch: nothing else is answered for its 2 to 3 ms. */
export const BUILD_RECORDS = 16
/** After a piece of work comes a rest of so many times its length: requests have the most of the time. */
const REST_TIMES = 4
/** But none is longer: so a million photos take less than an hour where a piece takes up to 17 ms, since others want the machine too. */
const REST_MS_MAX = 40
/** Rows of an index that nobody reads any more that are removed at once. */
const CLEAR_ROWS = 4_096

/**
 * Does a piece of what there is to do about the index: removes rows of one that nobody reads, or puts records into the one that
 * is to be read next. Batches keep that one for the records that are in it already. When all are, it is read.
 *
 * Nothing else may be written meanwhile.
 *
 * @returns whether there was something to do
 */
export async function workOnIndex(database: Database, view: DirectoryView): Promise<boolean> {
  const { served, built, isOtherStale } = view.index
  if (isOtherStale) {
    const other = indexTables(served.generation === 0 ? 1 : 0)
    if (await clearSome(database, other)) return true
    view.index = { served, built, isOtherStale: false }
  }
  if (built === undefined) return false
  const plan = await planBuild(database, view, built)
  await database.batch(plan.operations)
  view.commit(plan)
  view.index = plan.index
  return true
}

/** @returns how long to rest after a piece that took so long, ms */
export function restAfter(workedMs: number): number {
  return Math.min(REST_MS_MAX, REST_TIMES * workedMs)
}

/** @returns whether there may be more */
async function clearSome(database: Database, tables: IndexTables): Promise<boolean> {
  for (const range of indexRanges(tables)) {
    const [first] = await database.keys({ ...range, limit: 1 }).all()
    if (first === undefined) continue
    await database.clear({ ...range, limit: CLEAR_ROWS })
    return true
  }
  return false
}

interface BuildPlan extends BatchPlan {
  readonly index: IndexState
}

async function planBuild(database: Database, view: DirectoryView, built: BuiltIndex): Promise<BuildPlan> {
  const { reached } = built
  const { gte, lt } = recordRange()
  const range = reached === undefined ? { gte, lt } : { gt: reached, lt }
  const rows = await database.iterator({ ...range, limit: BUILD_RECORDS }).all()
  const operations: Operation[] = []
  const terms = new TermPlan(operations)
  for (const [key, value] of rows) terms.change(built, undefined, recordStateOf(key, value).record)
  const counts = terms.finish(view)
  const last = rows.at(-1)?.[0]
  const sequence = view.sequence + 1
  // numbered, so that it cannot get lost with a later one kept
  operations.push({ type: 'put', ...markerRow(sequence, view.root, true) })
  if (last === undefined) {
    operations.push({ type: 'put', ...servedRow(built) }, { type: 'del', key: BUILDING_KEY })
  } else operations.push({ type: 'put', ...buildingRow(built, last) })
  const index: IndexState =
    last === undefined
      ? { served: built, built: undefined, isOtherStale: true }
      : { served: view.index.served, built: { ...built, reached: last }, isOtherStale: false }
  const { formatMax } = view
  return { operations, applied: new Map(), sequence, toggles: [], counts, changes: [], opaque: [], formatMax, index }
}
