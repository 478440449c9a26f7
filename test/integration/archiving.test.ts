import { beforeEach, describe, expect, test } from 'vitest'
import type { ArchiveReport, Archiving } from '../../src/admin/archiving.js'
import { SealingKey } from '../../src/archive/sealed-object.js'
import { VolumeArchive } from '../../src/archive/volume-archive.js'
import type { Clock } from '../../src/core/clock.js'
import { SheafError } from '../../src/core/errors.js'
import { type Logger, silentLog } from '../../src/core/log.js'
import type { PhotoId } from '../../src/domain/ids.js'
import type { CheckReport } from '../../src/store/verify.js'
import { MemoryObjectStore } from '../support/memory-object-store.js'
import { nodePair } from '../support/node-pair.js'
import { SimulatedClock } from '../support/simulated-clock.js'
import { SimulatedNode, type SimulatedNodeOptions } from '../support/simulated-node.js'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const VOLUME_BYTES = 400_000

let clock: SimulatedClock
let store: MemoryObjectStore

beforeEach(() => {
  clock = new SimulatedClock()
  store = new MemoryObjectStore({ now: () => clock.now() })
})

function archiveWith(...lines: string[]): (clock: Clock) => VolumeArchive {
  return clock => new VolumeArchive({ store, clock }, { keys: lines.map(line => new SealingKey(line)) })
}

function nodeWith(options: SimulatedNodeOptions = {}): SimulatedNode {
  return new SimulatedNode({ clock, volumeBytes: VOLUME_BYTES, archive: archiveWith(), ...options })
}

function archivingOf(node: SimulatedNode): Archiving {
  const { archiving } = node.services
  if (archiving === undefined) throw new Error('the node has no archive')
  return archiving
}

async function upload(node: SimulatedNode, bytes: Uint8Array): Promise<PhotoId> {
  const body = (async function* () {
    yield bytes
  })()
  return (await node.services.photos.upload(body, { filename: 'a.bin', declaredBytes: bytes.byteLength })).photoId
}

async function read(node: SimulatedNode, id: PhotoId): Promise<Buffer> {
  const content = await node.services.photos.open(id, 'orig')
  const parts: Uint8Array[] = []
  for await (const part of content.stream(0, content.head.size)) parts.push(part)
  return Buffer.concat(parts)
}

async function fill(node: SimulatedNode, count = 12): Promise<Map<PhotoId, Uint8Array>> {
  const photos = new Map<PhotoId, Uint8Array>()
  for (let i = 0; i < count; i++) {
    const bytes = node.random.bytes(60_000)
    photos.set(await upload(node, bytes), bytes)
  }
  return photos
}

async function expectExactly(node: SimulatedNode, photos: ReadonlyMap<PhotoId, Uint8Array>): Promise<void> {
  for (const [id, bytes] of photos) expect((await read(node, id)).equals(bytes)).toBe(true)
  expect((await node.services.photos.list({ limit: 1000 })).total).toBe(photos.size)
  const report = await node.finish<CheckReport>(node.services.maintenance.verify())
  expect(report.faults).toEqual([])
}

/** Minute by minute, so that all loops have their turn. */
async function minutes(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await clock.advance(MINUTE_MS)
}

const volumesIn = (prefix: string): string[] => [...new Set(store.names(prefix).map(name => name.split('/')[1] ?? ''))]

/** @returns a log that keeps warnings and errors */
function keepingLog(): { readonly log: Logger; readonly lines: string[] } {
  const lines: string[] = []
  const keep = (_fields: object, message: string): void => void lines.push(message)
  const log: Logger = { ...silentLog, warn: keep, error: keep, child: () => log }
  return { log, lines }
}

