import { beforeEach, describe, expect, it } from 'vitest'
import { silentLog } from '../../../src/core/log.js'
import { Directory } from '../../../src/directory/directory.js'
import { addedPosition, counterKey, indexTables, termKey } from '../../../src/directory/index-keys.js'
import { bucketKey, leafKey, opaqueRow, recordRowKey, sealedRow, tableRange, u64 } from '../../../src/directory/keys.js'
import { verbatimRow } from '../../../src/directory/opaque-records.js'
import { MIGRATIONS } from '../../../src/directory/schema.js'
import { bornIn, RECORD_FORMATS, type RecordFormats } from '../../../src/domain/formats.js'
import { bucketOf } from '../../../src/domain/merkle.js'
import { viewPhoto } from '../../../src/domain/photo.js'
import type { DirectoryRecord } from '../../../src/domain/record.js'
import { decodeRecord, encodeRecord, encodeRecordAs, RECORD_FORMAT } from '../../../src/domain/record-codec.js'
import { NEXT_FORMATS } from '../../support/next-format.js'
import { modelOf } from './directory-model.js'
import { levelError, MemoryDatabaseSource } from './memory-database.js'
import { PhotoWriter, RecordLog } from './photo-log.js'

const unavailable = { code: 'ERR_DIRECTORY_UNAVAILABLE' }

const TABLES = indexTables(0)

