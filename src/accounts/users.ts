import type { Clock } from '../core/clock.js'
import { SheafError } from '../core/errors.js'
import { KeyedLock } from '../core/keyed-lock.js'
import type { Random } from '../core/random.js'
import type { Directory } from '../directory/directory.js'
import {
  ACCESS_KIND,
  type Access,
  type AccountState,
  closeChanges,
  createAccessChanges,
  type Doer,
  type Inheritance,
  type Role,
  removePasswordChanges,
  setPasswordChanges,
  setRoleChanges,
  setStateChanges,
  viewAccess
} from '../domain/access.js'
import { newPhotoId, type UserId } from '../domain/ids.js'
import { USERS_MAX } from '../domain/limits.js'
import type { Change, DirectoryRecord } from '../domain/record.js'
import { SETTINGS_KEY, turnAuthOnChanges } from '../domain/settings-record.js'
import type { Usage } from '../domain/usage.js'
import {
  createUserChanges,
  editUserChanges,
  type NewUser,
  NO_QUOTA,
  type Quota,
  type QuotaEdit,
  USER_KIND,
  type User,
  type UserEdit,
  viewUser,
  wipeUserChanges
} from '../domain/user.js'
import type { RecordWriter } from '../store/record-writer.js'
import type { AccountCatalog } from './account-catalog.js'
import { badField, checkDisplay, checkMail, checkName, checkPassword, checkQuota } from './account-rules.js'
import type { Passwords } from './passwords.js'

export interface UsersComponents {
  readonly directory: Pick<Directory, 'lookUp' | 'isOpaque' | 'usageOf'>
  readonly writer: Pick<RecordWriter, 'write' | 'admit'>
  readonly catalog: AccountCatalog
  readonly passwords: Passwords
  readonly clock: Clock
  readonly random: Random
  /** Whether accounts would be open to any host: there are other members, and no cluster key. */
  readonly isOpenCluster: () => boolean
}

/** An account as people see it. */
export interface ListedUser
  extends Omit<User, 'name' | 'born'>,
    Pick<Access, 'role' | 'state' | 'closing' | 'isContested'> {
  /** No two accounts have the same one. */
  readonly name: string
  /** Another account claims the same name: one of them should take another one. */
  readonly isNameContested: boolean
  /** Whether anybody can log in by a password. */
  readonly hasPassword: boolean
  /** What its photos take; undefined: the index does not count that yet. */
  readonly usage: Usage | undefined
}

/** A closed account that nobody can open again. */
export interface ClosedAccount {
  readonly id: UserId
  readonly photos: Inheritance
  /** Whether nothing but the id is left. */
  readonly isWiped: boolean
}

export interface NewAccount extends NewUser {
  readonly role: Role
  /** Undefined: nobody can log in before one is set. */
  readonly password?: string | undefined
}

/** Who makes an account: also whoever it is for. */
export type Maker = Doer | 'self'

export interface UserPage {
  readonly users: readonly ListedUser[]
  /** Where the next page begins; undefined: this is the last one. */
  readonly nextAfter: UserId | undefined
}

/** Accounts, and what they may do. Who may call what is decided where requests come in. */
export class Users {
  readonly #components: UsersComponents
  /** Names, and the number of administrators, are looked at and changed by one at a time. */
  readonly #lock = new KeyedLock()

  constructor(components: UsersComponents) {
    this.#components = components
  }

