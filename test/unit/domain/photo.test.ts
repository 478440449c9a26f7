import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Value } from '../../../src/domain/cbor.js'
import type { ActorId, UserId } from '../../../src/domain/ids.js'
import {
  ALT_KEYS,
  addVariantChange,
  alternateKeyOf,
  createChanges,
  deleteChanges,
  editChanges,
  FIRST_GENERATION,
  factsChanges,
  metaEtag,
  type PhotoEdit,
  parseAltKey,
  partOf,
  purgeChanges,
  requirePhoto,
  restoreChanges,
  undeleteChanges,
  type Variant,
  viewPhoto
} from '../../../src/domain/photo.js'
import {
  type Change,
  changeRecord,
  conflictVersions,
  type DirectoryRecord,
  mergeRecords,
  shownVersion
} from '../../../src/domain/record.js'
import { decodeRecord, encodeRecord } from '../../../src/domain/record-codec.js'
import { endOf } from '../../../src/domain/tombstone.js'
import {
  ACTORS,
  COOKIE,
  countingStamper,
  NOW_MS,
  PHOTO_BIRTH,
  PHOTO_ID,
  PHOTO_KEY,
  recordArb
} from '../../support/domain-arbitraries.js'

const [A, B] = ACTORS as [ActorId, ActorId]
const THUMB: Variant = { recipe: 'r2', sha256: 'aa'.repeat(32), size: 99, contentType: 'image/webp', chunkBytes: 0 }

function write(
  before: DirectoryRecord | undefined,
  changes: readonly Change[],
  actor = A,
  ms = NOW_MS
): DirectoryRecord {
  return decodeRecord(encodeRecord(changeRecord(PHOTO_KEY, before, countingStamper(actor, ms), changes)))
}

function edit(before: DirectoryRecord, patch: PhotoEdit, actor = A, ms = NOW_MS): DirectoryRecord {
  return write(before, editChanges(viewPhoto(before), patch), actor, ms)
}

const born = write(undefined, createChanges(PHOTO_BIRTH))

describe('a new photo', () => {
  it('shows the fields that it was created with', () => {
    const { record, context, version, ...photo } = viewPhoto(born)
    expect(photo).toEqual({
      id: PHOTO_ID,
      generation: FIRST_GENERATION,
      deleted: false,
      createdAt: version.hlc,
      size: 123_456,
      sha256: '5e'.repeat(32),
      contentType: 'image/jpeg',
      cookie: COOKIE,
      logicalVolume: '00000000000000a1-1',
      chunkBytes: 0,
      name: 'IMG_0042.jpg',
      caption: undefined,
      rating: undefined,
      attributes: new Map(),
      owner: undefined,
      idempotency: undefined,
      tags: ['holiday', 'sea'],
      albums: [],
      marks: new Set(),
      variants: new Map(),
      width: 4000,
      height: 3000,
      takenAt: undefined,
      file: {}
    })
    expect(version.actor).toBe(A)
    expect(context).toBe(record.context)
  })

  it('keeps all optional fields', () => {
    const more = {
      ...PHOTO_BIRTH,
      caption: 'c',
      owner: '01890000-0000-7000-8000-00000000000a' as UserId,
      idempotency: '0f'.repeat(32),
      albums: ['b', 'a', 'b'],
      chunkBytes: 1 << 20,
      takenAt: { ms: -5, offsetMinutes: -210, source: 'xmp', precision: 'day' } as const
    }
    expect(viewPhoto(write(undefined, createChanges(more)))).toMatchObject({
      ...more,
      albums: ['a', 'b'],
      tags: ['holiday', 'sea']
    })
  })

  it('have no owner where the record says something else than an account', () => {
    const [version, ...rest] = createChanges(PHOTO_BIRTH)
    for (const owner of ['everyone', 7, new Map()]) {
      const value = new Map(version?.kind === 'version' ? version.value : []).set('owner', owner)
      expect(viewPhoto(write(undefined, [{ kind: 'version', value }, ...rest])).owner).toBeUndefined()
    }
  })

  it('keep their owner through edits, deletes and what two nodes write at once', () => {
    const owner = '01890000-0000-7000-8000-00000000000a' as UserId
    const owned = write(undefined, createChanges({ ...PHOTO_BIRTH, owner }))
    const [a, b] = [edit(owned, { caption: 'a' }), edit(owned, { caption: 'b' })]
    for (const record of [a, mergeRecords(a, b), write(a, deleteChanges(a))])
      expect(viewPhoto(record).owner).toBe(owner)
    const undone = decodeRecord(encodeRecord(write(a, deleteChanges(a))))
    expect(viewPhoto(write(undone, undeleteChanges(undone))).owner).toBe(owner)
  })

  it('encodes to a few hundred bytes', () => {
    expect(encodeRecord(born).length).toBeLessThan(400)
  })
})

