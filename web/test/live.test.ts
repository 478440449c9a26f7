import { beforeEach, describe, expect, test } from 'vitest'
import { type EventStream, Live } from '../src/state/live.js'
import { ManualTimers } from './manual-timers.js'

class FakeStream implements EventStream {
  readyState = 0
  isClosed = false
  readonly #listeners = new Map<string, (event: { readonly data?: unknown }) => void>()

  addEventListener(name: string, listener: (event: { readonly data?: unknown }) => void): void {
    this.#listeners.set(name, listener)
  }

  close(): void {
    this.isClosed = true
  }

  say(name: string, data?: unknown): void {
    this.#listeners.get(name)?.({ data: data === undefined ? undefined : JSON.stringify(data) })
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
const last = (): FakeStream => streams.at(-1) as FakeStream

beforeEach(() => {
  timers = new ManualTimers()
  streams = []
  changes = 0
  live = new Live({
    timers,
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

test('ten thousand events are read anew for a few times, and fifty of them are kept', () => {
  for (let i = 0; i < 10_000; i++) {
    last().say('photo.uploaded', { photo_id: `p${i}`, at: '2026-12-01T12:00:00Z' })
    if (i % 1_000 === 999) timers.pass(100)
  }
  timers.pass(1_000)
  expect(changes).toBeLessThanOrEqual(3)
  expect(live.events.value).toHaveLength(50)
  expect(live.events.value[0]).toMatchObject({ name: 'photo.uploaded', photoId: 'p9999' })
})

test('an event without a form that is known changes nothing', () => {
  last().say('photo.uploaded')
  timers.pass(1_000)
  expect([changes, live.events.value]).toEqual([0, []])
})

describe('a node that is gone', () => {
  test('is said after a while, not at once, and no more when it is back', () => {
    last().fail(0)
    timers.pass(1_000)
    expect(live.isLost.value).toBe(false)
    timers.pass(1_000)
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

  test('is noticed by what else was asked of it', () => {
    live.reached(false)
    timers.pass(2_000)
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
