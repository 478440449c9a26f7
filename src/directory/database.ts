import type { AbstractLevel } from 'abstract-level'
import { Level } from 'level'
import type { FileSystem } from '../core/file-system.js'
import { checkLevelFolder } from './level-folder.js'

/** A sorted key-value store of binary keys and values with atomic batches and snapshots. */
export type Database = AbstractLevel<string | Buffer | Uint8Array, Uint8Array, Uint8Array>

/** Opens and removes the one database of a directory. */
export interface DatabaseSource {
  /**
   * @returns the open database, created if it is missing
   * @throws `DamageError` for contents that LevelDB must not read; abstract-level's `LEVEL_…` errors
   */
  open(): Promise<Database>
  /** Removes the database; it must not be open. Does nothing if there is none. */
  remove(): Promise<void>
}

/**
 * LevelDB may hold two write buffers that are not in table files. The ring of batch markers must have more slots than
 * batches fit into them, see batch-markers.ts.
 */
export const WRITE_BUFFER_BYTES = 4 * 1024 * 1024
const BLOCK_CACHE_BYTES = 32 * 1024 * 1024

/**
 * LevelDB in a folder. It is never synced: replay restores from the volumes what a power failure loses. Its files are
 * checked before each opening, which takes about as long as reading them.
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
        // Snappy would save an eighth of the space, but checkTable reads uncompressed tables only.
        compression: false
      })
      await database.open()
      return database
    },
    remove: () => fileSystem.removeDirectory(folder)
  }
}
