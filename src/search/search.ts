import { SheafError } from '../core/errors.js'
import type { Directory } from '../directory/directory.js'
import { photoAudience } from '../domain/audience.js'
import { decodeFeatures, type Features, modelIdOf, type Space } from '../domain/features.js'
import { type Link, viewFindings } from '../domain/findings.js'
import type { PhotoId } from '../domain/ids.js'
import { type Appearance, LINK_SCORE_MIN, linkTier } from '../domain/likeness.js'
import { SEARCH_CHARACTERS_MAX } from '../domain/limits.js'
import { PHOTO_KIND, type Photo, viewPhoto } from '../domain/photo.js'
import { isVisual } from '../domain/photo-kind.js'
import type { RecordKey } from '../domain/record.js'
import { SHARD_COUNT, type ShardSet } from '../domain/shards.js'
import { foldText } from '../domain/text.js'
import { ByteBudget } from '../photos/byte-budget.js'
import type { PhotoReader } from '../photos/photo-reader.js'
import { badField } from '../photos/photo-rules.js'
import { ALL_SEEING, requireMay, type Viewer } from '../photos/viewers/viewer.js'
import type { ImageAnalyzer } from '../similarity/images/image-analyzer.js'
import { NEIGHBORS_MAX } from '../similarity/index/vector-index.js'
import { photoNotFound, requireLive } from '../store/record-writer.js'
import { appearanceOf } from './appearance.js'
import type { IndexedModel, IndexedModels } from './indexed-models.js'
import { type LookAtFileComponents, lookAtFile, NO_HINTS } from './look-at-file.js'
import { featuresOf, livePhoto } from './photo-features.js'
import { fileOfBytes, sourceOf } from './readable-file.js'
import type { VectorQuery } from './search-messages.js'
import type { ShardSearch } from './shard-search.js'
import type { Coverage, ScoredPhoto, SearchOptions, SearchResults } from './similarity-types.js'

const K_MAX = 1_000
const K_SIMILAR = 5
const K_TEXT = 20
/** Extra neighbors to ask for: some are photos deleted a moment ago, or copies of the query. */
const MARGIN = 16
const ROUNDS_MAX = 3
const GROWTH = 16
/** Records fetched per search, at most, for photos that peers found and this node does not know. */
const FETCHES_MAX = 16
/** A photo with a higher score is a copy of the query picture. */
const COPY_SCORE = 0.999999
const LINKS_MAX = 10
/** Memory for all query pictures being received. */
const PICTURE_BYTES_MAX = 256 * 1024 * 1024

export interface SearchComponents {
  readonly directory: Pick<Directory, 'get' | 'getMany' | 'isOpaque' | 'count' | 'countFor' | 'language'>
  readonly reader: Pick<PhotoReader, 'readNeedle'>
  readonly analyzer: Pick<ImageAnalyzer, 'has' | 'analyze' | 'readHead' | 'embedText'>
  /** Decodes pictures of movies; undefined: nothing does here. */
  readonly ffmpeg?: LookAtFileComponents['ffmpeg']
  readonly models: Pick<IndexedModels, 'serving' | 'all'>
  readonly shardSearch: Pick<ShardSearch, 'search'>
  /** Asks the peers about a photo that is unknown here. @returns whether all members answered */
  readonly fetchRecord: (id: PhotoId) => Promise<boolean>
}

/** Whether a photo counts as a result. */
type Accept = (neighbor: ScoredPhoto, photo: Photo) => boolean

/** Finds photos that somebody sees, similar to a stored photo, to a picture that is sent, or to a text. */
export class Search {
  readonly #components: SearchComponents
  readonly #viewer: Viewer
  /** For query pictures being received. */
  readonly #memory: ByteBudget

  constructor(
    components: SearchComponents,
    viewer = ALL_SEEING,
    memory = new ByteBudget({ bytesMax: PICTURE_BYTES_MAX, waitersMax: 0 })
  ) {
    this.#components = components
    this.#viewer = viewer
    this.#memory = memory
  }

