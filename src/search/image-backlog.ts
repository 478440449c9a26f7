import type { Clock } from '../core/clock.js'
import { hasCode } from '../core/errors.js'
import type { Startable } from '../core/lifecycle.js'
import type { Logger } from '../core/log.js'
import { WorkerLoop } from '../core/worker-loop.js'
import type { Directory } from '../directory/directory.js'
import type { Features } from '../domain/features.js'
import { type Link, linkChange, viewFindings, viewLooks } from '../domain/findings.js'
import type { NodeId, PhotoId } from '../domain/ids.js'
import { PHOTO_KIND, type Photo, viewPhoto } from '../domain/photo.js'
import { isVisual } from '../domain/photo-kind.js'
import type { PhotoReader } from '../photos/photo-reader.js'
import { toolFor } from '../similarity/images/decoding-tools.js'
import type { AnalysisRequest, ImageAnalyzer } from '../similarity/images/image-analyzer.js'
import { blobOf } from '../store/photo-needles.js'
import type { Edit, RecordWriter } from '../store/record-writer.js'
import { failureOf, hashedLook, isUnhashed, isUnseenHere, resultOf } from './image-results.js'
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
/** Photos of before that are told in a few bytes: this many in a second. */
const OLDER_PER_SECOND = 50
const SECOND_MS = 1_000
const NONE = 'state\0none'
const UNHASHED = 'unhashed'
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
  /** Looks for those that a version of before has shown without telling them in a few bytes. */
  readonly #scanOlder: PhotoScan
  #nextOlderMs = 0
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
      isUndone: photo => this.#outputsOf(photo) !== undefined || isUnhashed(photo),
      needs: photo => toolFor(viewLooks(photo.record).head?.format),
      work: (id, signal) => this.#analyze(id, signal),
      concurrency: () => (clock.monotonic() - this.#lastPhotoMs < BUSY_MS ? CONCURRENCY_BUSY : CONCURRENCY),
      wake: () => this.#loop.wake(),
      onFull: () => {
        this.#scan.hurry()
        this.#scanAgain.hurry()
        this.#scanOlder.hurry()
      }
    })
    const scanOf = (terms: readonly string[], isBehind: () => boolean, pagePhotos = PAGE): PhotoScan =>
      new PhotoScan(
        { directory },
        {
          terms,
          pagePhotos,
          isBehind,
          take: record => this.#work.take(record, 'old'),
          queued: () => this.#work.waiting('old'),
          queuedMax: WAITING_MAX
        }
      )
    this.#scan = scanOf(VISUAL_TERMS, () => this.pending > 0 || visualCount(directory) > directory.count('looked'))
    this.#scanAgain = scanOf([NONE], () => directory.count(NONE) > 0)
    this.#scanOlder = scanOf([UNHASHED], () => directory.count(UNHASHED) > 0, OLDER_PER_SECOND)
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
    if (now >= this.#nextOlderMs && (await this.#scanOlder.step(now, signal))) {
      this.#nextOlderMs = now + SECOND_MS
      this.#work.startDue(clock.monotonic())
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
    if (photo === undefined || blob === undefined) return 'done'
    if (outputs === undefined) return isUnhashed(photo) ? this.#hash(photo, signal) : 'done'
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

  /** Tells a picture in a few bytes, from the smallest size that there is of it. */
  async #hash(photo: Photo, signal: AbortSignal): Promise<'done' | 'later'> {
    const { reader, analyzer } = this.#components
    const blob = blobOf(photo, 'thumb') ?? blobOf(photo, 'orig')
    if (blob === undefined) return 'done'
    if ((await reader.source(blob)) === undefined) return 'later'
    const outputs = { facts: true, features: undefined }
    const bytes = (): AsyncIterable<Uint8Array> => reader.stream(blob, 0, blob.size)
    const thumbhash = await analyzer
      .analyze({ bytes, size: blob.size, outputs, priority: 'backlog' }, signal)
      .then(analysis => analysis.thumbhash)
      .catch(err => {
        if (!FINAL_ERRORS.some(code => hasCode(err, code))) throw err
        return undefined
      })
    await this.#write(photo, now => ({ changes: isUnhashed(now) ? [hashedLook(now, thumbhash)] : [] }))
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
