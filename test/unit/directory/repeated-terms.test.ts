import { beforeEach, describe, expect, test } from 'vitest'
import { silentLog } from '../../../src/core/log.js'
import { Directory } from '../../../src/directory/directory.js'
import type { RepeatedTerm } from '../../../src/directory/repeated-terms.js'
import { encodeRecord } from '../../../src/domain/record-codec.js'
import { MemoryDatabaseSource } from './memory-database.js'
import { PhotoWriter } from './photo-log.js'

let directory: Directory
let writer: PhotoWriter

beforeEach(async () => {
  directory = new Directory({ database: new MemoryDatabaseSource(), log: silentLog, observe: () => {} })
  await directory.start()
  writer = new PhotoWriter(1)
  return () => directory.stop()
})

async function add(...tags: string[]): Promise<string> {
  const record = writer.birth({ tags })
  await directory.merge([encodeRecord(record)])
  return record.id
}

async function repeated(start: string): Promise<RepeatedTerm[]> {
  const found: RepeatedTerm[] = []
  for await (const term of directory.repeated(start)) found.push(term)
  return found
}

describe('terms that several photos share', () => {
  test('are listed with their photos, oldest first, in the order of the terms', async () => {
    const [a, b, c] = [await add('x', 'z'), await add('x', 'y'), await add('x', 'z')]
    expect(await repeated('tag\0')).toEqual([
      { term: 'tag\0x', ids: [a, b, c] },
      { term: 'tag\0z', ids: [a, c] }
    ])
  })

  test('are only those with the given prefix', async () => {
    const ids = [await add('ab'), await add('ab'), await add('b'), await add('b')]
    expect(await repeated('tag\0a')).toEqual([{ term: 'tag\0ab', ids: ids.slice(0, 2) }])
    expect(await repeated('tag\0c')).toEqual([])
  })

  test('are found across many reads, with at most a thousand photos each', async () => {
    const records = Array.from({ length: 1_300 }, (_, i) => writer.birth({ tags: [i < 1_200 ? 'many' : 'some'] }))
    await directory.merge(records.map(encodeRecord))
    const found = await repeated('tag\0')
    expect(found.map(({ term, ids }) => [term, ids.length])).toEqual([
      ['tag\0many', 1_000],
      ['tag\0some', 100]
    ])
  })

  test('the iteration may be ended early', async () => {
    for (const tag of ['a', 'a', 'b', 'b']) await add(tag)
    for await (const { term } of directory.repeated('tag\0')) {
      expect(term).toBe('tag\0a')
      break
    }
    expect(await repeated('tag\0')).toHaveLength(2)
  })

  test('a closed directory rejects the iteration', async () => {
    await directory.stop()
    await expect(repeated('tag\0')).rejects.toMatchObject({ code: 'ERR_DIRECTORY_UNAVAILABLE' })
    await directory.start()
  })
})
