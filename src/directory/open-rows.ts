import { DamageError, damageOf } from './damage.js'
import type { Database, DatabaseSource } from './database.js'
import { DirectoryView } from './directory-view.js'
import type { IndexLanguages } from './index-languages.js'
import { indexOf, servedRow } from './index-state.js'
import { readmitOpaque } from './opaque-records.js'
import { type Migration, prepareSchema } from './schema.js'

/** An open database and the part of its rows that is kept in memory. */
export interface OpenRows {
  readonly database: Database
  readonly view: DirectoryView
  /** Whether all of the log is applied to them anew: then graves meet records in any order. */
  readonly isReplayed: boolean
}

export interface OpenRowsInit {
  readonly migrations: readonly Migration[]
  /** The latest record format that this version reads. */
  readonly formatMax: number
  /** What the index may be in, and is to be in. */
  readonly languages: IndexLanguages
  /** Called with the schema version of an older database before it is migrated. */
  readonly onOlder: (schema: number) => Promise<void>
}

/**
 * Opens the database; replaces it by an empty one if it is damaged, or if a later version has left records in it that this
 * one cannot read: out of the log, they become opaque.
 *
 * @param damage - known damage: the database is then replaced without being opened
 * @returns also `rebuildReason`: why it was replaced; undefined if it was not
 * @throws `ERR_FORMAT_TOO_NEW`, LevelDB's errors; a database that cannot be read for any other reason than damage is
 * never removed
 */
export async function openRows(
  source: DatabaseSource,
  init: OpenRowsInit,
  damage: string | undefined
): Promise<OpenRows & { readonly rebuildReason: string | undefined }> {
  let rebuildReason = damage
  if (rebuildReason === undefined) {
    try {
      return { ...(await load(source, init)), rebuildReason }
    } catch (err) {
      rebuildReason = damageOf(err)
      if (rebuildReason === undefined) throw err
    }
  }
  await source.remove()
  return { ...(await load(source, init)), rebuildReason }
}

async function load(
  source: DatabaseSource,
  { migrations, formatMax, languages, onOlder }: OpenRowsInit
): Promise<OpenRows> {
  const database = await source.open()
  try {
    const isNew = (await prepareSchema(database, migrations, onOlder)) === 0
    if (isNew) {
      const { key, value } = servedRow(indexOf(languages.wanted, 0))
      await database.put(key, value)
    }
    const readmitted = await readmitOpaque(database, formatMax)
    const view = await DirectoryView.load(database, languages)
    if (view.formatMax > formatMax) throw new DamageError(`its rows have record format ${view.formatMax}`)
    return { database, view, isReplayed: readmitted > 0 || view.sequence === 0 }
  } catch (err) {
    await database.close()
    throw err
  }
}
