import type { Clock } from '../../core/clock.js'
import { SheafError } from '../../core/errors.js'
import type { Directory } from '../../directory/directory.js'
import {
  type AlbumRole,
  type AlbumStanding,
  aclKey,
  type Grant,
  type Grantee,
  type GroupGrantee,
  grantChanges,
  granteeOf,
  groupIn,
  isGrantable,
  restsOn,
  userIn,
  viewAcl
} from '../../domain/acl.js'
import { handOverChanges } from '../../domain/album-tree.js'
import { albumAudience, mayWithAlbum, type OwnAudience, type Person, standingIn } from '../../domain/audience.js'
import type { AlbumId, GroupId, UserId } from '../../domain/ids.js'
import { SHARES_MAX } from '../../domain/limits.js'
import type { Change, DirectoryRecord } from '../../domain/record.js'
import type { Settings } from '../../domain/settings-record.js'
import type { RecordWriter } from '../../store/record-writer.js'
import { badField } from '../photo-rules.js'
import type { KnownAlbums } from '../viewers/known-albums.js'
import { requireAlbum } from './album-lookup.js'

export interface AlbumSharesComponents {
  readonly directory: Pick<Directory, 'lookUp'>
  readonly writer: Pick<RecordWriter, 'write' | 'admit'>
  readonly clock: Pick<Clock, 'now'>
  readonly known: Pick<KnownAlbums, 'get'>
  /** Whose an album is that nobody with an account has made. */
  readonly unowned: () => Settings['unowned']
  /** Whether there is an account that can log in. */
  readonly isOpen: (id: UserId) => boolean
  /** In what groups somebody is now. */
  readonly groupsOf: (id: UserId) => readonly GroupGrantee[]
  /** Whether there is a group of that id, which is not deleted. */
  readonly isGroup: (id: GroupId) => boolean
}

/** What somebody was given in an album. */
export interface Share extends Grant {
  readonly grantee: Grantee
  /** Whether it counts: whoever gave it may give it, it has not ended, and a group is not deleted. */
  readonly isInForce: boolean
}

/** To whom an album is open. */
export interface AlbumSharing {
  readonly owner: UserId | 'everyone'
  /** What the one who asks is in it. */
  readonly standing: AlbumStanding
  /** Whether that one may give roles, and take them away. */
  readonly mayShare: boolean
  /** In the order of whom they are given to. What was taken away is not among them. */
  readonly shares: readonly Share[]
}

/** What is given. */
export interface NewShare {
  readonly role: Exclude<AlbumRole, 'none'>
  /** When it ends, ms since the Unix epoch. */
  readonly untilMs?: number | undefined
}

/** Who has which role in an album. Only people share: the operator of a node and programs with a key do not. */
export class AlbumShares {
  readonly #components: AlbumSharesComponents

  constructor(components: AlbumSharesComponents) {
    this.#components = components
  }

  /** @param person - who asks; undefined: nobody who has an account. @throws `ERR_ALBUM_NOT_FOUND`, `ERR_ALBUM_DELETED` */
  list(id: AlbumId, person: Person | undefined): AlbumSharing {
    const { directory } = this.#components
    return this.#sharing(id, directory.lookUp(aclKey(id)).stored?.record, person && this.#now(person))
  }

