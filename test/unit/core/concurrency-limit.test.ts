import { expect, test } from 'vitest'
import { ConcurrencyLimit } from '../../../src/core/concurrency-limit.js'

const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

/** @returns the state of an operation that enters as soon as there is room */
function enter(limit: ConcurrencyLimit, byteCount: number, signal?: AbortSignal) {
  const state = { inside: false, leave: (): void => {}, error: undefined as unknown }
  void limit.enter(byteCount, signal).then(
    leave => {
      state.inside = true
      state.leave = leave
    },
    (err: unknown) => {
      state.error = err
    }
  )
  return state
}

test('bounds the number, and admits the next when one leaves', async () => {
  const limit = new ConcurrencyLimit({ countMax: 2, bytesMax: 100, waitingMax: 10 })
  const all = [1, 1, 1, 1].map(byteCount => enter(limit, byteCount))
  await turn()
  expect(all.map(({ inside }) => inside)).toEqual([true, true, false, false])
  all[1]?.leave()
  await turn()
  expect(all.map(({ inside }) => inside)).toEqual([true, true, true, false])
})

test('bounds the bytes, in order: a large operation is not overtaken by small ones', async () => {
  const limit = new ConcurrencyLimit({ countMax: 10, bytesMax: 100, waitingMax: 10 })
  const all = [60, 50, 10].map(byteCount => enter(limit, byteCount))
  await turn()
  expect(all.map(({ inside }) => inside)).toEqual([true, false, false])
  all[0]?.leave()
  await turn()
  expect(all.map(({ inside }) => inside)).toEqual([true, true, true])
})

test('admits an operation above the bound alone', async () => {
  const limit = new ConcurrencyLimit({ countMax: 10, bytesMax: 100, waitingMax: 10 })
  const big = enter(limit, 1_000)
  const next = enter(limit, 1)
  await turn()
  expect([big.inside, next.inside]).toEqual([true, false])
  big.leave()
  await turn()
  expect(next.inside).toBe(true)
})

test('a waiting operation that gives up no longer blocks others', async () => {
  const limit = new ConcurrencyLimit({ countMax: 10, bytesMax: 100, waitingMax: 10 })
  const controller = new AbortController()
  enter(limit, 60)
  const big = enter(limit, 50, controller.signal)
  const small = enter(limit, 40)
  const reason = new Error('enough')
  controller.abort(reason)
  await turn()
  expect(big).toMatchObject({ inside: false, error: reason })
  expect(small.inside).toBe(true)
  expect(enter(limit, 1, controller.signal)).toMatchObject({ inside: false })
})

test('bounds the number of waiting operations', async () => {
  const limit = new ConcurrencyLimit({ countMax: 1, bytesMax: 100, waitingMax: 2 })
  const all = [1, 1, 1, 1].map(byteCount => enter(limit, byteCount))
  await turn()
  expect(all.map(({ error }) => error)).toMatchObject([undefined, undefined, undefined, { code: 'ERR_OVERLOADED' }])
})
