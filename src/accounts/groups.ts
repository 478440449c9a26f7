import type { Clock } from '../core/clock.js'
import { SheafError } from '../core/errors.js'
import type { Random } from '../core/random.js'
import type { Directory } from '../directory/directory.js'
import {
  type AlbumRole,
  aclKey,
  type GroupGrantee,
  grantChanges,
  granteeOf,
  restsOn,
  setOwnerChanges,
  viewAcl
} from '../domain/acl.js'
import type { Person } from '../domain/audience.js'
import { type GroupId, newPhotoId, type UserId } from '../domain/ids.js'
import { GROUPS_MAX, GROUPS_OF_USER_MAX, MEMBERS_MAX } from '../domain/limits.js'
import {
  createPeopleGroupChanges,
  deletePeopleGroupChanges,
  GROUP_KIND,
  MEMBERS_AT_MS,
  type MemberRole,
  type MemberStanding,
  renamePeopleGroupChanges
} from '../domain/people-group.js'
import type { Change, DirectoryRecord } from '../domain/record.js'
import type { RecordWriter } from '../store/record-writer.js'
import { badField, checkGroupName } from './account-rules.js'
import type { GroupCatalog, KnownGroup } from './group-catalog.js'

export interface GroupsComponents {
  readonly writer: Pick<RecordWriter, 'write' | 'admit'>
  readonly directory: Pick<Directory, 'lookUp'>
  readonly catalog: GroupCatalog
  readonly clock: Clock
  readonly random: Random
  /** Whether there is an account that can log in. */
  readonly isOpen: (id: UserId) => boolean
}

export interface GroupMember {
  readonly userId: UserId
  readonly role: Exclude<MemberStanding, 'none'>
}

/** A group as somebody sees it. */
export interface ListedGroup {
  readonly id: GroupId
  readonly name: string
  readonly createdAtMs: number
  /** What the one who asks is in it. */
  readonly standing: MemberStanding
  /** How many are in it. */
  readonly size: number
}

export interface ShownGroup extends ListedGroup {
  /** In the order of their ids; undefined: only those who are in it see that. */
  readonly members: readonly GroupMember[] | undefined
}

/** Who asks: somebody with an account, or who looks after accounts and sees what groups are called. */
export interface GroupAsker {
  readonly person: Person | undefined
  readonly isKeeper: boolean
}

/** What stands for it in an acl. */
const ROLES: Readonly<Record<MemberRole, AlbumRole>> = { member: 'viewer', manager: 'manager' }

/** Groups of people, to whom albums can be opened as to one. */
export class Groups {
  readonly #components: GroupsComponents

  constructor(components: GroupsComponents) {
    this.#components = components
  }

  /** @returns in what groups somebody is now. @throws `ERR_DIRECTORY_UNAVAILABLE` */
  of(user: UserId): readonly GroupGrantee[] {
    return this.#components.catalog.of(user)
  }

  /** @returns undefined: it is deleted, or this node has not heard of it. @throws `ERR_DIRECTORY_UNAVAILABLE` */
  nameOf(id: GroupId): string | undefined {
    return this.#components.catalog.get(id)?.group.name
  }

  /** The groups that somebody is in, or all of them, in the order of their names. @throws `ERR_DIRECTORY_UNAVAILABLE` */
  list(asker: GroupAsker): readonly ListedGroup[] {
    return this.#components.catalog
      .all()
      .map(known => listed(known, asker))
      .filter(({ standing }) => standing !== 'none' || asker.isKeeper)
  }

  /** @throws `ERR_GROUP_NOT_FOUND` for one that is not theirs, as for one that there is not */
  get(id: GroupId, asker: GroupAsker): ShownGroup {
    const known = this.#components.catalog.get(id)
    if (known === undefined) throw groupNotFound(id)
    const group = listed(known, asker)
    if (group.standing === 'none') {
      if (!asker.isKeeper) throw groupNotFound(id)
      return { ...group, members: undefined }
    }
    const members = [...known.members].map(([userId, role]) => ({ userId, role }))
    return { ...group, members: members.sort((a, b) => (a.userId < b.userId ? -1 : 1)) }
  }

  /** @param person - to whom it belongs. @throws `ERR_BAD_PARAMETER`, `ERR_TOO_MANY_GROUPS`, what the store throws */
  async create(name: string, { userId }: Person): Promise<ShownGroup> {
    const { writer, catalog, clock, random } = this.#components
    const checked = checkGroupName(name)
    writer.admit()
    const id = newPhotoId(clock, random) as string as GroupId
    await writer.write({ kind: GROUP_KIND, id }, () => {
      if (catalog.size >= GROUPS_MAX) throw new SheafError('ERR_TOO_MANY_GROUPS')
      this.#requireRoomOf(userId)
      return createPeopleGroupChanges({ name: checked, maker: userId, createdAtMs: clock.now() })
    })
    return this.get(id, { person: { userId, role: 'user' }, isKeeper: false })
  }

