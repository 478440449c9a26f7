import { SheafError } from '../core/errors.js'
import { KeyedLock } from '../core/keyed-lock.js'
import type { Directory } from '../directory/directory.js'
import type { HybridClock } from '../domain/hlc.js'
import type { ActorId, PhotoId } from '../domain/ids.js'
import { type Photo, viewPhoto } from '../domain/photo.js'
import { type Change, changeRecord, type DirectoryRecord, type RecordKey, type Stamper } from '../domain/record.js'
import type { NeedleDraft, NeedleStore } from '../volumes/needle-store.js'
import { recordDraft } from './record-needles.js'

/** What an edit does to a photo. */
export interface Edit {
  readonly changes: readonly Change[]
  /** Bytes that the changes name; they go ahead of the record in the same append. */
  readonly needles?: readonly NeedleDraft[]
  /** Default: `upkeep`. */
  readonly purpose?: 'upload' | 'upkeep'
  /** Throws when the photo must not become this. */
  readonly check?: (after: Photo) => void
}

export interface RecordWriterComponents {
  readonly store: NeedleStore
  readonly directory: Pick<Directory, 'getSync'>
  readonly hybridClock: HybridClock
  /** The epoch of now: it changes when a write failed, see `VolumeSet.epoch`. */
  readonly actor: () => ActorId
}

/**
 * Writes records of photos: reads what is merged so far, stamps, appends, and is done when the directory shows it. Edits
 * of one photo run one after the other, so each sees the one before and supersedes it.
 */
export class RecordWriter {
  readonly #store: NeedleStore
  readonly #directory: Pick<Directory, 'getSync'>
  readonly #hybridClock: HybridClock
  readonly #actor: () => ActorId
  readonly #lock = new KeyedLock()

  constructor({ store, directory, hybridClock, actor }: RecordWriterComponents) {
    this.#store = store
    this.#directory = directory
    this.#hybridClock = hybridClock
    this.#actor = actor
  }

  /** @returns the first record of a new photo; nothing is written */
  birth(id: PhotoId, changes: readonly Change[]): DirectoryRecord {
    return changeRecord({ kind: 'photo', id }, undefined, this.#stamper(), changes)
  }

  /**
   * Changes a photo.
   *
   * @param decide - what to do to the photo as it is now; undefined: nothing
   * @returns the record as the directory now shows it
   * @throws `ERR_PHOTO_NOT_FOUND`, what `decide` and the store throw
   */
  edit(
    id: PhotoId,
    decide: (before: DirectoryRecord, photo: Photo) => Edit | undefined | Promise<Edit | undefined>
  ): Promise<DirectoryRecord> {
    return this.#lock.run(id, async () => {
      const before = requireRecord(this.#directory, id)
      const edit = await decide(before, viewPhoto(before))
      if (edit === undefined || edit.changes.length === 0) return before
      const after = changeRecord(before, before, this.#stamper(), edit.changes)
      edit.check?.(viewPhoto(after))
      await this.#store.append([...(edit.needles ?? []), recordDraft(after)], edit.purpose ?? 'upkeep')
      return after
    })
  }

  /**
   * Changes a record of any other kind, or makes it.
   *
   * @returns the record as the directory now shows it
   */
  write(key: RecordKey, decide: (before: DirectoryRecord | undefined) => readonly Change[]): Promise<DirectoryRecord> {
    return this.#lock.run(`${key.kind}\0${key.id}`, async () => {
      const before = this.#directory.getSync(key)?.record
      const after = changeRecord(key, before, this.#stamper(), decide(before))
      await this.#store.append([recordDraft(after)], 'upkeep')
      return after
    })
  }

  /** Made anew for each write, and in the same step as the append: an epoch of before a failure must not be stamped after it. */
  #stamper(): Stamper {
    return { actor: this.#actor(), hlc: seen => this.#hybridClock.after(seen) }
  }
}

/** @throws `ERR_PHOTO_NOT_FOUND`, `ERR_DIRECTORY_UNAVAILABLE` */
export function requireRecord(directory: Pick<Directory, 'getSync'>, id: PhotoId): DirectoryRecord {
  const stored = directory.getSync({ kind: 'photo', id })
  if (stored === undefined) throw photoNotFound(id)
  return stored.record
}

/** @throws `ERR_PHOTO_DELETED` */
export function requireLive(photo: Photo): void {
  if (photo.deleted) throw new SheafError('ERR_PHOTO_DELETED', undefined, { details: { photo_id: photo.id } })
}

/** @param complete - whether every member of the cluster was asked */
export function photoNotFound(id: PhotoId, complete = true): SheafError {
  return new SheafError('ERR_PHOTO_NOT_FOUND', undefined, { details: { photo_id: id, complete } })
}

/**
 * The needles of a chunked blob stand in volumes of one epoch, so that whoever has all of them knows which chunks still
 * wait for their manifest. A failed write, anyone's, ends the epoch and what was under way in it.
 *
 * @throws `ERR_DISK_WRITE` when the epoch has changed
 */
export function requireEpoch(actor: () => ActorId, epoch: ActorId): void {
  if (actor() !== epoch)
    throw new SheafError('ERR_DISK_WRITE', 'the disk failed to write while the file came in; try again')
}
