import { SheafError } from '../core/errors.js'
import { KeyedLock } from '../core/keyed-lock.js'
import type { Random } from '../core/random.js'
import type { Directory } from '../directory/directory.js'
import { bornIn } from '../domain/formats.js'
import type { HybridClock } from '../domain/hlc.js'
import { type ActorId, newActorId, type PhotoId } from '../domain/ids.js'
import { PHOTO_KIND, type Photo, viewPhoto } from '../domain/photo.js'
import {
  type Change,
  changeRecord,
  type DirectoryRecord,
  graveOf,
  type RecordKey,
  recordName,
  type Stamper
} from '../domain/record.js'
import { COUNTER_MAX } from '../domain/version-vector.js'
import type { NeedleDraft, NeedleStore } from '../volumes/needle-store.js'
import { recordDraft } from './record-needles.js'

/** An edit of a photo. */
export interface Edit {
  readonly changes: readonly Change[]
  /** Bytes that the changes name; they precede the record in the same append. */
  readonly needles?: readonly NeedleDraft[]
  /** Default: `upkeep`. */
  readonly purpose?: 'upload' | 'upkeep'
  /** Throws if the result of the edit is not allowed. */
  readonly check?: (after: Photo) => void
}

export interface RecordWriterComponents {
  readonly store: NeedleStore
  readonly directory: Pick<Directory, 'formats' | 'lookUp'>
  readonly hybridClock: HybridClock
  readonly random: Random
  /** The current epoch: it changes when a write fails, see `VolumeSet.epoch`. */
  readonly actor: () => ActorId
  /** Throws when clients must not write now. Default: they always may. */
  readonly admit?: () => void
  /** The greatest record format that may be written. Default: the least. */
  readonly clusterFormat?: () => number
}

/**
 * Writes records: reads the merged state, stamps the change, appends it, and resolves when the directory shows it. Writes
 * of one record are serialized, so each sees and supersedes the previous one.
 */
export class RecordWriter {
  readonly #store: NeedleStore
  readonly #directory: Pick<Directory, 'formats' | 'lookUp'>
  readonly #hybridClock: HybridClock
  readonly #random: Random
  readonly #actor: () => ActorId
  readonly #lock = new KeyedLock()
  readonly #admit: () => void
  readonly #clusterFormat: () => number

  constructor(components: RecordWriterComponents) {
    const { store, directory, hybridClock, random, actor, admit = () => {}, clusterFormat } = components
    this.#store = store
    this.#directory = directory
    this.#hybridClock = hybridClock
    this.#random = random
    this.#actor = actor
    this.#admit = admit
    this.#clusterFormat = clusterFormat ?? (() => directory.formats.min)
  }

  /** @throws the reason why clients must not write now, e.g. `ERR_LEAVING` */
  admit(): void {
    this.#admit()
  }

