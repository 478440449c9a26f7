import { expect, test } from 'vitest'
import { oneAhead } from '../../../src/core/one-ahead.js'

const asked: number[] = []

async function* numbers(failAt = Number.POSITIVE_INFINITY): AsyncGenerator<number> {
  asked.length = 0
  try {
    for (let i = 0; i < 3; i++) {
      asked.push(i)
      if (i === failAt) throw new Error('planted')
      yield i
    }
  } finally {
    asked.push(-1)
  }
}

test('all items come in order, each asked for while the one before is worked on', async () => {
  const seen: string[] = []
  for await (const item of oneAhead(numbers())) seen.push(`${item} of ${asked.join()}`)
  expect(seen).toEqual(['0 of 0,1', '1 of 0,1,2', '2 of 0,1,2,-1'])
})

test('an error comes in its turn', async () => {
  const seen: number[] = []
  const all = async (): Promise<void> => {
    for await (const item of oneAhead(numbers(1))) seen.push(item)
  }
  await expect(all()).rejects.toThrow('planted')
  expect(seen).toEqual([0])
})

test.each([1, 5])('who ends early ends the source, whatever was asked for, error %i or none', async failAt => {
  for await (const _ of oneAhead(numbers(failAt))) break
  expect(asked).toEqual([0, 1, -1])
})
