import { SheafError } from '../core/errors.js'
import { KeyedLock } from '../core/keyed-lock.js'
import type { Directory } from '../directory/directory.js'
import type { Hlc, HybridClock } from '../domain/hlc.js'
import type { ActorId, PhotoId } from '../domain/ids.js'
import { deleteChanges, type Photo, viewPhoto } from '../domain/photo.js'
import {
  type Change,
  changeRecord,
  type DirectoryRecord,
  type RecordKey,
  type Stamper,
  shownVersion
} from '../domain/record.js'
import type { NeedleDraft, NeedleStore } from '../volumes/needle-store.js'
import { PendingWrites } from './pending-writes.js'
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
  /** Throws when clients may not write now. Default: they may. */
  readonly admit?: () => void
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
  readonly #admit: () => void
  /** From the look at the directory to the end of the append. */
  readonly pending = new PendingWrites()

  constructor({ store, directory, hybridClock, actor, admit = () => {} }: RecordWriterComponents) {
    this.#store = store
    this.#directory = directory
    this.#hybridClock = hybridClock
    this.#actor = actor
    this.#admit = admit
  }

  /** @throws why clients may not write now, e.g. `ERR_LEAVING` */
  admit(): void {
    this.#admit()
  }

  /**
   * Writes the first record of a new photo.
   *
   * @param needles - its bytes, or the last of them; they go ahead of the record in the same append
   */
  async create(id: PhotoId, changes: readonly Change[], needles: readonly NeedleDraft[]): Promise<void> {
    this.#admit()
    await this.pending.run(async () => {
      const record = changeRecord({ kind: 'photo', id }, undefined, this.#stamper(), changes)
      await this.#store.append([...needles, recordDraft(record)], 'upload')
    })
  }

  /**
   * Changes a photo.
   *
   * @param decide - what to do to the photo as it is now; undefined: nothing
   * @returns the record as the directory now shows it
   * @throws `ERR_PHOTO_NOT_FOUND`, what `decide` and the store throw
   */
  async edit(
    id: PhotoId,
    decide: (before: DirectoryRecord, photo: Photo) => Edit | undefined | Promise<Edit | undefined>
  ): Promise<DirectoryRecord> {
    this.#admit()
    return this.#exclusively(id, async () => {
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
   * Marks a photo as deleted at a stamp that the cluster has passed already: everybody else has forgotten it. So this is
   * heard of by nobody, and kills it here alone.
   */
  async bury(id: PhotoId, stamp: Hlc): Promise<void> {
    await this.#exclusively(id, async () => {
      const before = requireRecord(this.#directory, id)
      if (viewPhoto(before).deleted) return
      const after = changeRecord(before, before, { actor: this.#actor(), hlc: () => stamp }, deleteChanges(before))
      await this.#store.append([recordDraft(after)], 'upkeep')
    })
  }

  /** Deletes a photo that is deleted already once more, under a stamp of now. */
  async renewDelete(id: PhotoId): Promise<void> {
    await this.#exclusively(id, async () => {
      const before = requireRecord(this.#directory, id)
      const { deleted, value } = shownVersion(before)
      if (!deleted) return
      const after = changeRecord(before, before, this.#stamper(), [{ kind: 'version', value }])
      await this.#store.append([recordDraft(after)], 'upkeep')
    })
  }

  /**
   * Changes a record of any other kind, or makes it.
   *
   * @returns the record as the directory now shows it
   */
  write(key: RecordKey, decide: (before: DirectoryRecord | undefined) => readonly Change[]): Promise<DirectoryRecord> {
    return this.#exclusively(`${key.kind}\0${key.id}`, async () => {
      const before = this.#directory.getSync(key)?.record
      const changes = decide(before)
      if (before !== undefined && changes.length === 0) return before
      const after = changeRecord(key, before, this.#stamper(), changes)
      await this.#store.append([recordDraft(after)], 'upkeep')
      return after
    })
  }

  #exclusively<Result>(key: string, write: () => Promise<Result>): Promise<Result> {
    return this.#lock.run(key, () => this.pending.run(write))
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
