import { hash } from 'node:crypto'
import { expect, test } from 'vitest'
import { SheafError } from '../../../src/core/errors.js'
import type { PhotoId } from '../../../src/domain/ids.js'
import { noiseBytes } from '../../support/photo-maker.js'
import { SeededRandom, testSeeds } from '../../support/seeded-random.js'
import { bodyOf, CHUNK_BYTES, collect, type PhotosFixture, photosFixture } from './photos-fixture.js'

const STEPS = 120
const TAGS = ['sea', 'farm', 'bird']

/** What a photo should be. */
interface ModelPhoto {
  readonly bytes: Uint8Array
  thumb: Uint8Array | undefined
  deleted: boolean
  name: string
  caption: string | undefined
  rating: number | undefined
  tags: Set<string>
}

/** A map of photos under random operations, against the service; appends fail at random and must then change nothing. */
class Model {
  readonly #random: SeededRandom
  readonly #fixture: PhotosFixture
  readonly #photos = new Map<PhotoId, ModelPhoto>()
  #failing = false

  constructor(random: SeededRandom, fixture: PhotosFixture) {
    this.#random = random
    this.#fixture = fixture
    // A failing append fails either at the start of the operation or, with several appends, in the middle of it.
    fixture.store.failAppend = () =>
      this.#failing && random.chance(0.5) ? new SheafError('ERR_DISK_WRITE') : undefined
  }

  async step(): Promise<void> {
    const operations = [
      this.#upload,
      this.#upload,
      this.#addThumb,
      this.#patch,
      this.#patch,
      this.#remove,
      this.#undelete,
      this.#open
    ]
    this.#failing = this.#random.chance(0.3)
    await this.#fixture.clock.advance(this.#random.below(3))
    await this.#random.pick(operations).call(this)
    this.#failing = false
  }

  async check(): Promise<void> {
    const { photos } = this.#fixture
    for (const [id, model] of this.#photos) {
      if (model.deleted) {
        await expect(photos.open(id, 'orig')).rejects.toMatchObject({ code: 'ERR_PHOTO_DELETED' })
        expect(photos.openHot(id)).toBeUndefined()
        continue
      }
      const { photo, copies } = await photos.meta(id)
      const { name, caption, rating, tags, bytes } = model
      expect(photo).toMatchObject({
        name,
        caption,
        rating,
        tags: [...tags].sort(),
        sha256: hash('sha256', bytes, 'hex')
      })
      expect(copies).toBe(1)
      const content = await photos.open(id, 'orig')
      const start = this.#random.below(bytes.length)
      expect((await collect(content.stream(start, bytes.length))).equals(bytes.subarray(start))).toBe(true)
      const hot = photos.openHot(id)
      if (bytes.length <= CHUNK_BYTES) expect(Buffer.from(hot?.lease.data ?? []).equals(bytes)).toBe(true)
      hot?.lease.release()
      if (model.thumb !== undefined) {
        const thumb = await photos.open(id, 'thumb')
        expect((await collect(thumb.stream(0, thumb.head.size))).equals(model.thumb)).toBe(true)
      }
    }
    const live = [...this.#photos].filter(([, model]) => !model.deleted)
    expect(new Set((await photos.list({ limit: 1_000 })).photos.map(({ photo }) => photo.id))).toEqual(
      new Set(live.map(([id]) => id))
    )
    for (const tag of TAGS)
      expect((await photos.list({ tag })).total).toBe(live.filter(([, model]) => model.tags.has(tag)).length)
    expect(this.#fixture.store.leases).toBe(0)
  }

  async #upload(): Promise<void> {
    const random = this.#random
    const bytes = noiseBytes(random.below(1e9), 1 + random.below(random.pick([20, CHUNK_BYTES, 6 * CHUNK_BYTES])))
    const tags = TAGS.filter(() => random.chance(0.3))
    const name = `${random.below(5)}.txt`
    const declaredBytes = random.pick([undefined, bytes.length])
    const body = bodyOf(bytes, 1 + random.below(2_000))
    const receipt = await this.#attempt(() =>
      this.#fixture.photos.upload(body, { filename: name, tags, declaredBytes })
    )
    if (receipt === undefined) return
    const unset = { thumb: undefined, deleted: false, caption: undefined, rating: undefined }
    this.#photos.set(receipt.photoId, { ...unset, bytes, name, tags: new Set(tags) })
  }