  /**
   * @param address - of the client, for the queue of passwords
   * @param claim - called when nothing else stands in the way, before anything is written; what it throws is thrown
   * @throws `ERR_CLUSTER_KEY_NEEDED`, `ERR_NAME_TAKEN`, `ERR_BAD_PARAMETER`, `ERR_TOO_MANY_USERS`, `ERR_OVERLOADED`, what
   *   the store throws
   */
  async create(
    account: NewAccount,
    by: Maker,
    address: string,
    claim: (id: UserId) => Promise<void> = async () => {}
  ): Promise<ListedUser> {
    const { writer, passwords, catalog, clock, random, isOpenCluster } = this.#components
    const user = checkUser(account)
    const password = account.password === undefined ? undefined : checkPassword(account.password)
    writer.admit()
    if (isOpenCluster()) throw new SheafError('ERR_CLUSTER_KEY_NEEDED')
    this.#requireFree(user.name)
    const phc = password === undefined ? undefined : await passwords.hash(password, address)
    return this.#lock.run('accounts', async () => {
      this.#requireFree(user.name)
      if (catalog.size >= USERS_MAX) throw new SheafError('ERR_TOO_MANY_USERS')
      const id = newPhotoId(clock, random) as string as UserId
      await claim(id)
      // the account is there with its second record: what fails before that has changed nothing that anybody sees
      const access = { role: account.role, phc, why: 'set', by: by === 'self' ? id : by } as const
      await writer.write({ kind: ACCESS_KIND, id }, () => createAccessChanges(access))
      await writer.write({ kind: USER_KIND, id }, () => createUserChanges(user))
      await writer.write(SETTINGS_KEY, turnAuthOnChanges)
      return this.get(id)
    })
  }

  /** @throws `ERR_USER_NOT_FOUND` */
  get(id: UserId): ListedUser {
    const { directory, catalog } = this.#components
    const record = directory.lookUp({ kind: USER_KIND, id }).stored?.record
    const user = record && viewUser(record)
    if (user === undefined) throw userNotFound(id)
    const access = this.#accessOf(id)
    const { born: _, ...shown } = user
    return {
      ...shown,
      name: catalog.nameOf(id) ?? user.name ?? id,
      isNameContested: catalog.isNameContested(id),
      role: access?.role ?? 'guest',
      // what it may do has not been heard of yet, or is said in a later format
      state: access?.state ?? 'disabled',
      closing: access?.closing,
      isContested: access?.isContested ?? false,
      hasPassword: access?.password !== undefined,
      usage: directory.usageOf(id)
    }
  }

  /** @returns what the account may have; one of which this node has not heard, or cannot read, as much as fits */
  quotaOf(id: UserId): Quota {
    const key = { kind: USER_KIND, id }
    const { directory } = this.#components
    const record = directory.isOpaque(key) ? undefined : directory.lookUp(key).stored?.record
    return (record && viewUser(record)?.quota) ?? NO_QUOTA
  }

  /** @returns the name under which people see the account; undefined: this node has not heard of it */
  nameOf(id: UserId): string | undefined {
    return this.#components.catalog.nameOf(id)
  }

  /** Whether somebody can log in as that one, or act by a key of it. */
  isOpen(id: UserId): boolean {
    return this.#components.catalog.isOpen(id)
  }

  /** @returns the account that is shown under that name, or the oldest that claims it */
  called(name: string): UserId | undefined {
    return this.#components.catalog.called(name)[0]
  }

  /** In the order of their names. */
  list(after: UserId | undefined, limit: number): UserPage {
    const ids = this.#components.catalog.page(after, limit + 1)
    const shown = ids.slice(0, limit)
    return { users: shown.map(id => this.get(id)), nextAfter: ids.length > limit ? shown.at(-1) : undefined }
  }

  /** @throws `ERR_USER_NOT_FOUND`, `ERR_NAME_TAKEN`, `ERR_BAD_PARAMETER`, what the store throws */
  async edit(id: UserId, edit: UserEdit): Promise<ListedUser> {
    const checked = { ...edit, ...checkUser(edit) }
    return this.#lock.run('accounts', async () => {
      if (checked.name !== undefined && checked.name !== this.get(id).name) this.#requireFree(checked.name, id)
      await this.#write(USER_KIND, id, before => editUserChanges(before, checked))
      return this.get(id)
    })
  }

  /**
   * Sets the password of somebody who has lost it. All that was begun with the one before ends.
   *
   * @throws `ERR_USER_NOT_FOUND`, `ERR_BAD_PARAMETER`, `ERR_OVERLOADED`, what the store throws
   */
  async resetPassword(id: UserId, password: string, by: Doer, address: string): Promise<void> {
    const checked = checkPassword(password)
    this.get(id)
    const phc = await this.#components.passwords.hash(checked, address)
    await this.#write(ACCESS_KIND, id, () => setPasswordChanges(phc, 'reset', by))
  }

  /** @throws `ERR_USER_NOT_FOUND`, `ERR_LAST_ADMIN`, what the store throws */
  async setRole(id: UserId, role: Role, by: Doer): Promise<ListedUser> {
    return this.#setAccess(id, role !== 'admin', before => setRoleChanges(before, role, by))
  }

  /** All that a disabled account has begun stands still, and goes on when it is open again. @throws as `setRole` */
  async setState(id: UserId, state: Exclude<AccountState, 'closed'>, by: Doer): Promise<ListedUser> {
    return this.#setAccess(id, state !== 'open', before => {
      if (this.#isWiped(id))
        throw new SheafError('ERR_USER_NOT_FOUND', 'the account was closed for good; make another one')
      return setStateChanges(before, state, by)
    })
  }

  /**
   * Ends all that the account has begun, at once. An administrator can open it again for seven days; then nothing is left
   * of it but its id, see `ClosedAccounts`.
   *
   * @throws `ERR_USER_NOT_FOUND`, `ERR_LAST_ADMIN`, `ERR_BAD_PARAMETER` where nobody can get the photos, what the store throws
   */
  async close(id: UserId, photos: Inheritance, by: Doer): Promise<ListedUser> {
    if (photos !== 'trash' && (photos === id || !this.isOpen(photos)))
      throw badField('photos', 'the account that is to get the photos must be another one, and open')
    return this.#setAccess(id, true, before => closeChanges(before, photos, by))
  }

  /** Those that nobody can open again, as of that time, ms since the Unix epoch. */
  closedFor(nowMs: number): ClosedAccount[] {
    return this.#components.catalog.closed().flatMap(id => {
      const closing = this.#accessOf(id)?.closing
      if (closing === undefined || closing.untilMs > nowMs) return []
      return [{ id, photos: closing.photos, isWiped: this.#isWiped(id) }]
    })
  }

  /** Leaves nothing of a closed account but its id. @throws what the store throws */
  async wipe(id: UserId): Promise<void> {
    await this.#write(ACCESS_KIND, id, before => removePasswordChanges(before))
    await this.#write(USER_KIND, id, before => wipeUserChanges(before))
  }

  #isWiped(id: UserId): boolean {
    const record = this.#components.directory.lookUp({ kind: USER_KIND, id }).stored?.record
    return record !== undefined && viewUser(record)?.name === undefined && this.#accessOf(id)?.state === 'closed'
  }

  /** One that cannot be read must not hide the others. */
  #accessOf(id: UserId): Access | undefined {
    const key = { kind: ACCESS_KIND, id }
    const { directory } = this.#components
    const record = directory.isOpaque(key) ? undefined : directory.lookUp(key).stored?.record
    return record && viewAccess(record)
  }

  #setAccess(
    id: UserId,
    takesAway: boolean,
    decide: (before: DirectoryRecord) => readonly Change[]
  ): Promise<ListedUser> {
    return this.#lock.run('accounts', async () => {
      const { role, state } = this.get(id)
      const isAdmin = role === 'admin' && state === 'open'
      if (takesAway && isAdmin && this.#components.catalog.admins === 1) throw new SheafError('ERR_LAST_ADMIN')
      await this.#write(ACCESS_KIND, id, decide)
      return this.get(id)
    })
  }

  async #write(kind: string, id: UserId, decide: (before: DirectoryRecord) => readonly Change[]): Promise<void> {
    const { writer } = this.#components
    writer.admit()
    await writer.write({ kind, id }, before => {
      if (before === undefined) throw userNotFound(id)
      return decide(before)
    })
  }

  /** @throws `ERR_NAME_TAKEN` */
  #requireFree(name: string, by?: UserId): void {
    if (this.#components.catalog.isTaken(name, by))
      throw new SheafError('ERR_NAME_TAKEN', undefined, { details: { name } })
  }
}

/** @throws `ERR_BAD_PARAMETER` */
function checkUser<Edit extends UserEdit | NewUser>(user: Edit): Edit {
  const { name, display, mail, quota } = user
  return {
    ...user,
    ...(name !== undefined && { name: checkName(name) }),
    ...(display && { display: checkDisplay(display) }),
    ...(mail && { mail: checkMail(mail) }),
    ...(quota && { quota: checkQuota<QuotaEdit>(quota) })
  }
}

function userNotFound(id: UserId): SheafError {
  return new SheafError('ERR_USER_NOT_FOUND', undefined, { details: { user_id: id } })
}
