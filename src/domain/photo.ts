/*
 * Photos as records of the kind 'photo', id = photo id.
 *
 *   field     key                      value
 *   version   –                        size, sha256 (32 bytes), content_type, cookie (16 bytes), logical_volume,
 *                                      chunk_bytes (absent: one needle), name, caption?, rating?, taken_at? (a person's:
 *                                      ms, offset?, precision), place? (a person's: latitude,
 *                                      longitude, altitude?), attributes?, owner? (id of the user who uploaded it),
 *                                      by? (link:<id>: uploaded by that share link), idempotency? (32 bytes), born? (hlc of the first version; absent in that one)
 *   tags      tag                      –
 *   albums    album                    –: its id, see album.ts, or a label of its own
 *   marks     favourite, archived      –
 *   owner     owner                    owner: whose it is since it was handed over
 *   variants  alternate key            recipe, sha256 (32 bytes), size, content_type, chunk_bytes?
 *   facts     see photo-facts.ts and findings.ts
 *
 * A tombstone is a version that keeps the whole value and all elements, so that an undelete can restore them. It may have
 * `purge_wanted` besides, see tombstone.ts.
 */
import { createHash } from 'node:crypto'
import { SheafError } from '../core/errors.js'
import { malformed, sameValue, type Value } from './cbor.js'
import { compareRanks, compareVersions, type Entry, VERSION_FIELD } from './entry.js'
import type { Hlc } from './hlc.js'
import {
  COOKIE_BYTES,
  type Cookie,
  cookieBytes,
  cookieFrom,
  type PhotoId,
  parsePhotoId,
  parseUserId,
  type UserId
} from './ids.js'
import { RATING_MAX } from './limits.js'
import {
  dimensionsChange,
  type FileFacts,
  factOf,
  fileFactsChanges,
  fileFactsOf,
  type Place,
  placeFields,
  placeFrom,
  placeOf,
  type TakenAt,
  takenAtChange,
  takenAtFields,
  takenAtFrom,
  takenAtOf,
  takenAtOfFile
} from './photo-facts.js'
import { type Change, conflictVersions, type DirectoryRecord, elementsOf, shownVersion } from './record.js'
import { encodeRecord } from './record-codec.js'
import { foldText } from './text.js'
import { bytesOf, hexOf, integerOf, mapOf, setOrDelete, textOf, textsOf } from './value-fields.js'
import type { LifeActor, VersionVector } from './version-vector.js'

export const PHOTO_KIND = 'photo'
/** Of a tombstone's value: somebody emptied the trash. No other life inherits it. */
export const PURGE_WANTED = 'purge_wanted'
/** The generation of a new photo; each undelete adds one. */
export const FIRST_GENERATION = 0

const SHA256_BYTES = 32
/** A needle's header has 32 bits for its place. */
const CHUNKS_MAX = 2 ** 32
const UNKNOWN_TYPE = 'application/octet-stream'
/** Fields about the bytes and their creation; all other fields of a version's value, unknown ones included, are editable. */
const IMMUTABLE_FIELDS = [
  'size',
  'sha256',
  'content_type',
  'cookie',
  'logical_volume',
  'chunk_bytes',
  'owner',
  'by',
  'idempotency',
  'born'
]

/** The sizes of a photo. */
export const ALT_KEYS = ['orig', 'large', 'small', 'thumb'] as const
export type AltKey = (typeof ALT_KEYS)[number]

/** Everything that needles hold of a photo, in the order of their numbers: the sizes, and the output of a model. */
const PHOTO_PARTS = [...ALT_KEYS, 'features'] as const
export type PhotoPart = (typeof PHOTO_PARTS)[number]

/** What people do to a photo, and undo. */
export const MARKS = ['favourite', 'archived'] as const
export type Mark = (typeof MARKS)[number]
/** Absent: nothing is said of it. */
export type Marks = Readonly<Partial<Record<Mark, boolean | undefined>>>

