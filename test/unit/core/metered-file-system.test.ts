import { expect, test } from 'vitest'
import type { File } from '../../../src/core/file-system.js'
import { meteredFileSystem } from '../../../src/core/metered-file-system.js'
import { Histogram } from '../../../src/core/metrics.js'
import { SimulatedClock } from '../../support/simulated-clock.js'
import { SimulatedDisk } from '../../support/simulated-disk.js'
import { SimulatedFileSystem } from '../../support/simulated-file-system.js'

test('syncs of open files are timed; what they do is left as it is', async () => {
  const clock = new SimulatedClock()
  const syncSeconds = new Histogram([0.01, 1])
  const disk = new SimulatedFileSystem(new SimulatedDisk({ folders: ['/d'] }))
  const fileSystem = meteredFileSystem(disk, { clock, syncSeconds })
  const file = await fileSystem.open('/d/a', 'create')
  await file.write([Buffer.from('bytes')], 0)
  await file.sync()
  expect([...syncSeconds.counts]).toEqual([1, 0, 0])
  const into = Buffer.alloc(5)
  expect([await file.read(into, 0), into.toString(), file.readSync(into, 3), await file.size()]).toEqual([
    5,
    'bytes',
    2,
    5
  ])
  await file.truncate(2)
  await file.close()
  await fileSystem.writeFileAtomic('/d/b', Buffer.from('x'))
  expect(await fileSystem.list('/d')).toEqual(['a', 'b'])
  expect([...syncSeconds.counts]).toEqual([1, 0, 0])
})

test('a slow sync falls where it belongs, and one that fails is not counted', async () => {
  const clock = new SimulatedClock()
  const syncSeconds = new Histogram([0.01, 1])
  const sync = [() => clock.advance(500), () => Promise.reject(new Error('EIO'))]
  const slow = { sync: () => sync.shift()?.() } as unknown as File
  const disk = Object.assign(new SimulatedFileSystem(new SimulatedDisk({ folders: ['/d'] })), {
    open: async () => slow
  })
  const file = await meteredFileSystem(disk, { clock, syncSeconds }).open('/d/a', 'create')
  await file.sync()
  await expect(file.sync()).rejects.toThrow('EIO')
  expect([...syncSeconds.counts]).toEqual([0, 1, 0])
  expect(syncSeconds.sum).toBe(0.5)
})
