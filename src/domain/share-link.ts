/*
 * What opens an album, or some photos, to whoever has its address, as a record of the kind 'link'. Its id is made of the secret
 * in the address, so that whoever sends that names the record, and nobody who knows the record has the address. It lives, or is
 * revoked for ever: a tombstone beats all that was changed at the same time.
 *
 *   field    key    value
 *   version  –      sha256 (32 bytes, of the secret's bytes), album? (absent: photos of the maker that are in an album of the link's
 *                   id, see audience.ts), by (id of the account that made it), created (ms); no edit changes it
 *   terms    terms  role: viewer | contributor, download, metadata (whether), until? (ms), phc? (of a password), label?
 *
 * A write of the terms replaces what it saw. What was written at the same time on the other side of a cut stays beside it, and
 * of each term what gives the least counts; of two passwords and two labels, the later.
 */
import { hash, timingSafeEqual } from 'node:crypto'
import { PHC_CHARACTERS_MAX } from './access.js'
import type { GroupGrantee } from './acl.js'
import { type AlbumAudience, mayWithAlbum, type PhotoAudience } from './audience.js'
import { compareVersions } from './entry.js'
import { type AlbumId, type LinkId, parseAlbumId, parseLinkId, parseUserId, photoIdFrom, type UserId } from './ids.js'
import { CREDENTIAL_LABEL_CHARACTERS_MAX } from './limits.js'
import { type Change, type DirectoryRecord, elementsOf, shownVersion } from './record.js'
import type { Settings } from './settings-record.js'
import { bytesOf, cutLine, mapOf, textOf, timeOf } from './value-fields.js'

export const LINK_KIND = 'link'
/** 192 random bits: nobody finds one by trying. */
export const LINK_SECRET_BYTES = 24
/** From the least. A contributor may add photos to the album, too. */
export const LINK_ROLES = ['viewer', 'contributor'] as const
export type LinkRole = (typeof LINK_ROLES)[number]

const SHA256_BYTES = 32
const UUID_BYTES = 16
const SECRET = /^[\w-]{32}$/
const PROOF_CHARACTERS = 16

/** What whoever opens it gets, and until when. */
export interface LinkTerms {
  readonly role: LinkRole
  /** Whether originals can be had. */
  readonly download: boolean
  /** Whether it is told what cameras and people say of the photos. */
  readonly metadata: boolean
  /** Ms since the Unix epoch; undefined: until it is revoked. */
  readonly untilMs: number | undefined
  /** Undefined: it needs no password. */
  readonly phc: string | undefined
  /** What its maker calls it; for those who may share only. */
  readonly label: string | undefined
}

export interface NewShareLink extends LinkTerms {
  readonly sha256: Uint8Array
  /** Undefined: it is of photos. */
  readonly album: AlbumId | undefined
  readonly by: UserId
  readonly createdAtMs: number
}

export interface ShareLink extends NewShareLink {
  readonly id: LinkId
  readonly isRevoked: boolean
  /** Names the password; empty: there is none. */
  readonly proof: string
}

/** What whether a link counts hangs on beside its record. */
export interface LinkSurroundings {
  /** @returns undefined for an album that is deleted, or not known */
  readonly albumOf: (id: AlbumId) => AlbumAudience | undefined
  /** In what groups somebody is now. */
  readonly groupsOf: (id: UserId) => readonly GroupGrantee[]
  /** Whether the account can log in. */
  readonly isOpen: (id: UserId) => boolean
}

/** Bounded, since another node may have written the record. @returns undefined for what is no link of anybody */
export function viewShareLink(record: DirectoryRecord): ShareLink | undefined {
  const id = record.kind === LINK_KIND ? parseLinkId(record.id) : undefined
  if (id === undefined || id !== record.id) return undefined
  const { value, deleted } = shownVersion(record)
  const sha256 = bytesOf(value, 'sha256', SHA256_BYTES)
  const by = parseUserId(textOf(value, 'by') ?? '')
  const album = parseAlbumId(textOf(value, 'album') ?? '')
  const createdAtMs = timeOf(value, 'created')
  if (sha256 === undefined || by === undefined || createdAtMs === undefined) return undefined
  if (value.has('album') && album === undefined) return undefined
  const terms = termsOf(record)
  const proof = proofOf(terms.phc)
  return { id, isRevoked: deleted, sha256, album, by, createdAtMs, ...terms, proof }
}

export function createShareLinkChanges({ sha256, album, by, createdAtMs, ...terms }: NewShareLink): Change[] {
  return [
    { kind: 'version', deleted: false, value: mapOf({ sha256, album, by, created: createdAtMs }) },
    termsChange(terms)
  ]
}

