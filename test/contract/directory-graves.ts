import { beforeEach, describe, expect, it } from 'vitest'
import { silentLog } from '../../src/core/log.js'
import type { RecordChange } from '../../src/directory/batch-plan.js'
import type { DatabaseSource } from '../../src/directory/database.js'
import { Directory, type Doomed, type GraveGuard } from '../../src/directory/directory.js'
import type { NodeId } from '../../src/domain/ids.js'
import { purgeChanges } from '../../src/domain/photo.js'
import { type DirectoryRecord, graveOf } from '../../src/domain/record.js'
import { encodeRecord } from '../../src/domain/record-codec.js'
import { modelOf } from '../unit/directory/directory-model.js'
import { laterFormat, PhotoWriter, RecordLog } from '../unit/directory/photo-log.js'

const UNDO_MS = 1_000
const PEER = 'peer' as NodeId

const hex = (record: DirectoryRecord | undefined): string =>
  record === undefined ? '' : Buffer.from(encodeRecord(record)).toString('hex')

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const found: Item[] = []
  for await (const item of items) found.push(item)
  return found
}

/** What a directory does with graves, whatever database it stands on. */
export function directoryGravesContract(name: string, openSource: () => Promise<DatabaseSource>): void {
  describe(`graves of a directory in ${name}`, () => {
    let source: DatabaseSource
    let directory: Directory
    let writer: PhotoWriter
    let log: RecordLog
    let age: number
    let laidOut: (Omit<Doomed, 'record'> & { record: string })[]
    /** What the directory showed while it asked the guard. */
    let shownMeanwhile: string[]

    const started = async (): Promise<Directory> => {
      const guard: GraveGuard = {
        isUndoable: ({ heardAt }) => age - heardAt < UNDO_MS,
        layOut: async doomed => {
          laidOut.push(...doomed.map(each => ({ ...each, record: hex(each.record) })))
          shownMeanwhile.push(...doomed.map(({ record }) => hex(directory.getSync(record)?.record)))
        }
      }
      const fresh = new Directory({ database: source, log: silentLog, observe: () => {}, age: () => age, guard })
      await fresh.start()
      fresh.complete()
      return fresh
    }

    const restart = async (): Promise<void> => {
      await directory.stop()
      directory = await started()
    }

    /** Applies what was appended to the log since the last call. */
    let applied = 0
    const apply = async (): Promise<void> => {
      await directory.apply(log.group(applied))
      applied = log.needles.length
    }

    const grave = ({ kind, id }: { kind: string; id: string }, generation = 0) => ({ kind, id, generation })

    /** A photo that was deleted, and whose undo period has run here. */
    const deleted = async (): Promise<DirectoryRecord> => {
      const { id } = writer.birth({ tags: ['t'] })
      log.append(writer.require(id), writer.delete(id))
      await apply()
      age += UNDO_MS
      return writer.require(id)
    }

    beforeEach(async context => {
      age = 5_000
      laidOut = []
      shownMeanwhile = []
      applied = 0
      source = await openSource()
      directory = await started()
      writer = new PhotoWriter()
      log = new RecordLog()
      await directory.apply(new RecordLog(9).append(writer.birth()).group()) // no longer new
      context.onTestFinished(() => directory.stop())
    })

    it('end a tombstone, in whatever way and order they come, and the digest is the same', async () => {
      const gone = await deleted()
      const born = writer.birth()
      const undone = (await deleted()).id
      log.append(born, writer.undelete(undone))
      await apply()
      const other = writer.birth({}, writer.newId())
      const graves = [grave(gone), grave({ kind: 'photo', id: undone }), grave(other, 3)]
      expect(await directory.mergeGraves([...graves, ...graves], PEER)).toBe(3)
      expect(await directory.mergeGraves(graves, PEER)).toBe(0)
      const digest = directory.digest()
      const merged = [...writer.records.values(), ...graves.map(key => graveOf(key, key.generation))]
      expect(digest).toBe(modelOf(merged).root)
      expect(await directory.verify()).toEqual([])
      // later states of what is over change nothing, those of the life after it do
      await directory.merge([encodeRecord(gone), encodeRecord(other)])
      expect(directory.digest()).toBe(digest)
      expect(await directory.merge([encodeRecord(writer.edit(undone, { caption: 'back' }))])).toBe(1)
      expect((await directory.get({ kind: 'photo', id: undone }))?.record.buried).toBe(1)
      await restart()
      expect(await directory.verify()).toEqual([])
      expect(
        (await directory.lookUpMany([gone, { kind: 'photo', id: undone }, other])).map(({ grave }) => grave)
      ).toEqual([{ generation: 0, isLogged: false }, undefined, { generation: 3, isLogged: false }])
    })

    it('are shown by nothing but by their own name', async () => {
      const gone = await deleted()
      const many = Array.from({ length: 40 }, () => ({ kind: 'photo', id: writer.newId() }))
      await directory.mergeGraves([grave(gone), ...many.map(key => grave(key, 2))])
      expect(directory.getSync(gone)).toBeUndefined()
      expect(await directory.getMany([gone, ...many])).toEqual(Array(41).fill(undefined))
      expect((await all(directory.records())).map(({ id }) => id)).not.toContain(gone.id)
      expect((await directory.query({ terms: ['tag\0t'], words: [], limit: 9 })).total).toBe(0)
      expect(directory.lookUp(gone)).toEqual({ stored: undefined, grave: { generation: 0, isLogged: false } })
      expect((await directory.lookUpMany(many)).map(({ grave }) => grave)).toEqual(
        many.map(() => ({ generation: 2, isLogged: false }))
      )
      const listed = await all(directory.graves())
      expect(listed.map(({ id }) => id).sort()).toEqual([gone, ...many].map(({ id }) => id).sort())
      expect(directory.isEmpty).toBe(false)
    })

    it('are logged once a needle here holds that very grave', async () => {
      const gone = await deleted()
      await directory.mergeGraves([grave(gone)])
      log.appendGraves(grave(gone))
      const changes: RecordChange[] = []
      directory.onChange(more => changes.push(...more))
      await apply()
      expect([directory.lookUp(gone).grave, changes]).toEqual([{ generation: 0, isLogged: true }, []])
      await directory.mergeGraves([grave(gone)])
      expect(directory.lookUp(gone).grave?.isLogged).toBe(true)
      await directory.mergeGraves([grave(gone, 4)])
      expect(directory.lookUp(gone).grave).toEqual({ generation: 4, isLogged: false })
      log.appendGraves(grave(gone, 2))
      await apply()
      expect(directory.lookUp(gone).grave).toEqual({ generation: 4, isLogged: false })
      await restart()
      expect(directory.lookUp(gone).grave).toEqual({ generation: 4, isLogged: false })
      expect(await directory.verify()).toEqual([])
    })

    it('tell listeners what was there before them', async () => {
      const gone = await deleted()
      const home = directory.getSync(gone)?.home
      const changes: RecordChange[] = []
      directory.onChange(more => changes.push(...more))
      log.appendGraves(grave(gone))
      await apply()
      const [{ before, left, bytes, ...rest } = {} as RecordChange, ...others] = changes
      expect([hex(before), Buffer.from(bytes).toString('hex')]).toEqual([hex(gone), hex(graveOf(gone, 0))])
      expect(left).toEqual(home)
      expect([rest, others]).toEqual([{ key: { kind: 'photo', id: gone.id }, volumes: [log.volume] }, []])
    })

    it('of ids that no needle can name are refused, and nothing is merged', async () => {
      const before = directory.digest()
      const odd = { kind: 'photo', id: 'node-a' }
      const malformed = { code: 'ERR_RECORD_MALFORMED' }
      await expect(
        directory.mergeGraves([grave({ kind: 'photo', id: writer.newId() }), grave(odd)])
      ).rejects.toMatchObject(malformed)
      await expect(directory.merge([encodeRecord(graveOf(odd, 0))])).rejects.toMatchObject(malformed)
      expect([directory.digest(), directory.state]).toEqual([before, 'open'])
    })

    it('end no lives of what is never buried, also not with a later life beside them', async () => {
      const format = writer.write({ kind: 'cluster', id: writer.newId() }, [{ kind: 'version', value: new Map() }])
      await directory.merge([encodeRecord(format)])
      const later = new PhotoWriter(2)
      later.learn(graveOf(format, 4))
      const forged = later.write(format, [{ kind: 'version', value: new Map() }])
      await expect(directory.merge([encodeRecord(forged)])).rejects.toMatchObject({ code: 'ERR_RECORD_MALFORMED' })
      expect(directory.getSync(format)?.record).toEqual(format)
    })

    it('of peers are refused while the directory fills: what they end could not be laid out', async () => {
      const born = writer.birth()
      log.append(born)
      await apply()
      await directory.clear()
      const unavailable = { code: 'ERR_DIRECTORY_UNAVAILABLE' }
      await expect(directory.mergeGraves([grave(born)], PEER)).rejects.toMatchObject(unavailable)
      await expect(directory.merge([encodeRecord(graveOf(born, 0))], PEER)).rejects.toMatchObject(unavailable)
      expect(directory.state).toBe('filling')
      await directory.apply(log.group())
      directory.complete()
      await directory.mergeGraves([grave(born)], PEER)
      expect(laidOut).toEqual([{ record: hex(born), generation: 0, from: PEER }])
    })

    it('leave alone what this version cannot read', async () => {
      const gone = await deleted()
      const later = new RecordLog(3).appendBytes(laterFormat(gone))
      await directory.apply(later.group())
      await directory.mergeGraves([grave(gone)])
      expect([directory.isOpaque(gone), directory.opaqueCount]).toEqual([true, 1])
      expect(() => directory.getSync(gone)).toThrow(expect.objectContaining({ code: 'ERR_FORMAT_TOO_NEW' }))
      expect([await all(directory.deaths()), await directory.verify()]).toEqual([[], []])
      // and what is opaque from the beginning takes the place of a grave
      const other = await deleted()
      await directory.mergeGraves([grave(other)])
      await directory.apply(new RecordLog(4).appendBytes(laterFormat(other)).group())
      expect(directory.isOpaque(other)).toBe(true)
      expect([await all(directory.graves()), await directory.verify()]).toEqual([[], []])
    })

    it('are there again after a replay, with what was written after them', async () => {
      const [gone, back] = [await deleted(), await deleted()]
      log.appendGraves(grave(gone), grave(back)).append(writer.undelete(back.id), writer.birth())
      await apply()
      const digest = directory.digest()
      await directory.clear()
      await directory.apply(new RecordLog(9).append(writer.records.values().next().value as DirectoryRecord).group())
      for (const group of log.groups(2)) await directory.apply(group)
      directory.complete()
      expect([directory.digest(), directory.lookUp(gone).grave]).toEqual([digest, { generation: 0, isLogged: true }])
      expect(await directory.verify()).toEqual([])
      expect(laidOut).toEqual([])
    })

    describe('deaths', () => {
      it('are noted once, when they are heard of, and removed by an undelete and by the grave', async () => {
        const born = writer.birth()
        log.append(born)
        await apply()
        expect(await directory.deathsOf([born])).toEqual([undefined])
        age = 7_000
        log.append(writer.delete(born.id))
        await apply()
        age = 8_000
        const concurrent = new PhotoWriter(2)
        concurrent.learn(born)
        await directory.merge([encodeRecord(concurrent.delete(born.id))])
        expect(await all(directory.deaths())).toEqual([
          { kind: 'photo', id: born.id, heardAt: 7_000, generation: 0, isPurgeWanted: false }
        ])
        writer.learn(concurrent.require(born.id))
        log.append(writer.undelete(born.id))
        await apply()
        expect(await all(directory.deaths())).toEqual([])
        age = 9_000
        log.append(writer.delete(born.id))
        await apply()
        await restart()
        expect(await directory.deathsOf([born])).toEqual([{ heardAt: 9_000, generation: 1, isPurgeWanted: false }])
        expect(await directory.verify()).toEqual([])
        await directory.mergeGraves([grave(born, 1)])
        expect([await all(directory.deaths()), await directory.verify()]).toEqual([[], []])
      })

      it('are noted anew when the trash is emptied', async () => {
        const born = writer.birth()
        age = 7_000
        log.append(born, writer.delete(born.id))
        await apply()
        age = 8_000
        log.append(writer.write({ kind: 'photo', id: born.id }, purgeChanges(writer.require(born.id))))
        await apply()
        expect(await directory.deathsOf([born])).toEqual([{ heardAt: 8_000, generation: 0, isPurgeWanted: true }])
        await restart()
        expect(await directory.deathsOf([born])).toEqual([{ heardAt: 8_000, generation: 0, isPurgeWanted: true }])
        expect(await directory.verify()).toEqual([])
      })

      it('are none of records that are never buried', async () => {
        const named = writer.write({ kind: 'photo', id: 'no uuid' }, [
          { kind: 'version', deleted: true, value: new Map() }
        ])
        const other = writer.write({ kind: 'other', id: writer.newId() }, [
          { kind: 'version', deleted: true, value: new Map() }
        ])
        log.append(named, other)
        await apply()
        expect([await all(directory.deaths()), await directory.verify()]).toEqual([[], []])
      })
    })

    describe('the guard', () => {
      it('is told, before anything changes, of what lives here', async () => {
        const born = writer.birth()
        log.append(born)
        await apply()
        await directory.mergeGraves([grave(born, 2)], PEER)
        expect(laidOut).toEqual([{ record: hex(born), generation: 2, from: PEER }])
        expect(shownMeanwhile).toEqual([hex(born)])
        expect(directory.getSync(born)).toBeUndefined()
      })

      it('is told which volume holds the grave, whatever else of the photo comes with it', async () => {
        const born = writer.birth()
        log.append(born)
        await apply()
        const others = new RecordLog(2).appendGraves(grave(born))
        log.append(writer.edit(born.id, { caption: 'x' }))
        // the second waits for the first, and the third joins it
        await Promise.all([
          directory.mergeGraves([]),
          directory.apply(others.group()),
          directory.apply(log.group(applied))
        ])
        expect(laidOut).toEqual([{ record: hex(born), generation: 0, from: others.volume }])
      })

      it('is told of a delete whose undo period has not run here, and of no other', async () => {
        const due = await deleted()
        const [young, bystander] = [await deleted(), writer.birth()]
        age -= 1
        log.append(bystander).appendGraves(grave(due), grave(young), grave({ kind: 'photo', id: writer.newId() }))
        await apply()
        expect(laidOut).toEqual([{ record: hex(young), generation: 0, from: log.volume }])
      })

      it('is told of no life that the grave spares', async () => {
        const { id } = await deleted()
        log.append(writer.undelete(id))
        await apply()
        await directory.mergeGraves([grave({ kind: 'photo', id })], PEER)
        expect([laidOut, directory.getSync({ kind: 'photo', id })?.record.buried]).toEqual([[], 1])
      })

      it('keeps the record where it cannot do its work', async () => {
        const born = writer.birth()
        log.append(born)
        await apply()
        const failing: GraveGuard = { isUndoable: () => true, layOut: () => Promise.reject(new Error('no')) }
        await directory.stop()
        directory = new Directory({ database: source, log: silentLog, observe: () => {}, guard: failing })
        await directory.start()
        directory.complete()
        await expect(directory.mergeGraves([grave(born)], PEER)).rejects.toMatchObject({
          code: 'ERR_DIRECTORY_UNAVAILABLE'
        })
        await restart()
        expect(hex(directory.getSync(born)?.record)).toBe(hex(born))
      })
    })
  })
}
