import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { runJob, type VerifyReport } from '../../support/admin-job.js'
import { HttpClient, UnexpectedAnswer } from '../../support/http-client.js'
import { NodeProcess, type NodeProcessInit, temporaryFolder } from '../../support/node-process.js'
import { fakeJpeg, noiseBytes, photoByteCount, SeededRandom, sha256Hex } from '../../support/photo-maker.js'
import { until } from '../../support/until.js'

/** What a client knows of an acknowledged photo. */
export interface TruePhoto {
  readonly id: string
  readonly bytes: Buffer
  readonly sha256: string
  readonly deleted: boolean
  readonly caption: string
  readonly tags: readonly string[]
}

const PHOTO_COUNT = 60
const FLAGS = ['--volume-bytes', '1Mi'] as const
const LARGE_BYTES = 700_000

/** A stopped node's data folder with everything in it that can be hurt, and the truth about it. Each case works on a copy. */
export class FilledNode {
  readonly photos: readonly TruePhoto[]
  readonly #root: ReturnType<typeof temporaryFolder>
  /** Of the directory when the node was stopped. */
  readonly digest: string
  #copyCount = 0

  private constructor(root: ReturnType<typeof temporaryFolder>, photos: readonly TruePhoto[], digest: string) {
    this.#root = root
    this.photos = photos
    this.digest = digest
  }

  /** Fills a node in two process lifetimes: several volumes, a photo in chunks, edits, deletes, an undelete. */
  static async make(seed: number): Promise<FilledNode> {
    const random = new SeededRandom(seed)
    const root = temporaryFolder('damage')
    const init: NodeProcessInit = { dataDir: join(root.path, 'origin'), flags: FLAGS }
    const photos: TruePhoto[] = []
    let digest = ''
    for (const lifetime of [0, 1]) {
      const node = await NodeProcess.start(init)
      const client = new HttpClient(node.url, { operatorToken: node.operatorToken })
      for (let index = 0; index < PHOTO_COUNT / 2; index++) photos.push(await putOne(client, random, index === 5))
      await change(client, photos, lifetime)
      await until('all photos were looked at', 90_000, async () => (await status(client)).index.pending === 0)
      photos.push(await putNoise(client, random)) // the log ends with an upload, at which nobody looks
      digest = (await status(client)).directory_digest
      client.close()
      await node.stop()
    }
    return new FilledNode(root, photos, digest)
  }

  get live(): readonly TruePhoto[] {
    return this.photos.filter(({ deleted }) => !deleted)
  }

