import { expect, test } from 'vitest'
import { type Logger, silentLog } from '../../../src/core/log.js'
import { Directory } from '../../../src/directory/directory.js'
import { schemaKey, sealedRow } from '../../../src/directory/keys.js'
import { HLC_ZERO, hlcFrom } from '../../../src/domain/hlc.js'
import { Past } from '../../../src/store/past.js'
import { SimulatedFileSystem } from '../../support/simulated-file-system.js'
import { MemoryDatabaseSource } from '../directory/memory-database.js'

const PATH = '/data/promises.json'

async function fixture(text?: string) {
  const fileSystem = new SimulatedFileSystem()
  await fileSystem.makeDirectory('/data')
  if (text !== undefined) await fileSystem.writeFileAtomic(PATH, Buffer.from(text))
  const errors: string[] = []
  const log: Logger = { ...silentLog, error: (_fields: object, line: string) => errors.push(line) }
  const open = async (): Promise<Past> => {
    const past = new Past({ fileSystem, log }, '/data')
    await past.load()
    return past
  }
  return { fileSystem, errors, open }
}

test('a folder made with graves has nothing to keep', async () => {
  const { open, fileSystem } = await fixture()
  const past = await open()
  expect([past.promise, past.horizon]).toEqual([undefined, HLC_ZERO])
  await past.noteSchema(3)
  expect([past.promise, await fileSystem.readFile(PATH)]).toEqual([undefined, undefined])
})

test('of a folder from before, the promise and the horizon are those of its file, which stays', async () => {
  const text = '{"settled":"9.0","applied":"8.1","clean":"7.65535","horizon":"6.0"}\n'
  const { open, errors, fileSystem } = await fixture(text)
  const past = await open()
  await past.noteSchema(2)
  expect([past.promise, past.horizon]).toEqual([hlcFrom(7, 65_535), hlcFrom(6)])
  expect([Buffer.from((await fileSystem.readFile(PATH)) ?? []).toString(), errors]).toEqual([text, []])
})

test.each([
  ['not JSON', '{"settled":'],
  ['no object', '"9.0"'],
  ['a stamp is missing', '{"settled":"9.0","applied":"8.0","clean":"7.0"}'],
  ['a stamp is none', '{"settled":"9.0","applied":"8.0","clean":"-7.0","horizon":"6.0"}']
])('a damaged file is no promise at all, and that is said: %s', async (_what, text) => {
  const { open, errors } = await fixture(text)
  const past = await open()
  expect([past.promise, past.horizon]).toEqual([HLC_ZERO, HLC_ZERO])
  expect(errors).toEqual(['what this node has promised cannot be read; it counts as nothing'])
})

test.each([1, 2])(
  'a directory of schema %i makes it a folder from before, for good, before it is migrated',
  async schema => {
    const { open } = await fixture()
    const source = new MemoryDatabaseSource()
    const database = await source.open()
    const row = sealedRow(schemaKey(), Uint8Array.of(0, 0, 0, schema))
    await database.put(row.key, row.value)
    await database.close()
    const past = await open()
    const order: string[] = []
    const directory = new Directory(
      {
        database: source,
        log: silentLog,
        observe: () => {},
        onOlderSchema: async found => {
          order.push(`found ${found}`)
          await past.noteSchema(found)
        }
      },
      { migrations: [2, 3].map(to => ({ to, run: async () => void order.push(`to ${to}`) })) }
    )
    await directory.start()
    await directory.stop()
    expect(order).toEqual([`found ${schema}`, ...(schema === 1 ? ['to 2'] : []), 'to 3'])
    expect([past.promise, past.horizon]).toEqual([HLC_ZERO, HLC_ZERO])
    expect((await open()).promise).toBe(HLC_ZERO)
  }
)
