import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { type LinkTier, linkChange } from '../../../src/domain/findings.js'
import { Groups } from '../../../src/domain/groups.js'
import type { PhotoId } from '../../../src/domain/ids.js'
import { ALL_SHARDS } from '../../../src/domain/shards.js'
import { Duplicates, groupsOfSame } from '../../../src/search/duplicates.js'
import type { DuplicateGroup, DuplicateTier } from '../../../src/search/similarity-types.js'
import { photoNotFound } from '../../../src/store/record-writer.js'
import { randomPhotoId } from '../../support/vector-maker.js'
import { bodyOf } from '../photos/photos-fixture.js'
import { SeenPhotos } from './similarity-fixture.js'

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

/** Later ones have greater ids. */
async function upload(text: string): Promise<PhotoId> {
  await photos.pass(1)
  return (await photos.base.photos.upload(bodyOf(Buffer.from(text)), { contentType: 'image/jpeg' })).photoId
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

  test('are connected by links and have the lowest score of these', async () => {
    const ids: PhotoId[] = []
    for (const text of ['a', 'b', 'c', 'd', 'e']) ids.push(await upload(text))
    const [a, b, c, d, e] = ids as [PhotoId, PhotoId, PhotoId, PhotoId, PhotoId]
    await link(b, a, 'near', 0.97)
    await link(c, b, 'near', 0.96)
    await link(d, c, 'similar', 0.8)
    await link(e, d, 'similar', 0.76)
    expect(await all('near')).toEqual([{ tier: 'near', photoIds: [a, b, c], score: 0.96 }])
    expect(await all('similar')).toEqual([{ tier: 'similar', photoIds: ids, score: 0.76 }])
    expect((await all()).map(({ tier }) => tier)).toEqual(['near', 'similar'])
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

  test('match a brute-force search', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), async seed => {
        await begin(seed)
        const { random } = photos
        const ids: PhotoId[] = []
        for (let i = 0; i < 12; i++) ids.push(await upload(`${i}`))
        const edges: [PhotoId, PhotoId][] = []
        for (let i = 0; i < 10; i++) {
          const [a, b] = [random.pick(ids), random.pick(ids)]
          if (a === b) continue
          await link(a, b, 'near')
          edges.push([a, b])
        }
        for (const [a, b] of edges.filter(() => random.chance(0.2))) {
          await duplicates.unlink(...(random.chance(0.5) ? ([a, b] as const) : ([b, a] as const)))
          for (const [i, [c, d]] of [...edges.entries()].reverse()) {
            if ((a === c && b === d) || (a === d && b === c)) edges.splice(i, 1)
          }
        }
        const groups = new Map(ids.map(id => [id, new Set([id])]))
        for (const [a, b] of edges) {
          const merged = new Set([...(groups.get(a) ?? []), ...(groups.get(b) ?? [])])
          for (const id of merged) groups.set(id, merged)
        }
        const wanted = [...new Set(groups.values())].filter(({ size }) => size > 1).map(group => [...group].sort())
        const found = (await all('near')).map(({ photoIds }) => photoIds)
        expect(found.map(String).sort()).toEqual(wanted.map(String).sort())
      }),
      { numRuns: 20 }
    )
  })
})

describe('similar photos', () => {
  test('are listed on both, whichever record has the link', async () => {
    const [a, b, c] = [await upload('a'), await upload('b'), await upload('c')]
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
        const connected = new Groups<PhotoId>()
        for (const [a, { unlinks }] of live) {
          for (const [b, other] of live)
            if (a !== b && !unlinks.has(b) && !other.unlinks.has(a)) connected.connect(a, b)
        }
        const sorted = (groups: PhotoId[][]): string[] => groups.map(group => group.sort().join()).sort()
        expect(sorted(groupsOfSame(live))).toEqual(sorted(connected.all()))
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
