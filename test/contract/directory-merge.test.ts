import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { silentLog } from '../../src/core/log.js'
import { nodeFileSystem } from '../../src/core/node-file-system.js'
import type { RecordChange } from '../../src/directory/batch-plan.js'
import { type DatabaseSource, levelDatabase } from '../../src/directory/database.js'
import { Directory } from '../../src/directory/directory.js'
import type { Hlc } from '../../src/domain/hlc.js'
import type { ActorId } from '../../src/domain/ids.js'
import { viewPhoto } from '../../src/domain/photo.js'
import type { DirectoryRecord } from '../../src/domain/record.js'
import { encodeRecord } from '../../src/domain/record-codec.js'
import { SeededRandom } from '../support/seeded-random.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { modelOf, rowsOf } from '../unit/directory/directory-model.js'
import { levelError, MemoryDatabaseSource } from '../unit/directory/memory-database.js'
import { PhotoWriter, RecordLog } from '../unit/directory/photo-log.js'

const sources: Record<string, () => Promise<DatabaseSource>> = {
  memory: async () => new MemoryDatabaseSource(),
  LevelDB: async () => levelDatabase(`${await temporaryDirectory()}/directory`, nodeFileSystem)
}

const encoded = (...records: readonly DirectoryRecord[]): Uint8Array[] => records.map(encodeRecord)

/** Writes of three nodes, concurrent unless one learns what another knows. @returns every record written */
function history(random: SeededRandom, length: number): DirectoryRecord[] {
  const writers = [1, 2, 3].map(seed => new PhotoWriter(seed))
  const written: DirectoryRecord[] = []
  for (let i = 0; i < length; i++) {
    const writer = random.pick(writers)
    const photos = [...writer.records.values()]
    const known = photos.length === 0 ? undefined : random.pick(photos)
    const dice = random.fraction()
    if (known === undefined || dice < 0.2) {
      written.push(writer.birth({ name: `word${i % 4}`, tags: [`tag${i % 3}`] }))
    } else if (dice < 0.4) {
      for (const record of random.pick(writers).records.values()) writer.learn(record)
    } else if (viewPhoto(known).deleted) {
      written.push(writer.undelete(known.id))
    } else if (dice < 0.55) {
      written.push(writer.delete(known.id))
    } else {
      const tag = `tag${random.below(4)}`
      const tags = random.chance(0.5) ? { add: [tag] } : { remove: [tag] }
      const edited = writer.edit(known.id, { name: `word${random.below(4)}`, tags })
      written.push(edited)
    }
  }
  return written
}

