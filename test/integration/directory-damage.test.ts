import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { Level } from 'level'
import { describe, expect, it } from 'vitest'
import { silentLog } from '../../src/core/log.js'
import { nodeFileSystem } from '../../src/core/node-file-system.js'
import { DamageError } from '../../src/directory/damage.js'
import { type DatabaseSource, levelDatabase } from '../../src/directory/database.js'
import { Directory } from '../../src/directory/directory.js'
import { checkLevelFolder } from '../../src/directory/level-folder.js'
import { liveTables } from '../../src/directory/level-manifest.js'
import { checkTable } from '../../src/directory/level-table.js'
import type { DirectoryRecord } from '../../src/domain/record.js'
import { announceSeed, SeededRandom } from '../support/photo-maker.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { modelOf, rowsOf } from '../unit/directory/directory-model.js'
import { PhotoWriter, RecordLog } from '../unit/directory/photo-log.js'

async function started(source: DatabaseSource): Promise<Directory> {
  const directory = new Directory({ database: source, log: silentLog, observe: () => {} })
  await directory.start()
  return directory
}

/** Births, edits and deletes, and the log that holds them. */
function history(photos: number): { log: RecordLog; written: DirectoryRecord[] } {
  const writer = new PhotoWriter()
  const written: DirectoryRecord[] = []
  for (let i = 0; i < photos; i++) {
    const born = writer.birth({ name: `IMG_${i}.jpg`, tags: [`tag${i % 5}`], caption: `number ${i} `.repeat(i % 20) })
    written.push(born)
    if (i % 3 === 0) written.push(writer.edit(born.id, { caption: 'edited', tags: { add: ['more'] } }))
    if (i % 7 === 0) written.push(writer.delete(born.id))
  }
  return { log: new RecordLog().append(...written), written }
}

/**
 * A LevelDB folder as a running node leaves it: tables on several levels, a manifest with edits, a log that is not in a
 * table yet.
 */
async function filledFolder(log: RecordLog): Promise<string> {
  const folder = join(await temporaryDirectory(), 'directory')
  const directory = await started(levelDatabase(folder, nodeFileSystem))
  const groups = log.groups(20)
  for (const [i, group] of groups.entries()) {
    await directory.apply(group)
    // Closing and opening makes tables of what is in the log.
    if (i === groups.length >> 1 || i === (groups.length * 3) >> 2) {
      await directory.stop()
      await directory.start()
    }
  }
  await directory.stop()
  return folder
}

/**
 * Starts on the folder, replays the log as a node does, and repairs what a check finds. @returns whether it was rebuilt
 */
async function recover(folder: string, log: RecordLog): Promise<{ directory: Directory; rebuilt: boolean }> {
  const directory = await started(levelDatabase(folder, nodeFileSystem))
  let rebuilt = directory.rebuildReason !== undefined
  const replay = async (): Promise<void> => {
    const { reached } = directory.progress(log.volume)
    const first = log.needles.findIndex(({ location }) => location.offset >= reached)
    if (first >= 0) await directory.apply(log.group(first))
  }
  try {
    await replay()
    if ((await directory.verify()).length > 0) {
      rebuilt = true
      await directory.clear()
    }
  } catch {
    expect(directory.state).toBe('failed')
    rebuilt = true
    await directory.reopen()
  }
  if (directory.state === 'filling') {
    await replay()
    directory.complete()
  }
  return { directory, rebuilt }
}

async function expectWhole(
  directory: Directory,
  folder: string,
  log: RecordLog,
  written: DirectoryRecord[]
): Promise<void> {
  const model = modelOf(written)
  expect(directory.state).toBe('open')
  expect(directory.digest()).toBe(model.root)
  expect(directory.progress(log.volume)).toEqual({ reached: log.end, gaps: [] })
  const { total } = await directory.query({ terms: [], words: [], limit: 1 })
  expect(total).toBe(model.counters.all)
  await directory.stop()
  const database = await levelDatabase(folder, nodeFileSystem).open()
  const rows = await rowsOf(database)
  await database.close()
  expect({ ...rows, root: model.root }).toEqual(model)
}

const filesLike = async (folder: string, pattern: RegExp): Promise<string[]> =>
  (await readdir(folder)).filter(name => pattern.test(name)).map(name => join(folder, name))

