import { describe, expect, it } from 'vitest'
import { hasCode, SheafError } from '../../src/core/errors.js'
import type { PhotoId } from '../../src/domain/ids.js'
import { needleBytes } from '../../src/domain/needle.js'
import { SUPERBLOCK_BYTES } from '../../src/domain/superblock.js'
import type { NeedleLocation } from '../../src/volumes/needle-store.js'
import { rereadHole } from '../../src/volumes/reread-holes.js'
import type { Volume } from '../../src/volumes/volume.js'
import { VolumeCopies } from '../../src/volumes/volume-copies.js'
import type { ScanEvent } from '../../src/volumes/volume-scan.js'
import type { VolumeSet } from '../../src/volumes/volume-set.js'
import { deferred } from '../support/deferred.js'
import { settle } from '../support/simulated-clock.js'
import {
  draftOf,
  type FixtureOptions,
  identityOf,
  only,
  VOLUME_FOLDER,
  VolumeFixture
} from '../support/volume-fixture.js'

type Photos = Map<PhotoId, Uint8Array>

async function put(fixture: VolumeFixture, volumes: VolumeSet, photos: Photos, byteCount: number): Promise<PhotoId> {
  const id = fixture.photoId()
  const bytes = fixture.bytes(byteCount)
  const record = fixture.bytes(100)
  await volumes.append([draftOf(identityOf(id), bytes), draftOf(identityOf(id, 'record'), record)], 'upload')
  photos.set(id, bytes)
  return id
}

async function readBack(volumes: VolumeSet, id: PhotoId): Promise<Uint8Array> {
  const identity = identityOf(id)
  return volumes.read(only(volumes.locate(identity)), identity)
}

async function expectAll(volumes: VolumeSet, photos: Photos, except?: PhotoId): Promise<void> {
  for (const [id, bytes] of photos) {
    if (id !== except) expect(Buffer.from(await readBack(volumes, id)).equals(bytes)).toBe(true)
  }
}

async function filled(options: FixtureOptions = {}, sizes = [10, 70_000, 0, 200_000, 5_000]) {
  const fixture = new VolumeFixture(options)
  const volumes = await fixture.start()
  const photos: Photos = new Map()
  for (const size of sizes) await put(fixture, volumes, photos, size)
  return { fixture, volumes, photos }
}

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

