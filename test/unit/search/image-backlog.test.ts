import { describe, expect, onTestFinished, test } from 'vitest'
import { type ErrorCode, SheafError } from '../../../src/core/errors.js'
import { silentLog } from '../../../src/core/log.js'
import { turn } from '../../../src/core/turn.js'
import { decodeFeatures, type Features, type ModelId } from '../../../src/domain/features.js'
import { featuresFailedChange, headChange, imageChange, type Link, viewFindings } from '../../../src/domain/findings.js'
import type { NodeId, PhotoId } from '../../../src/domain/ids.js'
import { PHOTO_KIND, type Photo, partOf, viewPhoto } from '../../../src/domain/photo.js'
import { dimensionsChange } from '../../../src/domain/photo-facts.js'
import { isMovieFormat } from '../../../src/domain/photo-kind.js'
import { rendezvous } from '../../../src/domain/rendezvous.js'
import { ImageBacklog, type ImageBacklogComponents } from '../../../src/search/image-backlog.js'
import type { DecodingTool } from '../../../src/similarity/images/decoding-tools.js'
import type { Head } from '../../../src/similarity/images/heads/head-facts.js'
import {
  type Analysis,
  type AnalysisRequest,
  PICTURE_READER,
  VARIANTS,
  type VariantName
} from '../../../src/similarity/images/image-analyzer.js'
import { featuresBlob } from '../../../src/store/photo-needles.js'
import { deferred } from '../../support/deferred.js'
import { tinyJpeg } from '../../support/photo-maker.js'
import { bodyOf, collect, type PhotosFixture, photosFixture } from '../photos/photos-fixture.js'

const SELF = 'node-a' as NodeId
const MODEL = '0123456789abcdef' as ModelId
const OTHER_MODEL = 'fedcba9876543210' as ModelId
const THUMBHASH = Uint8Array.of(1, 2, 3, 4, 5, 6)
const WHOLE = { state: 'whole', error: undefined, wants: undefined, reader: PICTURE_READER, thumbhash: THUMBHASH }
const PHASH = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)

function featuresOf(model: ModelId): Features {
  return { modelDigest: model.repeat(4), vectors: new Map([['image', Float32Array.of(0.6, 0.8)]]) }
}

/** Says the same of every photo, or fails as it is told. */
class ScriptedAnalyzer {
  model: ModelId | undefined = MODEL
  tools = new Set<DecodingTool>()
  readonly seen: Uint8Array[] = []
  readonly wanted: AnalysisRequest['outputs'][] = []
  readonly previews: AnalysisRequest['preview'][] = []
  heads = 0
  /** What there is of movies; undefined: no ffmpeg. */
  frame: Buffer | undefined
  head: Partial<Head> = {}
  failures: SheafError[] = []
  /** Undefined: pictures are flat. */
  phash: Uint8Array | undefined = PHASH
  /** What its model says of a picture that it can make nothing of. */
  featuresError: ErrorCode | undefined
  /** Why it has only a part of a picture. */
  error: ErrorCode | undefined
  /** Those that it makes. */
  sizes: readonly VariantName[] = VARIANTS
  /** Runs in the middle of the next analysis. */
  during: () => Promise<unknown> = () => Promise.resolve()

  async readHead(): Promise<Head> {
    this.heads++
    return { format: 'jpeg', ...this.head }
  }

  async analyze({ bytes, outputs, preview }: AnalysisRequest): Promise<Analysis> {
    this.previews.push(preview)
    this.seen.push(typeof bytes === 'function' ? await collect(bytes()) : bytes)
    this.wanted.push(outputs)
    const failure = this.failures.shift()
    if (failure !== undefined) throw failure
    await this.during()
    const size = { recipe: 'test', contentType: 'image/jpeg', width: 2, height: 1 } as const
    return {
      width: 40,
      height: 30,
      state: preview !== undefined ? 'preview' : this.error === undefined ? 'whole' : 'partial',
      ...(this.error !== undefined && { error: this.error }),
      ...(outputs.facts && this.phash && { phash: this.phash }),
      ...(outputs.facts && { thumbhash: THUMBHASH }),
      variants: outputs.facts ? this.sizes.map(alt => ({ ...size, alt, bytes: Buffer.from(alt) })) : [],
      ...(this.featuresError !== undefined
        ? { featuresError: this.featuresError }
        : outputs.features !== undefined && { features: featuresOf(outputs.features) })
    }
  }
}

