import { expect, test } from 'vitest'
import { backupName, encodeBackup } from '../../../src/archive/node-backup.js'
import { readBackup } from '../../../src/archive/restore-folder.js'
import { VolumeArchive } from '../../../src/archive/volume-archive.js'
import { systemClock } from '../../../src/core/clock.js'
import { MemoryObjectStore } from '../../support/memory-object-store.js'

test('what file managers leave in a folder is not taken for the backup of another node', async () => {
  const store = new MemoryObjectStore({ now: () => 0 })
  const archive = new VolumeArchive({ store, clock: systemClock }, { keys: [] })
  const { signal } = new AbortController()
  const backup = { nodeId: '12D3KooW', takenAtMs: 1, ends: new Map(), files: new Map() }
  await archive.putDocument(backupName(backup.nodeId), encodeBackup(backup), signal)
  for (const name of ['.DS_Store', 'Thumbs.db', '@eaDir/x', '._12D3KooW']) {
    await store.put(`nodes/${name}`, Buffer.from('x'), signal)
    expect(await readBackup(archive, signal)).toEqual(backup)
  }
  await store.put('nodes/12D3KooX', Buffer.from('x'), signal)
  await expect(readBackup(archive, signal)).rejects.toMatchObject({ code: 'ERR_ARCHIVE_REFUSED' })
})
