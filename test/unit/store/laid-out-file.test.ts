import { expect, test } from 'vitest'
import { silentLog } from '../../../src/core/log.js'
import { hlcFrom } from '../../../src/domain/hlc.js'
import { type NodeId, newCookie, newPhotoId, type PhotoId } from '../../../src/domain/ids.js'
import { createChanges, PHOTO_KIND } from '../../../src/domain/photo.js'
import { changeRecord, type DirectoryRecord } from '../../../src/domain/record.js'
import { encodeRecord } from '../../../src/domain/record-codec.js'
import { LaidOut } from '../../../src/store/laid-out.js'
import { encodeFrame, LaidOutFile } from '../../../src/store/laid-out-file.js'
import { SeededRandom } from '../../support/seeded-random.js'
import { SimulatedClock } from '../../support/simulated-clock.js'
import { SimulatedDisk } from '../../support/simulated-disk.js'
import { SimulatedFileSystem } from '../../support/simulated-file-system.js'

const clock = new SimulatedClock()
const random = new SeededRandom(1)
const OTHER = 'other' as NodeId
const UNDO_MS = 1_000

function photo(): DirectoryRecord {
  const birth = {
    size: 1,
    sha256: 'ab'.repeat(32),
    contentType: 'image/jpeg',
    cookie: newCookie(random),
    logicalVolume: 'v',
    chunkBytes: 0,
    name: 'a'
  }
  const stamper = { actor: '0123456789abcdef' as never, hlc: () => hlcFrom(clock.now()) }
  return changeRecord({ kind: PHOTO_KIND, id: newPhotoId(clock, random) }, undefined, stamper, createChanges(birth))
}

function laidOutOn(disk: SimulatedDisk, age = () => clock.monotonic()): LaidOut {
  return new LaidOut(
    {
      fileSystem: new SimulatedFileSystem(disk),
      clock,
      log: silentLog,
      age,
      since: at => age() - at,
      roundAt: () => undefined,
      undoMs: () => UNDO_MS,
      photos: () => 1,
      isOwn: () => false,
      nameOf: from => from
    },
    '/data/laid-out'
  )
}

/** @returns the ids that a process that starts now finds in the file */
async function idsInFile(disk: SimulatedDisk): Promise<string[]> {
  const next = laidOutOn(disk)
  await next.load()
  return next.list().map(({ key }) => key.id)
}

function layOut(laidOut: LaidOut, record: DirectoryRecord): Promise<void> {
  return laidOut.layOut([{ record, generation: 0, from: OTHER }])
}

test('what is laid out while something is let go is in the file, and what was let go is not', async () => {
  const disk = new SimulatedDisk({ random, folders: ['/data'] })
  const laidOut = laidOutOn(disk)
  const records = Array.from({ length: 6 }, photo)
  const [a, b, c, d, e, f] = records.map(({ id }) => id as PhotoId)
  for (const record of records.slice(0, 3)) await layOut(laidOut, record)
  const release = (id: PhotoId | undefined): Promise<number> => laidOut.release(({ key }) => key.id === id)
  await Promise.all([
    release(a),
    layOut(laidOut, records[3] as DirectoryRecord),
    release(b),
    layOut(laidOut, records[4] as DirectoryRecord),
    layOut(laidOut, records[5] as DirectoryRecord),
    release(e)
  ])
  expect(laidOut.list().map(({ key }) => key.id)).toEqual([c, d, f])
  expect(await idsInFile(disk)).toEqual([c, d, f])
})

test('what could not be written is written with the next', async () => {
  const disk = new SimulatedDisk({ random, folders: ['/data'] })
  const laidOut = laidOutOn(disk)
  const records = [photo(), photo()] as const
  disk.fail('write')
  await layOut(laidOut, records[0])
  expect(await idsInFile(disk)).toEqual([])
  disk.heal()
  await layOut(laidOut, records[1])
  expect(await idsInFile(disk)).toEqual(records.map(({ id }) => id))
})

test('an entry is kept for an undo period of this node’s age', async () => {
  let ageMs = 5_000
  const laidOut = laidOutOn(new SimulatedDisk({ random, folders: ['/data'] }), () => ageMs)
  await layOut(laidOut, photo())
  const [entry] = laidOut.list()
  if (entry === undefined) throw new Error('nothing is laid out')
  expect(laidOut.keptForMs(entry)).toBe(UNDO_MS)
  ageMs += 400
  expect(laidOut.keptForMs(entry)).toBe(UNDO_MS - 400)
  ageMs += UNDO_MS
  expect(laidOut.keptForMs(entry)).toBe(0)
})

test('what was let go while the disk refused is out of the file once it takes it', async () => {
  const disk = new SimulatedDisk({ random, folders: ['/data'] })
  const laidOut = laidOutOn(disk)
  const [gone, kept] = [photo(), photo()] as const
  await layOut(laidOut, gone)
  await layOut(laidOut, kept)
  disk.fail('write')
  await expect(laidOut.release(({ key }) => key.id === gone.id)).rejects.toMatchObject({ code: 'ERR_DISK_WRITE' })
  disk.heal()
  await laidOut.expire()
  expect(await idsInFile(disk)).toEqual([kept.id])
})

test('damage to one entry does not end the others', async () => {
  const disk = new SimulatedDisk({ random, folders: ['/data'] })
  const laidOut = laidOutOn(disk)
  const records = [photo(), photo(), photo()] as const
  for (const record of records) await layOut(laidOut, record)
  const fileSystem = new SimulatedFileSystem(disk)
  const bytes = Buffer.from((await fileSystem.readFile('/data/laid-out')) ?? [])
  bytes[100] = ~(bytes[100] ?? 0)
  await fileSystem.writeFileAtomic('/data/laid-out', bytes)
  expect(await idsInFile(disk)).toEqual(records.slice(1).map(({ id }) => id))
})

test('if the node’s age was lost, an entry is kept for one undo period from then on', async () => {
  const disk = new SimulatedDisk({ random, folders: ['/data'] })
  let ageMs = 1_000_000
  await layOut(
    laidOutOn(disk, () => ageMs),
    photo()
  )
  ageMs = 0
  const next = laidOutOn(disk, () => ageMs)
  await next.load()
  ageMs = UNDO_MS - 1
  await next.expire()
  expect(next.size).toBe(1)
  ageMs = UNDO_MS
  await next.expire()
  expect([next.size, await idsInFile(disk)]).toEqual([0, []])
})

test('an entry that is no record is left out, and does not end the others', async () => {
  const disk = new SimulatedDisk({ random, folders: ['/data'] })
  const file = new LaidOutFile(new SimulatedFileSystem(disk), '/data/laid-out')
  const entry = { generation: 0, from: OTHER, at: 0, diedAtMs: 0, isAlarming: false }
  const record = photo()
  await file.append(
    [Uint8Array.of(1, 2, 3), encodeRecord(record)].map(bytes => encodeFrame({ entry: { ...entry, record: bytes } }))
  )
  expect(await idsInFile(disk)).toEqual([record.id])
})
