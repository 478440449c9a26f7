// eslint-disable-next-line no-restricted-imports -- a kill falls at a random moment
import { setTimeout as delay } from 'node:timers/promises'
import { runJob, type VerifyReport } from '../../support/admin-job.js'
import { HttpClient } from '../../support/http-client.js'
import { NodeProcess, type NodeProcessInit } from '../../support/node-process.js'
import { SeededRandom } from '../../support/photo-maker.js'
import { until } from '../../support/until.js'
import { HistoryError } from './photo-history.js'
import { type KnownPhoto, PhotoModel } from './photo-model.js'
import { acceptReceipt, uploadBirth, Workload, type WorkloadInit } from './workload.js'

/** What was deleted a moment ago goes, too: a round has no day to wait. */
const COMPACT_NOW = 'compact?now=true'

/** What one round does to a node before, while and after it is killed. */
export interface RoundPlan {
  readonly name: string
  readonly flags: readonly string[]
  readonly workload: WorkloadInit
  /** Runs again and again under the load. */
  readonly job?: typeof COMPACT_NOW | 'rebuild-directory' | 'scrub'
  /** Kills the restarted node too, before it is ready. */
  readonly killWhileStarting?: boolean
  /** SIGTERM instead of SIGKILL. */
  readonly stop?: boolean
}

const SMALL_VOLUMES = ['--volume-bytes', '1Mi']
const SMALL_PHOTOS: WorkloadInit = { clientCount: 8, photoBytesMax: 200_000, livePhotosMax: 400 }
/** Eight chunk needles of 128 KiB and a manifest, over several volumes of 1 MiB. */
const CHUNKED_PHOTOS: WorkloadInit = { clientCount: 8, photoBytesMax: 1_000_000, livePhotosMax: 150 }

const PURGE = ['--purge-days', '0']

/** The first seven bring eight kills and a bit of everything. */
export const ROUNDS: readonly RoundPlan[] = [
  { name: 'defaults', flags: [], workload: SMALL_PHOTOS },
  { name: 'rollovers', flags: SMALL_VOLUMES, workload: SMALL_PHOTOS },
  { name: 'chunks over volumes', flags: SMALL_VOLUMES, workload: CHUNKED_PHOTOS },
  { name: 'killed while starting', flags: SMALL_VOLUMES, workload: SMALL_PHOTOS, killWhileStarting: true },
  {
    name: 'rebuild of the directory',
    flags: SMALL_VOLUMES,
    workload: { ...SMALL_PHOTOS, mayBeUnavailable: true },
    job: 'rebuild-directory'
  },
  { name: 'compaction', flags: SMALL_VOLUMES, workload: SMALL_PHOTOS, job: COMPACT_NOW },
  { name: 'purge of chunks', flags: [...SMALL_VOLUMES, ...PURGE], workload: CHUNKED_PHOTOS, job: COMPACT_NOW },
  { name: 'scrub', flags: [], workload: SMALL_PHOTOS, job: 'scrub' },
  { name: 'stopped', flags: SMALL_VOLUMES, workload: CHUNKED_PHOTOS, stop: true },
  {
    name: 'purge, killed while starting',
    flags: [...SMALL_VOLUMES, ...PURGE],
    workload: SMALL_PHOTOS,
    job: COMPACT_NOW,
    killWhileStarting: true
  }
]

/** Above this, only a sample of the photos is read back after each round; all are at the end. */
const READ_BACK_COUNT_MAX = 250

/** A directory whose digest was the same so many times, 100 ms apart, is at rest: a photo takes far less to look at. */
const AT_REST_POLLS = 20
const AT_REST_MS_MAX = 120_000

/** What the node logs after a volume. */
const COMPACTED = 'volume compacted and removed'

/** One data folder that lives through many deaths of its node, and one model of what must be in it. */
export class KillRounds {
  readonly model = new PhotoModel()
  readonly #dataDir: string
  readonly #random: SeededRandom
  readonly #log: (line: string) => void
  #roundCount = 0

  constructor(init: { readonly dataDir: string; readonly seed: number; readonly log: (line: string) => void }) {
    this.#dataDir = init.dataDir
    this.#random = new SeededRandom(init.seed)
    this.#log = init.log
  }

