import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  EXISTS_MAX,
  type Present,
  type Sent,
  type UploadFile,
  type UploadPorts,
  UploadQueue
} from '../src/upload/queue.js'
import { type Pace, totalsOf } from '../src/upload/totals.js'

const PACE: Pace = { bytesPerS: undefined, busyMs: 0 }

interface TestFile extends UploadFile {
  readonly content: string
}

const file = (name: string, content = name): TestFile => ({
  name,
  content,
  folder: '',
  size: content.length,
  modifiedMs: 0
})

/** A node, and the browser before it. Time passes only when the queue waits, and then at once. */
class World implements UploadPorts<TestFile> {
  readonly stored = new Map<string, string>()
  readonly trashed = new Set<string>()
  /** Photos that cannot be had back any more. */
  readonly isPurged = new Set<string>()
  readonly keys = new Map<string, string>()
  readonly waits: number[] = []
  readonly groups: number[] = []
  /** Asked before each answer of sending; undefined: it succeeds. */
  fault: (file: TestFile) => Sent | undefined = () => undefined
  isUnreadable = (_: TestFile): boolean => false
  sends = 0
  atOnce = 0
  atOnceMax = 0
  readonly queue = new UploadQueue<TestFile>(this)
  #change = (): void => {}
  #nextKey = 0

  async hash(it: TestFile, signal: AbortSignal): Promise<string> {
    await Promise.resolve()
    if (signal.aborted || this.isUnreadable(it)) throw new Error('unreadable')
    return `sha of ${it.content}`
  }

  async exists(digests: readonly string[]): Promise<ReadonlyMap<string, Present>> {
    this.groups.push(digests.length)
    await Promise.resolve()
    const present = new Map<string, Present>()
    for (const digest of digests) {
      const photoId = this.stored.get(digest)
      if (photoId !== undefined) present.set(digest, { photoId, state: this.trashed.has(digest) ? 'trashed' : 'live' })
    }
    return present
  }

  async send(it: TestFile, options: Parameters<UploadPorts<TestFile>['send']>[1]): Promise<Sent> {
    this.sends++
    this.atOnce++
    this.atOnceMax = Math.max(this.atOnceMax, this.atOnce)
    options.onSent(1)
    for (let i = 0; i < 10; i++) await Promise.resolve()
    this.atOnce--
    if (options.signal.aborted) return broken
    const fault = this.fault(it)
    const photoId = this.keys.get(options.key) ?? `photo ${this.keys.size}`
    // the node may have taken it although the answer was lost
    if (fault === undefined || fault === lost) {
      this.keys.set(options.key, photoId)
      this.stored.set(`sha of ${it.content}`, photoId)
    }
    return fault ?? { photoId }
  }

  async restore(photoIds: readonly string[]): Promise<readonly string[]> {
    await Promise.resolve()
    for (const [digest, id] of this.stored) if (photoIds.includes(id)) this.trashed.delete(digest)
    return photoIds.filter(id => !this.isPurged.has(id))
  }

  async wait(ms: number): Promise<void> {
    this.waits.push(ms)
    await Promise.resolve()
  }

  newKey(): string {
    this.#nextKey++
    return `key ${this.#nextKey}`
  }

  onChange(): void {
    this.#change()
  }

  /** @returns when there is nothing left to do, or the queue has been paused */
  async untilQuiet(): Promise<void> {
    await new Promise<void>(resolve => {
      this.#change = () => {
        if (!this.queue.isBusy || this.queue.isPaused) resolve()
      }
      this.#change()
    })
  }

  states(): Record<string, string> {
    return Object.fromEntries(this.queue.items.map(it => [it.file.name, it.state]))
  }
}

const problem = (status: number, code: string, retryAfterS?: number): Sent => ({
  error: { code, detail: '', isPassing: status >= 500 },
  status,
  retryAfterS
})
const broken = problem(0, 'ERR_NODE_UNREACHABLE')
const lost = problem(0, 'ERR_NODE_UNREACHABLE')

