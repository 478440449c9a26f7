import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { headChange, type LinkTier, linkChange, phashChange } from '../../../src/domain/findings.js'
import type { PhotoId } from '../../../src/domain/ids.js'
import { cameraChange, takenAtChange } from '../../../src/domain/photo-facts.js'
import { ALL_SHARDS } from '../../../src/domain/shards.js'
import { Duplicates, groupsOfSame } from '../../../src/search/duplicates.js'
import type { DuplicateGroup, DuplicateTier } from '../../../src/search/similarity-types.js'
import { photoNotFound } from '../../../src/store/record-writer.js'
import { SeededRandom } from '../../support/seeded-random.js'
import { randomPhotoId } from '../../support/vector-maker.js'
import { bodyOf } from '../photos/photos-fixture.js'
import { PHASH, SeenPhotos } from './similarity-fixture.js'

let photos: SeenPhotos
let duplicates: Duplicates

beforeEach(() => begin())

async function begin(seed = 1): Promise<void> {
  photos = await SeenPhotos.start(seed)
  const { directory, clock, components } = photos.base
  duplicates = new Duplicates({
    directory,
    writer: components.writer,
    ensureRecord: async id => {
      if (directory.getSync({ kind: 'photo', id }) === undefined) throw photoNotFound(id)
    },
    covered: () => new Set([1, 2]),
    clock
  })
}

/** Hashes of other pictures. */
const [OTHER, THIRD] = [Uint8Array.from(PHASH, byte => ~byte), new Uint8Array(8).fill(0x3c)]
/** @returns the hash of a rendition, less than 8 bits different */
const rendition = (bits: number): Uint8Array =>
  Uint8Array.from(PHASH, (byte, i) => (i === 0 ? byte ^ (2 ** bits - 1) : byte))

/** Later ones have greater ids. */
async function upload(text: string, phash: Uint8Array = PHASH): Promise<PhotoId> {
  await photos.pass(1)
  const { photoId } = await photos.base.photos.upload(bodyOf(Buffer.from(text)), { contentType: 'image/jpeg' })
  await photos.base.components.writer.edit(photoId, () => ({ changes: [phashChange(phash)] }))
  return photoId
}

const link = (a: PhotoId, b: PhotoId, tier: LinkTier, score = 0.8): Promise<unknown> =>
  photos.base.components.writer.edit(a, () => ({ changes: [linkChange(b, { tier, score })] }))

async function all(tier?: DuplicateTier): Promise<DuplicateGroup[]> {
  await photos.pass(20_000) // a snapshot may be this old
  const groups: DuplicateGroup[] = []
  for (let cursor: string | undefined; ; ) {
    const page = await duplicates.list(tier, cursor)
    groups.push(...page.groups)
    if (page.nextCursor === null) return groups
    cursor = page.nextCursor
  }
}

