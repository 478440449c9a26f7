import { type ErrorCode, SheafError } from '../core/errors.js'
import type { Progress } from '../core/progress.js'
import type { Directory } from '../directory/directory.js'
import type { AlbumId, UserId } from '../domain/ids.js'
import { PHOTO_KIND, type Photo, viewPhoto } from '../domain/photo.js'
import type { RecordWriter } from '../store/record-writer.js'
import { handOver } from './hand-over.js'
import type { Job, Jobs } from './jobs.js'

/** Written at once, so that they share a sync of the disk. */
const PIECE = 50

export interface AdoptionsComponents {
  readonly directory: Pick<Directory, 'records'>
  readonly writer: Pick<RecordWriter, 'edit'>
  readonly jobs: Jobs
}

export interface Adoption {
  /** The account that gets the photos. */
  readonly heir: UserId
  /** Only what is in this one. Default: all. */
  readonly album?: AlbumId | undefined
  /** The account that asks for it; undefined: nobody's. */
  readonly by: UserId | undefined
}

export interface AdoptionReport {
  /** Photos that belong to the account now. */
  readonly adopted: number
  readonly failed: number
  /** Why. */
  readonly errors: readonly { readonly code: ErrorCode; readonly count: number }[]
}

/** Gives photos that belong to nobody, such as those of before the first account, to somebody. */
export class Adoptions {
  readonly #components: AdoptionsComponents

  constructor(components: AdoptionsComponents) {
    this.#components = components
  }

  /** What comes in meanwhile may be left. @returns the job, one at a time for each account and album. @throws `ERR_STOPPING` */
  start({ heir, album, by }: Adoption): Job {
    const subject = `${heir} ${album ?? ''}`
    return this.#components.jobs.start('adopt', (progress, signal) => this.#adopt(heir, album, progress, signal), {
      subject,
      isStoppable: true,
      owner: by
    })
  }

  async #adopt(
    heir: UserId,
    album: AlbumId | undefined,
    progress: (progress: Progress) => void,
    signal: AbortSignal
  ): Promise<AdoptionReport> {
    const errors = new Map<ErrorCode, number>()
    let adopted = 0
    const handOverAll = async (piece: readonly Photo[]): Promise<void> => {
      const outcomes = await Promise.allSettled(
        piece.map(photo => handOver(this.#components.writer, photo, { from: undefined, to: heir }))
      )
      const reasons: unknown[] = outcomes.flatMap(outcome => (outcome.status === 'rejected' ? [outcome.reason] : []))
      const foreign = reasons.find(reason => !(reason instanceof SheafError))
      // where nothing of a piece could be written, neither can the next one
      if (foreign !== undefined || (reasons.length === piece.length && piece.length > 0)) throw foreign ?? reasons[0]
      adopted += piece.length - reasons.length
      for (const { code } of reasons as SheafError[]) errors.set(code, (errors.get(code) ?? 0) + 1)
      progress({ done: adopted, total: undefined, unit: 'photos' })
    }
    let piece: Photo[] = []
    for await (const record of this.#components.directory.records(PHOTO_KIND)) {
      if (signal.aborted) break
      const photo = viewPhoto(record)
      if (photo.deleted || photo.owner !== undefined || (album !== undefined && !photo.albums.includes(album))) continue
      piece.push(photo)
      if (piece.length < PIECE) continue
      await handOverAll(piece)
      piece = []
    }
    if (!signal.aborted) await handOverAll(piece)
    const failed = [...errors.values()].reduce((sum, count) => sum + count, 0)
    return { adopted, failed, errors: Array.from(errors, ([code, count]) => ({ code, count })) }
  }
}
