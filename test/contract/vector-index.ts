import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { AudienceSet, namedAudience } from '../../src/domain/audience.js'
import type { Space } from '../../src/domain/features.js'
import {
  NEIGHBORS_MAX,
  type VectorEntry,
  type VectorIndex,
  type VectorIndexes
} from '../../src/similarity/index/vector-index.js'
import { nearest } from '../support/exact-vector-indexes.js'
import { SeededRandom } from '../support/seeded-random.js'
import {
  imageVector,
  MODEL,
  nearVector,
  OTHER_MODEL,
  randomPhotoId,
  unitVector,
  vectorEntries
} from '../support/vector-maker.js'

const DIMENSION = 16
const NAME = { model: MODEL, spaces: new Map([['image', DIMENSION]] as const) }

/** What every implementation of {@link VectorIndexes} keeps to. Approximate ones are exact on sets as small as these. */
export function vectorIndexContract(name: string, setUp: (capacity: number) => Promise<VectorIndexes>): void {
  describe(`${name} keeps the contract of VectorIndexes`, () => {
    let random: SeededRandom
    let indexes: VectorIndexes
    let index: VectorIndex

    beforeEach(async () => {
      random = new SeededRandom(7)
      indexes = await setUp(100_000)
      index = await indexes.open(NAME)
    })
    afterEach(() => index.close())

    const entries = (count: number): VectorEntry[] => vectorEntries(random, count, DIMENSION)
    const copies = (of: readonly VectorEntry[]): VectorEntry[] =>
      of.map(entry => ({ ...entry, vectors: imageOf(Float32Array.from(imageVector(entry))) }))
    const imageOf = (vector: Float32Array): VectorEntry['vectors'] => new Map([['image', vector]])
    const idsOf = (of: readonly { readonly id: string }[]): string[] => of.map(({ id }) => id)

    async function expectExact(held: readonly VectorEntry[], k = 10): Promise<void> {
      expect(index.size).toBe(held.length)
      expect([...index.ids()].sort()).toEqual(idsOf(held).sort())
      for (const { id, version } of held) expect(index.version(id)).toBe(version)
      for (let i = 0; i < 20; i++) {
        const query = unitVector(random, DIMENSION)
        const { neighbors: found } = await index.search('image', query, k)
        const wanted = nearest(held, query, k)
        expect(idsOf(found)).toEqual(idsOf(wanted))
        for (const [at, { score }] of found.entries()) expect(score).toBeCloseTo(wanted[at]?.score ?? 0, 5)
      }
    }

    async function reopen(): Promise<void> {
      await index.close()
      index = await indexes.open(NAME)
    }

    test('an empty one finds nothing', async () => {
      expect(index.size).toBe(0)
      expect(await index.search('image', unitVector(random, DIMENSION), 5)).toMatchObject({ neighbors: [] })
    })

    test('finds the nearest, best first', async () => {
      const held = entries(300)
      await index.add(copies(held))
      await expectExact(held)
    })

    test('fewer than wanted: all of them', async () => {
      const held = entries(3)
      await index.add(copies(held))
      await expectExact(held, 10)
      await expectExact(held, NEIGHBORS_MAX)
    })

    test('a vector scores 1 with itself, however it was rounded', async () => {
      const [entry] = entries(1) as [VectorEntry]
      await index.add(copies([entry]))
      const {
        neighbors: [found]
      } = await index.search('image', imageVector(entry), 1)
      expect(found?.score).toBeCloseTo(1, 5)
      expect(found?.score).toBeLessThanOrEqual(1)
    })

    test('the query is left alone', async () => {
      await index.add(entries(5))
      const query = unitVector(random, DIMENSION)
      const before = Float32Array.from(query)
      await index.search('image', query, 3)
      expect(query).toEqual(before)
    })

    test('what is removed is not found', async () => {
      const held = entries(100)
      await index.add(copies(held))
      await index.remove(held.slice(0, 60).map(({ id }) => id))
      await expectExact(held.slice(60))
    })

    test('removing what is not there is harmless', async () => {
      const held = entries(3)
      await index.add(copies(held))
      await index.remove([randomPhotoId(random)])
      await index.remove([])
      await expectExact(held)
    })

    test('an added vector takes the place of the photo’s other one', async () => {
      const held = entries(50)
      await index.add(copies(held))
      const changed = held.slice(0, 20).map(entry => ({
        ...entry,
        version: entry.version + 1,
        vectors: imageOf(nearVector(random, imageVector(entry), 3))
      }))
      await index.add(copies(changed))
      await expectExact([...held.slice(20), ...changed])
    })

    test('of several for one photo in a call the last counts', async () => {
      const [entry, other] = entries(2) as [VectorEntry, VectorEntry]
      const last = { ...entry, version: 5, vectors: other.vectors }
      await index.add(copies([entry, other, last]))
      await expectExact([other, last], 1_000)
    })

    test('removed and added again', async () => {
      const held = entries(40)
      await index.add(copies(held))
      await index.remove(idsOf(held) as VectorEntry['id'][])
      await index.add(copies(held))
      await expectExact(held)
    })

    test('stays right through growth and many removals', { timeout: 60_000 }, async () => {
      let held: VectorEntry[] = []
      for (let round = 0; round < 12; round++) {
        const added = entries(250)
        await index.add(copies(added))
        const gone = held.filter(() => random.chance(0.6))
        await index.remove(gone.map(({ id }) => id))
        held = [...held.filter(entry => !gone.includes(entry)), ...added]
      }
      await expectExact(held)
    })

    test('calls take effect in their order without being waited for', async () => {
      const held = entries(30)
      const first = index.add(copies(held))
      const second = index.remove(held.slice(0, 10).map(({ id }) => id))
      const third = index.add(copies(held.slice(5, 8)))
      await Promise.all([first, second, third])
      await expectExact([...held.slice(10), ...held.slice(5, 8)])
    })

    test('what was saved is there when it is opened again, what was not is missing', async () => {
      const held = entries(80)
      await index.add(copies(held))
      await index.remove(held.slice(0, 30).map(({ id }) => id))
      await index.save()
      await index.add(entries(5))
      await index.remove([held[79]?.id as VectorEntry['id']])
      await reopen()
      await expectExact(held.slice(30))
    })

    test('goes on growing after it was opened again', async () => {
      const held = entries(30)
      await index.add(copies(held))
      await index.save()
      await reopen()
      const more = entries(1_500)
      await index.add(copies(more))
      await index.remove(held.slice(0, 10).map(({ id }) => id))
      await expectExact([...held.slice(10), ...more])
      await index.save()
      await reopen()
      await expectExact([...held.slice(10), ...more])
    })

    test('an empty one can be saved', async () => {
      const held = entries(3)
      await index.save()
      await reopen()
      await index.add(copies(held))
      await index.remove(idsOf(held) as VectorEntry['id'][])
      await index.save()
      await reopen()
      await index.add(copies(held))
      await expectExact(held)
    })

    test('indexes of other names are others', async () => {
      const held = entries(10)
      await index.add(copies(held))
      await index.save()
      for (const name of [
        { ...NAME, spaces: new Map([['text', DIMENSION]] as const) },
        { ...NAME, model: OTHER_MODEL },
        { ...NAME, spaces: new Map([['image', 8]] as const) }
      ] as const) {
        const other = await indexes.open(name)
        expect(other.size).toBe(0)
        await other.close()
      }
      await expectExact(held)
    })

    test('keeps only the models that it is told to', async () => {
      const held = entries(10)
      await index.add(copies(held))
      await index.save()
      await index.close()
      await indexes.keepOnly(new Set([MODEL]))
      index = await indexes.open(NAME)
      await expectExact(held)
      await index.close()
      await indexes.keepOnly(new Set([OTHER_MODEL]))
      index = await indexes.open(NAME)
      await expectExact([])
    })

    test('what is cleared is gone, here and in what was saved, and can be filled again', async () => {
      const held = entries(40)
      await index.add(copies(held))
      await index.save()
      await index.clear()
      await expectExact([])
      await index.add(copies(held.slice(0, 7)))
      await expectExact(held.slice(0, 7))
      await reopen()
      await expectExact([])
    })

    test('more than fit are refused, and nothing has changed', async () => {
      await index.close()
      const small = await setUp(100)
      index = await small.open(NAME)
      expect(index.capacity).toBeGreaterThanOrEqual(100)
      const held = entries(index.capacity)
      await index.add(copies(held))
      await expect(index.add(entries(1))).rejects.toMatchObject({ code: 'ERR_INDEX_FULL' })
      await expectExact(held)
      await index.clear()
      await index.add(copies(held.slice(1)))
      await expectExact(held.slice(1))
    })

    test('each space has vectors of its own', async () => {
      const spaces = new Map<Space, number>([
        ['image', DIMENSION],
        ['text', 6]
      ])
      const both = await indexes.open({ model: OTHER_MODEL, spaces })
      const held = entries(60).map(entry => ({
        ...entry,
        vectors: new Map(entry.vectors).set('text', unitVector(random, 6))
      }))
      await both.add(held)
      for (const [space, dimension] of spaces) {
        const query = unitVector(random, dimension)
        const { neighbors } = await both.search(space, query, 5)
        expect(idsOf(neighbors)).toEqual(idsOf(nearest(held, query, 5, space)))
      }
      await both.close()
    })

    describe('for somebody', () => {
      const [FAMILY, CLUB, OWN] = ['family', 'club', 'own'] as const
      const audiences = new Map<string, string>()

      /** In clusters that are open to different people, as photos are: few of what is near a question may be seen. */
      const clustered = (count: number, audienceAt: (cluster: number) => string): VectorEntry[] => {
        const centers = Array.from({ length: 20 }, () => unitVector(random, DIMENSION))
        return entries(count).map((entry, i) => {
          const vector = nearVector(random, centers[i % 20] as Float32Array, 0.5)
          return { ...entry, audience: audienceAt(i % 20), vectors: imageOf(vector) }
        })
      }

      async function add(of: readonly VectorEntry[]): Promise<void> {
        for (const { id, audience } of of) audiences.set(id, audience)
        await index.add(copies(of))
      }

      function move(of: readonly VectorEntry[], audience: string): Promise<void> {
        for (const { id } of of) audiences.set(id, audience)
        return index.move(of.map(({ id }) => ({ id, audience })))
      }

      /** Compares with a look at every vector. */
      async function expectSeen(held: readonly VectorEntry[], seen: readonly string[], k = 10): Promise<void> {
        const visible = held.filter(({ id }) => seen.includes(audiences.get(id) ?? ''))
        const set = new AudienceSet(seen.map(namedAudience))
        for (let i = 0; i < 10; i++) {
          const query = imageVector(random.pick(held))
          const { neighbors } = await index.search('image', query, k, set)
          expect(idsOf(neighbors)).toEqual(idsOf(nearest(visible, query, k)))
        }
      }

      test('finds the nearest of what that one sees, be it little or much, and all of that when less than was asked for', async () => {
        const held = clustered(3_000, cluster => (cluster === 0 ? OWN : cluster < 11 ? FAMILY : CLUB))
        await add(held)
        await expectSeen(held, [OWN])
        await expectSeen(held, [OWN], 1_000)
        await expectSeen(held, [FAMILY, 'of no photo'])
        await expectSeen(held, [CLUB, FAMILY], 100)
        await expectSeen(held, [])
        await expectSeen(held, ['of no photo'])
        expect((await index.search('image', imageVector(held[0] as VectorEntry), 5)).neighbors).toHaveLength(5)
      })

      test('what moves is seen by others in the searches after, without being waited for', async () => {
        const held = clustered(400, cluster => (cluster < 10 ? FAMILY : CLUB))
        await add(held)
        const adding = index.add(entries(500))
        const moving = move(held.slice(0, 200), OWN)
        await expectSeen(held, [OWN], 400)
        await expectSeen(held, [FAMILY], 400)
        await Promise.all([adding, moving])
        await expectSeen(held, [OWN], 400)
        for (const { id } of held) expect(index.audience(id)).toBe(audiences.get(id))
        await move([...held.slice(0, 5), ...entries(1)], CLUB)
        await expectSeen(held, [OWN], 400)
        await expectSeen(held, [CLUB], 400)
      })

      test('stays right through additions, removals, moves and new vectors of the same photos', async () => {
        let held: VectorEntry[] = []
        for (let round = 0; round < 8; round++) {
          const some = [FAMILY, CLUB, OWN, `album ${round}`]
          const added = clustered(120, () => random.pick(some))
          const calls = [add(added)]
          calls.push(
            move(
              held.filter(() => random.chance(0.2)),
              random.pick(some)
            )
          )
          const gone = held.filter(() => random.chance(0.4))
          calls.push(index.remove(gone.map(({ id }) => id)))
          const again = added.slice(0, 30).map(entry => ({ ...entry, version: entry.version + 1, audience: CLUB }))
          calls.push(add(again))
          await Promise.all(calls)
          held = [...held.filter(entry => !gone.includes(entry)), ...again, ...added.slice(30)]
          await expectSeen(held, [random.pick(some), OWN], 50)
        }
      })

      test('after it was opened again nobody sees anything of it before it is said', async () => {
        const held = clustered(50, () => FAMILY)
        await add(held)
        await index.save()
        await reopen()
        expect([index.size, index.audience(held[0]?.id as VectorEntry['id'])]).toEqual([50, undefined])
        const query = imageVector(held[0] as VectorEntry)
        expect(await index.search('image', query, 5, new AudienceSet([namedAudience(FAMILY)]))).toMatchObject({
          neighbors: []
        })
        await move(held.slice(0, 20), FAMILY)
        await expectSeen(held.slice(0, 20), [FAMILY], 50)
      })

      test('nothing of what was there before it was cleared', async () => {
        const held = clustered(60, () => FAMILY)
        await add(held)
        await index.clear()
        await add(held.slice(0, 7))
        await move(held.slice(0, 3), CLUB)
        await expectSeen(held.slice(0, 7), [FAMILY], 50)
      })
    })

    test('a closed one says so', async () => {
      await index.close()
      await index.close()
      const failure = { code: 'ERR_INDEX_UNAVAILABLE' }
      await expect(index.search('image', unitVector(random, DIMENSION), 1)).rejects.toMatchObject(failure)
      await expect(index.add(entries(1))).rejects.toMatchObject(failure)
      await expect(index.remove([randomPhotoId(random)]))
        .resolves.toBeUndefined()
        .catch(() => {})
      await expect(index.save()).rejects.toMatchObject(failure)
    })
  })
}
