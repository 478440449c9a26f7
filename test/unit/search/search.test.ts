import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { SheafError } from '../../../src/core/errors.js'
import { silentLog } from '../../../src/core/log.js'
import { AudienceSet, audienceText, namedAudience } from '../../../src/domain/audience.js'
import { modelIdOf } from '../../../src/domain/features.js'
import { featuresFailedChange, headChange, imageChange } from '../../../src/domain/findings.js'
import type { AlbumId, PhotoId, UserId } from '../../../src/domain/ids.js'
import { INDEX_LANGUAGE_7 } from '../../../src/domain/past-terms.js'
import { cameraChange, takenAtChange } from '../../../src/domain/photo-facts.js'
import { ALL_SHARDS, SHARD_COUNT } from '../../../src/domain/shards.js'
import { INDEX_LANGUAGE } from '../../../src/domain/terms.js'
import { KnownAlbums } from '../../../src/photos/viewers/known-albums.js'
import { ALL_SEEING, type Viewer } from '../../../src/photos/viewers/viewer.js'
import { Viewers } from '../../../src/photos/viewers/viewers.js'
import type { LookAtFileComponents } from '../../../src/search/look-at-file.js'
import { Similarity } from '../../../src/search/similarity.js'
import type { SearchOptions, SearchResults } from '../../../src/search/similarity-types.js'
import type { LoadedModel, ModelSpec } from '../../../src/similarity/models/model-spec.js'
import { ExactVectorIndexes } from '../../support/exact-vector-indexes.js'
import { SimulatedDisk } from '../../support/simulated-disk.js'
import { SimulatedFileSystem } from '../../support/simulated-file-system.js'
import { VectorAnalyzer, vectorImage } from '../../support/vector-analyzer.js'
import { nearVector, randomPhotoId, unitVector } from '../../support/vector-maker.js'
import { bodyOf } from '../photos/photos-fixture.js'
import { DIGEST, DIMENSION, imageFeatures, OTHER_DIGEST, PHASH, SeenPhotos } from './similarity-fixture.js'

const MODEL = { id: modelIdOf(DIGEST), name: 'test', spaces: new Map([['image', DIMENSION]] as const) }
const NEXT_MODEL = { id: modelIdOf(OTHER_DIGEST), name: 'next', spaces: new Map([['image', DIMENSION]] as const) }
const [LOADED, NEXT_LOADED] = [loaded('test', DIGEST), loaded('next', OTHER_DIGEST)]
const never = new AbortController().signal
const ANNA = { userId: '01890000-0000-7000-8000-000000000001' as UserId, role: 'user' as const }
const BEN = { userId: '01890000-0000-7000-8000-000000000002' as UserId, role: 'user' as const }

function loaded(name: string, digest: string): LoadedModel {
  const spec = { id: modelIdOf(digest), digest, name, image: { dimension: DIMENSION } } as ModelSpec
  return { spec, folder: `/models/${name}` }
}

let photos: SeenPhotos
let disk: SimulatedDisk
let indexes: ExactVectorIndexes
let analyzer: VectorAnalyzer
let similarity: Similarity
let viewers: Viewers
let language = INDEX_LANGUAGE
let ffmpeg: LookAtFileComponents['ffmpeg']
let lookUps: PhotoId[]

function newSimilarity(): Similarity {
  const { directory, clock, components } = photos.base
  return new Similarity(
    {
      directory,
      reader: components.reader,
      writer: components.writer,
      viewers,
      analyzer,
      ffmpeg,
      onNeedles: photos.onNeedles,
      indexes,
      isReplicating: () => false,
      fetchRecord: async id => {
        lookUps.push(id)
        return false
      },
      fileSystem: new SimulatedFileSystem(disk),
      clock,
      random: photos.random,
      log: silentLog
    },
    { folder: '/data' }
  )
}

