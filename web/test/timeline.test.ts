import { beforeEach, describe, expect, test } from 'vitest'
import { type Api, ApiError } from '../src/api/client.js'
import { Timeline } from '../src/state/timeline.js'

interface Library {
  [key: string]: { revision: string; ids: string[] }
}

/** A node that answers when it is told to. */
class FakeNode {
  library: Library = {}
  reads: string[] = []
  aborted: string[] = []
  error: ApiError | undefined
  isHeld = false
  #held: (() => void)[] = []

  readonly api = { get: this.#get.bind(this) } as unknown as Pick<Api, 'get'>

  release(): void {
    this.isHeld = false
    for (const go of this.#held.splice(0)) go()
  }

  async #get(path: string, ask: { params?: { key: string }; signal?: AbortSignal }): Promise<unknown> {
    const { key } = ask.params ?? {}
    if (key !== undefined) this.reads.push(key)
    if (this.isHeld)
      await new Promise<void>((resolve, reject) => {
        this.#held.push(resolve)
        ask.signal?.addEventListener('abort', () => {
          this.aborted.push(key as string)
          reject(new Error('aborted'))
        })
      })
    if (this.error !== undefined) throw this.error
    if (path === '/photos/timeline') {
      const buckets = Object.entries(this.library).map(([name, { revision, ids }]) => ({
        key: name,
        from: `${name}-01`,
        to: `${name}-28`,
        count: ids.length,
        revision
      }))
      return { total: buckets.reduce((sum, { count }) => sum + count, 0), revision: '', buckets }
    }
    const bucket = this.library[key as string]
    if (bucket === undefined) throw new ApiError('ERR_NO_SUCH_BUCKET', 404, '')
    const { revision, ids } = bucket
    const each = ids.map(() => 0)
    return { revision, photo_ids: ids, aspects: each, taken_s: each, flags: each, hashes: ids.map(() => null) }
  }
}

let node: FakeNode
let timeline: Timeline

async function settled(): Promise<void> {
  for (let i = 0; i < 50; i++) await Promise.resolve()
}

beforeEach(async () => {
  node = new FakeNode()
  node.library = {
    '2026-03': { revision: 'a', ids: ['a0', 'a1'] },
    '2026-02': { revision: 'b', ids: ['b0'] },
    '2026-01': { revision: 'c', ids: ['c0', 'c1', 'c2'] },
    '2025-12': { revision: 'd', ids: ['d0'] }
  }
  timeline = new Timeline(node.api)
  await timeline.load()
})

const ids = (key: string): readonly string[] | undefined => timeline.photos(key)?.ids

test('what is looked at is read, once', async () => {
  timeline.want(['2026-03', '2026-02'])
  await settled()
  timeline.want(['2026-03', '2026-02'])
  await settled()
  expect(node.reads).toEqual(['2026-03', '2026-02'])
  expect([ids('2026-03'), ids('2026-01')]).toEqual([['a0', 'a1'], undefined])
})

test('the first one is read alone, for its pictures to come before the lists of others', async () => {
  node.isHeld = true
  timeline.want(['2026-03', '2026-02', '2026-01'])
  await settled()
  expect(node.reads).toEqual(['2026-03'])
  node.release()
  await settled()
  expect(node.reads).toEqual(['2026-03', '2026-02', '2026-01'])
})

test('three are read at once, and what is not looked at any more is broken off', async () => {
  timeline.want(['2026-03'])
  await settled()
  node.library['2025-11'] = { revision: 'e', ids: ['e0'] }
  await timeline.load()
  node.isHeld = true
  timeline.want(['2026-02', '2026-01', '2025-12', '2025-11'])
  await settled()
  expect(node.reads).toEqual(['2026-03', '2026-02', '2026-01', '2025-12'])
  timeline.want(['2025-11'])
  await settled()
  expect(node.aborted).toEqual(['2026-02', '2026-01', '2025-12'])
  node.release()
  await settled()
  expect(ids('2025-11')).toEqual(['e0'])
})

test('when something has changed, only that is read anew, and until then the page shows it as it was', async () => {
  timeline.want(['2026-03', '2026-02'])
  await settled()
  node.library['2026-03'] = { revision: 'a2', ids: ['new', 'a0', 'a1'] }
  node.reads = []
  node.isHeld = true
  const reading = timeline.load()
  node.release()
  await reading
  await settled()
  expect(node.reads).toEqual(['2026-03'])
  expect([ids('2026-03'), timeline.total.value]).toEqual([['new', 'a0', 'a1'], 8])
})

test('many changes while it is read are one more reading', async () => {
  node.isHeld = true
  const all = Array.from({ length: 20 }, () => timeline.load())
  node.library = { '2026-03': { revision: 'z', ids: ['z0'] } }
  node.release()
  await Promise.all(all)
  expect(timeline.buckets.value.map(({ revision }) => revision)).toEqual(['z'])
})

test('a bucket that is gone is not kept, and leads to a new reading', async () => {
  timeline.want(['2026-03'])
  await settled()
  delete node.library['2026-03']
  delete node.library['2026-02']
  timeline.want(['2026-02'])
  await settled()
  expect(timeline.buckets.value.map(({ key }) => key)).toEqual(['2026-01', '2025-12'])
  expect(ids('2026-03')).toBeUndefined()
})

test('an error is told, and forgotten when the node answers again', async () => {
  node.error = new ApiError('ERR_INDEX_BUILDING', 503, '')
  await timeline.load()
  expect(timeline.error.value?.code).toBe('ERR_INDEX_BUILDING')
  node.error = undefined
  await timeline.load()
  expect(timeline.error.value).toBeUndefined()
})

describe('from photo to photo', () => {
  test('through all buckets, in both directions, reading what is not known', async () => {
    const order = ['a0', 'a1', 'b0', 'c0', 'c1', 'c2', 'd0']
    await timeline.require('2026-03')
    for (const [i, id] of order.entries()) {
      expect(await timeline.neighbour(id, 1)).toBe(order[i + 1])
      expect(await timeline.neighbour(id, -1)).toBe(order[i - 1])
    }
  })

  test('one that is not known is looked for on its day', async () => {
    expect(await timeline.neighbour('c1', 1)).toBeUndefined()
    expect(await timeline.neighbour('c1', 1, '2026-01-20')).toBe('c2')
    expect(node.reads).toEqual(['2026-01'])
  })
})
