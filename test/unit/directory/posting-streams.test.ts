import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Database } from '../../../src/directory/database.js'
import { addedPosition, termKey, termStartPrefix } from '../../../src/directory/index-keys.js'
import { IndexReader, READ_SIZES } from '../../../src/directory/index-reader.js'
import { indexOf } from '../../../src/directory/index-state.js'
import { rangeOf } from '../../../src/directory/keys.js'
import { before, newestFirst, type Position, positionText, TOP } from '../../../src/directory/positions.js'
import {
  type PostingStream,
  ScanStream,
  TermStream,
  take,
  UnionStream
} from '../../../src/directory/posting-streams.js'
import type { Hlc } from '../../../src/domain/hlc.js'
import type { PhotoId } from '../../../src/domain/ids.js'
import { INDEX_LANGUAGE } from '../../../src/domain/terms.js'
import { MemoryDatabaseSource } from './memory-database.js'

const ID = '00000000-0000-7000-8000-0000000000' as PhotoId
const INDEX = indexOf(INDEX_LANGUAGE, 0)
const TERMS = ['word\0a', 'word\0aa', 'word\0ab', 'word\0b']

/** Births of the photos that have each of the terms. */
const births = fc.tuple(...TERMS.map(() => fc.uniqueArray(fc.nat(60), { maxLength: 40, size: 'max' })))

function positionAt(birth: number): Position {
  return positionText(addedPosition(BigInt(birth) as Hlc, `${ID}${birth.toString(16).padStart(2, '0')}` as PhotoId))
}

/** @returns all that the stream finds over an index with the births */
async function allOf(
  births: readonly (readonly number[])[],
  stream: (reader: IndexReader) => PostingStream
): Promise<Position[]> {
  const database: Database = await new MemoryDatabaseSource().open()
  const keys = births.flatMap((of, i) =>
    of.map(birth => termKey(INDEX.tables.order.added, TERMS[i] ?? '', Buffer.from(positionAt(birth), 'latin1')))
  )
  await database.batch(keys.map(key => ({ type: 'put', key, value: new Uint8Array(0) })))
  const reader = new IndexReader(database, INDEX, { sizes: { ...READ_SIZES, run: 3, runs: 4 } })
  const all = await take(stream(reader), Number.POSITIVE_INFINITY)
  await reader.close()
  await database.close()
  return all
}

describe('a stream of positions', () => {
  it('is newest first from a bound on, each once, in whatever order the index has them', async () => {
    const property = fc.asyncProperty(births, fc.option(fc.nat(60)), async (births, birth) => {
      const bound = birth === null ? TOP : before(positionAt(birth))
      const expected = (terms: number[]): Position[] =>
        newestFirst(terms.flatMap(i => births[i] ?? []).map(positionAt)).filter(position => position <= bound)
      expect(await allOf(births, reader => new TermStream(reader, TERMS[0] ?? '', bound, 2))).toEqual(expected([0]))
      const union = (reader: IndexReader): PostingStream =>
        new UnionStream(TERMS.map(term => new TermStream(reader, term, bound, 2)))
      expect(await allOf(births, union)).toEqual(expected([0, 1, 2, 3]))
      const range = rangeOf(termStartPrefix(INDEX.tables.order.added, 'word\0a'))
      expect(await allOf(births, reader => new ScanStream(reader, range, bound))).toEqual(expected([0, 1, 2]))
    })
    await fc.assert(property, { numRuns: 100 })
  })
})