export interface Photo {
  readonly id: PhotoId
  readonly generation: number
  readonly deleted: boolean
  /** The stamp of the photo's first version. */
  readonly createdAt: Hlc
  readonly size: number
  /** Lower-case hex, of the original's bytes. */
  readonly sha256: string
  readonly contentType: string
  readonly cookie: Cookie
  /** The volume that the photo was uploaded to; compaction may have moved the bytes since. */
  readonly logicalVolume: string
  /** Bytes per chunk needle; 0: the original is one needle. */
  readonly chunkBytes: number
  readonly name: string
  readonly caption: string | undefined
  /** Whole, 0…5. */
  readonly rating: number | undefined
  readonly attributes: ReadonlyMap<string, string>
  /** Whose it is: of whoever uploaded it, or to whom it was handed over; undefined: nobody's who had an account. */
  readonly owner: UserId | undefined
  /** SHA-256 of the Idempotency-Key, lower-case hex; of a user's with the user, see photo-uploads.ts. */
  readonly idempotency: string | undefined
  /** Sorted. */
  readonly tags: readonly string[]
  /** Sorted. */
  readonly albums: readonly string[]
  readonly marks: ReadonlySet<Mark>
  readonly variants: ReadonlyMap<AltKey, Variant>
  /** Pixels. */
  readonly width: number | undefined
  readonly height: number | undefined
  /** From the strongest source. */
  readonly takenAt: TakenAt | undefined
  /** Where it was taken, as a person says; see `placeOfPhoto`. */
  readonly setPlace: Place | undefined
  /** What the client said of the file. */
  readonly file: FileFacts
  readonly version: { readonly hlc: Hlc; readonly actor: LifeActor }
  readonly context: VersionVector
  /** The record that this is a view of. */
  readonly record: DirectoryRecord
}

export interface Variant {
  /** How it was made: program, parameters, source; 'client' if it was uploaded. */
  readonly recipe: string
  /** Lower-case hex. */
  readonly sha256: string
  readonly size: number
  readonly contentType: string
  /** As in `Photo`. */
  readonly chunkBytes: number
}

/** Facts derived from the bytes; every node derives the same. */
export interface PhotoFacts {
  readonly width?: number | undefined
  readonly height?: number | undefined
  readonly takenAt?: TakenAt | undefined
}

export interface NewPhoto extends PhotoFacts {
  readonly size: number
  readonly sha256: string
  readonly contentType: string
  readonly cookie: Cookie
  readonly logicalVolume: string
  readonly chunkBytes: number
  readonly name: string
  readonly caption?: string | undefined
  readonly rating?: number | undefined
  /** What a person says; `takenAt` is what the file says. */
  readonly setTakenAt?: TakenAt | undefined
  readonly file?: FileFacts | undefined
  readonly owner?: UserId | undefined
  readonly by?: string | undefined
  readonly idempotency?: string | undefined
  readonly tags?: readonly string[] | undefined
  readonly albums?: readonly string[] | undefined
  readonly marks?: readonly Mark[] | undefined
}

/** Absent: unchanged; null: removed. */
export interface PhotoEdit extends Marks {
  readonly name?: string
  readonly caption?: string | null
  readonly rating?: number | null
  /** What a person says of when it was taken: null leaves it to the file again. */
  readonly takenAt?: TakenAt | null
  /** What a person says of where it was taken: null leaves it to the file again. */
  readonly place?: Place | null
  readonly attributes?: Readonly<Record<string, string | null>>
  readonly tags?: SetEdit
  readonly albums?: SetEdit
}

export interface SetEdit {
  readonly add?: readonly string[]
  readonly remove?: readonly string[]
}

/**
 * The alternate key of the needles that hold a part of a photo: 0 for the original; else the low byte is 1 large, 2 small,
 * 3 thumb, 4 features, and the upper 24 bits are the first of the part's SHA-256, so that different results of two nodes
 * have different keys.
 *
 * @param sha256 - lower-case hex
 * @returns an unsigned 32-bit number
 */