  async #addThumb(): Promise<void> {
    const [id, model] = this.#pick()
    if (model === undefined) return
    const bytes = noiseBytes(this.#random.below(3), 50)
    const outcome = this.#attempt(() => this.#fixture.photos.addSize(id, 'thumb', bodyOf(bytes), {}))
    if (model.deleted) await expect(outcome).rejects.toMatchObject({ code: 'ERR_PHOTO_DELETED' })
    else if (model.thumb !== undefined && Buffer.compare(model.thumb, bytes) !== 0) {
      await expect(outcome).rejects.toMatchObject({ code: 'ERR_ALT_KEY_EXISTS' })
    } else if ((await outcome) !== undefined) model.thumb = bytes
  }

  async #patch(): Promise<void> {
    const random = this.#random
    const [id, model] = this.#pick()
    if (model === undefined) return
    const add = TAGS.filter(() => random.chance(0.3))
    const remove = TAGS.filter(tag => !add.includes(tag) && random.chance(0.3))
    const changes = {
      ...(random.chance(0.5) ? { name: `n${random.below(3)}` } : {}),
      ...(random.chance(0.5) ? { caption: random.pick([null, 'c1', 'c2']) } : {}),
      ...(random.chance(0.5) ? { rating: random.pick([null, 0, 5]) } : {})
    }
    const outcome = this.#attempt(() => this.#fixture.photos.patch(id, { ...changes, tags: { add, remove } }))
    if (model.deleted) {
      await expect(outcome).rejects.toMatchObject({ code: 'ERR_PHOTO_DELETED' })
      return
    }
    if ((await outcome) === undefined) return
    if (changes.name !== undefined) model.name = changes.name
    if (changes.caption !== undefined) model.caption = changes.caption ?? undefined
    if (changes.rating !== undefined) model.rating = changes.rating ?? undefined
    for (const tag of add) model.tags.add(tag)
    for (const tag of remove) model.tags.delete(tag)
  }

  async #remove(): Promise<void> {
    const [id, model] = this.#pick()
    if (model !== undefined && (await this.#attempt(() => this.#fixture.photos.remove(id).then(() => true))))
      model.deleted = true
  }

  async #undelete(): Promise<void> {
    const [id, model] = this.#pick()
    if (model !== undefined && (await this.#attempt(() => this.#fixture.photos.undelete(id).then(() => true))))
      model.deleted = false
  }

  async #open(): Promise<void> {
    const [id, model] = this.#pick()
    if (model?.deleted === false) await this.#fixture.photos.open(id, 'orig')
  }

  /** @returns undefined when the operation failed because an append did, which it may */
  async #attempt<Result>(operation: () => Promise<Result>): Promise<Result | undefined> {
    try {
      return await operation()
    } catch (err) {
      if (this.#failing && err instanceof SheafError && err.code === 'ERR_DISK_WRITE') return undefined
      throw err
    }
  }

  #pick(): [PhotoId, ModelPhoto] | [PhotoId, undefined] {
    return this.#photos.size === 0 ? ['' as PhotoId, undefined] : this.#random.pick([...this.#photos])
  }
}

test.each(testSeeds(8))('photos behave like a simple map of them, under seed %i', async seed => {
  const random = new SeededRandom(seed)
  const model = new Model(random, await photosFixture())
  for (let step = 0; step < STEPS; step++) {
    await model.step()
    if (step % 10 === 0) await model.check()
  }
  await model.check()
})
