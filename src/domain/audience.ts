/*
 * Who may do what with albums and photos. All of it follows from records, so all nodes that have merged the same find the same.
 *
 *                                  viewer  contributor  manager  owner of the album
 *   see it and its photos            ●         ●           ●        ●
 *   put own photos into it                     ●           ●        ●
 *   title, cover, taking photos out                        ●        ●
 *   caption, tags, … of its photos                         ●        ●
 *   who has which role                                     ●        ●
 *   delete and restore it, put it into another album                ●
 *
 * Who may see, add or change may also do so in the albums that stand in that one, unless their owner has said otherwise; the owner of
 * an album is a manager there. Who has which role in an album, and where it stands, is said by its own record alone: nobody gives
 * roles in it, moves or deletes it because of an album that it stands in.
 *
 * Whoever owns a photo may do all with it, and take it out of any album; nobody else can delete it. What belongs to nobody
 * belongs to whom the settings say. If that is everyone, all who have an account see it, all but guests change it, and only
 * administrators delete it.
 */
import { hash } from 'node:crypto'
import type { Role } from './access.js'
import {
  type Acl,
  ALBUM_ROLES,
  type AlbumStanding,
  type Grantee,
  type GroupGrantee,
  granteeOf,
  inForce
} from './acl.js'
import { type AlbumId, type LinkId, parseAlbumId, parseUserId, type UserId } from './ids.js'
import type { Photo } from './photo.js'
import type { Settings } from './settings-record.js'

/** Somebody with an account. Undefined, where one of them may be: somebody without. */
export interface Person {
  readonly userId: UserId
  readonly role: Role
  /** Those that he is in now. Absent: none, or nobody has asked. */
  readonly groups?: readonly GroupGrantee[]
}

/** Somebody who looks for photos: one with an account, or one of those without, or one who has come by share links. */
export type Onlooker = Person | Guest | 'public'

/** Somebody without an account who has opened share links. */
export interface Guest {
  readonly links: readonly OpenedLink[]
}

/** A share link that somebody has opened, by the password that it had then. */
export interface OpenedLink {
  readonly id: LinkId
  /** See `ShareLink`. */
  readonly proof: string
}

/** Whose an album is, and what was given to whom in it. */
export interface OwnAudience {
  readonly owner: UserId | 'everyone'
  readonly grants: ReturnType<typeof inForce>
}

/** Who may do what with an album. */
export interface AlbumAudience extends OwnAudience {
  /** Those of the albums that it stands in, as far as it is open to whom they are. Absent: none. */
  readonly above?: readonly OwnAudience[]
}

/** Whose a photo is, and where it is shown: all that its visibility hangs on. */
export interface PhotoAudience {
  readonly owner: UserId | undefined
  /** Sorted, without duplicates. */
  readonly albums: readonly AlbumId[]
}

/** What is known of all that a photo's visibility hangs on. */
export interface Sharing {
  readonly unowned: Settings['unowned']
  /** @returns undefined for one that is deleted, or not known: it opens nothing */
  albumOf(id: AlbumId): AlbumAudience | undefined
}

/**
 * `add`: put own photos into it; `edit`: title, cover, taking photos out, putting albums into it; `share`: who has which role;
 * `move`: put it into another album.
 */
export type AlbumAct = 'see' | 'add' | 'edit' | 'share' | 'move' | 'delete'
/**
 * `see` the picture, know the `facts`, that is what cameras and people say of it, get the `original`; these three are one but for
 * those who come by a link. `give`: put it into albums.
 */
export type PhotoAct = SeeingAct | 'edit' | 'give' | 'delete'
export type SeeingAct = 'see' | 'facts' | 'original'

/** Whom a photo belongs to that nobody with an account has uploaded, where a text says it. */
export const NOBODY = '-'
const AUDIENCE_DIGEST_BYTES = 8
const STANDINGS: readonly AlbumStanding[] = [...ALBUM_ROLES, 'owner']
const NEEDED: Readonly<Record<AlbumAct, AlbumStanding>> = {
  see: 'viewer',
  add: 'contributor',
  edit: 'manager',
  share: 'manager',
  move: 'owner',
  delete: 'owner'
}
/** What somebody may do because he may do it with an album that this one stands in. */
const INHERITED: ReadonlySet<AlbumAct> = new Set<AlbumAct>(['see', 'add', 'edit'])

/** @param maker - who made the album; undefined: nobody who had an account */
export function albumAudience(
  maker: UserId | undefined,
  acl: Acl,
  unowned: Settings['unowned'],
  nowMs: number
): OwnAudience {
  const owner = acl.owner ?? maker ?? unowned
  return { owner, grants: inForce(acl, owner === 'everyone' ? undefined : owner, nowMs) }
}

export function photoAudience({ owner, albums }: Pick<Photo, 'owner' | 'albums'>): PhotoAudience {
  return { owner, albums: albumsIn(albums) }
}

/** @returns the labels that are ids of albums: those of before, which are none, open nothing */
export function albumsIn(labels: readonly string[]): readonly AlbumId[] {
  return labels.filter(label => parseAlbumId(label) === label) as readonly string[] as readonly AlbumId[]
}

/** @returns the owner and the albums, as one word each: equal where the same people may do the same with two photos */
export function audienceText({ owner, albums }: PhotoAudience): string {
  return [owner ?? NOBODY, ...albums].join(' ')
}

