import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Groups } from '../../../src/domain/groups.js'

test('two items are in a group exactly when a path of connections joins them', () => {
  const edges = fc.array(fc.tuple(fc.integer({ min: 0, max: 15 }), fc.integer({ min: 0, max: 15 })), { maxLength: 20 })
  fc.assert(
    fc.property(edges, connections => {
      const groups = new Groups<number>()
      for (const [a, b] of connections) groups.connect(a, b)
      const reached = (from: number): Set<number> => {
        const seen = new Set([from])
        for (const at of seen) {
          for (const [a, b] of connections) {
            if (a === at) seen.add(b)
            if (b === at) seen.add(a)
          }
        }
        return seen
      }
      const all = groups.all()
      for (const [a, b] of connections) expect(groups.groupOf(a)).toBe(groups.groupOf(b))
      const wanted = new Set(
        [...new Set(connections.flat())]
          .map(item => [...reached(item)].sort((a, b) => a - b).join())
          .filter(group => group.includes(','))
      )
      expect(new Set(all.map(group => group.sort((a, b) => a - b).join()))).toEqual(wanted)
      expect(all).toHaveLength(wanted.size)
    })
  )
})