describe('the check of LevelDB’s files', () => {
  const { log } = history(400)

  it('knows which tables belong to the database', async () => {
    const folder = await filledFolder(log)
    const expectKnown = async (): Promise<void> => {
      const [manifest = ''] = await filesLike(folder, /^MANIFEST-/)
      const tables = (await filesLike(folder, /\.ldb$/)).map(path => Number(basename(path, '.ldb')))
      expect(tables.length).toBeGreaterThan(0)
      expect(liveTables(await readFile(manifest))).toEqual(new Set(tables))
    }
    await expectKnown()
    // `level` does not declare what its LevelDB can do beyond abstract-level.
    const level = new Level(folder, { compression: false }) as Level & {
      compactRange(start: string, end: string): Promise<void>
    }
    await level.open()
    await level.compactRange('', '\u{10ffff}')
    await level.close()
    await expectKnown()
    // What a compaction that was cut off leaves behind is not a part, and LevelDB removes it.
    await writeFile(join(folder, '900000.ldb'), 'half a table')
    await checkLevelFolder(folder, nodeFileSystem)
  })

  it('finds every flipped bit and every missing end of a table', async () => {
    const random = new SeededRandom(announceSeed('table check'))
    const folder = await filledFolder(log)
    for (const path of await filesLike(folder, /\.ldb$/)) {
      const table = await readFile(path)
      checkTable(table)
      for (let round = 0; round < 300; round++) {
        // The blocks and the magic; what stands between them may change without changing what LevelDB reads.
        const at = random.chance(0.1) ? table.length - 1 - random.below(8) : random.below(table.length - 48)
        const flipped = Buffer.from(table)
        flipped[at] = (flipped[at] ?? 0) ^ (1 << random.below(8))
        expect(() => checkTable(flipped), `byte ${at} of ${table.length}`).toThrow(DamageError)
        expect(() => checkTable(table.subarray(0, random.below(table.length)))).toThrow(DamageError)
      }
    }
  })

  it('finds every flipped bit of a manifest before its last edit', async () => {
    const folder = await filledFolder(log)
    const [manifest = ''] = await filesLike(folder, /^MANIFEST-/)
    const bytes = await readFile(manifest)
    const lengths = new Set([4, 5])
    for (let bit = 0; bit < 7 * 8 + bytes.readUInt16LE(4) * 8; bit++) {
      const flipped = Buffer.from(bytes)
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      // A greater length may reach beyond the end, which is how a cut-off edit looks.
      if (lengths.has(bit >> 3)) continue
      expect(() => liveTables(flipped), `bit ${bit}`).toThrow(DamageError)
    }
  })
})

describe('a directory in a damaged LevelDB folder', () => {
  const { log, written } = history(400)

  it('is rebuilt by replay when the folder is gone', async () => {
    const folder = await filledFolder(log)
    await nodeFileSystem.removeDirectory(folder)
    const { directory } = await recover(folder, log)
    await expectWhole(directory, folder, log, written)
  })

  it('is rebuilt before LevelDB reads a damaged table, which could end the process', async () => {
    const folder = await filledFolder(log)
    for (const path of await filesLike(folder, /\.ldb$/)) {
      const bytes = await readFile(path)
      bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 4
      await writeFile(path, bytes)
      const directory = await started(levelDatabase(folder, nodeFileSystem))
      expect(directory.rebuildReason).toBe(`the table file ${basename(path)} is damaged`)
      await directory.apply(log.group())
      await expectWhole(directory, folder, log, written)
      await nodeFileSystem.removeDirectory(folder)
      await cp(await filledFolder(log), folder, { recursive: true })
    }
  })

  const kinds: [string, RegExp][] = [
    ['CURRENT', /^CURRENT$/],
    ['the manifest', /^MANIFEST-/],
    ['a table', /\.ldb$/],
    ['the log', /\.log$/]
  ]
  const damages: [string, (path: string) => Promise<void>][] = [
    ['gone', path => rm(path)],
    ['empty', path => writeFile(path, '')],
    [
      'cut in half',
      async path => writeFile(path, (await readFile(path)).subarray(0, ((await readFile(path)).length + 1) >> 1))
    ],
    ['garbage', async path => writeFile(path, Buffer.alloc((await readFile(path)).length, 0xab))],
    ['zeros', async path => writeFile(path, Buffer.alloc((await readFile(path)).length))]
  ]
  for (const [file, pattern] of kinds) {
    for (const [name, damage] of damages) {
      it(`is whole again after a start with ${file} ${name}`, async () => {
        const folder = await filledFolder(log)
        const [path] = await filesLike(folder, pattern)
        expect(path).toBeDefined()
        await damage(path ?? '')
        const { directory } = await recover(folder, log)
        await expectWhole(directory, folder, log, written)
      })
    }
  }

  it('is rebuilt when an older part of it is lost and a newer one is not', async () => {
    const folder = await filledFolder(log)
    // The manifest forgets its last edit: the tables that it named are not part of the database any more, later logs
    // are.
    const [manifest = ''] = await filesLike(folder, /^MANIFEST-/)
    const bytes = await readFile(manifest)
    await writeFile(manifest, bytes.subarray(0, bytes.length - 1))
    const { directory } = await recover(folder, log)
    await expectWhole(directory, folder, log, written)
  })

  it('never says anything wrong after any flipped bit', async () => {
    const random = new SeededRandom(announceSeed('directory damage'))
    const folder = await filledFolder(log)
    const intact = new Map<string, Buffer>()
    for (const name of await readdir(folder)) intact.set(name, await readFile(join(folder, name)))
    const candidates = [...intact.keys()].filter(name => /^CURRENT$|^MANIFEST-|\.ldb$|\.log$/.test(name))
    let rebuilds = 0
    for (let round = 0; round < 40; round++) {
      await nodeFileSystem.removeDirectory(folder)
      await levelDatabase(folder, nodeFileSystem)
        .open()
        .then(database => database.close())
      for (const name of await readdir(folder)) await rm(join(folder, name))
      for (const [name, bytes] of intact) await writeFile(join(folder, name), bytes)
      const name = random.pick(candidates)
      const bytes = Buffer.from(intact.get(name) ?? [])
      const bit = random.below(bytes.length * 8)
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      await writeFile(join(folder, name), bytes)
      const { directory, rebuilt } = await recover(folder, log)
      if (rebuilt) rebuilds++
      await expectWhole(directory, folder, log, written)
    }
    expect(rebuilds).toBeGreaterThan(0)
  })
})