  /**
   * Writes the first record of a new photo.
   *
   * @param needles - its bytes, or the last part of them; they precede the record in the same append
   */
  async create(id: PhotoId, changes: readonly Change[], needles: readonly NeedleDraft[]): Promise<void> {
    this.#admit()
    const record = changeRecord({ kind: 'photo', id }, undefined, this.#stamper(), changes)
    const born = bornIn(record, this.#clusterFormat(), this.#directory.formats)
    await this.#store.append([...needles, this.#draft(born)], 'upload')
  }

  /**
   * Changes a photo.
   *
   * @param decide - returns the edit for the current state of the photo; undefined: none
   * @returns the record after the edit
   * @throws `ERR_PHOTO_NOT_FOUND`, the errors of `decide`, `check` and {@link NeedleStore.append}
   */
  async edit(
    id: PhotoId,
    decide: (before: DirectoryRecord, photo: Photo) => Edit | undefined | Promise<Edit | undefined>
  ): Promise<DirectoryRecord> {
    this.#admit()
    return this.#lock.run(id, async () => {
      const before = requireRecord(this.#directory, id)
      const edit = await decide(before, viewPhoto(before))
      if (edit === undefined || edit.changes.length === 0) return before
      const after = changeRecord(before, before, this.#stamper(before), edit.changes)
      edit.check?.(viewPhoto(after))
      await this.#store.append([...(edit.needles ?? []), this.#draft(after)], edit.purpose ?? 'upkeep')
      return after
    })
  }

  /**
   * Begins a new life of what only the grave is left of.
   *
   * @param decide - returns the changes; `generation` is that of the new life
   * @throws `ERR_NOT_BURIED`, the errors of `decide` and {@link NeedleStore.append}
   */
  async revive(key: RecordKey, decide: (generation: number) => Promise<readonly Change[]>): Promise<DirectoryRecord> {
    this.#admit()
    return this.#lock.run(key.kind === PHOTO_KIND ? key.id : recordName(key), async () => {
      const { grave } = this.#directory.lookUp(key)
      if (grave === undefined)
        throw new SheafError('ERR_NOT_BURIED', undefined, { details: { [`${key.kind}_id`]: key.id } })
      const changes = await decide(grave.generation + 1)
      // a grave that came meanwhile ends the new life, too
      const after = changeRecord(key, graveOf(key, grave.generation), this.#stamper(), changes)
      await this.#store.append([this.#draft(after)], 'upload')
      return after
    })
  }

  /**
   * Changes or creates a record of any other kind.
   *
   * @returns the record after the write
   */
  write(key: RecordKey, decide: (before: DirectoryRecord | undefined) => readonly Change[]): Promise<DirectoryRecord> {
    return this.#lock.run(recordName(key), async () => {
      const { stored, grave } = this.#directory.lookUp(key)
      const before = stored?.record
      const changes = decide(before)
      if (before !== undefined && changes.length === 0) return before
      const buried = grave && graveOf(key, grave.generation)
      const after = changeRecord(key, before ?? buried, this.#stamper(before), changes)
      await this.#store.append([this.#draft(after)], 'upkeep')
      return after
    })
  }

  #draft(record: DirectoryRecord): NeedleDraft {
    return recordDraft(record, this.#directory.formats)
  }

  /** Call it in the same synchronous step as the append: after a failure, no write may use the previous epoch. */
  #stamper(before?: DirectoryRecord): Stamper {
    const actor = this.#actor()
    return {
      // a peer claims dots of this node that it never gave, and leaves none for it: this write is of an actor of its own
      actor: before !== undefined && isUsedUp(before, actor) ? newActorId(this.#random) : actor,
      hlc: seen => this.#hybridClock.after(seen)
    }
  }
}

/** Whether an actor has more dots in some life of the record than anybody ever gives. */
function isUsedUp({ context }: DirectoryRecord, actor: ActorId): boolean {
  for (const [of, counter] of context) if (counter > COUNTER_MAX / 2 && of.startsWith(actor)) return true
  return false
}

/** @throws `ERR_PHOTO_NOT_FOUND`; `ERR_PHOTO_DELETED` for one that is buried; `ERR_DIRECTORY_UNAVAILABLE` */
export function requireRecord(directory: Pick<Directory, 'lookUp'>, id: PhotoId): DirectoryRecord {
  const { stored, grave } = directory.lookUp({ kind: PHOTO_KIND, id })
  if (grave !== undefined) throw photoDeleted(id)
  if (stored === undefined) throw photoNotFound(id)
  return stored.record
}

/** @throws `ERR_PHOTO_DELETED` */
export function requireLive(photo: Photo): void {
  if (photo.deleted) throw photoDeleted(photo.id)
}

function photoDeleted(id: PhotoId): SheafError {
  return new SheafError('ERR_PHOTO_DELETED', undefined, { details: { photo_id: id } })
}

/** @param complete - whether every member of the cluster was asked; a detail of the error */
export function photoNotFound(id: PhotoId, complete = true): SheafError {
  return new SheafError('ERR_PHOTO_NOT_FOUND', undefined, { details: { photo_id: id, complete } })
}

/**
 * All needles of a chunked blob must be in volumes of one epoch, so that a node with these volumes knows which chunks still
 * lack their manifest. Any failed write ends the epoch, and with it every upload that is running.
 *
 * @throws `ERR_DISK_WRITE` if the epoch has changed
 */
export function requireEpoch(actor: () => ActorId, epoch: ActorId): void {
  if (actor() !== epoch) throw new SheafError('ERR_DISK_WRITE', 'a disk write failed during the upload; try again')
}
