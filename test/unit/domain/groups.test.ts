import fc from 'fast-check'
import { expect, test } from 'vitest'
import { groupsAround, type Link } from '../../../src/domain/groups.js'

const ITEMS = [...'abcdefghijkl']
const item = fc.constantFrom(...ITEMS)
const linksOf = fc.array(
  fc.record({ a: item, b: item }).filter(({ a, b }) => a !== b),
  { maxLength: 30 }
)
const isDirect = (center: string, _: string, member: string): boolean => member === center
const sorted = (groups: readonly string[][]): string[] =>
  groups.map(([center, ...others]) => [center, ...others.sort()].join('')).sort()

function areLinked(links: readonly Link<string>[], one: string, other: string): boolean {
  return links.some(({ a, b }) => (a === one && b === other) || (a === other && b === one))
}

test('whatever is in a group is linked to its center, and is in no other group', async () => {
  await fc.assert(
    fc.asyncProperty(linksOf, async links => {
      const groups = await groupsAround(links, isDirect)
      for (const [center, ...others] of groups) {
        expect(others.length).toBeGreaterThan(0)
        for (const other of others) expect(areLinked(links, center as string, other)).toBe(true)
      }
      expect(new Set(groups.flat()).size).toBe(groups.flat().length)
      // two that are linked are never both left out
      const left = ITEMS.filter(one => !groups.flat().includes(one))
      for (const one of left) for (const other of left) expect(areLinked(links, one, other)).toBe(false)
    })
  )
})

test('the order and direction of links do not matter', async () => {
  await fc.assert(
    fc.asyncProperty(linksOf, fc.infiniteStream(fc.nat()), async (links, numbers) => {
      const keyed = links.map(({ a, b }) => ({ key: numbers.next().value, link: { a: b, b: a } }))
      const shuffled = keyed.sort((one, other) => one.key - other.key).map(({ link }) => link)
      expect(sorted(await groupsAround(shuffled, isDirect))).toEqual(sorted(await groupsAround(links, isDirect)))
    })
  )
})

test('a chain does not become one group', async () => {
  const chain = ITEMS.slice(1).map((b, i) => ({ a: ITEMS[i] as string, b }))
  for (const group of await groupsAround(chain, isDirect)) expect(group.length).toBeLessThanOrEqual(3)
})

test('what belongs to the center is found through members', async () => {
  const links = [...'bcdefg'].map((b, i) => ({ a: 'abcdef'[i] as string, b }))
  const isClose = (center: string, other: string): boolean => Math.abs(center.charCodeAt(0) - other.charCodeAt(0)) <= 2
  expect(sorted(await groupsAround(links, isClose))).toEqual(['bacd', 'efg'])
})

test('time grows with the links', async () => {
  const links = Array.from({ length: 20_000 }, (_, i) => ({ a: `${i % 10}`, b: `x${i % 5_000}` }))
  let asked = 0
  await groupsAround(links, () => {
    asked++
    return asked % 2 === 0
  })
  expect(asked).toBeLessThanOrEqual(2 * links.length)
})