describe('edits', () => {
  it('change what they name and nothing else', () => {
    const patch = { name: 'n', caption: 'c', rating: 5, attributes: { k: 'v', l: 'w' } }
    const edited = edit(born, patch)
    const attributes = new Map(Object.entries(patch.attributes))
    const { version, context, record, ...before } = viewPhoto(born)
    expect(viewPhoto(edited)).toMatchObject({ ...before, ...patch, attributes })
    const cleared = edit(edited, { caption: null, rating: null, attributes: { k: null, l: null } })
    expect(viewPhoto(cleared)).toMatchObject({ ...before, name: 'n' })
    expect(shownVersion(cleared).value.has('attributes')).toBe(false)
  })

  it('that change nothing make no change', () => {
    const edited = edit(born, { name: 'n', caption: 'c', rating: 0, attributes: { k: 'v' } })
    const same = { name: 'n', caption: 'c', rating: 0, attributes: { k: 'v', none: null }, tags: { remove: ['none'] } }
    expect(editChanges(viewPhoto(edited), same)).toEqual([])
    expect(editChanges(viewPhoto(edited), {})).toEqual([])
  })

  it('of labels that are there, or are not, make no change', () => {
    expect(editChanges(viewPhoto(born), { tags: { add: ['sea'], remove: ['p'] }, albums: { add: [] } })).toEqual([])
    expect(viewPhoto(edit(born, { tags: { add: ['sea'], remove: ['sea'] } })).tags).toEqual(['holiday', 'sea'])
  })

  it('of labels make no version, so they conflict with nothing', () => {
    const merged = mergeRecords(
      edit(born, { tags: { add: ['p'], remove: ['sea'] }, albums: { add: ['q'] } }, A),
      edit(born, { tags: { add: ['r'] } }, B)
    )
    expect(conflictVersions(merged)).toEqual([])
    expect(viewPhoto(merged)).toMatchObject({ tags: ['holiday', 'p', 'r'], albums: ['q'] })
  })

  it('keep the creation stamp', () => {
    const twice = edit(edit(born, { name: 'b' }, B, NOW_MS + 1000), { name: 'c' }, B, NOW_MS + 2000)
    expect(viewPhoto(twice).createdAt).toBe(viewPhoto(born).createdAt)
  })

  it('keep fields that they do not know', () => {
    const newer = { kind: 'version', value: new Map(shownVersion(born).value).set('future', [1]) } as const
    expect(shownVersion(edit(write(born, [newer]), { name: 'x' })).value.get('future')).toEqual([1])
  })
})

