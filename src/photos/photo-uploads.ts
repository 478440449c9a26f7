import { hash } from 'node:crypto'
import type { Clock } from '../core/clock.js'
import { SheafError } from '../core/errors.js'
import { KeyedLock } from '../core/keyed-lock.js'
import type { Random } from '../core/random.js'
import type { Directory } from '../directory/directory.js'
import { hlcMs } from '../domain/hlc.js'
import { type ActorId, newCookie, newPhotoId, type PhotoId, type UserId, type VolumeId } from '../domain/ids.js'
import {
  type AltKey,
  addVariantChange,
  createChanges,
  FIRST_GENERATION,
  type Photo,
  viewPhoto
} from '../domain/photo.js'
import { blobOf, dataDraft, manifestDraft, type PhotoBlob } from '../store/photo-needles.js'
import { type RecordWriter, requireEpoch, requireLive, requireRecord } from '../store/record-writer.js'
import type { NeedleStore } from '../volumes/needle-store.js'
import type { BlobIntake } from './blob-intake.js'
import { mediaType } from './media-type.js'
import { checkIdempotencyKey, checkLabels, checkMinCopies, checkStatements, nameOf } from './photo-rules.js'
import type { Body, BodyOptions, PhotoCopies, UploadOptions, UploadReceipt } from './photo-types.js'
import type { Reservation, UploadQuotas } from './quotas.js'

const IDEMPOTENCY_MS = 24 * 3_600_000
/** One key has several uploads only after a network partition; any of them is a valid answer. */
const SAME_KEY_MAX = 16
/** The recipe of a size that a client made: there is nothing to compare it with. */
export const CLIENT_RECIPE = 'client'

export interface PhotoUploadsComponents {
  readonly store: NeedleStore
  readonly directory: Pick<Directory, 'lookUp' | 'newestWith'>
  readonly writer: RecordWriter
  readonly intake: BlobIntake
  readonly clock: Clock
  readonly random: Random
  /** The current epoch. */
  readonly actor: () => ActorId
  readonly logicalVolume: () => VolumeId
  readonly copies: PhotoCopies
  readonly quotas: UploadQuotas
}

export interface PhotoUploadsInit {
  readonly chunkBytes: number
  readonly minCopies: number
}

/** A receipt without the copies. */
type StoredUpload = Omit<UploadReceipt, 'copies'>

/** An upload's options, checked and in the form that the record takes. */
interface CheckedOptions extends ReturnType<typeof checkStatements> {
  readonly name: string
  readonly tags: readonly string[]
  readonly albums: readonly string[]
  /** Hex, see {@link idempotencyOf}. */
  readonly idempotency: string | undefined
  readonly owner: UserId | undefined
  readonly by: string | undefined
  readonly minCopies: number
  /** Throws where the albums are not open to whoever uploads any more. */
  readonly requireAlbums: () => void
}

/** Stores bodies as new photos, or as further sizes of photos. */
export class PhotoUploads {
  readonly #components: PhotoUploadsComponents
  readonly #init: PhotoUploadsInit
  /** One upload per idempotency key at a time. */
  readonly #lock = new KeyedLock()

  constructor(components: PhotoUploadsComponents, init: PhotoUploadsInit) {
    this.#components = components
    this.#init = init
  }

