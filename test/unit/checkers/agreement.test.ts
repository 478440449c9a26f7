import { expect, test } from 'vitest'
import { type CopyState, differencesBetween } from '../../checkers/agreement.js'

const replica = (name: string, directoryDigest: string, ...volumes: CopyState[]) => ({ name, directoryDigest, volumes })
const copy = (content: string, holes = ''): CopyState => ({ id: 'v', content, holes })

test('replicas that have the same agree', () => {
  expect(differencesBetween([replica('a', 'd', copy('9 x')), replica('b', 'd', copy('9 x'))])).toEqual([])
})

test('a directory, a length, a digest, a hole, a volume that differs is named', () => {
  expect(differencesBetween([replica('a', 'd'), replica('b', 'e')])).toEqual(['2 directory digests'])
  expect(differencesBetween([replica('a', 'd', copy('9 x')), replica('b', 'd', copy('8 x'))])).toEqual([
    'v is 9 x and 8 x'
  ])
  expect(differencesBetween([replica('a', 'd', copy('9 x')), replica('b', 'd', copy('9 y'))])).toEqual([
    'v is 9 x and 9 y'
  ])
  expect(differencesBetween([replica('a', 'd', copy('9 x', '1-2')), replica('b', 'd', copy('9 x'))])).toEqual([
    'v at a has holes 1-2'
  ])
  expect(differencesBetween([replica('a', 'd', copy('9 x')), replica('b', 'd')])).toEqual(['v is 9 x and absent'])
})

test('a retired volume may be anywhere, and a damaged one only has to have the same holes', () => {
  const exceptions = { retired: new Set(['v']), damaged: new Set<string>() }
  expect(differencesBetween([replica('a', 'd', copy('9 x')), replica('b', 'd')], exceptions)).toEqual([])
  const damaged = { retired: new Set<string>(), damaged: new Set(['v']) }
  const [one, other] = [replica('a', 'd', copy('9 x', '1-2')), replica('b', 'd', copy('9 y', '1-2'))]
  expect(differencesBetween([one, other], damaged)).toEqual([])
  expect(differencesBetween([one, replica('b', 'd', copy('9 y'))], damaged)).toHaveLength(1)
})
