import { hash } from 'node:crypto'
import type { Clock } from '../core/clock.js'
import { hasCode } from '../core/errors.js'
import type { Startable } from '../core/lifecycle.js'
import type { Logger } from '../core/log.js'
import { WorkerLoop } from '../core/worker-loop.js'
import type { Directory } from '../directory/directory.js'
import { encodeFeatures, type Features, type ModelId, modelIdOf } from '../domain/features.js'
import {
  featuresChange,
  featuresFailedChange,
  type ImageLook,
  imageChange,
  isUnseenBy,
  type Link,
  linkChange,
  phashChange,
  viewFindings,
  viewLooks
} from '../domain/findings.js'
import type { NodeId, PhotoId } from '../domain/ids.js'
import { addVariantChange, PHOTO_KIND, type Photo, viewPhoto } from '../domain/photo.js'
import { dimensionsChange } from '../domain/photo-facts.js'
import { isMovieFormat, isVisual } from '../domain/photo-kind.js'
import type { Change } from '../domain/record.js'
import type { PhotoReader } from '../photos/photo-reader.js'
import { type DecodingTool, toolFor } from '../similarity/images/decoding-tools.js'
import {
  type Analysis,
  type AnalysisRequest,
  DECODER,
  type ImageAnalyzer,
  PICTURE_READER
} from '../similarity/images/image-analyzer.js'
import { blobOf, dataDraft } from '../store/photo-needles.js'
import type { Edit, RecordWriter } from '../store/record-writer.js'
import type { NeedleDraft } from '../volumes/needle-store.js'
import { type LookAtFileComponents, lookAtFile } from './look-at-file.js'
import { PhotoScan, VISUAL_TERMS, visualCount } from './photo-scan.js'
import { PhotoWork, WAITING_MAX } from './photo-work.js'
import { fileOfBlob } from './readable-file.js'

/** Photos analyzed concurrently: one is decoded while others are being read, compared or written. */
const CONCURRENCY = 6
/** The same while photos are arriving: uploads take precedence. */
const CONCURRENCY_BUSY = 1
/** How long photos count as still arriving after the last one. */
const BUSY_MS = 250
const IDLE_MS = 1_000
/** Photos analyzed at the same moment cannot find each other, so each is compared again after this long. */
const COMPARE_AGAIN_MS = 5_000
const COMPARE_AGAIN_MAX = 1_000
const PAGE = 200
const NONE = 'state\0none'
/** Errors of the photo itself: another attempt, on any node, would fail the same way. */
const FINAL_ERRORS = ['ERR_IMAGE_UNREADABLE', 'ERR_IMAGE_TOO_LARGE', 'ERR_IMAGE_CRASHED'] as const

export interface ImageBacklogComponents {
  readonly directory: Pick<Directory, 'getSync' | 'isOpaque' | 'query' | 'count' | 'onChange' | 'state'>
  readonly analyzer: Pick<ImageAnalyzer, 'model' | 'tools' | 'analyze' | 'readHead'>
  /** Decodes pictures of movies; undefined: nothing does here. */
  readonly ffmpeg?: LookAtFileComponents['ffmpeg']
  readonly reader: Pick<PhotoReader, 'source' | 'stream'>
  readonly writer: Pick<RecordWriter, 'edit'>
  /** Nodes that share the work: this one and all live peers. */
  readonly workers: () => readonly NodeId[]
  /** Whether a node can decode with the tool. */
  readonly hasTool: (node: NodeId, tool: string) => boolean
  readonly self: NodeId
  /** Finds photos that look like one with these features. */
  readonly findLinks: (
    id: PhotoId,
    features: Features,
    phash: Uint8Array | undefined,
    signal: AbortSignal
  ) => Promise<ReadonlyMap<PhotoId, Link>>
  readonly clock: Clock
  readonly log: Logger
}

type Tools = ReadonlySet<DecodingTool>

/** A photo analyzed a moment ago. */
interface RecentAnalysis {
  readonly id: PhotoId
  readonly features: Features
  readonly phash: Uint8Array | undefined
  readonly dueMs: number
}

/**
 * Gets every photo in the cluster analyzed once, when its head was read: perceptual hash, smaller sizes, features, links to
 * similar photos. What could not be decoded is tried again by a later version.
 */
export class ImageBacklog implements Startable {
  readonly #components: ImageBacklogComponents
  readonly #loop: WorkerLoop
  readonly #scan: PhotoScan
  /** Looks for those without a picture, of which this version, or this node, may have one. */
  readonly #scanAgain: PhotoScan
  readonly #work: PhotoWork
  /** Oldest first. */
  readonly #recent: RecentAnalysis[] = []
  #unsubscribe: (() => void) | undefined
  /** When the last new photo arrived, monotonic ms. */
  #lastPhotoMs = Number.NEGATIVE_INFINITY