describe('marks', () => {
  const marked = edit(born, { favourite: true, archived: true }, A, NOW_MS + 1000)
  const marksOf = (record: DirectoryRecord): string[] => [...viewPhoto(record).marks]

  it('are put on and taken off, one without the other', () => {
    expect([marksOf(born), marksOf(marked)]).toEqual([[], ['favourite', 'archived']])
    expect(marksOf(edit(marked, { archived: false, caption: 'c' }))).toEqual(['favourite'])
    expect(editChanges(viewPhoto(marked), { favourite: true })).toEqual([])
    expect(editChanges(viewPhoto(born), { favourite: false })).toEqual([])
  })

  it('of two people at once are both there, and what was put on again stays', () => {
    const mine = edit(born, { favourite: true }, A, NOW_MS + 1000)
    const theirs = edit(born, { archived: true }, B, NOW_MS + 2000)
    expect(marksOf(mergeRecords(mine, theirs))).toEqual(['favourite', 'archived'])
    const off = edit(mine, { favourite: false }, B, NOW_MS + 3000)
    const again = edit(edit(mine, { favourite: false }, A, NOW_MS + 2500), { favourite: true }, A, NOW_MS + 2600)
    expect(marksOf(mergeRecords(off, again))).toEqual(['favourite'])
  })

  it('that this version does not know are kept', () => {
    const later = write(born, [{ kind: 'add', field: 'marks', key: 'framed' }])
    expect(marksOf(later)).toEqual([])
    const edited = edit(later, { favourite: true })
    expect(
      edited.entries
        .filter(({ field }) => field === 'marks')
        .map(({ key }) => key)
        .sort()
    ).toEqual(['favourite', 'framed'])
  })
})

describe('delete and undelete', () => {
  const variants = [addVariantChange('thumb', THUMB), addVariantChange('large', { ...THUMB, chunkBytes: 4096 })]
  const full = edit(write(born, variants), { caption: 'c', albums: { add: ['a'] } })
  const dead = write(full, deleteChanges(full), B, NOW_MS + 1000)

  it('restore everything under the next generation', () => {
    expect(viewPhoto(dead)).toMatchObject({ deleted: true, generation: 0, caption: 'c', tags: ['holiday', 'sea'] })
    const back = write(dead, undeleteChanges(dead), A, NOW_MS + 2000)
    const { version, context, record, ...before } = viewPhoto(full)
    expect(viewPhoto(back)).toMatchObject({ ...before, generation: 1 })
  })

  it('drop variants whose bytes were not appended again', () => {
    const back = viewPhoto(write(dead, undeleteChanges(dead, ['large'])))
    expect([...back.variants.keys()]).toEqual(['large'])
    expect(back.tags).toEqual(['holiday', 'sea'])
  })

  it('do nothing when repeated', () => {
    expect(deleteChanges(dead)).toEqual([])
    expect(undeleteChanges(full)).toEqual([])
  })

  it('end for good where the trash was emptied, in that life and in no other', () => {
    const life = (record: DirectoryRecord): unknown => endOf(record)
    expect(life(full)).toBeUndefined()
    expect(life(dead)).toEqual({ generation: 0, isPurgeWanted: false })
    const emptied = write(dead, purgeChanges(dead), B, NOW_MS + 1500)
    expect(life(emptied)).toEqual({ generation: 0, isPurgeWanted: true })
    expect(viewPhoto(emptied)).toMatchObject({ deleted: true, caption: 'c', tags: ['holiday', 'sea'] })
    // another node deleted the photo as well, later, and has not heard of the trash
    const both = mergeRecords(emptied, write(full, deleteChanges(full), A, NOW_MS + 9000))
    expect(life(both)).toEqual({ generation: 0, isPurgeWanted: true })
    const back = write(both, undeleteChanges(both))
    expect(viewPhoto(back)).toMatchObject({ deleted: false, generation: 1, caption: 'c' })
    expect(life(write(back, deleteChanges(back)))).toEqual({ generation: 1, isPurgeWanted: false })
  })

  it('beat a concurrent edit, which stays as a conflict version', () => {
    const edited = edit(full, { name: 'late' }, A, NOW_MS + 100_000)
    const merged = mergeRecords(dead, edited)
    expect(viewPhoto(merged).deleted).toBe(true)
    expect(conflictVersions(merged).map(version => viewPhoto(merged, version).name)).toEqual(['late'])
  })

  it('leave no tombstones among the conflict versions', () => {
    const twice = mergeRecords(dead, write(full, deleteChanges(full), A, NOW_MS + 1500))
    expect(conflictVersions(twice)).toHaveLength(1)
    expect(conflictVersions(write(twice, undeleteChanges(twice)))).toEqual([])
  })
})

