import { encodeValue } from '../domain/cbor-writer.js'
import { type FeaturesBlob, viewFeatures } from '../domain/findings.js'
import { cookieBytes, type PhotoId, parseVolumeId, photoIdBytes, type VolumeId } from '../domain/ids.js'
import { FLAG_CHUNK, type NeedleIdentity } from '../domain/needle.js'
import { ALT_KEYS, type AltKey, alternateKeyOf, type Photo, type PhotoPart } from '../domain/photo.js'
import type { NeedleDraft, NeedleLocation, NeedleStore } from '../volumes/needle-store.js'

/** A part of a photo's bytes as its record describes it, which determines the needles that hold it. */
export interface PhotoBlob {
  readonly id: PhotoId
  readonly generation: number
  readonly part: PhotoPart
  readonly size: number
  readonly sha256: string
  /** 0: one needle holds everything; else every needle but the last holds this many bytes. */
  readonly chunkBytes: number
  /** The volume that the photo was uploaded to. Whoever holds it is likely to have these bytes, too. */
  readonly volume?: VolumeId | undefined
}

/** @returns undefined when the photo has no such size */
export function blobOf(photo: Photo, alt: AltKey): PhotoBlob | undefined {
  return sizeOf(photo, alt, uploadVolume(photo))
}

/** @param features - from the photo's findings */
export function featuresBlob(photo: Photo, features: FeaturesBlob): PhotoBlob {
  return featuresIn(photo, features, uploadVolume(photo))
}

/** @returns all blobs that the photo's record names */
export function blobsOf(photo: Photo): PhotoBlob[] {
  const volume = uploadVolume(photo)
  return [
    ...ALT_KEYS.flatMap(alt => sizeOf(photo, alt, volume) ?? []),
    ...Array.from(viewFeatures(photo.record).features.values(), named => featuresIn(photo, named, volume))
  ]
}

function sizeOf(photo: Photo, alt: AltKey, volume: VolumeId | undefined): PhotoBlob | undefined {
  const bytes = alt === 'orig' ? photo : photo.variants.get(alt)
  if (bytes === undefined) return undefined
  const { id, generation } = photo
  const { size, sha256, chunkBytes } = bytes
  return { id, generation, part: alt, size, sha256, chunkBytes, volume }
}

function featuresIn(
  { id, generation }: Photo,
  { sha256, size }: FeaturesBlob,
  volume: VolumeId | undefined
): PhotoBlob {
  return { id, generation, part: 'features', size, sha256, chunkBytes: 0, volume }
}

function uploadVolume({ logicalVolume }: Photo): VolumeId | undefined {
  return parseVolumeId(logicalVolume) === undefined ? undefined : (logicalVolume as VolumeId)
}

export function needleCount(blob: PhotoBlob): number {
  return blob.chunkBytes === 0 ? 1 : Math.ceil(blob.size / blob.chunkBytes)
}

/** @returns the bytes [start, end) of the blob that a needle holds */
export function needleSpan(blob: PhotoBlob, chunk: number): { readonly start: number; readonly end: number } {
  const start = chunk * blob.chunkBytes
  return { start, end: blob.chunkBytes === 0 ? blob.size : Math.min(start + blob.chunkBytes, blob.size) }
}

/** Names the needles of a blob. The name of an original needs no hash, which is unknown until its last chunk has arrived. */
export type BlobName = Pick<PhotoBlob, 'id' | 'generation'> &
  ({ readonly part: 'orig' } | Pick<PhotoBlob, 'part' | 'sha256'>)

export function dataIdentity(name: BlobName, chunk: number): NeedleIdentity {
  const { id, generation, part } = name
  const alternateKey = 'sha256' in name ? alternateKeyOf(part, name.sha256) : 0
  return { kind: 'data', id: photoIdBytes(id), generation, alternateKey, chunk }
}

/** Earlier lives whose bytes may stand in: more than one only if disks with undeletes were lost one after the other. */
const STAND_IN_LIVES = 3

/** @returns whether a needle of an earlier life may stand in for that of the given one: see {@link lifeNames} */
export function mayStandIn(earlier: number, generation: number): boolean {
  return earlier < generation && generation - earlier <= STAND_IN_LIVES
}

/** @returns where a needle's bytes are, under the best of its names: see {@link lifeNames}; undefined: nowhere */
export function locateBytes(
  volumes: Pick<NeedleStore, 'locate'>,
  identity: NeedleIdentity
): NeedleLocation | undefined {
  for (const name of lifeNames(identity)) {
    const [location] = volumes.locate(name)
    if (location !== undefined) return location
  }
  return undefined
}

/**
 * @returns the names under which a needle's bytes may be found, the best first. An undelete writes them again for the next
 * life; until that has come, those of the lives before stand in, so that it leaves no photo with fewer copies.
 */
export function* lifeNames(identity: NeedleIdentity): Generator<NeedleIdentity> {
  yield identity
  const last = Math.max(0, identity.generation - STAND_IN_LIVES)
  for (let generation = identity.generation - 1; generation >= last; generation--) yield { ...identity, generation }
}

/** @param chunked - whether the blob has several needles, which are valid only together with a manifest */
export function dataDraft(
  photo: Pick<Photo, 'cookie'>,
  blob: BlobName,
  chunk: number,
  chunked: boolean,
  data: Uint8Array
): NeedleDraft {
  const flags = chunked ? FLAG_CHUNK : 0
  return { header: { ...dataIdentity(blob, chunk), flags, cookie: cookieBytes(photo.cookie) }, data }
}

/**
 * The needle that completes a chunked blob. It follows all chunks; without it they are dead.
 * Its data is the canonical CBOR map {size, chunk_bytes, sha256 (lower-case hex)}.
 */
export function manifestDraft(photo: Pick<Photo, 'cookie'>, blob: PhotoBlob): NeedleDraft {
  const { size, chunkBytes, sha256 } = blob
  const data = encodeValue(new Map(Object.entries({ size, chunk_bytes: chunkBytes, sha256 })))
  return { header: { ...dataIdentity(blob, 0), kind: 'manifest', flags: 0, cookie: cookieBytes(photo.cookie) }, data }
}
