import { hasCode } from '../core/errors.js'
import type { RecordFormats } from '../domain/formats.js'
import type { VolumeId } from '../domain/ids.js'
import { bucketOf, type MerkleTree } from '../domain/merkle.js'
import { type RecordKey, recordName } from '../domain/record.js'
import { DamageError } from './damage.js'
import type { Database } from './database.js'
import { type Death, deathFrom, deathKey, leafKey, placeOf, type RecordPlace, recordRowKey } from './keys.js'
import { graveState, leafFrom } from './leaf-rows.js'
import { foldRecord, type IncomingRecord, type RecordFold } from './record-fold.js'
import { type RecordState, recordStateOf } from './stored-record.js'

/** From this number of rows on, one asynchronous read costs the main thread less than single synchronous ones. */
const ASYNC_READ_ROWS = 24

/**
 * Blocks for the time of two LevelDB reads at most.
 *
 * @returns the record, or its grave. @throws {@link DamageError}
 */
export function readState(database: Database, key: RecordKey): RecordState | undefined {
  const rowKey = recordRowKey(key)
  const value = database.getSync(rowKey)
  if (value !== undefined) return recordStateOf(rowKey, value)
  const leafRowKey = leafKey(bucketOf(key), key)
  const leafValue = database.getSync(leafRowKey)
  if (leafValue === undefined) return undefined
  const { grave } = leafFrom(leafRowKey, leafValue)
  return grave === undefined ? confirmAbsent(database, key) : graveState(key, grave)
}

/**
 * Looks again for a record that was not found, in one snapshot with its leaf. A flipped bit can put a row out of LevelDB's
 * order; without this check its photo would count as unknown.
 *
 * @throws {@link DamageError} when there is a leaf but no record
 */
function confirmAbsent(database: Database, key: RecordKey): RecordState | undefined {
  const snapshot = database.snapshot()
  try {
    const rowKey = recordRowKey(key)
    const value = database.getSync(rowKey, { snapshot })
    if (value !== undefined) return recordStateOf(rowKey, value)
    const leafRowKey = leafKey(bucketOf(key), key)
    const leafValue = database.getSync(leafRowKey, { snapshot })
    const grave = leafValue && leafFrom(leafRowKey, leafValue).grave
    if (grave !== undefined) return graveState(key, grave)
    if (leafValue === undefined) return undefined
    throw new DamageError('a Merkle leaf has no record')
  } finally {
    void snapshot.close()
  }
}

/** @returns the records or their graves, in the order of the keys. @throws {@link DamageError} */
export function readStates(database: Database, keys: readonly RecordKey[]): Promise<(RecordState | undefined)[]> {
  return readStatesAt(database, keys, keys.map(placeOf))
}

async function readStatesAt(
  database: Database,
  keys: readonly RecordKey[],
  places: readonly RecordPlace[]
): Promise<(RecordState | undefined)[]> {
  if (keys.length < ASYNC_READ_ROWS) return keys.map(key => readState(database, key))
  const values = await database.getMany(places.map(({ record }) => record))
  const missing = places.filter((_, i) => values[i] === undefined)
  const leaves = (await database.getMany(missing.map(({ leaf }) => leaf))).values()
  return keys.map((key, i) => {
    const { record, leaf } = places[i] as RecordPlace
    const value = values[i]
    if (value !== undefined) return recordStateOf(record, value)
    const leafValue = leaves.next().value
    if (leafValue === undefined) return undefined
    const { grave } = leafFrom(leaf, leafValue)
    return grave === undefined ? confirmAbsent(database, key) : graveState(key, grave)
  })
}

/** @returns the deaths of the records, in the order of the keys; undefined for what is not deleted */
export async function readDeaths(database: Database, keys: readonly RecordKey[]): Promise<(Death | undefined)[]> {
  const rowKeys = keys.map(deathKey)
  const values = await database.getMany(rowKeys)
  return rowKeys.map((rowKey, i) => {
    const value = values[i]
    return value && deathFrom(rowKey, value)
  })
}

/** @returns as `readStates`; what a new node gets it need not look for: nothing is in those buckets */
async function readFilled(
  database: Database,
  merkle: Pick<MerkleTree, 'isEmpty'>,
  keys: readonly RecordKey[],
  places: readonly RecordPlace[]
): Promise<(RecordState | undefined)[]> {
  const isFilled = places.map(({ bucket }) => !merkle.isEmpty(bucket))
  const isSought = (_: unknown, i: number): boolean => isFilled[i] === true
  const found = (await readStatesAt(database, keys.filter(isSought), places.filter(isSought))).values()
  return isFilled.map(filled => (filled ? found.next().value : undefined))
}

/**
 * Merges records, several of which may have the same key, into the stored states.
 *
 * @param leaveOut - called with a record that cannot be merged into what is here: it must not stop the others
 */
export async function foldRecords(
  database: Database,
  merkle: Pick<MerkleTree, 'isEmpty'>,
  records: readonly IncomingRecord[],
  formats: RecordFormats,
  leaveOut: (record: IncomingRecord, err: unknown) => void
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
  const places = keys.map(placeOf)
  const befores = await readFilled(database, merkle, keys, places)
  const folds: RecordFold[] = []
  for (const [i, { key, incoming }] of all.entries()) {
    const before = befores[i]
    let after = before
    let buriedBy: VolumeId | undefined
    for (const each of incoming) {
      const { buried = 0 } = after?.record ?? {}
      try {
        after = foldRecord(after, each, formats)
        if ((after.record.buried ?? 0) > buried) buriedBy = each.location?.volume
      } catch (err) {
        if (!hasCode(err, 'ERR_RECORD_MALFORMED')) throw err
        leaveOut(each, err)
      }
    }
    if (after === undefined) continue
    folds.push({
      key,
      place: places[i] as RecordPlace,
      before,
      after,
      volumes: incoming.flatMap(({ location }) => location?.volume ?? []),
      buriedBy
    })
  }
  return folds
}
