import { hasCode } from '../core/errors.js'
import type { Startable } from '../core/lifecycle.js'
import type { Logger } from '../core/log.js'
import type { Directory } from '../directory/directory.js'
import { ACL_KIND, aclKey, type GroupGrantee, granteeOfGroup } from '../domain/acl.js'
import { type GroupId, parseGroupId, type UserId } from '../domain/ids.js'
import { GROUPS_HELD_MAX } from '../domain/limits.js'
import {
  GROUP_KIND,
  type MemberStanding,
  membersOf,
  type PeopleGroup,
  viewPeopleGroup
} from '../domain/people-group.js'
import type { DirectoryRecord, RecordKey } from '../domain/record.js'
import { foldText } from '../domain/text.js'

export interface GroupCatalogComponents {
  readonly directory: Pick<Directory, 'onChange' | 'onOpaque' | 'records' | 'lookUp'>
  readonly log: Logger
}

/** A group that is not deleted. */
export interface KnownGroup {
  readonly group: PeopleGroup
  readonly members: ReadonlyMap<UserId, Exclude<MemberStanding, 'none'>>
}

const NO_GROUPS: readonly GroupGrantee[] = []

/**
 * Groups and who is in them, in memory: the directory tells what changes, and what has changed is read before the next answer. So
 * whoever was taken out of a group is out of it in the same step in which the record that says so is here.
 */
export class GroupCatalog implements Startable {
  readonly #components: GroupCatalogComponents
  readonly #groups = new Map<GroupId, KnownGroup>()
  readonly #ofUser = new Map<UserId, readonly GroupGrantee[]>()
  /** What has changed since it was read. */
  readonly #stale = new Set<GroupId>()
  #isFull = false
  #unsubscribe = (): void => {}

  constructor(components: GroupCatalogComponents) {
    this.#components = components
  }

  /** @throws `ERR_DIRECTORY_UNAVAILABLE` */
  async start(): Promise<void> {
    const { directory } = this.#components
    const offChange = directory.onChange(changes => {
      for (const { key } of changes) this.#note(key)
    })
    const offOpaque = directory.onOpaque(keys => {
      for (const key of keys) this.#note(key)
    })
    this.#unsubscribe = () => {
      offChange()
      offOpaque()
    }
    for await (const key of directory.records(GROUP_KIND)) this.#note(key)
    this.#refresh()
  }

  async stop(): Promise<void> {
    this.#unsubscribe()
  }

  /** Groups that are not deleted. @throws `ERR_DIRECTORY_UNAVAILABLE` */
  get size(): number {
    this.#refresh()
    return this.#groups.size
  }

  /** @returns undefined for one that is deleted, or not known here. @throws `ERR_DIRECTORY_UNAVAILABLE` */
  get(id: GroupId): KnownGroup | undefined {
    this.#refresh()
    return this.#groups.get(id)
  }

  /** @returns in what groups somebody is, by their ids. @throws `ERR_DIRECTORY_UNAVAILABLE` */
  of(user: UserId): readonly GroupGrantee[] {
    this.#refresh()
    return this.#ofUser.get(user) ?? NO_GROUPS
  }

  /** In the order of their names. @throws `ERR_DIRECTORY_UNAVAILABLE` */
  all(): readonly KnownGroup[] {
    this.#refresh()
    return [...this.#groups.values()].sort(compareNames)
  }

  #note({ kind, id: text }: RecordKey): void {
    const id = parseGroupId(text)
    if (id === undefined) return
    // an acl is that of an album, or of a group that this node has heard of
    if (kind === GROUP_KIND || (kind === ACL_KIND && (this.#groups.has(id) || this.#stale.has(id)))) this.#stale.add(id)
  }

  #refresh(): void {
    for (const id of this.#stale) {
      const known = this.#read(id)
      this.#forget(id)
      if (known !== undefined) this.#hold(id, known)
      this.#stale.delete(id)
    }
  }

  #hold(id: GroupId, known: KnownGroup): void {
    if (this.#groups.size >= GROUPS_HELD_MAX) {
      if (!this.#isFull) this.#components.log.warn({ groups: GROUPS_HELD_MAX }, 'more groups than count; delete some')
      this.#isFull = true
      return
    }
    this.#groups.set(id, known)
    const grantee = granteeOfGroup(id)
    for (const user of known.members.keys()) this.#ofUser.set(user, [...(this.#ofUser.get(user) ?? []), grantee].sort())
  }

  #forget(id: GroupId): void {
    const grantee = granteeOfGroup(id)
    for (const user of this.#groups.get(id)?.members.keys() ?? []) {
      const left = this.#ofUser.get(user)?.filter(other => other !== grantee) ?? []
      if (left.length > 0) this.#ofUser.set(user, left)
      else this.#ofUser.delete(user)
    }
    this.#groups.delete(id)
  }

  /** What a later version has written gives nobody anything. @throws `ERR_DIRECTORY_UNAVAILABLE` */
  #read(id: GroupId): KnownGroup | undefined {
    try {
      const record = this.#recordOf({ kind: GROUP_KIND, id })
      const group = record && viewPeopleGroup(record)
      if (group === undefined || group.deleted) return undefined
      return { group, members: membersOf(group, this.#recordOf(aclKey(id))) }
    } catch (err) {
      if (hasCode(err, 'ERR_FORMAT_TOO_NEW')) return undefined
      throw err
    }
  }

  #recordOf(key: RecordKey): DirectoryRecord | undefined {
    return this.#components.directory.lookUp(key).stored?.record
  }
}

function compareNames({ group: a }: KnownGroup, { group: b }: KnownGroup): number {
  const [nameA, nameB] = [foldText(a.name), foldText(b.name)]
  return nameA !== nameB ? (nameA < nameB ? -1 : 1) : a.id < b.id ? -1 : 1
}
