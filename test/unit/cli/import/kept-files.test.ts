import fc from 'fast-check'
import { expect, test } from 'vitest'
import { KeptFiles } from '../../../../src/cli/import/kept-files.js'

const BYTES_MAX = 100

type Step = { readonly path: number; readonly keep?: number }

test('whatever is kept and dropped, it is what was kept last, and no more than there is room for', () => {
  const step: fc.Arbitrary<Step> = fc.record(
    { path: fc.nat({ max: 5 }), keep: fc.nat({ max: 60 }) },
    { requiredKeys: ['path'] }
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 50 }), steps => {
      const kept = new KeptFiles(BYTES_MAX)
      const model = new Map<number, Uint8Array>()
      const sum = (): number => [...model.values()].reduce((bytes, { length }) => bytes + length, 0)
      for (const { path, keep } of steps) {
        model.delete(path)
        if (keep === undefined) kept.drop(Buffer.from([path]))
        else {
          const bytes = new Uint8Array(keep)
          if (sum() + keep <= BYTES_MAX) model.set(path, bytes)
          kept.keep(Buffer.from([path]), bytes)
        }
        for (let i = 0; i <= 5; i++) expect(kept.get(Buffer.from([i]))).toBe(model.get(i))
      }
    })
  )
})

test('what is cleared leaves all room', () => {
  const kept = new KeptFiles(BYTES_MAX)
  const [a, b] = [Buffer.from('a'), Buffer.from('b')]
  kept.keep(a, new Uint8Array(BYTES_MAX))
  kept.clear()
  expect(kept.get(a)).toBeUndefined()
  const bytes = new Uint8Array(BYTES_MAX)
  kept.keep(b, bytes)
  expect(kept.get(b)).toBe(bytes)
})
