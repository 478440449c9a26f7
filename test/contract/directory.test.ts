import { nodeFileSystem } from '../../src/core/node-file-system.js'
import { levelDatabase } from '../../src/directory/database.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { MemoryDatabaseSource } from '../unit/directory/memory-database.js'
import { directoryContract } from './directory.js'

directoryContract('memory', async () => new MemoryDatabaseSource())

directoryContract('LevelDB', async () => {
  const folder = await temporaryDirectory()
  return levelDatabase(`${folder}/directory`, nodeFileSystem)
})
