import { hash } from 'node:crypto'
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp, { type Sharp } from 'sharp'
import { headChange, imageChange } from '../../src/domain/findings.js'
import { addVariantChange, type Photo } from '../../src/domain/photo.js'
import { dimensionsChange, takenAtChange } from '../../src/domain/photo-facts.js'
import { HEAD_READER } from '../../src/similarity/images/heads/head-facts.js'
import { PICTURE_READER } from '../../src/similarity/images/image-analyzer.js'
import { thumbHash } from '../../src/similarity/images/thumb-hash.js'
import { dataDraft } from '../../src/store/photo-needles.js'
import type { Edit } from '../../src/store/record-writer.js'
import { SeededRandom } from '../support/seeded-random.js'
import { scene, toImage } from '../support/test-pictures.js'
import { openServices } from './library.js'

/** With fewer volumes than the default size makes: a folder of this many photos is 2 GB. */
export const VOLUME_BYTES = 1_000_000_000
const UPLOADS_AT_ONCE = 512
const SCENES = 120
const SHAPES = [1.5, 1.333, 0.667, 0.75, 1.778] as const
const SMALL_PX = 640
const THUMB_PX = 256
const FIRST_DAY_MS = Date.UTC(2004, 0, 1)
const YEARS_MS = 22 * 365 * 86_400_000

interface Picture {
  readonly width: number
  readonly height: number
  /** It is as large as a smaller size, so it stands in for those. */
  readonly original: Buffer
  readonly thumb: Buffer
  readonly thumbhash: Uint8Array
}

/**
 * A folder of a node with photos of 22 years, all looked at, made by the real store in this process and kept for the next run.
 *
 * @param cache - where that folder is kept
 * @param originals - a folder of JPEGs that the pictures are made of; undefined: made-up scenes
 * @returns the folder
 */
export async function madePageLibrary(cache: string, photos: number, originals: string | undefined): Promise<string> {
  const name = `page-${photos}${originals === undefined ? '' : '-real'}`
  const folder = join(cache, name)
  const complete = join(cache, `${name}.complete`)
  if (existsSync(complete)) return folder
  rmSync(folder, { recursive: true, force: true })
  const pictures = await Promise.all((originals === undefined ? scenes() : imagesIn(originals)).map(pictureOf))
  const services = await openServices(folder, { volumeBytes: VOLUME_BYTES })
  const random = new SeededRandom(1)
  let begun = 0
  const upload = async (): Promise<void> => {
    while (begun < photos) {
      const picture = pictures[begun % pictures.length] as Picture
      const init = { filename: `${begun++}.jpg`, contentType: 'image/jpeg', declaredBytes: picture.original.length }
      if (begun % 10_000 === 0) process.stderr.write(`  ${begun} photos made\n`)
      const takenMs = FIRST_DAY_MS + random.below(YEARS_MS)
      const { photoId } = await services.photos.upload(once(picture.original), init)
      await services.local.writer.edit(photoId, (_, photo) => lookOf(photo, picture, takenMs))
    }
  }
  await Promise.all(Array.from({ length: UPLOADS_AT_ONCE }, upload))
  await services.stop()
  writeFileSync(complete, `${photos}\n`)
  return folder
}

function scenes(): Sharp[] {
  return Array.from({ length: SCENES }, (_, seed) => {
    const shape = SHAPES[seed % SHAPES.length] as number
    return toImage(
      scene(seed + 1, Math.round(shape > 1 ? 160 : 160 * shape), Math.round(shape > 1 ? 160 / shape : 160))
    )
  })
}

function imagesIn(folder: string): Sharp[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(name => /\.jpe?g$/i.test(name))
    .map(name => sharp(join(folder, name)))
}

async function pictureOf(image: Sharp): Promise<Picture> {
  const small = image.resize(SMALL_PX, SMALL_PX, { fit: 'inside' })
  const { data: original, info } = await small.jpeg({ quality: 60 }).toBuffer({ resolveWithObject: true })
  const thumb = sharp(original).resize(THUMB_PX, THUMB_PX, { fit: 'inside' })
  const { data, info: shown } = await thumb.clone().removeAlpha().raw().toBuffer({ resolveWithObject: true })
  return {
    width: info.width,
    height: info.height,
    original,
    thumb: await thumb.jpeg({ quality: 70 }).toBuffer(),
    thumbhash: await thumbHash({ data, width: shown.width, height: shown.height, channels: 3 })
  }
}

/** What a node writes when it has looked at a photo. */
function lookOf(photo: Photo, { width, height, thumb, thumbhash }: Picture, takenMs: number): Edit {
  const { id, generation } = photo
  const sha256 = hash('sha256', thumb)
  return {
    changes: [
      headChange(HEAD_READER, 'jpeg'),
      dimensionsChange(width, height),
      takenAtChange({ ms: takenMs }),
      imageChange({ state: 'whole', reader: PICTURE_READER, decoder: 'bench', thumbhash }),
      addVariantChange('thumb', {
        recipe: 'bench',
        sha256,
        size: thumb.length,
        contentType: 'image/jpeg',
        chunkBytes: 0
      })
    ],
    needles: [dataDraft(photo, { id, generation, part: 'thumb', sha256 }, 0, false, thumb)]
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}
