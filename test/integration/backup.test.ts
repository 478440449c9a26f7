import { beforeEach, expect, test } from 'vitest'
import { Backup, type BackupAction, type BackupReport } from '../../src/admin/backup.js'
import { VolumeArchive } from '../../src/archive/volume-archive.js'
import { silentLog } from '../../src/core/log.js'
import type { VolumeId } from '../../src/domain/ids.js'
import type { Volume } from '../../src/volumes/volume.js'
import { MemoryObjectStore } from '../support/memory-object-store.js'
import { SimulatedClock } from '../support/simulated-clock.js'
import { SimulatedNode } from '../support/simulated-node.js'

let node: SimulatedNode
let store: MemoryObjectStore
let volumes: Volume[]
let retired: Set<VolumeId>
let backup: Backup

const run = (action: BackupAction = 'run'): Promise<BackupReport> =>
  node.finish<BackupReport>(backup.start(action, 'target'))
const backedUp = (): Set<string | undefined> => new Set(store.names('heads/').map(name => name.split('/')[1]))

/** A node with three volumes, one photo in each. */
beforeEach(async () => {
  const clock = new SimulatedClock()
  node = new SimulatedNode({ clock, volumeBytes: 400_000 })
  await node.start()
  for (let i = 0; i < 3; i++) {
    const bytes = node.random.bytes(300_000)
    const body = (async function* () {
      yield bytes
    })()
    await node.services.photos.upload(body, { filename: 'a.bin', declaredBytes: bytes.byteLength })
  }
  store = new MemoryObjectStore({ now: () => clock.now() })
  volumes = [...node.services.local.volumes.volumes()]
  retired = new Set()
  backup = new Backup(
    {
      volumes: { volumes: () => volumes, get: id => volumes.find(volume => volume.id === id) },
      jobs: node.services.jobs,
      fileSystem: { readFile: async () => undefined },
      clock,
      log: silentLog,
      isRetired: id => retired.has(id),
      open: () => new VolumeArchive({ store, clock }, { keys: [] })
    },
    { folder: '/data', nodeId: '12D3KooW' }
  )
  expect(volumes.length).toBeGreaterThanOrEqual(3)
})

function compactAway(id: VolumeId): void {
  volumes = volumes.filter(volume => volume.id !== id)
  retired.add(id)
}

test('what was compacted after a volume was backed up leaves with the next run, when the rest has followed', async () => {
  const [first] = volumes as [Volume]
  expect((await run()).faults).toEqual([])
  const whole = backedUp()
  store.fail = (call, name) => {
    if (call === 'put' && name.startsWith('nodes/')) compactAway(first.id) // all volumes are uploaded
    return undefined
  }
  expect((await run()).faults).toEqual([])
  expect(backedUp()).toEqual(whole)
  await run('prune')
  expect(backedUp()).toEqual(whole)
  await run()
  expect(backedUp().has(first.id)).toBe(false)
})

test('a disk that fails at one volume does not keep the others out of the backup', async () => {
  const [first] = volumes as [Volume]
  const failing: Volume = Object.create(first, {
    raw: {
      value: () => {
        throw Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' })
      }
    },
    id: { value: first.id },
    end: { value: first.end },
    holes: { value: [] },
    seed: { value: first.seed },
    file: { value: first.file }
  })
  volumes = [failing, ...volumes.slice(1)]
  const { faults } = await run()
  expect(faults).toMatchObject([{ volume: first.id, problem: expect.stringContaining('EIO') }])
  expect(backedUp().size).toBe(volumes.length - 1)
  expect(store.names('nodes/')).toHaveLength(1)
})
