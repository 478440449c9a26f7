import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Api, ApiError } from '../src/api/client.js'
import {
  bestOf,
  type DuplicatePhoto,
  Duplicates,
  differences,
  groupOf,
  type Merged,
  mergePhotos,
  undoMerges
} from '../src/state/duplicates.js'

const NOTHING = { tags: [], albums: [], rating: null, caption: null, favourite: false, unarchived: false }

function photo(id: string, facts: Partial<DuplicatePhoto> = {}): DuplicatePhoto {
  const known = {
    photo_id: id,
    name: 'a.jpg',
    width: 6,
    height: 4,
    size: 100,
    taken_at: null,
    partners: [],
    content_type: 'image/jpeg',
    created_at: '2026-01-01T00:00:00Z',
    source: null
  }
  return { ...known, ...facts } as unknown as DuplicatePhoto
}

/** A node with these groups, that takes note of what it is asked. */
class FakeNode {
  readonly asked: { readonly path: string; readonly body: unknown }[] = []
  readonly gone = new Set<string>()
  /** Groups on a page. */
  pageMax = 2
  failsAt: string | undefined
  readonly #groups: Readonly<Record<string, readonly (readonly string[])[]>>

  constructor(groups: Readonly<Record<string, readonly (readonly string[])[]>>) {
    this.#groups = groups
  }

  get api(): Pick<Api, 'get' | 'post'> {
    return {
      get: async (_: string, { query }: { query: { tier: string; cursor?: string } }) => this.#list(query),
      post: async (path: string, body: never) => this.#post(path, body)
    } as unknown as Pick<Api, 'get' | 'post'>
  }

  #list({ tier, cursor = '' }: { tier: string; cursor?: string }): object {
    const live = (of: string): string[][] =>
      (this.#groups[of] ?? []).map(ids => ids.filter(id => !this.gone.has(id))).filter(ids => ids.length > 1)
    const all = live(tier).filter(([first = '']) => first > cursor)
    const page = all.slice(0, this.pageMax)
    const count = (of: string): object => ({ groups: live(of).length, photos: live(of).flat().length })
    return {
      groups: page.map(ids => ({ tier, size: ids.length, photo_ids: ids, score: 0.9 })),
      total: live(tier).length,
      tiers: { exact: count('exact'), near: count('near'), similar: count('similar') },
      coverage: { shards_ok: 32, shards_total: 64, fraction: 0.5 },
      next_cursor: all.length > page.length ? (page.at(-1)?.[0] ?? null) : null
    }
  }

  #post(path: string, body: { ids?: string[]; keep?: string; remove?: string[]; undelete?: string[] }): object {
    if (path !== '/v1/photos/lookup') this.asked.push({ path, body })
    if (path === '/v1/photos/lookup') return { photos: body.ids?.filter(id => !this.gone.has(id)).map(id => photo(id)) }
    if (path === '/duplicates/resolve') {
      if (body.keep === this.failsAt) throw new ApiError('ERR_DISK_FULL', 507, '')
      const results = body.remove?.map(photo_id => ({
        photo_id,
        status: this.gone.has(photo_id) ? 'was_deleted' : 'deleted'
      }))
      for (const id of body.remove ?? []) this.gone.add(id)
      return { keep: body.keep, merged: { ...NOTHING, tags: ['sea'] }, results }
    }
    const back = body.undelete ?? []
    for (const id of back) this.gone.delete(id)
    return { results: back.map(photo_id => ({ photo_id, status: 'restored' })) }
  }
}

describe('of several photos the best', () => {
  test('has files beside it, then most pixels, most bytes, a date, and came first', () => {
    const plain = photo('b')
    expect(bestOf([])).toBeUndefined()
    for (const better of [
      photo('a'),
      photo('c', { taken_at: '2024' }),
      photo('c', { size: 101 }),
      photo('c', { width: 7, size: 1 }),
      photo('c', { partners: ['d'], width: 1 })
    ])
      for (const photos of [
        [plain, better],
        [better, plain]
      ])
        expect(bestOf(photos)).toBe(better)
  })

  test('is the same in whichever order they come', () => {
    const photos = fc.uniqueArray(fc.record({ id: fc.string(), size: fc.nat(3), width: fc.nat(2) }), {
      selector: ({ id }) => id,
      minLength: 1,
      maxLength: 6
    })
    fc.assert(
      fc.property(photos, all => {
        const made = all.map(({ id, ...facts }) => photo(id, facts))
        expect(bestOf([...made].reverse())).toBe(bestOf(made))
      })
    )
  })

  test('is first in its group, and the others keep their order', () => {
    const photos = [photo('a'), photo('b'), photo('c', { size: 200 })]
    expect(groupOf('near', photos, 3, 1).photos.map(({ photo_id }) => photo_id)).toEqual(['c', 'a', 'b'])
  })
})

test('what differs is named', () => {
  expect(differences([photo('a'), photo('b')])).toEqual(new Set())
  expect(differences([photo('a'), photo('b', { size: 1, name: 'b' }), photo('c', { width: 1 })])).toEqual(
    new Set(['name', 'pixels', 'size'])
  )
  // photos that came on one day came at the same time
  expect(differences([photo('a'), photo('b', { created_at: '2026-01-01T12:00:00Z' })])).toEqual(new Set())
})