beforeEach(async () => {
  photos = await SeenPhotos.start()
  disk = new SimulatedDisk({ folders: ['/data'] })
  indexes = new ExactVectorIndexes()
  analyzer = new VectorAnalyzer(DIGEST)
  ffmpeg = undefined
  lookUps = []
  language = INDEX_LANGUAGE
  const asked = new Proxy(photos.base.directory, {
    get: (target, name) => {
      if (name === 'language') return language
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    }
  })
  viewers = new Viewers({
    ...photos.base,
    directory: asked,
    log: silentLog,
    albums: new KnownAlbums({ ...photos.base, unowned: () => 'everyone' }),
    groupsOf: () => []
  })
  await viewers.start()
  similarity = newSimilarity()
  await similarity.start()
})
afterEach(async () => {
  await similarity.stop()
  await viewers.stop()
})

const vector = (): Float32Array => unitVector(photos.random, DIMENSION)
const settle = (): Promise<void> => photos.pass(3_000)
const idsOf = ({ results }: SearchResults): PhotoId[] => results.map(({ photoId }) => photoId)
const byImage = (of: Iterable<number>, k?: number): Promise<SearchResults> =>
  similarity.search.byImage(bodyOf(vectorImage(of)), () => ({ k }), never)

async function use(): Promise<void> {
  await similarity.models.use(MODEL)
  await settle()
}

describe('without a model', () => {
  test('every search fails with that error, after errors of the request itself', async () => {
    analyzer.model = undefined
    const id = await photos.upload()
    const text = await photos.upload('text/plain')
    const unavailable = { code: 'ERR_MODEL_UNAVAILABLE' }
    await expect(byImage([1])).rejects.toMatchObject(unavailable)
    await expect(similarity.search.byText('rose', {}, never)).rejects.toMatchObject(unavailable)
    await expect(similarity.search.byPhoto(id, {}, never)).rejects.toMatchObject(unavailable)
    await expect(similarity.search.byPhoto(text, {}, never)).rejects.toMatchObject({ code: 'ERR_NOT_AN_IMAGE' })
    await expect(byImage([1], 0)).rejects.toMatchObject({ code: 'ERR_BAD_PARAMETER' })
    await expect(similarity.search.byText('  ', {}, never)).rejects.toMatchObject({ code: 'ERR_BAD_PARAMETER' })
    await expect(similarity.search.byImage(bodyOf(Buffer.alloc(0)), () => ({}), never)).rejects.toMatchObject({
      code: 'ERR_EMPTY_FILE'
    })
    expect(similarity.status()).toEqual({ model: undefined, vectors: 0, pending: 1, shardsLeftOut: 0, tools: [] })
  })
})

