import { describe, expect, test } from 'vitest'
import type { PhotoId } from '../../../src/domain/ids.js'
import { editChanges, viewPhoto } from '../../../src/domain/photo.js'
import { type Place, takenAtChange, takenAtOf } from '../../../src/domain/photo-facts.js'
import { changeRecord } from '../../../src/domain/record.js'
import { encodeRecord } from '../../../src/domain/record-codec.js'
import type { FileStatements } from '../../../src/photos/photo-types.js'
import { recordDraft } from '../../../src/store/record-needles.js'
import { tinyJpeg } from '../../support/photo-maker.js'
import { bodyOf, type PhotosFixture, photosFixture } from './photos-fixture.js'

/* What a client says of a photo beside its bytes, and what a person says of its date. */

const BY_FILE = { ms: Date.UTC(2020, 4, 1, 12), offsetMinutes: 60, source: 'exif', precision: 'second' } as const

async function uploaded(statements: FileStatements = {}): Promise<PhotosFixture & { readonly id: PhotoId }> {
  const fixture = await photosFixture()
  await fixture.clock.advance(Date.UTC(2026, 0, 1) - fixture.clock.now())
  const { photoId: id } = await fixture.photos.upload(bodyOf(tinyJpeg(1)), { filename: 'a.jpg', ...statements })
  return { ...fixture, id }
}

/** As the reader of heads does, at any time. */
async function readHead({ components }: PhotosFixture, id: PhotoId): Promise<void> {
  await components.writer.edit(id, () => ({ changes: [takenAtChange(BY_FILE)] }))
}

describe('an upload', () => {
  test('keeps what is said of the file', async () => {
    const { photos, id } = await uploaded({
      fileTimeMs: -631_152_000_001,
      zone: 'Europe/Berlin',
      source: 'Oma/1950',
      importedFrom: '019aa1d2-0c5e-7b1a-9f3e-5d2c8a417e60',
      caption: 'Kiel',
      rating: 4
    })
    const { photo } = await photos.meta(id)
    expect(photo).toMatchObject({
      caption: 'Kiel',
      rating: 4,
      file: {
        ms: -631_152_000_001,
        offsetMinutes: 60,
        zone: 'Europe/Berlin',
        source: 'Oma/1950',
        importedFrom: '019aa1d2-0c5e-7b1a-9f3e-5d2c8a417e60'
      },
      takenAt: { ms: -631_152_000_001, offsetMinutes: 60, source: 'file', precision: 'second' }
    })
  })

  test('of which nothing is said has no date, and no fact', async () => {
    const { photos, id } = await uploaded()
    const { photo } = await photos.meta(id)
    expect(photo.takenAt).toBeUndefined()
    expect(photo.file).toEqual({})
    expect(photo.record.entries.filter(({ field }) => field === 'facts')).toEqual([])
  })

  test.each([
    [{ fileTimeMs: 0.5 }, 'file_time'],
    [{ fileTimeMs: 10 ** 14 }, 'file_time'],
    [{ zone: 'Europe/Kiel' }, 'zone'],
    [{ source: '' }, 'source'],
    [{ source: 'ü'.repeat(101) }, 'source'],
    [{ importedFrom: 'a\nb' }, 'imported_from'],
    [{ rating: 6 }, 'rating'],
    [{ takenAt: '2024-02-30' }, 'taken_at'],
    [{ takenAt: '2024-02-03T10:00+15:00' }, 'taken_at'],
    [{ takenAt: '2024/02/03' }, 'taken_at'],
    [{ takenAt: '1700' }, 'taken_at'],
    [{ takenAt: '2026-01-03' }, 'taken_at']
  ])('with %j is refused', async (statements, field) => {
    await expect(uploaded(statements)).rejects.toMatchObject({ code: 'ERR_BAD_PARAMETER', details: { field } })
  })

  test('with a caption that takes more than 4 KB is refused', async () => {
    await expect(uploaded({ caption: 'x'.repeat(4_092) })).rejects.toMatchObject({ code: 'ERR_ATTRIBUTES_TOO_LARGE' })
    await uploaded({ caption: 'x'.repeat(4_091) })
  })
})