  /** @returns the same search, for somebody */
  as(viewer: Viewer): Search {
    return viewer === this.#viewer ? this : new Search(this.#components, viewer, this.#memory)
  }

  /**
   * @param file - an image or a video, looked at as stored ones are
   * @param options - called after the file has been read
   * @throws `ERR_EMPTY_FILE`, what reading the file throws, `ERR_BAD_PARAMETER`, `ERR_MODEL_UNAVAILABLE`,
   * `ERR_IMAGE_UNREADABLE`, `ERR_IMAGE_TOO_LARGE`, `ERR_IMAGE_CRASHED`, `ERR_OVERLOADED`, the signal's reason
   */
  async byImage(
    file: AsyncIterable<Uint8Array>,
    options: () => SearchOptions,
    signal: AbortSignal
  ): Promise<SearchResults> {
    const { analyzer, ffmpeg } = this.#components
    const bytes = await this.#collect(file)
    const checked = checkOptions(options(), K_SIMILAR)
    if (bytes.length === 0) throw new SheafError('ERR_EMPTY_FILE')
    const model = this.#requireModel()
    const readable = fileOfBytes(bytes)
    const head = await analyzer.readHead({ source: sourceOf(readable), hints: NO_HINTS }, signal)
    const outputs = { facts: false, features: model.id }
    const look = { format: head?.format, outputs, priority: 'interactive' } as const
    const { features } = await lookAtFile({ analyzer, ffmpeg }, readable, look, signal)
    const vector = features?.vectors.get('image')
    if (vector === undefined) throw new SheafError('ERR_MODEL_UNAVAILABLE')
    const isOther: Accept = ({ score }) => score <= COPY_SCORE
    return this.#nearest(model, 'image', vector, checked, isOther, signal)
  }

  /** @throws `ERR_BAD_PARAMETER`, `ERR_MODEL_UNAVAILABLE`, `ERR_TEXT_SEARCH_UNAVAILABLE`, `ERR_OVERLOADED`, the signal's reason */
  async byText(text: string, options: SearchOptions, signal: AbortSignal): Promise<SearchResults> {
    const { analyzer } = this.#components
    const checked = checkOptions(options, K_TEXT)
    const words = text.trim()
    if (words === '' || [...words].length > SEARCH_CHARACTERS_MAX) {
      throw badField('q', `q must be a text of 1–${SEARCH_CHARACTERS_MAX} characters`)
    }
    const model = this.#requireModel()
    const { space, vector } = await analyzer.embedText(words, model.id, signal)
    return this.#nearest(model, space, vector, checked, () => true, signal)
  }