test('a folder: new files are sent, those that are there are not, and a second time nothing is', async () => {
  const world = new World()
  world.stored.set('sha of old', 'photo old')
  world.stored.set('sha of gone', 'photo gone')
  world.trashed.add('sha of gone')
  const folder = [file('a.jpg'), file('old.jpg', 'old'), file('gone.jpg', 'gone'), file('b.jpg')]
  world.queue.add(folder)
  await world.untilQuiet()
  expect(world.states()).toEqual({ 'a.jpg': 'done', 'old.jpg': 'there', 'gone.jpg': 'trashed', 'b.jpg': 'done' })
  expect(world.sends).toBe(2)
  world.queue.clear()
  world.queue.add(folder)
  await world.untilQuiet()
  expect(world.sends).toBe(2)
})

test('what lies in the trash is told apart, and restored when somebody wants that', async () => {
  const world = new World()
  for (const name of ['gone', 'lost']) {
    world.stored.set(`sha of ${name}`, `photo ${name}`)
    world.trashed.add(`sha of ${name}`)
  }
  world.isPurged.add('photo lost')
  world.queue.add([file('a.jpg', 'gone'), file('copy.jpg', 'gone'), file('b.jpg', 'lost'), file('c.jpg')])
  await world.untilQuiet()
  expect(totalsOf(world.queue.items, PACE)).toMatchObject({ done: 1, there: 0, trashed: 3, restored: 0, finished: 4 })
  await world.queue.restore()
  expect(world.states()).toEqual({ 'a.jpg': 'restored', 'copy.jpg': 'restored', 'b.jpg': 'trashed', 'c.jpg': 'done' })
  expect(totalsOf(world.queue.items, PACE)).toMatchObject({ there: 0, trashed: 1, restored: 2, finished: 4 })
  expect(world.queue.isBusy).toBe(false)
})

test('a round that begins when the last one is over counts for itself, one that begins before does not', async () => {
  const world = new World()
  const folder = [file('a.jpg'), file('b.jpg'), file('Thumbs.db')]
  world.queue.add(folder)
  world.queue.add([file('c.jpg')])
  await world.untilQuiet()
  expect(totalsOf(world.queue.items, PACE)).toMatchObject({ files: 4, done: 3, failed: 1 })
  world.queue.add(folder)
  await world.untilQuiet()
  expect(totalsOf(world.queue.items, PACE)).toMatchObject({ files: 3, done: 0, there: 2, failed: 1 })
})

test('how long it takes is told only when that can be known', async () => {
  const world = new World()
  const leftS = (busyMs: number, items = world.queue.items): number | undefined =>
    totalsOf(items, { bytesPerS: 2, busyMs }).leftS
  world.queue.add([file('a.jpg', '12345678')])
  expect(leftS(10_000, [...world.queue.items.map(it => ({ ...it, state: 'waiting' as const }))])).toBeUndefined()
  const sending = world.queue.items.map(it => ({ ...it, state: 'sending' as const, sent: 2 }))
  expect(leftS(2_999, sending)).toBeUndefined()
  expect(leftS(3_000, sending)).toBe(3)
  expect(totalsOf(sending, { bytesPerS: 0, busyMs: 10_000 }).leftS).toBeUndefined()
  await world.untilQuiet()
  const [done] = world.queue.items
  if (done === undefined) throw new Error('nothing was added')
  const begun = [...Array.from({ length: 5 }, () => done), { ...done, state: 'waiting' as const, sent: 0 }]
  expect(leftS(3_000, begun.slice(1))).toBeUndefined()
  expect(leftS(3_000, begun)).toBe(4)
})

test('what is no photo, or empty, or cannot be read, is refused with its reason, and the rest goes on', async () => {
  const world = new World()
  world.isUnreadable = ({ name }) => name === 'moved.jpg'
  world.fault = ({ name }) => (name === 'huge.jpg' ? problem(413, 'ERR_TOO_LARGE') : undefined)
  world.queue.add([
    file('Thumbs.db'),
    file('.DS_Store'),
    file('notes.txt'),
    file('IMG_1.CR3'),
    file('empty.jpg', ''),
    file('moved.jpg'),
    file('huge.jpg'),
    file('a.jpg')
  ])
  await world.untilQuiet()
  const reasons = Object.fromEntries(world.queue.items.map(it => [it.file.name, it.error?.code]))
  expect(reasons).toEqual({
    'Thumbs.db': 'junk',
    '.DS_Store': 'junk',
    'notes.txt': 'noMedia',
    'IMG_1.CR3': undefined,
    'empty.jpg': 'empty',
    'moved.jpg': 'unreadable',
    'huge.jpg': 'ERR_TOO_LARGE',
    'a.jpg': undefined
  })
  expect(world.states()['a.jpg']).toBe('done')
})

