import { type Signal, signal } from '@preact/signals'
import { type Api, ApiError, type Bucket, type Columns } from '../api/client.js'

/** Buckets whose photos are kept in memory, at most: 64,000 photos, some 10 MB. */
const BUCKETS_KEPT_MAX = 64
/** Browsers open six connections to a node; pictures need some of them. */
const READS_AT_ONCE = 3

/** What a node says of the photos in a bucket. All columns are equally long, newest first. */
export interface BucketPhotos {
  readonly revision: string
  readonly ids: readonly string[]
  readonly aspects: readonly (number | null)[]
  readonly seconds: readonly number[]
  readonly flags: readonly number[]
  readonly hashes: readonly (string | null)[]
}

/** In {@link BucketPhotos.flags}. */
export const FLAG = { raw: 1, video: 2, undated: 4, conflicts: 8, thumb: 16, favourite: 32 } as const

export interface Found {
  readonly bucket: number
  readonly index: number
}

/**
 * The photos of a node in the order in which they were taken: how many there are in which time, and of the buckets that are
 * looked at, which. What is not looked at any more is not read to the end.
 */
export class Timeline {
  readonly buckets: Signal<readonly Bucket[]> = signal([])
  /** undefined: not known yet. */
  readonly total: Signal<number | undefined> = signal(undefined)
  readonly error: Signal<ApiError | undefined> = signal(undefined)
  /** Another number whenever the photos of a bucket have come. */
  readonly version: Signal<number> = signal(0)
  readonly filters: Readonly<Record<string, string>>
  readonly #api: Pick<Api, 'get'>
  readonly #photos = new Map<string, BucketPhotos>()
  readonly #reads = new Map<string, AbortController>()
  #wanted: readonly string[] = []
  #reading: Promise<void> | undefined
  #isStale = false

  constructor(api: Pick<Api, 'get'>, filters: Readonly<Record<string, string>> = {}) {
    this.#api = api
    this.filters = filters
  }

  /** Reads anew how many there are. What has not changed since is kept; several calls at once are one, or two. */
  load(): Promise<void> {
    if (this.#reading !== undefined) {
      this.#isStale = true
      return this.#reading
    }
    this.#reading = this.#load().finally(() => {
      this.#reading = undefined
      if (this.#isStale) {
        this.#isStale = false
        return this.load()
      }
      return undefined
    })
    return this.#reading
  }

  /** @returns undefined: not known yet; perhaps as they were a moment ago */
  photos(key: string): BucketPhotos | undefined {
    return this.#photos.get(key)
  }

  /** The page shows these buckets, the most important first: reads what is missing, and no longer others. */
  want(keys: readonly string[]): void {
    this.#wanted = keys
    for (const [key, read] of this.#reads) if (!keys.includes(key)) read.abort()
    this.#readNext()
  }

  /** @throws {@link ApiError} */
  async require(key: string): Promise<BucketPhotos> {
    const bucket = this.buckets.peek().find(it => it.key === key)
    const known = this.#photos.get(key)
    if (known !== undefined && known.revision === bucket?.revision) return known
    return await this.#read(key)
  }

  /** @returns where a photo is among those that are known */
  find(id: string): Found | undefined {
    for (const [bucket, { key }] of this.buckets.peek().entries()) {
      const index = this.#photos.get(key)?.ids.indexOf(id) ?? -1
      if (index >= 0) return { bucket, index }
    }
    return undefined
  }

  /**
   * @param step - 1 for the next one, -1 for the one before
   * @param day - on which the photo was taken, `2024-05-01`: where to look for it when it is not known yet
   * @returns its id; undefined: there is none
   */
  async neighbour(id: string, step: 1 | -1, day?: string): Promise<string | undefined> {
    if (this.find(id) === undefined && day !== undefined)
      for (const { key, from, to } of this.buckets.peek()) if (from <= day && day <= to) await this.require(key)
    const found = this.find(id)
    if (found === undefined) return undefined
    let { bucket } = found
    let index = found.index + step
    for (;;) {
      const { key } = this.buckets.peek()[bucket] ?? {}
      if (key === undefined) return undefined
      const { ids } = this.#photos.get(key) ?? (await this.require(key))
      if (index >= 0 && index < ids.length) return ids[index]
      if (index === -1 && step === -1) {
        bucket--
        const before = this.buckets.peek()[bucket]
        if (before === undefined) return undefined
        index = (this.#photos.get(before.key) ?? (await this.require(before.key))).ids.length - 1
      } else {
        bucket++
        index = 0
      }
    }
  }

  async #load(): Promise<void> {
    try {
      const { buckets, total } = await this.#api.get('/photos/timeline', { query: this.filters })
      const keys = new Set(buckets.map(({ key }) => key))
      for (const key of this.#photos.keys()) if (!keys.has(key)) this.#photos.delete(key)
      this.buckets.value = buckets
      this.total.value = total
      this.error.value = undefined
      this.#readNext()
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      this.error.value = error
    }
  }

  #readNext(): void {
    // the first pictures are asked for before the list of what is below them
    const atOnce = this.#photos.size === 0 ? 1 : READS_AT_ONCE
    for (const key of this.#wanted) {
      if (this.#reads.size >= atOnce) return
      const bucket = this.buckets.peek().find(it => it.key === key)
      if (bucket === undefined || this.#reads.has(key) || this.#photos.get(key)?.revision === bucket.revision) continue
      const read = new AbortController()
      this.#reads.set(key, read)
      void this.#read(key, read.signal)
        .then(
          () => true,
          // one that is gone by now is missing from the time line, too
          error => error instanceof ApiError && error.code === 'ERR_NO_SUCH_BUCKET' && void this.load()
        )
        .then(isRead => {
          this.#reads.delete(key)
          if (isRead === true || read.signal.aborted) this.#readNext()
        })
    }
  }

  async #read(key: string, signal?: AbortSignal): Promise<BucketPhotos> {
    const columns = await this.#api.get('/photos/timeline/{key}', { params: { key }, query: this.filters, signal })
    const photos = photosOf(columns)
    this.#photos.delete(key)
    this.#photos.set(key, photos)
    // A bucket that has changed meanwhile is told by the next reading of the time line.
    const buckets = this.buckets.peek()
    const at = buckets.findIndex(it => it.key === key)
    const bucket = buckets[at]
    if (bucket !== undefined && bucket.revision !== photos.revision)
      this.buckets.value = buckets.with(at, { ...bucket, revision: photos.revision, count: photos.ids.length })
    this.#dropOldest()
    this.version.value++
    return photos
  }

  #dropOldest(): void {
    for (const key of this.#photos.keys()) {
      if (this.#photos.size <= BUCKETS_KEPT_MAX) return
      if (!this.#wanted.includes(key)) this.#photos.delete(key)
    }
  }
}

function photosOf(columns: Columns): BucketPhotos {
  const { revision, photo_ids: ids, aspects, flags, hashes, taken_s: taken, added_s: added } = columns
  return { revision, ids, aspects, flags, hashes, seconds: taken ?? added ?? ids.map(() => 0) }
}