export function alternateKeyOf(part: PhotoPart, sha256: string): number {
  if (part === 'orig') return 0
  return (Number.parseInt(sha256.slice(0, 6), 16) * 256 + PHOTO_PARTS.indexOf(part)) >>> 0
}

/** @returns which part of a photo a needle holds; undefined for a part of a later version of Sheaf */
export function partOf(alternateKey: number): PhotoPart | undefined {
  return PHOTO_PARTS[alternateKey & 0xff]
}

export function parseAltKey(text: string): AltKey | undefined {
  return ALT_KEYS.find(alt => alt === text)
}

/**
 * Every version is checked, so that all that photos are merged to can be shown, whichever is shown then.
 *
 * @throws `ERR_RECORD_MALFORMED` if the record cannot be viewed as a photo, or has another spelling of its id
 */
export function requirePhoto(record: DirectoryRecord): void {
  const isCanonical = parsePhotoId(record.id) === record.id
  const isVersion = ({ field }: Entry): boolean => field === VERSION_FIELD
  if (!isCanonical || record.entries.some(entry => isVersion(entry) && bytesIn(entry.value) === undefined))
    throw notAPhoto(record)
}

/**
 * @param version - a conflict version to view instead of the shown one
 * @throws `ERR_RECORD_MALFORMED` if the record cannot be viewed as a photo
 */
export function viewPhoto(record: DirectoryRecord, version: Entry = shownVersion(record)): Photo {
  const id = record.kind === PHOTO_KIND ? parsePhotoId(record.id) : undefined
  const { value } = version
  const bytes = bytesIn(value)
  if (id === undefined || bytes === undefined) throw notAPhoto(record)
  const born = value.get('born')
  const rating = integerOf(value, 'rating')
  const dimensions = factOf(record, 'dimensions')
  const file = fileFactsOf(record)
  return {
    id,
    generation: version.generation,
    deleted: version.deleted,
    createdAt: typeof born === 'bigint' ? (born as Hlc) : version.hlc,
    ...bytes,
    contentType: textOf(value, 'content_type') ?? UNKNOWN_TYPE,
    logicalVolume: textOf(value, 'logical_volume') ?? '',
    name: textOf(value, 'name') ?? '',
    caption: textOf(value, 'caption'),
    rating: rating !== undefined && rating <= RATING_MAX ? rating : undefined,
    attributes: textsOf(value, 'attributes'),
    owner: heirIn(record) ?? parseUserId(textOf(value, 'owner') ?? ''),
    idempotency: hexOf(value, 'idempotency', SHA256_BYTES),
    tags: keysOf(record, 'tags'),
    albums: keysOf(record, 'albums'),
    marks: marksOf(record),
    variants: variantsOf(record),
    width: integerOf(dimensions, 'width'),
    height: integerOf(dimensions, 'height'),
    takenAt: setTakenAtOf(value) ?? takenAtOf(record) ?? takenAtOfFile(file),
    setPlace: mapIn(value, 'place', placeFrom),
    file,
    version: { hlc: version.hlc, actor: version.dot.actor },
    context: record.context,
    record
  }
}

/** @returns to whom it was handed over; of two at the same time, by the later one */
function heirIn(record: DirectoryRecord): UserId | undefined {
  const heirs = elementsOf(record, 'owner').filter(({ key }) => key === 'owner')
  const last = heirs.length > 1 ? heirs.sort(compareVersions).at(-1) : heirs[0]
  return last && parseUserId(textOf(last.value, 'owner') ?? '')
}

/** Hands a photo over, beside what its versions say. */
export function handOverChange(owner: UserId): Change {
  return { kind: 'add', field: 'owner', key: 'owner', value: mapOf({ owner }) }
}

/** @returns where it was taken, from the strongest source */
export function placeOfPhoto({ setPlace, file, record }: Photo): Place | undefined {
  return setPlace ?? file.place ?? placeOf(record)
}

