import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import sharp from 'sharp'
import { systemClock } from '../../src/core/clock.js'
import { Embedder } from '../../src/similarity/models/embedder.js'
import type { LoadedModel } from '../../src/similarity/models/model-spec.js'
import { HttpClient } from '../support/http-client.js'
import { NodeProcess } from '../support/node-process.js'
import { until } from '../support/until.js'
import { modelsFolder, pulledModel } from './pulled-model.js'
import { atLeast, type Measure, median } from './report.js'

const MODEL = 'mobilenet'
const PICTURES = 300
const WIDTH = 1_600
const HEIGHT = 1_200
const ROUNDS = 3
const UPLOADS = 300
const UPLOAD_BYTES = 65_536
const UPLOAD_PAUSE_MS = 10
const LOOKED_MS_MAX = 300_000

/** How fast a node looks at photos against a bare loop of decoding and inference, and what its clients notice of it. */
export async function measureLooking(scratch: string): Promise<Measure[]> {
  const folder = modelsFolder()
  const model = await pulledModel(MODEL, folder)
  if (model === undefined) {
    console.error(`the model is not here (sheaf models pull ${MODEL}): looking at photos is not measured`)
    return []
  }
  const pictures = await Promise.all(Array.from({ length: PICTURES }, makePicture))
  const rates = { bare: [] as number[], fresh: [] as number[], indexing: [] as number[] }
  for (let round = 0; round < ROUNDS; round++) {
    rates.bare.push(await bareLoop(model, pictures))
    rates.fresh.push(await freshRate(join(scratch, `looking-fresh-${round}`), folder, pictures))
    rates.indexing.push(await indexingRate(join(scratch, `looking-known-${round}`), folder, pictures))
  }
  const ratio = (ours: readonly number[]): number => median(ours.map((rate, i) => rate / (rates.bare[i] as number)))
  const perSecond = (name: keyof typeof rates): string => `${median(rates[name]).toFixed(0)}/s`
  const quiet = await latencies(join(scratch, 'looking-quiet'), folder, pictures, [])
  const busy = await latencies(join(scratch, 'looking-busy'), folder, pictures, pictures)
  return [
    {
      name: 'photos indexed for a model that came later ÷ bare loop of decode and inference',
      value: `${ratio(rates.indexing).toFixed(2)} ×`,
      number: ratio(rates.indexing),
      target: atLeast(0.8),
      note: `${perSecond('indexing')} against ${perSecond('bare')} of ${WIDTH} × ${HEIGHT} with ${MODEL}; each is also hashed, compared with all others and written durably`,
      rounds: { ours: rates.indexing, theirs: rates.bare }
    },
    {
      name: 'photos looked at while they are uploaded ÷ the same loop',
      value: `${ratio(rates.fresh).toFixed(2)} ×`,
      number: ratio(rates.fresh),
      note: `${perSecond('fresh')}, the upload included; two smaller sizes are made of each, too`,
      rounds: { ours: rates.fresh, theirs: rates.bare }
    },
    {
      name: 'upload of 64 KB while photos are looked at, p99',
      value: `${busy.toFixed(1)} ms`,
      number: busy,
      note: `${quiet.toFixed(1)} ms when there is nothing to look at; ${UPLOADS} uploads, one after the other`
    }
  ]
}

/** Shapes and noise that take as long to decode as a photo. */
async function makePicture(): Promise<Buffer> {
  const coarse = { width: 40, height: 30, channels: 3 } as const
  return sharp(randomBytes(40 * 30 * 3), { raw: coarse })
    .resize(WIDTH, HEIGHT, { kernel: 'cubic' })
    .jpeg({ quality: 88 })
    .toBuffer()
}

/** @returns pictures in a second, one after the other in this process */
async function bareLoop(model: LoadedModel, pictures: readonly Buffer[]): Promise<number> {
  sharp.concurrency(1)
  sharp.cache(false)
  const embedder = await Embedder.load(model)
  const { size } = model.spec.image
  const from = performance.now()
  for (const bytes of pictures) {
    const pixels = await sharp(bytes).rotate().resize(size, size, { fit: 'cover' }).removeAlpha().raw().toBuffer()
    await embedder.image(pixels)
  }
  const perSecond = (pictures.length / (performance.now() - from)) * 1000
  await embedder.release()
  return perSecond
}

