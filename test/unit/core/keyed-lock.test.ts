import fc from 'fast-check'
import { expect, test } from 'vitest'
import { KeyedLock } from '../../../src/core/keyed-lock.js'

test('tasks of one key run one at a time, in the order of the calls; no key is kept', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 40 }),
      fc.scheduler(),
      async (keys, scheduler) => {
        const lock = new KeyedLock()
        const running = new Set<string>()
        const order = new Map<string, number[]>()
        const tasks = keys.map((key, i) =>
          lock.run(key, async () => {
            expect(running.has(key)).toBe(false)
            running.add(key)
            order.set(key, [...(order.get(key) ?? []), i])
            await scheduler.schedule(Promise.resolve())
            running.delete(key)
            return i
          })
        )
        await scheduler.waitFor(Promise.all(tasks))
        expect(await Promise.all(tasks)).toEqual(keys.map((_, i) => i))
        for (const indexes of order.values()) expect(indexes).toEqual([...indexes].sort((a, b) => a - b))
        expect(lock.size).toBe(0)
      }
    )
  )
})

test('a call made while the last queued task runs waits for it', async () => {
  const lock = new KeyedLock()
  const first = lock.run('a', async () => {})
  let finish: () => void = () => {}
  const second = lock.run('a', () => new Promise<void>(resolve => (finish = resolve)))
  await first
  let ran = false
  const third = lock.run('a', async () => {
    ran = true
  })
  await new Promise(resolve => setImmediate(resolve))
  expect(ran).toBe(false)
  finish()
  await Promise.all([second, third])
  expect(ran).toBe(true)
})

test('tasks of different keys run concurrently', async () => {
  const lock = new KeyedLock()
  let open: () => void = () => {}
  const first = lock.run('a', () => new Promise<void>(resolve => (open = resolve)))
  await lock.run('b', async () => open())
  await first
})

test('a failing task rejects only its own call', async () => {
  const lock = new KeyedLock()
  const failing = lock.run('a', async () => {
    throw new Error('no')
  })
  const behind = lock.run('a', async () => 'yes')
  await expect(failing).rejects.toThrow('no')
  expect(await behind).toBe('yes')
  expect(lock.size).toBe(0)
})

test('a key is released by the time its last call resolves', async () => {
  const lock = new KeyedLock()
  const result = lock.run('a', async () => 1)
  expect(lock.size).toBe(1)
  await result
  expect(lock.size).toBe(0)
})
