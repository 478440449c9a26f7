import { hash } from 'node:crypto'
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../src/core/clock.js'
import { silentLog } from '../../src/core/log.js'
import { nodeFileSystem } from '../../src/core/node-file-system.js'
import { systemRandom } from '../../src/core/random.js'
import { levelDatabase } from '../../src/directory/database.js'
import { encodeFeatures, modelIdOf } from '../../src/domain/features.js'
import { featuresChange, headChange, imageChange, phashChange } from '../../src/domain/findings.js'
import type { PhotoId } from '../../src/domain/ids.js'
import { type AltKey, addVariantChange, type Photo } from '../../src/domain/photo.js'
import { dimensionsChange } from '../../src/domain/photo-facts.js'
import type { Change } from '../../src/domain/record.js'
import { loadIdentity, verifySignature } from '../../src/identity.js'
import { NodeServices } from '../../src/node-services.js'
import { HEAD_READER } from '../../src/similarity/images/heads/head-facts.js'
import { PICTURE_READER } from '../../src/similarity/images/image-analyzer.js'
import { dataDraft } from '../../src/store/photo-needles.js'
import type { Edit } from '../../src/store/record-writer.js'
import type { NeedleDraft } from '../../src/volumes/needle-store.js'
import { fakeJpeg, noiseBytes } from '../support/photo-maker.js'

const UPLOADS_AT_ONCE = 512
const PURGE_MS = 30 * 24 * 3_600_000
const SIZES: readonly Exclude<AltKey, 'orig'>[] = ['thumb', 'small', 'large']
const MODEL_DIGEST = hash('sha256', 'bench')
const FEATURES = encodeFeatures({ modelDigest: MODEL_DIGEST, vectors: new Map([['image', Float32Array.of(1, 0, 0)]]) })

export interface LibraryInit {
  readonly photos: number
  /** 7: with three smaller sizes, features, and the record of a look at it; 2: the bytes and their record. */
  readonly needles: 2 | 7
  /** Of each photo, and of each smaller size. */
  readonly bytes: number
  readonly volumeBytes: number
}

/** Services of a node on a folder, in this process and on their own. */
export async function openServices(
  folder: string,
  { volumeBytes, purgeMs = PURGE_MS }: { readonly volumeBytes: number; readonly purgeMs?: number }
): Promise<NodeServices> {
  await nodeFileSystem.makeDirectory(folder)
  const identity = await loadIdentity({ fileSystem: nodeFileSystem, random: systemRandom }, folder)
  const services = new NodeServices(
    {
      fileSystem: nodeFileSystem,
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
      database: levelDatabase(join(folder, 'directory'), nodeFileSystem),
      sign: bytes => identity.sign(bytes),
      verifySignature
    },
    {
      folder,
      origin: identity.publicKey,
      volumeBytes,
      purgeMs,
      maxUploadBytes: 1e9,
      minCopies: 1,
      requireCookie: false
    }
  )
  await services.start()
  return services
}

/**
 * A folder of a node with photos that are all looked at, made by the real store in this process and kept for the next run.
 *
 * @param cache - where that folder is kept
 * @returns the folder
 */
export async function madeLibrary(cache: string, name: string, init: LibraryInit): Promise<string> {
  const folder = join(cache, name)
  const complete = join(cache, `${name}.complete`)
  if (existsSync(complete)) return folder
  rmSync(folder, { recursive: true, force: true })
  const started = performance.now()
  const services = await openServices(folder, init)
  await addPhotos(services, init)
  await services.stop()
  process.stderr.write(`  made in ${((performance.now() - started) / 1e3).toFixed(0)} s\n`)
  writeFileSync(complete, `${init.photos}\n`)
  return folder
}

/** @returns their ids, in the order in which they were made */
export async function addPhotos(services: NodeServices, { photos, needles, bytes }: LibraryInit): Promise<PhotoId[]> {
  const photo = fakeJpeg(1, bytes)
  const size = noiseBytes(2, bytes)
  const ids: PhotoId[] = []
  let begun = 0
  const upload = async (): Promise<void> => {
    while (begun < photos) {
      const filename = `photo ${begun++}.jpg`
      if (begun % 100_000 === 0) process.stderr.write(`  ${begun} photos made\n`)
      const init = { filename, contentType: 'image/jpeg', declaredBytes: photo.length }
      const { photoId } = await services.photos.upload(once(photo), init)
      if (needles === 7) await services.local.writer.edit(photoId, (_, now) => lookOf(now, size))
      ids.push(photoId)
    }
  }
  await Promise.all(Array.from({ length: UPLOADS_AT_ONCE }, upload))
  return ids
}

/** What a node writes when it has looked at a photo. */
function lookOf(photo: Photo, size: Uint8Array): Edit {
  const { id, generation } = photo
  const changes: Change[] = [
    headChange(HEAD_READER, 'jpeg'),
    dimensionsChange(4_000, 3_000),
    imageChange({ state: 'whole', reader: PICTURE_READER, decoder: 'bench', thumbhash: new Uint8Array(20).fill(7) }),
    phashChange(new Uint8Array(8).fill(0x5a))
  ]
  const drafts: NeedleDraft[] = []
  const sha256 = hash('sha256', size)
  for (const alt of SIZES) {
    changes.push(
      addVariantChange(alt, { recipe: 'bench', sha256, size: size.length, contentType: 'image/webp', chunkBytes: 0 })
    )
    drafts.push(dataDraft(photo, { id, generation, part: alt, sha256 }, 0, false, size))
  }
  const features = { sha256: hash('sha256', FEATURES), size: FEATURES.length }
  changes.push(featuresChange(modelIdOf(MODEL_DIGEST), features))
  drafts.push(dataDraft(photo, { id, generation, part: 'features', sha256: features.sha256 }, 0, false, FEATURES))
  return { changes, needles: drafts }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}