describe('by a picture', () => {
  test('the nearest photos come first, with their scores and the coverage', async () => {
    const center = vector()
    const ids: PhotoId[] = []
    for (let i = 1; i <= 8; i++) ids.push(await photos.add(nearVector(photos.random, center, 0.2 * i)))
    for (let i = 0; i < 30; i++) await photos.add(vector())
    await use()
    const found = await byImage(center, 8)
    expect(found.results).toHaveLength(8)
    expect(ids).toEqual(expect.arrayContaining(idsOf(found).slice(0, 4)))
    const scores = found.results.map(({ score }) => score)
    expect(scores).toEqual(scores.toSorted((a, b) => b - a))
    expect(found.coverage).toEqual({ shardsOk: SHARD_COUNT, shardsTotal: SHARD_COUNT, fraction: 1 })
    expect(found.model).toEqual({ id: MODEL.id, name: 'test' })
    expect(similarity.status()).toEqual({
      model: { id: MODEL.id, name: 'test' },
      vectors: 38,
      pending: 0,
      shardsLeftOut: 0,
      tools: []
    })
  })

  test('that is a RAW file or a video is looked at as a stored one is: by the picture in it', async () => {
    const center = vector()
    const near = await photos.add(nearVector(photos.random, center, 0.1))
    await use()
    const picture = Buffer.from(vectorImage(center))
    const around = (length: number): Buffer => Buffer.concat([Buffer.alloc(10), picture, Buffer.alloc(length)])
    const raw = around(1)
    const place = { at: 10, length: picture.length, width: 4, height: 3 }
    analyzer.heads.set(raw.length, { format: 'cr2', previews: [place] })
    const byFile = (file: Buffer): Promise<SearchResults> => similarity.search.byImage(bodyOf(file), () => ({}), never)
    expect(idsOf(await byFile(raw))).toEqual([near])
    const movie = around(2)
    analyzer.heads.set(movie.length, { format: 'matroska' })
    ffmpeg = { frame: async ({ bytes }) => Buffer.from(await bytes()).subarray(10, 10 + picture.length) }
    await similarity.stop()
    similarity = newSimilarity()
    await similarity.start()
    await use()
    expect(idsOf(await byFile(movie))).toEqual([near])
  })

  test('that is a video is refused where nothing decodes it, with the way out', async () => {
    await use()
    const movie = Buffer.from('a movie')
    analyzer.heads.set(movie.length, { format: 'mp4' })
    await expect(similarity.search.byImage(bodyOf(movie), () => ({}), never)).rejects.toMatchObject({
      code: 'ERR_IMAGE_UNREADABLE',
      message: expect.stringContaining('install ffmpeg')
    })
  })

  test('copies of it are left out', async () => {
    const center = vector()
    await photos.add(center)
    const other = await photos.add(nearVector(photos.random, center, 0.1))
    await use()
    expect(idsOf(await byImage(center))).toEqual([other])
  })

  test('five results are the default', async () => {
    for (let i = 0; i < 9; i++) await photos.add(vector())
    await use()
    expect((await byImage(vector())).results).toHaveLength(5)
  })

  test('a file that is no picture is refused', async () => {
    await use()
    const search = similarity.search.byImage(bodyOf(Buffer.from('no')), () => ({}), never)
    await expect(search).rejects.toMatchObject({ code: 'ERR_IMAGE_UNREADABLE' })
  })

  test.each([0, 1_001, 1.5, Number.NaN])('k = %s is refused', async k => {
    await use()
    await expect(byImage(vector(), k)).rejects.toMatchObject({ code: 'ERR_BAD_PARAMETER' })
  })

  test('too many at once are refused, and their memory is released', async () => {
    await use()
    const piece = Buffer.alloc(100 * 1024 * 1024)
    const endless = async function* () {
      for (;;) yield piece
    }
    const search = similarity.search.byImage(endless(), () => ({}), never)
    await expect(search).rejects.toMatchObject({ code: 'ERR_OVERLOADED' })
    expect((await byImage(vector())).results).toEqual([])
  })
})

describe('by a photo', () => {
  test('it is not among its own results', async () => {
    const center = vector()
    const id = await photos.add(center)
    const twin = await photos.add(center)
    const other = await photos.add(nearVector(photos.random, center, 0.3))
    await use()
    const found = await similarity.search.byPhoto(id, { k: 2 }, never)
    expect(idsOf(found)).toEqual([twin, other])
    expect(found.results[0]?.score).toBeCloseTo(1, 5)
  })

  test('reports why it cannot search', async () => {
    await use()
    const { writer } = photos.base.components
    const [unseen, gone, broken, failed] = [
      await photos.upload(),
      await photos.add(vector()),
      await photos.upload(),
      await photos.upload()
    ]
    await photos.base.photos.remove(gone)
    await writer.edit(broken, () => ({
      changes: [imageChange({ state: 'none', error: 'ERR_IMAGE_UNREADABLE', reader: 1, decoder: 'test' })]
    }))
    await writer.edit(failed, () => ({ changes: [featuresFailedChange(MODEL.id, 'ERR_IMAGE_TOO_LARGE')] }))
    const expectCode = (id: PhotoId, code: string) =>
      expect(similarity.search.byPhoto(id, {}, never)).rejects.toMatchObject({ code })
    await expectCode(unseen, 'ERR_NOT_INDEXED')
    await expectCode(gone, 'ERR_PHOTO_DELETED')
    await expectCode(broken, 'ERR_NOT_AN_IMAGE')
    await expectCode(failed, 'ERR_NOT_AN_IMAGE')
    const unknown = randomPhotoId(photos.random)
    await expect(similarity.search.byPhoto(unknown, {}, never)).rejects.toMatchObject({
      code: 'ERR_PHOTO_NOT_FOUND',
      details: { complete: false }
    })
    expect(lookUps).toEqual([unknown])
  })
})