  constructor(components: ImageBacklogComponents) {
    const { clock, log, directory } = components
    this.#components = components
    const step = (signal: AbortSignal): Promise<'busy' | 'idle'> => this.#step(signal)
    this.#loop = new WorkerLoop({ clock, log }, { name: 'image backlog', idleMs: IDLE_MS, step })
    this.#work = new PhotoWork(components, {
      failed: 'photo analysis failed; it will be retried',
      isUndone: photo => this.#outputsOf(photo) !== undefined,
      needs: photo => toolFor(viewLooks(photo.record).head?.format),
      work: (id, signal) => this.#analyze(id, signal),
      concurrency: () => (clock.monotonic() - this.#lastPhotoMs < BUSY_MS ? CONCURRENCY_BUSY : CONCURRENCY),
      wake: () => this.#loop.wake(),
      onFull: () => {
        this.#scan.hurry()
        this.#scanAgain.hurry()
      }
    })
    const scanOf = (terms: readonly string[], isBehind: () => boolean): PhotoScan =>
      new PhotoScan(
        { directory },
        {
          terms,
          pagePhotos: PAGE,
          isBehind,
          take: record => this.#work.take(record, 'old'),
          queued: () => this.#work.waiting('old'),
          queuedMax: WAITING_MAX
        }
      )
    this.#scan = scanOf(VISUAL_TERMS, () => this.pending > 0 || visualCount(directory) > directory.count('looked'))
    this.#scanAgain = scanOf([NONE], () => directory.count(NONE) > 0)
  }

  async start(): Promise<void> {
    this.#unsubscribe = this.#components.directory.onChange(changes => {
      for (const { before, after } of changes) {
        if (after?.kind !== PHOTO_KIND) continue
        if (before === undefined) this.#lastPhotoMs = this.#components.clock.monotonic()
        // a photo has arrived once its head is read
        const isNew = before === undefined || viewLooks(before).head === undefined
        this.#work.take(after, isNew ? 'new' : 'old')
      }
    })
    await this.#loop.start()
  }

  async stop(): Promise<void> {
    this.#unsubscribe?.()
    await this.#loop.stop()
    await this.#work.stop()
  }

  /** Call when the model has changed: scans at once for photos that it has not analyzed. */
  modelChanged(): void {
    this.#scan.restart()
    this.#loop.wake()
  }

  /** Photos in the whole cluster that the model has not analyzed; without a model: that were never analyzed. */
  get pending(): number {
    const { directory, analyzer } = this.#components
    const done = analyzer.model === undefined ? 'looked' : `features\0${analyzer.model}`
    return Math.max(0, visualCount(directory) - directory.count(done))
  }

  // --- finding work ---

  /** @returns what is still to be found of a photo; undefined: nothing, or not before its head was read */
  #outputsOf(photo: Photo): AnalysisRequest['outputs'] | undefined {
    if (photo.deleted || !isVisual(photo.contentType)) return undefined
    const { head, image, features, failed } = viewFindings(photo.record)
    const { model, tools } = this.#components.analyzer
    const isUnseen = isUnseenHere(image, tools)
    if (isUnseen && head === undefined) return undefined
    const isModelDone = model === undefined || features.has(model) || (failed.has(model) && !isUnseen)
    return isUnseen || !isModelDone ? { facts: isUnseen, features: isModelDone ? undefined : model } : undefined
  }

  async #step(signal: AbortSignal): Promise<'busy' | 'idle'> {
    const { clock, directory } = this.#components
    if (directory.state !== 'open') return 'idle'
    const now = clock.monotonic()
    this.#work.startDue(now)
    const [recent] = this.#recent
    if (recent !== undefined && recent.dueMs <= now) {
      this.#recent.shift()
      await this.#compareAgain(recent, signal)
      return 'busy'
    }
    if (!(await this.#scan.step(now, signal)) && !(await this.#scanAgain.step(now, signal))) return 'idle'
    this.#work.startDue(clock.monotonic())
    return this.#scan.isRunning || this.#scanAgain.isRunning ? 'busy' : 'idle'
  }

  // --- doing the work ---

  async #analyze(id: PhotoId, signal: AbortSignal): Promise<'done' | 'later'> {
    const { directory, reader, analyzer, ffmpeg, findLinks } = this.#components
    const { tools } = analyzer
    const record = directory.getSync({ kind: PHOTO_KIND, id })?.record
    const photo = record && viewPhoto(record)
    const blob = photo && blobOf(photo, 'orig')
    const outputs = photo && this.#outputsOf(photo)
    if (photo === undefined || blob === undefined || outputs === undefined) return 'done'
    if ((await reader.source(blob)) === undefined) return 'later'
    const { phash, head } = viewFindings(photo.record)
    try {
      const look = { format: head?.format, outputs, priority: 'backlog' } as const
      const analysis = await lookAtFile({ analyzer, ffmpeg }, fileOfBlob(reader, blob), look, signal)
      const analyzed = analysis.features && { id, features: analysis.features, phash: analysis.phash ?? phash }
      const links = analyzed && (await findLinks(id, analyzed.features, analyzed.phash, signal))
      await this.#write(photo, now => resultOf(now, analysis, outputs, { links: links ?? new Map(), tools }))
      if (analyzed !== undefined) this.#noteRecent(analyzed)
    } catch (err) {
      const code = FINAL_ERRORS.find(one => hasCode(err, one))
      if (code === undefined) throw err
      await this.#write(photo, now => ({ changes: failureOf(now, code, outputs.features, tools) }))
    }
    return 'done'
  }

  #noteRecent(analyzed: Omit<RecentAnalysis, 'dueMs'>): void {
    this.#recent.push({ ...analyzed, dueMs: this.#components.clock.monotonic() + COMPARE_AGAIN_MS })
    if (this.#recent.length > COMPARE_AGAIN_MAX) this.#recent.shift()
  }

  async #compareAgain({ id, features, phash }: RecentAnalysis, signal: AbortSignal): Promise<void> {
    const { directory, findLinks } = this.#components
    const record = directory.getSync({ kind: PHOTO_KIND, id })?.record
    if (record === undefined) return
    const links = await findLinks(id, features, phash, signal)
    const known = viewFindings(record).links
    const found = [...links].filter(([other]) => !known.has(other))
    if (found.length === 0) return
    await this.#write(viewPhoto(record), () => ({ changes: found.map(([other, link]) => linkChange(other, link)) }))
  }

  /** Writes nothing if the photo was deleted meanwhile, or restored under another generation. */
  async #write({ id, generation }: Photo, decide: (now: Photo) => Edit): Promise<void> {
    await this.#components.writer.edit(id, (_, now) =>
      now.deleted || now.generation !== generation ? undefined : decide(now)
    )
  }
}

