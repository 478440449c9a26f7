import { describe, expect, it } from 'vitest'
import { BATCH_BYTES_MIN, markerRow, RING_SLOTS, readMarkers } from '../../../src/directory/batch-markers.js'
import { DamageError } from '../../../src/directory/damage.js'
import { type Database, WRITE_BUFFER_BYTES } from '../../../src/directory/database.js'
import { MemoryDatabaseSource } from './memory-database.js'

const root = (sequence: number): Uint8Array => new Uint8Array(16).fill(sequence)

async function databaseAfter(batches: number): Promise<Database> {
  const database = await new MemoryDatabaseSource().open()
  for (let from = 1; from <= batches; from += 8_192) {
    const count = Math.min(8_192, batches + 1 - from)
    const rows = Array.from({ length: count }, (_, i) => markerRow(from + i, root(from + i)))
    await database.batch(rows.map(({ key, value }) => ({ type: 'put' as const, key, value })))
  }
  return database
}

describe('batch markers', () => {
  it('give the number and the root of the last batch', async () => {
    expect(await readMarkers(await databaseAfter(0))).toEqual({ sequence: 0, root: undefined })
    const { sequence, root: last } = await readMarkers(await databaseAfter(5))
    expect(sequence).toBe(5)
    expect(Uint8Array.from(last ?? [])).toEqual(root(5))
  })

  it('go round the ring', async () => {
    const { sequence } = await readMarkers(await databaseAfter(RING_SLOTS + 3))
    expect(sequence).toBe(RING_SLOTS + 3)
  })

  it('show that a batch is missing, in the first round and in later ones', async () => {
    for (const batches of [3, 40, RING_SLOTS + 40]) {
      const database = await databaseAfter(batches)
      await database.del(markerRow(batches - 1, root(0)).key)
      await expect(readMarkers(database)).rejects.toThrow(DamageError)
    }
  })

  it('show that a batch is missing whose slot still holds the number of the round before', async () => {
    const database = await databaseAfter(RING_SLOTS + 40)
    const before = markerRow(20, root(20))
    await database.put(before.key, before.value)
    await expect(readMarkers(database)).rejects.toThrow(DamageError)
  })

  it('take the newest batches away without notice, as an older state is a whole one', async () => {
    const database = await databaseAfter(9)
    await database.del(markerRow(9, root(0)).key)
    expect((await readMarkers(database)).sequence).toBe(8)
  })

  it('outnumber the batches that LevelDB can hold outside its synced table files', () => {
    expect(RING_SLOTS * BATCH_BYTES_MIN).toBeGreaterThan(2 * WRITE_BUFFER_BYTES)
  })
})