describe('by words', () => {
  test('finds matching photos, from a minimum score', async () => {
    const center = vector()
    analyzer.texts.set('a rose', center)
    const near = await photos.add(nearVector(photos.random, center, 0.1))
    await photos.add(center.map(x => -x))
    await use()
    expect((await similarity.search.byText(' a rose ', {}, never)).results).toHaveLength(2)
    expect(idsOf(await similarity.search.byText('a rose', { minScore: 0 }, never))).toEqual([near])
    await expect(similarity.search.byText('a rose', { minScore: 2 }, never)).rejects.toMatchObject({
      code: 'ERR_BAD_PARAMETER'
    })
  })

  test('fails when the model has no text side', async () => {
    await use()
    await expect(similarity.search.byText('rose', {}, never)).rejects.toMatchObject({
      code: 'ERR_TEXT_SEARCH_UNAVAILABLE'
    })
  })
})

test('the node announces only shards that it has: none before its vectors are indexed', async () => {
  for (let i = 0; i < 200; i++) await photos.add(vector())
  await similarity.models.use(MODEL)
  expect(similarity.models.heartbeatIndexes()).toEqual([{ model: MODEL.id, shards: new Set() }])
  await settle()
  expect(similarity.models.heartbeatIndexes()).toEqual([{ model: MODEL.id, shards: ALL_SHARDS }])
  expect(similarity.models.holders(NEXT_MODEL.id).size).toBe(0)
})

describe('while the index of lists is made anew', () => {
  test('a lone node says so, rather than look at all for somebody', async () => {
    const id = await photos.addFor(BEN.userId, vector())
    await use()
    language = INDEX_LANGUAGE_7
    const search = similarity.search.as(viewers.of(BEN))
    const byImage = (): Promise<SearchResults> => search.byImage(bodyOf(vectorImage(vector())), () => ({}), never)
    await expect(byImage()).rejects.toMatchObject({ code: 'ERR_INDEX_BUILDING' })
    expect(idsOf(await similarity.search.byImage(bodyOf(vectorImage(vector())), () => ({}), never))).toEqual([id])
    language = INDEX_LANGUAGE
    expect(idsOf(await byImage())).toEqual([id])
  })
})