/** What no photo can be shown without. @returns undefined when it is not there, or no needles could hold it */
function bytesIn(
  value: ReadonlyMap<string, Value>
): Pick<Photo, 'size' | 'sha256' | 'cookie' | 'chunkBytes'> | undefined {
  const size = integerOf(value, 'size')
  const sha256 = hexOf(value, 'sha256', SHA256_BYTES)
  const cookie = bytesOf(value, 'cookie', COOKIE_BYTES)
  const chunkBytes = integerOf(value, 'chunk_bytes') ?? 0
  if (size === undefined || sha256 === undefined || cookie === undefined) return undefined
  if (chunkBytes > 0 && size / chunkBytes > CHUNKS_MAX) return undefined
  return { size, sha256, cookie: cookieFrom(cookie), chunkBytes }
}

/** @returns when it was taken, as a person says */
function setTakenAtOf(value: ReadonlyMap<string, Value>): TakenAt | undefined {
  const takenAt = mapIn(value, 'taken_at', takenAtFrom)
  return takenAt && { ...takenAt, source: 'user' }
}

/** @returns what a field that is a map says */
function mapIn<T>(
  value: ReadonlyMap<string, Value>,
  key: string,
  read: (fields: ReadonlyMap<string, Value>) => T | undefined
): T | undefined {
  const fields = value.get(key)
  return fields instanceof Map ? read(fields) : undefined
}

function notAPhoto({ kind, id }: DirectoryRecord): SheafError {
  return malformed(`${kind} ${id} cannot be shown as a photo`)
}

/** @returns a quoted ETag that changes with anything in the merged record */
export function metaEtag(record: DirectoryRecord): string {
  return `"${createHash('sha256').update(encodeRecord(record)).digest('hex').slice(0, 32)}"`
}

/** @returns the changes that create a photo */
export function createChanges(birth: NewPhoto): Change[] {
  const value = mapOf({
    size: birth.size,
    sha256: Buffer.from(birth.sha256, 'hex'),
    content_type: birth.contentType,
    cookie: cookieBytes(birth.cookie),
    logical_volume: birth.logicalVolume,
    chunk_bytes: birth.chunkBytes === 0 ? undefined : birth.chunkBytes,
    name: birth.name,
    caption: birth.caption,
    rating: birth.rating,
    taken_at: birth.setTakenAt && setTakenAtFields(birth.setTakenAt),
    owner: birth.owner,
    by: birth.by,
    idempotency: birth.idempotency === undefined ? undefined : Buffer.from(birth.idempotency, 'hex')
  })
  return [
    { kind: 'version', generation: FIRST_GENERATION, deleted: false, value },
    ...labelChanges('tags', [], { add: birth.tags ?? [] }),
    ...labelChanges('albums', [], { add: birth.albums ?? [] }),
    ...(birth.marks ?? []).map(key => ({ kind: 'add', field: 'marks', key }) as const),
    ...factsChanges(birth),
    ...fileFactsChanges(birth.file ?? {})
  ]
}

/** @returns no changes if the photo already matches the edit */
export function editChanges(photo: Photo, edit: PhotoEdit): Change[] {
  const value = successorValue(photo)
  let changed = false
  const set = (key: string, before: string | number | undefined, after: string | number | null | undefined): void => {
    if (after === undefined || (after ?? undefined) === before) return
    setOrDelete(value, key, after ?? undefined)
    changed = true
  }
  set('name', photo.name, edit.name)
  set('caption', photo.caption, edit.caption)
  set('rating', photo.rating, edit.rating)
  const setMap = (key: string, after: ReadonlyMap<string, Value> | null | undefined): void => {
    if (after === undefined || sameValue(value.get(key) ?? null, after)) return
    setOrDelete(value, key, after ?? undefined)
    changed = true
  }
  setMap('taken_at', edit.takenAt && setTakenAtFields(edit.takenAt))
  setMap('place', edit.place && placeFields(edit.place))
  const attributes = new Map<string, string>(photo.attributes)
  for (const [key, text] of Object.entries(edit.attributes ?? {})) {
    if ((text ?? undefined) === attributes.get(key)) continue
    setOrDelete(attributes, key, text ?? undefined)
    setOrDelete(value, 'attributes', attributes.size === 0 ? undefined : attributes)
    changed = true
  }
  return [
    ...(changed ? [{ kind: 'version', value } as const] : []),
    ...labelChanges('tags', photo.tags, edit.tags),
    ...labelChanges('albums', photo.albums, edit.albums),
    ...markChanges(photo, edit)
  ]
}

