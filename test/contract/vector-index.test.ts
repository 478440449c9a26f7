import { silentLog } from '../../src/core/log.js'
import { nodeFileSystem } from '../../src/core/node-file-system.js'
import { HnswIndexes } from '../../src/similarity/index/hnsw-indexes.js'
import { ExactVectorIndexes } from '../support/exact-vector-indexes.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { vectorIndexContract } from './vector-index.js'

vectorIndexContract(
  'the graph in a thread',
  async () => new HnswIndexes({ fileSystem: nodeFileSystem, log: silentLog }, { folder: await temporaryDirectory() })
)

vectorIndexContract('the exact one', async () => new ExactVectorIndexes())
