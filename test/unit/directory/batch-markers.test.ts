import { describe, expect, it } from 'vitest'
import { silentLog } from '../../../src/core/log.js'
import { BATCH_BYTES_MIN, markerRow, RING_SLOTS, readMarkers } from '../../../src/directory/batch-markers.js'
import { planBatch } from '../../../src/directory/batch-plan.js'
import { DamageError } from '../../../src/directory/damage.js'
import { type Database, WRITE_BUFFER_BYTES } from '../../../src/directory/database.js'
import { EMPTY_DAY } from '../../../src/directory/days.js'
import { Directory } from '../../../src/directory/directory.js'
import { indexOf } from '../../../src/directory/index-state.js'
import { type Operation, placeOf, TABLE_MARKER } from '../../../src/directory/keys.js'
import type { DirectoryRecord } from '../../../src/domain/record.js'
import { encodeRecord } from '../../../src/domain/record-codec.js'
import { INDEX_LANGUAGE } from '../../../src/domain/terms.js'
import { MemoryDatabaseSource } from './memory-database.js'
import { PhotoWriter, RecordLog } from './photo-log.js'

const root = (sequence: number): Uint8Array => new Uint8Array(16).fill(sequence)

/**
 * A row in LevelDB's write buffer: key, value, 8 bytes of sequence number and type, two lengths of at least one byte, and a
 * skip-list node of at least two pointers.
 */
function bufferBytes(operations: readonly Operation[]): number {
  const rowBytes = operations.map(row => row.key.length + (row.type === 'put' ? row.value.length : 0) + 8 + 2 + 16)
  return rowBytes.reduce((sum, bytes) => sum + bytes, 0)
}

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
  it('hold the number and the root of the last batch', async () => {
    expect(await readMarkers(await databaseAfter(0))).toEqual({ sequence: 0, root: undefined })
    const { sequence, root: last } = await readMarkers(await databaseAfter(5))
    expect(sequence).toBe(5)
    expect(Uint8Array.from(last ?? [])).toEqual(root(5))
  })

  it('reveal a missing batch', async () => {
    for (const batches of [2, 3, 40]) {
      const database = await databaseAfter(batches)
      await database.del(markerRow(batches - 1, root(0)).key)
      await expect(readMarkers(database)).rejects.toThrow(DamageError)
    }
  })

  it('reveal a missing batch after the ring has wrapped around, too', async () => {
    const batches = RING_SLOTS + 40
    const database = await databaseAfter(batches)
    expect((await readMarkers(database)).sequence).toBe(batches)
    const lost = markerRow(batches - 20, root(0))
    await database.del(lost.key)
    await expect(readMarkers(database)).rejects.toThrow(DamageError)
    const roundBefore = markerRow(batches - 20 - RING_SLOTS, root(0))
    expect(roundBefore.key).toEqual(lost.key)
    await database.put(roundBefore.key, roundBefore.value)
    await expect(readMarkers(database)).rejects.toThrow(DamageError)
  })

  it('do not reveal that the newest batches are missing: the older state is consistent', async () => {
    const database = await databaseAfter(9)
    await database.del(markerRow(9, root(0)).key)
    expect((await readMarkers(database)).sequence).toBe(8)
  })

  it('belong to batches of at least BATCH_BYTES_MIN', () => {
    const index = { served: indexOf(INDEX_LANGUAGE, 0), built: undefined, isOtherStale: false }
    const record = { kind: 'a', id: 'b', context: new Map(), entries: [] }
    const base = {
      sequence: 0,
      root: root(0),
      bucket: () => root(0),
      count: () => 0,
      day: () => EMPTY_DAY,
      formatMax: 2,
      index
    }
    const after = { record, bytes: encodeRecord(record), home: undefined }
    // Merged without its needle: the batch has no applied offset.
    const readable = planBatch(
      base,
      [{ key: record, place: placeOf(record), before: undefined, after, volumes: [], buriedBy: undefined }],
      new Map(),
      0
    )
    const opaque = planBatch(base, [], new Map(), 0, { folds: [{ key: record, format: 9, before: undefined }] })
    for (const { operations } of [readable, opaque])
      expect(bufferBytes(operations)).toBeGreaterThanOrEqual(BATCH_BYTES_MIN)
  })

  it('pad whatever batch is too small: none with a number is below BATCH_BYTES_MIN', async () => {
    const sizes: number[] = []
    const source = new MemoryDatabaseSource()
    const directory = new Directory({ database: source, log: silentLog, observe: () => {} })
    await directory.start()
    const database = await source.open()
    const batch = database.batch.bind(database) as (operations: Operation[]) => Promise<void>
    database.batch = (async (operations: Operation[]) => {
      if (operations.some(({ key }) => key[0] === TABLE_MARKER)) sizes.push(bufferBytes(operations))
      await batch(operations)
    }) as typeof database.batch
    const writer = new PhotoWriter()
    const log = new RecordLog()
    const { id } = writer.birth()
    const write = async (...records: DirectoryRecord[]): Promise<void> => {
      const first = log.needles.length
      await directory.apply(log.append(...records).group(first))
    }
    await write(writer.require(id))
    await write(writer.delete(id))
    await directory.mergeGraves([{ kind: 'photo', id, generation: 0 }])
    await directory.mergeGraves([{ kind: 'photo', id, generation: 1 }])
    await directory.mergeGraves([{ kind: 'a', id: writer.newId(), generation: 0 }])
    await directory.mergeGraves([{ kind: 'a', id: writer.newId(), generation: 0 }])
    await directory.merge([encodeRecord(writer.write({ kind: 'a', id: 'b' }, [{ kind: 'version', value: new Map() }]))])
    await directory.stop()
    expect(sizes).toHaveLength(7)
    expect(Math.min(...sizes)).toBeGreaterThanOrEqual(BATCH_BYTES_MIN)
  })

  it('outnumber the batches that LevelDB can hold outside its synced table files', () => {
    expect(RING_SLOTS * BATCH_BYTES_MIN).toBeGreaterThan(2 * WRITE_BUFFER_BYTES)
  })
})