describe.each(Object.entries(sources))('merging into a directory in %s', (_name, openSource) => {
  let source: DatabaseSource
  let directory: Directory
  let writer: PhotoWriter
  let observed: Hlc[]

  const started = async (): Promise<Directory> => {
    const fresh = new Directory({ database: source, log: silentLog, observe: stamp => observed.push(stamp) })
    await fresh.start()
    return fresh
  }

  beforeEach(async context => {
    observed = []
    source = await openSource()
    directory = await started()
    writer = new PhotoWriter()
    context.onTestFinished(() => directory.stop())
  })

  it('gives what applying gives, now and after a restart, but claims no offset', async () => {
    const born = [writer.birth({ tags: ['a'] }), writer.birth({ tags: ['a', 'b'] })]
    const edited = writer.edit(born[0]?.id ?? '', { tags: { remove: ['a'] }, caption: 'later' })
    expect(await directory.merge(encoded(...born, edited))).toBe(2)
    for (const after of ['the batch', 'a restart']) {
      if (after === 'a restart') {
        await directory.stop()
        directory = await started()
      }
      expect(directory.digest()).toBe(modelOf([...born, edited]).root)
      expect([directory.count('all'), directory.count('tag\0a'), directory.count('tag\0b')]).toEqual([2, 1, 1])
      const { records } = await directory.query({ terms: ['tag\0a'], words: [], limit: 10 })
      expect(records.map(({ id }) => id)).toEqual([born[1]?.id])
      expect(await directory.verify()).toEqual([])
    }
    expect(observed).toContain(viewPhoto(edited).version.hlc)
    const log = new RecordLog().append(...born, edited)
    expect(directory.progress(log.volume)).toEqual({ reached: 0, gaps: [] })
    await directory.apply(log.group())
    expect(directory.progress(log.volume)).toEqual({ reached: log.end, gaps: [] })
  })

  it('counts and tells records that changed, once each', async () => {
    const born = writer.birth()
    const edited = writer.edit(born.id, { caption: 'x' })
    const other = writer.birth()
    const told: RecordChange[] = []
    directory.onChange(changes => told.push(...changes))
    expect(await directory.merge([])).toBe(0)
    expect(await directory.merge(encoded(edited, born, other))).toBe(2)
    expect(await directory.merge(encoded(born, edited, other))).toBe(0)
    const later = writer.edit(other.id, { caption: 'y' })
    expect(await directory.merge(encoded(born, later))).toBe(1)
    expect(told.map(({ key, before, bytes, volumes }) => [key.id, before?.id, Buffer.from(bytes), volumes])).toEqual([
      [born.id, undefined, Buffer.from(encodeRecord(edited)), []],
      [other.id, undefined, Buffer.from(encodeRecord(other)), []],
      [other.id, other.id, Buffer.from(encodeRecord(later)), []]
    ])
  })

  it('tells which volumes brought what is applied', async () => {
    const [first, second] = [new RecordLog(1), new RecordLog(2)]
    const born = writer.birth()
    const edited = writer.edit(born.id, { caption: 'x' })
    const told: RecordChange[] = []
    directory.onChange(changes => told.push(...changes))
    await directory.apply(first.append(born, edited).group())
    await directory.apply(second.append(edited, writer.edit(born.id, { caption: 'y' })).group())
    expect(told.map(({ volumes }) => [...new Set(volumes)])).toEqual([[first.volume], [second.volume]])
  })

  it('takes the home of a record that it changes, until the needle comes; and of no other', async () => {
    const [born, untouched] = [writer.birth(), writer.birth()]
    const log = new RecordLog().append(born, untouched)
    await directory.apply(log.group())
    const edited = writer.edit(born.id, { caption: 'x' })
    await directory.merge(encoded(edited, untouched, born))
    expect(directory.getSync(born)).toMatchObject({ home: undefined, record: { id: born.id } })
    expect(directory.getSync(untouched)?.home).toEqual(log.needles[1]?.location)
    const shipped = new RecordLog(2).append(edited)
    await directory.apply(shipped.group())
    expect(directory.getSync(born)?.home).toEqual(shipped.needles[0]?.location)
    await directory.merge(encoded(born, edited))
    expect(directory.getSync(born)?.home).toEqual(shipped.needles[0]?.location)
  })

  it('leaves out a record that makes none with what is here, and merges the others', async () => {
    const [born, other] = [writer.birth(), writer.birth()]
    await directory.merge(encoded(born))
    // each of the two says that the version of the other is superseded
    const [entry] = born.entries as [DirectoryRecord['entries'][0]]
    const dot = { actor: '00000000000000ff' as ActorId, counter: 1 }
    const context = new Map([...born.context, [dot.actor, 1] as const])
    const forged = { ...born, context, entries: [{ ...entry, dot }] }
    const here = { ...born, context }
    await directory.merge(encoded(here))
    expect(await directory.merge(encoded(forged, other))).toBe(1)
    expect(directory.state).toBe('open')
    expect(directory.digest()).toBe(modelOf([here, other]).root)
  })

  it('refuses all of a message when one record cannot be decoded', async () => {
    const born = writer.birth()
    const merging = (bytes: Uint8Array): Promise<number> => directory.merge([encodeRecord(born), bytes])
    await expect(merging(Uint8Array.of(1, 2, 3))).rejects.toMatchObject({ code: 'ERR_RECORD_MALFORMED' })
    expect([directory.state, directory.count('all')]).toEqual(['open', 0])
    expect(await directory.merge(encoded(born))).toBe(1)
  })

  it('goes on while the directory fills, and is refused while it is closed', async () => {
    const [before, during] = [writer.birth(), writer.birth()]
    const log = new RecordLog().append(before)
    await directory.apply(log.group())
    await directory.clear()
    expect(await directory.merge(encoded(during))).toBe(1)
    expect(directory.state).toBe('filling')
    await directory.apply(log.group())
    directory.complete()
    expect(directory.digest()).toBe(modelOf([before, during]).root)
    const merging = directory.merge(encoded(writer.birth()))
    const stopping = directory.stop()
    expect(await merging).toBe(1)
    const late = expect(directory.merge(encoded(writer.birth()))).rejects.toMatchObject({
      code: 'ERR_DIRECTORY_UNAVAILABLE'
    })
    await stopping
    await late
    expect(directory.state).toBe('closed')
    await directory.start()
    expect(directory.count('all')).toBe(3)
  })
})

describe('merging', () => {
  it('gives the same in any mix with applying, in any order and grouping', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.integer({ min: 1, max: 40 }), async (seed, length) => {
        const random = new SeededRandom(seed)
        const written = history(random, length)
        const source = new MemoryDatabaseSource()
        const directory = new Directory({ database: source, log: silentLog, observe: () => {} })
        await directory.start()
        const work: (() => Promise<unknown>)[] = []
        for (const [i, record] of [...written, ...written.filter(() => random.chance(0.3))].entries()) {
          const group = new RecordLog(i + 1).append(record).group()
          const others = written.filter(() => random.chance(0.1))
          work.push(
            random.chance(0.5) ? () => directory.apply(group) : () => directory.merge(encoded(record, ...others))
          )
        }
        const order = work.map(run => ({ run, at: random.fraction() })).sort((a, b) => a.at - b.at)
        let pile: Promise<unknown>[] = []
        for (const { run } of order) {
          pile.push(run())
          if (random.chance(0.5)) continue
          await Promise.all(pile)
          pile = []
        }
        await Promise.all(pile)
        const model = modelOf(written)
        expect({ ...(await rowsOf(await source.open())), root: directory.digest() }).toEqual(model)
        for (const [term, count] of Object.entries(model.counters))
          if (!term.startsWith('of\0')) expect(directory.count(term)).toBe(count)
        expect(await directory.verify()).toEqual([])
        await directory.stop()
      }),
      { numRuns: 60 }
    )
  })

  it('fails with the batch, and with it what waits, until the directory is opened again', async () => {
    const source = new MemoryDatabaseSource()
    const directory = new Directory({ database: source, log: silentLog, observe: () => {} })
    await directory.start()
    const writer = new PhotoWriter()
    source.batchError = levelError('LEVEL_IO_ERROR')
    const merging = directory.merge(encoded(writer.birth()))
    const applying = directory.apply(new RecordLog().append(writer.birth()).group())
    const batches = source.batches
    await expect(merging).rejects.toMatchObject({ code: 'ERR_DIRECTORY_UNAVAILABLE' })
    expect(directory.state).toBe('failed')
    await expect(applying).rejects.toMatchObject({ code: 'ERR_DIRECTORY_UNAVAILABLE' })
    expect(source.batches).toBe(batches + 1) // the second was not even tried
    source.batchError = undefined
    await directory.reopen()
    expect(await directory.merge(encoded(writer.birth()))).toBe(1)
    await directory.stop()
  })
})