describe('archiving', () => {
  test('volumes are archived once they rest, and a fresh node gets all of it back', async () => {
    const node = nodeWith()
    await node.start()
    const photos = await fill(node)
    const ids = node.services.local.volumes.volumes().map(({ id }) => id)
    expect(ids.length).toBeGreaterThan(1)
    await minutes(3)
    expect(volumesIn('heads/').sort()).toEqual([...ids].sort())
    expect(archivingOf(node).status()).toMatchObject({
      state: 'idle',
      volumes: ids.length,
      archivedVolumes: ids.length,
      behindBytes: 0,
      behindMs: 0
    })
    const calls = store.calls.length
    await minutes(5)
    expect(store.calls.slice(calls).every(([call]) => call === 'list')).toBe(true)
    node.die('kill')

    const fresh = nodeWith({ seed: 7, origin: new Uint8Array(32).fill(7) })
    await fresh.start()
    const { volumes, faults } = await fresh.finish<ArchiveReport>(archivingOf(fresh).restore())
    expect([volumes, faults]).toEqual([ids.length, []])
    await expectExactly(fresh, photos)
    expect(await fresh.finish(archivingOf(fresh).restore())).toMatchObject({ volumes: 0, bytes: 0, faults: [] })
  })

  test('a volume that grows keeps its pieces and gets a later head', async () => {
    const node = nodeWith({ volumeBytes: 10_000_000 })
    await node.start()
    const photos = await fill(node, 3)
    await minutes(3)
    const [head] = store.names('heads/')
    const pieces = store.names('pieces/')
    for (const [id, bytes] of await fill(node, 2)) photos.set(id, bytes)
    await minutes(3)
    expect(store.names('heads/')).toHaveLength(1)
    expect(store.names('heads/')).not.toEqual([head])
    expect(store.names('pieces/')).toEqual(expect.arrayContaining(pieces))
    expect(store.calls.filter(([call, name]) => call === 'put' && pieces.includes(name))).toHaveLength(pieces.length)
    const fresh = nodeWith({ seed: 7, origin: new Uint8Array(32).fill(7) })
    await fresh.start()
    await fresh.finish(archivingOf(fresh).restore())
    await expectExactly(fresh, photos)
  })

  test('a volume that never rests is archived after an hour', async () => {
    const node = nodeWith({ volumeBytes: 10_000_000 })
    await node.start()
    for (let minute = 0; minute < 58; minute++) {
      await upload(node, node.random.bytes(100))
      await minutes(1)
    }
    expect(store.names('heads/')).toEqual([])
    for (let minute = 0; minute < 4; minute++) {
      await upload(node, node.random.bytes(100))
      await minutes(1)
    }
    expect(store.names('heads/')).toHaveLength(1)
  })

  test('one member archives a volume; the next one does what it leaves undone', async () => {
    const pair = await nodePair({ archive: clock => new VolumeArchive({ store, clock }, { keys: [] }) })
    const { a, b } = pair
    clock = pair.clock
    await fill(a, 2)
    await fill(b, 2)
    await minutes(5)
    expect(volumesIn('heads/')).toHaveLength(2)
    const puts = store.calls
      .filter(([call, name]) => call === 'put' && name.startsWith('pieces/'))
      .map(([, name]) => name)
    expect(puts.length).toBe(new Set(puts).size)

    store.fail = (call, name) =>
      call === 'put' && name.startsWith('heads/') ? new SheafError('ERR_ARCHIVE_FULL') : undefined
    await fill(a, 2)
    await minutes(5)
    const failing = [a, b].filter(node => archivingOf(node).status().state === 'failing')
    expect(failing).toHaveLength(1)
    failing[0]?.die('kill')
    store.fail = () => undefined
    await minutes(25)
    const [survivor] = [a, b].filter(node => node.running)
    expect(archivingOf(survivor as SimulatedNode).status()).toMatchObject({ state: 'idle', behindBytes: 0 })
  })
})

describe('an archive that fails', () => {
  test.each(['ERR_ARCHIVE_UNREACHABLE', 'ERR_ARCHIVE_FULL', 'ERR_ARCHIVE_CLOCK', 'ERR_ARCHIVE_REFUSED'] as const)(
    '%s: one line, the node serves on, and all is made up for',
    async code => {
      const { log, lines } = keepingLog()
      const node = nodeWith({ log })
      await node.start()
      store.fail = () => new SheafError(code)
      const photos = await fill(node, 2)
      await minutes(10)
      await expectExactly(node, photos)
      expect(archivingOf(node).status()).toMatchObject({ state: 'failing', error: { code } })
      expect(lines).toEqual(['the archive cannot be used; this node serves on and tries again every minute'])
      store.fail = () => undefined
      await minutes(3)
      expect(archivingOf(node).status()).toMatchObject({ state: 'idle', error: undefined, behindBytes: 0 })
    }
  )

  test('one failure among many requests is tried again at once', async () => {
    const { log, lines } = keepingLog()
    const node = nodeWith({ log })
    await node.start()
    await fill(node)
    let calls = 0
    store.fail = () => (++calls % 3 === 0 ? new SheafError('ERR_ARCHIVE_UNREACHABLE') : undefined)
    await minutes(4)
    expect(archivingOf(node).status()).toMatchObject({ state: 'idle', behindBytes: 0 })
    expect(lines).toEqual([])
  })

  test('what it keeps wrongly is found before a head names it', async () => {
    const node = nodeWith()
    await node.start()
    const photos = await fill(node)
    store.keep = (bytes, name) => (name.startsWith('pieces/') ? bytes.subarray(0, bytes.byteLength - 1) : bytes)
    await minutes(4)
    expect(store.names()).toEqual([])
    expect(archivingOf(node).status()).toMatchObject({ state: 'failing', error: { code: 'ERR_ARCHIVE_DAMAGED' } })
    store.keep = bytes => bytes
    await minutes(4)
    expect(archivingOf(node).status().behindBytes).toBe(0)
    await expectExactly(node, photos)
  })

  test('a lost bucket is filled again', async () => {
    const node = nodeWith()
    await node.start()
    await fill(node)
    await minutes(3)
    const names = store.names('heads/')
    store.objects.clear()
    await minutes(3)
    expect(store.names('heads/')).toEqual(names)
  })

  test('verify names damage, and has it archived again from here', async () => {
    const node = nodeWith()
    await node.start()
    await fill(node)
    await minutes(3)
    expect(await node.finish(archivingOf(node).verify())).toMatchObject({ faults: [] })
    const [name = ''] = store.names('pieces/')
    const bytes = Uint8Array.from(store.objects.get(name)?.bytes as Uint8Array)
    bytes[100] = (bytes[100] as number) ^ 1
    store.objects.set(name, { bytes, modifiedMs: clock.now() })
    const [, gone = ''] = store.names('heads/')
    store.objects.set(gone, { bytes: Buffer.from('{'), modifiedMs: clock.now() })
    const { faults } = await node.finish<ArchiveReport>(archivingOf(node).verify())
    expect(faults).toHaveLength(2)
    expect(faults[0]?.problem).toMatch(/other bytes than its name says; it is archived again/)
    await minutes(3)
    expect(await node.finish(archivingOf(node).verify())).toMatchObject({ faults: [] })
  })
})