describe('groups', () => {
  test('of the same bytes are found without links', async () => {
    const [a, , b, c, d] = [
      await upload('x'),
      await upload('y'),
      await upload('x'),
      await upload('x'),
      await upload('z')
    ]
    const [e] = [await upload('z')]
    expect(await all()).toEqual([
      { tier: 'exact', photoIds: [d, e], score: 1 },
      { tier: 'exact', photoIds: [a, b, c], score: 1 }
    ])
    await photos.base.photos.remove(e)
    expect(await all('exact')).toEqual([{ tier: 'exact', photoIds: [a, b, c], score: 1 }])
  })

  test('are those of one picture, and have the lowest score of their links', async () => {
    const [a, b, c] = [await upload('a'), await upload('b', rendition(4)), await upload('c', rendition(7))]
    const [d, e] = [await upload('d', OTHER), await upload('e', THIRD)]
    await link(b, a, 'near', 0.97)
    await link(c, b, 'near', 0.96)
    await link(d, c, 'similar', 0.8)
    await link(e, d, 'similar', 0.76)
    expect(await all('near')).toEqual([{ tier: 'near', photoIds: [a, b, c], score: 0.96 }])
    // b, c and d have two links each, and the least id is the center
    expect(await all('similar')).toEqual([{ tier: 'similar', photoIds: [d, e], score: 0.76 }])
    expect((await all()).map(({ tier }) => tier)).toEqual(['near', 'similar'])
  })

  test('do not go on from picture to picture', async () => {
    const ids: PhotoId[] = []
    for (let i = 0; i < 8; i++) ids.push(await upload(`${i}`, bitsFrom(5 * i)))
    for (const [i, id] of ids.slice(1).entries()) await link(id, ids[i] as PhotoId, 'near')
    const groups = await all('near')
    expect(groups.length).toBeGreaterThan(1)
    for (const { photoIds } of groups) expect(photoIds.length).toBeLessThanOrEqual(5)
  })

  /** A hash that is 2 bits different for each step from another. */
  function bitsFrom(step: number): Uint8Array {
    const hash = new Uint8Array(8)
    for (let bit = step; bit < step + 24; bit++) hash[bit >> 3] = (hash[bit >> 3] ?? 0) | (1 << (bit & 7))
    return hash
  }

  test('a hash with nothing in it is no evidence, whatever an older version said', async () => {
    const [a, b, c] = [await upload('a', new Uint8Array(8)), await upload('b', new Uint8Array(8)), await upload('c')]
    await link(b, a, 'near', 0.99)
    await link(c, a, 'similar', 0.9)
    expect(await all()).toEqual([])
    expect(await duplicates.linked(a)).toEqual([])
    const same = await upload('a', new Uint8Array(8))
    expect(await all()).toEqual([{ tier: 'exact', photoIds: [a, same], score: 1 }])
  })

  test('a RAW file and the picture that the camera made of it are no copies', async () => {
    const [raw, jpeg, small] = [await upload('raw'), await upload('jpeg'), await upload('small')]
    const shot = [takenAtChange({ ms: 1_000 }), cameraChange({ make: 'NIKON', model: 'Z 6' })]
    const { writer } = photos.base.components
    await writer.edit(raw, () => ({ changes: [headChange(1, 'nef'), ...shot] }))
    await link(jpeg, raw, 'near')
    expect(await all('near')).toHaveLength(1) // the head of one was not read yet
    await writer.edit(jpeg, () => ({ changes: [headChange(1, 'jpeg'), ...shot] }))
    expect(await all()).toEqual([])
    expect(await duplicates.linked(raw)).toEqual([])
    await link(small, jpeg, 'near')
    expect(await all('near')).toEqual([{ tier: 'near', photoIds: [jpeg, small], score: 0.8 }])
  })

  test('a group of a stricter tier is not repeated', async () => {
    const [a, b] = [await upload('x'), await upload('x')]
    await link(b, a, 'near', 1)
    const [c, d] = [await upload('c'), await upload('d')]
    await link(d, c, 'near', 0.97)
    expect((await all()).map(({ tier, photoIds }) => [tier, photoIds])).toEqual([
      ['exact', [a, b]],
      ['near', [c, d]]
    ])
  })

  test('deleted photos connect nothing', async () => {
    const [a, b, c] = [await upload('a'), await upload('b'), await upload('c')]
    await link(b, a, 'near')
    await link(c, b, 'near')
    await photos.base.photos.remove(b)
    expect(await all()).toEqual([])
  })

  test('are returned page by page, each once', async () => {
    for (let i = 0; i < 130; i++) {
      await upload(`${i}`)
      await upload(`${i}`)
    }
    const first = await duplicates.list(undefined, undefined)
    expect(first.groups).toHaveLength(100)
    const groups = await all()
    expect(groups).toHaveLength(130)
    expect(new Set(groups.flatMap(({ photoIds }) => photoIds)).size).toBe(260)
  })

  test('are counted by tier, and lack what was deleted since they were found', async () => {
    const [a, , b] = [await upload('x'), await upload('y'), await upload('x')]
    const [c, d, e] = [await upload('c'), await upload('d'), await upload('x')]
    await link(d, c, 'near')
    const counts = {
      exact: { groups: 1, photos: 3 },
      near: { groups: 1, photos: 2 },
      similar: { groups: 0, photos: 0 }
    }
    expect((await duplicates.list('similar', undefined)).counts).toEqual(counts)
    await photos.base.photos.remove(b)
    await photos.base.photos.remove(c)
    const page = await duplicates.list(undefined, undefined)
    expect(page.groups).toEqual([{ tier: 'exact', photoIds: [a, e], score: 1 }])
    expect(page.counts).toEqual(counts) // of before
    duplicates.forget()
    expect((await duplicates.list(undefined, undefined)).counts.exact).toEqual({ groups: 1, photos: 2 })
  })

  test.each(['', 'x', Buffer.from('exact x').toString('base64url'), `${Buffer.from('near').toString('base64url')}=`])(
    'the cursor %j is refused',
    async cursor => {
      await expect(duplicates.list(undefined, cursor)).rejects.toMatchObject({ code: 'ERR_BAD_CURSOR' })
    }
  )

  test('report how much of the index their links come from; equal bytes need no index', async () => {
    expect((await duplicates.list('near', undefined)).coverage.shardsOk).toBe(2)
    expect((await duplicates.list(undefined, undefined)).coverage.fraction).toBe(2 / 64)
    expect((await duplicates.list('exact', undefined)).coverage.shardsOk).toBe(ALL_SHARDS.size)
  })

  /** Far from those of other numbers up to 12. */
  const hashOf = (number: number): Uint8Array => {
    const random = new SeededRandom(number)
    return Uint8Array.from({ length: 8 }, () => random.pick([0x33, 0x55, 0x66, 0xcc, 0xaa, 0x99]))
  }

  test('are all linked to one of theirs, and two that are linked are never both left out', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), async seed => {
        await begin(seed)
        const { random } = photos
        const ids: PhotoId[] = []
        for (let i = 0; i < 12; i++) ids.push(await upload(`${i}`, hashOf(i)))
        const edges: [PhotoId, PhotoId][] = []
        for (let i = 0; i < 10; i++) {
          const [a, b] = [random.pick(ids), random.pick(ids)]
          if (a === b) continue
          await link(a, b, 'similar')
          edges.push([a, b])
        }
        for (const [a, b] of edges.filter(() => random.chance(0.2))) {
          await duplicates.unlink(...(random.chance(0.5) ? ([a, b] as const) : ([b, a] as const)))
          for (const [i, [c, d]] of [...edges.entries()].reverse()) {
            if ((a === c && b === d) || (a === d && b === c)) edges.splice(i, 1)
          }
        }
        const isLinked = (one: PhotoId, other: PhotoId): boolean =>
          edges.some(([a, b]) => (a === one && b === other) || (a === other && b === one))
        const found = (await all('similar')).map(({ photoIds }) => photoIds)
        expect(new Set(found.flat()).size).toBe(found.flat().length)
        for (const group of found) {
          expect(group.length).toBeGreaterThan(1)
          const centers = group.filter(one => group.every(other => one === other || isLinked(one, other)))
          expect(centers).not.toEqual([])
        }
        const left = ids.filter(id => !found.flat().includes(id))
        for (const one of left) for (const other of left) expect(isLinked(one, other)).toBe(false)
      }),
      { numRuns: 20 }
    )
  })
})

