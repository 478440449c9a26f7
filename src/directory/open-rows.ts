import { damageOf } from './damage.js'
import type { Database, DatabaseSource } from './database.js'
import { DirectoryView } from './directory-view.js'
import { readmitOpaque } from './opaque-records.js'
import { type Migration, prepareSchema } from './schema.js'

/** An open database and the part of its rows that is kept in memory. */
export interface OpenRows {
  readonly database: Database
  readonly view: DirectoryView
}

/**
 * Opens the database; replaces it by an empty one if it is damaged.
 *
 * @param onOlder - called with the schema version of an older database before it is migrated
 * @param damage - known damage: the database is then replaced without being opened
 * @returns also `rebuildReason`: why it was replaced; undefined if it was not
 * @throws `ERR_FORMAT_TOO_NEW`, LevelDB's errors; a database that cannot be read for any other reason than damage is
 * never removed
 */
export async function openRows(
  source: DatabaseSource,
  migrations: readonly Migration[],
  onOlder: (schema: number) => Promise<void>,
  damage: string | undefined
): Promise<OpenRows & { readonly rebuildReason: string | undefined }> {
  let rebuildReason = damage
  if (rebuildReason === undefined) {
    try {
      return { ...(await load(source, migrations, onOlder)), rebuildReason }
    } catch (err) {
      rebuildReason = damageOf(err)
      if (rebuildReason === undefined) throw err
    }
  }
  await source.remove()
  return { ...(await load(source, migrations, onOlder)), rebuildReason }
}

async function load(
  source: DatabaseSource,
  migrations: readonly Migration[],
  onOlder: (schema: number) => Promise<void>
): Promise<OpenRows> {
  const database = await source.open()
  try {
    await prepareSchema(database, migrations, onOlder)
    await readmitOpaque(database)
    return { database, view: await DirectoryView.load(database) }
  } catch (err) {
    await database.close()
    throw err
  }
}
