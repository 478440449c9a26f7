import { beforeEach, describe, expect, test } from 'vitest'
import { type EventStream, Live } from '../src/state/live.js'
import { ManualTimers } from './manual-timers.js'

class FakeStream implements EventStream {
  readyState = 0
  isClosed = false
  readonly #listeners = new Map<string, () => void>()

  addEventListener(name: string, listener: () => void): void {
    this.#listeners.set(name, listener)
  }

  close(): void {
    this.isClosed = true
  }

  say(name: string): void {
    this.#listeners.get(name)?.()
  }

  fail(readyState: number): void {
    this.readyState = readyState
    this.say('error')
  }
}

let timers: ManualTimers
let streams: FakeStream[]
let live: Live
let changes: number
let answers: boolean
let refusals: number
/** What was asked at once has been answered. */
const settled = (): Promise<void> => new Promise(resolve => setImmediate(resolve))
const last = (): FakeStream => streams.at(-1) as FakeStream

beforeEach(() => {
  timers = new ManualTimers()
  streams = []
  changes = 0
  answers = false
  refusals = 0
  live = new Live({
    timers,
    answers: async () => answers,
    onRefused: () => {
      refusals++
    },
    open: () => {
      const stream = new FakeStream()
      streams.push(stream)
      return stream
    }
  })
  live.onChange(() => changes++)
  live.start()
  last().say('open')
  timers.pass(1_000)
  changes = 0
})

test('ten thousand events are read anew for a few times', () => {
  for (let i = 0; i < 10_000; i++) {
    last().say(i % 2 === 0 ? 'photo.uploaded' : 'photos.changed')
    if (i % 1_000 === 999) timers.pass(100)
  }
  timers.pass(1_000)
  expect(changes).toBeGreaterThanOrEqual(1)
  expect(changes).toBeLessThanOrEqual(3)
})

test.each([
  ['job', 'index'],
  ['index', 'job']
] as const)('a %s that goes on is told to whoever shows it, and makes nobody read anew', (one, other) => {
  let told = 0
  const end = live.onProgress(one, () => told++)
  for (let i = 0; i < 3; i++) last().say(`${one}.progress`)
  last().say(`${other}.progress`)
  end()
  last().say(`${one}.progress`)
  timers.pass(1_000)
  expect([told, changes]).toEqual([3, 0])
})

describe('a node that is gone', () => {
  test('is said after a while, not at once, and no more when it is back', async () => {
    last().fail(0)
    timers.pass(999)
    await settled()
    expect(live.isLost.value).toBe(false)
    timers.pass(1)
    await settled()
    expect(live.isLost.value).toBe(true)
    last().say('open')
    expect(live.isLost.value).toBe(false)
  })

  test('whoever follows reads anew when it is back', () => {
    last().fail(0)
    last().say('open')
    timers.pass(1_000)
    expect(changes).toBe(1)
  })

  test('that ends the stream for good is asked again by the page itself', () => {
    last().fail(2)
    expect(last().isClosed).toBe(true)
    timers.pass(1_999)
    expect(streams).toHaveLength(1)
    timers.pass(1)
    expect(streams).toHaveLength(2)
    last().say('open')
    expect(live.isLost.value).toBe(false)
  })

  test('is not gone when it answers, but only has too many followers', async () => {
    answers = true
    last().fail(2)
    timers.pass(2_000)
    await settled()
    expect(live.isLost.value).toBe(false)
  })

  test('that answers while it was asked whether it does is not gone', async () => {
    live.reached(false)
    timers.pass(1_000)
    live.reached(true)
    await settled()
    expect(live.isLost.value).toBe(false)
  })

  test('is noticed by what else was asked of it', async () => {
    live.reached(false)
    timers.pass(1_000)
    await settled()
    expect(live.isLost.value).toBe(true)
    live.reached(true)
    expect(live.isLost.value).toBe(false)
  })
})

test('a hidden page has no connection, and alarms nobody', () => {
  const stream = last()
  stream.fail(0)
  live.stop()
  timers.pass(60_000)
  expect([stream.isClosed, live.isLost.value, streams.length]).toEqual([true, false, 1])
  live.start()
  expect(streams).toHaveLength(2)
  stream.say('error')
  timers.pass(60_000)
  expect(live.isLost.value).toBe(false)
})

test('it is said when the node does not let it follow, and not when the line broke', () => {
  live.start()
  last().fail(0)
  expect(refusals).toBe(0)
  last().fail(2)
  expect(refusals).toBe(1)
})
