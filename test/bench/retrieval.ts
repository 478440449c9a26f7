import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import sharp, { type Sharp } from 'sharp'
import type { Features } from '../../src/domain/features.js'
import { openPicture } from '../../src/similarity/images/picture.js'
import { squareOf } from '../../src/similarity/images/pixels.js'
import { Embedder } from '../../src/similarity/models/embedder.js'
import type { LoadedModel } from '../../src/similarity/models/model-spec.js'
import { modelsFolder, pulledModel } from './pulled-model.js'

const HELP = `npx tsx test/bench/retrieval.ts [flags] FOLDER
How well a model finds photos of the same class, copies of a photo, and photos by words. FOLDER has a folder per class.
  --model A,B        models that are pulled (default mobilenet)
  --models DIR       where they are (SHEAF_MODELS, default: a folder in the user's cache)
  --per-class N      photos of each class, the first by name (default: all)
  --query "WORDS=CLASS,CLASS"   words to search for and the classes that they mean; may be repeated; no class: just show
  --plain            bring images into shape with one call of sharp instead of Sheaf's pipeline, to compare
Leave-one-out over all photos by cosine: P@1, P@10, mean average precision.`

interface Photo {
  readonly path: string
  readonly className: string
}

interface Embedded extends Photo {
  readonly features: Features
}

const COPIES: Readonly<Record<string, (image: Sharp, width: number, height: number) => Sharp>> = {
  'JPEG q40, 320 px': image => image.resize(320).jpeg({ quality: 40 }),
  'crop 80 %': (image, width, height) =>
    image.extract({
      left: Math.floor(0.1 * width),
      top: Math.floor(0.1 * height),
      width: Math.floor(0.8 * width),
      height: Math.floor(0.8 * height)
    }),
  flip: image => image.flop(),
  'brighter, paler': image => image.modulate({ brightness: 1.3, saturation: 0.8 }),
  grayscale: image => image.grayscale(),
  'rotation 10°': image => image.rotate(10)
}

/** As alike as a photo and the same one saved again. */
const SAME = 0.999

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: 'string', default: 'mobilenet' },
    models: { type: 'string' },
    'per-class': { type: 'string' },
    query: { type: 'string', multiple: true },
    plain: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false }
  }
})
const [root] = positionals
if (flags.help || root === undefined) console.log(HELP)
else await main(root)

async function main(folder: string): Promise<void> {
  sharp.cache(false)
  sharp.concurrency(1)
  const photos = findPhotos(folder, Number(flags['per-class'] ?? Number.POSITIVE_INFINITY))
  for (const name of flags.model.split(',')) {
    const model = await openModel(name)
    const embedder = await Embedder.load(model)
    console.log(`\n## ${name} ${model.spec.id}, ${photos.length} photos${flags.plain ? ', plain preparation' : ''}\n`)
    const embed = (bytes: Buffer): Promise<Features> =>
      (flags.plain ? plain : pipeline)(bytes, model).then(pixels => embedder.image(pixels))
    const embedded: Embedded[] = []
    const started = performance.now()
    for (const photo of photos) embedded.push({ ...photo, features: await embed(readFileSync(photo.path)) })
    const ms = (performance.now() - started) / photos.length
    printRetrieval(embedded, ms)
    await printCopies(embedded, embed)
    if (model.spec.text !== undefined) await printWords(embedded, embedder)
    await embedder.release()
  }
}

/** As the image process does it. */
async function pipeline(bytes: Buffer, { spec }: LoadedModel): Promise<Uint8Array> {
  const { input } = await openPicture(bytes)
  return await squareOf(input, spec.image.size, spec.image.resize === 'cover' ? 'cover' : 'fill')
}

async function plain(bytes: Buffer, { spec }: LoadedModel): Promise<Uint8Array> {
  const { size } = spec.image
  return await sharp(bytes).rotate().toColourspace('srgb').removeAlpha().resize(size, size).raw().toBuffer()
}

function printRetrieval(photos: readonly Embedded[], ms: number): void {
  let [first, ten, precision] = [0, 0, 0]
  for (const photo of photos) {
    const hits = ranked(photos, imageOf(photo), photo).map(other => other.photo.className === photo.className)
    first += Number(hits[0])
    ten += hits.slice(0, 10).filter(Boolean).length / 10
    precision += averagePrecision(hits)
  }
  const n = photos.length
  const rows = [[share(first / n), share(ten / n), share(precision / n), `${ms.toFixed(1)} ms`]]
  printTable(['P@1', 'P@10', 'mAP', 'each photo'], rows)
}