/** @param terms - all of them, as they are to be */
export function termsChange({ role, download, metadata, untilMs, phc, label }: LinkTerms): Change {
  const value = mapOf({ role, download, metadata, until: untilMs, phc, label })
  return { kind: 'add', field: 'terms', key: 'terms', value }
}

/** The password goes with it. @returns no changes if it is revoked already */
export function revokeShareLinkChanges(record: DirectoryRecord): Change[] {
  const { deleted, value } = shownVersion(record)
  return deleted ? [] : [{ kind: 'version', deleted: true, value }]
}

/** Whether it opens anything now: its maker is there, and may share what it is of. */
export function isInForce(link: ShareLink, { albumOf, groupsOf, isOpen }: LinkSurroundings, nowMs: number): boolean {
  const { isRevoked, untilMs = Number.POSITIVE_INFINITY, album, by } = link
  if (isRevoked || untilMs <= nowMs || !isOpen(by)) return false
  if (album === undefined) return true
  const audience = albumOf(album)
  return audience !== undefined && mayWithAlbum('share', audience, { userId: by, role: 'user', groups: groupsOf(by) })
}

/** @param link - one in force. @returns whether a photo is among what it opens */
export function isLinked(link: ShareLink, { owner, albums }: PhotoAudience, unowned: Settings['unowned']): boolean {
  if (link.album !== undefined) return albums.includes(link.album)
  return (owner ?? unowned) === link.by && albums.includes(setOf(link.id))
}

/** @returns the label of the photos that a link is of which is not of an album: nobody else can put one there, or see it */
export function setOf(id: LinkId): AlbumId {
  return id as string as AlbumId
}

/** @param secret - LINK_SECRET_BYTES random bytes. @returns the text in the address */
export function formatLinkSecret(secret: Uint8Array): string {
  return Buffer.from(secret).toString('base64url')
}

/** @returns undefined for anything that {@link formatLinkSecret} did not write */
export function parseLinkSecret(text: string): Uint8Array | undefined {
  return SECRET.test(text) ? Buffer.from(text, 'base64url') : undefined
}

/** @returns the id of the link with that secret */
export function linkIdOf(secret: Uint8Array): LinkId {
  const bytes = hash('sha256', Buffer.concat([Buffer.from('sheaf link\0'), secret]), 'buffer').subarray(0, UUID_BYTES)
  // a UUID of version 8, see RFC 9562, section 5.8
  bytes[6] = 0x80 | (bytes.readUInt8(6) & 0x0f)
  bytes[8] = 0x80 | (bytes.readUInt8(8) & 0x3f)
  return photoIdFrom(bytes) as string as LinkId
}

/** @returns what a record has instead of the secret */
export function linkDigest(secret: Uint8Array): Uint8Array {
  return hash('sha256', secret, 'buffer')
}

/** In constant time. */
export function isSecretOf({ sha256 }: Pick<ShareLink, 'sha256'>, secret: Uint8Array): boolean {
  return timingSafeEqual(sha256, linkDigest(secret))
}

function termsOf(record: DirectoryRecord): LinkTerms {
  const written = elementsOf(record, 'terms')
    .filter(({ key }) => key === 'terms')
    .sort(compareVersions)
    .map(({ value }) => value)
  const lastOf = (key: string): string | undefined =>
    written.map(value => textOf(value, key)).findLast(text => text !== undefined)
  const isEach = (key: string, wanted: unknown): boolean =>
    written.length > 0 && written.every(value => value.get(key) === wanted)
  // an end, or a password, that cannot be read is no reason to open it for ever, or to everybody
  const ends = written.filter(value => value.has('until')).map(value => timeOf(value, 'until') ?? 0)
  const phc = lastOf('phc') ?? (written.some(value => value.has('phc')) ? '' : undefined)
  return {
    role: isEach('role', 'contributor') ? 'contributor' : 'viewer',
    download: isEach('download', true),
    metadata: isEach('metadata', true),
    untilMs: written.length === 0 ? 0 : ends.length === 0 ? undefined : Math.min(...ends),
    phc: phc !== undefined && phc.length > PHC_CHARACTERS_MAX ? '' : phc,
    label: cutLine(lastOf('label'), CREDENTIAL_LABEL_CHARACTERS_MAX)
  }
}

function proofOf(phc: string | undefined): string {
  return phc === undefined ? '' : hash('sha256', phc, 'base64url').slice(0, PROOF_CHARACTERS)
}
