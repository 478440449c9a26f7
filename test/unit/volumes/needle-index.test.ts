import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { NeedleIdentity } from '../../../src/domain/needle.js'
import { NeedleIndex } from '../../../src/volumes/needle-index.js'
import { SeededRandom } from '../../support/seeded-random.js'

const identities = fc.record({
  kind: fc.constantFrom<NeedleIdentity['kind']>('data', 'manifest'),
  id: fc.integer({ min: 0, max: 5 }).map(n => new Uint8Array(16).fill(n)),
  generation: fc.integer({ min: 0, max: 2 }),
  alternateKey: fc.constantFrom(0, 3, 0x8000_0000),
  chunk: fc.integer({ min: 0, max: 3 })
})
const places = fc.record({ volume: fc.constantFrom(0, 1, 65_535), slot: fc.integer({ min: 32, max: 40 }) })

function keyOf({ kind, id, generation, alternateKey, chunk }: NeedleIdentity): string {
  return [kind, id[0], generation, alternateKey, chunk].join()
}

describe('NeedleIndex', () => {
  it('finds exactly what was added and not removed, like a map of sets', () => {
    const steps = fc.array(fc.tuple(fc.constantFrom('add', 'add', 'remove'), identities, places), { maxLength: 400 })
    fc.assert(
      fc.property(steps, sequence => {
        const index = new NeedleIndex()
        const model = new Map<string, Set<string>>()
        for (const [what, identity, { volume, slot }] of sequence) {
          const known = model.get(keyOf(identity)) ?? new Set()
          model.set(keyOf(identity), known)
          const place = `${volume}@${slot * 8}`
          if (what === 'add') {
            index.add(identity, volume, slot * 8, slot)
            known.add(place)
          } else {
            expect(index.remove(identity, volume, slot * 8)).toBe(known.delete(place))
          }
        }
        let count = 0
        for (const [, identity] of sequence) {
          const found = index.find(identity).map(({ volume, offset }) => `${volume}@${offset}`)
          expect(found.sort()).toEqual([...(model.get(keyOf(identity)) ?? [])].sort())
        }
        for (const known of model.values()) count += known.size
        expect(index.count).toBe(count)
      })
    )
  })

  it('holds many needles with their lengths in at most 34 bytes each, through growth and removals', () => {
    const random = new SeededRandom(7)
    const index = new NeedleIndex()
    const ids: Uint8Array[] = []
    for (let i = 0; i < 60_000; i++) {
      const id = random.bytes(16)
      ids.push(id)
      index.add({ kind: 'data', id, generation: 0, alternateKey: 0, chunk: 0 }, i % 7, 256 + i * 8, i)
    }
    for (const [i, id] of ids.entries()) {
      const found = index.find({ kind: 'data', id, generation: 0, alternateKey: 0, chunk: 0 })
      expect(found).toEqual([{ volume: i % 7, offset: 256 + i * 8, length: i }])
    }
    expect(index.byteLength / index.count).toBeLessThan(34)
    for (const [i, id] of ids.entries()) {
      if (i % 2 === 0) index.remove({ kind: 'data', id, generation: 0, alternateKey: 0, chunk: 0 }, i % 7, 256 + i * 8)
    }
    for (const [i, id] of ids.entries()) {
      const found = index.find({ kind: 'data', id, generation: 0, alternateKey: 0, chunk: 0 })
      expect(found.length).toBe(i % 2)
    }
  })

  it('addresses offsets up to 32 GiB', () => {
    const index = new NeedleIndex()
    const identity: NeedleIdentity = { kind: 'data', id: new Uint8Array(16), generation: 0, alternateKey: 0, chunk: 0 }
    const offset = 2 ** 35 - 8
    index.add(identity, 65_535, offset, 2 ** 26)
    expect(index.find(identity)).toEqual([{ volume: 65_535, offset, length: 2 ** 26 }])
  })
})