  /**
   * Gives a role, instead of the one that was given before. Whoever gives it is its giver from then on.
   *
   * @throws `ERR_BAD_PARAMETER`, `ERR_USER_NOT_FOUND`, `ERR_GROUP_NOT_FOUND`, `ERR_FORBIDDEN`, `ERR_ALBUM_NOT_FOUND`, `ERR_ALBUM_DELETED`,
   *   what the store throws
   */
  async give(id: AlbumId, grantee: Grantee, { role, untilMs }: NewShare, person: Person): Promise<AlbumSharing> {
    if (!isGrantable(grantee, role))
      throw badField('role', `${grantee} cannot be given the role ${role}, but a lesser one`)
    if (untilMs !== undefined && untilMs <= this.#components.clock.now())
      throw badField('expires_at', 'that time is over')
    const user = userIn(grantee)
    if (user !== undefined) this.#requireOpen(user)
    return this.#write(id, person, (record, audience, nowMs) => {
      const owner = requireSharer(audience, person)
      requireRoom(record, grantee)
      this.#requireIn(grantee, person)
      if (owner === user) throw badField('principal', 'the album belongs to that account, which may do all')
      if (role !== 'manager') requireFooting(record, owner, person, grantee, nowMs)
      return grantChanges(record, owner, grantee, { role, untilMs, by: person.userId }, nowMs)
    })
  }

  /** Takes a role away; one's own, too. Harmless where there is none. @throws as {@link give} */
  async take(id: AlbumId, grantee: Grantee, person: Person): Promise<AlbumSharing> {
    return this.#write(id, person, (record, audience, nowMs) => {
      if (grantee !== granteeOf(person.userId))
        requireFooting(record, requireSharer(audience, person), person, grantee, nowMs)
      if (audience.owner === 'everyone') return []
      return grantChanges(record, audience.owner, grantee, { role: 'none', by: person.userId }, nowMs)
    })
  }

  /**
   * Hands an album over, with all that its owner has given. Of one that belongs to everyone, an administrator says whose it is.
   *
   * @throws as {@link give}
   */
  async setOwner(id: AlbumId, next: UserId, person: Person): Promise<AlbumSharing> {
    this.#requireOpen(next)
    return this.#write(id, person, (record, { owner }, nowMs) => {
      if (owner === 'everyone' ? person.role !== 'admin' : owner !== person.userId)
        throw new SheafError(
          'ERR_FORBIDDEN',
          owner === 'everyone'
            ? 'the album belongs to everyone: an administrator can say whose it is'
            : 'only whoever owns an album can hand it over'
        )
      const { maker } = requireAlbum(this.#components.directory, id).album
      return handOverChanges(record, maker, owner === 'everyone' ? undefined : owner, next, person.userId, nowMs)
    })
  }

  async #write(
    id: AlbumId,
    person: Person,
    decide: (record: DirectoryRecord | undefined, audience: OwnAudience, nowMs: number) => readonly Change[]
  ): Promise<AlbumSharing> {
    const { writer, clock, directory } = this.#components
    writer.admit()
    const key = aclKey(id)
    const asked = (record: DirectoryRecord | undefined): readonly Change[] =>
      decide(record, this.#audience(id, record), clock.now())
    // an album that nobody has shared has no record, and gets none by taking nothing away
    const isNothing = directory.lookUp(key).stored === undefined && asked(undefined).length === 0
    const record = isNothing ? undefined : await writer.write(key, asked)
    return this.#sharing(id, record, this.#now(person))
  }

  #sharing(id: AlbumId, record: DirectoryRecord | undefined, person: Person | undefined): AlbumSharing {
    const audience = this.#audience(id, record)
    const { owner } = audience
    // what the owner was given before does not matter any more
    const isShown = (grantee: Grantee, role: AlbumRole): boolean =>
      role !== 'none' && (owner === 'everyone' || grantee !== granteeOf(owner))
    const shares = [...viewAcl(record).grants]
      .filter(([grantee, { role }]) => isShown(grantee, role))
      .map(
        ([grantee, grant]): Share => ({
          ...grant,
          grantee,
          isInForce: audience.grants.has(grantee) && this.#isThere(grantee)
        })
      )
      .sort((a, b) => (a.grantee < b.grantee ? -1 : 1))
    return {
      owner,
      standing: standingIn({ ...audience, above: this.#components.known.get(id)?.audience.above ?? [] }, person),
      mayShare: person !== undefined && mayWithAlbum('share', audience, person),
      shares
    }
  }

  /** @throws `ERR_ALBUM_NOT_FOUND`, `ERR_ALBUM_DELETED` */
  #audience(id: AlbumId, record: DirectoryRecord | undefined): OwnAudience {
    const { directory, unowned, clock } = this.#components
    const { album } = requireAlbum(directory, id)
    return albumAudience(album.maker, viewAcl(record), unowned(), clock.now())
  }

  /** @returns that person, in the groups that he is in at this moment */
  #now(person: Person): Person {
    return { ...person, groups: this.#components.groupsOf(person.userId) }
  }

  #isThere(grantee: Grantee): boolean {
    const group = groupIn(grantee)
    return group === undefined || this.#components.isGroup(group)
  }

  /** Nobody finds out what groups there are by giving them something. @throws `ERR_GROUP_NOT_FOUND` */
  #requireIn(grantee: Grantee, { userId }: Person): void {
    const group = groupIn(grantee)
    if (group !== undefined && !this.#components.groupsOf(userId).includes(grantee as GroupGrantee))
      throw new SheafError('ERR_GROUP_NOT_FOUND', undefined, { details: { group_id: group } })
  }

  /** @throws `ERR_USER_NOT_FOUND` */
  #requireOpen(id: UserId): void {
    if (!this.#components.isOpen(id))
      throw new SheafError('ERR_USER_NOT_FOUND', 'there is no such account, or it is disabled', {
        details: { user_id: id }
      })
  }
}

/** @returns the owner of the album. @throws `ERR_FORBIDDEN` */
function requireSharer(audience: OwnAudience, person: Person): UserId {
  const { owner } = audience
  if (owner === 'everyone')
    throw new SheafError(
      'ERR_FORBIDDEN',
      'the album belongs to everyone who has an account: an administrator can say whose it is, who can share it then'
    )
  if (!mayWithAlbum('share', audience, person))
    throw new SheafError('ERR_FORBIDDEN', 'only the owner of an album, and its managers, can share it')
  return owner
}

/** @throws `ERR_BAD_PARAMETER` */
function requireRoom(record: DirectoryRecord | undefined, grantee: Grantee): void {
  const { grants } = viewAcl(record)
  if (grants.size >= SHARES_MAX && !grants.has(grantee))
    throw badField('principal', `an album can be shared with ${SHARES_MAX} accounts one by one; share it with everyone`)
}

/** Whoever takes away the role on which his own rests would lose that by it. @throws `ERR_FORBIDDEN` */
function requireFooting(
  record: DirectoryRecord | undefined,
  owner: UserId,
  { userId }: Person,
  grantee: Grantee,
  nowMs: number
): void {
  const other = userIn(grantee)
  if (other !== undefined && restsOn(record, owner, userId, other, nowMs))
    throw new SheafError(
      'ERR_FORBIDDEN',
      'you are a manager only because that account is one: its owner can take it away'
    )
}
