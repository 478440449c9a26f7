import { describe, expect, onTestFinished, test } from 'vitest'
import { SheafError } from '../../../src/core/errors.js'
import { silentLog } from '../../../src/core/log.js'
import { headChange, imageChange, viewFindings } from '../../../src/domain/findings.js'
import { hlcMs } from '../../../src/domain/hlc.js'
import type { NodeId, PhotoId } from '../../../src/domain/ids.js'
import { PHOTO_KIND, type Photo, viewPhoto } from '../../../src/domain/photo.js'
import { cameraOf, placeOf } from '../../../src/domain/photo-facts.js'
import { rendezvous } from '../../../src/domain/rendezvous.js'
import { HeadBacklog } from '../../../src/search/head-backlog.js'
import { HEAD_READER, type Head } from '../../../src/similarity/images/heads/head-facts.js'
import type { HeadRequest } from '../../../src/similarity/images/image-analyzer.js'
import { tinyJpeg } from '../../support/photo-maker.js'
import { bodyOf, type PhotosFixture, photosFixture } from '../photos/photos-fixture.js'

const SELF = 'node-a' as NodeId
const HEAD: Head = {
  format: 'heic',
  width: 40,
  height: 30,
  takenAt: { ms: 1_000, offsetMinutes: -210, source: 'exif', precision: 'second' },
  camera: { make: 'Canon', fNumber: 2.8, flash: false },
  place: { latitude: 48.1, longitude: 11.5, altitude: -3 }
}

/** Says the same of every file, or fails as it is told. */
class ScriptedHeads {
  head: Head | undefined = HEAD
  readonly files: Buffer[] = []
  readonly hints: HeadRequest['hints'][] = []
  failures: SheafError[] = []

  async readHead({ source, hints }: HeadRequest): Promise<Head | undefined> {
    this.files.push(Buffer.from(await source.read(1, source.size)))
    this.hints.push(hints)
    const failure = this.failures.shift()
    if (failure !== undefined) throw failure
    return this.head
  }
}

interface Fixture extends PhotosFixture {
  readonly analyzer: ScriptedHeads
  readonly backlog: HeadBacklog
  readonly bytes: { isLocal: boolean; inReach: boolean }
  readonly nodes: NodeId[]
  upload(seed: number): Promise<PhotoId>
  photo(id: PhotoId): Photo
}

async function fixture(started = true): Promise<Fixture> {
  const base = await photosFixture()
  const { directory, clock, components, photos } = base
  const { reader, writer } = components
  const analyzer = new ScriptedHeads()
  const nodes = [SELF]
  const bytes = { isLocal: true, inReach: true }
  const backlog = new HeadBacklog({
    directory,
    analyzer,
    reader: {
      isLocal: blob => bytes.isLocal && reader.isLocal(blob),
      source: async blob => (bytes.inReach ? reader.source(blob) : undefined),
      stream: (blob, start, end) => reader.stream(blob, start, end)
    },
    writer,
    workers: () => nodes,
    self: SELF,
    clock,
    log: silentLog
  })
  if (started) await backlog.start()
  onTestFinished(async () => {
    await backlog.stop()
    await directory.stop()
  })
  return {
    ...base,
    analyzer,
    backlog,
    bytes,
    nodes,
    upload: async seed => (await photos.upload(bodyOf(tinyJpeg(seed)), { filename: `${seed}.jpg` })).photoId,
    photo: id => {
      const stored = directory.getSync({ kind: PHOTO_KIND, id })
      if (stored === undefined) throw new Error(`${id} is unknown`)
      return viewPhoto(stored.record)
    }
  }
}