interface BacklogFixture extends PhotosFixture {
  readonly analyzer: ScriptedAnalyzer
  readonly backlog: ImageBacklog
  readonly bytes: { inReach: boolean }
  readonly nodes: NodeId[]
  /** Their tools. */
  readonly others: Map<NodeId, readonly DecodingTool[]>
  readonly links: Map<PhotoId, Link>
  upload(seed: number): Promise<PhotoId>
  photo(id: PhotoId): Photo
  /** The one photo there is. */
  only(): Promise<PhotoId>
}

/** @param format - of the files, as their heads say: those are read before */
async function fixture(started = true, format = 'jpeg'): Promise<BacklogFixture> {
  const base = await photosFixture()
  const { directory, clock, components, photos } = base
  const analyzer = new ScriptedAnalyzer()
  const nodes = [SELF]
  const others = new Map<NodeId, readonly DecodingTool[]>()
  const links = new Map<PhotoId, Link>()
  const findLinks: ImageBacklogComponents['findLinks'] = async id =>
    new Map([...links].filter(([other]) => other !== id))
  const { reader, writer } = components
  const bytes = { inReach: true }
  const backlog = new ImageBacklog({
    directory,
    analyzer,
    ffmpeg: {
      frame: async () => {
        if (analyzer.frame === undefined) throw new SheafError('ERR_IMAGE_UNREADABLE')
        return analyzer.frame
      }
    },
    reader: {
      source: async blob => (bytes.inReach ? reader.source(blob) : undefined),
      stream: (blob, start, end) => reader.stream(blob, start, end)
    },
    writer,
    workers: () => nodes,
    self: SELF,
    hasTool: (node, tool) =>
      (node === SELF ? [...analyzer.tools] : (others.get(node) ?? [])).includes(tool as DecodingTool),
    findLinks,
    clock,
    log: silentLog
  })
  if (started) await backlog.start()
  onTestFinished(async () => {
    await backlog.stop()
    await directory.stop()
  })
  return {
    ...base,
    analyzer,
    backlog,
    bytes,
    nodes,
    others,
    links,
    upload: async seed => {
      const filename = `${seed}.${format === 'jpeg' ? 'jpg' : format}`
      const bytes = isMovieFormat(format) ? Buffer.from(`movie ${seed}`) : tinyJpeg(seed)
      const { photoId } = await photos.upload(bodyOf(bytes), { filename })
      await writer.edit(photoId, () => ({ changes: [headChange(1, format)] }))
      return photoId
    },
    only: async () => (await photos.list({})).photos[0]?.photo.id as PhotoId,
    photo: id => {
      const stored = directory.getSync({ kind: PHOTO_KIND, id })
      if (stored === undefined) throw new Error(`${id} is unknown`)
      return viewPhoto(stored.record)
    }
  }
}

