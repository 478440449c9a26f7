import { join } from 'node:path'
import type { FileSystem } from '../core/file-system.js'
import { DamageError } from './damage.js'
import { liveTables } from './level-manifest.js'
import { checkTable } from './level-table.js'

/**
 * Reads all table files of a LevelDB folder and verifies their checksums, with one file in memory at a time (about 2 MB).
 * Missing files are ignored: LevelDB reports them when it opens the folder.
 *
 * @throws {@link DamageError}; the disk's own errors
 */
export async function checkLevelFolder(folder: string, fileSystem: Pick<FileSystem, 'readFile'>): Promise<void> {
  const read = async (name: string): Promise<Buffer | undefined> => {
    const bytes = await fileSystem.readFile(join(folder, name))
    return bytes && Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }
  const current = (await read('CURRENT'))?.toString('latin1')
  if (current === undefined) return
  if (!/^MANIFEST-[0-9]+\n$/.test(current)) throw new DamageError('CURRENT names no manifest')
  const manifest = await read(current.trimEnd())
  if (manifest === undefined) return
  for (const number of liveTables(manifest)) {
    const name = `${String(number).padStart(6, '0')}.ldb`
    const table = await read(name)
    if (table === undefined) continue
    try {
      checkTable(table)
    } catch (err) {
      throw new DamageError(`the table file ${name} is damaged`, { cause: err })
    }
  }
}
