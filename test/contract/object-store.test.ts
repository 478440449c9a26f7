import S3rver from 's3rver'
import { onTestFinished } from 'vitest'
import { FolderObjectStore } from '../../src/archive/folder-object-store.js'
import { S3ObjectStore } from '../../src/archive/s3-object-store.js'
import { systemClock } from '../../src/core/clock.js'
import { nodeFileSystem } from '../../src/core/node-file-system.js'
import { CREDENTIALS, FakeS3 } from '../support/fake-s3.js'
import { MemoryObjectStore } from '../support/memory-object-store.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { objectStoreContract } from './object-store.js'

const now = (): number => systemClock.now()

function s3(endpoint: string, prefix: string): S3ObjectStore {
  const store = new S3ObjectStore(
    { now },
    { bucket: 'photos', endpoint, region: 'us-east-1', prefix, credentials: CREDENTIALS }
  )
  onTestFinished(() => store.close())
  return store
}

objectStoreContract('memory', async () => new MemoryObjectStore({ now }))

objectStoreContract(
  'a folder',
  async () => new FolderObjectStore({ fileSystem: nodeFileSystem }, { folder: `${await temporaryDirectory()}/backup` })
)

objectStoreContract('a small S3 server of these tests', async () => {
  const server = await FakeS3.start()
  onTestFinished(() => server.stop())
  return s3(server.endpoint, 'our/cluster')
})

objectStoreContract('s3rver', async () => {
  const server = new S3rver({
    port: 0,
    address: '127.0.0.1',
    silent: true,
    directory: await temporaryDirectory(),
    configureBuckets: [{ name: 'photos' }]
  })
  const { port } = await server.run()
  onTestFinished(() => server.close())
  return s3(`http://127.0.0.1:${port}`, 'our/cluster')
})
