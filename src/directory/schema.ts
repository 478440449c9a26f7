import { SheafError } from '../core/errors.js'
import { ALBUM_KIND } from '../domain/album.js'
import { bucketOf, DIGEST_BYTES, leafDigest } from '../domain/merkle.js'
import { encodeRecord } from '../domain/record-codec.js'
import { endOf } from '../domain/tombstone.js'
import { markerRow, readMarkers } from './batch-markers.js'
import { xorInto } from './batch-plan.js'
import { DamageError } from './damage.js'
import type { Database } from './database.js'
import {
  AGE_KEY,
  bucketKey,
  deathRow,
  leafKey,
  openSealed,
  type Row,
  recordRange,
  schemaKey,
  sealedRow,
  TABLE_DEATH,
  tableRange
} from './keys.js'
import { recordRow, recordStateOf } from './stored-record.js'

/** Rows that a migration writes in one batch. */
const MIGRATED_ROWS = 1_024

/**
 * Migrates the rows from version `to - 1` to version `to`. After a crash it runs again, so it must be idempotent.
 */
export interface Migration {
  readonly to: number
  run(database: Database): Promise<void>
}

/** Ascending and without gaps; the last `to` is the current version, 1 if there are none. */
export const MIGRATIONS: readonly Migration[] = [
  { to: 2, run: async () => {} }, // listed the deleted records, as version 3 does otherwise
  { to: 3, run: rewriteRecords },
  // earlier versions know no second index, and would read one that is no longer kept; nor that albums are buried
  { to: 4, run: noteAlbumDeaths }
]

/**
 * Writes the current schema version to an empty database, and migrates an older one.
 *
 * @param onOlder - called with an older version before the migration begins
 * @returns the schema version found; 0 for an empty database
 * @throws `ERR_FORMAT_TOO_NEW` for a newer schema; {@link DamageError} if rows exist without a schema version, or with one
 * that no migration starts from
 */
export async function prepareSchema(
  database: Database,
  migrations: readonly Migration[],
  onOlder: (found: number) => Promise<void> = async () => {}
): Promise<number> {
  const present = migrations.at(-1)?.to ?? 1
  const found = await readVersion(database)
  if (found > present) {
    throw new SheafError(
      'ERR_FORMAT_TOO_NEW',
      `the directory has schema ${found}; this version of Sheaf reads up to ${present}; upgrade`,
      {
        details: { found, present }
      }
    )
  }
  if (found === 0) await writeVersion(database, present)
  else if (found < present) {
    await onOlder(found)
    await migrate(database, migrations, found)
  }
  return found
}

/**
 * Version 3 holds records of format 2: their rows and leaves are written anew, and the buckets and root above them. All of
 * them have leaves, those too that the horizon of before had passed. Their deaths count as heard of now.
 */
async function rewriteRecords(database: Database): Promise<void> {
  await database.clear(tableRange(TABLE_DEATH)) // of other rows, until now
  await database.del(AGE_KEY)
  const { sequence } = await readMarkers(database)
  const buckets = new Map<number, Uint8Array>()
  const root = new Uint8Array(DIGEST_BYTES)
  let operations: { type: 'put'; key: Uint8Array; value: Uint8Array }[] = []
  const put = async (row: Row): Promise<void> => {
    operations.push({ type: 'put', ...row })
    if (operations.length < MIGRATED_ROWS) return
    await database.batch(operations)
    operations = []
  }
  for await (const [key, value] of database.iterator(recordRange())) {
    const { record, home } = recordStateOf(key, value)
    const bytes = encodeRecord(record)
    await put(recordRow(key, { record, bytes, home }))
    const ended = endOf(record)
    if (ended !== undefined) await put(deathRow(record, { heardAt: 0, ...ended }))
    const bucket = bucketOf(record)
    const leaf = leafDigest(record, bytes)
    await put(sealedRow(leafKey(bucket, record), leaf))
    const digest = buckets.get(bucket) ?? new Uint8Array(DIGEST_BYTES)
    xorInto(digest, leaf)
    xorInto(root, leaf)
    buckets.set(bucket, digest)
  }
  for (const [bucket, digest] of buckets) await put(sealedRow(bucketKey(bucket), digest))
  if (sequence > 0) operations.push({ type: 'put', ...markerRow(sequence, root) })
  await database.batch(operations)
}

/** Deletes of albums that an earlier version kept without knowing what they are count as heard of now. */
async function noteAlbumDeaths(database: Database): Promise<void> {
  for await (const [key, value] of database.iterator(recordRange(ALBUM_KIND))) {
    const { record } = recordStateOf(key, value)
    const ended = endOf(record)
    if (ended === undefined) continue
    const row = deathRow(record, { heardAt: 0, ...ended })
    await database.put(row.key, row.value)
  }
}

async function migrate(database: Database, migrations: readonly Migration[], found: number): Promise<void> {
  const due = migrations.filter(migration => migration.to > found)
  if (due[0]?.to !== found + 1) throw new DamageError(`no migration starts from schema ${found}`)
  for (const migration of due) {
    await migration.run(database)
    await writeVersion(database, migration.to)
  }
}

/** The schema row sorts first, so without it the first row is another one, or there is none. */
async function readVersion(database: Database): Promise<number> {
  const key = schemaKey()
  const [first] = await database.iterator({ limit: 1 }).all()
  if (first === undefined) return 0
  if (first[0].length !== 1 || first[0][0] !== key[0]) throw new DamageError('the schema row is missing')
  const version = openSealed(key, first[1], 4).readUInt32BE(0)
  if (version === 0) throw new DamageError('the schema version is 0')
  return version
}

async function writeVersion(database: Database, version: number): Promise<void> {
  const payload = Buffer.alloc(4)
  payload.writeUInt32BE(version)
  const row = sealedRow(schemaKey(), payload)
  await database.put(row.key, row.value)
}
