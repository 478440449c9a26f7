import type { Directory } from '../directory/directory.js'
import type { DirectoryRecord } from '../domain/record.js'

/** Between two scans; doubles while a scan finds nothing new. */
const SCAN_MS = 5_000
const SCAN_MS_MAX = 60 * 60_000

export interface PhotoScanInit {
  /** Of the photos to look through. */
  readonly term: string
  readonly pagePhotos: number
  /** Whether there is anything to find. */
  readonly isBehind: () => boolean
  /** Queues the photo if it has to be worked on. */
  readonly take: (record: DirectoryRecord) => void
  /** Photos in that queue, and how many it may have. */
  readonly queued: () => number
  readonly queuedMax: number
}

interface Scan {
  /** Where it continues; undefined: at the newest photo. */
  cursor: string | undefined
  isRunning: boolean
  /** What it has queued since it last began to run. */
  foundCount: number
}

/**
 * Looks through the directory, newest first, for photos without a change event: those from before the start, and those that a
 * queue had no room for.
 */
export class PhotoScan {
  readonly #directory: Pick<Directory, 'query'>
  readonly #init: PhotoScanInit
  #scan: Scan = { cursor: undefined, isRunning: false, foundCount: 0 }
  #nextMs = 0
  #pauseMs = SCAN_MS

  constructor(components: { readonly directory: Pick<Directory, 'query'> }, init: PhotoScanInit) {
    this.#directory = components.directory
    this.#init = init
  }

  get isRunning(): boolean {
    return this.#scan.isRunning
  }

  /** Begins anew at once. */
  restart(): void {
    this.#scan = { cursor: undefined, isRunning: false, foundCount: 0 }
    this.#nextMs = 0
    this.#pauseMs = SCAN_MS
  }

  /** Does not wait before the next scan. */
  hurry(): void {
    this.#nextMs = 0
  }

  /** Looks at one page of the directory when a scan runs or is due. @returns whether it did */
  async step(now: number, signal: AbortSignal): Promise<boolean> {
    const { isBehind, queued, queuedMax } = this.#init
    const scan = this.#scan
    if (!scan.isRunning && (now < this.#nextMs || queued() >= queuedMax / 2)) return false
    if (!scan.isRunning) scan.foundCount = 0
    scan.isRunning = isBehind()
    if (scan.isRunning) await this.#page(scan, signal)
    if (!scan.isRunning && scan === this.#scan) {
      this.#pauseMs = scan.foundCount > 0 ? SCAN_MS : Math.min(2 * this.#pauseMs, SCAN_MS_MAX)
      this.#nextMs = now + this.#pauseMs
    }
    return true
  }

  async #page(scan: Scan, signal: AbortSignal): Promise<void> {
    const { term, pagePhotos, take, queued, queuedMax } = this.#init
    const { cursor } = scan
    const query = { terms: [term], words: [], limit: pagePhotos, ...(cursor !== undefined && { cursor }) }
    const { records, nextCursor } = await this.#directory.query(query, signal)
    const before = queued()
    for (const record of records) take(record)
    scan.foundCount += queued() - before
    scan.cursor = nextCursor ?? undefined
    scan.isRunning = scan.cursor !== undefined && queued() < queuedMax
  }
}
