import { expect, it } from 'vitest'
import type { NodeId, VolumeId } from '../../../src/domain/ids.js'
import { placement } from '../../../src/domain/placement.js'

it('places a volume on all members, in the same order everywhere', () => {
  const members = ['c', 'a', 'b', 'a'] as NodeId[]
  expect(placement('00000000000000a1-1' as VolumeId, members)).toEqual(['a', 'b', 'c'])
  expect(members).toEqual(['c', 'a', 'b', 'a'])
})
