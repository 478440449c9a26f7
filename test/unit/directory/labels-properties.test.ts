import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { silentLog } from '../../../src/core/log.js'
import { Directory } from '../../../src/directory/directory.js'
import type { LabelCount } from '../../../src/directory/labels.js'
import { AudienceSet, audienceText, namedAudience, photoAudience } from '../../../src/domain/audience.js'
import type { AlbumId, UserId } from '../../../src/domain/ids.js'
import { viewPhoto } from '../../../src/domain/photo.js'
import type { DirectoryRecord } from '../../../src/domain/record.js'
import { MemoryDatabaseSource } from './memory-database.js'
import { PhotoWriter, RecordLog } from './photo-log.js'

const OWNERS = [undefined, '01890000-0000-7000-8000-000000000001' as UserId]
const ALBUM = '01890000-0000-7000-8000-00000000000a' as AlbumId
const AUDIENCES = OWNERS.flatMap(owner => [[], [ALBUM]].map(albums => audienceText({ owner, albums })))
/** Spellings of three tags: sorted by their bytes the last one is behind all others, though its first unit is not. */
const SPELLINGS = [['sea', 'Sea', 'SEA'], ['\u{1f33b}'], ['\u{fb2a}', 'seaside']].flat()

const birth = fc.record({
  owner: fc.constantFrom(...OWNERS),
  isShared: fc.boolean(),
  tags: fc.uniqueArray(fc.constantFrom(...SPELLINGS), { maxLength: 4 }),
  isDeleted: fc.boolean()
})
const query = fc.record({
  audiences: fc.option(
    fc.subarray(AUDIENCES).map(some => new AudienceSet(some.map(namedAudience))),
    { nil: undefined }
  ),
  prefix: fc.constantFrom('', 'sea'),
  after: fc.option(fc.constantFrom('sea', 'seaside', 'zoo'), { nil: undefined }),
  limit: fc.integer({ min: 1, max: 4 })
})

/** What a look at every photo finds. */
function expected(
  photos: Iterable<DirectoryRecord>,
  { audiences, prefix, after, limit }: typeof query extends fc.Arbitrary<infer Q> ? Q : never
): LabelCount[] {
  const spellings = new Map<string, Map<string, number>>()
  const counts = new Map<string, number>()
  const add = (to: Map<string, number>, name: string): unknown => to.set(name, (to.get(name) ?? 0) + 1)
  for (const record of photos) {
    const photo = viewPhoto(record)
    if (photo.deleted || audiences?.texts.includes(audienceText(photoAudience(photo))) === false) continue
    for (const label of new Set(photo.tags.map(folded))) add(counts, label)
    for (const tag of photo.tags) {
      const own = spellings.get(folded(tag)) ?? new Map<string, number>()
      spellings.set(folded(tag), own)
      add(own, tag)
    }
  }
  return [...counts]
    .filter(([label]) => label.startsWith(prefix) && (after === undefined || inBytes(label, after) > 0))
    .sort(([a], [b]) => inBytes(a, b))
    .slice(0, limit)
    .map(([label, count]) => ({ name: mostOf(label, count, spellings.get(label) ?? new Map()), count }))
}

function mostOf(label: string, count: number, spellings: ReadonlyMap<string, number>): string {
  const others = [...spellings].filter(([name]) => name !== label).sort(([a], [b]) => inBytes(a, b))
  const asFolded = count - others.reduce((sum, [, other]) => sum + other, 0)
  const [best] = others.sort(([, a], [, b]) => b - a)
  return best !== undefined && best[1] > asFolded ? best[0] : label
}

const folded = (tag: string): string => tag.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase()
const inBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))

describe('labels', () => {
  it('and how many photos have them are what a look at every photo finds, of all and of some audiences', async () => {
    const property = fc.asyncProperty(fc.array(birth, { maxLength: 30 }), query, async (births, sought) => {
      const writer = new PhotoWriter()
      const directory = new Directory({ database: new MemoryDatabaseSource(), log: silentLog, observe: () => {} })
      await directory.start()
      for (const [i, { owner, isShared, tags, isDeleted }] of births.entries()) {
        const { id } = writer.birth({ owner, albums: isShared ? [ALBUM] : [], tags })
        if (isDeleted) writer.delete(id)
        await directory.apply(new RecordLog(1, i + 1).append(writer.require(id)).group())
      }
      expect(await directory.labels('tag', sought)).toEqual(expected(writer.records.values(), sought))
      await directory.stop()
    })
    await fc.assert(property, { numRuns: 100 })
  })
})