  /**
   * Loads a node, kills it at a random moment, starts it again and checks everything.
   *
   * @returns how often a node was killed under load or while starting
   * @throws on the first violation
   */
  async round(plan: RoundPlan): Promise<number> {
    const label = `r${this.#roundCount++}`
    const random = this.#random.fork(label)
    // Compaction, which begins by itself when a node starts, takes the bytes of deleted photos out of closed volumes.
    this.model.bytesMayGo = label !== 'r0'
    const init = { dataDir: this.#dataDir, flags: plan.flags }

    const loaded = await NodeProcess.start(init)
    const workload = await this.#loadAndKill(loaded, plan, random, label)
    this.model.crash()
    if (plan.killWhileStarting === true) await this.#killWhileStarting(init, random)

    const restarted = await NodeProcess.start(init)
    try {
      await this.#check(restarted, random, READ_BACK_COUNT_MAX)
    } catch (err) {
      throw new HistoryError(`round ${label} (${plan.name}): ${String(err)}\n${restarted.stderr.slice(-3_000)}`)
    } finally {
      await restarted.kill9()
    }
    const { ok, failed, indeterminate } = workload.tally
    const tally = `${ok} ok, ${failed} failed, ${indeterminate} indeterminate; ${this.model.photos.size} photos`
    const opened = countLines(loaded, 'volume opened')
    const compacted = countLines(loaded, COMPACTED)
    const volumes = `${opened} volumes opened, ${compacted} compacted`
    this.#log(`${label} ${plan.name}: ${tally}; ${volumes}; ready in ${Math.round(restarted.readyMs)} ms`)
    // A round that could not judge is not a pass.
    if (ok < 5) throw new HistoryError(`round ${label} (${plan.name}) did too little: ${tally}`)
    return (plan.stop === true ? 0 : 1) + (plan.killWhileStarting === true ? 1 : 0)
  }

  /** Reads everything back, then again after a compaction and a new directory made from the volumes. @throws on a violation */
  async finish(): Promise<void> {
    const node = await NodeProcess.start({ dataDir: this.#dataDir })
    const client = new HttpClient(node.url, { operatorToken: node.operatorToken })
    await this.#check(node, this.#random.fork('finish'), Number.POSITIVE_INFINITY)
    await runJob(client, COMPACT_NOW)
    const before = await digestAtRest(client)
    await runJob(client, 'rebuild-directory')
    const after = await digestOf(client)
    if (before !== after) throw new HistoryError(`rebuild-directory changed the digest: ${before} → ${after}`)
    await this.#check(node, this.#random.fork('finish again'), Number.POSITIVE_INFINITY)
    client.close()
    await stopCleanly(node)
  }

  /** @throws the first violation that a client saw */
  async #loadAndKill(node: NodeProcess, plan: RoundPlan, random: SeededRandom, label: string): Promise<Workload> {
    const client = new HttpClient(node.url, { operatorToken: node.operatorToken })
    const workload = new Workload(client, this.model, random, label, plan.workload)
    const load = workload.run()
    const jobs = plan.job === undefined ? undefined : repeatJob(client, plan.job, workload)
    const all = Promise.all([load, jobs])
    // Handled below; until then a violation must not count as unhandled.
    all.catch(() => workload.stop())
    await untilBusy(workload, random.between(20, 500))
    // Compaction is killed in its second to fourth volume, wherever it is then.
    if (plan.job === COMPACT_NOW) await untilCompacted(node, workload, random.between(1, 3))
    await delay(random.fraction() * 20)
    workload.stop()
    if (plan.stop === true) await stopCleanly(node)
    else await node.kill9()
    try {
      await all
    } catch (err) {
      // A node that ended by itself, and not by the kill, says why.
      const end = `the node ended with ${await node.exit()}`
      throw new HistoryError(
        `${label} (${plan.name}), under load: ${String(err)}\n${end}\n${node.stderr.slice(-3_000)}`
      )
    }
    client.close()
    return workload
  }

  async #killWhileStarting(init: NodeProcessInit, random: SeededRandom): Promise<void> {
    const node = NodeProcess.spawn(init)
    await delay(random.between(100, 500))
    await node.kill9()
  }

  async #check(node: NodeProcess, random: SeededRandom, readBackCountMax: number): Promise<void> {
    const client = new HttpClient(node.url, { operatorToken: node.operatorToken })
    const adopted = this.model.compare(await client.fullDump())
    await this.#retryUploads(client, adopted, random)
    const live = await client.fullDump()
    this.model.compare(live)
    await checkList(
      client,
      live.map(({ photo_id }) => photo_id)
    )
    const known = [...this.model.photos.values()]
    const sample = known.length <= readBackCountMax ? known : [...adopted, ...draw(known, readBackCountMax, random)]
    await inParallel(16, sample, photo => readBack(client, photo))
    const { faults } = await runJob<VerifyReport>(client, 'verify')
    if (faults.length > 0) throw new HistoryError(`verify found ${JSON.stringify(faults)}`)
    checkLog(node)
    client.close()
  }

