import { expect, test } from 'vitest'
import { openBackupTarget, requireApart } from '../../../src/archive/backup-target.js'
import type { S3Init } from '../../../src/archive/s3-object-store.js'
import { nodeFileSystem } from '../../../src/core/node-file-system.js'
import { SimulatedClock } from '../../support/simulated-clock.js'

const ARCHIVE: S3Init = {
  bucket: 'photos',
  prefix: 'a/sheaf',
  endpoint: 'http://127.0.0.1:1',
  region: 'us-east-1',
  credentials: { accessKeyId: 'id', secretAccessKey: 'secret' }
}
const PLACES = { folder: '/srv/node', archive: ARCHIVE }

function open(target: string): void {
  const components = { clock: new SimulatedClock(), fileSystem: nodeFileSystem }
  openBackupTarget(target, components, { s3: ARCHIVE, keyLines: [] }).close()
}

test.each(['s3://photos', 's3://photos/', 's3://photos/b', 's3://photos/b/.c/..d/', '/mnt/usb'])(
  '%s is a target',
  target => {
    expect(() => open(target)).not.toThrow()
  }
)

test.each([
  ...['', 'folder', './folder', '/a\0b', 's3:', 's3://', 's3:/photos/b', 's3://photos//b'],
  ...['s3://photos/../b', 's3://photos/b/..', 's3://photos/./b', `s3://photos/${'b'.repeat(201)}`]
])('%j is none', target => {
  expect(() => open(target)).toThrow(expect.objectContaining({ code: 'ERR_BAD_PARAMETER' }))
})

test.each([
  '/srv/node',
  '/srv/node/',
  '/srv/node/volumes',
  '/srv/node/..b',
  's3://photos/a/sheaf',
  's3://photos/a/sheaf/'
])('%s is where the node or its archive is, and no place for a backup', target => {
  expect(() => requireApart(target, PLACES)).toThrow(expect.objectContaining({ code: 'ERR_BAD_PARAMETER' }))
})

test.each(['/srv', '/srv/node2', '/srv/node/../b', 's3://photos', 's3://photos/a', 's3://other/a/sheaf'])(
  '%s is apart from both',
  target => {
    expect(() => requireApart(target, PLACES)).not.toThrow()
  }
)