describe('neighbors that are no results', () => {
  test('are replaced by further ones while there are any', async () => {
    const center = vector()
    for (let i = 0; i < 200; i++) await photos.add(nearVector(photos.random, center, 0.1))
    const wanted: PhotoId[] = []
    for (let i = 0; i < 4; i++) wanted.push(await photos.add(nearVector(photos.random, center, 2)))
    await use()
    const album = '01890000-0000-7000-8000-0000000000a1' as AlbumId
    await photos.base.photos.batchLabel(wanted, { add: [album] })
    const viewer: Viewer = {
      ...ALL_SEEING,
      may: (_, { albums }) => albums.includes(album),
      audiences: async () => new AudienceSet([namedAudience(audienceText({ owner: undefined, albums: [album] }))])
    }
    const options = (): SearchOptions => ({ k: 4 })
    const found = await similarity.search.as(viewer).byImage(bodyOf(vectorImage(center)), options, never)
    expect(idsOf(found).sort()).toEqual(wanted.sort())
  })

  test('are left out where this node knows that somebody does not see them, though another found them for him', async () => {
    const center = vector()
    const [open, closed] = [await photos.add(nearVector(photos.random, center, 0.5)), await photos.add(center)]
    await use()
    const viewer: Viewer = { ...viewers.of(BEN), may: (_, { albums }) => albums.length === 0 }
    await photos.base.photos.batchLabel([closed], { add: ['01890000-0000-7000-8000-0000000000a1'] })
    const search = similarity.search.as(viewer)
    const found = await search.byImage(bodyOf(vectorImage(nearVector(photos.random, center, 0.1))), () => ({}), never)
    expect(idsOf(found)).toEqual([open])
  })

  test('are not among what the index finds for somebody, however many are nearer', async () => {
    const center = vector()
    for (let i = 0; i < 120; i++) await photos.addFor(ANNA.userId, nearVector(photos.random, center, 0.1))
    const own: PhotoId[] = []
    for (let i = 0; i < 7; i++) own.push(await photos.addFor(BEN.userId, nearVector(photos.random, center, 2)))
    await use()
    const asked: number[] = []
    const { search } = similarity.models
    similarity.models.search = (query, k, seen) => {
      asked.push(k)
      return search.call(similarity.models, query, k, seen)
    }
    const image = bodyOf(vectorImage(center))
    const found = await similarity.search.as(viewers.of(BEN)).byImage(image, () => ({ k: 10 }), never)
    expect(idsOf(found).sort()).toEqual(own.sort())
    expect(found.coverage.fraction).toBe(1)
    expect(asked).toEqual([26]) // once, and no more than for somebody who sees all
  })

  test('a tag is looked for among what somebody sees', async () => {
    const center = vector()
    for (let i = 0; i < 200; i++) await photos.addFor(BEN.userId, nearVector(photos.random, center, 0.1))
    const tagged = await photos.addFor(BEN.userId, nearVector(photos.random, center, 2))
    const closed = await photos.addFor(ANNA.userId, nearVector(photos.random, center, 2))
    for (const id of [tagged, closed]) await photos.base.photos.patch(id, { tags: { add: ['few'] } })
    await use()
    const image = bodyOf(vectorImage(center))
    const found = await similarity.search.as(viewers.of(BEN)).byImage(image, () => ({ k: 10, tag: 'few' }), never)
    expect(idsOf(found)).toEqual([tagged])
  })

  test('photos with a rare tag are found among many', async () => {
    const center = vector()
    for (let i = 0; i < 300; i++) await photos.add(nearVector(photos.random, center, 0.1))
    const tagged: PhotoId[] = []
    for (let i = 0; i < 3; i++) {
      const id = await photos.add(nearVector(photos.random, center, 2))
      await photos.base.photos.patch(id, { tags: { add: ['few'] } })
      tagged.push(id)
    }
    await use()
    const found = await similarity.search.byImage(bodyOf(vectorImage(center)), () => ({ k: 10, tag: 'few' }), never)
    expect(idsOf(found).sort()).toEqual(tagged.sort())
  })

  test('deleted photos are never returned, even if an index still has them', async () => {
    const center = vector()
    const gone = await photos.add(nearVector(photos.random, center, 0.1))
    const live = await photos.add(nearVector(photos.random, center, 0.2))
    await use()
    await photos.base.photos.remove(gone)
    expect(idsOf(await byImage(center))).toEqual([live])
  })
})