describe('a new photo', () => {
  test('is analyzed once, and all results are in its record and its needles', async () => {
    const { backlog, analyzer, clock, upload, photo, photos, components } = await fixture()
    const id = await upload(1)
    expect(backlog.pending).toBe(1)
    await clock.advance(100)
    expect(analyzer.seen).toEqual([tinyJpeg(1)])
    const found = photo(id)
    expect(found).toMatchObject({ width: 40, height: 30 })
    expect([...found.variants.keys()].sort()).toEqual(['large', 'small', 'thumb'])
    for (const alt of ['large', 'small', 'thumb'] as const) {
      const { head, stream } = await photos.open(id, alt)
      expect((await collect(stream(0, head.size))).toString()).toBe(alt)
    }
    const { image, phash, features } = viewFindings(found.record)
    expect([image, phash]).toEqual([WHOLE, PHASH])
    const named = features.get(MODEL)
    if (named === undefined) throw new Error('no features')
    const bytes = await components.reader.readNeedle(featuresBlob(found, named), 0)
    expect(decodeFeatures(bytes)).toEqual(featuresOf(MODEL))
    expect(backlog.pending).toBe(0)
    await clock.advance(3 * 3_600_000)
    expect(analyzer.seen).toHaveLength(1)
  })

  test('that is flat has no hash, and is analyzed once', async () => {
    const { backlog, analyzer, clock, upload, photo } = await fixture()
    analyzer.phash = undefined
    const id = await upload(1)
    await clock.advance(3 * 3_600_000)
    expect(analyzer.seen).toHaveLength(1)
    expect(backlog.pending).toBe(0)
    const { image, phash } = viewFindings(photo(id).record)
    expect([image, phash, photo(id).width]).toEqual([WHOLE, undefined, 40])
  })

  test('is analyzed when its head was read', async () => {
    const { backlog, analyzer, clock, photos, components } = await fixture()
    const { photoId } = await photos.upload(bodyOf(tinyJpeg(1)), { filename: 'a.jpg' })
    await clock.advance(10_000)
    expect([analyzer.seen.length, backlog.pending]).toEqual([0, 1])
    await components.writer.edit(photoId, () => ({ changes: [headChange(1, undefined)] }))
    await clock.advance(100)
    expect([analyzer.seen.length, backlog.pending]).toEqual([1, 0])
  })

  test('has the size that the decoder says', async () => {
    const { clock, upload, photo, components } = await fixture()
    const id = await upload(1)
    await components.writer.edit(id, () => ({ changes: [dimensionsChange(41, 30)] }))
    await clock.advance(100)
    expect(photo(id)).toMatchObject({ width: 40, height: 30 })
  })

  test('that is no image is ignored', async () => {
    const { backlog, analyzer, clock, photos } = await fixture()
    await photos.upload(bodyOf(Buffer.from('words')), { filename: 'a.txt' })
    await clock.advance(120_000)
    expect(analyzer.seen).toEqual([])
    expect(backlog.pending).toBe(0)
  })

  test('serves as its own size where none was made, and sizes lost in an undelete are made again', async () => {
    const { analyzer, clock, upload, photo, photos, store } = await fixture()
    analyzer.sizes = ['small']
    const id = await upload(1)
    await clock.advance(100)
    const { head, stream } = await photos.open(id, 'thumb')
    expect(head.etag).toBe(`"${photo(id).sha256}"`)
    expect(await collect(stream(0, head.size))).toEqual(tinyJpeg(1))
    await photos.remove(id)
    store.drop(({ identity }) => partOf(identity.alternateKey) === 'small')
    await photos.undelete(id)
    await clock.advance(100)
    expect(analyzer.wanted.at(-1)).toEqual({ facts: true, features: MODEL })
    expect([...photo(id).variants.keys()]).toEqual(['small'])
  })

  test('keeps a size that the client uploaded', async () => {
    const { analyzer, clock, upload, photo, photos, only } = await fixture()
    analyzer.during = async () => photos.addSize(await only(), 'thumb', bodyOf(tinyJpeg(9)), {})
    const id = await upload(1)
    await clock.advance(100)
    expect(photo(id).variants.get('thumb')?.recipe).toBe('client')
    expect(photo(id).variants.get('small')?.recipe).toBe('test')
  })

  test('that is deleted meanwhile, or restored as another generation, gets no results of the old one', async () => {
    const { analyzer, clock, upload, photo, photos, only } = await fixture()
    analyzer.during = async () => {
      analyzer.during = () => Promise.resolve()
      const meanwhile = await only()
      await photos.remove(meanwhile)
      await photos.undelete(meanwhile)
    }
    const id = await upload(1)
    await clock.advance(3_000)
    expect(analyzer.seen).toHaveLength(2)
    expect(photo(id).generation).toBe(1)
    const { head, stream } = await photos.open(id, 'thumb')
    expect((await collect(stream(0, head.size))).toString()).toBe('thumb')
  })
})

describe('a preview in the file', () => {
  const previews = [
    { at: 4, length: 6, width: 30, height: 20 },
    { at: 2, length: 3, width: 3, height: 2 }
  ]

  test('is the picture of a RAW file, of which nothing else is read; the size stays that of the file', async () => {
    const { analyzer, clock, upload, photo, photos, components } = await fixture(true, 'cr2')
    analyzer.head = { previews, orientation: 6 }
    const id = await upload(1)
    await components.writer.edit(id, () => ({ changes: [dimensionsChange(6_000, 4_000)] }))
    await clock.advance(1_000)
    expect(analyzer.seen).toEqual([tinyJpeg(1).subarray(4, 10)])
    expect(analyzer.previews).toEqual([{ orientation: 6 }])
    const { image, features, phash } = viewFindings(photo(id).record)
    expect([image, [...features.keys()], phash]).toEqual([{ ...WHOLE, state: 'preview' }, [MODEL], PHASH])
    expect(photo(id)).toMatchObject({ width: 6_000, height: 4_000 })
    expect((await photos.open(id, 'thumb')).head.alt).toBe('thumb')
  })

  test('is tried after one that cannot be decoded; without any it takes a tool that there is not', async () => {
    const { analyzer, clock, upload, photo } = await fixture(true, 'nef')
    analyzer.head = { previews }
    analyzer.failures = [new SheafError('ERR_IMAGE_UNREADABLE')]
    const found = await upload(1)
    await clock.advance(1_000)
    expect(analyzer.seen.map(({ length }) => length)).toEqual([6, 3])
    expect(viewFindings(photo(found).record).image).toMatchObject({ state: 'preview', error: undefined })
    analyzer.head = {}
    const none = await upload(2)
    await clock.advance(1_000)
    expect(viewFindings(photo(none).record).image).toMatchObject({ state: 'none', wants: 'raw', error: undefined })
  })

  test('stands for a picture that is too large, and is shown, but not compared', async () => {
    const { backlog, analyzer, clock, upload, photo } = await fixture()
    analyzer.head = { previews }
    analyzer.failures = [new SheafError('ERR_IMAGE_TOO_LARGE')]
    const id = await upload(1)
    await clock.advance(3 * 3_600_000)
    expect(analyzer.wanted.at(-1)).toEqual({ facts: true, features: undefined })
    const { image, features, failed, phash } = viewFindings(photo(id).record)
    expect(image).toMatchObject({ state: 'preview', error: 'ERR_IMAGE_TOO_LARGE' })
    expect([features.size, failed.get(MODEL), phash]).toEqual([0, 'ERR_IMAGE_TOO_LARGE', undefined])
    expect([backlog.pending, analyzer.seen.length]).toEqual([0, 2])
  })
})

