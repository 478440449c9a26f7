import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { headChange } from '../../../src/domain/findings.js'
import type { UserId } from '../../../src/domain/ids.js'
import { ALONE, isSamePair, type Pair, pairChange, pairOf, pairsAmong, pairTerms } from '../../../src/domain/pairs.js'
import { type NewPhoto, type Photo, viewPhoto } from '../../../src/domain/photo.js'
import { mediaChange, type TakenAt } from '../../../src/domain/photo-facts.js'
import { termsOf } from '../../../src/domain/terms.js'
import { PhotoWriter } from '../directory/photo-log.js'

const TAKEN_MS = Date.UTC(2024, 4, 1, 12)
const TYPES = {
  heic: 'image/heic',
  jpg: 'image/jpeg',
  cr2: 'image/x-canon-cr2',
  mov: 'video/quicktime',
  txt: 'text/plain'
}

interface File {
  readonly name: string
  readonly folder?: string
  readonly owner?: UserId
  /** After the first one, ms; undefined: nobody knows. */
  readonly atMs?: number | undefined
  /** As a movie says it: the moment, and nothing of the clocks there. */
  readonly utcMs?: number
  /** Of the clock that `atMs` is by. */
  readonly offsetMinutes?: number
  readonly liveId?: string
  readonly seconds?: number
  readonly isUnread?: boolean
}

const writer = new PhotoWriter()

function photoOf({ name, folder = 'dcim', owner, liveId, seconds, isUnread = false, ...when }: File): Photo {
  const type = TYPES[name.split('.').at(-1)?.toLowerCase() as keyof typeof TYPES]
  const fields: Partial<NewPhoto> = {
    name,
    contentType: type,
    file: { source: folder },
    ...(owner !== undefined && { owner }),
    takenAt: takenAtOf(when)
  }
  const { id } = writer.birth(fields)
  const format = type === TYPES.cr2 ? 'cr2' : undefined
  const changes = isUnread ? [] : [headChange(2, format)]
  if (liveId !== undefined || seconds !== undefined) changes.push(mediaChange({ liveId, durationS: seconds }))
  return viewPhoto(changes.length === 0 ? writer.require(id) : writer.write({ kind: 'photo', id }, changes))
}

function takenAtOf({
  atMs,
  utcMs,
  offsetMinutes
}: Pick<File, 'atMs' | 'utcMs' | 'offsetMinutes'>): TakenAt | undefined {
  if (utcMs !== undefined) return { ms: TAKEN_MS + utcMs, offsetMinutes: 0, source: 'container' }
  if (atMs === undefined) return undefined
  return { ms: TAKEN_MS + atMs - (offsetMinutes ?? 0) * 60_000, offsetMinutes, source: 'exif', precision: 'second' }
}

/** @returns of each file the name of its entry, or those of its parts */
function namesOf(files: readonly File[]): Record<string, string> {
  const photos = files.map(photoOf)
  const nameOf = (id: string): string => photos.find(photo => photo.id === id)?.name ?? '?'
  const pairs = pairsAmong(photos)
  return Object.fromEntries(
    photos.flatMap(({ id, name }) => {
      const pair = pairs.get(id)
      return pair === undefined
        ? []
        : [[name, pair.of === undefined ? pair.parts.map(nameOf).join() : `of ${nameOf(pair.of)}`]]
    })
  )
}

const HEIC: File = { name: 'IMG_1.HEIC', atMs: 0 }
const MOV: File = { name: 'IMG_1.MOV', atMs: -1_500, seconds: 3 }

