import { expect, test } from 'vitest'
import { ALBUM_KIND, createAlbumChanges, deleteAlbumChanges, editAlbumChanges } from '../../../src/domain/album.js'
import { recordNeedleId } from '../../../src/domain/needle.js'
import type { DirectoryRecord } from '../../../src/domain/record.js'
import { PURGE_MS, type StoreFixture, started } from './store-fixture.js'

const never = new AbortController().signal
const key = { kind: ALBUM_KIND, id: '01234567-89ab-7cde-8f01-23456789abcd' }

async function needleCount({ store }: StoreFixture): Promise<number> {
  let count = 0
  for (const volume of store.volumes.volumes())
    for await (const rows of volume.rows())
      for (const { id } of rows) if (Buffer.compare(id, recordNeedleId(key)) === 0) count++
  return count
}

const compact = (fixture: StoreFixture): Promise<unknown> =>
  fixture.finish(fixture.store.compactor.run('now', () => {}, never))

test('a deleted album leaves a grave and none of its words, and only its last needle before', async () => {
  const fixture = await started()
  const { writer } = fixture.store
  await fixture.add()
  await writer.write(key, () => createAlbumChanges({ title: 'private' }))
  for (const title of ['a', 'b', 'c'])
    await writer.write(key, before => editAlbumChanges(before as DirectoryRecord, { title }))
  expect(await needleCount(fixture)).toBe(4)
  await compact(fixture)
  expect(await needleCount(fixture)).toBe(1)
  await writer.write(key, before => deleteAlbumChanges(before as DirectoryRecord))
  await fixture.clock.advance(PURGE_MS - 1_000)
  expect(fixture.store.directory.getSync(key)).toBeDefined()
  for (let minute = 0; minute < 25; minute++) await fixture.clock.advance(60_000)
  expect(fixture.store.directory.lookUp(key)).toEqual({ stored: undefined, grave: { generation: 0, isLogged: true } })
  await compact(fixture)
  expect(await needleCount(fixture)).toBe(0)
  const digest = fixture.store.directory.digest()
  await fixture.restart('crash', () => fixture.loseDirectory())
  expect([fixture.store.directory.digest(), fixture.store.directory.lookUp(key).grave?.isLogged]).toEqual([
    digest,
    true
  ])
  expect(await fixture.store.directory.verify()).toEqual([])
})
