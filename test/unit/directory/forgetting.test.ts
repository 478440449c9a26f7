import { beforeEach, describe, expect, it } from 'vitest'
import { silentLog } from '../../../src/core/log.js'
import { Directory } from '../../../src/directory/directory.js'
import { MIGRATIONS } from '../../../src/directory/schema.js'
import { HLC_MAX, type Hlc } from '../../../src/domain/hlc.js'
import type { DirectoryRecord } from '../../../src/domain/record.js'
import { encodeRecord } from '../../../src/domain/record-codec.js'
import { tombstoneStamp } from '../../../src/domain/tombstone.js'
import { MemoryDatabaseSource } from './memory-database.js'
import { PhotoWriter, RecordLog } from './photo-log.js'

async function opened(source = new MemoryDatabaseSource()): Promise<Directory> {
  const directory = new Directory({ database: source, log: silentLog, observe: () => {} })
  await directory.start()
  return directory
}

function stampOf(record: DirectoryRecord): Hlc {
  const stamp = tombstoneStamp(record)
  if (stamp === undefined) throw new Error('it is not deleted')
  return stamp
}

async function tombstones({ forgetting }: Directory): Promise<string[]> {
  const found: string[] = []
  for await (const { key } of forgetting.tombstones(HLC_MAX)) found.push(key.id)
  return found
}

function encoded(directory: Directory, key: DirectoryRecord): Uint8Array {
  return encodeRecord(directory.getSync(key)?.record as DirectoryRecord)
}

describe('forgetting', () => {
  let writer: PhotoWriter
  let born: DirectoryRecord
  let dead: DirectoryRecord
  let other: DirectoryRecord

  beforeEach(() => {
    writer = new PhotoWriter()
    born = writer.birth({ name: 'dead' })
    other = writer.birth({ name: 'other' })
    dead = writer.delete(born.id)
  })

  it('takes a tombstone that the horizon passes out of the tree, and keeps its row until it is told', async () => {
    const directory = await opened()
    await directory.apply(new RecordLog().append(born, other, dead).group())
    const without = await opened()
    await without.merge([encodeRecord(other)])
    expect(await tombstones(directory)).toEqual([born.id])
    expect(directory.digest()).not.toBe(without.digest())
    await directory.forgetting.raise((stampOf(dead) - 1n) as Hlc)
    expect(directory.digest()).not.toBe(without.digest())
    await directory.forgetting.raise(stampOf(dead))
    expect(directory.digest()).toBe(without.digest())
    expect(encoded(directory, born)).toEqual(encodeRecord(dead))
    expect(await directory.verify()).toEqual([])
    await directory.forgetting.forget([{ stamp: stampOf(dead), key: born }])
    expect(directory.getSync(born)).toBeUndefined()
    expect(await tombstones(directory)).toEqual([])
    expect(directory.digest()).toBe(without.digest())
    expect(await directory.verify()).toEqual([])
  })

  it('drops a passed tombstone that comes in, and guards with one that is here', async () => {
    const directory = await opened()
    await directory.forgetting.raise(stampOf(dead))
    expect(await directory.merge([encodeRecord(dead)])).toBe(0)
    expect(directory.getSync(born)).toBeUndefined()
    const guarded = await opened()
    await guarded.merge([encodeRecord(dead)])
    await guarded.forgetting.raise(stampOf(dead))
    await guarded.merge([encodeRecord(born)])
    expect(tombstoneStamp(guarded.getSync(born)?.record as DirectoryRecord)).toBe(stampOf(dead))
    expect(guarded.digest()).toBe(directory.digest())
    expect(await guarded.verify()).toEqual([])
  })

  it('never takes an undone or a later delete for one that was passed', async () => {
    const directory = await opened()
    await directory.merge([encodeRecord(dead)])
    await directory.forgetting.raise(stampOf(dead))
    const undone = writer.undelete(born.id)
    await directory.merge([encodeRecord(undone)])
    await directory.forgetting.forget([{ stamp: stampOf(dead), key: born }])
    expect(encoded(directory, born)).toEqual(encodeRecord(undone))
    const again = writer.delete(born.id)
    await directory.merge([encodeRecord(again)])
    await directory.forgetting.forget([{ stamp: stampOf(dead), key: born }])
    await directory.forgetting.forget([{ stamp: stampOf(again), key: born }])
    expect(encoded(directory, born)).toEqual(encodeRecord(again))
    expect(await directory.verify()).toEqual([])
  })

  it('keeps the horizon through a restart, and loses it with the rows', async () => {
    const source = new MemoryDatabaseSource()
    const first = await opened(source)
    await first.merge([encodeRecord(dead), encodeRecord(other)])
    await first.forgetting.raise(stampOf(dead))
    const digest = first.digest()
    await first.stop()
    const second = await opened(source)
    expect([second.forgetting.horizon, second.digest()]).toEqual([stampOf(dead), digest])
    await second.clear()
    second.complete()
    expect(second.forgetting.horizon).toBe(0n)
  })

  it('passes many tombstones in bounded batches', async () => {
    const directory = await opened()
    const photos = Array.from({ length: 2_500 }, () => writer.birth())
    const deletes = photos.map(({ id }) => writer.delete(id))
    await directory.apply(new RecordLog().append(...deletes, other).group())
    const last = stampOf(deletes.at(-1) as DirectoryRecord)
    await directory.forgetting.raise(last)
    const only = await opened()
    await only.merge([encodeRecord(other)])
    expect(directory.digest()).toBe(only.digest())
    await directory.forgetting.forget(deletes.map(record => ({ stamp: stampOf(record), key: record })))
    expect(await tombstones(directory)).toEqual([])
    expect(await directory.verify()).toEqual([])
  })

  it('lists the tombstones of a directory of the first schema', async () => {
    const source = new MemoryDatabaseSource()
    const old = await opened(source)
    await old.merge([encodeRecord(dead), encodeRecord(other)])
    await old.stop()
    const database = await source.open()
    const rows = await database.iterator({ gte: Uint8Array.of(8), lt: Uint8Array.of(9) }).all()
    expect(rows).toHaveLength(1)
    for (const [key] of rows) await database.del(key)
    await MIGRATIONS[0]?.run(database)
    expect(await database.iterator({ gte: Uint8Array.of(8), lt: Uint8Array.of(9) }).all()).toEqual(rows)
  })
})
