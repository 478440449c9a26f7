import type { Directory } from '../directory/directory.js'
import type { DirectoryRecord } from '../domain/record.js'

/** Between two scans; doubles while a scan finds nothing new. */
const SCAN_MS = 5_000
const SCAN_MS_MAX = 60 * 60_000

/** Of photos in whose files there is something to be seen: no photo has both. */
export const VISUAL_TERMS = ['type\0image', 'type\0video']

/** @returns photos in whose files there is something to be seen */
export function visualCount(directory: Pick<Directory, 'count'>): number {
  return VISUAL_TERMS.reduce((sum, term) => sum + directory.count(term), 0)
}

export interface PhotoScanInit {
  /** Of the photos to look through, one after the other; not empty. */
  readonly terms: readonly string[]
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
  /** Of the terms. */
  termAt: number
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
  #scan = newScan()
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
    this.#scan = newScan()
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
    const { terms, pagePhotos, take, queued, queuedMax } = this.#init
    const { cursor, termAt } = scan
    const query = {
      terms: terms.slice(termAt, termAt + 1),
      words: [],
      limit: pagePhotos,
      ...(cursor !== undefined && { cursor })
    }
    const { records, nextCursor } = await this.#directory.query(query, signal)
    const before = queued()
    for (const record of records) take(record)
    scan.foundCount += queued() - before
    scan.cursor = nextCursor ?? undefined
    if (scan.cursor === undefined) scan.termAt = (termAt + 1) % terms.length
    scan.isRunning = (scan.cursor !== undefined || scan.termAt > 0) && queued() < queuedMax
  }
}

function newScan(): Scan {
  return { termAt: 0, cursor: undefined, isRunning: false, foundCount: 0 }
}
