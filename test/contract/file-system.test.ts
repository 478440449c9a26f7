import { expect, test } from 'vitest'
import { nodeFileSystem } from '../../src/core/node-file-system.js'
import { SeededRandom } from '../support/seeded-random.js'
import { SimulatedDisk } from '../support/simulated-disk.js'
import { SimulatedFileSystem } from '../support/simulated-file-system.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { fileSystemContract } from './file-system.js'

fileSystemContract('the disk', async () => ({ fileSystem: nodeFileSystem, root: await temporaryDirectory() }))

fileSystemContract('the simulated disk', async () => ({
  fileSystem: new SimulatedFileSystem(new SimulatedDisk({ folders: ['/data'] })),
  root: '/data'
}))

fileSystemContract('the simulated disk with calls in random order', async () => ({
  fileSystem: new SimulatedFileSystem(new SimulatedDisk({ folders: ['/data'], random: new SeededRandom(1) })),
  root: '/data'
}))

test.runIf(process.platform === 'linux')(
  'a folder that the system does not let anybody make fails at once',
  async () => {
    const failure = { code: 'ENOENT', path: '/proc/none' }
    await expect(nodeFileSystem.makeDirectory('/proc/none/x/y')).rejects.toMatchObject(failure)
  }
)
