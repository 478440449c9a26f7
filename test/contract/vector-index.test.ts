import { silentLog } from '../../src/core/log.js'
import { nodeFileSystem } from '../../src/core/node-file-system.js'
import { systemRandom } from '../../src/core/random.js'
import { bytesPerPhoto } from '../../src/similarity/index/hnsw-index.js'
import { HnswIndexes } from '../../src/similarity/index/hnsw-indexes.js'
import { ExactVectorIndexes } from '../support/exact-vector-indexes.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { vectorIndexContract } from './vector-index.js'

vectorIndexContract('the graphs in a process', async capacity => {
  const bytesMax = Math.ceil((capacity + 0.5) * bytesPerPhoto(new Map([['image', 16]])))
  return new HnswIndexes(
    { fileSystem: nodeFileSystem, random: systemRandom, log: silentLog },
    { folder: await temporaryDirectory(), bytesMax }
  )
})

vectorIndexContract('the exact one', async capacity => {
  const indexes = new ExactVectorIndexes()
  indexes.capacity = capacity
  return indexes
})
