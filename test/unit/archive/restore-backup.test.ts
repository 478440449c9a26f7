import { expect, test } from 'vitest'
import { systemClock } from '../../../src/core/clock.js'
import { nodeFileSystem } from '../../../src/core/node-file-system.js'
import { restoreBackup } from '../../../src/restore-backup.js'

const ENVIRONMENT = {
  SHEAF_ARCHIVE_ENDPOINT: 'http://127.0.0.1:1',
  SHEAF_ARCHIVE_ACCESS_KEY_ID: 'id',
  SHEAF_ARCHIVE_SECRET_ACCESS_KEY: 'secret'
}

function restore(target: string, environment: Record<string, string>): Promise<unknown> {
  const clock = { ...systemClock, sleep: async () => {} }
  const sources = { environment, readTextFile: () => '' }
  const options = { folder: '/nowhere', keyFile: undefined, sameIdentity: false, skipDamaged: false }
  return restoreBackup({ clock, fileSystem: nodeFileSystem }, sources, {
    ...{ ...options, target, signal: AbortSignal.timeout(30_000) },
    admit: async () => {},
    progress: () => {}
  })
}

test('the bucket of a restore is the one that the target names; no other has to be set', async () => {
  await expect(restore('s3://bucket/node', ENVIRONMENT)).rejects.toMatchObject({ code: 'ERR_ARCHIVE_UNREACHABLE' })
})

test('what is missing for a restore is said once', async () => {
  const { SHEAF_ARCHIVE_ENDPOINT } = ENVIRONMENT
  await expect(restore('s3://bucket/node', { SHEAF_ARCHIVE_ENDPOINT })).rejects.toMatchObject({
    details: { faults: [{ where: '--archive-credentials' }] }
  })
  const wrong = { ...ENVIRONMENT, SHEAF_ARCHIVE_CREDENTIALS_FILE: 'file' }
  await expect(restore('/folder', wrong)).rejects.toMatchObject({
    details: { faults: [{ where: '--archive-bucket' }] }
  })
})
