import type { AbstractLevel } from 'abstract-level'
import { Level } from 'level'
import type { FileSystem } from '../core/file-system.js'
import { checkLevelFolder } from './level-folder.js'

/** A sorted key-value store of binary keys and values with atomic batches and snapshots. */
export type Database = AbstractLevel<string | Buffer | Uint8Array, Uint8Array, Uint8Array>

/** Opens and removes the one database of a directory. */
export interface DatabaseSource {
  /**
   * @returns the database, open, created when it is missing
   * @throws `DamageError` for contents that must not even be read; abstract-level's `LEVEL_…` errors
   */
  open(): Promise<Database>
  /** Removes the database with all it holds; it must not be open. Harmless when there is none. */
  remove(): Promise<void>
}

/**
 * LevelDB may hold two write buffers that are not in table files. The ring of batch markers must be longer than the
 * number of batches that fit into them (see batch-markers.ts), so the one number limits the other.
 */
export const WRITE_BUFFER_BYTES = 4 * 1024 * 1024
const BLOCK_CACHE_BYTES = 32 * 1024 * 1024

/**
 * LevelDB in a folder. It never syncs: what a power failure takes from it, replay brings back from the volumes. Its
 * files are checked before each opening, which takes about as long as reading them.
 */
export function levelDatabase(
  folder: string,
  fileSystem: Pick<FileSystem, 'readFile' | 'removeDirectory'>
): DatabaseSource {
  return {
    open: async () => {
      await checkLevelFolder(folder, fileSystem)
      const database = new Level<Uint8Array, Uint8Array>(folder, {
        keyEncoding: 'view',
        valueEncoding: 'view',
        writeBufferSize: WRITE_BUFFER_BYTES,
        cacheSize: BLOCK_CACHE_BYTES,
        // Snappy saves an eighth of the space; without it the tables can be checked here.
        compression: false
      })
      await database.open()
      return database
    },
    remove: () => fileSystem.removeDirectory(folder)
  }
}