describe('similar photos', () => {
  test('are listed on both, whichever record has the link', async () => {
    const [a, b, c] = [await upload('a'), await upload('b'), await upload('c', OTHER)]
    await link(b, a, 'near', 0.97)
    await link(c, a, 'similar', 0.8)
    expect(await duplicates.linked(a)).toEqual([
      { photoId: b, tier: 'near', score: 0.97 },
      { photoId: c, tier: 'similar', score: 0.8 }
    ])
    expect(await duplicates.linked(b)).toEqual([{ photoId: a, tier: 'near', score: 0.97 }])
    await photos.base.photos.remove(a)
    expect(await duplicates.linked(b)).toEqual([])
  })

  test('are no longer listed once marked as not duplicates', async () => {
    const [a, b] = [await upload('a'), await upload('b')]
    await link(b, a, 'near')
    expect(await all()).toHaveLength(1)
    await duplicates.unlink(a, b)
    expect(await duplicates.linked(a)).toEqual([])
    expect(await duplicates.linked(b)).toEqual([])
    expect(await all()).toEqual([])
    await duplicates.unlink(a, b) // again is harmless
  })

  test('equal bytes can be marked as not duplicates, too', async () => {
    const [a, b, c] = [await upload('x'), await upload('x'), await upload('x')]
    await duplicates.unlink(b, a)
    expect((await all())[0]?.photoIds).toEqual([a, b, c]) // c is still a copy of both
    await duplicates.unlink(b, c)
    expect((await all())[0]?.photoIds).toEqual([a, c])
  })

  test('several are told apart at once, and together again', async () => {
    const [a, b, c, d] = [await upload('x'), await upload('x'), await upload('x'), await upload('x')]
    const unknown = randomPhotoId(photos.random)
    expect(await duplicates.tellApart([a, b, unknown])).toEqual([
      { photoId: a, error: undefined },
      { photoId: b, error: undefined },
      { photoId: unknown, error: 'ERR_PHOTO_NOT_FOUND' }
    ])
    await duplicates.tellApart([d], [a, b, c])
    expect((await duplicates.list('exact', undefined)).groups[0]?.photoIds).toEqual([a, b, c]) // c is a copy of both
    await duplicates.tellApart([c, b, a])
    expect((await duplicates.list('exact', undefined)).groups).toEqual([])
    await duplicates.tellApart([d], [d, a, c], false)
    expect((await duplicates.list('exact', undefined)).groups[0]?.photoIds).toEqual([a, c, d])
    // whoever said it, in whichever record it stands
    await duplicates.unlink(c, a)
    await duplicates.tellApart([a, b, c, d], undefined, false)
    expect((await duplicates.list('exact', undefined)).groups[0]?.photoIds).toEqual([a, b, c, d])
    await expect(duplicates.tellApart(Array(101).fill(a))).rejects.toMatchObject({ code: 'ERR_BAD_PARAMETER' })
  })

  test('refuse the photo itself, an unknown one, and a deleted one', async () => {
    const [a, b] = [await upload('a'), await upload('b')]
    const failing = (one: PhotoId, other: PhotoId, code: string) =>
      expect(duplicates.unlink(one, other)).rejects.toMatchObject({ code })
    await failing(a, a, 'ERR_BAD_PARAMETER')
    await failing(a, randomPhotoId(photos.random), 'ERR_PHOTO_NOT_FOUND')
    await failing(randomPhotoId(photos.random), a, 'ERR_PHOTO_NOT_FOUND')
    await photos.base.photos.remove(b)
    await failing(a, b, 'ERR_PHOTO_DELETED')
    await failing(b, a, 'ERR_PHOTO_DELETED')
  })
})