test('an overloaded node is asked again, not before it wants to be, and under the same key', async () => {
  const world = new World()
  let refusals = 3
  world.fault = () => (refusals-- > 0 ? problem(503, 'ERR_OVERLOADED', 7) : undefined)
  world.queue.add([file('a.jpg')])
  await world.untilQuiet()
  expect(world.states()).toEqual({ 'a.jpg': 'done' })
  expect(world.waits).toEqual([7_000, 7_000, 7_000])
  expect(world.keys.size).toBe(1)
})

test('waits grow where the node does not say how long', async () => {
  const world = new World()
  let refusals = 9
  world.fault = () => (refusals-- > 0 ? broken : undefined)
  world.queue.add([file('a.jpg')])
  await world.untilQuiet()
  expect(world.waits).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60].map(s => s * 1_000))
})

test('files with the same bytes are one photo', async () => {
  const world = new World()
  world.queue.add([file('a.jpg', 'same'), file('b.jpg', 'same'), file('c.jpg', 'same')])
  await world.untilQuiet()
  expect(Object.values(world.states()).sort()).toEqual(['done', 'there', 'there'])
  expect(world.sends).toBe(1)
})

test('a paused queue sends nothing, and goes on where it was', async () => {
  const world = new World()
  world.queue.add(Array.from({ length: 20 }, (_, i) => file(`${i}.jpg`)))
  world.fault = ({ name }) => {
    if (name === '3.jpg') world.queue.pause()
    return undefined
  }
  await world.untilQuiet()
  expect(world.queue.isPaused).toBe(true)
  const { size } = world.stored
  expect(size).toBeLessThan(20)
  world.fault = () => undefined
  world.queue.resume()
  await world.untilQuiet()
  expect(world.stored.size).toBe(20)
  expect(new Set(world.keys.values()).size).toBe(20)
})

test('what has failed for a reason that may pass can be tried again; the rest stays refused', async () => {
  const world = new World()
  world.fault = ({ name }) => (name === 'full.jpg' ? problem(507, 'ERR_DISK_FULL') : undefined)
  world.queue.add([file('full.jpg'), file('Thumbs.db')])
  await world.untilQuiet()
  world.fault = () => undefined
  world.queue.retry()
  await world.untilQuiet()
  expect(world.states()).toEqual({ 'full.jpg': 'done', 'Thumbs.db': 'failed' })
})

test('many files are asked for in groups, and three are sent at once', async () => {
  const world = new World()
  world.queue.add(Array.from({ length: 700 }, (_, i) => file(`${i}.jpg`)))
  await world.untilQuiet()
  expect(world.stored.size).toBe(700)
  expect(world.atOnceMax).toBe(3)
  expect(Math.max(...world.groups)).toBeLessThanOrEqual(EXISTS_MAX)
})

test('whatever goes wrong on the way, each file becomes one photo, none is lost', async () => {
  const faults = fc.array(fc.constantFrom(undefined, undefined, broken, lost, problem(503, 'ERR_STOPPING', 1)), {
    maxLength: 40
  })
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 12 }), faults, async (count, list) => {
      const world = new World()
      const rest = [...list]
      world.fault = () => rest.shift()
      world.queue.add(Array.from({ length: count }, (_, i) => file(`${i}.jpg`)))
      await world.untilQuiet()
      expect(new Set(Object.values(world.states()))).toEqual(new Set(['done']))
      expect(new Set(world.stored.values()).size).toBe(count)
      expect(new Set(world.keys.values()).size).toBe(count)
    })
  )
})
