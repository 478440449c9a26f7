/*
 * Identities. All are strings in one canonical spelling, usable as Map keys and in JSON; needles, superblocks and
 * directory keys hold the byte forms.
 *
 *   NodeId   libp2p peer id of the node's Ed25519 key (base58, "12D3Koo…"); 32-byte public key in superblocks
 *   ActorId  epoch of one process lifetime: random 64 bits as 16 lower-case hex digits; the actor of vector clocks
 *   PhotoId  UUID (version 7 when made by Sheaf), 36 characters, lower case; 16 bytes
 *   AlbumId  as PhotoId, of an album; so are UserId, GroupId, SessionId, ApiKeyId, InviteId and LinkId
 *   VolumeId "<epoch>-<sequence>", sequence decimal from 1; the superblock binds it to its origin with a signature
 *   Cookie   128 random bits, 32 lower-case hex digits
 *
 * Text from outside goes through the parse functions, which return undefined for anything else and never throw.
 */
import type { Clock } from '../core/clock.js'
import { invariant } from '../core/invariant.js'
import type { Random } from '../core/random.js'

declare const brand: unique symbol
type Branded<Name extends string> = string & { readonly [brand]: Name }

export type NodeId = Branded<'NodeId'>
export type ActorId = Branded<'ActorId'>
export type PhotoId = Branded<'PhotoId'>
export type AlbumId = Branded<'AlbumId'>
export type UserId = Branded<'UserId'>
export type GroupId = Branded<'GroupId'>
export type SessionId = Branded<'SessionId'>
export type ApiKeyId = Branded<'ApiKeyId'>
export type InviteId = Branded<'InviteId'>
export type LinkId = Branded<'LinkId'>
export type VolumeId = Branded<'VolumeId'>
export type Cookie = Branded<'Cookie'>

const PHOTO_ID_BYTES = 16
export const ACTOR_ID_BYTES = 8
export const COOKIE_BYTES = 16
/** A sequence number has 32 bits in the superblock. */
const VOLUME_SEQUENCE_MAX = 0xffff_ffff

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
/** Where the two digits of each byte begin. */
const UUID_DIGITS = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34]
const COOKIE = /^[0-9a-f]{32}$/
const VOLUME = /^([0-9a-f]{16})-([1-9][0-9]{0,9})$/

/** @param text - a UUID of any version in any case */
export function parsePhotoId(text: string): PhotoId | undefined {
  if (text.length !== 36) return undefined
  if (UUID.test(text)) return text as PhotoId
  const lower = text.toLowerCase()
  return UUID.test(lower) ? (lower as PhotoId) : undefined
}

/** @param text - a UUID of any version in any case */
export function parseAlbumId(text: string): AlbumId | undefined {
  return parsePhotoId(text) as string | undefined as AlbumId | undefined
}

/** @param text - a UUID of any version in any case */
export function parseUserId(text: string): UserId | undefined {
  return parsePhotoId(text) as string | undefined as UserId | undefined
}

/** @param text - a UUID of any version in any case */
export function parseGroupId(text: string): GroupId | undefined {
  return parsePhotoId(text) as string | undefined as GroupId | undefined
}

/** @param text - a UUID of any version in any case */
export function parseSessionId(text: string): SessionId | undefined {
  return parsePhotoId(text) as string | undefined as SessionId | undefined
}

/** @param text - a UUID of any version in any case */
export function parseApiKeyId(text: string): ApiKeyId | undefined {
  return parsePhotoId(text) as string | undefined as ApiKeyId | undefined
}

/** @param text - a UUID of any version in any case */
export function parseInviteId(text: string): InviteId | undefined {
  return parsePhotoId(text) as string | undefined as InviteId | undefined
}

/** @param text - a UUID of any version in any case */
export function parseLinkId(text: string): LinkId | undefined {
  return parsePhotoId(text) as string | undefined as LinkId | undefined
}

export function photoIdBytes(id: PhotoId): Uint8Array {
  const bytes = Buffer.allocUnsafe(PHOTO_ID_BYTES)
  for (let i = 0; i < PHOTO_ID_BYTES; i++) {
    const at = UUID_DIGITS[i] as number
    bytes[i] = (digitAt(id, at) << 4) | digitAt(id, at + 1)
  }
  return bytes
}

/** @returns the value of a lower-case hex digit */
function digitAt(text: string, at: number): number {
  const code = text.charCodeAt(at)
  return code < 0x3a ? code - 0x30 : code - 0x57
}

export function photoIdFrom(bytes: Uint8Array): PhotoId {
  const hex = exactHex(bytes, PHOTO_ID_BYTES)
  const id = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
  return id as PhotoId
}

/**
 * A UUID of version 7: 48-bit milliseconds, then 74 random bits.
 *
 * @see RFC 9562, section 5.7
 */
export function newPhotoId(clock: Clock, random: Random): PhotoId {
  const bytes = Buffer.alloc(PHOTO_ID_BYTES)
  bytes.writeUIntBE(Math.min(Math.max(Math.trunc(clock.now()), 0), 2 ** 48 - 1), 0, 6)
  bytes.set(random.bytes(10), 6)
  bytes[6] = 0x70 | (bytes.readUInt8(6) & 0x0f)
  bytes[8] = 0x80 | (bytes.readUInt8(8) & 0x3f)
  return photoIdFrom(bytes)
}

export function newActorId(random: Random): ActorId {
  return actorIdFrom(random.bytes(ACTOR_ID_BYTES))
}

export function actorIdBytes(actor: ActorId): Uint8Array {
  return Buffer.from(actor, 'hex')
}

export function actorIdFrom(bytes: Uint8Array): ActorId {
  return exactHex(bytes, ACTOR_ID_BYTES) as ActorId
}

/** @param sequence - 1…VOLUME_SEQUENCE_MAX */
export function volumeId(epoch: ActorId, sequence: number): VolumeId {
  invariant(
    Number.isInteger(sequence) && sequence >= 1 && sequence <= VOLUME_SEQUENCE_MAX,
    `volume sequence ${sequence} is out of range`
  )
  return `${epoch}-${sequence}` as VolumeId
}

/** @param text - exactly in the form of `volumeId`. @returns undefined for anything else */
export function parseVolumeId(text: string): { readonly epoch: ActorId; readonly sequence: number } | undefined {
  const match = VOLUME.exec(text)
  if (match === null) return undefined
  const sequence = Number(match[2])
  return sequence > VOLUME_SEQUENCE_MAX ? undefined : { epoch: match[1] as ActorId, sequence }
}

export function newCookie(random: Random): Cookie {
  return cookieFrom(random.bytes(COOKIE_BYTES))
}

/** @param text - 32 hex digits in any case */
export function parseCookie(text: string): Cookie | undefined {
  const lower = text.toLowerCase()
  return COOKIE.test(lower) ? (lower as Cookie) : undefined
}

export function cookieBytes(cookie: Cookie): Uint8Array {
  return Buffer.from(cookie, 'hex')
}

export function cookieFrom(bytes: Uint8Array): Cookie {
  return exactHex(bytes, COOKIE_BYTES) as Cookie
}

function exactHex(bytes: Uint8Array, byteCount: number): string {
  invariant(bytes.length === byteCount, `an id of ${byteCount} bytes was given ${bytes.length}`)
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')
}