describe('a video', () => {
  test('has a poster: sizes and features, but no hash, so it is a copy of nothing', async () => {
    const { backlog, analyzer, clock, upload, photo, photos, links } = await fixture(true, 'mp4')
    analyzer.tools.add('ffmpeg')
    analyzer.frame = tinyJpeg(9)
    analyzer.head = { format: 'mp4', width: 1_920, height: 1_080 }
    const id = await upload(1)
    expect(backlog.pending).toBe(1)
    await clock.advance(3 * 3_600_000)
    expect(analyzer.seen).toEqual([tinyJpeg(9)])
    const { image, features, phash } = viewFindings(photo(id).record)
    expect([image, [...features.keys()], phash]).toEqual([{ ...WHOLE, state: 'poster' }, [MODEL], undefined])
    expect((await photos.open(id, 'thumb')).head.alt).toBe('thumb')
    expect([backlog.pending, links.size]).toEqual([0, 0])
    expect((await photos.list({ state: 'poster' })).photos.map(listed => listed.photo.id)).toEqual([id])
  })

  test('lacks only its sizes where there is no ffmpeg, and has them from a node that comes with it', async () => {
    const { backlog, analyzer, clock, upload, photo, photos } = await fixture(true, 'mp4')
    const id = await upload(1)
    await clock.advance(3 * 3_600_000)
    expect(viewFindings(photo(id).record).image).toMatchObject({ state: 'none', wants: 'ffmpeg', error: undefined })
    expect(backlog.pending).toBe(0)
    await expect(photos.open(id, 'thumb')).rejects.toMatchObject({
      code: 'ERR_NOT_FOUND',
      message: expect.stringContaining('no node can decode it: ffmpeg')
    })
    analyzer.tools.add('ffmpeg')
    analyzer.frame = tinyJpeg(9)
    await clock.advance(2 * 3_600_000)
    expect(viewFindings(photo(id).record).image).toMatchObject({ state: 'poster', wants: undefined })
    expect((await photos.open(id, 'thumb')).head.alt).toBe('thumb')
  })

  test('that ffmpeg cannot decode has an error of its own, once', async () => {
    const { backlog, analyzer, clock, upload, photo } = await fixture(true, 'mp4')
    analyzer.tools.add('ffmpeg')
    const id = await upload(1)
    await clock.advance(3 * 3_600_000)
    const { image } = viewFindings(photo(id).record)
    expect(image).toMatchObject({ state: 'none', error: 'ERR_IMAGE_UNREADABLE', wants: undefined })
    expect([backlog.pending, analyzer.seen.length]).toEqual([0, 0])
  })

  test('of before is found by looking through the directory', async () => {
    const { backlog, analyzer, clock, upload, photo } = await fixture(false, 'mp4')
    analyzer.tools.add('ffmpeg')
    analyzer.frame = tinyJpeg(9)
    const id = await upload(1)
    await backlog.start()
    await clock.advance(10_000)
    expect(viewFindings(photo(id).record).image?.state).toBe('poster')
  })

  test('is left to a node that has ffmpeg', async () => {
    const { analyzer, clock, upload, nodes, others } = await fixture(true, 'mp4')
    const able = 'node-b' as NodeId
    nodes.push(able, 'node-c' as NodeId)
    others.set(able, ['ffmpeg'])
    analyzer.frame = tinyJpeg(9)
    for (const seed of [1, 2, 3]) await upload(seed)
    await clock.advance(59_000)
    expect(analyzer.heads).toBe(0)
  })
})