describe('links of a photo that was just analyzed', () => {
  const FAR_PHASH = PHASH.map(byte => ~byte)

  test('are the photos that look like it, in two tiers', async () => {
    const center = vector()
    const near = await photos.add(nearVector(photos.random, center, 0.5), DIGEST, PHASH)
    const similar = await photos.add(nearVector(photos.random, center, 0.5), DIGEST, FAR_PHASH)
    await photos.add(center.map(x => -x))
    const self = await photos.add(center)
    await use()
    const links = await similarity.search.findLinks(self, imageFeatures(center), PHASH, never)
    expect([...links.keys()].sort()).toEqual([near, similar].sort())
    expect(links.get(near)).toEqual({ tier: 'near', score: expect.any(Number) })
    expect(links.get(similar)?.tier).toBe('similar')
  })

  test('are none of a flat picture, nor of its pair', async () => {
    const center = vector()
    const flat = await photos.add(nearVector(photos.random, center, 0.1), DIGEST, new Uint8Array(8))
    const jpeg = await photos.add(nearVector(photos.random, center, 0.1))
    const raw = await photos.add(center)
    await takeShot(jpeg, 'jpeg')
    await takeShot(raw, 'nef')
    await use()
    const linksOf = async (id: PhotoId, phash?: Uint8Array): Promise<PhotoId[]> => [
      ...(await similarity.search.findLinks(id, imageFeatures(center), phash, never)).keys()
    ]
    expect(await linksOf(raw, PHASH)).toEqual([])
    expect(await linksOf(flat, PHASH)).toHaveLength(2)
    expect(await linksOf(flat, undefined)).toEqual([])
    expect(await linksOf(flat, new Uint8Array(8))).toEqual([])
  })

  /** Says of each photo that the same press of a shutter made it. */
  function takeShot(id: PhotoId, format: string): Promise<unknown> {
    const changes = [headChange(1, format), takenAtChange({ ms: 1_000 }), cameraChange({ make: 'NIKON', model: 'Z 6' })]
    return photos.base.components.writer.edit(id, () => ({ changes }))
  }

  test('are the nearest ten at most', async () => {
    const center = vector()
    for (let i = 1; i < 30; i++) await photos.add(nearVector(photos.random, center, 0.01 * i))
    await use()
    const links = await similarity.search.findLinks(randomPhotoId(photos.random), imageFeatures(center), PHASH, never)
    expect(links.size).toBe(10)
    const { results } = await byImage(center, 10)
    expect([...links.keys()].sort()).toEqual(idsOf({ results } as SearchResults).sort())
  })

  test('take one search when the neighbors are already too far away to be linked', async () => {
    const center = vector()
    const close = await photos.add(nearVector(photos.random, center, 0.1))
    for (let i = 0; i < 100; i++) await photos.add(center.map(value => -value))
    await use()
    const searches = vi.spyOn(similarity.models, 'search')
    const links = await similarity.search.findLinks(randomPhotoId(photos.random), imageFeatures(center), PHASH, never)
    expect([...links.keys()]).toEqual([close])
    expect(searches).toHaveBeenCalledOnce()
  })

  test('are empty for a model without an index here', async () => {
    const center = vector()
    await photos.add(center)
    await use()
    const links = await similarity.search.findLinks(
      randomPhotoId(photos.random),
      imageFeatures(center, OTHER_DIGEST),
      PHASH,
      never
    )
    expect(links.size).toBe(0)
  })
})

