import { hash } from 'node:crypto'
import { silentLog } from '../../../src/core/log.js'
import { encodeFeatures, type Features, modelIdOf } from '../../../src/domain/features.js'
import { featuresChange, phashChange } from '../../../src/domain/findings.js'
import type { PhotoId, UserId } from '../../../src/domain/ids.js'
import { PHOTO_KIND, viewPhoto } from '../../../src/domain/photo.js'
import { dataDraft } from '../../../src/store/photo-needles.js'
import { requireRecord } from '../../../src/store/record-writer.js'
import { SeededRandom } from '../../support/seeded-random.js'
import { unit } from '../../support/vector-maker.js'
import { bodyOf, type PhotosFixture, photosFixture } from '../photos/photos-fixture.js'

export const DIMENSION = 8
export const DIGEST = '0123456789abcdef'.repeat(4)
export const OTHER_DIGEST = 'fedcba9876543210'.repeat(4)

/** A perceptual hash, half of whose bits are set. */
export const PHASH = Uint8Array.of(0xf0, 0x0f, 0xf0, 0x0f, 0xf0, 0x0f, 0xf0, 0x0f)

/** @returns features with this image vector */
export function imageFeatures(vector: Iterable<number>, digest = DIGEST): Features {
  return { modelDigest: digest, vectors: new Map([['image', unit(Float32Array.from(vector))]]) }
}

/** Photos that can be given features, as if a model had analyzed them. */
export class SeenPhotos {
  readonly base: PhotosFixture
  readonly random: SeededRandom
  readonly log = silentLog
  #grown: (() => void)[] = []

  private constructor(base: PhotosFixture, seed: number) {
    this.base = base
    this.random = new SeededRandom(seed)
  }

  static async start(seed = 1): Promise<SeenPhotos> {
    return new SeenPhotos(await photosFixture(), seed)
  }

  readonly onNeedles = (listener: () => void): (() => void) => {
    this.#grown.push(listener)
    return () => {
      this.#grown = this.#grown.filter(other => other !== listener)
    }
  }

  /** Reports new needles, as a volume does when it grows. */
  grow(): void {
    for (const listener of this.#grown) listener()
  }

  async upload(contentType = 'image/jpeg', owner?: UserId): Promise<PhotoId> {
    const bytes = this.random.bytes(40)
    const { photoId } = await this.base.photos.upload(bodyOf(bytes), { contentType, filename: 'a.jpg', owner })
    return photoId
  }

  /** Writes what the image backlog writes when a model has analyzed a photo. */
  async see(id: PhotoId, vector: Iterable<number>, digest = DIGEST, phash: Uint8Array = PHASH): Promise<void> {
    const { writer } = this.base.components
    await writer.edit(id, (_, photo) => {
      const bytes = encodeFeatures(imageFeatures(vector, digest))
      const sha256 = hash('sha256', bytes, 'hex')
      const { generation } = photo
      return {
        changes: [featuresChange(modelIdOf(digest), { sha256, size: bytes.length }), phashChange(phash)],
        needles: [dataDraft(photo, { id, generation, part: 'features', sha256 }, 0, false, bytes)]
      }
    })
    this.grow()
  }

  async add(vector: Iterable<number>, digest = DIGEST, phash: Uint8Array = PHASH): Promise<PhotoId> {
    const id = await this.upload()
    await this.see(id, vector, digest, phash)
    return id
  }

  async addFor(owner: UserId, vector: Iterable<number>): Promise<PhotoId> {
    const id = await this.upload('image/jpeg', owner)
    await this.see(id, vector)
    return id
  }

  photo(id: PhotoId) {
    return viewPhoto(requireRecord(this.base.directory, id))
  }

  /** Live photos that the model has analyzed. */
  async seen(digest = DIGEST): Promise<PhotoId[]> {
    const ids: PhotoId[] = []
    for await (const record of this.base.directory.records(PHOTO_KIND)) {
      const photo = viewPhoto(record)
      const has = record.entries.some(({ field, key }) => field === 'features' && key === modelIdOf(digest))
      if (!photo.deleted && has) ids.push(photo.id)
    }
    return ids.sort()
  }

  /** Advances the clock and runs what is due. */
  async pass(ms: number): Promise<void> {
    // in pieces: what takes several turns of the event loop must not find the time gone
    for (let passed = 0; passed < ms; passed += 1_000) await this.base.clock.advance(Math.min(1_000, ms - passed))
  }
}