describe('restore', () => {
  const mine = edit(born, { name: 'mine', rating: 1 }, A, NOW_MS + 1000)
  const theirs = edit(born, { name: 'theirs', caption: 'c' }, B, NOW_MS + 2000)
  const merged = mergeRecords(mine, theirs)

  it('shows the conflict version and keeps the other, so that it can be undone', () => {
    expect(viewPhoto(merged).name).toBe('theirs')
    const restored = write(merged, restoreChanges(merged, 1))
    expect(viewPhoto(restored)).toMatchObject({ name: 'mine', rating: 1, caption: undefined })
    expect(conflictVersions(restored).map(version => viewPhoto(restored, version).name)).toEqual(['theirs'])
    const again = write(restored, restoreChanges(restored, 1))
    expect(viewPhoto(again)).toMatchObject({ name: 'theirs', caption: 'c', rating: undefined })
    expect(conflictVersions(again)).toHaveLength(1)
  })

  it('takes the fields about the bytes from the shown version', () => {
    const other = { kind: 'version', value: new Map(shownVersion(theirs).value).set('chunk_bytes', 512) } as const
    const chunked = mergeRecords(mine, write(theirs, [other], B, NOW_MS + 3000))
    expect(viewPhoto(write(chunked, restoreChanges(chunked, 1)))).toMatchObject({ name: 'mine', chunkBytes: 512 })
  })

  it.each([0, 2, -1, 0.5, Number.NaN])('knows no conflict version %d', n => {
    expect(() => restoreChanges(merged, n)).toThrow(expect.objectContaining({ code: 'ERR_NO_SUCH_CONFLICT' }))
  })
})

describe('variants and facts', () => {
  it('of concurrent variants the least (recipe, sha256) counts', () => {
    const made = (recipe: string, byte: string, actor: ActorId): DirectoryRecord =>
      write(born, [addVariantChange('thumb', { ...THUMB, recipe, sha256: byte.repeat(32) })], actor)
    const later = mergeRecords(made('r2', 'aa', A), made('r1', 'ff', B))
    expect(viewPhoto(later).variants.get('thumb')).toMatchObject({ recipe: 'r1', sha256: 'ff'.repeat(32) })
    const same = mergeRecords(made('r1', 'bb', A), made('r1', 'aa', B))
    expect(viewPhoto(same).variants.get('thumb')?.sha256).toBe('aa'.repeat(32))
  })

  it('are read from the record as written', () => {
    const changes = [
      addVariantChange('small', { ...THUMB, chunkBytes: 7 }),
      ...factsChanges({ width: 1, height: 2, takenAt: { ms: 3 } })
    ]
    const photo = viewPhoto(write(born, changes))
    expect(photo).toMatchObject({ width: 1, height: 2, takenAt: { ms: 3 } })
    expect(photo.variants).toEqual(new Map([['small', { ...THUMB, chunkBytes: 7 }]]))
  })

  it('of unknown sizes are kept, but not shown', () => {
    const record = write(born, [{ kind: 'add', field: 'variants', key: 'huge', value: new Map() }])
    expect(viewPhoto(record).variants.size).toBe(0)
  })

  it('of concurrent facts the later counts', () => {
    const merged = mergeRecords(
      write(born, factsChanges({ width: 1, height: 1 }), A, NOW_MS + 2000),
      write(born, factsChanges({ width: 2, height: 2 }), B, NOW_MS + 1000)
    )
    expect(viewPhoto(merged).width).toBe(1)
  })
})

