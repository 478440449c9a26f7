import { damageOf } from './damage.js'
import type { Database, DatabaseSource } from './database.js'
import { DirectoryView } from './directory-view.js'
import { type Migration, prepareSchema } from './schema.js'

/** An open database with what is kept in memory of it. */
export interface OpenRows {
  readonly database: Database
  readonly view: DirectoryView
}

/**
 * Opens the database, or removes it and begins an empty one when it is damaged.
 *
 * @param damage - what is already known to be wrong with it: it is then not even looked at
 * @returns `rebuilt`: why it was begun anew
 * @throws `ERR_FORMAT_TOO_NEW`, LevelDB's errors; a database that cannot be read for another reason than damage is
 * never removed
 */
export async function openRows(
  source: DatabaseSource,
  migrations: readonly Migration[],
  damage: string | undefined
): Promise<OpenRows & { readonly rebuilt: string | undefined }> {
  let rebuilt = damage
  if (rebuilt === undefined) {
    try {
      return { ...(await load(source, migrations)), rebuilt }
    } catch (err) {
      rebuilt = damageOf(err)
      if (rebuilt === undefined) throw err
    }
  }
  await source.remove()
  return { ...(await load(source, migrations)), rebuilt }
}

async function load(source: DatabaseSource, migrations: readonly Migration[]): Promise<OpenRows> {
  const database = await source.open()
  try {
    await prepareSchema(database, migrations)
    return { database, view: await DirectoryView.load(database) }
  } catch (err) {
    await database.close()
    throw err
  }
}
