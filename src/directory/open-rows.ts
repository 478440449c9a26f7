import { DamageError, damageOf } from './damage.js'
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
 * Opens the database; replaces it by an empty one if it is damaged, or if a later version has left records in it that this
 * one cannot read: out of the log, they become opaque.
 *
 * @param damage - known damage: the database is then replaced without being opened
 * @param formatMax - the latest record format that this version reads
 * @returns also `rebuildReason`: why it was replaced; undefined if it was not
 * @throws `ERR_FORMAT_TOO_NEW`, LevelDB's errors; a database that cannot be read for any other reason than damage is
 * never removed
 */
export async function openRows(
  source: DatabaseSource,
  migrations: readonly Migration[],
  damage: string | undefined,
  formatMax: number
): Promise<OpenRows & { readonly rebuildReason: string | undefined }> {
  let rebuildReason = damage
  if (rebuildReason === undefined) {
    try {
      return { ...(await load(source, migrations, formatMax)), rebuildReason }
    } catch (err) {
      rebuildReason = damageOf(err)
      if (rebuildReason === undefined) throw err
    }
  }
  await source.remove()
  return { ...(await load(source, migrations, formatMax)), rebuildReason }
}

async function load(source: DatabaseSource, migrations: readonly Migration[], formatMax: number): Promise<OpenRows> {
  const database = await source.open()
  try {
    await prepareSchema(database, migrations)
    await readmitOpaque(database, formatMax)
    const view = await DirectoryView.load(database)
    if (view.formatMax > formatMax) throw new DamageError(`its rows have record format ${view.formatMax}`)
    return { database, view }
  } catch (err) {
    await database.close()
    throw err
  }
}