describe('photos belong together', () => {
  it('when a telephone says so in both, whatever they are called and wherever they are', () => {
    expect(
      namesOf([
        { name: 'a.heic', folder: 'x', liveId: 'A1' },
        { name: 'b.mov', folder: 'y', liveId: 'A1', seconds: 40 },
        { name: 'c.mov', folder: 'y', liveId: 'B2', seconds: 3 }
      ])
    ).toEqual({ 'a.heic': 'b.mov', 'b.mov': 'of a.heic' })
  })

  it('when they have one name in one folder, and were taken at one time', () => {
    expect(namesOf([HEIC, MOV])).toEqual({ 'IMG_1.HEIC': 'IMG_1.MOV', 'IMG_1.MOV': 'of IMG_1.HEIC' })
    expect(
      namesOf([
        { name: 'a.cr2', atMs: 0 },
        { name: 'A.JPG', atMs: 1_000 }
      ])
    ).toEqual({
      'A.JPG': 'a.cr2',
      'a.cr2': 'of A.JPG'
    })
    expect(
      namesOf([
        { name: 'a.cr2', atMs: 0 },
        { name: 'a.jpg', atMs: 0 },
        { name: 'a.mov', seconds: 2 }
      ])
    ).toEqual({
      'a.jpg': 'a.cr2,a.mov',
      'a.cr2': 'of a.jpg',
      'a.mov': 'of a.jpg'
    })
    expect(namesOf([{ name: 'a.cr2' }, { name: 'a.mov', seconds: 2 }])).toEqual({
      'a.cr2': 'a.mov',
      'a.mov': 'of a.cr2'
    })
  })

  it('when a movie says the moment only, and the picture the local time', () => {
    const pair = { 'IMG_1.HEIC': 'IMG_1.MOV', 'IMG_1.MOV': 'of IMG_1.HEIC' }
    const utc = { name: MOV.name, seconds: 3, utcMs: -7_200_000 - 1_500 }
    expect(namesOf([{ ...HEIC, offsetMinutes: 120 }, utc])).toEqual(pair)
    expect(namesOf([HEIC, utc])).toEqual(pair)
    expect(namesOf([{ ...HEIC, offsetMinutes: 60 }, utc])).toEqual({})
    expect(namesOf([HEIC, { ...utc, utcMs: -7_200_000 - 6_000 }])).toEqual({})
    expect(namesOf([HEIC, { ...utc, utcMs: -15 * 3_600_000 }])).toEqual({})
  })

  it.each([
    ['another folder', [HEIC, { ...MOV, folder: 'other' }]],
    ['another owner', [HEIC, { ...MOV, owner: '01890000-0000-7000-8000-00000000000a' as UserId }]],
    ['another name', [HEIC, { ...MOV, name: 'IMG_2.MOV' }]],
    ['another time', [HEIC, { ...MOV, atMs: 6_000 }]],
    ['a film', [HEIC, { ...MOV, seconds: 11 }]],
    ['a film of unknown length', [HEIC, { name: MOV.name, atMs: 0 }]],
    ['a head that is not read yet', [{ ...HEIC, isUnread: true }, MOV]],
    [
      'a RAW file of another second',
      [
        { name: 'a.jpg', atMs: 0 },
        { name: 'a.cr2', atMs: 2_000 }
      ]
    ],
    ['a RAW file without a date', [{ name: 'a.jpg', atMs: 0 }, { name: 'a.cr2' }]],
    ['two pictures', [HEIC, MOV, { name: 'IMG_1.JPG', atMs: 0 }]],
    ['a text', [HEIC, { name: 'IMG_1.txt', atMs: 0 }]],
    [
      'two of one telephone’s sign',
      [
        { name: 'a.jpg', liveId: 'A' },
        { name: 'b.jpg', liveId: 'A' },
        { name: 'c.mov', liveId: 'A' }
      ]
    ]
  ] as const)('but not with %s', (_, files) => {
    expect(namesOf(files)).toEqual({})
  })

  it('the same, in whatever order they are looked at; and each is a part of one, which is an entry', () => {
    const file = fc.record(
      {
        name: fc.constantFrom('a.heic', 'a.mov', 'a.cr2', 'a.jpg', 'b.heic', 'b.mov'),
        atMs: fc.constantFrom(0, 900, 4_000, undefined),
        seconds: fc.constantFrom(3, 30),
        liveId: fc.constantFrom('A', 'B')
      },
      { requiredKeys: ['name', 'atMs', 'seconds'] }
    )
    const property = fc.property(fc.array(file, { maxLength: 6 }), fc.integer(), (files, seed) => {
      const photos = files.map(photoOf)
      const pairs = pairsAmong(photos)
      const shuffled = photos.map((photo, i) => [photo, (i * 7 + seed) % 5] as const).sort((a, b) => a[1] - b[1])
      expect(pairsAmong(shuffled.map(([photo]) => photo))).toEqual(pairs)
      for (const [id, { of, parts }] of pairs) {
        if (of !== undefined) expect(pairs.get(of)?.parts).toContain(id)
        for (const part of parts) expect(pairs.get(part)?.of).toBe(id)
      }
    })
    fc.assert(property, { numRuns: 300 })
  })
})

describe('the record of a pair', () => {
  it('says what was written, and forgets it', () => {
    const [entry, part] = [photoOf(HEIC), photoOf(MOV)]
    const write = (id: string, pair: Pair): Pair => pairOf(writer.write({ kind: 'photo', id }, [pairChange(pair)]))
    const pairs = [
      [entry.id, { of: undefined, parts: [part.id] }],
      [part.id, { of: entry.id, parts: [] }]
    ] as const
    for (const [id, pair] of pairs) {
      expect(write(id, pair)).toEqual(pair)
      expect(write(id, ALONE)).toEqual(ALONE)
      expect(isSamePair(write(id, pair), pair)).toBe(true)
    }
  })

  it('leaves a part out of what lists are made of, but not out of what finds its bytes', () => {
    const part = photoOf(MOV)
    const id = part.id
    const record = writer.write({ kind: 'photo', id }, [pairChange({ of: photoOf(HEIC).id, parts: [] })])
    const names = termsOf(record).map(term => term.split('\0')[0])
    expect([...new Set(names)]).toEqual(['all', 'audience', 'head', 'pair', 'sha256', 'state', 'type'])
    expect(pairTerms(part)).toEqual(['pair\0stem\0\0dcim\0img_1'])
  })
})
