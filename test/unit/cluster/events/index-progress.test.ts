import { beforeEach, describe, expect, it } from 'vitest'
import type { IndexNews } from '../../../../src/cluster/events/events.js'
import { IndexProgress } from '../../../../src/cluster/events/index-progress.js'
import { SheafError } from '../../../../src/core/errors.js'
import type { ChangeListener, DirectoryState } from '../../../../src/directory/directory.js'
import { SimulatedClock } from '../../../support/simulated-clock.js'

let clock: SimulatedClock
let now: IndexNews
let looks: number
let state: DirectoryState
let told: IndexNews[]
let progress: IndexProgress
const listeners = new Set<ChangeListener>()
const change = (): void => {
  for (const listener of listeners) listener([])
}

beforeEach(async () => {
  listeners.clear()
  clock = new SimulatedClock()
  now = { vectors: 5, pending: 0 }
  state = 'open'
  told = []
  progress = new IndexProgress({
    directory: {
      get state() {
        return state
      },
      onChange: listener => {
        listeners.add(listener)
        return () => listeners.delete(listener)
      }
    },
    events: { noteIndex: news => void told.push(news) },
    clock,
    status: () => {
      if (state !== 'open') throw new SheafError('ERR_DIRECTORY_UNAVAILABLE')
      looks++
      return now
    }
  })
  await progress.start()
  await clock.advance(5_000)
  looks = 0
})

describe('how far the index is', () => {
  it('is told once a second while it goes on, also without a change of the directory', async () => {
    now = { vectors: 5, pending: 30 }
    for (let i = 0; i < 30; i++) change()
    await clock.advance(1_000)
    expect(told).toEqual([{ vectors: 5, pending: 30 }])
    for (let ms = 0; ms < 2_000; ms += 100) {
      now = { vectors: now.vectors + 1, pending: now.pending - 1 }
      await clock.advance(100)
    }
    expect(told).toHaveLength(3)
    now = { vectors: 35, pending: 0 }
    await clock.advance(10_000)
    expect(told.at(-1)).toEqual({ vectors: 35, pending: 0 })
  })

  it('is not told while it is the same, and is not looked at while nothing happens', async () => {
    await clock.advance(60_000)
    expect(looks).toBe(0)
    change()
    await clock.advance(60_000)
    expect([looks, told]).toEqual([1, []])
  })

  it('is not counted while the directory is rebuilt, and told afterwards', async () => {
    state = 'filling'
    change()
    await clock.advance(10_000)
    expect([looks, told]).toEqual([0, []])
    state = 'open'
    now = { vectors: 6, pending: 0 }
    await clock.advance(1_000)
    expect(told).toEqual([now])
  })

  it('is told no more after the stop', async () => {
    now = { vectors: 5, pending: 1 }
    change()
    await progress.stop()
    await clock.advance(5_000)
    expect([looks, told, listeners.size]).toEqual([0, [], 0])
  })
})