describe('a picture that a version of before has shown', () => {
  const before = imageChange({ state: 'whole', reader: PICTURE_READER - 1, decoder: 'test' })

  test('is told in a few bytes, from its smallest size, and is not pending', async () => {
    const { backlog, analyzer, clock, upload, photo, photos, components } = await fixture(false)
    analyzer.model = undefined
    const [sized, small, hashed] = [await upload(1), await upload(2), await upload(3)]
    for (const id of [sized, small]) await components.writer.edit(id, () => ({ changes: [before] }))
    const done = imageChange({ state: 'whole', reader: PICTURE_READER - 1, decoder: 'test', thumbhash: THUMBHASH })
    await components.writer.edit(hashed, () => ({ changes: [done] }))
    await photos.addSize(sized, 'thumb', bodyOf(tinyJpeg(9)), {})
    await backlog.start()
    expect(backlog.pending).toBe(0)
    await clock.advance(3 * 3_600_000)
    expect(analyzer.seen.map(bytes => Buffer.from(bytes))).toEqual(expect.arrayContaining([tinyJpeg(9), tinyJpeg(2)]))
    expect(analyzer.seen).toHaveLength(2)
    for (const id of [sized, small]) expect(viewFindings(photo(id).record).image).toEqual(WHOLE)
    expect([photo(sized).variants.size, photo(small).variants.size]).toEqual([1, 0])
  })

  test('that cannot be read is looked at once', async () => {
    const { backlog, analyzer, clock, upload, photo, components } = await fixture(false)
    analyzer.model = undefined
    analyzer.failures = [new SheafError('ERR_IMAGE_UNREADABLE')]
    const id = await upload(1)
    await components.writer.edit(id, () => ({ changes: [before] }))
    await backlog.start()
    await clock.advance(3 * 3_600_000)
    expect(analyzer.seen).toHaveLength(1)
    expect(viewFindings(photo(id).record).image).toEqual({ ...WHOLE, thumbhash: undefined })
  })

  test('waits its turn: there are fifty a second, and then no more looks through the directory', async () => {
    const { backlog, analyzer, clock, upload, components, directory } = await fixture(false)
    analyzer.model = undefined
    for (let seed = 0; seed < 120; seed++) {
      const id = await upload(seed)
      await components.writer.edit(id, () => ({ changes: [before] }))
    }
    const query = directory.query.bind(directory)
    let pages = 0
    directory.query = (...args) => {
      pages++
      return query(...args)
    }
    await backlog.start()
    await clock.advance(500)
    expect(analyzer.seen).toHaveLength(50)
    await clock.advance(3_000)
    expect(analyzer.seen).toHaveLength(120)
    await clock.advance(60_000)
    const looks = pages
    await clock.advance(24 * 3_600_000)
    expect(pages).toBe(looks)
  })
})