describe('photos of the same bytes', () => {
  /** Marks pairs of `count` photos. */
  function marked(count: number, pairs: readonly (readonly [number, number])[]) {
    const ids = Array.from({ length: count }, () => randomPhotoId(photos.random))
    let looks = 0
    class CountedSet extends Set<PhotoId> {
      override has(id: PhotoId): boolean {
        looks++
        return super.has(id)
      }
    }
    const live = new Map(ids.map(id => [id, { sha256: '', unlinks: new CountedSet() }]))
    for (const [a, b] of pairs) if (a !== b) live.get(ids[a] as PhotoId)?.unlinks.add(ids[b] as PhotoId)
    return { live, looks: () => looks }
  }

  test('are one group unless marks keep them all apart, as a look at every pair finds', () => {
    const index = fc.nat(6)
    fc.assert(
      fc.property(fc.array(fc.tuple(index, index), { maxLength: 40, size: 'max' }), pairs => {
        const { live } = marked(7, pairs)
        const groups = new Map([...live.keys()].map(id => [id, new Set([id])]))
        for (const [a, { unlinks }] of live) {
          for (const [b, other] of live) {
            if (unlinks.has(b) || other.unlinks.has(a)) continue
            const merged = new Set([...(groups.get(a) ?? []), ...(groups.get(b) ?? [])])
            for (const id of merged) groups.set(id, merged)
          }
        }
        const connected = [...new Set(groups.values())].map(group => [...group]).filter(({ length }) => length > 1)
        const sorted = (found: PhotoId[][]): string[] => found.map(group => group.sort().join()).sort()
        expect(sorted(groupsOfSame(live))).toEqual(sorted(connected))
      })
    )
  })

  test('are not compared pair by pair', () => {
    const { live, looks } = marked(1_000, [
      [0, 999],
      [5, 999]
    ])
    expect(groupsOfSame(live)).toHaveLength(1)
    expect(looks()).toBeLessThan(3_000)
  })
})
