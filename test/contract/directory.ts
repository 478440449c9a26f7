import { beforeEach, describe, expect, it } from 'vitest'
import { silentLog } from '../../src/core/log.js'
import type { RecordChange } from '../../src/directory/batch-plan.js'
import type { DatabaseSource } from '../../src/directory/database.js'
import { Directory } from '../../src/directory/directory.js'
import type { DirectoryPage, DirectoryQuery } from '../../src/directory/query.js'
import type { Hlc } from '../../src/domain/hlc.js'
import { bucketOf } from '../../src/domain/merkle.js'
import { viewPhoto } from '../../src/domain/photo.js'
import type { DirectoryRecord, RecordKey } from '../../src/domain/record.js'
import { encodeRecord } from '../../src/domain/record-codec.js'
import { modelOf } from '../unit/directory/directory-model.js'
import { laterFormat, PhotoWriter, RecordLog } from '../unit/directory/photo-log.js'

const PAGES_MAX = 100

const ids = (records: readonly DirectoryRecord[]): string[] => records.map(({ id }) => id)
const bytesOf = (record: DirectoryRecord | undefined): string =>
  record === undefined ? '' : Buffer.from(encodeRecord(record)).toString('hex')

/**
 * What a directory does whatever database it stands on. `openSource` gives an empty database, the same one for one
 * test.
 */
