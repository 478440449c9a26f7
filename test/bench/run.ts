import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { killAllNodes, NodeProcess, REPOSITORY } from '../support/node-process.js'
import { measureAntiEntropy } from './anti-entropy.js'
import { measureArchive } from './archive.js'
import { measureCache } from './cache.js'
import { measureCluster } from './cluster.js'
import { measureCompaction } from './compaction.js'
import { measureConvergence } from './convergence.js'
import { measureDecoding } from './decoding.js'
import { measureDiskReads } from './disk-reads.js'
import { measureGraves } from './graves.js'
import { measureHeads } from './heads.js'
import { measureImporting } from './importing.js'
import { measureIndexMemory } from './index-memory.js'
import { measureLargeFile } from './large-file.js'
import { measureLists } from './lists.js'
import { measureLooking } from './looking.js'
import { measureMetering } from './metering.js'
import { measureMillion } from './million.js'
import { Nginx } from './nginx.js'
import { measurePage } from './page.js'
import { measurePeople } from './people.js'
import { measurePosters } from './posters.js'
import { measureReads } from './reads.js'
import { measureReindexing } from './reindexing.js'
import { describeMachine, type Measure, printReport, reportMarkdown, versionOf, writeReport } from './report.js'
import { measureRest } from './rest.js'
import { measureSeenVectors } from './seen-vectors.js'
import { measureSimilarity } from './similarity.js'
import { measureSlowSupplier } from './slow-supplier.js'
import { measureSlowUploads } from './slow-uploads.js'
import { measureStartingTogether } from './starting-together.js'
import { measureTimeline } from './timeline.js'
import { measureVectors } from './vectors.js'
import { measureWrites } from './writes.js'

const HELP = `npm run bench -- [flags]
  --only A,B        of get, put, cache, index, million, lists, timeline, large, disk-reads, cluster, together, convergence,
                    anti-entropy, graves, heads, decoding, posters, importing, reindexing, looking, similarity, seen-vectors, people, metering, archive, slow-uploads, slow-supplier
                    (default: all); and page, which takes Chromium
  --photos N        photos of the library before which the page is measured (default 100000; they are made once)
  --originals DIR   of photos that these are made of (default: made-up scenes)
  --rounds N        rounds of each server, in turn (default 3)
  --seconds N       length of a round (default 4)
  --large-bytes N   size of the large file (default 512 MiB; try 2147483648)
  --big             the same as --large-bytes 2147483648, anti-entropy over a million records, ten million graves, similarity over
                    100,000 vectors of 1,024 numbers (half an hour), 1 GB of photos taken apart, and thirty nodes started at once
  --json FILE       where the numbers go (default .bench/latest.json)
  --save            also write the table to docs/benchmarks/<day>.md, which must not be there yet
Exits with 1 when a target is missed.`

const { values } = parseArgs({
  options: {
    only: {
      type: 'string',
      default:
        'get,put,cache,index,million,lists,timeline,large,disk-reads,cluster,together,convergence,anti-entropy,graves,heads,decoding,posters,importing,reindexing,looking,similarity,seen-vectors,people,metering,archive,slow-uploads,slow-supplier'
    },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '4' },
    photos: { type: 'string', default: '100000' },
    originals: { type: 'string' },
    'large-bytes': { type: 'string', default: String(512 * 2 ** 20) },
    big: { type: 'boolean', default: false },
    json: { type: 'string', default: join(REPOSITORY, '.bench', 'latest.json') },
    save: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false }
  }
})

if (values.help) console.log(HELP)
else await main()

async function main(): Promise<void> {
  const day = new Date().toISOString().slice(0, 10)
  const page = join(REPOSITORY, 'docs', 'benchmarks', `${day}.md`)
  if (values.save && existsSync(page)) throw new Error(`${page} is there already`)
  const cache = join(REPOSITORY, '.bench')
  mkdirSync(cache, { recursive: true })
  // beside the repository's files and not in /tmp, which may be memory: the disk is part of what is measured
  const scratch = mkdtempSync(join(cache, 'run-'))
  const measures: Measure[] = []
  try {
    for (const [name, measure] of Object.entries(sections(scratch, cache))) {
      if (!values.only.split(',').includes(name)) continue
      process.stderr.write(`${name} …\n`)
      measures.push(...(await measure()))
    }
  } finally {
    await killAllNodes()
    rmSync(scratch, { recursive: true, force: true })
  }
  const machine = describeMachine()
  const met = printReport(machine, measures)
  writeReport(values.json, machine, measures)
  console.log(`\nwritten to ${values.json}`)
  if (values.save) writeFileSync(page, reportMarkdown(day, machine, measures))
  process.exitCode = met ? 0 : 1
}

