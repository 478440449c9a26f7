import { expect, test } from 'vitest'
import { silentLog } from '../../../src/core/log.js'
import type { Doomed } from '../../../src/directory/directory.js'
import type { NodeId, VolumeId } from '../../../src/domain/ids.js'
import type { DirectoryRecord, RecordKey } from '../../../src/domain/record.js'
import { encodeRecord } from '../../../src/domain/record-codec.js'
import { LaidOut } from '../../../src/store/laid-out.js'
import { SeededRandom } from '../../support/seeded-random.js'
import { SimulatedClock } from '../../support/simulated-clock.js'
import { SimulatedDisk } from '../../support/simulated-disk.js'
import { SimulatedFileSystem } from '../../support/simulated-file-system.js'
import { PhotoWriter } from '../directory/photo-log.js'

const PATH = '/data/laid-out'
const DAY_MS = 86_400_000
const UNDO_MS = 30 * DAY_MS
const PEER = 'node-b' as NodeId
const OWN = '00000000000000aa-1' as VolumeId

/** The processes of a node that has been compared with its peers, and has 10,000 photos. */
class Fixture {
  readonly clock = new SimulatedClock()
  readonly writer = new PhotoWriter()
  readonly disk = new SimulatedDisk({ random: new SeededRandom(1), folders: ['/data'] })
  age = 40 * DAY_MS
  roundAt: number | undefined = 40 * DAY_MS
  photos: number | undefined = 10_000
  laidOut!: LaidOut
  readonly released: RecordKey[] = []

  async start(isEmpty = false): Promise<LaidOut> {
    this.laidOut = new LaidOut(
      {
        fileSystem: new SimulatedFileSystem(this.disk),
        clock: this.clock,
        log: silentLog,
        age: () => this.age,
        since: at => this.age - at,
        roundAt: () => this.roundAt,
        undoMs: () => UNDO_MS,
        photos: () => this.photos,
        isOwn: from => from === OWN,
        nameOf: from => `name of ${from}`
      },
      PATH
    )
    this.laidOut.onReleased(keys => this.released.push(...keys))
    await this.laidOut.load()
    this.laidOut.began(isEmpty)
    return this.laidOut
  }

  async restart(): Promise<LaidOut> {
    this.disk.crash()
    return this.start()
  }

  doomed(count = 1, from: Doomed['from'] = PEER): Doomed[] {
    return Array.from({ length: count }, () => ({ record: this.writer.birth(), generation: 0, from }))
  }

  tombstone(): Doomed {
    return { record: this.writer.delete(this.writer.birth().id), generation: 0, from: PEER }
  }

  get ids(): string[] {
    return this.laidOut.list().map(({ key }) => key.id)
  }
}

async function started(): Promise<Fixture> {
  const fixture = new Fixture()
  await fixture.start()
  return fixture
}

const idsOf = (doomed: readonly Doomed[]): string[] => doomed.map(({ record }) => record.id)
const hex = (record: DirectoryRecord): string => Buffer.from(encodeRecord(record)).toString('hex')

test('what was laid out survives a power failure, with all that is known of it', async () => {
  const fixture = await started()
  const [first] = fixture.doomed() as [Doomed]
  await fixture.laidOut.layOut([first])
  fixture.age += 5
  const more = [...fixture.doomed(2), fixture.tombstone()]
  await fixture.laidOut.layOut(more)
  expect(fixture.laidOut.list().map(({ isAlarming }) => isAlarming)).toEqual([true, true, true, false])
  await fixture.restart()
  for (const { record } of [first, ...more]) {
    const kept = await fixture.laidOut.read(record)
    expect(kept && hex(kept)).toBe(hex(record))
  }
  expect(fixture.laidOut.get(first.record)).toMatchObject({
    key: { kind: 'photo', id: first.record.id },
    generation: 0,
    from: 'name of node-b',
    at: 40 * DAY_MS,
    diedAtMs: fixture.clock.now(),
    isAlarming: true
  })
})

test('the lives up to that of the grave are held, and no others', async () => {
  const fixture = await started()
  const [{ record }] = fixture.doomed() as [Doomed]
  await fixture.laidOut.layOut([{ record, generation: 2, from: undefined }])
  const { laidOut } = fixture
  expect([0, 2, 3].map(generation => laidOut.holds(record, generation))).toEqual([true, true, false])
  expect(laidOut.holds(fixture.writer.birth(), 0)).toBe(false)
  expect(laidOut.get(record)?.from).toBe('')
})