describe('alternate keys', () => {
  it('have numbers that never change', () => {
    const sha256 = `89abcd${'0'.repeat(58)}`
    const parts = ['orig', 'large', 'small', 'thumb', 'features'] as const
    const numbers = parts.map(part => alternateKeyOf(part, sha256))
    expect(numbers).toEqual([0, 0x89abcd01, 0x89abcd02, 0x89abcd03, 0x89abcd04])
    expect(numbers.map(partOf)).toEqual(parts)
    expect(partOf(5)).toBeUndefined()
    expect(ALT_KEYS.map(parseAltKey)).toEqual(ALT_KEYS)
    for (const text of ['', 'ORIG', 'huge', 'constructor']) expect(parseAltKey(text)).toBeUndefined()
  })
})

describe('metaEtag', () => {
  it('differs when anything does', () => {
    expect(metaEtag(born)).toMatch(/^"[0-9a-f]{32}"$/)
    expect(metaEtag(edit(born, { tags: { add: ['new'] } }))).not.toBe(metaEtag(born))
    expect(metaEtag(decodeRecord(encodeRecord(born)))).toBe(metaEtag(born))
  })
})

describe('viewPhoto', () => {
  it('shows or refuses any record, and nothing else', () => {
    fc.assert(
      fc.property(recordArb, record => {
        try {
          viewPhoto(record)
        } catch (error) {
          expect(error).toMatchObject({ code: 'ERR_RECORD_MALFORMED' })
        }
      })
    )
  })

  it.each<[string, Value]>([
    ['size', -1],
    ['size', 1.5],
    ['sha256', new Uint8Array(31)],
    ['cookie', 'text']
  ])('refuses a photo with a %s of %j', (field, value) => {
    const broken = write(born, [{ kind: 'version', value: new Map(shownVersion(born).value).set(field, value) }])
    expect(() => viewPhoto(broken)).toThrow(expect.objectContaining({ code: 'ERR_RECORD_MALFORMED' }))
  })

  it('omits optional fields that it does not understand', () => {
    const odd = new Map(shownVersion(born).value)
      .set('rating', 6)
      .set('name', 1)
      .set('attributes', new Map([['a', 1]]))
    expect(viewPhoto(write(born, [{ kind: 'version', value: odd }]))).toMatchObject({
      rating: undefined,
      name: '',
      attributes: new Map()
    })
  })

  it('takes no time that cannot be written', () => {
    const shown = [8.64e15 + 1, 1e300, -1e300, 1.5].map(
      ms => viewPhoto(write(born, factsChanges({ takenAt: { ms } }))).takenAt?.ms
    )
    expect(shown).toEqual([undefined, undefined, undefined, 1.5])
  })

  it('is required of every version, under the one spelling of its id', () => {
    const value = shownVersion(born).value
    const without = (key: string): Value => new Map([...value].filter(([name]) => name !== key))
    const hollow = (of: ReadonlyMap<string, Value>): DirectoryRecord =>
      write(born, [{ kind: 'version', value: of, supersedes: [] }], B)
    expect(() => requirePhoto(born)).not.toThrow()
    for (const of of [
      without('size'),
      without('sha256'),
      without('cookie'),
      new Map([...value, ['chunk_bytes', 1], ['size', 2 ** 40]])
    ])
      expect(() => requirePhoto(hollow(of as ReadonlyMap<string, Value>))).toThrow('cannot be shown')
    expect(() => requirePhoto({ ...born, id: PHOTO_ID.toUpperCase() })).toThrow('cannot be shown')
  })

  it('refuses other kinds', () => {
    expect(() => viewPhoto({ ...born, kind: 'album' })).toThrow(
      expect.objectContaining({ code: 'ERR_RECORD_MALFORMED' })
    )
    expect(() => viewPhoto({ ...born, id: 'x' })).toThrow(expect.objectContaining({ code: 'ERR_RECORD_MALFORMED' }))
  })
})
