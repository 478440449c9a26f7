import { hash } from 'node:crypto'
import { hasCode, SheafError } from '../core/errors.js'
import type { Logger } from '../core/log.js'
import type { NeedleIdentity } from '../domain/needle.js'
import type { PeerReads, WantedNeedle } from '../replication/volumes/peer-reads.js'
import { dataIdentity, lifeNames, needleSpan, type PhotoBlob } from '../store/photo-needles.js'
import type { NeedleLocation, NeedleStore } from '../volumes/needle-store.js'
import { ByteBudget } from './byte-budget.js'
import type { PhotoCache } from './photo-cache.js'

/** A whole needle up to this size is read in one disk read; a larger one block by block, as the client takes it. */
const WHOLE_READ_BYTES_MAX = 256 * 1024
/** Whole originals that clients have yet to take, in all; while there are more, others are read block by block. */
const UNTAKEN_BYTES_MAX = 64 * 1024 * 1024

/** Of whole originals that clients have yet to take: many who take nothing must not fill the memory. */
export function untakenBudget(bytesMax = UNTAKEN_BYTES_MAX): ByteBudget {
  return new ByteBudget({ bytesMax, waitersMax: 0 })
}

/** A needle on this node that holds what is asked for. */
export interface LocalCopy {
  readonly location: NeedleLocation
  readonly identity: NeedleIdentity
}

export interface PhotoReaderComponents {
  readonly store: NeedleStore
  readonly log: Logger
  /** Needles of other nodes. Absent on a single node. */
  readonly remote?: Pick<PeerReads, 'isInReach' | 'stream'> | undefined
  /** Keeps what other nodes send. Default: nothing is kept. */
  readonly cache?: PhotoCache
  /** Default: one of its own. */
  readonly untaken?: ByteBudget
}

/** Reads the bytes of photos from needles. Skips damaged copies, and asks peers when no local copy is intact. */
export class PhotoReader {
  readonly #store: NeedleStore
  readonly #log: Logger
  readonly #remote: PhotoReaderComponents['remote']
  readonly #cache: PhotoCache | undefined
  readonly #untaken: ByteBudget

  constructor(components: PhotoReaderComponents) {
    this.#untaken = components.untaken ?? untakenBudget()
    this.#store = components.store
    this.#log = components.log
    this.#remote = components.remote
    this.#cache = components.cache
  }