test('what this node buries itself is not laid out', async () => {
  const fixture = await started()
  await fixture.laidOut.layOut(fixture.doomed(2, OWN))
  expect(fixture.laidOut.size).toBe(0)
  await fixture.laidOut.layOut([...fixture.doomed(1, OWN), ...fixture.doomed(1)])
  expect(fixture.laidOut.size).toBe(1)
})

test.each([
  ['cut off', (bytes: Buffer) => bytes.subarray(0, -3)],
  ['garbled', (bytes: Buffer) => bytes.fill(7, bytes.length - 4)],
  ['zeros', (bytes: Buffer) => bytes.fill(0)],
  ['a head alone', (bytes: Buffer) => bytes.subarray(0, 5)]
])('a last entry that is %s is left out, and the next takes its place', async (_how, spoil) => {
  const fixture = await started()
  const whole = fixture.doomed(2)
  await fixture.laidOut.layOut(whole)
  const end = fixture.disk.file(PATH).size
  await fixture.laidOut.layOut(fixture.doomed())
  const file = fixture.disk.file(PATH)
  const tail = Buffer.alloc(file.size - end)
  fixture.disk.read(file, tail, end)
  const spoiled = spoil(tail)
  fixture.disk.truncate(PATH, end)
  fixture.disk.write(fixture.disk.file(PATH), spoiled, end)
  fixture.disk.file(PATH).sync()
  await fixture.start()
  expect(fixture.ids).toEqual(idsOf(whole))
  const next = fixture.doomed()
  await fixture.laidOut.layOut(next)
  await fixture.restart()
  expect(fixture.ids).toEqual(idsOf([...whole, ...next]))
})

test('on a full disk it is kept in memory, and written once there is space', async () => {
  const fixture = await started()
  const first = fixture.doomed()
  await fixture.laidOut.layOut(first)
  const { capacityBytes } = fixture.disk
  fixture.disk.capacityBytes = 0
  const second = fixture.doomed()
  await fixture.laidOut.layOut(second)
  expect(fixture.laidOut.holds(second[0]?.record as RecordKey, 0)).toBe(true)
  await fixture.laidOut.expire()
  fixture.disk.capacityBytes = capacityBytes
  await fixture.laidOut.expire()
  await fixture.restart()
  expect(fixture.ids).toEqual(idsOf([...first, ...second]))
})

test('what is released is gone for good, and whoever counts needles is told', async () => {
  const fixture = await started()
  const [a, b] = fixture.doomed(2) as [Doomed, Doomed]
  await fixture.laidOut.layOut([a, b])
  expect(await fixture.laidOut.release(({ key }) => key.id === a.record.id)).toBe(1)
  expect(fixture.released).toEqual([{ kind: 'photo', id: a.record.id }])
  expect(await fixture.laidOut.release(() => false)).toBe(0)
  await fixture.restart()
  expect(fixture.ids).toEqual([b.record.id])
  await fixture.laidOut.layOut(fixture.doomed())
  fixture.disk.capacityBytes = 0
  await expect(fixture.laidOut.release(({ key }) => key.id === b.record.id)).rejects.toMatchObject({
    code: 'ERR_DISK_FULL'
  })
})

test('it is let go after one undo period', async () => {
  const fixture = await started()
  const first = fixture.doomed()
  await fixture.laidOut.layOut(first)
  fixture.age += 1_000
  const second = fixture.doomed()
  await fixture.laidOut.layOut(second)
  fixture.age += UNDO_MS - 1_001
  await fixture.laidOut.expire()
  expect(fixture.laidOut.size).toBe(2)
  fixture.age += 1
  await fixture.laidOut.expire()
  expect(fixture.ids).toEqual(idsOf(second))
})

test('more than 2 % of the photos in a day is an alarm, and nothing is let go while it lasts', async () => {
  const fixture = await started()
  fixture.photos = 98
  await fixture.laidOut.layOut(fixture.doomed(2))
  expect(fixture.laidOut.isAlarming).toBe(false)
  fixture.photos = 97
  await fixture.laidOut.layOut(fixture.doomed(1))
  expect(fixture.laidOut.isAlarming).toBe(true)
  fixture.age += 2 * UNDO_MS
  await fixture.laidOut.expire()
  expect(fixture.laidOut.size).toBe(3)
  await fixture.laidOut.release(() => true)
  expect(fixture.laidOut.isAlarming).toBe(false)
})

