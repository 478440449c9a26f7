import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { silentLog } from '../../../src/core/log.js'
import { Directory } from '../../../src/directory/directory.js'
import type { UserId } from '../../../src/domain/ids.js'
import { viewPhoto } from '../../../src/domain/photo.js'
import { type DirectoryRecord, graveOf, isGrave, type RecordKey } from '../../../src/domain/record.js'
import { endedLife } from '../../../src/domain/tombstone.js'
import { SeededRandom } from '../../support/seeded-random.js'
import { modelOf, rowsOf } from './directory-model.js'
import { MemoryDatabaseSource } from './memory-database.js'
import { PhotoWriter, RecordLog } from './photo-log.js'

type Write =
  | { readonly do: 'birth'; readonly node: number; readonly label: number }
  | {
      readonly do: 'edit' | 'tag' | 'untag' | 'delete' | 'undelete' | 'purge'
      readonly node: number
      readonly photo: number
      readonly label: number
    }
  | { readonly do: 'learn'; readonly node: number; readonly from: number }
  | { readonly do: 'album'; readonly node: number; readonly label: number }
  | { readonly do: 'bury'; readonly node: number; readonly photo: number }

const node = fc.nat(2)
const label = fc.nat(3)
const photo = fc.nat(5)
const write: fc.Arbitrary<Write> = fc.oneof(
  fc.record({ do: fc.constant('birth' as const), node, label }),
  fc.record({ do: fc.constant('learn' as const), node, from: node }),
  fc.record({ do: fc.constant('album' as const), node, label }),
  fc.record({ do: fc.constant('bury' as const), node, photo }),
  fc.record({ do: fc.constantFrom('edit', 'tag', 'untag', 'delete', 'undelete', 'purge'), node, photo, label })
)

function ownerOf(label: number): UserId {
  return `01890000-0000-7000-8000-00000000000${label}` as UserId
}

/**
 * Three nodes write concurrently, except where one learns from another. @returns every record and grave, in that order
 */
function writtenBy(writes: readonly Write[]): DirectoryRecord[] {
  const nodes = [1, 2, 3].map(seed => new PhotoWriter(seed))
  const written: DirectoryRecord[] = []
  for (const step of writes) {
    const writer = nodes[step.node] as PhotoWriter
    if (step.do === 'birth') {
      const owner = step.label === 0 ? undefined : ownerOf(step.label)
      const size = 1_000 + step.label
      const labels = { tags: [`tag${step.label}`], albums: ['all\0'] }
      written.push(writer.birth({ name: `word${step.label} photo`, ...labels, owner, size }))
    } else if (step.do === 'album') {
      written.push(
        writer.write({ kind: 'album', id: `${step.label}` }, [{ kind: 'version', value: new Map([['n', step.label]]) }])
      )
    } else if (step.do === 'learn') {
      for (const record of nodes[step.from]?.records.values() ?? []) writer.learn(record)
    } else {
      const photos = [...writer.records.values()].filter(({ kind }) => kind === 'photo')
      const known = photos[step.photo % Math.max(photos.length, 1)]
      if (known === undefined || isGrave(known)) continue
      const { id } = known
      if (step.do === 'bury') {
        const generation = endedLife(known)
        if (generation === undefined) continue
        const grave = graveOf(known, generation)
        writer.learn(grave)
        written.push(grave)
        continue
      }
      const { deleted } = viewPhoto(writer.require(id))
      const tag = `tag${step.label}`
      if (step.do === 'undelete' && deleted) written.push(writer.undelete(id))
      else if (step.do === 'purge' && deleted) written.push(writer.purge(id))
      else if (deleted) continue
      else if (step.do === 'delete') written.push(writer.delete(id))
      else if (step.do === 'edit')
        written.push(writer.edit(id, { name: `word${step.label} edited`, rating: step.label }))
      else if (step.do === 'tag') written.push(writer.edit(id, { tags: { add: [tag] } }))
      else if (step.do === 'untag') written.push(writer.edit(id, { tags: { remove: [tag] } }))
    }
  }
  return written
}

/**
 * How needles reach a directory: their order, volumes, groups and repetitions, and the restarts in between.
 */
interface Delivery {
  readonly seed: number
  readonly volumes: number
  readonly groupMax: number
  readonly repeatChance: number
  readonly restartChance: number
  readonly piles: boolean
}

const delivery: fc.Arbitrary<Delivery> = fc.record({
  seed: fc.nat(),
  volumes: fc.integer({ min: 1, max: 3 }),
  groupMax: fc.integer({ min: 1, max: 8 }),
  repeatChance: fc.constantFrom(0, 0.3),
  restartChance: fc.constantFrom(0, 0.3),
  piles: fc.boolean()
})

function shuffled<T>(items: readonly T[], random: SeededRandom): T[] {
  const order = items.map(item => ({ item, at: random.fraction() }))
  return order.sort((a, b) => a.at - b.at).map(({ item }) => item)
}

async function started(source: MemoryDatabaseSource): Promise<Directory> {
  const directory = new Directory({ database: source, log: silentLog, observe: () => {} })
  await directory.start()
  return directory
}