describe('what was deleted', () => {
  async function withDeleted(options: SimulatedNodeOptions = {}) {
    const node = nodeWith(options)
    await node.start()
    const photos = await fill(node)
    await minutes(3)
    const gone = [...photos.keys()].slice(0, 5)
    const before = volumesIn('heads/')
    for (const id of gone) {
      await node.services.photos.remove(id)
      photos.delete(id)
    }
    await node.finish(node.services.maintenance.compact(true))
    const left = node.services.local.volumes.volumes().map(({ id }) => id as string)
    const retired = before.filter(id => !left.includes(id))
    expect(retired.length).toBeGreaterThan(0)
    return { node, photos, retired }
  }

  test('leaves the archive once what was moved out of its volumes is there', async () => {
    const { node, photos, retired } = await withDeleted()
    await minutes(5)
    for (const id of retired) expect(store.names().filter(name => name.includes(id))).toEqual([])
    const fresh = nodeWith({ seed: 7, origin: new Uint8Array(32).fill(7) })
    await fresh.start()
    await fresh.finish(archivingOf(fresh).restore())
    await expectExactly(fresh, photos)
    expect(node.running).toBe(true)
  })

  test('stays while that cannot be archived, and leaves within the purge period all the same', async () => {
    const { retired } = await withDeleted({ purgeMs: 2 * HOUR_MS })
    store.fail = (call, name) =>
      call === 'put' && name.startsWith('pieces/') ? new SheafError('ERR_ARCHIVE_FULL') : undefined
    await minutes(60)
    expect(volumesIn('heads/')).toEqual(expect.arrayContaining(retired))
    await minutes(62)
    for (const id of retired) expect(store.names().filter(name => name.includes(id))).toEqual([])
  })
})