function markChanges({ marks }: Photo, edit: PhotoEdit): Change[] {
  return MARKS.flatMap(key => {
    const isWanted = edit[key] ?? marks.has(key)
    if (isWanted === marks.has(key)) return []
    return [{ kind: isWanted ? 'add' : 'remove', field: 'marks', key } as const]
  })
}

/** A date in a version is a person's, and need not say so. */
function setTakenAtFields(takenAt: TakenAt): ReadonlyMap<string, Value> {
  return takenAtFields({ ...takenAt, source: undefined, zoneSource: undefined })
}

/** @returns no changes if the photo is already deleted */
export function deleteChanges(record: DirectoryRecord): Change[] {
  const photo = viewPhoto(record)
  if (photo.deleted) return []
  return [{ kind: 'version', deleted: true, value: successorValue(photo), carry: () => true }]
}

/** Ends the undo period of a deleted photo early. */
export function purgeChanges(record: DirectoryRecord): Change[] {
  const value = successorValue(viewPhoto(record)).set(PURGE_WANTED, true)
  return [{ kind: 'version', deleted: true, value, carry: () => true }]
}

/**
 * Starts the next generation with everything that the tombstone kept. The bytes of the original and of the variants must
 * have been appended under generation + 1.
 *
 * @param variants - variants whose bytes were appended as well; the others are dropped
 * @returns no changes if the photo is not deleted
 */
export function undeleteChanges(record: DirectoryRecord, variants: Iterable<AltKey> = ALT_KEYS): Change[] {
  const photo = viewPhoto(record)
  if (!photo.deleted) return []
  const kept = new Set<string>(variants)
  const isWhole = [...photo.variants.keys()].every(alt => kept.has(alt))
  const tombstones = record.entries.filter(entry => entry.field === VERSION_FIELD && entry.deleted)
  return [
    {
      kind: 'version',
      generation: photo.generation + 1,
      deleted: false,
      value: successorValue(photo),
      supersedes: tombstones.map(entry => entry.dot),
      carry: entry => livesOn(entry, kept, isWhole)
    }
  ]
}

/**
 * Begins the life after a grave with what the record showed before that ended it, as `undeleteChanges`. The bytes must have
 * been appended under that life's generation.
 */
export function exhumeChanges(record: DirectoryRecord, variants: Iterable<AltKey> = ALT_KEYS): Change[] {
  const photo = viewPhoto(record)
  const kept = new Set<string>(variants)
  const isWhole = [...photo.variants.keys()].every(alt => kept.has(alt))
  const shown = shownVersion(record)
  const elements = record.entries.filter(entry => {
    return entry.field !== VERSION_FIELD && compareRanks(entry, shown) >= 0 && livesOn(entry, kept, isWhole)
  })
  return [
    { kind: 'version', deleted: false, value: successorValue(photo) },
    ...elements.map(({ field, key, value }) => ({ kind: 'add', field, key, value }) as const)
  ]
}

/** Whether an element passes into the next life. Features are computed again; so are all variants if one is dropped. */
function livesOn({ field, key }: Entry, variants: ReadonlySet<string>, isWhole: boolean): boolean {
  if (field === 'variants') return variants.has(key)
  return field === 'facts' && key === 'image' ? isWhole : field !== 'features'
}

/**
 * Makes a conflict version the shown one: editable fields come from it, the others from the version shown now. That one
 * becomes a conflict version, so the restore can be undone.
 *
 * @param n - index in `conflictVersions`, from 1
 * @throws `ERR_NO_SUCH_CONFLICT`
 */