export function directoryContract(name: string, openSource: () => Promise<DatabaseSource>): void {
  describe(`a directory in ${name}`, () => {
    let source: DatabaseSource
    let directory: Directory
    let writer: PhotoWriter
    let log: RecordLog
    let observed: Hlc[]

    const started = async (): Promise<Directory> => {
      const fresh = new Directory({ database: source, log: silentLog, observe: stamp => observed.push(stamp) })
      await fresh.start()
      return fresh
    }

    const restart = async (): Promise<void> => {
      await directory.stop()
      directory = await started()
    }

    const query = (q: Partial<DirectoryQuery> = {}): Promise<DirectoryPage> =>
      directory.query({ terms: [], words: [], limit: 50, ...q })

    const list = async (q: Partial<DirectoryQuery>): Promise<string[]> => ids((await query(q)).records)

    /** All pages, with what `between` does after each. */
    const pages = async (q: Partial<DirectoryQuery>, between?: (page: number) => Promise<void>): Promise<string[]> => {
      const found: string[] = []
      let cursor: string | null = null
      let page = 0
      do {
        const { records, nextCursor }: DirectoryPage = await query({ ...q, ...(cursor === null ? {} : { cursor }) })
        found.push(...ids(records))
        cursor = nextCursor
        await between?.(++page)
        if (page > PAGES_MAX) throw new Error('the pages do not end')
      } while (cursor !== null)
      return found
    }

    beforeEach(async context => {
      observed = []
      source = await openSource()
      directory = await started()
      writer = new PhotoWriter()
      log = new RecordLog()
      context.onTestFinished(() => directory.stop())
    })

    it('is empty at first', async () => {
      expect(directory.state).toBe('open')
      expect(directory.rebuildReason).toBeUndefined()
      expect(directory.digest()).toBe('0'.repeat(32))
      expect(directory.count('all')).toBe(0)
      expect(directory.progress(log.volume)).toEqual({ reached: 0, gaps: [] })
      expect(await query()).toEqual({ records: [], total: 0, isTotalExact: true, nextCursor: null })
      expect(await directory.get({ kind: 'photo', id: writer.newId() })).toBeUndefined()
      expect(directory.getSync({ kind: 'photo', id: writer.newId() })).toBeUndefined()
    })

    it('gives back what was applied, now and after a restart', async () => {
      const born = [writer.birth({ name: 'a.jpg' }), writer.birth({ name: 'b.jpg' })]
      const edited = writer.edit(born[0]?.id ?? '', { tags: { add: ['cat'] } })
      const album = writer.write({ kind: 'album', id: 'Straße\0 1' }, [{ kind: 'version', value: new Map([['n', 1]]) }])
      log.append(...born, edited, album)
      await directory.apply(log.group())
      for (const after of ['the batch', 'a restart']) {
        if (after === 'a restart') await restart()
        for (const record of [edited, born[1], album]) {
          if (record === undefined) continue
          expect(bytesOf((await directory.get(record))?.record)).toBe(bytesOf(record))
          expect(bytesOf(directory.getSync(record)?.record)).toBe(bytesOf(record))
        }
        const many = await directory.getMany([album, { kind: 'photo', id: album.id }, edited])
        expect(many.map(stored => bytesOf(stored?.record))).toEqual([bytesOf(album), '', bytesOf(edited)])
        expect(directory.digest()).toBe(modelOf([...born, edited, album]).root)
        expect(directory.count('all')).toBe(2)
        expect(directory.progress(log.volume)).toEqual({ reached: log.end, gaps: [] })
      }
    })

    it('raises the clock with every stamp that it applies', async () => {
      const born = writer.birth()
      const edited = writer.edit(born.id, { caption: 'later' })
      await directory.apply(log.append(born, edited).group())
      expect(observed).toContain(viewPhoto(edited).version.hlc)
    })

    it('skips what it has applied, and applies the rest of a group that overlaps', async () => {
      const [first, second, third] = [writer.birth(), writer.birth(), writer.birth()]
      log.append(first, second, third)
      await directory.apply(log.group(0, 2))
      let changes = 0
      directory.onChange(all => {
        changes += all.length
      })
      await directory.apply(log.group(0, 2))
      await directory.apply(log.group(0, 3))
      expect(changes).toBe(1)
      expect(directory.count('all')).toBe(3)
      expect(directory.progress(log.volume)).toEqual({ reached: log.end, gaps: [] })
    })

    it('merges groups that leave gaps, remembers the gaps, and takes what fills them', async () => {
      for (let i = 0; i < 6; i++) log.append(writer.birth())
      const gap = (first: number, last: number): { from: number; to: number } => {
        const { from, to } = log.group(first, last)
        return { from, to }
      }
      for (const [first, last] of [
        [1, 2],
        [3, 4],
        [5, 6]
      ]) {
        await directory.apply(log.group(first, last))
      }
      const gaps = [{ from: 0, to: log.group(0, 1).to }, gap(2, 3), gap(4, 5)]
      expect(directory.count('all')).toBe(3)
      expect(directory.progress(log.volume)).toEqual({ reached: log.end, gaps })
      await restart()
      expect(directory.progress(log.volume)).toEqual({ reached: log.end, gaps })
      let changes = 0
      directory.onChange(all => {
        changes += all.length
      })
      await directory.apply(log.group(2, 4))
      expect(changes).toBe(1)
      expect(directory.progress(log.volume)).toEqual({ reached: log.end, gaps: [gaps[0], gaps[2]] })
      await directory.apply({ ...gap(4, 5), volume: log.volume, needles: [] })
      expect(directory.progress(log.volume)).toEqual({ reached: log.end, gaps: [gaps[0]] })
      await directory.apply(log.group())
      expect(directory.count('all')).toBe(5)
      expect(directory.progress(log.volume)).toEqual({ reached: log.end, gaps: [] })
    })

    it('advances over groups without records', async () => {
      log.appendData(100_000).append(writer.birth()).appendData(5)
      for (const group of log.groups()) await directory.apply(group)
      expect(directory.progress(log.volume)).toEqual({ reached: log.end, gaps: [] })
      await restart()
      expect(directory.progress(log.volume)).toEqual({ reached: log.end, gaps: [] })
    })

    it('applies groups that come while others are written, in order', async () => {
      for (let i = 0; i < 60; i++) log.append(writer.birth({ tags: [`t${i % 7}`] }))
      await Promise.all(log.groups(2).map(group => directory.apply(group)))
      expect(directory.progress(log.volume)).toEqual({ reached: log.end, gaps: [] })
      expect(directory.count('all')).toBe(60)
      expect(directory.digest()).toBe(modelOf(writer.records.values()).root)
      expect(await directory.verify()).toEqual([])
    })

    it('leaves out a needle that no record can be made of, and keeps the others', async () => {
      log
        .append(writer.birth())
        .appendBytes(Uint8Array.of(1, 2, 3))
        .append(writer.birth())
      await directory.apply(log.group())
      expect(directory.count('all')).toBe(2)
      expect(directory.progress(log.volume)).toEqual({ reached: log.end, gaps: [] })
    })

    describe('a record of a later format', () => {
      const tooNew = { code: 'ERR_FORMAT_TOO_NEW' }

      it('hides what can be read of it, before and after, and nothing else', async () => {
        const [kept, hidden] = [writer.birth({ tags: ['a'] }), writer.birth({ tags: ['a'] })]
        const noted: RecordKey[][] = []
        directory.onOpaque(keys => noted.push([...keys]))
        log.append(kept, hidden).appendBytes(laterFormat(writer.edit(hidden.id, { caption: 'x' })))
        for (const group of log.groups()) await directory.apply(group)
        await directory.apply(new RecordLog(2).append(writer.edit(hidden.id, { caption: 'y' })).group())
        const check = async (): Promise<void> => {
          const shown: DirectoryRecord[] = []
          for await (const record of directory.records()) shown.push(record)
          expect(ids(shown)).toEqual([kept.id])
          expect(() => directory.getSync(hidden)).toThrow(expect.objectContaining(tooNew))
          expect(await directory.getMany([kept, hidden])).toMatchObject([{ record: { id: kept.id } }, undefined])
          expect([directory.isOpaque(kept), directory.isOpaque(hidden)]).toEqual([false, true])
          expect([directory.count('all'), directory.count('tag\0a'), directory.opaqueCount]).toEqual([1, 1, 1])
          expect(directory.digest()).toBe(modelOf([kept]).root)
          expect(directory.progress(log.volume)).toEqual({ reached: log.end, gaps: [] })
          expect(await directory.verify()).toEqual([])
        }
        await check()
        expect(noted).toEqual([[{ kind: 'photo', id: hidden.id }]])
        await restart()
        await check()
      })

      it('is passed over when peers bring it without its needle, which follows; then so is what they say of it', async () => {
        const [first, second] = [writer.birth(), writer.birth()]
        expect(await directory.merge([encodeRecord(first), laterFormat(first), laterFormat(second)])).toBe(1)
        expect([directory.count('all'), directory.opaqueCount]).toEqual([1, 0])
        await directory.apply(log.appendBytes(laterFormat(first)).group())
        expect(
          await directory.merge([encodeRecord(writer.edit(first.id, { caption: 'x' })), encodeRecord(second)])
        ).toBe(1)
        expect([directory.count('all'), directory.isOpaque(first)]).toEqual([1, true])
        expect(directory.digest()).toBe(modelOf([second]).root)
        expect(await directory.verify()).toEqual([])
      })

      it('has a home for each of its needles, the latest with these bytes', async () => {
        const born = writer.birth()
        const later = laterFormat(born)
        const edited = encodeRecord(writer.edit(born.id, { caption: 'x' }))
        await directory.apply(log.appendBytes(later).appendBytes(edited).group())
        expect(directory.verbatimHome(later)).toEqual(log.needles[0]?.location)
        expect(directory.verbatimHome(edited)).toEqual(log.needles[1]?.location)
        const copy = new RecordLog(2).appendBytes(later)
        await directory.apply(copy.group())
        expect(directory.verbatimHome(later)).toEqual(copy.needles[0]?.location)
        await directory.forgetVolume(copy.volume)
        expect(directory.verbatimHome(later)).toBeUndefined()
      })

      it('of no possible format is left out as malformed, and costs no other record', async () => {
        const bytes = encodeRecord(writer.birth())
        const far = Buffer.concat([bytes.subarray(0, 2), Buffer.from('1b0000010000000000', 'hex'), bytes.subarray(3)])
        const other = writer.birth()
        await directory.apply(log.appendBytes(far).append(other).group())
        expect([directory.state, directory.opaqueCount]).toEqual(['open', 0])
        expect(directory.digest()).toBe(modelOf([other]).root)
      })

      it('of a delete is hidden, too', async () => {
        const born = writer.birth()
        await directory.apply(log.append(born, writer.delete(born.id)).group())
        await directory.apply(new RecordLog(2).appendBytes(laterFormat(born)).group())
        expect([directory.isOpaque(born), directory.digest()]).toEqual([true, modelOf([]).root])
        expect(await directory.verify()).toEqual([])
      })
    })

    describe('homes', () => {
      it('are the newest needle that holds the merged state', async () => {
        const born = writer.birth()
        const edited = writer.edit(born.id, { caption: 'x' })
        log.append(born, edited)
        for (const [i, group] of log.groups().entries()) {
          await directory.apply(group)
          expect(directory.getSync(born)?.home).toEqual(log.needles[i]?.location)
        }
        const copy = new RecordLog(2).append(born, edited)
        await directory.apply(copy.group())
        expect(directory.getSync(born)?.home).toEqual(copy.needles[1]?.location)
        await restart()
        expect((await directory.get(born))?.home).toEqual(copy.needles[1]?.location)
      })

      it('do not go back when older needles are handed over again', async () => {
        const born = writer.birth()
        log.append(born, writer.birth())
        await directory.apply(log.group(0, 1))
        const copy = new RecordLog(2).append(born)
        await directory.apply(copy.group())
        await directory.apply(log.group(0, 2))
        expect(directory.getSync(born)?.home).toEqual(copy.needles[0]?.location)
      })

      it('do not exist for a state that no needle holds alone, until one does', async () => {
        const other = new PhotoWriter(2)
        const born = writer.birth()
        other.learn(born)
        const here = writer.edit(born.id, { tags: { add: ['here'] } })
        const there = other.edit(born.id, { tags: { add: ['there'] } })
        await directory.apply(log.append(born, here, there).group())
        expect(viewPhoto(directory.getSync(born)?.record ?? born).tags).toEqual(['here', 'there'])
        expect(directory.getSync(born)?.home).toBeUndefined()
        writer.learn(there)
        const merged = new RecordLog(2).append(writer.require(born.id))
        await directory.apply(merged.group())
        expect(directory.getSync(born)?.home).toEqual(merged.needles[0]?.location)
      })

      it('are gone with their volume', async () => {
        const born = writer.birth()
        await directory.apply(log.append(born).group())
        await directory.forgetVolume(log.volume)
        expect(directory.progress(log.volume)).toEqual({ reached: 0, gaps: [] })
        expect(directory.getSync(born)).toMatchObject({ home: undefined })
        await restart()
        expect(directory.progress(log.volume)).toEqual({ reached: 0, gaps: [] })
        expect(directory.getSync(born)).toMatchObject({ home: undefined })
        await directory.apply(log.group())
        expect(directory.getSync(born)?.home).toEqual(log.needles[0]?.location)
      })
    })

    describe('changes', () => {
      it('are told after the batch, before apply is done, with before and after', async () => {
        const born = writer.birth()
        const edited = writer.edit(born.id, { caption: 'x' })
        const told: RecordChange[] = []
        directory.onChange(changes => {
          told.push(...changes)
          expect(bytesOf(directory.getSync(born)?.record)).toBe(bytesOf(changes.at(-1)?.after))
        })
        for (const group of log.append(born, edited, born).groups()) await directory.apply(group)
        expect(told.map(({ key, before, after }) => [key.id, bytesOf(before), bytesOf(after)])).toEqual([
          [born.id, '', bytesOf(born)],
          [born.id, bytesOf(born), bytesOf(edited)]
        ])
      })

      it('reach all listeners when one throws, and none that was removed', async () => {
        let told = 0
        directory.onChange(() => {
          throw new Error('a faulty listener')
        })
        const remove = directory.onChange(() => {
          told++
        })
        log.append(writer.birth(), writer.birth())
        await directory.apply(log.group(0, 1))
        remove()
        await directory.apply(log.group(1, 2))
        expect(told).toBe(1)
        expect(directory.count('all')).toBe(2)
      })
    })

    describe('listing', () => {
      it('is newest first, by pages, with the total on each', async () => {
        const all = Array.from({ length: 25 }, () => writer.birth())
        await directory.apply(log.append(...all).group())
        const newestFirst = ids(all).reverse()
        expect(await list({})).toEqual(newestFirst)
        expect(await pages({ limit: 10 })).toEqual(newestFirst)
        expect(await pages({ limit: 5 })).toEqual(newestFirst)
        expect(await query({ limit: 10 })).toMatchObject({ total: 25, nextCursor: expect.any(String) })
        expect(await query({ limit: 25 })).toMatchObject({ total: 25, nextCursor: null })
      })

      it('filters by terms and by beginnings of words, which must all hold', async () => {
        const make = (name: string, tags: string[], contentType = 'image/jpeg'): DirectoryRecord =>
          writer.birth({ name, tags, contentType })
        const a = make('red rose.jpg', ['flower', 'red'])
        const b = make('Rosa canina.png', ['flower'], 'image/png')
        const c = make('red car.jpg', ['red'])
        const d = make('notes.txt', [], 'text/plain')
        await directory.apply(log.append(a, b, c, d).group())
        const cases: [Partial<DirectoryQuery>, DirectoryRecord[]][] = [
          [{ terms: ['tag\0flower'] }, [b, a]],
          [{ terms: ['tag\0flower', 'tag\0red'] }, [a]],
          [{ terms: ['tag\0red', 'all', 'tag\0flower'] }, [a]],
          [{ terms: ['type\0image'] }, [c, b, a]],
          [{ terms: ['type\0image/png'] }, [b]],
          [{ terms: [`sha256\0${viewPhoto(c).sha256}`] }, [c]],
          [{ terms: [`sha256\0${viewPhoto(c).sha256}`, 'tag\0red'] }, [c]],
          [{ terms: ['tag\0none'] }, []],
          [{ words: ['ros'] }, [b, a]],
          [{ words: ['rose'] }, [a]],
          [{ words: ['re', 'ros'] }, [a]],
          [{ words: ['ros', 'canina'] }, [b]],
          [{ words: ['red'], terms: ['tag\0flower'] }, [a]],
          [{ words: ['', 'red'] }, [c, a]],
          [{ words: ['zebra'] }, []],
          [{ words: ['jpg'], terms: ['all'] }, [c, a]]
        ]
        for (const [filters, expected] of cases) {
          expect(await query(filters), JSON.stringify(filters)).toMatchObject({
            total: expected.length,
            nextCursor: null
          })
          expect(await list(filters)).toEqual(ids(expected))
          expect(await pages({ ...filters, limit: 1 })).toEqual(ids(expected))
        }
      })

      it('follows edits, deletes and undoing', async () => {
        const born = writer.birth({ name: 'one', tags: ['old'] })
        await directory.apply(log.append(born).group())
        await directory.apply(
          new RecordLog(2)
            .append(writer.edit(born.id, { name: 'two', tags: { add: ['new'], remove: ['old'] } }))
            .group()
        )
        expect(await list({ words: ['one'] })).toEqual([])
        expect(await list({ words: ['two'] })).toEqual([born.id])
        expect([directory.count('tag\0old'), directory.count('tag\0new'), directory.count('all')]).toEqual([0, 1, 1])
        await directory.apply(new RecordLog(3).append(writer.delete(born.id)).group())
        expect(await query()).toMatchObject({ records: [], total: 0 })
        expect([directory.count('tag\0new'), directory.count('all')]).toEqual([0, 0])
        expect(directory.getSync(born)?.record.entries.some(({ deleted }) => deleted)).toBe(true)
        await directory.apply(new RecordLog(4).append(writer.undelete(born.id)).group())
        expect(await list({ terms: ['tag\0new'], words: ['two'] })).toEqual([born.id])
        expect(await directory.verify()).toEqual([])
      })

      it('neither repeats nor skips a photo that is there throughout, whatever is written between pages', async () => {
        const all = Array.from({ length: 40 }, (_, i) => writer.birth({ name: `n${i}`, tags: ['t'] }))
        await directory.apply(log.append(...all).group())
        for (const filters of [{ terms: ['tag\0t'] }, { terms: ['tag\0t', 'all'] }, { words: ['n'] }]) {
          const doomed = new Set<string>()
          const found = await pages({ ...filters, limit: 7 }, async page => {
            const victim = [...writer.records.values()].filter(r => !viewPhoto(r).deleted)[page * 3]
            if (victim === undefined) return
            doomed.add(victim.id)
            const writes = [writer.delete(victim.id), writer.birth({ name: `new${page}`, tags: ['t'] })]
            await directory.apply(new RecordLog(100, log.needles.length + 1).append(...writes).group())
            log.append(...writes)
          })
          expect(new Set(found).size).toBe(found.length)
          const throughout = ids(all).filter(id => !doomed.has(id) && !viewPhoto(writer.require(id)).deleted)
          expect(found.filter(id => throughout.includes(id))).toEqual(throughout.reverse())
        }
      })

      it('sees one state of index and records while writes go on', async () => {
        const all = Array.from({ length: 120 }, () => writer.birth({ name: 'n', tags: ['t'] }))
        await directory.apply(log.append(...all).group())
        const doomed = new RecordLog(2).append(...all.map(({ id }) => writer.delete(id)))
        const filters = [{ terms: ['tag\0t'] }, { terms: ['tag\0t', 'all'] }, { words: ['n'] }]
        for (const [i, group] of doomed.groups().entries()) {
          const reading = query({ ...filters[i % 3], limit: 1000 })
          const writing = directory.apply(group)
          expect([120 - i, 119 - i]).toContain((await reading).records.length)
          await writing
        }
        expect(directory.state).toBe('open')
      })

      it('refuses cursors of other filters and limits out of range', async () => {
        await directory.apply(log.append(writer.birth(), writer.birth()).group())
        const { nextCursor } = await query({ limit: 1 })
        const cursor = nextCursor ?? ''
        await expect(query({ cursor })).resolves.toMatchObject({ total: 2, nextCursor: null })
        await expect(query({ cursor, terms: ['tag\0x'] })).rejects.toMatchObject({ code: 'ERR_BAD_CURSOR' })
        await expect(query({ cursor: 'x' })).rejects.toMatchObject({ code: 'ERR_BAD_CURSOR' })
        for (const limit of [0, -1, 1.5, Number.NaN, 1_001]) {
          await expect(query({ limit })).rejects.toMatchObject({ code: 'ERR_BAD_PARAMETER' })
        }
        expect(directory.state).toBe('open')
      })
    })

    it('iterates over all records of a kind as they were when it began', async () => {
      const photos = Array.from({ length: 600 }, () => writer.birth())
      const album = writer.write({ kind: 'album', id: 'a' }, [{ kind: 'version', value: new Map([['n', 1]]) }])
      await directory.apply(log.append(...photos, album).group())
      const seen: string[] = []
      for await (const record of directory.records('photo')) {
        if (seen.length === 0) await directory.apply(new RecordLog(2).append(writer.birth()).group())
        seen.push(record.id)
      }
      expect(seen.sort()).toEqual(ids(photos).sort())
      let all = 0
      for await (const _ of directory.records()) all++
      expect(all).toBe(602)
      for await (const record of directory.records('album')) expect(record.id).toBe('a')
    })

    it('shows the leaves of buckets, alone or in a row', async () => {
      const photos = Array.from({ length: 30 }, () => writer.birth())
      await directory.apply(log.append(...photos).group())
      const { leaves, buckets: digests } = modelOf(photos)
      let found = 0
      const all = [...Array(65_536).keys()]
      const filled = all.filter(bucket => bucket in digests)
      const neighbours = filled.flatMap(bucket => [bucket - 1, bucket, bucket + 1, bucket + 2])
      for (const buckets of [filled, neighbours.filter(bucket => bucket >= 0 && bucket < 65_536), all]) {
        found = 0
        let i = 0
        for await (const inBucket of directory.leaves(buckets)) {
          const bucket = buckets[i++] as number
          for (const { key, digest } of inBucket) {
            expect(bucketOf(key)).toBe(bucket)
            expect(Buffer.from(digest ?? []).toString('hex')).toBe(leaves[`${key.kind} ${key.id}`])
            found++
          }
        }
        expect([i, found >= 30]).toEqual([buckets.length, true])
      }
      expect(found).toBe(30)
    })

    it('says that it is not open from the moment on that it is cleared, opened again or stopped', async () => {
      const key: RecordKey = { kind: 'photo', id: 'none' }
      for (const close of [() => directory.clear(), () => directory.reopen(), () => directory.stop()]) {
        const closed = close()
        while (directory.state === 'open') {
          expect(directory.getSync(key)).toBe(undefined)
          await Promise.resolve()
        }
        expect(() => directory.getSync(key)).toThrow(expect.objectContaining({ details: { state: 'closed' } }))
        await closed
        directory.complete()
      }
    })

    it('begins anew when it is cleared, and is the same again after a replay', async () => {
      log.append(writer.birth({ tags: ['x'] }), writer.birth())
      await directory.apply(log.group())
      const before = directory.digest()
      await directory.clear()
      expect([directory.state, directory.progress(log.volume).reached]).toEqual(['filling', 0])
      await expect(query()).rejects.toMatchObject({ code: 'ERR_DIRECTORY_UNAVAILABLE' })
      await directory.apply(log.group())
      directory.complete()
      expect(directory.digest()).toBe(before)
      expect(directory.count('tag\0x')).toBe(1)
      expect(await directory.verify()).toEqual([])
    })

    it('can be stopped twice, answers nothing then, and starts again', async () => {
      await directory.apply(log.append(writer.birth()).group())
      await Promise.all([directory.stop(), directory.stop()])
      expect(directory.state).toBe('closed')
      expect(() => directory.count('all')).toThrow(expect.objectContaining({ code: 'ERR_DIRECTORY_UNAVAILABLE' }))
      await expect(query()).rejects.toMatchObject({ code: 'ERR_DIRECTORY_UNAVAILABLE' })
      await expect(directory.apply(log.group())).rejects.toMatchObject({ code: 'ERR_DIRECTORY_UNAVAILABLE' })
      await directory.start()
      expect(directory.count('all')).toBe(1)
    })

    it('finishes what was handed over before it stops', async () => {
      for (let i = 0; i < 20; i++) log.append(writer.birth())
      const applying = Promise.all(log.groups().map(group => directory.apply(group)))
      await directory.stop()
      await applying
      directory = await started()
      expect(directory.count('all')).toBe(20)
    })
  })
}