describe('another model', () => {
  test('is indexed beside the old one, which answers until all photos are analyzed again', async () => {
    const center = vector()
    analyzer.texts.set('a rose', center)
    const ids: PhotoId[] = []
    for (let i = 0; i < 6; i++) ids.push(await photos.add(nearVector(photos.random, center, 0.1 * (i + 1))))
    await use()
    await similarity.useModel(NEXT_LOADED)
    await settle()
    const [first, ...others] = ids as [PhotoId, ...PhotoId[]]
    for (const id of others) await photos.see(id, vector(), OTHER_DIGEST)
    await settle()
    expect(similarity.status().model?.name).toBe('test')
    const ask = (): Promise<SearchResults[]> =>
      Promise.all([
        similarity.search.byPhoto(first, { k: 5 }, never),
        byImage(center, 6),
        similarity.search.byText('a rose', { k: 6 }, never)
      ])
    const before = await ask()
    expect(before.map(({ model }) => model.name)).toEqual(['test', 'test', 'test'])
    expect(before.map(found => idsOf(found).sort())).toEqual([others.sort(), ids.sort(), ids])
    await photos.see(first, vector(), OTHER_DIGEST)
    await settle()
    expect(similarity.status().model?.name).toBe('next')
    expect(analyzer.has(MODEL.id)).toBe(false)
    const after = await ask()
    expect(after.map(({ model }) => model.name)).toEqual(['next', 'next', 'next'])
    expect(after.map(({ results }) => results.length)).toEqual([5, 6, 6])
    expect((await indexes.open({ model: MODEL.id, spaces: new Map([['image', DIMENSION]] as const) })).size).toBe(0)
  })

  test('that fails on a photo does not hide it from the serving one', async () => {
    const center = vector()
    const [id] = [await photos.add(center), await photos.add(nearVector(photos.random, center, 0.1))]
    await use()
    await similarity.models.use(NEXT_MODEL)
    await settle()
    await photos.base.components.writer.edit(id, () => ({
      changes: [featuresFailedChange(NEXT_MODEL.id, 'ERR_MODEL_INVALID')]
    }))
    expect((await similarity.search.byPhoto(id, { k: 5 }, never)).results).toHaveLength(1)
  })

  test('the serving one survives a restart', async () => {
    await photos.add(vector())
    await use()
    await similarity.stop()
    similarity = newSimilarity()
    await similarity.start()
    await similarity.models.use(NEXT_MODEL)
    await settle()
    expect(await similarity.models.lastServing()).toEqual(MODEL)
    expect(similarity.status()).toEqual({
      model: { id: MODEL.id, name: 'test' },
      vectors: 1,
      pending: 0,
      shardsLeftOut: 0,
      tools: []
    })
    await similarity.models.use(MODEL)
    await settle()
    expect(similarity.models.all.map(({ name }) => name)).toEqual(['test'])
    await similarity.models.use(undefined)
    expect(similarity.models.all).toEqual([])
  })

  test.each<[string, string, LoadedModel?]>([
    ['the old one is loaded again', 'test', LOADED],
    ['the old one cannot be loaded', 'next', LOADED],
    ['the old one is not there', 'next']
  ])('after a restart on the way, when %s: %s says what a picture and words are like', async (_, name, before) => {
    const center = vector()
    const ids = { test: await photos.add(nearVector(photos.random, center, 0.1)), next: '' }
    await use()
    await similarity.stop()
    analyzer = new VectorAnalyzer(OTHER_DIGEST)
    analyzer.texts.set('a rose', center)
    similarity = newSimilarity()
    await similarity.start()
    if (name === 'next' && before !== undefined) {
      vi.spyOn(analyzer, 'useModel').mockRejectedValueOnce(new SheafError('ERR_MODEL_INVALID'))
    }
    await similarity.useModel(NEXT_LOADED, before)
    ids.next = await photos.add(nearVector(photos.random, center, 0.1), OTHER_DIGEST)
    await photos.see(await photos.upload(), vector()) // not analyzed by the new one
    await settle()
    expect(similarity.status().model?.name).toBe('test')
    expect(analyzer.model).toBe(NEXT_MODEL.id)
    for (const found of [await byImage(center, 1), await similarity.search.byText('a rose', { k: 1 }, never)]) {
      expect(found).toMatchObject({ results: [{ photoId: ids[name as 'test' | 'next'] }], model: { name } })
    }
  })

  test('an unusable state file is ignored', async () => {
    await use()
    await similarity.stop()
    const fileSystem = new SimulatedFileSystem(disk)
    for (const text of [
      '',
      '{',
      '[]',
      '{"id":"x"}',
      JSON.stringify({ id: MODEL.id, name: 'n', spaces: { image: 0 } })
    ]) {
      await fileSystem.writeFileAtomic('/data/similarity.json', Buffer.from(text))
      similarity = newSimilarity()
      await similarity.start()
      await similarity.models.use(NEXT_MODEL)
      expect(similarity.status().model?.name).toBe('next')
      await similarity.stop()
    }
  })
})

test('the record of an unknown photo that peers found is fetched; the photo is left out if nobody has it', async () => {
  await use()
  const stray = randomPhotoId(photos.random)
  const center = vector()
  const index = await indexes.open({ model: MODEL.id, spaces: new Map([['image', DIMENSION]] as const) })
  await index.add([{ id: stray, version: 1, audience: '-', vectors: new Map([['image', center]] as const) }])
  await index.save()
  similarity.models.search = async query => ({
    shards: new Set(),
    neighbors: (await index.search('image', query.vector, 10)).neighbors
  })
  expect((await byImage(nearVector(photos.random, center, 0.5))).results).toEqual([])
  expect(lookUps).toEqual([stray])
})