  /** @throws `ERR_BAD_PARAMETER`, `ERR_GROUP_NOT_FOUND`, `ERR_FORBIDDEN`, what the store throws */
  async rename(id: GroupId, name: string, asker: GroupAsker): Promise<ShownGroup> {
    const checked = checkGroupName(name)
    await this.#writeGroup(id, before => {
      this.#requireManager(id, asker)
      return renamePeopleGroupChanges(before, checked)
    })
    return this.get(id, asker)
  }

  /** For ever: what it was given counts for nobody any more. @throws as {@link rename} */
  async remove(id: GroupId, asker: GroupAsker): Promise<void> {
    await this.#writeGroup(id, before => {
      const { standing } = this.get(id, asker)
      if (standing !== 'owner' && !asker.isKeeper)
        throw new SheafError('ERR_FORBIDDEN', 'only whoever owns a group can delete it, and administrators')
      return deletePeopleGroupChanges(before)
    })
  }

  /**
   * Takes somebody into a group, or gives him another role in it.
   *
   * @throws `ERR_USER_NOT_FOUND`, `ERR_BAD_PARAMETER`, `ERR_GROUP_NOT_FOUND`, `ERR_FORBIDDEN`, what the store throws
   */
  async put(id: GroupId, user: UserId, role: MemberRole, person: Person): Promise<ShownGroup> {
    if (!this.#components.isOpen(user))
      throw new SheafError('ERR_USER_NOT_FOUND', 'there is no such account, or it is disabled', {
        details: { user_id: user }
      })
    const asker = { person, isKeeper: false }
    await this.#writeMembers(id, (acl, { members }, owner) => {
      this.#requireManager(id, asker)
      if (user === owner) throw badField('user', 'the group belongs to that account, which may do all')
      if (!members.has(user)) {
        this.#requireRoomOf(user)
        if (members.size > MEMBERS_MAX)
          throw badField('user', `a group has ${MEMBERS_MAX} members at most; make another one`)
      }
      if (role !== 'manager') requireFooting(acl, owner, person, user)
      return grantChanges(acl, owner, granteeOf(user), { role: ROLES[role], by: person.userId }, MEMBERS_AT_MS)
    })
    return this.get(id, asker)
  }

  /** Takes somebody out of a group; oneself, too. Harmless where he is not in it. @throws as {@link put} */
  async take(id: GroupId, user: UserId, person: Person): Promise<void> {
    await this.#writeMembers(id, (acl, _group, owner) => {
      const { standing } = this.get(id, { person, isKeeper: false })
      if (user === owner) throw badField('user', 'the group belongs to that account: delete the group instead')
      if (user !== person.userId) {
        if (standing === 'member') throw notManager()
        requireFooting(acl, owner, person, user)
      }
      return grantChanges(acl, owner, granteeOf(user), { role: 'none', by: person.userId }, MEMBERS_AT_MS)
    })
  }

  /**
   * Takes an account out of all groups; what it made of them counts for nobody any more.
   *
   * @param heir - gets its own groups; undefined: they are deleted
   * @throws what the store throws
   */
  async leaveAll(user: UserId, heir: UserId | undefined): Promise<void> {
    const person: Person = { userId: user, role: 'user' }
    const asker = { person, isKeeper: false }
    for (const { id, standing } of this.list(asker)) {
      if (standing !== 'owner') await this.take(id, user, person)
      else if (heir === undefined) await this.remove(id, asker)
      else await this.#writeMembers(id, (acl, _group, owner) => setOwnerChanges(acl, owner, heir, user, MEMBERS_AT_MS))
    }
  }

  async #writeMembers(
    id: GroupId,
    decide: (acl: DirectoryRecord | undefined, group: KnownGroup, owner: UserId) => readonly Change[]
  ): Promise<void> {
    const { writer, directory, catalog } = this.#components
    writer.admit()
    const key = aclKey(id)
    const asked = (acl: DirectoryRecord | undefined): readonly Change[] => {
      const known = catalog.get(id)
      if (known === undefined) throw groupNotFound(id)
      return decide(acl, known, viewAcl(acl).owner ?? known.group.maker)
    }
    // a group that nobody was taken into has no such record, and gets none by taking nobody out
    const isNothing = directory.lookUp(key).stored === undefined && asked(undefined).length === 0
    if (!isNothing) await writer.write(key, asked)
  }

  async #writeGroup(id: GroupId, decide: (before: DirectoryRecord) => readonly Change[]): Promise<void> {
    const { writer } = this.#components
    writer.admit()
    if (this.#components.catalog.get(id) === undefined) throw groupNotFound(id)
    await writer.write({ kind: GROUP_KIND, id }, before => {
      if (before === undefined) throw groupNotFound(id)
      return decide(before)
    })
  }

  /** @throws `ERR_GROUP_NOT_FOUND`, `ERR_FORBIDDEN` */
  #requireManager(id: GroupId, asker: GroupAsker): void {
    const { standing } = this.get(id, asker)
    if (standing !== 'manager' && standing !== 'owner') throw notManager()
  }

  /** @throws `ERR_BAD_PARAMETER` */
  #requireRoomOf(user: UserId): void {
    if (this.of(user).length >= GROUPS_OF_USER_MAX)
      throw badField(
        'user',
        `that account is in ${GROUPS_OF_USER_MAX} groups, and no more can have it; it can leave some`
      )
  }
}

/** Whoever takes away the role on which his own rests would lose that by it. @throws `ERR_FORBIDDEN` */
function requireFooting(acl: DirectoryRecord | undefined, owner: UserId, { userId }: Person, other: UserId): void {
  if (restsOn(acl, owner, userId, other, MEMBERS_AT_MS))
    throw new SheafError(
      'ERR_FORBIDDEN',
      'you manage the group only because that account does: whoever owns the group can change that'
    )
}

function listed({ group, members }: KnownGroup, { person }: GroupAsker): ListedGroup {
  const { id, name, createdAtMs } = group
  const standing = (person && members.get(person.userId)) ?? 'none'
  return { id, name, createdAtMs, standing, size: members.size }
}

function notManager(): SheafError {
  return new SheafError('ERR_FORBIDDEN', 'only the owner of a group, and its managers, can change it')
}

/** @returns `ERR_GROUP_NOT_FOUND` */
function groupNotFound(id: GroupId): SheafError {
  return new SheafError('ERR_GROUP_NOT_FOUND', undefined, { details: { group_id: id } })
}