describe('volumes', () => {
  it('reads back what was appended, whole, by range and from a pooled buffer', async () => {
    const { volumes, photos } = await filled()
    await expectAll(volumes, photos)
    for (const [id, bytes] of photos) {
      const identity = identityOf(id)
      const location = only(volumes.locate(identity))
      const lease = volumes.readSync(location, identity)
      expect(Buffer.from(lease.data).equals(bytes)).toBe(true)
      lease.release()
      for (const [start, end] of [
        [0, bytes.byteLength],
        [1, bytes.byteLength - 1],
        [65_535, 65_537],
        [130_000, 200_000]
      ] as const) {
        if (start >= end || end > bytes.byteLength) continue
        const parts: Uint8Array[] = []
        for await (const part of volumes.readRange(location, identity, start, end)) parts.push(part)
        expect(Buffer.concat(parts).equals(bytes.subarray(start, end))).toBe(true)
      }
    }
  })

  it('readers of ranges hold less each, the more there are, and get the right bytes', async () => {
    const fixture = new VolumeFixture({ volumeBytes: 8_000_000 })
    const volumes = await fixture.start()
    const photos: Photos = new Map()
    await put(fixture, volumes, photos, 3_000_000)
    const [id, bytes] = [...photos][0] as [PhotoId, Uint8Array]
    const location = only(volumes.locate(identityOf(id)))
    const open = () => volumes.readRange(location, identityOf(id), 0, bytes.byteLength)[Symbol.asyncIterator]()
    for (const [count, pieceBytes] of [
      [1, 1_048_576],
      [64, 1_048_576],
      [200, 5 * 65_536],
      [1_500, 65_536]
    ] as const) {
      const readers = Array.from({ length: count }, open)
      const first = await Promise.all(readers.map(reader => reader.next()))
      // the first ones began when there were few
      expect(first.at(-1)?.value?.byteLength, `${count} readers`).toBe(pieceBytes)
      const parts: Uint8Array[] = [first[0]?.value as Uint8Array]
      for await (const part of { [Symbol.asyncIterator]: () => readers[0] as AsyncIterator<Uint8Array> })
        parts.push(part)
      expect(Buffer.concat(parts).equals(bytes)).toBe(true)
      for (const reader of readers) await reader.return?.()
    }
    const [alone] = [open()]
    expect((await alone.next()).value?.byteLength).toBe(1_048_576)
    await alone.return?.()
  })

  it('appends of one moment share a sync', async () => {
    const fixture = new VolumeFixture()
    const volumes = await fixture.start()
    const groups: number[] = []
    const apply = fixture.applied.apply.bind(fixture.applied)
    fixture.applied.apply = group => {
      groups.push(group.needles.length)
      return apply(group)
    }
    const photos: Photos = new Map()
    await Promise.all(Array.from({ length: 40 }, () => put(fixture, volumes, photos, 1000)))
    expect(groups.reduce((a, b) => a + b)).toBe(80)
    expect(groups.length).toBeLessThan(8)
    await expectAll(volumes, photos)
  })

  it('rolls over at 95 % of the capacity, writes no file of an earlier process, and lists every needle', async () => {
    const { fixture, volumes, photos } = await filled({ volumeBytes: 400_000 }, Array(20).fill(60_000))
    expect(fixture.volumeFiles().length).toBe(Math.ceil(20 / 6))
    for (const volume of volumes.volumes()) expect(volume.end).toBeLessThanOrEqual(380_000)
    const again = await fixture.restart()
    await put(fixture, again, photos, 100)
    expect(new Set(fixture.volumeFiles().map(name => name.slice(0, 16))).size).toBe(2)
    await expectAll(again, photos)
    let rows = 0
    for (const volume of again.volumes()) for await (const batch of volume.rows()) rows += batch.length
    expect(rows).toBe(42)
  })

  it.each(['kept', 'lost'])(
    'finds everything after a stop, a kill and a loss of power; directory %s',
    async directory => {
      const { fixture, photos } = await filled({ volumeBytes: 300_000 })
      for (const end of ['stop', 'kill', 'crash'] as const) {
        if (end !== 'stop') fixture.disk[end]()
        if (directory === 'lost') fixture.applied.forget()
        const volumes = end === 'stop' ? await fixture.restart() : await fixture.start()
        await expectAll(volumes, photos)
        expect(volumes.recovery?.holes).toBe(0)
        expect(fixture.applied.records.length).toBe(photos.size)
        await put(fixture, volumes, photos, 30_000)
      }
    }
  )

  it('names the volume that is being made, also when a new epoch begins meanwhile', async () => {
    const fixture = new VolumeFixture()
    const volumes = await fixture.start()
    const appended = volumes.append([draftOf(identityOf(fixture.photoId()), fixture.bytes(10))], 'upkeep')
    const { epoch, logicalVolume } = volumes
    await volumes.replay(async () => {})
    expect(volumes.epoch).not.toBe(epoch)
    expect(volumes.logicalVolume).toBe(logicalVolume)
    expect(only(await appended).volume).toBe(logicalVolume)
  })

  it('a torn tail at every byte of the last needle costs nothing that was acknowledged', async () => {
    const { fixture, photos } = await filled({}, [3_000, 500])
    const volumes = await fixture.restart()
    const before = new Map(photos)
    const torn = await put(fixture, volumes, photos, 900)
    const path = `${VOLUME_FOLDER}/${volumes.epoch}-1.volume`
    const image = fixture.disk.snapshot()
    const size = SUPERBLOCK_BYTES + needleBytes(900) + needleBytes(100)
    for (let cut = SUPERBLOCK_BYTES; cut < size; cut++) {
      fixture.disk.restore(image)
      fixture.disk.truncate(path, cut)
      fixture.applied.forget() // LevelDB lags: the tail counts as never applied
      const again = await fixture.start()
      await expectAll(again, before)
      const survives = cut >= SUPERBLOCK_BYTES + needleBytes(900)
      expect(again.locate(identityOf(torn)).length).toBe(survives ? 1 : 0)
      expect(again.recovery?.holes).toBe(0)
      const end = survives ? SUPERBLOCK_BYTES + needleBytes(900) : SUPERBLOCK_BYTES
      expect(again.recovery?.tornBytes).toBe(cut - end)
    }
  })

  it('a tail that is cut although it was applied is a hole, and is said to be one', async () => {
    const { fixture, volumes, photos } = await filled({}, [3_000, 900])
    const path = `${VOLUME_FOLDER}/${volumes.epoch}-1.volume`
    const [kept, lost] = [...photos.keys()] as [PhotoId, PhotoId]
    const cut = only(volumes.locate(identityOf(lost))).offset + 100
    for (const orderly of [true, false]) {
      const image = fixture.disk.snapshot()
      if (orderly) await volumes.stop()
      fixture.disk.kill()
      fixture.disk.truncate(path, cut)
      const again = await fixture.start()
      expect(again.recovery).toMatchObject({ holes: 1, tornBytes: 0 })
      expect(Buffer.from(await readBack(again, kept)).equals(photos.get(kept) as Uint8Array)).toBe(true)
      expect(again.locate(identityOf(lost))).toEqual([])
      expect((await again.get(again.volumes()[0]?.id as never)?.head())?.bytes).toBe(cut - 100)
      fixture.disk.restore(image)
    }
  })

  it('one flipped bit anywhere in a needle is never served and harms no other photo', async () => {
    const { fixture, volumes, photos } = await filled({}, [400, 333, 400])
    const damaged = [...photos.keys()][1] as PhotoId
    const { volume, offset } = only(volumes.locate(identityOf(damaged)))
    await volumes.stop()
    const image = fixture.disk.snapshot()
    for (let at = 0; at < needleBytes(333); at++) {
      for (const [index, directory] of [
        ['kept', 'kept'],
        ['lost', 'kept'],
        ['lost', 'lost']
      ]) {
        fixture.disk.restore(image)
        fixture.disk.flipBit(`${VOLUME_FOLDER}/${volume}.volume`, offset + at, at % 8)
        if (index === 'lost') fixture.disk.remove(`${VOLUME_FOLDER}/${volume}.index`)
        const applied = new Map(fixture.applied.volumes)
        if (directory === 'lost') fixture.applied.forget()
        const again = await fixture.start()
        await expectAll(again, photos, damaged)
        const locations = again.locate(identityOf(damaged))
        for (const location of locations) {
          await expect(again.read(location, identityOf(damaged))).rejects.toMatchObject({ code: 'ERR_NEEDLE_CORRUPT' })
        }
        expect(again.locate(identityOf(damaged))).toEqual([])
        expect(again.volumes()[0]?.holes.length).toBe(1)
        for (const [id, progress] of applied) fixture.applied.volumes.set(id, progress)
      }
    }
  })

  it('takes a stale, foreign or garbled index file for what it is', async () => {
    const { fixture, volumes, photos } = await filled()
    await volumes.stop()
    const first = fixture.disk.file(`${VOLUME_FOLDER}/${volumes.epoch}-1.index`)
    const stale = Uint8Array.from({ length: first.size }, () => 0)
    fixture.disk.read(first, stale, 0)
    const indexOf = (bytes: Uint8Array): Promise<void> => {
      fixture.disk.remove(`${VOLUME_FOLDER}/${volumes.epoch}-1.index`)
      fixture.disk.write(fixture.disk.create(`${VOLUME_FOLDER}/${volumes.epoch}-1.index`), bytes, 0)
      return Promise.resolve()
    }
    for (const bytes of [
      stale.subarray(0, 16),
      stale.subarray(0, stale.byteLength - 1),
      stale.map((byte, i) => (i === 60 ? byte ^ 1 : byte)),
      new Uint8Array(5000).fill(7),
      new Uint8Array()
    ]) {
      await indexOf(bytes)
      const again = await fixture.start()
      await expectAll(again, photos)
      expect(again.recovery?.holes).toBe(0)
      await again.stop()
    }
  })

  it('leaves alone what is no volume', async () => {
    const { fixture, photos } = await filled()
    const text = new TextEncoder().encode('not a volume')
    for (const name of ['notes.volume', '0123456789abcdef-1.volume']) {
      fixture.disk.write(fixture.disk.create(`${VOLUME_FOLDER}/${name}`), text, 0)
    }
    const volumes = await fixture.restart()
    expect(volumes.recovery?.foreignFiles).toEqual(['0123456789abcdef-1.volume', 'notes.volume'])
    await expectAll(volumes, photos)
    expect(fixture.volumeFiles()).toContain('notes.volume')
  })

  it('begins a copy where a crash left less than a superblock, and keeps what that was', async () => {
    const { volumes: writer } = await filled()
    const [original] = writer.volumes() as [Volume]
    const fixture = new VolumeFixture()
    fixture.disk.makeFolder(VOLUME_FOLDER)
    const place = `${VOLUME_FOLDER}/${original.id}.volume`
    fixture.disk.write(fixture.disk.create(place), new Uint8Array(125).fill(1), 0)
    fixture.disk.write(fixture.disk.create(`${place}.foreign-1`), new Uint8Array(10), 0)
    const volumes = await fixture.start()
    const copies = new VolumeCopies({ volumes, clock: fixture.clock, reserve: { admit: async () => {} } })
    const superblock = Buffer.alloc(SUPERBLOCK_BYTES)
    await original.file.read(superblock, 0)
    expect((await copies.begin(original.id, superblock)).end).toBe(SUPERBLOCK_BYTES)
    expect(fixture.disk.file(`${place}.foreign-2`).size).toBe(125)
    await volumes.stop()
    fixture.disk.remove(place)
    fixture.disk.makeFolder(place)
    const again = new VolumeCopies({
      volumes: await fixture.start(),
      clock: fixture.clock,
      reserve: { admit: async () => {} }
    })
    await expect(again.begin(original.id, superblock)).rejects.toMatchObject({ code: 'ERR_DISK_WRITE' })
  })

  it('serves a volume whose superblock is damaged, and says so', async () => {
    const { fixture, volumes, photos } = await filled()
    await volumes.stop()
    fixture.disk.flipBit(`${VOLUME_FOLDER}/${volumes.epoch}-1.volume`, 40, 3)
    const again = await fixture.start()
    await expectAll(again, photos)
    expect(again.volumes()[0]?.holes).toMatchObject([{ from: 0, to: SUPERBLOCK_BYTES }])
  })

  it.each(['write', 'sync'] as const)(
    'a failed %s is not retried: the next volume has a fresh epoch',
    async operation => {
      const { fixture, volumes, photos } = await filled()
      const { epoch } = volumes
      fixture.disk.fail(operation, { path: `${VOLUME_FOLDER}/${epoch}-1.volume`, times: 1 })
      const before = new Map(photos)
      const failed = await put(fixture, volumes, photos, 500).catch(error => error)
      expect(hasCode(failed, 'ERR_DISK_WRITE')).toBe(true)
      expect(volumes.epoch).not.toBe(epoch)
      await put(fixture, volumes, before, 500)
      expect(
        volumes
          .volumes()
          .map(volume => volume.state)
          .sort()
      ).toEqual(['active', 'failed'])
      fixture.disk.crash()
      await expectAll(await fixture.start(), before)
    }
  )

  it('a failed sync of a volume that is full already begins a fresh epoch, too', async () => {
    const { fixture, volumes, photos } = await filled({ volumeBytes: 100_000 }, [60_000])
    const { epoch } = volumes
    const [full] = volumes.volumes() as [Volume]
    const held = deferred<void>()
    full.file.sync = () => held.promise
    const failed = put(fixture, volumes, photos, 20_000).catch(error => error)
    for (let turn = 0; turn < 20; turn++) await settle()
    await put(fixture, volumes, new Map(), 60_000)
    expect([volumes.volumes().length, volumes.epoch]).toEqual([2, epoch])
    held.reject(Object.assign(new Error('EIO: simulated'), { code: 'EIO' }))
    expect(hasCode(await failed, 'ERR_DISK_WRITE')).toBe(true)
    expect(volumes.epoch).not.toBe(epoch)
    await put(fixture, volumes, new Map(), 1_000)
    expect(new Set(volumes.volumes().map(({ state }) => state))).toEqual(new Set(['failed', 'closed', 'active']))
  })

  it('a volume that cannot be made leaves nothing behind, on the disk or open', async () => {
    const { fixture, volumes, photos } = await filled({}, [])
    const { freeBytes } = fixture.disk
    fixture.disk.fail('sync', { path: `${VOLUME_FOLDER}/${volumes.epoch}-1.volume`, times: 1 })
    await expect(put(fixture, volumes, photos, 500)).rejects.toMatchObject({ code: 'ERR_DISK_WRITE' })
    // of a removed file that is still open the space would not be free
    expect(fixture.disk.freeBytes).toBe(freeBytes)
    await put(fixture, volumes, photos, 500)
    await expectAll(volumes, photos)
  })

  it('a sector that the disk refuses is a hole, not corruption', async () => {
    const { fixture, volumes, photos } = await filled()
    const [, unreadable] = [...photos.keys()] as [PhotoId, PhotoId]
    const location = only(volumes.locate(identityOf(unreadable)))
    const path = `${VOLUME_FOLDER}/${location.volume}.volume`
    fixture.disk.fail('read', { path, from: location.offset + 4096, to: location.offset + 8192 })
    await expect(volumes.read(location, identityOf(unreadable))).rejects.toMatchObject({ code: 'ERR_DISK_READ' })
    expect(volumes.volumes()[0]?.holes).toMatchObject([{ from: location.offset, reason: 'unreadable' }])
    await expectAll(volumes, photos, unreadable)
    fixture.disk.kill()
    fixture.disk.remove(`${VOLUME_FOLDER}/${location.volume}.index`)
    fixture.applied.forget()
    const again = await fixture.start()
    await expectAll(again, photos, unreadable)
    expect(again.locate(identityOf(unreadable))).toEqual([])
  })

  it('a replay hands over what was repaired, in order, while other damage is left', async () => {
    const fixture = new VolumeFixture()
    const identities = Array.from({ length: 2_500 }, () => identityOf(fixture.photoId(), 'record'))
    const drafts = identities.map(identity => draftOf(identity, fixture.bytes(30)))
    const before = await fixture.start()
    const locations = await before.append(drafts, 'upload')
    await before.stop()
    const [repaired, left] = [locations[7], locations[1_800]] as [NeedleLocation, NeedleLocation]
    const path = `${VOLUME_FOLDER}/${repaired.volume}.volume`
    // without an index file nobody knows what stands in a hole
    fixture.disk.remove(`${VOLUME_FOLDER}/${repaired.volume}.index`)
    for (const { offset } of [repaired, left]) fixture.disk.flipBit(path, offset + 10, 1)
    const volumes = await fixture.start()
    const [volume] = volumes.volumes() as [Volume]
    expect(volume.holes).toMatchObject([{ from: repaired.offset }, { from: left.offset }])
    fixture.disk.flipBit(path, repaired.offset + 10, 1)
    const copies = new VolumeCopies({ volumes, clock: fixture.clock, reserve: { admit: async () => {} } })
    for (const hole of volume.holes) await rereadHole(volume, hole, copies, new AbortController().signal)
    expect(volume.holes).toMatchObject([{ from: left.offset }])
    fixture.applied.forget()
    await volumes.replay()
    const intact = drafts.filter((_, at) => locations[at] !== left)
    expect(fixture.applied.records.map(hexOf)).toEqual(intact.map(({ data }) => hexOf(data)))
  })

  it('a replay without an index file notes the damage that it finds', async () => {
    const fixture = new VolumeFixture()
    const volumes = await fixture.start()
    const drafts = Array.from({ length: 3 }, () => draftOf(identityOf(fixture.photoId(), 'record'), fixture.bytes(50)))
    const [, damaged] = (await volumes.append(drafts, 'upload')) as [NeedleLocation, NeedleLocation]
    const [volume] = volumes.volumes() as [Volume]
    fixture.disk.fail('write', { path: volume.indexPath })
    fixture.disk.flipBit(volume.path, damaged.offset + 10, 1)
    fixture.applied.forget()
    await volumes.replay()
    const hole = { from: damaged.offset, to: damaged.offset + needleBytes(damaged.length) }
    expect(fixture.applied.records).toHaveLength(2)
    expect(volume.holes).toMatchObject([hole])
    expect(fixture.applied.progress(volume.id)).toEqual({ reached: volume.end, gaps: [hole] })
  })

  it('a check does not take back what is repaired while it runs', async () => {
    const fixture = new VolumeFixture()
    const volumes = await fixture.start()
    const drafts = Array.from({ length: 6 }, () => draftOf(identityOf(fixture.photoId()), fixture.bytes(3_000)))
    const locations = await volumes.append(drafts, 'upload')
    const [volume] = volumes.volumes() as [Volume]
    const copies = new VolumeCopies({ volumes, clock: fixture.clock, reserve: { admit: async () => {} } })
    const offsets = locations.map(({ offset }) => offset)
    const [from, to, last] = [offsets[1], offsets[4], offsets[5]] as [number, number, number]
    const original = Buffer.alloc(to - from)
    fixture.disk.read(fixture.disk.file(volume.path), original, from)
    for (const offset of [...offsets.slice(1, 4), last]) fixture.disk.flipBit(volume.path, offset + 4, 1)
    volume.noteHole({ from, to }, 'corrupt')
    const found: ScanEvent[] = []
    for await (const event of volume.verify(SUPERBLOCK_BYTES)) {
      // the scan has read ahead: it still sees the damage
      if (event.kind === 'needle' && event.offset === SUPERBLOCK_BYTES) await copies.fill(volume, from, original)
      if (event.kind === 'hole') found.push(event)
    }
    expect(volume.holes).toMatchObject([{ from: last, to: volume.end }])
    expect(found).toEqual([]) // the repair came across the last one itself
  })

  it('the repair of the last hole notes damage that came meanwhile, and the next one leaves the volume as it was', async () => {
    const fixture = new VolumeFixture()
    const volumes = await fixture.start()
    const drafts = Array.from({ length: 4 }, () => draftOf(identityOf(fixture.photoId(), 'record'), fixture.bytes(40)))
    const offsets = (await volumes.append(drafts, 'upload')).map(({ offset }) => offset)
    const [volume] = volumes.volumes() as [Volume]
    const { chain } = volume
    const copies = new VolumeCopies({ volumes, clock: fixture.clock, reserve: { admit: async () => {} } })
    const [first, second, later, last] = offsets as [number, number, number, number]
    const original = Buffer.alloc(volume.end)
    fixture.disk.read(fixture.disk.file(volume.path), original, 0)
    volume.noteHole({ from: first, to: second }, 'corrupt')
    fixture.disk.flipBit(volume.path, later + 4, 1)
    await copies.fill(volume, first, original.subarray(first, second))
    expect(volume.holes).toMatchObject([{ from: later, to: last, reason: 'corrupt' }])
    await copies.fill(volume, later, original.subarray(later, last))
    expect(volume.holes).toEqual([])
    expect(volume.chain).toEqual(chain)
  })

  it('a read that began before a repair does not take it back', async () => {
    const { fixture, volumes, photos } = await filled({}, [900])
    const [id] = [...photos.keys()] as [PhotoId]
    const location = only(volumes.locate(identityOf(id)))
    const volume = volumes.get(location.volume) as Volume
    const copies = new VolumeCopies({ volumes, clock: fixture.clock, reserve: { admit: async () => {} } })
    const original = Buffer.alloc(needleBytes(location.length))
    fixture.disk.read(fixture.disk.file(volume.path), original, location.offset)
    fixture.disk.flipBit(volume.path, location.offset + 100, 1)
    const { file } = volume
    const read = file.read.bind(file)
    file.read = async (into, position) => {
      const byteCount = await read(into, position)
      file.read = read
      volume.noteHole({ from: location.offset, to: location.offset + original.byteLength }, 'corrupt')
      await copies.fill(volume, location.offset, original)
      return byteCount
    }
    await expect(volumes.read(location, identityOf(id))).rejects.toMatchObject({ code: 'ERR_NEEDLE_CORRUPT' })
    expect(volume.holes).toEqual([])
    await expectAll(volumes, photos)
  })

  it('closing the last hole of a volume reads all of it, and holds up no commit of another', async () => {
    const { fixture, volumes, photos } = await filled({}, [900, 3_000, 900])
    await volumes.closeActive()
    const [volume] = volumes.volumes() as [Volume]
    const { chain, needleCount } = volume
    const original = Buffer.alloc(needleBytes(900))
    fixture.disk.read(fixture.disk.file(volume.path), original, SUPERBLOCK_BYTES)
    volume.noteHole({ from: SUPERBLOCK_BYTES, to: SUPERBLOCK_BYTES + original.byteLength }, 'corrupt')
    const held = deferred<void>()
    const { file } = volume
    const read = file.read.bind(file)
    let reads = 0
    file.read = async (into, position) => {
      reads++
      await held.promise
      return read(into, position)
    }
    const copies = new VolumeCopies({ volumes, clock: fixture.clock, reserve: { admit: async () => {} } })
    const filling = copies.fill(volume, SUPERBLOCK_BYTES, original)
    for (let turn = 0; turn < 100; turn++) await settle()
    expect(reads).toBe(1)
    await put(fixture, volumes, photos, 500)
    held.resolve()
    await filling
    expect([volume.holes, volume.needleCount, volume.chain]).toEqual([[], needleCount, chain])
    await expectAll(volumes, photos)
    expect((await fixture.restart()).recovery).toMatchObject({ holes: 0, scannedNeedles: 0 })
  })

  it('a repaired superblock that the directory does not hear of is repaired again', async () => {
    const { fixture, volumes } = await filled()
    await volumes.stop()
    const path = `${VOLUME_FOLDER}/${volumes.epoch}-1.volume`
    const superblock = Buffer.alloc(SUPERBLOCK_BYTES)
    fixture.disk.read(fixture.disk.file(path), superblock, 0)
    fixture.disk.flipBit(path, 40, 3)
    const again = await fixture.start()
    const [volume] = again.volumes() as [Volume]
    const copies = new VolumeCopies({ volumes: again, clock: fixture.clock, reserve: { admit: async () => {} } })
    fixture.applied.failing = new SheafError('ERR_DIRECTORY_UNAVAILABLE')
    await expect(copies.repairSuperblock(volume, superblock)).rejects.toMatchObject({
      code: 'ERR_DIRECTORY_UNAVAILABLE'
    })
    fixture.applied.failing = undefined
    await copies.repairSuperblock(volume, superblock)
    expect(volume.holes).toEqual([])
    expect(volume.superblock).toBeDefined()
  })

  it('a needle inside an uploaded file is never taken for one of the volume', async () => {
    const inner = await filled({}, [2_000, 2_000])
    await inner.volumes.stop()
    const file = inner.fixture.disk.file(`${VOLUME_FOLDER}/${inner.volumes.epoch}-1.volume`)
    const upload = new Uint8Array(file.size)
    inner.fixture.disk.read(file, upload, 0)
    const fixture = new VolumeFixture({ seed: 2 })
    const volumes = await fixture.start()
    const id = fixture.photoId()
    await volumes.append([draftOf(identityOf(id), upload)], 'upload')
    const { offset, volume } = only(volumes.locate(identityOf(id)))
    fixture.disk.kill()
    fixture.disk.flipBit(`${VOLUME_FOLDER}/${volume}.volume`, offset + 10, 0)
    const again = await fixture.start()
    expect(again.index.count).toBe(0)
    for (const embedded of inner.photos.keys()) expect(again.locate(identityOf(embedded))).toEqual([])
  })

  it('a full disk refuses uploads, takes deletes, and takes uploads again after space came back', async () => {
    const { fixture, volumes, photos } = await filled({ volumeBytes: 200_000, capacityBytes: 1_200_000 }, [])
    const before: Photos = new Map()
    let refused: unknown
    for (let i = 0; i < 50 && refused === undefined; i++) {
      await put(fixture, volumes, before, 30_000).catch(error => {
        refused = error
      })
    }
    expect(refused).toMatchObject({ code: 'ERR_DISK_FULL' })
    const filler = fixture.disk.create('/data/filler')
    while (fixture.disk.freeBytes > 0) fixture.disk.write(filler, new Uint8Array(1000), filler.size)
    const tombstone = draftOf(identityOf(fixture.photoId(), 'record'), fixture.bytes(200))
    await volumes.append([tombstone], 'upkeep')
    await expectAll(volumes, before)
    fixture.disk.remove('/data/filler')
    const [victim] = volumes.volumes().filter(volume => volume.state === 'closed')
    if (victim !== undefined) await volumes.remove(victim)
    await fixture.clock.advance(2_000)
    await put(fixture, volumes, photos, 30_000)
    await expectAll(volumes, photos)
  })
})
