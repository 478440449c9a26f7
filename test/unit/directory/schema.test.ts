import { beforeEach, describe, expect, it } from 'vitest'
import { DamageError } from '../../../src/directory/damage.js'
import type { Database } from '../../../src/directory/database.js'
import { schemaKey, sealedRow } from '../../../src/directory/keys.js'
import { type Migration, prepareSchema } from '../../../src/directory/schema.js'
import { MemoryDatabaseSource } from './memory-database.js'

const MARK = Uint8Array.of(0x70)

/** A migration that appends its number to a row, to record the order of runs. */
function fakeMigration(to: number, fail = false): Migration {
  return {
    to,
    run: async database => {
      const before = (await database.get(MARK)) ?? new Uint8Array(0)
      await database.put(MARK, Uint8Array.of(...before, to))
      if (fail) throw new Error('the power went out')
    }
  }
}

describe('the schema', () => {
  let database: Database

  beforeEach(async () => {
    database = await new MemoryDatabaseSource().open()
  })

  it('is the current one in a new database, which runs no migration', async () => {
    expect(await prepareSchema(database, [fakeMigration(2)])).toBe(0)
    expect(await database.get(MARK)).toBeUndefined()
    expect(await prepareSchema(database, [fakeMigration(2)])).toBe(2)
  })

  it('is raised by the migrations that are due, in order, once each', async () => {
    await prepareSchema(database, [])
    expect(await prepareSchema(database, [fakeMigration(2)])).toBe(1)
    expect(
      await prepareSchema(
        database,
        [2, 3, 4].map(to => fakeMigration(to))
      )
    ).toBe(2)
    expect(
      await prepareSchema(
        database,
        [2, 3, 4].map(to => fakeMigration(to))
      )
    ).toBe(4)
    expect([...((await database.get(MARK)) ?? [])]).toEqual([2, 3, 4])
  })

  it('stays at the version before a failed migration, which runs again', async () => {
    await prepareSchema(database, [])
    await expect(prepareSchema(database, [fakeMigration(2), fakeMigration(3, true)])).rejects.toThrow('power')
    expect(await prepareSchema(database, [fakeMigration(2), fakeMigration(3)])).toBe(2)
    expect([...((await database.get(MARK)) ?? [])]).toEqual([2, 3, 3])
  })

  it('is refused when a newer version of Sheaf wrote it', async () => {
    await prepareSchema(database, [fakeMigration(2)])
    await expect(prepareSchema(database, [])).rejects.toMatchObject({ code: 'ERR_FORMAT_TOO_NEW' })
    expect(await prepareSchema(database, [fakeMigration(2)])).toBe(2)
  })

  it('is damage when it is missing, malformed, or older than any migration', async () => {
    await database.put(MARK, MARK)
    await expect(prepareSchema(database, [])).rejects.toThrow(DamageError)
    await database.put(schemaKey(), Uint8Array.of(0, 0, 0, 1))
    await expect(prepareSchema(database, [])).rejects.toThrow(DamageError)
    await database.put(schemaKey(), sealedRow(schemaKey(), Buffer.alloc(4)).value)
    await expect(prepareSchema(database, [])).rejects.toThrow(DamageError)
    await database.put(schemaKey(), sealedRow(schemaKey(), Buffer.from([0, 0, 0, 1])).value)
    await expect(prepareSchema(database, [fakeMigration(3)])).rejects.toThrow(DamageError)
  })
})