test('more than 1,000 in a day is an alarm on however large a node, also while its photos cannot be counted', async () => {
  const fixture = await started()
  fixture.photos = 1_000_000
  await fixture.laidOut.layOut(fixture.doomed(1_000))
  expect(fixture.laidOut.isAlarming).toBe(false)
  fixture.age += DAY_MS + 1
  await fixture.laidOut.layOut(fixture.doomed(1_000))
  expect(fixture.laidOut.isAlarming).toBe(false)
  await fixture.laidOut.layOut(fixture.doomed(1))
  expect(fixture.laidOut.isAlarming).toBe(true)
  fixture.photos = undefined
  await fixture.restart()
  expect(fixture.laidOut.isAlarming).toBe(true)
  fixture.age += DAY_MS + 1
  expect(fixture.laidOut.isAlarming).toBe(true)
  const [one] = fixture.laidOut.list()
  await fixture.laidOut.release(entry => entry !== one && entry.at < 41 * DAY_MS)
  expect([fixture.laidOut.size, fixture.laidOut.isAlarming]).toEqual([1_002, true])
  await fixture.laidOut.release(entry => entry === one)
  await fixture.laidOut.release(entry => entry === fixture.laidOut.list()[0])
  expect([fixture.laidOut.size, fixture.laidOut.isAlarming]).toEqual([1_000, false])
})

test('an alarm does not end because photos are added', async () => {
  const fixture = await started()
  fixture.photos = 0
  await fixture.laidOut.layOut(fixture.doomed(5))
  fixture.photos = 100_000
  fixture.age += 2 * UNDO_MS
  await fixture.laidOut.expire()
  expect([fixture.laidOut.size, fixture.laidOut.isAlarming]).toEqual([5, true])
})

test('the file is written anew once most of it is of no use, and not before', async () => {
  const fixture = await started()
  const first = fixture.doomed(400)
  await fixture.laidOut.layOut(first)
  const last = fixture.doomed(400)
  await fixture.laidOut.layOut(last)
  const whole = fixture.disk.file(PATH).size
  const chosen = new Set(idsOf([...first.slice(0, 300), ...last.slice(5)]))
  await fixture.laidOut.release(({ key }) => chosen.has(key.id))
  expect(fixture.disk.file(PATH).size).toBeGreaterThan(whole)
  await fixture.laidOut.expire()
  const tidied = fixture.disk.file(PATH).size
  expect(tidied).toBeLessThan(whole / 4)
  const next = fixture.doomed(1)
  await fixture.laidOut.layOut(next)
  const kept = [...first.slice(300), ...last.slice(0, 5), ...next]
  for (const { record } of kept) expect((await fixture.laidOut.read(record))?.id).toBe(record.id)
  await fixture.restart()
  expect(fixture.ids).toEqual(idsOf(kept))
  for (const { record } of kept) expect((await fixture.laidOut.read(record))?.id).toBe(record.id)
})

test.each<[string, (fixture: Fixture) => void]>([
  [
    'that was never compared with another',
    fixture => {
      fixture.roundAt = undefined
    }
  ],
  [
    'that was away for longer than an undo period',
    fixture => {
      fixture.roundAt = fixture.age - UNDO_MS - 1
    }
  ]
])('on a node %s it is a report and no alarm', async (_which, prepare) => {
  const fixture = await started()
  fixture.photos = 0
  prepare(fixture)
  await fixture.laidOut.layOut(fixture.doomed(50))
  expect([fixture.laidOut.size, fixture.laidOut.isAlarming]).toEqual([50, false])
})

test('deletes that others buried early are no alarm', async () => {
  const fixture = await started()
  fixture.photos = 0
  await fixture.laidOut.layOut([fixture.tombstone(), fixture.tombstone()])
  expect([fixture.laidOut.size, fixture.laidOut.isAlarming]).toEqual([2, false])
})

test('a node that was empty at its start lays out nothing before it has been compared with another', async () => {
  const fixture = new Fixture()
  await fixture.start(true)
  await fixture.laidOut.layOut(fixture.doomed(3))
  expect(fixture.laidOut.size).toBe(0)
  fixture.laidOut.settleIn()
  await fixture.laidOut.layOut(fixture.doomed(3))
  expect(fixture.laidOut.size).toBe(3)
})

test('sessions and API keys stay ended, and are in no list', async () => {
  const fixture = new Fixture()
  const laidOut = await fixture.start()
  const [photo, other] = fixture.doomed(2) as [Doomed, Doomed]
  const session = { ...other, record: { ...other.record, kind: 'session' } }
  await laidOut.layOut([session, photo, { ...session, record: { ...session.record, kind: 'key' } }])
  expect(laidOut.list().map(({ key }) => key.kind)).toEqual(['photo'])
})