describe('an encrypted archive', () => {
  const [OLD, NEW] = ['an older line that is as long as it has to be', 'a line of a key file that is long enough']

  test('shows nothing, and opens with its key alone', async () => {
    const node = nodeWith({ archive: archiveWith(OLD) })
    await node.start()
    const bytes = Buffer.alloc(100_000, 'this can be read ')
    const photos = new Map<PhotoId, Uint8Array>([[await upload(node, bytes), bytes]])
    await minutes(3)
    expect(archivingOf(node).status()).toMatchObject({ isSealed: true, behindBytes: 0 })
    for (const { bytes: stored } of store.objects.values())
      expect(Buffer.from(stored).includes('can be read')).toBe(false)
    node.die('kill')

    for (const archive of [archiveWith(), archiveWith(NEW)]) {
      const { log, lines } = keepingLog()
      const stranger = nodeWith({ seed: 3, origin: new Uint8Array(32).fill(3), archive, log })
      await stranger.start()
      await upload(stranger, Buffer.alloc(1_000, 'plain'))
      const names = store.names()
      await minutes(4)
      expect(archivingOf(stranger).status()).toMatchObject({ state: 'failing', error: { code: 'ERR_ARCHIVE_KEY' } })
      expect(lines).toHaveLength(1)
      expect(store.names()).toEqual(names)
      await expect(stranger.finish(archivingOf(stranger).restore())).rejects.toThrow('ERR_ARCHIVE_KEY')
      await stranger.stop()
    }
    const fresh = nodeWith({ seed: 7, origin: new Uint8Array(32).fill(7), archive: archiveWith(NEW, OLD) })
    await fresh.start()
    await fresh.finish(archivingOf(fresh).restore())
    await expectExactly(fresh, photos)
  })

  test('whose key is replaced opens with both, also a volume that has grown under both', async () => {
    const node = nodeWith({ archive: archiveWith(OLD) })
    await node.start()
    const photos = await fill(node, 3)
    await minutes(3)
    for (const [id, bytes] of await fill(node, 1)) photos.set(id, bytes)
    await node.stop()
    const later = nodeWith({ seed: 2, archive: archiveWith(NEW, OLD) })
    later.restore(node.backUp())
    await later.start()
    await minutes(3)
    expect([volumesIn('pieces/').length, store.names('pieces/').length]).toEqual([1, 2])
    expect((await later.finish<ArchiveReport>(archivingOf(later).verify())).faults).toEqual([])
    const fresh = nodeWith({ seed: 7, origin: new Uint8Array(32).fill(7), archive: archiveWith(NEW, OLD) })
    await fresh.start()
    await fresh.finish(archivingOf(fresh).restore())
    await expectExactly(fresh, photos)
  })

  test('that was not encrypted at first becomes so, and the plain objects go', async () => {
    const node = nodeWith()
    await node.start()
    const photos = await fill(node)
    await minutes(3)
    await node.stop()
    const sealing = nodeWith({ archive: archiveWith(NEW) })
    sealing.restore(node.backUp())
    await sealing.start()
    await minutes(3)
    expect(store.names('heads/').every(name => /-[0-9a-f]{16}$/.test(name))).toBe(true)
    for (const { bytes } of store.objects.values())
      expect(Buffer.from(bytes.subarray(0, 8)).toString('latin1')).toBe('SHEAFSEA')
    const fresh = nodeWith({ seed: 7, origin: new Uint8Array(32).fill(7), archive: archiveWith(NEW) })
    await fresh.start()
    await fresh.finish(archivingOf(fresh).restore())
    await expectExactly(fresh, photos)
  })
})

test('holes that no node can fill are filled out of the archive', async () => {
  const node = nodeWith()
  await node.start()
  const photos = await fill(node, 4)
  await minutes(3)
  const volume = node.services.local.volumes.volumes()[0]
  if (volume === undefined) throw new Error('there is a volume')
  await volume.file.write([Buffer.alloc(64, 1)], 70_000)
  await node.finish(node.services.maintenance.scrub())
  expect(volume.holes).toHaveLength(1)
  const { faults } = await node.finish<ArchiveReport>(archivingOf(node).restore())
  expect(faults).toEqual([])
  expect(volume.holes).toEqual([])
  await expectExactly(node, photos)
})

test('damage that is found on the way to the archive becomes a hole, to be filled', async () => {
  const { log, lines } = keepingLog()
  const node = nodeWith({ log })
  await node.start()
  await fill(node, 4)
  const [volume] = node.services.local.volumes.volumes()
  if (volume === undefined) throw new Error('there is a volume')
  await node.finish(node.services.maintenance.scrub()) // so that it is not the scrub that finds it
  expect(volumesIn('heads/')).toEqual([])
  await volume.file.write([Buffer.alloc(64, 1)], 70_000)
  await minutes(3)
  expect(volume.holes).toHaveLength(1)
  expect(lines).toContain('this volume has damage; marked it as a hole to be repaired from peers')
})

test('what an upload that ended early has left is swept a day later, and nothing that may still be needed', async () => {
  const node = nodeWith({ volumeBytes: 10_000_000 })
  await node.start()
  await fill(node, 2)
  store.fail = (call, name) =>
    call === 'put' && name.startsWith('heads/') ? new SheafError('ERR_ARCHIVE_FULL') : undefined
  await minutes(3)
  const left = store.names('pieces/')
  expect(left).toHaveLength(1)
  await fill(node, 1)
  await minutes(3)
  store.fail = () => undefined
  await minutes(3)
  await fill(node, 1)
  await minutes(3)
  expect(store.names('pieces/')).toEqual(expect.arrayContaining(left))
  for (let hour = 0; hour < 30; hour++) await clock.advance(HOUR_MS)
  await fill(node, 1)
  await minutes(3)
  expect(store.names('pieces/').filter(name => left.includes(name))).toEqual([])
  expect(await node.finish(archivingOf(node).verify())).toMatchObject({ faults: [] })
})