describe('a failure', () => {
  test('of the photo is recorded, and not retried', async () => {
    const { backlog, analyzer, clock, upload, photo, photos } = await fixture()
    analyzer.failures = [new SheafError('ERR_IMAGE_UNREADABLE')]
    const id = await upload(1)
    await clock.advance(3 * 3_600_000)
    expect(analyzer.seen).toHaveLength(1)
    const { image, failed } = viewFindings(photo(id).record)
    expect([image?.error, failed.get(MODEL)]).toEqual(['ERR_IMAGE_UNREADABLE', 'ERR_IMAGE_UNREADABLE'])
    expect(backlog.pending).toBe(0)
    await expect(photos.open(id, 'thumb')).rejects.toMatchObject({
      code: 'ERR_NOT_FOUND',
      message: expect.stringContaining('ERR_IMAGE_UNREADABLE')
    })
  })

  test('that leaves a part of the picture is recorded beside it; no model is asked, and the original stands in for nothing', async () => {
    const { backlog, analyzer, clock, upload, photo, photos } = await fixture()
    analyzer.error = 'ERR_IMAGE_UNREADABLE'
    analyzer.featuresError = 'ERR_IMAGE_UNREADABLE'
    analyzer.phash = undefined
    analyzer.sizes = ['thumb']
    const id = await upload(1)
    await clock.advance(3 * 3_600_000)
    expect(analyzer.seen).toHaveLength(1)
    const { image, features, failed, phash } = viewFindings(photo(id).record)
    expect(image).toMatchObject({ state: 'partial', error: 'ERR_IMAGE_UNREADABLE', reader: PICTURE_READER })
    expect([features.size, failed.get(MODEL), phash]).toEqual([0, 'ERR_IMAGE_UNREADABLE', undefined])
    expect(backlog.pending).toBe(0)
    expect((await photos.open(id, 'thumb')).head.alt).toBe('thumb')
    await expect(photos.open(id, 'large')).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' })
    expect((await photos.list({ state: 'partial' })).photos.map(listed => listed.photo.id)).toEqual([id])
  })

  test('for lack of a tool is none of the photo, is not pending, and is not tried again', async () => {
    const { backlog, analyzer, clock, upload, photo, photos } = await fixture(true, 'heic')
    analyzer.failures = [new SheafError('ERR_IMAGE_UNREADABLE')]
    const id = await upload(1)
    await clock.advance(3 * 3_600_000)
    expect(analyzer.seen).toHaveLength(1)
    const { image } = viewFindings(photo(id).record)
    expect(image).toEqual({ state: 'none', error: undefined, wants: 'heif', reader: PICTURE_READER })
    expect(backlog.pending).toBe(0)
    await expect(photos.open(id, 'thumb')).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' })
    expect((await photos.list({ state: 'none' })).photos.map(listed => listed.photo.id)).toEqual([id])
  })

  test('for lack of a tool is mended by a node that has it, and is one of the photo there', async () => {
    const { backlog, analyzer, clock, upload, photo, components } = await fixture(false, 'heic')
    const wanting = imageChange({
      state: 'none',
      error: 'ERR_IMAGE_UNREADABLE',
      wants: 'heif',
      reader: PICTURE_READER,
      decoder: 'test'
    })
    const ids = [await upload(1), await upload(2)]
    const failed = featuresFailedChange(MODEL, 'ERR_IMAGE_UNREADABLE')
    for (const id of ids) await components.writer.edit(id, () => ({ changes: [wanting, failed] }))
    await backlog.start()
    await clock.advance(3 * 3_600_000)
    expect(analyzer.seen).toEqual([])
    analyzer.tools.add('heif')
    analyzer.failures = [new SheafError('ERR_IMAGE_UNREADABLE')]
    // the scan of those without a picture comes once an hour by now
    await clock.advance(2 * 3_600_000)
    const [broken, mended] = ids
      .map(id => viewFindings(photo(id).record))
      .sort((a, b) => a.features.size - b.features.size)
    expect(broken?.image).toMatchObject({ state: 'none', error: 'ERR_IMAGE_UNREADABLE', wants: undefined })
    expect([mended?.image, [...(mended?.features.keys() ?? [])]]).toEqual([WHOLE, [MODEL]])
    await clock.advance(3 * 3_600_000)
    expect(analyzer.seen).toHaveLength(2)
  })

  test('for lack of a tool waits until those have had their turn that have it', async () => {
    const { analyzer, clock, upload, nodes, others } = await fixture(true, 'heic')
    const able = 'node-b' as NodeId
    nodes.push(able, 'node-c' as NodeId, 'node-d' as NodeId)
    others.set(able, ['heif'])
    for (const seed of [1, 2, 3, 4]) await upload(seed)
    await clock.advance(59_000)
    expect(analyzer.seen).toEqual([])
    await clock.advance(2_000)
    expect(analyzer.seen).toHaveLength(4)
  })

  test('of before is looked into again, once, and a model gets its turn', async () => {
    const { backlog, analyzer, clock, upload, photo, components } = await fixture(false)
    const [mended, broken] = [await upload(1), await upload(2)]
    const old = new Map([['error', 'ERR_IMAGE_UNREADABLE']])
    for (const id of [mended, broken])
      await components.writer.edit(id, () => ({
        changes: [
          { kind: 'add', field: 'facts', key: 'image', value: old },
          featuresFailedChange(MODEL, 'ERR_IMAGE_UNREADABLE'),
          featuresFailedChange(OTHER_MODEL, 'ERR_IMAGE_UNREADABLE')
        ]
      }))
    await backlog.start()
    analyzer.failures = [new SheafError('ERR_IMAGE_UNREADABLE')]
    // they are seen again when a newer reader writes what it has read of their heads
    for (const id of [broken, mended]) {
      await components.writer.edit(id, () => ({ changes: [headChange(2, 'jpeg')] }))
      await clock.advance(1_000)
    }
    await clock.advance(3 * 3_600_000)
    expect(analyzer.wanted).toEqual(Array.from({ length: 2 }, () => ({ facts: true, features: MODEL })))
    expect(viewFindings(photo(broken).record).image).toMatchObject({
      state: 'none',
      error: 'ERR_IMAGE_UNREADABLE',
      reader: PICTURE_READER
    })
    const { image, features, failed } = viewFindings(photo(mended).record)
    expect([image, [...features.keys()], failed.size]).toEqual([WHOLE, [MODEL], 0])
  })

  test('of the model alone is recorded beside all other results', async () => {
    const { backlog, analyzer, clock, upload, photo } = await fixture()
    analyzer.featuresError = 'ERR_MODEL_INVALID'
    const id = await upload(1)
    await clock.advance(3 * 3_600_000)
    expect(analyzer.seen).toHaveLength(1)
    const { image, phash, failed } = viewFindings(photo(id).record)
    expect([image, phash, failed.get(MODEL)]).toEqual([WHOLE, PHASH, 'ERR_MODEL_INVALID'])
    expect(backlog.pending).toBe(0)
  })

  test('for another reason is retried with a growing pause', async () => {
    const { analyzer, clock, upload, photo } = await fixture()
    analyzer.failures = Array.from({ length: 3 }, () => new SheafError('ERR_OVERLOADED'))
    const id = await upload(1)
    await clock.advance(5_000)
    expect(analyzer.seen).toHaveLength(2)
    await clock.advance(20_000)
    expect(analyzer.seen).toHaveLength(4)
    expect(viewFindings(photo(id).record).image).toBeDefined()
  })

  test('to reach the bytes is waited out', async () => {
    const { analyzer, clock, upload, bytes } = await fixture()
    bytes.inReach = false
    await upload(1)
    await clock.advance(60_000)
    expect(analyzer.seen).toHaveLength(0)
    bytes.inReach = true
    await clock.advance(120_000)
    expect(analyzer.seen).toHaveLength(1)
  })

  test('of the directory once the analysis is done has the photo looked at later', async () => {
    const { analyzer, backlog, clock, directory, upload } = await fixture()
    const read = directory.getSync.bind(directory)
    let reads = 0
    directory.getSync = key => {
      if (++reads === 2) throw new SheafError('ERR_DIRECTORY_UNAVAILABLE')
      return read(key)
    }
    await upload(1)
    await clock.advance(100)
    expect(reads).toBe(2)
    await clock.advance(10 * 60_000)
    expect(reads).toBeGreaterThan(2)
    expect([backlog.pending, analyzer.seen.length]).toEqual([0, 1])
  })
})

