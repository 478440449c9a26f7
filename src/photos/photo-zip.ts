import type { PassThrough } from 'node:stream'
import { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { extension } from 'mime-types'
import { ZipFile } from 'yazl'
import { SheafError } from '../core/errors.js'
import { fileName, neutralName } from '../domain/file-name.js'
import { hlcMs } from '../domain/hlc.js'
import type { PhotoId } from '../domain/ids.js'
import { ZIPPED_PHOTOS_MAX } from '../domain/limits.js'
import { pairOf } from '../domain/pairs.js'
import type { Photo } from '../domain/photo.js'
import { badField } from './photo-rules.js'
import type { ListFilters } from './photo-types.js'
import type { Photos } from './photos.js'

const PAGE_PHOTOS = 500
const MISSING_NAME = 'missing.txt'
/** What times of files in a ZIP can say. */
const [TIME_MS_MIN, TIME_MS_MAX] = [Date.UTC(1980, 0, 2), Date.UTC(2038, 0, 1)]

/** The photos of a list, or those named. */
export interface ZipQuery extends ListFilters {
  readonly ids?: readonly PhotoId[] | undefined
}

/** Originals as one file, made while it is sent: nothing of it is kept. */
export class PhotoZip {
  readonly #photos: Pick<Photos, 'list' | 'meta' | 'open'>

  constructor(photos: Pick<Photos, 'list' | 'meta' | 'open'>) {
    this.#photos = photos
  }

  /**
   * The bytes of a ZIP file with the originals of photos and of their parts, as they are. What cannot be read when its turn comes is left out
   * and named in `missing.txt`; bytes that fail midway end it.
   *
   * @throws `ERR_BAD_PARAMETER` for too many photos; what lists throw; the signal's reason
   */
  async *bytes(query: ZipQuery, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const photos = this.#wanted(query, signal)
    const first = await photos.next() // what is wrong with the request is thrown before there are bytes
    const zip = new ZipFile()
    const output = zip.outputStream as PassThrough
    zip.on('error', (error: Error) => output.destroy(error))
    const stop = new AbortController()
    const fillSignal = AbortSignal.any([signal, stop.signal])
    const filled = this.#fill(zip, first, photos, fillSignal).catch((error: Error) => output.destroy(error))
    try {
      yield* output as AsyncIterable<Uint8Array>
    } finally {
      stop.abort()
      await filled
    }
  }

  /** Adds one file after the other: the next is opened when the one before has been taken. */
  async #fill(
    zip: ZipFile,
    first: IteratorResult<Photo, void>,
    photos: AsyncIterator<Photo, void>,
    signal: AbortSignal
  ): Promise<void> {
    const names = new Set([MISSING_NAME])
    const seen = new Set<PhotoId>()
    const missing: string[] = []
    for (let next = first; next.done !== true; next = await photos.next()) {
      signal.throwIfAborted()
      const photo = next.value
      if (seen.has(photo.id)) continue
      seen.add(photo.id)
      const content = await this.#photos.open(photo.id, 'orig').catch((error: unknown) => {
        if (!(error instanceof SheafError)) throw error
        const name = error.code === 'ERR_FORBIDDEN' ? neutralName(photo.id) : photo.name
        missing.push(`${photo.id} ${error.code} ${name}\n`)
      })
      if (content === undefined) continue
      const { size } = content.head
      const bytes = Readable.from(content.stream(0, size), { objectMode: false })
      zip.addReadStream(bytes, freeName(names, photo), { size, compress: false, mtime: timeOf(photo) })
      await finished(bytes, { signal })
    }
    if (missing.length > 0) zip.addBuffer(Buffer.from(missing.join('')), MISSING_NAME, { compress: false })
    zip.end()
  }

  async *#wanted({ ids, ...filters }: ZipQuery, signal: AbortSignal): AsyncGenerator<Photo, void> {
    if (ids !== undefined) {
      // one that is not there is refused before there are bytes
      const named = await Promise.all(Array.from(new Set(ids), id => this.#photos.meta(id)))
      for (const { photo } of named) yield* this.#withParts(photo)
      return
    }
    let cursor: string | undefined
    do {
      const page = await this.#photos.list({ ...filters, limit: PAGE_PHOTOS, ...(cursor && { cursor }) }, signal)
      if (page.total > ZIPPED_PHOTOS_MAX)
        throw badField(
          'q',
          `these are more than ${ZIPPED_PHOTOS_MAX} photos: ask for fewer at once, or use sheaf export`
        )
      for (const { photo } of page.photos) yield* this.#withParts(photo)
      cursor = page.nextCursor ?? undefined
    } while (cursor !== undefined)
  }

  async *#withParts(photo: Photo): AsyncGenerator<Photo, void> {
    yield photo
    for (const part of pairOf(photo.record).parts) {
      const found = await this.#photos.meta(part).catch((error: unknown) => {
        if (error instanceof SheafError) return undefined // deleted by itself
        throw error
      })
      if (found !== undefined) yield found.photo
    }
  }
}

/** @returns the photo's name, with the tail of its id, or all of it, where that is taken; in any case */
function freeName(names: Set<string>, { id, name, contentType }: Photo): string {
  const { stem, suffix } = fileName(name, extension(contentType))
  const free = ['', `_${id.slice(-6)}`, `_${id}`]
    .map(end => `${stem}${end}${suffix}`)
    .find(one => {
      return !names.has(one.toLowerCase())
    })
  const chosen = free ?? `${id}${suffix}`
  names.add(chosen.toLowerCase())
  return chosen
}

function timeOf({ takenAt, file, createdAt }: Photo): Date {
  const ms = file.ms ?? takenAt?.ms ?? hlcMs(createdAt)
  return new Date(Math.min(Math.max(ms, TIME_MS_MIN), TIME_MS_MAX))
}