/** Inverse of {@link audienceText}. @returns undefined for any other text */
export function parseAudience(text: string): PhotoAudience | undefined {
  const [first = '', ...others] = text.split(' ')
  const owner = parseUserId(first)
  const albums = others.map(id => parseAlbumId(id)).filter(id => id !== undefined)
  const audience = { owner, albums }
  return audienceText(audience) === text ? audience : undefined
}

/** @returns 8 bytes by which an audience is known in rows of the index */
export function audienceDigest(text: string): Buffer {
  return hash('sha256', text, 'buffer').subarray(0, AUDIENCE_DIGEST_BYTES)
}

/** An audience by its text, and by how rows of the index have it. */
export interface NamedAudience {
  readonly text: string
  /** As {@link audienceDigest} makes it. */
  readonly digest: Uint8Array
}

export function namedAudience(text: string): NamedAudience {
  return { text, digest: audienceDigest(text) }
}

/** Some audiences, such as those that somebody sees. It may grow while it is used, and never shrinks. */
export class AudienceSet {
  readonly #texts: string[] = []
  readonly #digests: Uint8Array[] = []
  readonly #known = new Set<string>()
  readonly #arrivals: () => Iterable<NamedAudience>

  /** @param arrivals - what has come since it was asked last. Default: nothing */
  constructor(audiences: Iterable<NamedAudience>, arrivals: () => Iterable<NamedAudience> = () => []) {
    this.#arrivals = arrivals
    for (const audience of audiences) this.#add(audience)
  }

  /** As {@link audienceText} has them, without duplicates. */
  get texts(): readonly string[] {
    this.#catchUp()
    return this.#texts
  }

  get digests(): readonly Uint8Array[] {
    this.#catchUp()
    return this.#digests
  }

  has(digest: Uint8Array): boolean {
    this.#catchUp()
    return this.#known.has(nameOf(digest))
  }

  #catchUp(): void {
    for (const audience of this.#arrivals()) this.#add(audience)
  }

  #add({ text, digest }: NamedAudience): void {
    const name = nameOf(digest)
    if (this.#known.has(name)) return
    this.#known.add(name)
    this.#texts.push(text)
    this.#digests.push(digest)
  }
}

function nameOf(digest: Uint8Array): string {
  return Buffer.from(digest.buffer, digest.byteOffset, digest.byteLength).toString('latin1')
}

/** @returns the greatest of what he is in the album by itself, and in those that it stands in: there at most a manager */
export function standingIn(audience: AlbumAudience, person: Person | undefined): AlbumStanding {
  const inherited = (audience.above ?? []).map(above => standingGiven(above, person))
  return greatestOf(
    standingGiven(audience, person),
    ...inherited.map(standing => (standing === 'owner' ? 'manager' : standing))
  )
}

/** @returns the greatest of what was given to that person, to his groups, and to all among whom he is */
function standingGiven({ owner, grants }: OwnAudience, person: Person | undefined): AlbumStanding {
  const given = (grantee: Grantee): AlbumStanding => grants.get(grantee)?.role ?? 'none'
  if (person === undefined) return given('public')
  if (owner === person.userId) return 'owner'
  const ofAll: AlbumStanding = owner !== 'everyone' ? 'none' : person.role === 'guest' ? 'viewer' : 'contributor'
  const { userId, groups = [] } = person
  return greatestOf(ofAll, given('public'), given('everyone'), given(granteeOf(userId)), ...groups.map(given))
}

export function mayWithAlbum(act: AlbumAct, audience: AlbumAudience, person: Person | undefined): boolean {
  const standing = INHERITED.has(act) ? standingIn(audience, person) : standingGiven(audience, person)
  if (audience.owner === 'everyone' && person !== undefined) {
    if (act === 'edit') return person.role !== 'guest'
    if (act === 'move' || act === 'delete') return person.role === 'admin'
  }
  return isAtLeast(standing, NEEDED[act])
}

export function mayWithPhoto(
  act: PhotoAct,
  { owner, albums }: PhotoAudience,
  person: Person | undefined,
  sharing: Sharing
): boolean {
  const belongsTo = owner ?? sharing.unowned
  if (person !== undefined && belongsTo === person.userId) return true
  if (person !== undefined && belongsTo === 'everyone') {
    if (act === 'delete') return person.role === 'admin'
    if (isSeeing(act) || person.role !== 'guest') return true
  }
  if (!isSeeing(act) && act !== 'edit') return false
  return albums.some(id => {
    const album = sharing.albumOf(id)
    return album !== undefined && isAtLeast(standingIn(album, person), isSeeing(act) ? 'viewer' : 'manager')
  })
}

export function isSeeing(act: PhotoAct): act is SeeingAct {
  return act === 'see' || act === 'facts' || act === 'original'
}

/** @returns whose photos that one may delete, and so sees in the trash: ids of accounts, or {@link NOBODY} */
export function ownersToDelete(person: Person | undefined, unowned: Settings['unowned']): readonly string[] {
  if (person === undefined) return []
  const isTheirs = unowned === person.userId || (unowned === 'everyone' && person.role === 'admin')
  return isTheirs ? [person.userId, NOBODY] : [person.userId]
}

function isAtLeast(standing: AlbumStanding, needed: AlbumStanding): boolean {
  return STANDINGS.indexOf(standing) >= STANDINGS.indexOf(needed)
}

function greatestOf(...standings: readonly AlbumStanding[]): AlbumStanding {
  return standings.reduce((a, b) => (isAtLeast(a, b) ? a : b))
}