/** @returns pictures in a second, from the first upload to the last record */
async function freshRate(dataDir: string, models: string, pictures: readonly Buffer[]): Promise<number> {
  const { node, client } = await readyNode(dataDir, models, pictures)
  const from = performance.now()
  await Promise.all(pictures.map((bytes, i) => client.putPhoto(bytes, `${i}.jpg`)))
  await until('all photos are seen', LOOKED_MS_MAX, async () => (await pendingOf(client)) === 0)
  const perSecond = (pictures.length / (performance.now() - from)) * 1000
  client.close()
  await node.stop()
  return perSecond
}

/** @returns pictures in a second that are seen by a model which comes when all else about them is known */
async function indexingRate(dataDir: string, models: string, pictures: readonly Buffer[]): Promise<number> {
  const before = await NodeProcess.start({ dataDir })
  const uploader = new HttpClient(before.url)
  await Promise.all(pictures.map((bytes, i) => uploader.putPhoto(bytes, `${i}.jpg`)))
  const lookedAt = async (): Promise<boolean> => (await statusOf(uploader)).index.pending === 0
  await until('all photos are looked at', LOOKED_MS_MAX, lookedAt)
  uploader.close()
  await before.stop()
  const node = await NodeProcess.start({ dataDir, flags: ['--model', MODEL, '--models', models] })
  const client = new HttpClient(node.url)
  let first = { pending: Number.POSITIVE_INFINITY, atMs: 0 }
  const begun = async (): Promise<boolean> => {
    first = { pending: await pendingOf(client), atMs: performance.now() }
    return first.pending < pictures.length
  }
  await until('the first photos are seen', LOOKED_MS_MAX, begun)
  await until('all photos are seen', LOOKED_MS_MAX, async () => (await pendingOf(client)) === 0)
  const perSecond = (first.pending / (performance.now() - first.atMs)) * 1000
  client.close()
  await node.stop()
  return perSecond
}

/** A node that has loaded the model and looked at a first picture. */
async function readyNode(dataDir: string, models: string, [first = Buffer.alloc(0)]: readonly Buffer[]) {
  const node = await NodeProcess.start({ dataDir, flags: ['--model', MODEL, '--models', models] })
  const client = new HttpClient(node.url)
  await client.putPhoto(first, 'first.jpg')
  await until('the first photo is seen', LOOKED_MS_MAX, async () => (await pendingOf(client)) === 0)
  return { node, client }
}

/** @returns p99 of uploads in ms, while the node looks at pictures */
async function latencies(
  dataDir: string,
  models: string,
  pictures: readonly Buffer[],
  backlog: readonly Buffer[]
): Promise<number> {
  const { node, client } = await readyNode(dataDir, models, pictures)
  await Promise.all(backlog.map((bytes, i) => client.putPhoto(bytes, `${i}.jpg`)))
  const times: number[] = []
  for (let i = 0; i < UPLOADS; i++) {
    const bytes = randomBytes(UPLOAD_BYTES)
    const from = performance.now()
    await client.putPhoto(bytes, `${i}.bin`, 'application/octet-stream')
    times.push(performance.now() - from)
    await systemClock.sleep(UPLOAD_PAUSE_MS)
  }
  client.close()
  await node.stop()
  return times.sort((a, b) => a - b)[Math.floor(0.99 * times.length)] as number
}

interface Status {
  readonly model: string | null
  readonly index: { readonly pending: number }
}

function statusOf(client: HttpClient): Promise<Status> {
  return client.json<Status>('GET', '/status', 200)
}

/** @returns photos that the model has not seen; not 0 before there is a model */
async function pendingOf(client: HttpClient): Promise<number> {
  const { model, index } = await statusOf(client)
  return model === null ? Number.POSITIVE_INFINITY : index.pending
}