  /**
   * @param labelsOf - gives the labels for what albums are called; throws to refuse
   * @throws as `Photos.upload` says
   */
  async upload(
    body: Body,
    options: UploadOptions,
    labelsOf: (albums: readonly string[]) => readonly string[]
  ): Promise<UploadReceipt> {
    this.#components.writer.admit()
    const checked = this.#check(options, labelsOf)
    const { idempotency } = checked
    if (idempotency === undefined) return this.#create(body, options, checked)
    return this.#lock.run(idempotency, async () => {
      const earlier = await this.#uploadsWithKey(idempotency)
      return earlier.length > 0 ? this.#repeat(body, options, checked, earlier) : this.#create(body, options, checked)
    })
  }

  /** @throws `ERR_PHOTO_NOT_FOUND`, `ERR_PHOTO_DELETED`, `ERR_ALT_KEY_EXISTS` when the size exists with other bytes */
  async addSize(id: PhotoId, alt: Exclude<AltKey, 'orig'>, body: Body, options: BodyOptions): Promise<UploadReceipt> {
    const minCopies = checkMinCopies(options.minCopies ?? this.#init.minCopies)
    requireLive(viewPhoto(requireRecord(this.#components.directory, id)))
    const record = await this.#components.intake.receiveWhole(body, options, async ({ size, sha256, start, tail }) => {
      const contentType = await mediaType(start, options.contentType, '')
      await options.recheck?.()
      return this.#components.writer.edit(id, (_, photo) => {
        requireLive(photo)
        const present = photo.variants.get(alt)
        if (present?.sha256 === sha256) return undefined
        if (present !== undefined) throw new SheafError('ERR_ALT_KEY_EXISTS')
        const { generation } = photo
        return {
          changes: [addVariantChange(alt, { recipe: CLIENT_RECIPE, sha256, size, contentType, chunkBytes: 0 })],
          needles: [dataDraft(photo, { id, generation, part: alt, sha256 }, 0, false, tail)],
          purpose: 'upload'
        }
      })
    })
    const photo = viewPhoto(record)
    return this.#acknowledge(storedUpload(photo, alt), blobOf(photo, alt), minCopies)
  }

  async #create(body: Body, options: UploadOptions, checked: CheckedOptions): Promise<UploadReceipt> {
    const room = this.#components.quotas.reserve(checked.owner, options.declaredBytes ?? 0)
    try {
      return await this.#createWithin(room, body, options, checked)
    } finally {
      room.release()
    }
  }

  async #createWithin(
    room: Reservation,
    body: Body,
    options: UploadOptions,
    checked: CheckedOptions
  ): Promise<UploadReceipt> {
    const { store, clock, random, intake, writer, actor, logicalVolume } = this.#components
    const epoch = actor()
    const cookie = newCookie(random)
    const blob = { id: newPhotoId(clock, random), generation: FIRST_GENERATION, part: 'orig' } as const
    const writeChunk = async (chunk: number, bytes: Uint8Array): Promise<void> => {
      room.atLeast(chunk * this.#init.chunkBytes + bytes.length)
      await store.append([dataDraft({ cookie }, blob, chunk, true, bytes)], 'upload')
    }
    const { stored, bytes } = await intake.receive(body, options, writeChunk, async received => {
      const { size, sha256, start, chunksWritten, tail } = received
      const contentType = await mediaType(start, options.contentType, checked.name)
      room.atLeast(size)
      await options.recheck?.()
      const born = { size, sha256, contentType, cookie, logicalVolume: logicalVolume() }
      const chunked = chunksWritten > 0
      const chunkBytes = chunked ? this.#init.chunkBytes : 0
      const drafts = [dataDraft({ cookie }, blob, chunksWritten, chunked, tail)]
      if (chunked) {
        requireEpoch(actor, epoch)
        drafts.push(manifestDraft({ cookie }, { ...blob, size, sha256, chunkBytes }))
      }
      checked.requireAlbums()
      await writer.create(blob.id, createChanges({ ...checked, ...born, chunkBytes }), drafts)
      return { stored: { photoId: blob.id, ...born }, bytes: { ...blob, size, sha256, chunkBytes } }
    })
    return this.#acknowledge(stored, bytes, checked.minCopies)
  }

  /** Returns the first upload's receipt again if the body is the same. */
  async #repeat(
    body: Body,
    options: UploadOptions,
    { minCopies }: CheckedOptions,
    earlier: readonly Photo[]
  ): Promise<UploadReceipt> {
    const { sha256 } = await this.#components.intake.digest(body, options)
    const same = earlier.find(photo => photo.sha256 === sha256)
    if (same === undefined) throw new SheafError('ERR_IDEMPOTENCY_MISMATCH')
    return this.#acknowledge(storedUpload(same, 'orig'), blobOf(same, 'orig'), minCopies)
  }

  #check(
    { filename, tags, albums, idempotencyKey, owner, by, minCopies, ...statements }: UploadOptions,
    labelsOf: (albums: readonly string[]) => readonly string[]
  ): CheckedOptions {
    const name = nameOf(filename)
    const labels = labelsOf(checkLabels('albums', albums))
    return {
      ...checkStatements(statements, name, this.#components.clock.now()),
      name,
      tags: checkLabels('tags', tags),
      albums: labels,
      idempotency:
        idempotencyKey === undefined ? undefined : idempotencyOf(checkIdempotencyKey(idempotencyKey), by ?? owner),
      owner,
      by,
      requireAlbums: () => void labelsOf(labels),
      minCopies: checkMinCopies(minCopies ?? this.#init.minCopies)
    }
  }

  /** @returns live photos uploaded with the key in the last 24 h, oldest first */
  async #uploadsWithKey(idempotency: string): Promise<Photo[]> {
    const { directory, clock } = this.#components
    const records = await directory.newestWith(`idem\0${idempotency}`, SAME_KEY_MAX)
    const since = clock.now() - IDEMPOTENCY_MS
    return records
      .map(record => viewPhoto(record))
      .filter(photo => hlcMs(photo.createdAt) >= since)
      .reverse()
  }

  /** @throws `ERR_TOO_FEW_COPIES`; the photo is kept */
  async #acknowledge(stored: StoredUpload, blob: PhotoBlob | undefined, minCopies: number): Promise<UploadReceipt> {
    const { photoId } = stored
    const known = this.#components.copies
    // an upload sent again may be on more nodes by now
    const here = (): number => Math.max(1, blob === undefined ? 1 : known.of(blob))
    const copies = minCopies === 1 ? here() : await known.waitFor(photoId, minCopies)
    if (copies < minCopies) {
      throw new SheafError('ERR_TOO_FEW_COPIES', undefined, { details: { photo_id: photoId, copies } })
    }
    return { ...stored, copies }
  }
}

/**
 * Keys of two users never meet, whatever these are: nobody is told what somebody else has uploaded.
 *
 * @param key - printable ASCII
 */
function idempotencyOf(key: string, user: string | undefined): string {
  return hash('sha256', user === undefined ? key : `${user}\0${key}`, 'hex')
}

function storedUpload(photo: Photo, alt: AltKey): StoredUpload {
  const { size, sha256, contentType } = photo.variants.get(alt) ?? photo
  return { photoId: photo.id, logicalVolume: photo.logicalVolume, cookie: photo.cookie, size, sha256, contentType }
}