  /** @returns where the blob's first needle can be read now; undefined: nowhere */
  async source(blob: PhotoBlob): Promise<'local' | 'cache' | 'peer' | undefined> {
    if (this.isLocal(blob)) return 'local'
    if (this.#cache?.has(blob, 0) === true) return 'cache'
    const remote = this.#remote
    if (remote === undefined) return undefined
    // under all names at once: a peer that stands still holds up each of them
    const answers = Array.from(wantedNeedles(blob, 0), wanted => remote.isInReach(wanted))
    return (await isAny(answers)) ? 'peer' : undefined
  }

  /** @returns whether this node should have a copy of the blob's first needle; it may have damage not found yet */
  isLocal(blob: PhotoBlob): boolean {
    return !this.copies(blob, 0).next().done
  }

  /**
   * Streams bytes [start, end) of the blob. Every piece is verified against its checksum. Sizes other than the original
   * are also verified against their sha256, because two nodes may have made the same size differently.
   *
   * @throws `ERR_BYTES_UNREACHABLE` when no intact copy of a needle is left
   */
  async *stream(blob: PhotoBlob, start: number, end: number): AsyncGenerator<Uint8Array> {
    let chunk = blob.chunkBytes === 0 ? 0 : Math.floor(start / blob.chunkBytes)
    for (let position = start; position < end; chunk++) {
      const span = needleSpan(blob, chunk)
      const to = Math.min(end, span.end)
      const wholeBytes = span.end - span.start
      if (blob.part !== 'orig') {
        const bytes = await this.readNeedle(blob, chunk)
        yield bytes.subarray(position - span.start, to - span.start)
      } else if (
        to - position === wholeBytes &&
        wholeBytes <= WHOLE_READ_BYTES_MAX &&
        this.#untaken.tryTake(wholeBytes)
      ) {
        try {
          yield await this.readNeedle(blob, chunk)
        } finally {
          this.#untaken.release(wholeBytes)
        }
      } else {
        yield* this.#streamNeedle(blob, chunk, position - span.start, to - span.start)
      }
      position = to
    }
  }

  /**
   * @returns all bytes of one of the blob's needles, not to be changed
   * @throws `ERR_BYTES_UNREACHABLE`
   */
  async readNeedle(blob: PhotoBlob, chunk: number): Promise<Uint8Array> {
    let cause: unknown
    for (const { location, identity } of this.copies(blob, chunk)) {
      try {
        const bytes = await this.#store.read(location, identity)
        if (matchesRecord(blob, bytes)) return bytes
      } catch (err) {
        cause = this.#logUnreadable(blob, location, err)
      }
    }
    const kept = this.#cache?.get(blob, chunk)
    if (kept !== undefined) return kept
    const pieces: Uint8Array[] = []
    const { start, end } = needleSpan(blob, chunk)
    for await (const piece of this.#fromPeers(blob, chunk, 0, end - start, cause)) pieces.push(piece)
    const bytes = Buffer.concat(pieces)
    if (!matchesRecord(blob, bytes)) throw unreachable(blob, cause)
    this.#cache?.keep(blob, chunk, bytes)
    return bytes
  }

  async *#streamNeedle(blob: PhotoBlob, chunk: number, start: number, end: number): AsyncGenerator<Uint8Array> {
    let position = start
    let cause: unknown
    for (const { location, identity } of this.copies(blob, chunk)) {
      try {
        for await (const piece of this.#store.readRange(location, identity, position, end)) {
          position += piece.length
          yield piece
        }
        return
      } catch (err) {
        cause = this.#logUnreadable(blob, location, err)
      }
    }
    const kept = this.#cache?.get(blob, chunk)
    if (kept !== undefined) {
      yield kept.subarray(position, end)
      return
    }
    const span = needleSpan(blob, chunk)
    const pieces = this.#fromPeers(blob, chunk, position, end, cause)
    const isWhole = position === 0 && end === span.end - span.start
    yield* isWhole && this.#cache !== undefined ? this.#cache.keeping(blob, chunk, end, pieces) : pieces
  }

  async *#fromPeers(
    blob: PhotoBlob,
    chunk: number,
    start: number,
    end: number,
    localCause: unknown
  ): AsyncGenerator<Uint8Array> {
    const remote = this.#remote
    if (remote === undefined) throw unreachable(blob, localCause)
    let cause = localCause
    let position = start
    for (const wanted of wantedNeedles(blob, chunk)) {
      try {
        for await (const piece of remote.stream(wanted, position, end)) {
          position += piece.byteLength
          yield piece
        }
        return
      } catch (err) {
        if (!hasCode(err, 'ERR_BYTES_UNREACHABLE')) throw err
        cause ??= err
      }
    }
    throw unreachable(blob, cause)
  }

  /** Local copies to try, best first. Looks them up again after each, because compaction may move needles meanwhile. */
  *copies(blob: PhotoBlob, chunk: number): Generator<LocalCopy> {
    const span = needleSpan(blob, chunk)
    const tried = new Set<string>()
    const isNew = (copy: NeedleLocation): boolean =>
      copy.length === span.end - span.start && !tried.has(`${copy.volume}:${copy.offset}`)
    for (const identity of lifeNames(dataIdentity(blob, chunk))) {
      for (;;) {
        const location = this.#store.locate(identity).find(isNew)
        if (location === undefined) break
        tried.add(`${location.volume}:${location.offset}`)
        yield { location, identity }
      }
    }
  }

  /** Logs that a copy cannot be read. @returns the error. @throws it when it is not an operating error */
  #logUnreadable(blob: PhotoBlob, location: NeedleLocation, err: unknown): SheafError {
    if (!(err instanceof SheafError)) throw err
    this.#log.warn(
      { err, location, photo: blob.id, part: blob.part },
      'a copy of a photo cannot be read; trying another'
    )
    return err
  }
}

/** @returns true as soon as one is. */
function isAny(answers: readonly Promise<boolean>[]): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const all = answers.map(async answer => {
      if (await answer) resolve(true)
    })
    Promise.all(all).then(() => resolve(false), reject)
  })
}

/** What to ask peers for, the best first. */
function* wantedNeedles(blob: PhotoBlob, chunk: number): Generator<WantedNeedle> {
  const { start, end } = needleSpan(blob, chunk)
  for (const identity of lifeNames(dataIdentity(blob, chunk)))
    yield { identity, length: end - start, volume: blob.volume }
}

/** Two nodes may have made the same size differently, so sizes are checked against their record; an original has one form. */
function matchesRecord(blob: PhotoBlob, bytes: Uint8Array): boolean {
  return blob.part === 'orig' || hash('sha256', bytes, 'hex') === blob.sha256
}

function unreachable(blob: PhotoBlob, cause: unknown): SheafError {
  return new SheafError('ERR_BYTES_UNREACHABLE', undefined, { cause, details: { photo_id: blob.id } })
}
