import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type PhotoId, photoIdFrom } from '../../../../src/domain/ids.js'
import { LabelTable } from '../../../../src/similarity/index/label-table.js'
import { SeededRandom } from '../../../support/seeded-random.js'

const IDS = 400

/** What a table should hold. */
class Model {
  readonly labels = new Map<PhotoId, { readonly label: number; readonly version: number }>()
  readonly dead = new Set<number>()

  expectSame(table: LabelTable, ids: readonly PhotoId[]): void {
    expect(table.size).toBe(this.labels.size)
    expect(table.deadCount).toBe(this.dead.size)
    expect([...table.ids()].sort()).toEqual([...this.labels.keys()].sort())
    for (const id of ids) expect(table.versionOf(id)).toBe(this.labels.get(id)?.version)
    for (const [id, { label }] of this.labels) expect(table.idOf(label)).toBe(id)
    for (const label of this.dead) expect(table.idOf(label)).toBeUndefined()
  }
}

test('whatever is assigned, killed, released and loaded again: each photo has the label and version that it was given', async () => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('assign'), at: fc.nat(IDS - 1) }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('kill'), at: fc.nat(IDS - 1) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('release'), at: fc.nat(IDS - 1) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('reload'), at: fc.constant(0) }) }
  )
  await fc.assert(
    fc.asyncProperty(fc.integer(), fc.array(step, { maxLength: 600 }), async (seed, steps) => {
      const random = new SeededRandom(seed)
      const ids = Array.from({ length: IDS }, () => photoIdFrom(random.bytes(16)))
      let table = new LabelTable(random)
      const model = new Model()
      for (const [version, { kind, at }] of steps.entries()) {
        const id = ids[at] as PhotoId
        const known = model.labels.get(id)
        if (kind === 'assign' && known === undefined) {
          const label = table.assign(id, version)
          expect(model.dead.has(label)).toBe(false)
          expect([...model.labels.values()].some(other => other.label === label)).toBe(false)
          model.labels.set(id, { label, version })
        } else if (kind === 'kill') {
          expect(table.markDead(id)).toBe(known?.label)
          model.labels.delete(id)
          if (known !== undefined) model.dead.add(known.label)
        } else if (kind === 'release') {
          const freed = [...model.dead].filter(label => label % 2 === at % 2)
          table.release(freed)
          for (const label of freed) model.dead.delete(label)
        } else if (kind === 'reload') table = await LabelTable.load(random, table.rows())
      }
      model.expectSame(table, ids)
    }),
    { numRuns: 60 }
  )
})

test('many photos: more than a page of rows, and tables that have grown', async () => {
  const random = new SeededRandom(2)
  const ids = Array.from({ length: 20_000 }, () => photoIdFrom(random.bytes(16)))
  const table = new LabelTable(random)
  for (const [i, id] of ids.entries()) table.assign(id, i)
  const loaded = await LabelTable.load(random, table.rows())
  for (const of of [table, loaded]) {
    expect(of.size).toBe(ids.length)
    for (const [i, id] of ids.entries()) expect(of.versionOf(id)).toBe(i)
  }
})