/** The parts of the bench by name, in the order in which they run. */
function sections(scratch: string, cache: string): Record<string, () => Promise<readonly Measure[]>> {
  const init = { rounds: Number(values.rounds), seconds: Number(values.seconds) }
  const largeBytes = values.big ? 2 ** 31 : Number(values['large-bytes'])
  return {
    get: () =>
      withNginx(scratch, async nginx => {
        const node = await NodeProcess.start({ dataDir: join(scratch, 'get-data') })
        const measures = [
          ...(await measureReads(node, nginx, scratch, { ...init, photoBytes: 65_536, ratioMin: 0.6 })),
          ...(await measureReads(node, nginx, scratch, { ...init, photoBytes: 4_096, ratioMin: 0.5 }))
        ]
        await node.stop()
        return measures
      }),
    put: async () => (hasWrk() ? measureWrites(scratch, init) : []),
    cache: async () => (hasWrk() ? measureCache(join(scratch, 'cache'), init) : []),
    index: measureIndexMemory,
    million: () => measureMillion(cache),
    rest: () =>
      measureRest(scratch, cache, values.big ? { photos: 1_000_000, minutes: 25 } : { photos: 100_000, minutes: 2 }),
    compaction: () => measureCompaction(scratch, values.big ? 1_000 : 200),
    lists: () => measureLists(cache),
    page: () => measurePage(cache, Number(values.photos), values.originals),
    timeline: () => measureTimeline(cache),
    large: () => measureLargeFile(scratch, largeBytes),
    'disk-reads': async () => [await measureDiskReads(join(scratch, 'disk-reads-data'))],
    cluster: () => measureCluster(scratch),
    together: () => measureStartingTogether(scratch, values.big ? 30 : 5),
    convergence: () => measureConvergence(scratch, values.big ? 1_000_000_000 : 200_000_000),
    'anti-entropy': () => measureAntiEntropy(scratch, [10_000, 100_000, ...(values.big ? [1_000_000] : [])]),
    heads: () => measureHeads(join(scratch, 'heads-data')),
    importing: () => measureImporting(join(scratch, 'importing'), values.big ? 10_000 : 2_000, init.rounds),
    reindexing: () => measureReindexing(cache, scratch, values.big ? 1_000_000 : 100_000),
    decoding: () => measureDecoding(join(scratch, 'decoding')),
    posters: () => measurePosters(join(scratch, 'posters')),
    graves: () => measureGraves(scratch, values.big ? 10_000_000 : 1_000_000),
    looking: () => measureLooking(scratch),
    'seen-vectors': () => measureSeenVectors(scratch, values.big ? 100_000 : 20_000),
    people: () => measurePeople(scratch),
    metering: () => measureMetering(scratch),
    'slow-uploads': () => measureSlowUploads(scratch),
    'slow-supplier': () => measureSlowSupplier(scratch),
    archive: () => measureArchive(join(scratch, 'archive'), init.rounds),
    vectors: () => measureVectors(scratch, values.big ? 100_000 : 40_000),
    similarity: () =>
      measureSimilarity(scratch, values.big ? { count: 100_000, dimension: 1_024 } : { count: 20_000, dimension: 256 })
  }
}

/** Runs `work` beside nginx, or without it where it is missing. */
async function withNginx(
  scratch: string,
  work: (nginx: Nginx | undefined) => Promise<readonly Measure[]>
): Promise<readonly Measure[]> {
  if (!hasWrk()) return []
  if (versionOf('nginx', ['-v']) === 'none') {
    console.error('nginx is not installed (Debian: apt-get install nginx-light): no ratios to it')
    return work(undefined)
  }
  const nginx = await Nginx.start(mkdtempSync(join(scratch, 'nginx-')))
  try {
    return await work(nginx)
  } finally {
    await nginx.stop()
  }
}

/** Without wrk there is no load on HTTP. */
function hasWrk(): boolean {
  const has = versionOf('wrk', ['-v']) !== 'none'
  if (!has) console.error('wrk is not installed (Debian: apt-get install wrk): GET and PUT are not measured')
  return has
}
