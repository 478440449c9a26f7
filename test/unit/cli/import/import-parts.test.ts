import { appendFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { nameDecoder } from '../../../../src/cli/import/file-names.js'
import { globMatcher } from '../../../../src/cli/import/glob.js'
import { HashJournal } from '../../../../src/cli/import/hash-journal.js'
import { readTakeoutJson } from '../../../../src/cli/import/takeout.js'
import { ignoredBy } from '../../../../src/cli/shell/ignored-names.js'
import { readSheafSidecar, sidecarBytes } from '../../../../src/cli/shell/sheaf-sidecar.js'
import { temporaryDirectory } from '../../../support/temporary-directory.js'

test.each([
  ['*.tmp', 'a/b.tmp', true],
  ['*.tmp', 'a/b.tmpx', false],
  ['a/*', 'a/b', true],
  ['a/*', 'a/b/c', false],
  ['**/c', 'a/b/c', true],
  ['**/c', 'c', true],
  ['a/**', 'a/b/c', true],
  ['?.[x]', 'd/y.[x]', true],
  ['(a|b)', 'a', false]
])('the glob %s, and %s', (glob, path, fits) => {
  expect(globMatcher(glob)(path)).toBe(fits)
})

test.each(['Thumbs.db', '@eaDir', '.DS_Store', '._a.jpg', 'a.jpg.PART', '.hidden', 'IMG_1.AAE', '.trashed-1-a.jpg'])(
  '%s is passed over',
  name => {
    expect(ignoredBy(name)).toBeDefined()
  }
)

test.each(['a.jpg', 'thumbs.db.jpg', 'lost', 'part.jpg'])('%s is not', name => {
  expect(ignoredBy(name)).toBeUndefined()
})

describe('names', () => {
  test('are UTF-8, else what the user says, else Latin-1', () => {
    const latin = Buffer.from('caf\xe9', 'latin1')
    expect(nameDecoder()(latin)).toBe('café')
    expect(nameDecoder('koi8-r')(latin)).toBe('cafИ')
    expect(nameDecoder('koi8-r')(Buffer.from('café'))).toBe('café')
    expect(nameDecoder('shift_jis')(Buffer.from([0xff]))).toBe('ÿ')
    expect(nameDecoder()(Buffer.from('a\u0308'))).toBe('ä')
    expect(nameDecoder()(Buffer.from('\ufeffa'))).toBe('a')
  })
})

describe('the journal', () => {
  const file = (n: number) => ({
    path: Buffer.from([0x2f, 0xe9, n]),
    state: { byteCount: n, mtimeNs: -(10n ** 18n), inode: BigInt(n) },
    sha256: String(n).repeat(64).slice(0, 64)
  })

  test('knows a file in the next run, unless it has changed', async () => {
    const folder = join(await temporaryDirectory(), 'state')
    const first = await HashJournal.open(folder, ['/a'])
    await first.add([file(1), file(2)])
    const [name = ''] = await readdir(folder)
    await appendFile(join(folder, name), '{"p": "torn')
    const second = await HashJournal.open(folder, ['/a'])
    expect(second.get(file(1).path, file(1).state)).toBe(file(1).sha256)
    expect(second.get(file(1).path, { ...file(1).state, mtimeNs: 0n })).toBeUndefined()
    expect(second.get(file(3).path, file(3).state)).toBeUndefined()
    expect((await HashJournal.open(folder, ['/b'])).get(file(1).path, file(1).state)).toBeUndefined()
  })
})

describe('a sidecar', () => {
  const photo = {
    photo_id: 'id',
    sha256: 'a'.repeat(64),
    size: 1,
    content_type: 'image/jpeg',
    name: 'a.jpg',
    created_at: '2026-01-01T00:00:00.000Z',
    tags: ['x'],
    albums: [],
    taken_at: '1985',
    file_time: '1950-01-01T00:00:00.000Z'
  }

  test('says when a photo was taken only if a person has said so', () => {
    const read = (source: string) =>
      readSheafSidecar(JSON.parse(sidecarBytes({ ...photo, taken_at_source: source }).toString()))
    expect(read('exif')).toMatchObject({ takenAt: undefined, fileTimeMs: -631_152_000_000, tags: ['x'] })
    expect(read('user')).toMatchObject({ takenAt: '1985' })
  })

  test('says where it was taken only if that is not in the file', () => {
    const read = (place: object | null, more: object = {}) =>
      readSheafSidecar({ ...JSON.parse(sidecarBytes({ ...photo, place: place as never }).toString()), ...more })?.place
    const kiel = { lat: 54.3233, lon: 10.1228 }
    expect(read({ ...kiel, alt: null, source: 'user' })).toEqual({ latitude: 54.3233, longitude: 10.1228 })
    expect(read({ ...kiel, alt: 3.5, source: 'import' })).toMatchObject({ altitude: 3.5 })
    expect(read({ ...kiel, alt: null, source: 'file' })).toBeUndefined()
    expect(read(null)).toBeUndefined()
    for (const place of [7, {}, { lat: '1', lon: 2 }, { lat: 91, lon: 2 }, { lat: 0, lon: 0 }])
      expect(read(null, { place })).toBeUndefined()
  })

  test('of before has the whole metadata', () => {
    expect(readSheafSidecar({ ...photo, taken_at_source: 'exif', variants: {} })).toMatchObject({ takenAt: undefined })
  })

  test.each([undefined, null, 1, [], {}, { photo_id: 'a', sha256: 'x' }, { sha256: 'a'.repeat(64) }])(
    'is not %j',
    value => {
      expect(readSheafSidecar(value)).toBeUndefined()
    }
  )

  test('with odd members gives what it can', () => {
    const odd = {
      ...photo,
      format: 3,
      tags: [1, 'y'],
      rating: '5',
      attributes: { a: 1, b: 'c' },
      file_time: 7,
      more: {}
    }
    expect(readSheafSidecar(odd)).toMatchObject({
      tags: ['y'],
      rating: undefined,
      attributes: { b: 'c' },
      fileTimeMs: undefined
    })
  })
})

test.each([
  [{ title: 'Kiel' }, { albumTitle: 'Kiel' }],
  [{ title: 'Photos from 2023' }, undefined],
  [{ title: '' }, undefined],
  [{}, undefined],
  [null, undefined],
  [
    { title: 'a.jpg', photoTakenTime: { timestamp: '0' }, description: '', archived: true },
    {
      photo: {
        title: 'a.jpg',
        takenMs: undefined,
        caption: undefined,
        place: undefined,
        tags: [],
        isFavourite: false,
        isArchived: true,
        isTrashed: false
      }
    }
  ],
  [
    {
      title: 'a.jpg',
      photoTakenTime: null,
      googlePhotosOrigin: { fromPartnerSharing: {} },
      geoData: { latitude: 54.3233, longitude: 10.1228, altitude: 0 },
      geoDataExif: { latitude: 0, longitude: 0, altitude: 0 }
    },
    {
      photo: {
        title: 'a.jpg',
        takenMs: undefined,
        caption: undefined,
        place: { latitude: 54.3233, longitude: 10.1228 },
        tags: ['partner-shared'],
        isFavourite: false,
        isArchived: false,
        isTrashed: false
      }
    }
  ]
])('of Takeout, %j', (value, read) => {
  expect(readTakeoutJson(value)).toEqual(read)
})