async function printCopies(photos: readonly Embedded[], embed: (bytes: Buffer) => Promise<Features>): Promise<void> {
  const strangers = photos.map(photo => {
    const others = ranked(photos, imageOf(photo), photo)
    return others.find(({ similarity }) => similarity < SAME)!.similarity
  })
  const rows: string[][] = []
  for (const [name, change] of Object.entries(COPIES)) {
    let found = 0
    const own: number[] = []
    for (const photo of photos) {
      const upright = await sharp(photo.path).autoOrient().toColourspace('srgb').png().toBuffer()
      const { width, height } = await sharp(upright).metadata()
      const copy = imageOf({ features: await embed(await change(sharp(upright), width, height).jpeg().toBuffer()) })
      // of photos that are there twice, either will do
      found += Number(dot(imageOf(ranked(photos, copy)[0]!.photo), imageOf(photo)) > SAME)
      own.push(dot(copy, imageOf(photo)))
    }
    rows.push([name, share(found / photos.length), ...percentiles(own)])
  }
  rows.push(['closest other photo', '', ...percentiles(strangers)])
  printTable(['copy', 'recall@1', 'min', 'p5', 'median', 'p95', 'max'], rows)
}

async function printWords(photos: readonly Embedded[], embedder: Embedder): Promise<void> {
  const classes = Array.from(new Set(photos.map(photo => photo.className)))
  const queries = flags.query ?? classes.map(name => `${name}=${name}`)
  const rows: string[][] = []
  for (const query of queries) {
    const [words = '', meant = ''] = query.split('=')
    const wanted = meant.split(',')
    const { space, vector } = await embedder.text(words)
    const best = ranked(photos, vector, undefined, space)
    const hits = best.map(({ photo }) => wanted.includes(photo.className))
    const right = hits.slice(0, 10).filter(Boolean).length / 10
    const scores = [0, 9, best.length >> 1].map(at => best[at]?.similarity.toFixed(3) ?? '')
    rows.push([words, meant, ...(meant === '' ? ['', ''] : [share(right), share(averagePrecision(hits))]), ...scores])
  }
  printTable(['words', 'meant', 'P@10', 'AP', 'best score', '10th', 'median'], rows)
}

function ranked(
  photos: readonly Embedded[],
  vector: Float32Array,
  except?: Embedded,
  space: 'image' | 'text' = 'image'
): { readonly photo: Embedded; readonly similarity: number }[] {
  return photos
    .filter(photo => photo !== except)
    .map(photo => ({ photo, similarity: dot(vector, photo.features.vectors.get(space)!) }))
    .sort((a, b) => b.similarity - a.similarity)
}

function averagePrecision(hits: readonly boolean[]): number {
  let [found, sum] = [0, 0]
  for (const [rank, hit] of hits.entries()) if (hit) sum += ++found / (rank + 1)
  return found === 0 ? 0 : sum / found
}

function imageOf({ features }: { readonly features: Features }): Float32Array {
  return features.vectors.get('image')!
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}

/** @returns least, 5 %, half, 95 %, most */
function percentiles(numbers: readonly number[]): string[] {
  const sorted = [...numbers].sort((a, b) => a - b)
  return [0, 0.05, 0.5, 0.95, 1].map(part => sorted[Math.round(part * (sorted.length - 1))]!.toFixed(3))
}

function share(part: number): string {
  return part.toFixed(3)
}

function printTable(titles: readonly string[], rows: readonly (readonly string[])[]): void {
  for (const row of [titles, titles.map(() => '---'), ...rows]) console.log(`| ${row.join(' | ')} |`)
  console.log()
}

function findPhotos(folder: string, perClass: number): Photo[] {
  const classes = readdirSync(folder)
    .filter(name => statSync(join(folder, name)).isDirectory())
    .sort()
  return classes.flatMap(className => {
    const files = readdirSync(join(folder, className)).filter(name => /\.(jpe?g|png|webp)$/i.test(name))
    return files
      .sort()
      .slice(0, perClass)
      .map(name => ({ path: join(folder, className, name), className }))
  })
}

async function openModel(name: string): Promise<LoadedModel> {
  const folder = flags.models ?? modelsFolder()
  const model = await pulledModel(name, folder)
  if (model === undefined) throw new Error(`${name} is not in ${folder}: sheaf models pull ${name}`)
  return model
}
