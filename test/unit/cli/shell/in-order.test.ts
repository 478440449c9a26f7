import fc from 'fast-check'
import { expect, test } from 'vitest'
import { inOrder } from '../../../../src/cli/shell/in-order.js'

/** Promises that the test settles by hand. */
function gates() {
  const open = new Map<number, () => void>()
  return {
    wait: (n: number): Promise<void> => new Promise(resolve => open.set(n, resolve)),
    open: async (n: number): Promise<void> => {
      open.get(n)?.()
      open.delete(n)
      for (let turn = 0; turn < 10; turn++) await Promise.resolve()
    },
    get waiting(): number[] {
      return [...open.keys()].sort((a, b) => a - b)
    }
  }
}

test('in whatever order the work ends, results come in the order of the items, and never more than the limit run', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.nat(20),
      fc.integer({ min: 1, max: 5 }),
      async (scheduler, itemCount, limit) => {
        const delivered: number[] = []
        let running = 0
        let runningMax = 0
        const done = inOrder(
          Array.from({ length: itemCount }, (_, n) => n),
          limit,
          async n => {
            runningMax = Math.max(runningMax, ++running)
            await scheduler.schedule(Promise.resolve(), `work ${n}`)
            running--
            return n
          },
          async n => {
            delivered.push(n)
          }
        )
        await scheduler.waitFor(done)
        expect(delivered).toEqual(Array.from({ length: itemCount }, (_, n) => n))
        expect(runningMax).toBe(Math.min(limit, itemCount))
      }
    )
  )
})

test('a result is delivered at once when those before it are, while later work goes on', async () => {
  const gate = gates()
  const delivered: number[] = []
  const done = inOrder(
    [0, 1, 2, 3],
    2,
    async n => {
      await gate.wait(n)
      return n
    },
    async n => {
      delivered.push(n)
    }
  )
  await gate.open(-1)
  expect(gate.waiting).toEqual([0, 1])
  await gate.open(1)
  expect([delivered, gate.waiting]).toEqual([[], [0, 2]])
  await gate.open(0)
  expect([delivered, gate.waiting]).toEqual([
    [0, 1],
    [2, 3]
  ])
  await gate.open(2)
  await gate.open(3)
  await done
  expect(delivered).toEqual([0, 1, 2, 3])
})

test('results that wait for a slow first one are bounded', async () => {
  const gate = gates()
  let begun = 0
  let delivered = 0
  const done = inOrder(
    Array.from({ length: 3_000 }, (_, n) => n),
    4,
    async n => {
      begun++
      if (n === 0) await gate.wait(0)
    },
    async () => {
      delivered++
    }
  )
  for (let turn = 0; turn < 100; turn++) await new Promise(resolve => queueMicrotask(() => resolve(undefined)))
  for (let turn = 0; turn < 50_000; turn++) await Promise.resolve()
  expect(delivered).toBe(0)
  expect(begun).toBeGreaterThan(1_000)
  expect(begun).toBeLessThan(1_010)
  await gate.open(0)
  await done
  expect(delivered).toBe(3_000)
})

test.each(['items', 'work', 'deliver'])('an error of %s ends it with that error, after what runs', async where => {
  const begun: number[] = []
  const ended: number[] = []
  const items = async function* (): AsyncGenerator<number> {
    for (let n = 0; n < 100; n++) {
      if (where === 'items' && n === 3) throw new Error('broken')
      yield n
    }
  }
  const done = inOrder(
    items(),
    2,
    async n => {
      begun.push(n)
      await Promise.resolve()
      if (where === 'work' && n === 3) throw new Error('broken')
      ended.push(n)
      return n
    },
    async n => {
      if (where === 'deliver' && n === 3) throw new Error('broken')
    }
  )
  await expect(done).rejects.toThrow('broken')
  expect(begun.length).toBeLessThan(10)
  expect(ended.length).toBe(where === 'work' ? begun.length - 1 : begun.length)
})
