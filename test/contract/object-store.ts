import { beforeEach, describe, expect, test } from 'vitest'
import type { ObjectStore } from '../../src/archive/object-store.js'

/** What every implementation of {@link ObjectStore} keeps to. */
export function objectStoreContract(name: string, setUp: () => Promise<ObjectStore>): void {
  describe(`${name} keeps the contract of ObjectStore`, () => {
    const { signal } = new AbortController()
    let store: ObjectStore

    beforeEach(async () => {
      store = await setUp()
    })

    const names = async (prefix: string): Promise<string[]> => {
      const found: string[] = []
      for await (const object of store.list(prefix, signal)) found.push(object.name)
      return found.sort()
    }

    test.each([0, 1, 100_000, 3_000_000])('gives back %i bytes', async size => {
      const bytes = Buffer.alloc(size, 'sheaf')
      await store.put('a/b-1', bytes, signal)
      const back = await store.get('a/b-1', size, signal)
      expect(Buffer.compare(back ?? Buffer.from('none'), bytes)).toBe(0)
    })

    test('has no object that was not put', async () => {
      expect(await store.get('a/none', 10, signal)).toBeUndefined()
      await store.remove('a/none', signal)
      expect(await names('')).toEqual([])
    })

    test('never gives more bytes than asked for', async () => {
      await store.put('a', Buffer.alloc(1_000), signal)
      await expect(store.get('a', 999, signal)).rejects.toMatchObject({ code: 'ERR_ARCHIVE_DAMAGED' })
    })

    test('replaces what has the same name', async () => {
      await store.put('a', Buffer.from('old and long'), signal)
      await store.put('a', Buffer.from('new'), signal)
      expect(Buffer.from((await store.get('a', 100, signal)) ?? []).toString()).toBe('new')
    })

    test('lists by prefix, over all pages', async () => {
      const all = Array.from({ length: 8 }, (_, i) => `heads/v/${i}-00ff`)
      for (const [i, one] of all.entries()) await store.put(one, Buffer.alloc(i), signal)
      await store.put('pieces/v/0-1-00ff', Buffer.alloc(1), signal)
      expect(await names('heads/')).toEqual(all)
      expect(await names('heads/v/3')).toEqual(['heads/v/3-00ff'])
      for await (const { modifiedMs } of store.list('heads/', signal)) expect(modifiedMs).toBeGreaterThanOrEqual(0)
    })

    test('removes', async () => {
      await store.put('a/b', Buffer.from('x'), signal)
      await store.put('a/c', Buffer.from('x'), signal)
      await store.remove('a/b', signal)
      expect(await names('a/')).toEqual(['a/c'])
      expect(await store.get('a/b', 10, signal)).toBeUndefined()
    })

    test('ends with the reason of the signal', async () => {
      const abort = new AbortController()
      const reason = new Error('given up')
      abort.abort(reason)
      await expect(store.put('a', Buffer.from('x'), abort.signal)).rejects.toBe(reason)
      await expect(store.get('a', 10, abort.signal)).rejects.toBe(reason)
    })
  })
}
