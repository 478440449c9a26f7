import type { ErrorCode } from '../core/errors.js'
import type { Order } from '../directory/index-keys.js'
import type { PhotoAudience } from '../domain/audience.js'
import type { Hlc } from '../domain/hlc.js'
import type { Cookie, PhotoId, UserId } from '../domain/ids.js'
import type { AltKey, Marks, Photo, PhotoEdit, SetEdit } from '../domain/photo.js'
import type { Place, TakenAt } from '../domain/photo-facts.js'
import type { PhotoKind } from '../domain/photo-kind.js'
import type { Trait } from '../domain/traits.js'
import type { LifeActor } from '../domain/version-vector.js'
import type { PhotoBlob } from '../store/photo-needles.js'
import type { NeedleLease } from '../volumes/needle-store.js'
import type { PhotoAlbums } from './albums/album-names.js'
import type { PhotoOwner } from './photo-owners.js'

/**
 * Bytes as they arrive from a client. A piece must not change after it was yielded: small ones are stored without a copy.
 * `return()` is called when the upload is refused before its end; the caller decides what happens to the connection.
 */
export type Body = AsyncIterable<Uint8Array>

/** What any upload may declare about its body. */
export interface BodyOptions {
  readonly contentType?: string | undefined
  /** The exact length in bytes, if the client declared it; any other length is refused. */
  readonly declaredBytes?: number | undefined
  /** An upper bound when the exact length is unknown, e.g. the Content-Length of a multipart form. Saves memory; more bytes are refused. */
  readonly atMostBytes?: number | undefined
  /** Durable copies to wait for, this node's included. Default: the node's `--min-copies`. */
  readonly minCopies?: number | undefined
  /** Called when all bytes are there, before anything of them counts. Throws to refuse them. */
  readonly recheck?: (() => Promise<void>) | undefined
}

/** What a client knows of a file beside its bytes; limits in `photo-rules.ts`. */
export interface FileStatements extends Marks {
  /** When it was last changed, ms since the Unix epoch; may be negative. */
  readonly fileTimeMs?: number | undefined
  /** Of clocks that do not say theirs: `Europe/Berlin`, `+02:00`. */
  readonly zone?: string | undefined
  /** The folder that it was in. */
  readonly source?: string | undefined
  /** The photo's id where it was exported. */
  readonly importedFrom?: string | undefined
  /** Where it was taken, as a sidecar says: `54.32,10.13` or `54.32,10.13,4.5`, degrees north, east, and metres. */
  readonly place?: string | undefined
  /** When it was taken, as a person says: `2024-01-01T08:02:32+11:00`, `1985-07`. */
  readonly takenAt?: string | undefined
  readonly caption?: string | undefined
  readonly rating?: number | undefined
}

export interface UploadOptions extends BodyOptions, FileStatements {
  /** The client's name for the file; folders in it are dropped. */
  readonly filename?: string | undefined
  readonly tags?: readonly string[] | undefined
  readonly albums?: readonly string[] | undefined
  /** 1–255 printable ASCII characters. */
  readonly idempotencyKey?: string | undefined
  /** Whose it is; undefined: nobody's who has an account. */
  readonly owner?: UserId | undefined
  /** By whom, if not by the owner. */
  readonly by?: string | undefined
}

/** How many nodes hold a photo, as far as this one knows: the only source of `copies` in receipts, metadata and lists. */
export interface PhotoCopies {
  /** Takes no turn of the event loop. @returns nodes that hold the blob durably; 0: it is not on this one, which then knows of none */
  of(blob: PhotoBlob): number
  /** Waits for `wanted` (≥ 2) nodes to hold all of a photo durably, or for its own deadline. @returns how many do */
  waitFor(id: PhotoId, wanted: number): Promise<number>
}

export interface UploadReceipt {
  readonly photoId: PhotoId
  readonly logicalVolume: string
  readonly cookie: Cookie
  readonly size: number
  /** Lower-case hex. */
  readonly sha256: string
  readonly contentType: string
  /** Nodes known to hold the bytes durably, this one included. */
  readonly copies: number
}

/** What the headers of an answer are made of. */
export interface ContentHead {
  readonly photoId: PhotoId
  readonly alt: AltKey
  /** The photo's name, e.g. for Content-Disposition; may be empty. */
  readonly name: string
  readonly size: number
  /** Strong and quoted, ready for the header: the bytes' sha256. */
  readonly etag: string
  readonly contentType: string
  /** By which it is decided who reads it. */
  readonly audience: PhotoAudience
  /** When the photo was created, ms since the Unix epoch: its bytes never change within a generation. */
  readonly lastModifiedMs: number
}

