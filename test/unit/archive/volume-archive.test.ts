import { expect, test } from 'vitest'
import type { ObjectStore } from '../../../src/archive/object-store.js'
import { VolumeArchive } from '../../../src/archive/volume-archive.js'
import { systemClock } from '../../../src/core/clock.js'
import type { VolumeId } from '../../../src/domain/ids.js'
import { MemoryObjectStore } from '../../support/memory-object-store.js'

test('a store that lists without end is refused, and does not fill the memory', async () => {
  const object = { name: 'heads/x', modifiedMs: 0 }
  const store: Pick<ObjectStore, 'list'> = {
    list: async function* () {
      for (;;) yield object
    }
  }
  const archive = new VolumeArchive({ store: store as ObjectStore, clock: systemClock }, { keys: [] })
  await expect(archive.heads(new AbortController().signal)).rejects.toMatchObject({ code: 'ERR_ARCHIVE_REFUSED' })
})

test('pieces stay where a store does not list the head that names them', async () => {
  const store = new MemoryObjectStore({ now: () => 0 })
  const archive = new VolumeArchive({ store, clock: systemClock }, { keys: [] })
  const { signal } = new AbortController()
  const volume = '0123456789abcdef-7' as VolumeId
  await archive.putPiece(volume, 256, Buffer.alloc(100), signal)
  await archive.sweep(volume, signal, 0)
  expect(store.names('pieces/')).toHaveLength(1)
})
