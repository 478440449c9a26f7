import { describe, expect, test } from 'vitest'
import { ByteBudget } from '../../../src/photos/byte-budget.js'
import { surviveInvariants } from '../../support/survive-invariants.js'

surviveInvariants()

const budgetOf = (bytesMax: number, waitersMax = 10): ByteBudget => new ByteBudget({ bytesMax, waitersMax })

describe('ByteBudget', () => {
  test('grants free bytes at once and the rest in the order of the requests', async () => {
    const budget = budgetOf(10)
    const log: string[] = []
    const taken = (name: string) => (bytes: number) => void log.push(`${name} ${bytes}`)
    await budget.take(6).then(taken('a'))
    const large = budget.take(8).then(taken('large'))
    const small = budget.take(1).then(taken('small'))
    await Promise.resolve()
    expect(log).toEqual(['a 6'])
    budget.release(6)
    await Promise.all([large, small])
    expect(log).toEqual(['a 6', 'large 8', 'small 1'])
  })

  test('a small share does not overtake a waiting large one', async () => {
    const budget = budgetOf(10)
    await budget.take(6)
    const large = budget.take(8)
    expect(budget.tryTake(1)).toBe(false)
    budget.release(6)
    await large
    expect(budget.tryTake(2)).toBe(true)
    expect(budget.tryTake(1)).toBe(false)
  })

  test('a share above the whole budget is the whole budget', async () => {
    const budget = budgetOf(10)
    expect(await budget.take(1_000)).toBe(10)
    expect(budget.tryTake(1)).toBe(false)
    budget.release(10)
    expect(budget.tryTake(10)).toBe(true)
  })

  test('refuses a waiter too many and keeps the others', async () => {
    const budget = budgetOf(1, 2)
    await budget.take(1)
    const waiting = [budget.take(1), budget.take(1)]
    await expect(budget.take(1)).rejects.toMatchObject({ code: 'ERR_OVERLOADED' })
    budget.release(1)
    await waiting[0]
    budget.release(1)
    await waiting[1]
  })

  test('notices when more is released than was taken', () => {
    expect(() => budgetOf(10).release(1)).toThrow('released than taken')
  })
})