describe("a person's date", () => {
  test('stands above what the head says, which stands above the time of the file', async () => {
    const fixture = await uploaded({ fileTimeMs: 1_000, takenAt: '1985-07' })
    const { photos, id } = fixture
    await readHead(fixture, id)
    const shown = (await photos.meta(id)).photo
    expect(shown.takenAt).toEqual({ ms: Date.UTC(1985, 6, 1, 12), source: 'user', precision: 'month' })
    expect(takenAtOf(shown.record)).toEqual(BY_FILE)
    expect((await photos.patch(id, { takenAt: null })).photo.takenAt).toEqual(BY_FILE)
  })

  test('can be set, set again to the same, and taken back', async () => {
    const { photos, store, id } = await uploaded()
    const { photo } = await photos.patch(id, { takenAt: '2024-01-01T08:02:32.5+11:00' })
    const ms = Date.UTC(2023, 11, 31, 21, 2, 32, 500)
    expect(photo.takenAt).toEqual({ ms, offsetMinutes: 660, source: 'user', precision: 'second' })
    const writes = store.groups.length
    await photos.patch(id, { takenAt: '2024-01-01T08:02:32.5+11:00' })
    expect(store.groups).toHaveLength(writes)
    expect((await photos.patch(id, { takenAt: null })).photo.takenAt).toBeUndefined()
  })

  test('may be a day later than the upload, and no more', async () => {
    const { photos, clock, id } = await uploaded()
    await photos.patch(id, { takenAt: '2026-01-01T23:00' })
    await clock.advance(10 * 86_400_000)
    await expect(photos.patch(id, { takenAt: '2026-01-02T01:00' })).rejects.toMatchObject({ code: 'ERR_BAD_PARAMETER' })
  })

  test('that lost to a concurrent one is a conflict, which can be restored', async () => {
    const { photos, directory, store, hybridClock, id } = await uploaded()
    const base = directory.getSync({ kind: 'photo', id })?.record
    if (base === undefined) throw new Error('no photo')
    const placeOf = (year: number): Place => ({ latitude: year - 2_000, longitude: 7 })
    for (const [actor, year] of [
      ['a'.repeat(16), 2001],
      ['b'.repeat(16), 2002]
    ] as const) {
      const stamper = { actor: actor as never, hlc: (seen: Iterable<never>) => hybridClock.after(seen) }
      const takenAt = { ms: Date.UTC(year, 0, 1, 12), precision: 'year' } as const
      const record = changeRecord(base, base, stamper, editChanges(viewPhoto(base), { takenAt, place: placeOf(year) }))
      await store.append([{ ...recordDraft(record), data: encodeRecord(record) }], 'upkeep')
    }
    expect(await photos.conflicts(id)).toMatchObject([
      { takenAt: { ms: Date.UTC(2001, 0, 1, 12) }, place: placeOf(2001) }
    ])
    const { photo } = await photos.restore(id, 1)
    expect(photo.takenAt).toMatchObject({ ms: Date.UTC(2001, 0, 1, 12), source: 'user' })
    expect(photo.setPlace).toEqual(placeOf(2001))
  })

  test('outlives a delete', async () => {
    const { photos, id } = await uploaded({ takenAt: '1985', source: 'Oma' })
    await photos.remove(id)
    await photos.undelete(id)
    const { photo } = await photos.meta(id)
    expect(photo).toMatchObject({ takenAt: { precision: 'year', source: 'user' }, file: { source: 'Oma' } })
  })

  test('an odd one from another version hides nothing', async () => {
    const { photos, components, id } = await uploaded()
    await components.writer.edit(id, (_, { record }) => {
      const value = new Map(record.entries.find(({ field }) => field === 'version')?.value)
      return { changes: [{ kind: 'version', value: value.set('taken_at', 'yesterday') }] }
    })
    expect((await photos.meta(id)).photo).toMatchObject({ name: 'a.jpg', takenAt: undefined })
  })
})

describe('a batch', () => {
  test('sets dates', async () => {
    const { photos, id } = await uploaded()
    expect(await photos.batchEdit([id], { takenAt: '1999', tags: { add: ['x'] } })).toEqual([
      { photoId: id, error: undefined }
    ])
    expect((await photos.meta(id)).photo).toMatchObject({ tags: ['x'], takenAt: { precision: 'year' } })
  })

  test('moves dates, and says of which it cannot', async () => {
    const fixture = await uploaded()
    const { photos, id, directory } = fixture
    const { photoId: undated } = await photos.upload(bodyOf(tinyJpeg(2)), { filename: 'b.jpg' })
    await readHead(fixture, id)
    const outcomes = await photos.batchEdit([id, undated], { shiftS: -3_600 })
    expect(outcomes.map(({ error }) => error)).toEqual([undefined, 'ERR_NO_DATE'])
    const record = directory.getSync({ kind: 'photo', id })?.record
    expect(record && viewPhoto(record).takenAt).toEqual({ ...BY_FILE, ms: BY_FILE.ms - 3_600_000, source: 'user' })
  })

  test('moves no date out of the time in which there were photographs', async () => {
    const fixture = await uploaded()
    await readHead(fixture, fixture.id)
    const century = 3_155_760_000
    for (const shiftS of [-2 * century, 0.5, Number.NaN])
      await expect(fixture.photos.batchEdit([fixture.id], { shiftS })).rejects.toMatchObject({
        code: 'ERR_BAD_PARAMETER'
      })
    const codes = [-century, -century, century].map(async shiftS => {
      const [outcome] = await fixture.photos.batchEdit([fixture.id], { shiftS })
      return outcome?.error
    })
    expect(await Promise.all(codes)).toEqual([undefined, 'ERR_BAD_PARAMETER', undefined])
  })
})