describe('a directory', () => {
  let source: MemoryDatabaseSource
  let directory: Directory
  let writer: PhotoWriter
  let log: RecordLog

  beforeEach(async () => {
    source = new MemoryDatabaseSource()
    directory = new Directory({ database: source, log: silentLog, observe: () => {} })
    await directory.start()
    writer = new PhotoWriter()
    log = new RecordLog()
  })

  it('writes one batch for a group, and one for all groups that arrive during a batch', async () => {
    for (let i = 0; i < 40; i++) log.append(writer.birth())
    source.batches = 0
    await directory.apply(log.group(0, 10))
    expect(source.batches).toBe(1)
    const groups = log.groups().slice(10)
    await Promise.all(groups.map(group => directory.apply(group)))
    expect(source.batches).toBeLessThanOrEqual(3)
  })

  it('shows nothing of a batch before it is written', async () => {
    log.append(writer.birth({ tags: ['t'] }), writer.birth({ tags: ['t'] }))
    await directory.apply(log.group(0, 1))
    const seen = (): unknown => [
      directory.digest(),
      directory.count('tag\0t'),
      directory.progress(log.volume),
      directory.getSync(log.needles[1]?.data ? decodeRecord(log.needles[1].data) : { kind: '', id: '' })
    ]
    const before = seen()
    let told = 0
    let foretold = 0
    directory.onChange(() => {
      told++
    })
    directory.onComing(() => {
      foretold++
    })
    let open = (): void => {}
    source.gate = new Promise(resolve => {
      open = resolve
    })
    const batches = source.batches
    const applying = directory.apply(log.group(1, 2))
    while (source.batches === batches) await new Promise(resolve => setImmediate(resolve))
    expect(seen()).toEqual(before)
    expect([told, foretold]).toEqual([0, 1])
    open()
    await applying
    expect([told, foretold]).toEqual([1, 1])
    expect(directory.count('tag\0t')).toBe(2)
  })

  it('bounds a batch', async () => {
    for (let i = 0; i < 3_000; i++) log.append(writer.birth())
    source.batches = 0
    await Promise.all(log.groups(100).map(group => directory.apply(group)))
    expect(source.batches).toBeGreaterThanOrEqual(3)
    expect(directory.count('all')).toBe(3_000)
  })

  describe('after a batch that failed', () => {
    let before: string

    beforeEach(async () => {
      for (let i = 0; i < 6; i++) log.append(writer.birth({ tags: ['t'] }))
      await directory.apply(log.group(0, 2))
      before = directory.digest()
      source.batchError = levelError('LEVEL_IO_ERROR', 'IO error: no space left on device')
      const waiting = [log.group(2, 3), log.group(3, 4)].map(group => directory.apply(group))
      for (const apply of waiting) await expect(apply).rejects.toMatchObject(unavailable)
      source.batchError = undefined
    })

    it('refuses everything until it is reopened', async () => {
      expect(directory.state).toBe('failed')
      await expect(directory.apply(log.group(2, 3))).rejects.toMatchObject(unavailable)
      await expect(directory.query({ terms: [], words: [], limit: 1 })).rejects.toMatchObject(unavailable)
      expect(() => directory.digest()).toThrow(expect.objectContaining(unavailable))
      await expect(directory.forgetVolume(log.volume)).rejects.toMatchObject(unavailable)
    })

    it('keeps its state from before the batch, and continues the log from there', async () => {
      await directory.reopen()
      expect(directory.state).toBe('filling')
      expect(directory.rebuildReason).toBeUndefined()
      expect(source.removed).toBe(0)
      directory.complete()
      expect(directory.state).toBe('open')
      expect(directory.digest()).toBe(before)
      expect(directory.count('tag\0t')).toBe(2)
      expect(directory.progress(log.volume)).toEqual({ reached: log.group(0, 2).to, gaps: [] })
      await directory.apply(log.group(2, 6))
      expect(directory.count('tag\0t')).toBe(6)
      expect(directory.digest()).toBe(modelOf(writer.records.values()).root)
      expect(await directory.verify()).toEqual([])
    })

    it('stays failed when it cannot be reopened', async () => {
      source.openError = levelError('LEVEL_IO_ERROR', 'IO error: input/output error')
      await expect(directory.reopen()).rejects.toMatchObject(unavailable)
      expect(directory.state).toBe('failed')
      expect(source.removed).toBe(0)
      directory.complete()
      expect(directory.state).toBe('failed')
      source.openError = undefined
      await directory.reopen()
      directory.complete()
      expect(directory.count('all')).toBe(2)
    })
  })

  it('is rebuilt when a batch fails because the database is damaged', async () => {
    log.append(writer.birth(), writer.birth())
    await directory.apply(log.group(0, 1))
    source.batchError = levelError('LEVEL_CORRUPTION', 'Corruption: bad block')
    await expect(directory.apply(log.group(1, 2))).rejects.toMatchObject(unavailable)
    source.batchError = undefined
    await directory.reopen()
    expect(directory.rebuildReason).toBe('Corruption: bad block')
    expect(directory.progress(log.volume)).toEqual({ reached: 0, gaps: [] })
    await expect(directory.get(writer.birth())).rejects.toMatchObject(unavailable)
    await directory.apply(log.group())
    directory.complete()
    expect(directory.digest()).toBe(modelOf(log.needles.map(({ data = new Uint8Array() }) => decodeRecord(data))).root)
    await directory.reopen()
    expect(directory.rebuildReason).toBeUndefined()
    expect(source.removed).toBe(1)
  })

  it('is removed only for damage, never because it cannot be opened', async () => {
    await directory.stop()
    for (const error of [
      levelError('LEVEL_LOCKED', 'IO error: lock /x/LOCK: already held by process'),
      levelError('LEVEL_IO_ERROR', 'IO error: /x/MANIFEST-000002: Input/output error'),
      levelError('LEVEL_IO_ERROR', 'IO error: /x/MANIFEST-000002: Too many open files'),
      levelError('EACCES')
    ]) {
      source.openError = levelError('LEVEL_DATABASE_NOT_OPEN', 'Database failed to open')
      source.openError.cause = error
      await expect(directory.start()).rejects.toMatchObject(unavailable)
      expect([directory.state, source.removed]).toEqual(['closed', 0])
    }
    for (const [i, message] of [
      'Corruption: 1 missing files',
      'IO error: /x/000005.ldb: Invalid argument',
      // CURRENT with a flipped bit
      'IO error: /x/MANIFEST\r000007: No such file or directory'
    ].entries()) {
      source.openError = levelError('LEVEL_DATABASE_NOT_OPEN', 'Database failed to open')
      source.openError.cause = levelError('LEVEL_ANY', message)
      await directory.start()
      expect([directory.state, source.removed, directory.rebuildReason]).toEqual(['open', i + 1, message])
      await directory.stop()
    }
  })

  it('reads after an upgrade what it had to hide, and keeps what no needle here holds', async () => {
    const [born, gossiped] = [writer.birth(), writer.birth()]
    await directory.apply(log.append(born).group())
    await directory.merge([encodeRecord(gossiped)])
    await directory.stop()
    const database = await source.open()
    for (const row of [
      opaqueRow(born, RECORD_FORMAT),
      verbatimRow({ bytes: encodeRecord(born), location: log.needles[0]!.location })
    ])
      await database.put(row.key, row.value)
    await database.close()
    await directory.start()
    expect(directory.rebuildReason).toBeUndefined()
    expect(directory.progress(log.volume).reached).toBe(0)
    await directory.apply(log.group())
    expect([directory.isOpaque(born), directory.opaqueCount]).toEqual([false, 0])
    expect(directory.verbatimHome(encodeRecord(born))).toBeUndefined()
    expect(directory.digest()).toBe(modelOf([born, gossiped]).root)
    expect(await directory.verify()).toEqual([])
  })

  it('finds out when a record of a later format is shown all the same', async () => {
    const born = writer.birth()
    await directory.apply(log.append(born).group())
    const row = opaqueRow(born, RECORD_FORMAT + 1)
    const database = await source.open()
    await database.put(row.key, row.value)
    expect(await directory.verify()).toEqual([expect.stringContaining('later format')])
  })

  it('after a return to an older version hides what that cannot read, until it is upgraded again', async () => {
    const ofVersion = async (formats: RecordFormats): Promise<Directory> => {
      await directory.stop()
      directory = new Directory({ database: source, log: silentLog, observe: () => {} }, { formats })
      await directory.start()
      if (directory.progress(log.volume).reached === 0) await directory.apply(log.group())
      return directory
    }
    const plain = writer.birth()
    const later = bornIn(writer.birth(), 3, NEXT_FORMATS)
    log.append(plain).appendBytes(encodeRecordAs(NEXT_FORMATS, later))
    await ofVersion(NEXT_FORMATS)
    const digest = directory.digest()
    expect(directory.getSync(later)?.record.extra).toEqual(later.extra)
    await ofVersion(NEXT_FORMATS)
    expect(directory.rebuildReason).toBeUndefined()
    await ofVersion(RECORD_FORMATS)
    expect(directory.rebuildReason).toContain('record format 3')
    expect([directory.isOpaque(later), directory.count('all')]).toEqual([true, 1])
    expect(() => directory.getSync(later)).toThrow(expect.objectContaining({ code: 'ERR_FORMAT_TOO_NEW' }))
    expect(directory.digest()).toBe(modelOf([plain]).root)
    await ofVersion(RECORD_FORMATS)
    expect(directory.rebuildReason).toBeUndefined()
    await ofVersion(NEXT_FORMATS)
    expect(directory.getSync(later)?.record.extra).toEqual(later.extra)
    expect([directory.opaqueCount, directory.digest()]).toEqual([0, digest])
    expect(await directory.verify()).toEqual([])
  })

  it('keeps a database of a newer schema, and does not start', async () => {
    await directory.apply(log.append(writer.birth()).group())
    await directory.stop()
    const migrating = { to: 5, run: async () => {} }
    const newer = new Directory(
      { database: source, log: silentLog, observe: () => {} },
      { migrations: [...MIGRATIONS, migrating] }
    )
    await newer.start()
    expect(newer.count('all')).toBe(1)
    await newer.stop()
    await expect(directory.start()).rejects.toMatchObject({ code: 'ERR_FORMAT_TOO_NEW' })
    expect(source.removed).toBe(0)
    await newer.start()
    expect(newer.count('all')).toBe(1)
  })

  describe('with a damaged row', () => {
    let photo: DirectoryRecord
    /** Rows of the photo, by kind of row. */
    let rows: Record<'record' | 'leaf' | 'bucket' | 'counter' | 'term', Uint8Array>

    const database = () => source.open()
    const flip = async (key: Uint8Array, byte = 0): Promise<void> => {
      const value = Uint8Array.from((await (await database()).get(key)) ?? [])
      value[byte] = (value[byte] ?? 0) ^ 0x10
      await (await database()).put(key, value)
    }

    beforeEach(async () => {
      photo = writer.birth({ tags: ['t'] })
      await directory.apply(log.append(photo, writer.birth(), writer.birth({ tags: ['t'] })).group())
      rows = {
        record: recordRowKey(photo),
        leaf: leafKey(bucketOf(photo), photo),
        bucket: bucketKey(bucketOf(photo)),
        counter: counterKey(TABLES, 'tag\0t'),
        term: termKey(TABLES.order.added, 'tag\0t', addedPosition(viewPhoto(photo).createdAt, viewPhoto(photo).id))
      }
    })

    const rebuilds = async (): Promise<void> => {
      expect(directory.state).toBe('failed')
      await expect(directory.apply(log.group())).rejects.toMatchObject(unavailable)
      await directory.reopen()
      expect(directory.rebuildReason).toEqual(expect.any(String))
      expect(directory.progress(log.volume)).toEqual({ reached: 0, gaps: [] })
      await directory.apply(log.group())
      directory.complete()
      expect(directory.digest()).toBe(modelOf(writer.records.values()).root)
      expect(await directory.verify()).toEqual([])
    }

    it('fails when it reads an altered record', async () => {
      await flip(rows.record, 40)
      await expect(directory.get(photo)).rejects.toMatchObject(unavailable)
      await rebuilds()
    })

    it('remembers the damage while it rejects waiting groups', async () => {
      await flip(rows.record, 40)
      let open = (): void => {}
      source.gate = new Promise(resolve => {
        open = resolve
      })
      const others = new RecordLog(2).append(writer.birth(), writer.birth())
      const batches = source.batches
      const written = directory.apply(others.group(0, 1))
      while (source.batches === batches) await new Promise(resolve => setImmediate(resolve))
      const waiting = directory.apply(others.group(1, 2))
      await expect(directory.get(photo)).rejects.toMatchObject(unavailable)
      open()
      await written
      await expect(waiting).rejects.toMatchObject(unavailable)
      await directory.reopen()
      expect(directory.rebuildReason).toEqual(expect.any(String))
    })

    it('fails when a blocking read finds damage', async () => {
      await flip(rows.record, 0)
      expect(() => directory.getSync(photo)).toThrow(expect.objectContaining(unavailable))
      await rebuilds()
    })

    it('fails when a record with a leaf is missing', async () => {
      await (await database()).del(rows.record)
      await expect(directory.get(photo)).rejects.toMatchObject(unavailable)
      await rebuilds()
      await (await database()).del(rows.record)
      expect(() => directory.getSync(photo)).toThrow(expect.objectContaining(unavailable))
      await rebuilds()
    })

    it('fails when a record is stored under the key of another', async () => {
      const value = (await (await database()).get(rows.record)) ?? new Uint8Array(0)
      const otherId = writer.newId()
      const other = recordRowKey({ kind: 'photo', id: otherId })
      const moved = sealedRow(other, value.subarray(0, -4))
      await (await database()).put(moved.key, moved.value)
      await expect(directory.get({ kind: 'photo', id: otherId })).rejects.toMatchObject(unavailable)
      await rebuilds()
    })

    it('fails when it iterates over damage', async () => {
      await flip(rows.record, 30)
      const all = async (): Promise<void> => {
        for await (const _ of directory.records());
      }
      await expect(all()).rejects.toMatchObject(unavailable)
      await rebuilds()
    })

    it('fails when an update meets damage, and acknowledges nothing', async () => {
      await flip(rows.record, 40)
      log.append(writer.edit(photo.id, { caption: 'x' }))
      await expect(directory.apply(log.group(3, 4))).rejects.toMatchObject(unavailable)
      await rebuilds()
    })

    it('fails when the index lists a missing record, or a record under a term that it does not have', async () => {
      await (await database()).del(rows.record)
      await expect(directory.query({ terms: ['tag\0t'], words: [], limit: 5 })).rejects.toMatchObject(unavailable)
      await rebuilds()
      const wrong = termKey(TABLES.order.added, 'tag\0wrong', rows.term.subarray(-24))
      await (await database()).put(wrong, new Uint8Array(0))
      await expect(directory.query({ terms: ['tag\0wrong'], words: [], limit: 5 })).rejects.toMatchObject(unavailable)
      await rebuilds()
      await (await database()).put(wrong, new Uint8Array(0))
      await expect(directory.newestWith('tag\0wrong', 5)).rejects.toMatchObject(unavailable)
      await rebuilds()
    })

    it('fails when it reads a damaged leaf or counter', async () => {
      await flip(rows.leaf)
      await expect(directory.leaves([bucketOf(photo)]).next()).rejects.toMatchObject(unavailable)
      await rebuilds()
      await flip(rows.counter)
      await directory.stop()
      await directory.start()
      expect(() => directory.count('tag\0t')).toThrow(expect.objectContaining(unavailable))
      await rebuilds()
    })

    it('is rebuilt at start when buckets, markers, offsets or the schema are damaged', async () => {
      for (const damage of [
        () => flip(rows.bucket, 3),
        async () => (await database()).del(rows.bucket),
        async () => {
          const { key, value } = sealedRow(rows.bucket, new Uint8Array(16))
          await (await database()).put(key, value)
        },
        async () => (await database()).clear(tableRange(1)),
        async () => flip((await (await database()).keys(tableRange(1)).all())[0] ?? rows.term),
        async () => flip((await (await database()).keys(tableRange(2)).all())[0] ?? rows.term, 5),
        () => flip(Uint8Array.of(0)),
        async () => (await database()).del(Uint8Array.of(0))
      ]) {
        await directory.stop()
        await damage()
        await directory.stop()
        await directory.start()
        expect(directory.rebuildReason, damage.toString()).toEqual(expect.any(String))
        expect([directory.state, directory.progress(log.volume).reached, directory.count('all')]).toEqual([
          'open',
          0,
          0
        ])
        await directory.apply(log.group())
        expect(await directory.verify()).toEqual([])
      }
    })

    it('finds damage in a check that reads do not notice', async () => {
      const original = new Map(await (await database()).iterator().all())
      const cases: (() => Promise<void>)[] = [
        async () => (await database()).del(rows.term),
        async () => (await database()).del(rows.leaf),
        async () => (await database()).del(rows.counter),
        async () => (await database()).del(rows.record),
        () => flip(rows.record, 40),
        async () =>
          (await database()).put(termKey(TABLES.order.added, 'word\0x', rows.term.subarray(-24)), new Uint8Array(0)),
        async () => {
          const { key, value } = sealedRow(rows.counter, u64(1))
          await (await database()).put(key, value)
        },
        async () => {
          const { key, value } = sealedRow(rows.bucket, new Uint8Array(16))
          await (await database()).put(key, value)
        },
        async () => (await database()).clear(tableRange(TABLES.order.added))
      ]
      for (const damage of cases) {
        await damage()
        expect(await directory.verify(), damage.toString()).not.toEqual([])
        await (await database()).clear()
        for (const [key, value] of original) await (await database()).put(key, value)
        expect(await directory.verify()).toEqual([])
      }
      expect(directory.state).toBe('open')
    })
  })

  it('takes no photo that cannot be shown, and does not list one that cannot be sorted', async () => {
    const born = writer.birth({ name: 'good' })
    const shout = writer.birth({ name: 'loud' }, writer.newId().toUpperCase() as never)
    const hollow = writer.write({ kind: 'photo', id: writer.newId() }, [
      { kind: 'version', value: new Map([['size', -1]]) }
    ])
    const born2 = viewPhoto(writer.birth())
    const beyond = writer.write({ kind: 'photo', id: born2.id }, [
      { kind: 'version', value: new Map([...(born2.record.entries[0]?.value ?? []), ['born', -(2n ** 60n)]]) }
    ])
    await directory.apply(log.append(born, shout, hollow, beyond).group())
    const { records, total } = await directory.query({ terms: [], words: [], limit: 10 })
    expect([records.map(({ id }) => id), total]).toEqual([[born.id], 1])
    expect(await directory.getMany([shout, hollow])).toEqual([undefined, undefined])
    expect((await directory.get(beyond))?.record.id).toBe(beyond.id)
  })
})