/** Applies all of `written` as the delivery says. @returns the directory and its database */
async function deliver(written: readonly DirectoryRecord[], how: Delivery): Promise<[Directory, MemoryDatabaseSource]> {
  const random = new SeededRandom(how.seed)
  const chance = (probability: number): boolean => random.fraction() < probability
  const source = new MemoryDatabaseSource(true)
  let directory = await started(source)
  const repeated = written.filter(() => chance(how.repeatChance))
  const logs = Array.from({ length: how.volumes }, (_, i) => new RecordLog(i + 1))
  /** Graves that come without a needle. */
  const heard: (RecordKey & { generation: number })[] = []
  for (const record of shuffled([...written, ...repeated], random)) {
    const log = logs[Math.floor(random.fraction() * how.volumes)]
    if (!isGrave(record)) log?.append(record)
    else if (chance(0.5)) log?.appendGraves({ id: record.id, generation: (record.buried ?? 0) - 1 })
    else heard.push({ ...record, generation: (record.buried ?? 0) - 1 })
  }
  const reached = new Map(logs.map(log => [log, 0]))
  const hear = async (): Promise<void> => void (await directory.mergeGraves(heard))
  if (chance(0.3)) await hear()
  let pile: Promise<void>[] = []
  const settle = async (): Promise<void> => {
    await Promise.all(pile)
    pile = []
  }
  for (let open = logs; ; ) {
    open = open.filter(log => (reached.get(log) ?? 0) < log.needles.length)
    const log = open[Math.floor(random.fraction() * open.length)]
    if (log === undefined) break
    const from = reached.get(log) ?? 0
    const to = Math.min(from + 1 + Math.floor(random.fraction() * how.groupMax), log.needles.length)
    // A replay may repeat groups that were already applied.
    pile.push(directory.apply(log.group(chance(how.repeatChance) ? 0 : from, to)))
    reached.set(log, to)
    if (!how.piles || chance(0.2)) await settle()
    if (!chance(how.restartChance)) continue
    await settle()
    await directory.stop()
    // Like a power failure: the newest batches are lost, and the log must restore them.
    if (chance(0.5)) await source.forgetBatches(Math.floor(random.fraction() * 5))
    directory = await started(source)
    for (const [each, end] of reached) {
      const { reached: applied, gaps } = directory.progress(each.volume)
      // of a group in several parts the last one may have come behind another group, and be lost alone
      const missing = gaps[0]?.from ?? applied
      const first = each.needles.findIndex(({ location }) => location.offset >= missing)
      if (first >= 0 && first < end) await directory.apply(each.group(first, end))
    }
  }
  await settle()
  await hear()
  for (const log of logs) {
    expect(directory.progress(log.volume)).toEqual({ reached: log.needles.length === 0 ? 0 : log.end, gaps: [] })
  }
  return [directory, source]
}

describe('a directory', () => {
  it('is what follows from the merged records, in whatever order, grouping and repetition needles come', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(write, { maxLength: 40 }), delivery, async (writes, how) => {
        const written = writtenBy(writes)
        const [directory, source] = await deliver(written, how)
        const database = await source.open()
        const model = modelOf(written)
        expect({ ...(await rowsOf(database)), root: directory.digest() }).toEqual(model)
        for (const [term, count] of Object.entries(model.counters))
          if (!/^(of|used)\0/.test(term)) expect(directory.count(term)).toBe(count)
        for (const label of [1, 2, 3]) {
          const used = (what: string): number => model.counters[`used\0${ownerOf(label)}\0${what}`] ?? 0
          expect(directory.usageOf(ownerOf(label))).toEqual({ bytes: used('bytes'), photos: used('photos') })
        }
        expect(await directory.verify()).toEqual([])
        await directory.stop()
      }),
      { numRuns: 150 }
    )
  })

  it('answers a query like a full scan of the records', async () => {
    const filters = fc.record({
      terms: fc.uniqueArray(
        fc.constantFrom('tag\0tag0', 'tag\0tag1', 'tag\0tag2', 'album\0all\0', 'type\0image', 'all'),
        { maxLength: 3 }
      ),
      words: fc.uniqueArray(fc.constantFrom('word', 'word1', 'word2', 'p', 'photo', 'edited'), { maxLength: 2 }),
      limit: fc.integer({ min: 1, max: 6 })
    })
    await fc.assert(
      fc.asyncProperty(
        fc.array(write, { minLength: 10, maxLength: 60 }),
        filters,
        delivery,
        async (writes, query, how) => {
          const written = writtenBy(writes)
          const [directory] = await deliver(written, how)
          const has = (terms: readonly string[]): boolean =>
            query.terms.every(term => terms.includes(term)) &&
            query.words.every(word => terms.some(term => term.startsWith(`word\0${word}`)))
          const terms = new Map<string, string[]>()
          for (const row of modelOf(written).index) {
            const [, term = '', position = ''] = /^added (.*) @(\S+) \S*$/s.exec(row) ?? []
            terms.set(position, [...(terms.get(position) ?? []), term])
          }
          const expected = [...terms]
            .filter(([, of]) => of.includes('all') && has(of))
            .map(([position]) => position)
            .sort()
            .reverse()
            .map(position => position.slice(-32).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'))
          const found: string[] = []
          let cursor: string | null = null
          do {
            const page: Awaited<ReturnType<Directory['query']>> = await directory.query({
              ...query,
              ...(cursor === null ? {} : { cursor })
            })
            expect(page.total).toBe(expected.length)
            found.push(...page.records.map(({ id }) => id))
            if (found.length > expected.length) break
            cursor = page.nextCursor
          } while (cursor !== null)
          expect(found).toEqual(expected)
          await directory.stop()
        }
      ),
      { numRuns: 150 }
    )
  })
})