describe('many photos', () => {
  test('are analyzed one at a time while others arrive, so that uploads take precedence, then several at once', async () => {
    const { analyzer, clock, upload } = await fixture()
    let release = (): void => {}
    const held = new Promise<void>(resolve => {
      release = resolve
    })
    analyzer.during = () => held
    for (let seed = 1; seed <= 20; seed++) {
      await upload(seed)
      await clock.advance(100)
    }
    expect(analyzer.seen).toHaveLength(1)
    await clock.advance(1_000)
    expect(analyzer.seen).toHaveLength(6)
    release()
    await clock.advance(1_000)
    expect(analyzer.seen).toHaveLength(20)
  })
})

describe('new photos', () => {
  test('go before those that were there before', async () => {
    const { backlog, analyzer, clock, upload } = await fixture(false)
    const held = Array.from({ length: 30 }, () => deferred<void>())
    analyzer.during = () => held[analyzer.seen.length - 1]?.promise ?? Promise.resolve()
    for (let seed = 1; seed <= 20; seed++) await upload(seed)
    await backlog.start()
    await clock.advance(1_000)
    expect(analyzer.seen).toHaveLength(6)
    await upload(99)
    await clock.advance(1_000)
    held[0]?.resolve()
    await clock.advance(1_000)
    expect(analyzer.seen).toHaveLength(7)
    expect(Buffer.from(analyzer.seen[6] ?? [])).toEqual(Buffer.from(tinyJpeg(99)))
    for (const { resolve } of held) resolve()
    await clock.advance(1_000)
    expect(analyzer.seen).toHaveLength(21)
  })

  test('do not wait for a look through the directory', async () => {
    const { backlog, analyzer, bytes, clock, upload, directory } = await fixture(false)
    bytes.inReach = false
    await upload(1)
    let pages = 0
    const seen: number[] = []
    directory.query = async () => {
      pages++
      if (pages === 10) {
        bytes.inReach = true
        await upload(2)
      }
      seen.push(analyzer.seen.length)
      await turn()
      return { records: [], total: 0, isTotalExact: true, nextCursor: pages < 100 ? 'more' : null }
    }
    await backlog.start()
    await clock.advance(1_000)
    // the last one is of videos
    await expect.poll(() => pages).toBe(101)
    expect(seen.slice(0, 10)).toEqual(Array.from({ length: 10 }, () => 0))
    expect(seen.at(-1)).toBe(1)
  })
})