  /**
   * @throws `ERR_BAD_PARAMETER`, `ERR_PHOTO_NOT_FOUND`, `ERR_PHOTO_DELETED`, `ERR_NOT_AN_IMAGE`, `ERR_MODEL_UNAVAILABLE`,
   * `ERR_NOT_INDEXED`, `ERR_BYTES_UNREACHABLE`, the signal's reason
   */
  async byPhoto(id: PhotoId, options: SearchOptions, signal: AbortSignal): Promise<SearchResults> {
    const { models } = this.#components
    const checked = checkOptions(options, K_SIMILAR)
    const photo = await this.#requirePhoto(id)
    requireMay(this.#viewer, 'see', photo)
    requireLive(photo)
    const { image, failed } = viewFindings(photo.record)
    const details = { photo_id: id }
    if (!isVisual(photo.contentType) || image?.error !== undefined) {
      throw new SheafError('ERR_NOT_AN_IMAGE', undefined, { details })
    }
    if (models.serving === undefined) throw new SheafError('ERR_MODEL_UNAVAILABLE')
    for (const model of models.all) {
      const vector = await this.#vectorOf(photo, model)
      if (vector !== undefined) {
        return this.#nearest(model, 'image', vector, checked, ({ photoId }) => photoId !== id, signal)
      }
    }
    const hasFailed = image?.wants === undefined && models.all.some(model => failed.has(model.id))
    throw new SheafError(hasFailed ? 'ERR_NOT_AN_IMAGE' : 'ERR_NOT_INDEXED', undefined, { details })
  }

  /**
   * Finds photos that look like one that was just analyzed.
   *
   * @param phash - undefined: there is nothing in the picture
   * @returns at most ten, by falling score; none when no index here holds vectors of that model
   * @throws the signal's reason
   */
  async findLinks(
    id: PhotoId,
    features: Features,
    phash: Uint8Array | undefined,
    signal: AbortSignal
  ): Promise<ReadonlyMap<PhotoId, Link>> {
    const model = this.#components.models.all.find(known => known.id === modelIdOf(features.modelDigest))
    const vector = features.vectors.get('image')
    const links = new Map<PhotoId, Link>()
    if (model === undefined || vector === undefined || phash === undefined) return links
    const stored = await this.#components.directory.get({ kind: PHOTO_KIND, id })
    const own: Appearance = { shot: stored && appearanceOf(stored.record).shot, phash }
    const isLink: Accept = ({ photoId, score }, { record }) => {
      const tier = photoId === id ? undefined : linkTier(score, own, appearanceOf(record))
      if (tier !== undefined) links.set(photoId, { tier, score })
      return tier !== undefined
    }
    const options = { k: LINKS_MAX, minScore: LINK_SCORE_MIN }
    const { results } = await this.#nearest(model, 'image', vector, options, isLink, signal)
    const kept = new Set(results.map(({ photoId }) => photoId))
    return new Map([...links].filter(([other]) => kept.has(other)))
  }

  /** Reads the file into memory first, so that a slow client does not block the analyzer. @throws `ERR_OVERLOADED` */
  async #collect(file: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
    const pieces: Uint8Array[] = []
    let byteCount = 0
    try {
      for await (const piece of file) {
        if (!this.#memory.tryTake(piece.length))
          throw new SheafError('ERR_OVERLOADED', 'too many pictures are being received; try again')
        byteCount += piece.length
        pieces.push(piece)
      }
      return Buffer.concat(pieces, byteCount)
    } finally {
      this.#memory.release(byteCount)
    }
  }

  // --- finding neighbors ---

  /**
   * Asks for more neighbors until enough of them are results, or there are no more. Nodes look among the photos that the viewer
   * sees by their records; by those of this node it is asked again.
   *
   * @throws `ERR_INDEX_BUILDING` when this node cannot tell what somebody sees, and none that can has answered
   */
  async #nearest(
    model: IndexedModel,
    space: Space,
    vector: Float32Array,
    { k, tag, minScore = -1 }: SearchOptions & { readonly k: number },
    accept: Accept,
    signal: AbortSignal
  ): Promise<SearchResults> {
    const { shardSearch } = this.#components
    const query: VectorQuery = { model: model.id, space, vector, onlooker: this.#viewer.onlooker }
    const wanted = tag === undefined ? undefined : foldText(tag.trim())
    const isResult: Accept = (neighbor, photo) =>
      (wanted === undefined || photo.tags.some(own => foldText(own) === wanted)) &&
      this.#viewer.may(wanted === undefined ? 'see' : 'facts', photoAudience(photo)) &&
      accept(neighbor, photo)
    let count = Math.min(NEIGHBORS_MAX, Math.ceil((k + MARGIN) / (await this.#tagShare(tag))))
    for (let round = 1; ; round++) {
      const { neighbors, shards, exhausted } = await shardSearch.search(query, count, signal)
      const near = neighbors.filter(({ score }) => score >= minScore)
      const scored = near.map(({ id, score }) => ({ photoId: id, score }))
      const results = await this.#filter(scored, isResult, k)
      const isEnd = exhausted || near.length < neighbors.length || count === NEIGHBORS_MAX
      if (results.length === k || isEnd || round === ROUNDS_MAX) {
        if (shards.size === 0) await this.#viewer.audiences() // says so where that is why nothing was searched
        return { results, coverage: coverageOf(shards), model: { id: model.id, name: model.name } }
      }
      count = Math.min(NEIGHBORS_MAX, count * GROWTH)
    }
  }

  /** The fraction of the photos that the viewer sees that have the tag: the filter lets about that many neighbors through. */
  async #tagShare(tag: string | undefined): Promise<number> {
    const { directory } = this.#components
    if (tag === undefined) return 1
    const term = directory.language.labelTerm('tag', tag)
    const audiences = await this.#viewer.audiences()
    if (audiences === undefined) return Math.max(1, directory.count(term)) / Math.max(1, directory.count('all'))
    const [tagged, all] = [await directory.countFor(term, audiences), await directory.countFor('all', audiences)]
    return Math.max(1, tagged) / Math.max(1, all)
  }

  /** @returns the first k results */
  async #filter(scored: readonly ScoredPhoto[], isResult: Accept, k: number): Promise<ScoredPhoto[]> {
    const results: ScoredPhoto[] = []
    const step = Math.max(64, k)
    for (let at = 0; at < scored.length && results.length < k; at += step) {
      const part = scored.slice(at, at + step)
      const photos = await this.#loadPhotos(part.map(({ photoId }) => photoId))
      for (const [i, neighbor] of part.entries()) {
        const photo = photos[i]
        if (photo !== undefined && results.length < k && isResult(neighbor, photo)) results.push(neighbor)
      }
    }
    return results
  }

  async #loadPhotos(ids: readonly PhotoId[]): Promise<(Photo | undefined)[]> {
    const { directory, fetchRecord } = this.#components
    const keys = ids.map(id => ({ kind: PHOTO_KIND, id }))
    let stored = await directory.getMany(keys)
    const unknown = ids
      .filter((_, i) => stored[i] === undefined && !directory.isOpaque(keys[i] as RecordKey))
      .slice(0, FETCHES_MAX)
    if (unknown.length > 0) {
      await Promise.all(unknown.map(id => fetchRecord(id)))
      stored = await directory.getMany(keys)
    }
    return stored.map(found => livePhoto(found?.record))
  }

  async #requirePhoto(id: PhotoId): Promise<Photo> {
    const { directory, fetchRecord } = this.#components
    const key = { kind: PHOTO_KIND, id }
    const known = await directory.get(key)
    if (known !== undefined) return viewPhoto(known.record)
    if (directory.isOpaque(key)) throw new SheafError('ERR_FORMAT_TOO_NEW', undefined, { details: { photo_id: id } })
    const complete = await fetchRecord(id)
    const fetched = await directory.get(key)
    if (fetched === undefined) throw photoNotFound(id, complete)
    return viewPhoto(fetched.record)
  }

