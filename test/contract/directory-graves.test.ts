import { nodeFileSystem } from '../../src/core/node-file-system.js'
import { levelDatabase } from '../../src/directory/database.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { MemoryDatabaseSource } from '../unit/directory/memory-database.js'
import { directoryGravesContract } from './directory-graves.js'

directoryGravesContract('memory', async () => new MemoryDatabaseSource())

directoryGravesContract('LevelDB', async () => {
  const folder = await temporaryDirectory()
  return levelDatabase(`${folder}/directory`, nodeFileSystem)
})
