import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { PhotoId } from '../../../src/domain/ids.js'
import { dataIdentity, lifeNames, mayStandIn } from '../../../src/store/photo-needles.js'

const ID = '01890000-0000-7000-8000-000000000000' as PhotoId

test('the names of a needle are its own and those of the lives that may stand in for it, the latest first', () => {
  fc.assert(
    fc.property(fc.nat(20), generation => {
      const names = [...lifeNames(dataIdentity({ id: ID, generation, part: 'orig' }, 5))]
      const earlier = Array.from({ length: generation }, (_, life) => life).filter(life => mayStandIn(life, generation))
      expect(names.map(name => name.generation)).toEqual([generation, ...earlier.reverse()])
      expect(new Set(names.map(({ chunk }) => chunk))).toEqual(new Set([5]))
      expect(mayStandIn(generation, generation)).toBe(false)
      expect(names.length).toBe(1 + Math.min(generation, 3))
    })
  )
})
