import type { RecordFormats } from '../domain/formats.js'
import { bucketOf } from '../domain/merkle.js'
import { type RecordKey, recordName } from '../domain/record.js'
import { DamageError } from './damage.js'
import type { Database } from './database.js'
import { leafKey, recordRowKey } from './keys.js'
import { foldRecord, type IncomingRecord, type RecordFold } from './record-fold.js'
import { type RecordState, recordStateOf } from './stored-record.js'

/** From this number of rows on, one asynchronous read costs the main thread less than single synchronous ones. */
const ASYNC_READ_ROWS = 24

/** Blocks for the time of one LevelDB read. */
export function readState(database: Database, key: RecordKey): RecordState | undefined {
  const rowKey = recordRowKey(key)
  const value = database.getSync(rowKey)
  return value && recordStateOf(rowKey, value)
}

/**
 * Looks again for a record that was not found, in one snapshot with its leaf. A flipped bit can put a row out of LevelDB's
 * order; without this check its photo would count as unknown.
 *
 * @throws {@link DamageError} when there is a leaf but no record
 */
export function confirmAbsent(database: Database, key: RecordKey): RecordState | undefined {
  const snapshot = database.snapshot()
  try {
    const rowKey = recordRowKey(key)
    const value = database.getSync(rowKey, { snapshot })
    if (value !== undefined) return recordStateOf(rowKey, value)
    if (database.getSync(leafKey(bucketOf(key), key), { snapshot }) === undefined) return undefined
    throw new DamageError('a Merkle leaf has no record')
  } finally {
    void snapshot.close()
  }
}

/** @returns the states, in the order of the keys */
export async function readStates(database: Database, keys: readonly RecordKey[]): Promise<(RecordState | undefined)[]> {
  const rowKeys = keys.map(recordRowKey)
  const values = await database.getMany(rowKeys)
  return rowKeys.map((rowKey, i) => {
    const value = values[i]
    return value && recordStateOf(rowKey, value)
  })
}

/** Merges records, several of which may have the same key, into the stored states. */
export async function foldRecords(
  database: Database,
  records: readonly IncomingRecord[],
  formats: RecordFormats
): Promise<RecordFold[]> {
  const groups = new Map<string, { key: RecordKey; incoming: IncomingRecord[] }>()
  for (const incoming of records) {
    const { kind, id } = incoming.record
    const name = recordName(incoming.record)
    const group = groups.get(name)
    if (group === undefined) groups.set(name, { key: { kind, id }, incoming: [incoming] })
    else group.incoming.push(incoming)
  }
  const all = [...groups.values()]
  const keys = all.map(({ key }) => key)
  const befores =
    keys.length < ASYNC_READ_ROWS ? keys.map(key => readState(database, key)) : await readStates(database, keys)
  const folds: RecordFold[] = []
  for (const [i, { key, incoming }] of all.entries()) {
    const before = befores[i]
    const after = incoming.reduce<RecordState | undefined>((state, each) => foldRecord(state, each, formats), before)
    if (after === undefined) continue
    folds.push({ key, before, after, volumes: incoming.flatMap(({ location }) => location?.volume ?? []) })
  }
  return folds
}