  /**
   * Sends some uploads again: with a key that the node has, it must be the same photo and never a second one. Uploads
   * that are neither there now nor sent again must stay away for ever.
   */
  async #retryUploads(client: HttpClient, adopted: readonly KnownPhoto[], random: SeededRandom): Promise<void> {
    const known = [...adopted, ...draw([...this.model.photos.values()], 8, random)]
    for (const birth of known.filter(({ idempotencyKey, history }) => idempotencyKey && !history.maybe(true))) {
      const { photo_id } = acceptReceipt(await uploadBirth(client, birth), birth)
      if (photo_id !== birth.id) throw new HistoryError(`${birth.name} was ${birth.id} and, sent again, ${photo_id}`)
    }
    const lost = [...this.model.unanswered.values()]
    this.model.unanswered.clear()
    for (const birth of lost.filter(() => random.chance(0.5))) {
      const { photo_id } = acceptReceipt(await uploadBirth(client, birth), birth)
      this.model.acknowledge(birth, photo_id)
    }
  }
}

/** Starts the job again and again until the load ends; one that dies with the node is no violation. */
async function repeatJob(client: HttpClient, kind: string, workload: Workload): Promise<void> {
  while (!workload.stopping) {
    try {
      await runJob(client, kind)
    } catch (err) {
      if (!workload.stopping) throw err
    }
  }
}

/** Waits until the clients have had `operationCount` answers, or have ended early. */
async function untilBusy(workload: Workload, operationCount: number): Promise<void> {
  const deadline = performance.now() + 5_000
  while (workload.tally.ok < operationCount && !workload.stopping && performance.now() < deadline) await delay(2)
}

async function untilCompacted(node: NodeProcess, workload: Workload, volumeCount: number): Promise<void> {
  const deadline = performance.now() + 10_000
  while (countLines(node, COMPACTED) < volumeCount && !workload.stopping && performance.now() < deadline) await delay(2)
}

async function stopCleanly(node: NodeProcess): Promise<void> {
  const code = await node.stop()
  if (code !== 0) throw new HistoryError(`the node stopped with ${code}\n${node.stderr.slice(-3_000)}`)
}

/** @returns the digest when it has not changed for a while: photos of the rounds before may still be looked at */
async function digestAtRest(client: HttpClient): Promise<string> {
  let digest = ''
  let unchanged = 0
  await until('the directory is at rest', AT_REST_MS_MAX, async () => {
    const now = await digestOf(client)
    unchanged = now === digest ? unchanged + 1 : 0
    digest = now
    return unchanged === AT_REST_POLLS
  })
  return digest
}

async function digestOf(client: HttpClient): Promise<string> {
  return (await client.json<{ directory_digest: string }>('GET', '/status', 200)).directory_digest
}

/** @throws unless the list shows exactly the photos of the dump, each once */
async function checkList(client: HttpClient, live: readonly string[]): Promise<void> {
  const { photos, total } = await client.list()
  if (total !== live.length) throw new HistoryError(`the list says ${total} photos, the dump ${live.length}`)
  const listed = photos.map(({ photo_id }) => photo_id)
  if ([...listed].sort().join() !== [...live].sort().join()) throw new HistoryError('list and dump differ')
}

/** @throws unless the photo's bytes are the uploaded ones, or it is deleted as the model says */
async function readBack(client: HttpClient, photo: KnownPhoto): Promise<void> {
  const { status, sha256, byteCount } = await client.photoDigest(photo.id)
  const right = status === 200 && sha256 === photo.sha256 && byteCount === photo.byteCount
  if (!right && status !== 410) {
    throw new HistoryError(`photo ${photo.id} (${photo.name}, ${photo.byteCount} B): ${status} with ${byteCount} bytes`)
  }
  photo.history.observe({ kind: 'fetch' }, right ? 'live' : 'gone')
}

function countLines(node: NodeProcess, message: string): number {
  return node.log().filter(({ msg }) => msg === message).length
}

/** @throws when a node that was merely killed speaks of an error */
function checkLog(node: NodeProcess): void {
  const errors = node.log().filter(({ level }) => level >= 50)
  if (errors.length > 0) throw new HistoryError(`the log has errors: ${JSON.stringify(errors)}`)
}

function draw<Item>(items: readonly Item[], count: number, random: SeededRandom): Item[] {
  return Array.from({ length: count }, () => random.pick(items))
}

async function inParallel<Item>(
  width: number,
  items: readonly Item[],
  work: (item: Item) => Promise<void>
): Promise<void> {
  const left = [...items]
  const worker = async (): Promise<void> => {
    for (let item = left.pop(); item !== undefined; item = left.pop()) await work(item)
  }
  await Promise.all(Array.from({ length: width }, worker))
}