  async #vectorOf({ record }: Photo, model: IndexedModel): Promise<Float32Array | undefined> {
    const blob = featuresOf(record, model.id)
    if (blob === undefined) return undefined
    return decodeFeatures(await this.#components.reader.readNeedle(blob, 0)).vectors.get('image')
  }

  /**
   * @returns the model for queries that are not stored photos: the serving one, or its successor if that one is not loaded
   * @throws `ERR_MODEL_UNAVAILABLE`
   */
  #requireModel(): IndexedModel {
    const { models, analyzer } = this.#components
    const model = models.all.find(({ id }) => analyzer.has(id))
    if (model === undefined) throw new SheafError('ERR_MODEL_UNAVAILABLE')
    return model
  }
}

export function coverageOf(shards: ShardSet): Coverage {
  return { shardsOk: shards.size, shardsTotal: SHARD_COUNT, fraction: shards.size / SHARD_COUNT }
}

function checkOptions(options: SearchOptions, kDefault: number): SearchOptions & { readonly k: number } {
  const { k = kDefault, minScore } = options
  if (!Number.isInteger(k) || k < 1 || k > K_MAX) throw badField('k', `k must be a whole number from 1 to ${K_MAX}`)
  if (minScore !== undefined && !(minScore >= -1 && minScore <= 1)) {
    throw badField('min_score', 'min_score must be a number from -1 to 1')
  }
  return { ...options, k }
}