describe('nodes that share the work', () => {
  test('leave a photo to the first in its ranking, and take over when that one does nothing', async () => {
    const { analyzer, clock, upload, nodes } = await fixture()
    nodes.push('node-b' as NodeId)
    const ids = await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map(upload))
    const own = ids.filter(id => rendezvous(id, nodes)[0] === SELF)
    expect(own.length).toBeGreaterThan(0)
    expect(own.length).toBeLessThan(ids.length)
    await clock.advance(10_000)
    expect(analyzer.seen).toHaveLength(own.length)
    await clock.advance(60_000)
    expect(analyzer.seen).toHaveLength(ids.length)
  })

  test('do not wait for one that has left', async () => {
    const { analyzer, clock, upload, nodes } = await fixture()
    nodes.push('node-b' as NodeId)
    const ids = await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map(upload))
    await clock.advance(10_000)
    expect(analyzer.seen.length).toBeLessThan(ids.length)
    nodes.pop()
    await clock.advance(2_000)
    expect(analyzer.seen).toHaveLength(ids.length)
  })

  test('do not repeat the work of another', async () => {
    const { analyzer, clock, upload, nodes, directory, photo, components } = await fixture()
    nodes.push('node-b' as NodeId)
    const ids = await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map(upload))
    const other = ids.find(id => rendezvous(id, nodes)[0] !== SELF)
    if (other === undefined) throw new Error('the other node has none of eight')
    await clock.advance(1_000)
    const before = analyzer.seen.length
    const done = ids.find(id => viewFindings(photo(id).record).image !== undefined)
    if (done === undefined) throw new Error('this node has none of eight')
    const elements = photo(done).record.entries.filter(({ field }) => ['facts', 'features'].includes(field))
    await components.writer.edit(other, () => ({
      changes: elements.map(({ field, key, value }) => ({ kind: 'add', field, key, value }))
    }))
    await clock.advance(120_000)
    expect(analyzer.seen).toHaveLength(ids.length - 1)
    expect(before).toBeLessThan(ids.length)
    expect(directory.count('looked')).toBe(ids.length)
  })
})

describe('existing photos', () => {
  test('are found after a start', async () => {
    const { backlog, analyzer, clock, upload } = await fixture(false)
    for (let seed = 1; seed <= 5; seed++) await upload(seed)
    await backlog.start()
    await clock.advance(1_000)
    expect(analyzer.seen).toHaveLength(5)
    expect(backlog.pending).toBe(0)
  })

  test('are analyzed by a new model, without making their sizes again', async () => {
    const { backlog, analyzer, clock, upload, photo } = await fixture()
    analyzer.model = undefined
    const id = await upload(1)
    await clock.advance(1_000)
    expect(analyzer.wanted).toEqual([{ facts: true, features: undefined }])
    expect(backlog.pending).toBe(0)
    for (const model of [MODEL, OTHER_MODEL]) {
      analyzer.model = model
      expect(backlog.pending).toBe(1)
      backlog.modelChanged()
      await clock.advance(1_000)
    }
    expect(analyzer.wanted.slice(1)).toEqual([MODEL, OTHER_MODEL].map(features => ({ facts: false, features })))
    expect([...viewFindings(photo(id).record).features.keys()].sort()).toEqual([MODEL, OTHER_MODEL])
  })
})

describe('links', () => {
  test('are written with the other results', async () => {
    const { clock, upload, photo, links } = await fixture()
    const first = await upload(1)
    await clock.advance(100)
    links.set(first, { tier: 'near', score: 0.97 })
    const second = await upload(2)
    await clock.advance(100)
    expect(viewFindings(photo(second).record).links).toEqual(links)
    expect(viewFindings(photo(first).record).links.size).toBe(0)
  })

  test('between two that were analyzed at the same moment are found a little later', async () => {
    const { clock, upload, photo, links, store } = await fixture()
    const [first, second] = await Promise.all([upload(1), upload(2)])
    await clock.advance(1_000)
    links.set(first, { tier: 'similar', score: 0.8 })
    await clock.advance(6_000)
    expect(viewFindings(photo(second).record).links).toEqual(links)
    const needles = store.needles.length
    await clock.advance(60_000)
    expect(store.needles).toHaveLength(needles)
  })
})
