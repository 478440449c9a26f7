import { SheafError } from '../core/errors.js'
import { tombstoneStamp } from '../domain/tombstone.js'
import { DamageError } from './damage.js'
import type { Database } from './database.js'
import { openSealed, recordRange, schemaKey, sealedRow, tombstoneKey } from './keys.js'
import { recordStateOf } from './stored-record.js'

/**
 * Migrates the rows from version `to - 1` to version `to`. After a crash it runs again, so it must be idempotent.
 */
export interface Migration {
  readonly to: number
  run(database: Database): Promise<void>
}

/** Ascending and without gaps; the last `to` is the current version, 1 if there are none. */
export const MIGRATIONS: readonly Migration[] = [{ to: 2, run: listTombstones }]

/**
 * Writes the current schema version to an empty database, and migrates an older one.
 *
 * @returns the schema version found; 0 for an empty database
 * @throws `ERR_FORMAT_TOO_NEW` for a newer schema; {@link DamageError} if rows exist without a schema version, or with one
 * that no migration starts from
 */
export async function prepareSchema(database: Database, migrations: readonly Migration[]): Promise<number> {
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
  else if (found < present) await migrate(database, migrations, found)
  return found
}

/** Version 2 lists the deleted records by the stamps of their deletes. */
async function listTombstones(database: Database): Promise<void> {
  for await (const [key, value] of database.iterator(recordRange())) {
    const { record } = recordStateOf(key, value)
    const stamp = tombstoneStamp(record)
    if (stamp !== undefined) await database.put(tombstoneKey(stamp, record), new Uint8Array(0))
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