  /** @returns a fresh copy of the folder */
  copy(): string {
    const path = join(this.#root.path, `copy-${this.#copyCount++}`)
    cpSync(join(this.#root.path, 'origin'), path, { recursive: true, preserveTimestamps: true })
    return path
  }

  /** Starts a node on a (damaged) copy and closes it afterwards, whatever `check` does. */
  async serve(dataDir: string, check: (client: HttpClient, node: NodeProcess) => Promise<void>): Promise<void> {
    const node = await NodeProcess.start({ dataDir, flags: FLAGS })
    const client = new HttpClient(node.url, { operatorToken: node.operatorToken })
    try {
      await check(client, node)
    } catch (err) {
      process.stderr.write(`the end of the node's log:\n${node.stderr.slice(-4_000)}\n`)
      throw node.alive ? err : new Error(`the node ended with ${await node.exit()}`, { cause: err })
    } finally {
      client.close()
      await node.kill9()
    }
    rmSync(dataDir, { recursive: true, force: true })
  }

  remove(): void {
    this.#root.remove()
  }
}

interface Status {
  readonly directory_digest: string
  readonly index: { readonly pending: number }
}

function status(client: HttpClient): Promise<Status> {
  return client.json<Status>('GET', '/status', 200)
}

async function putOne(client: HttpClient, random: SeededRandom, large: boolean): Promise<TruePhoto> {
  const bytes = fakeJpeg(random.below(2 ** 32), large ? LARGE_BYTES : photoByteCount(random, 120_000))
  const { photo_id: id } = await client.putPhoto(bytes, `photo ${random.below(1e9)}.jpg`)
  return { id, bytes, sha256: sha256Hex(bytes), deleted: false, caption: '', tags: [] }
}

async function putNoise(client: HttpClient, random: SeededRandom): Promise<TruePhoto> {
  const bytes = noiseBytes(random.below(2 ** 32), 50_000)
  const { photo_id: id } = await client.putPhoto(bytes, 'noise', 'application/octet-stream')
  return { id, bytes, sha256: sha256Hex(bytes), deleted: false, caption: '', tags: [] }
}

/** Edits, deletes and undeletes some photos, of this lifetime and of the one before. */
async function change(client: HttpClient, photos: TruePhoto[], lifetime: number): Promise<void> {
  for (const [index, photo] of photos.entries()) {
    if (photo.deleted) continue
    if (index % 5 === lifetime) {
      const caption = `caption ${index} of lifetime ${lifetime}`
      await expectOk(client.patchMeta(photo.id, { caption, tags: { add: [`tag-${index}`, 'edited'] } }))
      photos[index] = { ...photo, caption, tags: ['edited', `tag-${index}`] }
    } else if (index % 5 === 2 && index % 2 === lifetime) {
      await expectOk(client.remove(photo.id))
      photos[index] = { ...photo, deleted: true }
    } else if (index % 10 === 4) {
      await expectOk(client.remove(photo.id))
      await expectOk(client.undelete(photo.id))
    }
  }
}

async function expectOk(answer: ReturnType<HttpClient['request']>): Promise<void> {
  const { status } = await answer
  if (status !== 200) throw new UnexpectedAnswer('while filling the node', await answer)
}

export interface Loss {
  /** Photos whose bytes are damaged: 503, never wrong bytes. */
  readonly damaged?: readonly string[]
  /** Photos whose needle is damaged, but none of their bytes: 503 or right. */
  readonly doubtful?: readonly string[]
  /** Photos that may be unknown, because their upload was cut before it was complete. */
  readonly maybeUnknown?: readonly string[]
}

/**
 * Reads all photos back.
 *
 * @returns what is wrong, in words; empty when the node serves all that is intact and nothing that is not
 */
export async function judge(client: HttpClient, photos: readonly TruePhoto[], loss: Loss = {}): Promise<string[]> {
  const faults: string[] = []
  for (const photo of photos) {
    const told = await tellOnceReady(client, photo)
    const allowed = expectation(photo, loss)
    if (!allowed.includes(told))
      faults.push(`${photo.id} (${photo.bytes.length} B): ${told}, not ${allowed.join(' or ')}`)
    else if (told === 'right') faults.push(...(await judgeMeta(client, photo)))
  }
  return faults
}

function expectation(photo: TruePhoto, { damaged = [], doubtful = [], maybeUnknown = [] }: Loss): string[] {
  if (maybeUnknown.includes(photo.id)) return ['404', 'right']
  if (photo.deleted) return ['410']
  if (damaged.includes(photo.id)) return ['503', 'cut off']
  // a photo of several chunks may have begun well in another volume
  return doubtful.includes(photo.id) ? ['503', 'cut off', 'right'] : ['right']
}

/**
 * A directory that finds its database damaged while it reads makes it anew from the volumes, and says so until it is done.
 *
 * @returns as {@link tell}
 * @throws when that takes more than 10 s
 */
async function tellOnceReady(client: HttpClient, photo: TruePhoto): Promise<string> {
  let told = 'unavailable'
  await until('the directory is there again', 90_000, async () => {
    told = await tell(client, photo)
    return told !== 'unavailable'
  })
  return told
}

/** @returns `right`, the status of a refusal, `cut off` (a prefix of the right bytes, then the connection ended), or `WRONG BYTES` */
async function tell(client: HttpClient, photo: TruePhoto): Promise<string> {
  const response = await client.open('GET', `/photo/${photo.id}`)
  const pieces: Buffer[] = []
  try {
    for await (const piece of response) pieces.push(piece as Buffer)
  } catch {
    const prefix = Buffer.concat(pieces)
    return prefix.equals(photo.bytes.subarray(0, prefix.length)) ? 'cut off' : 'WRONG BYTES'
  }
  const body = Buffer.concat(pieces)
  if (body.includes('ERR_DIRECTORY_UNAVAILABLE')) return 'unavailable'
  if (response.statusCode !== 200) return String(response.statusCode)
  return body.equals(photo.bytes) ? 'right' : 'WRONG BYTES'
}

async function judgeMeta(client: HttpClient, photo: TruePhoto): Promise<string[]> {
  const { status, body } = await client.meta(photo.id)
  if (status !== 200) return [`${photo.id}: meta ${status}`]
  const meta = JSON.parse(body.toString()) as { caption?: string | null; tags: string[]; sha256: string }
  const right = (meta.caption ?? '') === photo.caption && meta.tags.join() === photo.tags.join()
  return right && meta.sha256 === photo.sha256 ? [] : [`${photo.id}: meta ${body.toString()}`]
}

export async function faultsOfVerify(client: HttpClient): Promise<readonly object[]> {
  return (await runJob<VerifyReport>(client, 'verify')).faults
}
