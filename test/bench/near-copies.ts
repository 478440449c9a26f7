import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import sharp, { type Sharp } from 'sharp'
import { groupsAround } from '../../src/domain/groups.js'
import { areNear, differentBits, linkTier } from '../../src/domain/likeness.js'
import { HASH_SIDE, perceptualHash } from '../../src/similarity/images/perceptual-hash.js'
import { openPicture } from '../../src/similarity/images/picture.js'
import { luminanceOf, squareOf } from '../../src/similarity/images/pixels.js'
import { Embedder } from '../../src/similarity/models/embedder.js'
import type { LoadedModel } from '../../src/similarity/models/model-spec.js'
import { modelsFolder, pulledModel } from './pulled-model.js'

const HELP = `npx tsx test/bench/near-copies.ts [--model NAME] [--models DIR] FOLDER
What tells copies of a photo from other photos: cosines of vectors and bits of perceptual hashes that differ, and which tier they are
linked in; what the groups of copies are when all of it is in one library; and which flat pictures have a hash. FOLDER holds photos, or
folders of them.`

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

/** A burst: what a hand that trembles takes, shares of the side that the frame moves. */
const FRAMES = [0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08]
/** Of the frame. */
const BURST_SHARE = 0.9

/** 640 × 480, grey levels; beyond 0…255: clipped. */
const FLAT: Readonly<Record<string, (x: number, y: number) => number>> = {
  white: () => 255,
  'faint noise': () => 128 + Math.random() * 4,
  'strong noise': () => 108 + Math.random() * 40,
  'cap on the lens': (x, y) => 6 + Math.random() * 8 - ((x - 320) ** 2 + (y - 240) ** 2) / 60_000,
  gradient: (x, y) => x / 5 + y / 4,
  'blank sheet in uneven light': (x, y) => 245 - 20 * Math.exp(-x / 60) + Math.random() * 4 - y / 60,
  'blank sheet, edge of the scanner': (x, y) => (x > 630 || y > 474 ? 180 : 250) + Math.random() * 4,
  'blank sheet, askew': (x, y) => (y + x * 0.02 > 470 ? 120 : 248) + Math.random() * 4,
  'a line of print': (x, y) => (y > 80 && y < 96 && x > 50 && x < 190 && x % 8 > 3 ? 0 : 255),
  'clear sky': (x, y) => 200 - y / 8 + (x * y) / 15_000 + Math.random() * 4
}

interface Seen {
  readonly vector: Float32Array
  readonly phash: Uint8Array | undefined
  /** What it was made of. */
  readonly photo: string
  readonly shot: undefined
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
  const library: Seen[] = []
  const bursts: Seen[] = []
  const rows = new Map<string, Pair[]>()
  for (const path of paths) {
    const upright = await sharp(readFileSync(join(folder, path)))
      .autoOrient()
      .png()
      .toBuffer()
    const { width, height } = await sharp(upright).metadata()
    const lookAs = async (bytes: Buffer): Promise<Seen> => ({
      ...(await look(bytes, model, embedder)),
      photo: path,
      shot: undefined
    })
    const own = await lookAs(upright)
    photos.push(own)
    library.push(own)
    for (const [name, change] of Object.entries(CHANGES)) {
      const copy = await lookAs(await change(sharp(upright), width, height).jpeg().toBuffer())
      library.push(copy)
      rows.set(name, [...(rows.get(name) ?? []), compare(own, copy)])
    }
    for (const move of FRAMES) {
      const frame = await frameAt(move, width, height)(sharp(upright)).jpeg().toBuffer()
      bursts.push(await lookAs(frame))
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
  console.log(
    '\n| library | photos | tier | groups | photos in them | largest | of several photos | connected by links | largest |'
  )
  console.log('|---|---|---|---|---|---|---|---|---|')
  for (const tier of ['near', 'similar'] as const) {
    await printGroups('photos and their copies', library, tier)
    await printGroups('photos and their bursts', bursts, tier)
  }
  console.log('\n| flat picture | hash |\n|---|---|')
  for (const [name, greyAt] of Object.entries(FLAT)) {
    const pixels = Uint8ClampedArray.from({ length: 640 * 480 }, (_, i) => greyAt(i % 640, Math.floor(i / 640)))
    const image = sharp(pixels, { raw: { width: 640, height: 480, channels: 1 } }).jpeg()
    const { phash } = await look(await image.toBuffer(), model, embedder)
    console.log(`| ${name} | ${phash === undefined ? 'none' : Buffer.from(phash).toString('hex')} |`)
  }
  await embedder.release()
}

/** Links as a node finds them when the photos come in one by one: the best ten of those that were there. */
async function printGroups(name: string, seen: readonly Seen[], tier: 'near' | 'similar'): Promise<void> {
  const byName = new Map(seen.map((one, i) => [`${i}`, one]))
  const links = seen.flatMap((one, i) =>
    seen
      .slice(0, i)
      .map((other, j) => ({ a: `${i}`, b: `${j}`, ...compare(one, other) }))
      .filter(link => link.tier !== 'none')
      .sort((a, b) => b.cosine - a.cosine)
      .slice(0, 10)
      .filter(link => tier === 'similar' || link.tier === tier)
  )
  const isNear = (a: string, b: string): boolean => areNear(byName.get(a)!, byName.get(b)!)
  const groups = await groupsAround(links, (center, other, member) =>
    tier === 'near' ? isNear(center, other) : center === member
  )
  const connected = await groupsAround(links, () => true)
  const largest = (found: readonly string[][]): number => Math.max(0, ...found.map(({ length }) => length))
  const mixed = groups.filter(group => new Set(group.map(id => byName.get(id)!.photo)).size > 1).length
  const row = [name, seen.length, tier, groups.length, groups.flat().length, largest(groups), mixed, connected.length]
  console.log(`| ${[...row, largest(connected)].join(' | ')} |`)
}

/** A frame that moves to the right and down. */
function frameAt(move: number, width: number, height: number): (image: Sharp) => Sharp {
  return image =>
    image.extract({
      left: Math.floor(move * width),
      top: Math.floor((move / 2) * height),
      width: Math.floor(BURST_SHARE * width),
      height: Math.floor(BURST_SHARE * height)
    })
}

async function look(bytes: Buffer, { spec }: LoadedModel, embedder: Embedder): Promise<Pick<Seen, 'vector' | 'phash'>> {
  const { input } = await openPicture(bytes)
  const { vectors } = await embedder.image(
    await squareOf(input, spec.image.size, spec.image.resize === 'cover' ? 'cover' : 'fill')
  )
  return { vector: vectors.get('image')!, phash: perceptualHash(await luminanceOf(input, HASH_SIDE)) }
}

function compare(a: Seen, b: Seen): Pair {
  const cosine = a.vector.reduce((sum, value, i) => sum + value * b.vector[i]!, 0)
  const bits = a.phash && b.phash ? differentBits(a.phash, b.phash) : 64
  return { cosine, bits, tier: linkTier(cosine, a, b) ?? 'none' }
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
