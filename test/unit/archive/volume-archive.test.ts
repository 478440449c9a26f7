import { expect, test } from 'vitest'
import type { ObjectStore } from '../../../src/archive/object-store.js'
import { VolumeArchive } from '../../../src/archive/volume-archive.js'
import { systemClock } from '../../../src/core/clock.js'

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