describe('a merge is undone', () => {
  const gained = {
    ...NOTHING,
    tags: ['sea'],
    albums: [
      { album_id: 'id', name: 'Kiel' },
      { album_id: null, name: 'label' }
    ],
    rating: 4,
    unarchived: true
  }
  const merged: Merged = { keep: 'a', gained, deleted: ['b', 'c'], failed: 0 }

  test('by bringing back what went, and taking away what was gained', async () => {
    const node = new FakeNode({})
    expect(await undoMerges(node.api, [merged, { ...merged, keep: 'd', gained: NOTHING, deleted: ['e'] }])).toBe(3)
    expect(node.asked.map(({ body }) => body)).toEqual([
      { undelete: ['b', 'c', 'e'] },
      { ids: ['a'], tags: { remove: ['sea'] }, albums: { remove: ['id', 'label'] }, rating: null, archived: true }
    ])
  })

  test('nothing is taken away where not all are back', async () => {
    const asked: unknown[] = []
    const post = async (_: string, body: { undelete: string[] }): Promise<unknown> => {
      asked.push(body)
      return { results: body.undelete.map((photo_id, i) => ({ photo_id, status: i === 0 ? 'restored' : 'failed' })) }
    }
    expect(await undoMerges({ post } as unknown as Pick<Api, 'get' | 'post'>, [merged])).toBe(1)
    expect(asked).toHaveLength(1)
  })
})

describe('the list', () => {
  const groups = {
    exact: [
      ['a1', 'a2', 'a3'],
      ['b1', 'b2'],
      ['c1', 'c2'],
      ['d1', 'd2'],
      ['e1', 'e2']
    ],
    near: [['n1', 'n2']]
  }
  const keysOf = (duplicates: Duplicates): string[] | undefined => duplicates.groups.value?.map(({ key }) => key)

  test('begins with the strictest tier that has something, and goes on when it is asked to', async () => {
    const node = new FakeNode(groups)
    const duplicates = new Duplicates(node.api)
    expect(await duplicates.load()).toBe('exact')
    expect(keysOf(duplicates)).toEqual(['exact a1', 'exact b1'])
    expect([duplicates.hasMore.value, duplicates.fraction.value]).toEqual([true, 0.5])
    await duplicates.more()
    expect(keysOf(duplicates)).toEqual(['exact a1', 'exact b1', 'exact c1', 'exact d1'])
    expect(await new Duplicates(new FakeNode({ near: groups.near }).api).load()).toBe('near')
    expect(await new Duplicates(new FakeNode({}).api).load()).toBe('exact')
  })

  test('follows what is done to it, and back', async () => {
    const duplicates = new Duplicates(new FakeNode(groups).api)
    await duplicates.load('exact')
    const [first, second] = duplicates.groups.value ?? []
    if (first === undefined || second === undefined) throw new Error('not loaded')
    duplicates.replace(first, undefined)
    expect(keysOf(duplicates)).toEqual(['exact b1'])
    expect(duplicates.counts.value?.exact).toEqual({ groups: 4, photos: 8 })
    duplicates.putBack(first, 0, undefined)
    const rest = groupOf('exact', first.photos.slice(1), 2, 1)
    duplicates.replace(first, rest)
    expect(keysOf(duplicates)).toEqual(['exact a2', 'exact b1'])
    expect(duplicates.counts.value?.exact).toEqual({ groups: 5, photos: 10 })
    duplicates.putBack(first, 0, rest)
    expect(keysOf(duplicates)).toEqual(['exact a1', 'exact b1'])
    expect(duplicates.counts.value?.exact).toEqual({ groups: 5, photos: 11 })
  })

  test('of identical ones is done with at once, one group after the other', async () => {
    const node = new FakeNode(groups)
    const merges: Merged[] = []
    await new Duplicates(node.api).mergeExact(merged => merges.push(merged), new AbortController().signal)
    expect(merges.map(({ keep }) => keep)).toEqual(['a1', 'b1', 'c1', 'd1', 'e1'])
    expect([...node.gone]).toEqual(['a2', 'a3', 'b2', 'c2', 'd2', 'e2'])
    expect(await undoMerges(node.api, merges)).toBe(6)
    expect(node.gone.size).toBe(0)
  })

  test('of identical ones ends where it is stopped, or the node refuses, and what was done is known', async () => {
    const node = new FakeNode(groups)
    const abort = new AbortController()
    const merges: Merged[] = []
    await new Duplicates(node.api).mergeExact(merged => {
      merges.push(merged)
      if (merges.length === 2) abort.abort()
    }, abort.signal)
    expect(merges).toHaveLength(2)
    node.failsAt = 'd1'
    const run = new Duplicates(node.api).mergeExact(merged => merges.push(merged), new AbortController().signal)
    await expect(run).rejects.toMatchObject({ code: 'ERR_DISK_FULL' })
    expect(merges.map(({ keep }) => keep)).toEqual(['a1', 'b1', 'c1'])
  })

  test('of a tier that nobody wants any more is not shown', async () => {
    const duplicates = new Duplicates(new FakeNode(groups).api)
    const [first, second] = await Promise.all([duplicates.load(), duplicates.load('near')])
    expect([first, second]).toEqual([undefined, 'near'])
    expect(keysOf(duplicates)).toEqual(['near n1'])
  })

  test('says why it could not be read', async () => {
    const get = async (): Promise<never> => {
      throw new ApiError('ERR_OVERLOADED', 503, '')
    }
    const duplicates = new Duplicates({ ...new FakeNode({}).api, get })
    await duplicates.load()
    expect(duplicates.error.value?.code).toBe('ERR_OVERLOADED')
  })
})

test('a photo that was deleted meanwhile is none that an undo brings back', async () => {
  const node = new FakeNode({})
  node.gone.add('b')
  expect(await mergePhotos(node.api, 'a', ['b', 'c'])).toMatchObject({ deleted: ['c'], failed: 0 })
})