describe('the head of a new photo', () => {
  test('is read once, at once, and what it says is in the record', async () => {
    const { analyzer, clock, upload, photo, photos } = await fixture()
    const id = await upload(1)
    await clock.advance(10)
    const found = photo(id)
    expect(found).toMatchObject({ width: 40, height: 30, takenAt: HEAD.takenAt })
    expect(viewFindings(found.record).head).toEqual({ reader: HEAD_READER, format: 'heic' })
    expect(cameraOf(found.record)).toMatchObject(HEAD.camera ?? {})
    expect(placeOf(found.record)).toEqual(HEAD.place)
    expect(analyzer.files).toEqual([tinyJpeg(1).subarray(1)])
    expect(analyzer.hints).toEqual([{ latestMs: hlcMs(found.createdAt), name: '1.jpg' }])
    expect((await photos.list({ state: 'pending' })).photos).toHaveLength(1)
    await clock.advance(3 * 3_600_000)
    expect(analyzer.files).toHaveLength(1)
  })

  test('is read of a video, also of one from before', async () => {
    const { analyzer, backlog, clock, photos, photo } = await fixture(false)
    analyzer.head = { format: 'mov', width: 1_080, height: 1_920, orientation: 6 }
    const upload = async (seed: number): Promise<PhotoId> =>
      (await photos.upload(bodyOf(Buffer.from(`movie ${seed}`)), { filename: 'a.mov' })).photoId
    const ids = [await upload(1)]
    await backlog.start()
    ids.push(await upload(2))
    await clock.advance(10_000)
    for (const id of ids) {
      expect(photo(id)).toMatchObject({ width: 1_080, height: 1_920 })
      expect(viewFindings(photo(id).record).head?.format).toBe('mov')
    }
    expect(analyzer.files).toHaveLength(2)
  })

  test('is not read of other files, nor of deleted photos', async () => {
    const { analyzer, clock, photos, upload } = await fixture(false)
    await photos.upload(bodyOf(Buffer.from('words')), { filename: 'a.txt' })
    await photos.remove(await upload(1))
    await clock.advance(120_000)
    expect(analyzer.files).toEqual([])
  })

  test('of a format that is not known says that it was read', async () => {
    const { analyzer, clock, upload, photo } = await fixture()
    analyzer.head = undefined
    const id = await upload(1)
    await clock.advance(3_600_000)
    expect(analyzer.files).toHaveLength(1)
    expect(viewFindings(photo(id).record).head).toEqual({ reader: HEAD_READER, format: undefined })
  })

  test('is read later when that failed, or its bytes are not in reach', async () => {
    const { analyzer, bytes, clock, upload, photo } = await fixture()
    analyzer.failures = [new SheafError('ERR_OVERLOADED'), new SheafError('ERR_OVERLOADED')]
    const [first] = [await upload(1)]
    await clock.advance(10_000)
    expect(analyzer.files).toHaveLength(3)
    expect(photo(first).width).toBe(40)
    bytes.inReach = false
    const second = await upload(2)
    await clock.advance(60_000)
    expect(photo(second).width).toBeUndefined()
    bytes.inReach = true
    await clock.advance(120_000)
    expect(photo(second).width).toBe(40)
  })

  test('is left to the node that took the upload, and read by the first in the ranking when that does nothing', async () => {
    const { analyzer, bytes, clock, nodes, upload } = await fixture()
    nodes.push('node-b' as NodeId)
    bytes.isLocal = false
    const ids = await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map(upload))
    const own = ids.filter(id => rendezvous(id, nodes)[0] === SELF).length
    expect(own > 0 && own < ids.length).toBe(true)
    await clock.advance(59_000)
    expect(analyzer.files).toHaveLength(0)
    await clock.advance(2_000)
    expect(analyzer.files).toHaveLength(own)
    await clock.advance(60_000)
    expect(analyzer.files).toHaveLength(ids.length)
  })
})

describe('a photo of before', () => {
  test('is read again by a newer reader, and only what is new is written', async () => {
    const { analyzer, backlog, clock, upload, photo, components } = await fixture(false)
    const id = await upload(1)
    await components.writer.edit(id, () => ({ changes: [headChange(HEAD_READER - 1, 'heic')] }))
    await backlog.start()
    await clock.advance(10_000)
    expect(analyzer.files).toHaveLength(1)
    const facts = photo(id).record.entries.filter(({ field }) => field === 'facts')
    await components.writer.edit(id, () => ({ changes: [headChange(HEAD_READER - 1, 'heic')] }))
    await clock.advance(10_000)
    expect(analyzer.files).toHaveLength(2)
    const again = photo(id).record.entries.filter(({ field }) => field === 'facts')
    for (const key of ['dimensions', 'taken_at', 'camera', 'place']) {
      const [before, after] = [facts, again].map(all => all.find(fact => fact.key === key))
      expect(before).toBeDefined()
      expect(after).toEqual(before)
    }
  })

  test('keeps the size that a decoder has seen, and loses a date that was misread', async () => {
    const { analyzer, backlog, clock, upload, photo, components } = await fixture(false)
    const id = await upload(1)
    const old = { dimensions: { width: 7, height: 5 }, taken_at: { ms: -62_170_000_000_000 } }
    await components.writer.edit(id, () => ({
      changes: [
        ...Object.entries(old).map(
          ([key, fields]) => ({ kind: 'add', field: 'facts', key, value: new Map(Object.entries(fields)) }) as const
        ),
        imageChange({ state: 'whole', reader: 1, decoder: 'test' })
      ]
    }))
    analyzer.head = { format: 'jpeg', width: 40, height: 30 }
    await backlog.start()
    await clock.advance(10_000)
    expect(photo(id)).toMatchObject({ width: 7, height: 5, takenAt: undefined })
  })

  test('is read again when an older version has written a date over the one of its head', async () => {
    const { analyzer, clock, upload, photo, components } = await fixture()
    const id = await upload(1)
    await clock.advance(1_000)
    const value = new Map([['ms', 2_000]])
    await components.writer.edit(id, () => ({ changes: [{ kind: 'add', field: 'facts', key: 'taken_at', value }] }))
    await clock.advance(1_000)
    expect(analyzer.files).toHaveLength(2)
    expect(photo(id).takenAt).toEqual(HEAD.takenAt)
    // but not for ever, where the reader knows nothing of such files
    analyzer.head = undefined
    const other = await upload(2)
    await components.writer.edit(other, () => ({ changes: [{ kind: 'add', field: 'facts', key: 'taken_at', value }] }))
    await clock.advance(3_600_000)
    expect(analyzer.files.length).toBeLessThanOrEqual(4)
    expect(photo(other).takenAt).toEqual({ ms: 2_000 })
  })

  test('waits its turn: so many in a second', async () => {
    const { analyzer, backlog, clock, upload } = await fixture(false)
    for (let seed = 1; seed <= 120; seed++) await upload(seed)
    await backlog.start()
    await clock.advance(900)
    expect(analyzer.files).toHaveLength(50)
    await clock.advance(10_000)
    expect(analyzer.files).toHaveLength(120)
  })
})