export function restoreChanges(record: DirectoryRecord, n: number): Change[] {
  const conflict = conflictVersions(record)[n - 1]
  if (conflict === undefined) throw new SheafError('ERR_NO_SUCH_CONFLICT', undefined, { details: { n } })
  const shown = successorValue(viewPhoto(record))
  const value = new Map(conflict.value)
  for (const key of IMMUTABLE_FIELDS) setOrDelete(value, key, shown.get(key))
  return [{ kind: 'version', value, supersedes: [conflict.dot] }]
}

export function addVariantChange(alt: Exclude<AltKey, 'orig'>, variant: Variant): Change {
  const value = mapOf({
    recipe: variant.recipe,
    sha256: Buffer.from(variant.sha256, 'hex'),
    size: variant.size,
    content_type: variant.contentType,
    chunk_bytes: variant.chunkBytes === 0 ? undefined : variant.chunkBytes
  })
  return { kind: 'add', field: 'variants', key: alt, value }
}

export function factsChanges({ width, height, takenAt }: PhotoFacts): Change[] {
  const changes: Change[] = []
  if (width !== undefined && height !== undefined) changes.push(dimensionsChange(width, height))
  if (takenAt !== undefined) changes.push(takenAtChange(takenAt))
  return changes
}

/** The value that the next version starts from: that of the shown version, unknown fields included. */
function successorValue(photo: Photo): Map<string, Value> {
  const value = new Map(shownVersion(photo.record).value).set('born', photo.createdAt)
  value.delete(PURGE_WANTED)
  return value
}

/** Neither is removing an absent label a change, nor adding a present one: see D56. */
/** Labels that differ only in how they are written are one: the first spelling stays. */
function labelChanges(field: 'tags' | 'albums', present: readonly string[], edit: SetEdit = {}): Change[] {
  const unwanted = new Set(edit.remove?.map(foldText))
  const removed = present.filter(key => unwanted.has(foldText(key)))
  const known = new Set(present.filter(key => !removed.includes(key)).map(foldText))
  const added = (edit.add ?? []).filter(key => {
    const isNew = !known.has(foldText(key))
    known.add(foldText(key))
    return isNew
  })
  return [
    ...removed.map(key => ({ kind: 'remove', field, key }) as const),
    ...added.map(key => ({ kind: 'add', field, key }) as const)
  ]
}

function marksOf(record: DirectoryRecord): ReadonlySet<Mark> {
  const keys = new Set(elementsOf(record, 'marks').map(element => element.key))
  return new Set(MARKS.filter(mark => keys.has(mark)))
}

function keysOf(record: DirectoryRecord, field: string): string[] {
  return [...new Set(elementsOf(record, field).map(element => element.key))].sort()
}

/** Of concurrent variants the least (recipe, sha256) counts, so that all nodes serve the same bytes. */
function variantsOf(record: DirectoryRecord): ReadonlyMap<AltKey, Variant> {
  const variants = new Map<AltKey, Variant>()
  for (const { key, value } of elementsOf(record, 'variants')) {
    const alt = parseAltKey(key)
    const variant = variantOf(value)
    if (alt === undefined || variant === undefined) continue
    const other = variants.get(alt)
    if (other === undefined || isLess(variant, other)) variants.set(alt, variant)
  }
  return variants
}

function isLess(a: Variant, b: Variant): boolean {
  return a.recipe === b.recipe ? a.sha256 < b.sha256 : a.recipe < b.recipe
}

function variantOf(value: ReadonlyMap<string, Value>): Variant | undefined {
  const sha256 = hexOf(value, 'sha256', SHA256_BYTES)
  const size = integerOf(value, 'size')
  if (sha256 === undefined || size === undefined) return undefined
  return {
    recipe: textOf(value, 'recipe') ?? '',
    sha256,
    size,
    contentType: textOf(value, 'content_type') ?? UNKNOWN_TYPE,
    chunkBytes: integerOf(value, 'chunk_bytes') ?? 0
  }
}
