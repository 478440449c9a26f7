import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import sharp, { type Sharp } from 'sharp'
import { differentBits, linkTier } from '../../src/domain/likeness.js'
import { HASH_SIDE, perceptualHash } from '../../src/similarity/images/perceptual-hash.js'
import { luminanceOf, openPicture, squareOf } from '../../src/similarity/images/picture.js'
import { Embedder } from '../../src/similarity/models/embedder.js'
import type { LoadedModel } from '../../src/similarity/models/model-spec.js'
import { modelsFolder, pulledModel } from './pulled-model.js'

const HELP = `npx tsx test/bench/near-copies.ts [--model NAME] [--models DIR] FOLDER
What tells copies of a photo from other photos: cosines of vectors and bits of perceptual hashes that differ, and which tier
they are linked in. FOLDER holds photos, or folders of them.`

/** What people do to a photo. */
const CHANGES: Readonly<Record<string, (image: Sharp, width: number, height: number) => Sharp>> = {
  'JPEG q40, 320 px': image => image.resize(320).jpeg({ quality: 40 }),
  'JPEG q20': image => image.jpeg({ quality: 20 }),
  'crop 95 %': cropTo(0.95),
  'crop 80 %': cropTo(0.8),
  flip: image => image.flop(),
  'brighter, paler': image => image.modulate({ brightness: 1.3, saturation: 0.8 }),
  grayscale: image => image.grayscale(),
  'rotation 10°': image => image.rotate(10)
}

interface Seen {
  readonly vector: Float32Array
  readonly phash: Uint8Array
}

interface Pair {
  readonly cosine: number
  readonly bits: number
  readonly tier: string
}

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: { model: { type: 'string', default: 'mobilenet' }, models: { type: 'string' }, help: { type: 'boolean' } }
})
const [root] = positionals
if (flags.help || root === undefined) console.log(HELP)
else await main(root)

async function main(folder: string): Promise<void> {
  sharp.cache(false)
  const model = await openModel(flags.model)
  const embedder = await Embedder.load(model)
  const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(name => /\.jpe?g$/i.test(name))
  const photos: Seen[] = []
  const rows = new Map<string, Pair[]>()
  for (const path of paths) {
    const upright = await sharp(readFileSync(join(folder, path)))
      .autoOrient()
      .png()
      .toBuffer()
    const { width, height } = await sharp(upright).metadata()
    const own = await look(upright, model, embedder)
    photos.push(own)
    for (const [name, change] of Object.entries(CHANGES)) {
      const copy = await look(await change(sharp(upright), width, height).jpeg().toBuffer(), model, embedder)
      rows.set(name, [...(rows.get(name) ?? []), compare(own, copy)])
    }
  }
  const others = photos.flatMap((a, i) => photos.slice(i + 1).map(b => compare(a, b)))
  const close = others.toSorted((a, b) => b.cosine - a.cosine).slice(0, 100)
  console.log(`${flags.model} ${model.spec.id}, ${photos.length} photos, ${others.length} pairs of different ones\n`)
  console.log('| copy | cosine: min | p5 | median | bits: median | p95 | near | similar | none |')
  console.log('|---|---|---|---|---|---|---|---|---|')
  for (const [name, pairs] of rows) printRow(name, pairs)
  printRow('the 100 closest pairs of different photos', close)
  printRow('all pairs of different photos', others)
  console.log(
    `\nclosest: ${close
      .slice(0, 5)
      .map(({ cosine, bits }) => `${cosine.toFixed(3)} with ${bits} bits`)
      .join(', ')}`
  )
  const least = others.toSorted((a, b) => a.bits - b.bits).slice(0, 5)
  console.log(`fewest bits: ${least.map(({ cosine, bits }) => `${bits} at ${cosine.toFixed(3)}`).join(', ')}`)
  await embedder.release()
}

async function look(bytes: Buffer, { spec }: LoadedModel, embedder: Embedder): Promise<Seen> {
  const { input } = await openPicture(bytes)
  const { vectors } = await embedder.image(
    await squareOf(input, spec.image.size, spec.image.resize === 'cover' ? 'cover' : 'fill')
  )
  return { vector: vectors.get('image')!, phash: perceptualHash(await luminanceOf(input, HASH_SIDE)) }
}

function compare(a: Seen, b: Seen): Pair {
  const cosine = a.vector.reduce((sum, value, i) => sum + value * b.vector[i]!, 0)
  return { cosine, bits: differentBits(a.phash, b.phash), tier: linkTier(cosine, a.phash, b.phash) ?? 'none' }
}

function printRow(name: string, pairs: readonly Pair[]): void {
  const cosines = pairs.map(({ cosine }) => cosine).sort((a, b) => a - b)
  const bits = pairs.map(pair => pair.bits).sort((a, b) => a - b)
  const at = (values: readonly number[], share: number): number => values[Math.floor(share * (values.length - 1))]!
  const numbers = [at(cosines, 0), at(cosines, 0.05), at(cosines, 0.5)].map(value => value.toFixed(3))
  const tiers = ['near', 'similar', 'none'].map(tier => pairs.filter(pair => pair.tier === tier).length)
  console.log(`| ${[name, ...numbers, at(bits, 0.5), at(bits, 0.95), ...tiers].join(' | ')} |`)
}

function cropTo(share: number): (image: Sharp, width: number, height: number) => Sharp {
  return (image, width, height) =>
    image.extract({
      left: Math.floor(((1 - share) / 2) * width),
      top: Math.floor(((1 - share) / 2) * height),
      width: Math.floor(share * width),
      height: Math.floor(share * height)
    })
}

async function openModel(name: string): Promise<LoadedModel> {
  const folder = flags.models ?? modelsFolder()
  const model = await pulledModel(name, folder)
  if (model === undefined) throw new Error(`${name} is not in ${folder}: sheaf models pull ${name}`)
  return model
}