function resultOf(
  photo: Photo,
  analysis: Analysis,
  outputs: AnalysisRequest['outputs'],
  { links, tools }: { readonly links: ReadonlyMap<PhotoId, Link>; readonly tools: Tools }
): Edit {
  const { id, generation } = photo
  const { variants, features, featuresError } = analysis
  const changes: Change[] = outputs.facts ? lookOf(photo, analysis, tools) : []
  const needles: NeedleDraft[] = []
  for (const { alt, recipe, contentType, bytes } of variants) {
    if (photo.variants.has(alt)) continue // made by a client, or another node was first
    const sha256 = hash('sha256', bytes, 'hex')
    changes.push(addVariantChange(alt, { recipe, sha256, size: bytes.length, contentType, chunkBytes: 0 }))
    needles.push(dataDraft(photo, { id, generation, part: alt, sha256 }, 0, false, bytes))
  }
  if (features !== undefined) {
    const bytes = encodeFeatures(features)
    const sha256 = hash('sha256', bytes, 'hex')
    changes.push(featuresChange(modelIdOf(features.modelDigest), { sha256, size: bytes.length }))
    needles.push(dataDraft(photo, { id, generation, part: 'features', sha256 }, 0, false, bytes))
  }
  if (outputs.features !== undefined && featuresError !== undefined)
    changes.push(featuresFailedChange(outputs.features, featuresError))
  for (const [other, link] of links) changes.push(linkChange(other, link))
  return { changes, needles }
}

/** @returns what was seen of a picture, unless another node was first */
function lookOf(photo: Photo, { width, height, state, error, phash }: Analysis, tools: Tools): Change[] {
  const { image, failed } = viewFindings(photo.record)
  if (!isUnseenHere(image, tools)) return []
  const isSizeNew =
    photo.width === undefined || (state === 'whole' && (photo.width !== width || photo.height !== height))
  return [
    ...(isSizeNew ? [dimensionsChange(width, height)] : []),
    imageChange({ state, error, reader: PICTURE_READER, decoder: state === 'poster' ? 'ffmpeg' : DECODER }),
    ...(phash === undefined ? [] : [phashChange(phash)]),
    // models that failed since there was no picture may try again
    ...Array.from(failed.keys(), model => ({ kind: 'remove', field: 'features', key: model }) as const)
  ]
}

function failureOf(photo: Photo, error: string, model: ModelId | undefined, tools: Tools): Change[] {
  const { head, image } = viewLooks(photo.record)
  const tool = error === 'ERR_IMAGE_UNREADABLE' ? toolFor(head?.format) : undefined
  const wants = isHere(tool, tools) ? undefined : tool
  const decoder = isMovieFormat(head?.format) ? 'ffmpeg' : DECODER
  const look = { error, state: 'none', wants, reader: PICTURE_READER, decoder } as const
  return [
    ...(isUnseenHere(image, tools) ? [imageChange(look)] : []),
    ...(model === undefined ? [] : [featuresFailedChange(model, error)])
  ]
}

/** Whether this node has still to look at a picture: also at one that wanted a tool which another node lacked. */
function isUnseenHere(image: ImageLook | undefined, tools: Tools): boolean {
  return isUnseenBy(PICTURE_READER, image) || isHere(image?.wants, tools)
}

function isHere(tool: string | undefined, tools: ReadonlySet<string>): boolean {
  return tool !== undefined && tools.has(tool)
}