export interface Content {
  readonly head: ContentHead
  readonly source: 'local' | 'peer' | 'cache'
  /**
   * Bytes [start, end), verified piece by piece. May switch from a damaged copy to an intact one between two pieces. Await
   * the first piece before sending a status: it shows whether there is an intact copy at all.
   *
   * @throws `ERR_BYTES_UNREACHABLE` when no intact copy is left
   */
  stream(start: number, end: number): AsyncIterable<Uint8Array>
}

/** A whole photo from memory. Call `lease.release()` exactly once, after the bytes were sent. */
export interface HotContent {
  /** The same object while the photo stays hot and unchanged, so prepared headers can be keyed by it in a WeakMap. */
  readonly head: ContentHead
  readonly source: 'local' | 'cache'
  readonly lease: NeedleLease
}

export interface ListedPhoto {
  readonly photo: Photo
  readonly albums: PhotoAlbums
  readonly owner: PhotoOwner | undefined
  /** See {@link PhotoCopies.of}; of the original. */
  readonly copies: number
  /** Whoever asks is shown the picture, and told nothing else of it. */
  readonly isBare?: true
}

export interface PhotoMeta extends ListedPhoto {
  /** Quoted, covers the whole merged state. */
  readonly etag: string
}

/** What a client may change; limits in `photo-rules.ts`. */
export interface PhotoPatch extends Omit<PhotoEdit, 'takenAt'> {
  /** As in {@link FileStatements}. */
  readonly takenAt?: string | null
}
export type SetPatch = SetEdit

/** What may be changed of many photos at once; by `takenAt` or by `shiftS`, not both. */
export interface BatchPatch
  extends Marks,
    Pick<PhotoPatch, 'tags' | 'albums' | 'takenAt' | 'place' | 'rating' | 'caption'> {
  /** Moves the date of each, seconds. */
  readonly shiftS?: number | undefined
}

/** A photo that is here, live or deleted; what is deleted can be undeleted for a while. */
export interface KnownPhoto {
  readonly photoId: PhotoId
  readonly state: 'live' | 'trashed'
}

/**
 * Held against a photo in the step that changes it: `etag` and `lastModifiedMs` are those of its bytes, or of its metadata
 * where that is changed, which has no time. Undefined: nothing is known of it but that it was deleted. Throws to refuse.
 */
export type Precondition = (current: Partial<Pick<ContentHead, 'etag' | 'lastModifiedMs'>> | undefined) => void

/** A concurrent version that lost to the one shown. */
export interface PhotoConflict {
  /** The number that `restore` takes, greatest version first, from 1. Numbers shift when the photo is written again. */
  readonly n: number
  readonly name: string
  readonly caption: string | undefined
  readonly rating: number | undefined
  readonly takenAt: TakenAt | undefined
  readonly place: Place | undefined
  readonly deleted: boolean
  readonly version: { readonly hlc: Hlc; readonly actor: LifeActor }
}

/** What photos are looked for by, and in which order. */
export interface ListFilters {
  readonly tag?: string | undefined
  readonly album?: string | undefined
  /** `image` or `image/jpeg`. */
  readonly type?: string | undefined
  /** How much of an image could be decoded, or `pending`. */
  readonly state?: string | undefined
  /** The id of an account, in any case. */
  readonly owner?: string | undefined
  /** Of the original's bytes, hex in any case. */
  readonly sha256?: string | undefined
  readonly kind?: PhotoKind | undefined
  readonly trait?: Trait | undefined
  /** Words of the camera's make and model, or of the lens. */
  readonly camera?: string | undefined
  /** Words of the names of the place, its region and country; all of them. */
  readonly place?: string | undefined
  /** 0…5. */
  readonly rating_min?: number | undefined
  /** Only those. */
  readonly favourite?: true | undefined
  /** Only those. Without it, time lines of everything leave them out. */
  readonly archived?: true | undefined
  /** Words; each must be a prefix of a word in the name or caption, or of the place. Text without any word finds nothing. */
  readonly q?: string | undefined
  /** By when photos were added, the default of lists, or taken, that of time lines; those without a date count as taken when they were added. */
  readonly sort?: Order | undefined
  /** A year, month, day, minute or second in that order, the first and the last one: see `dayRange`. */
  readonly from?: string | undefined
  readonly to?: string | undefined
}

export interface ListQuery extends ListFilters {
  /** 1–1000, default 50. */
  readonly limit?: number | undefined
  readonly cursor?: string | undefined
  /** Counts all that match, whatever that costs. */
  readonly count?: 'exact' | undefined
}

export interface PhotoPage {
  readonly photos: readonly ListedPhoto[]
  /** On this node; at least so many unless `isTotalExact`. */
  readonly total: number
  readonly isTotalExact: boolean
  readonly nextCursor: string | null
}

export interface BatchOutcome {
  readonly photoId: PhotoId
  /** Undefined: done. */
  readonly error: ErrorCode | undefined
}
