import type { Startable } from '../core/lifecycle.js'
import type { Logger } from '../core/log.js'
import type { Directory } from '../directory/directory.js'
import { ACCESS_KIND, type AccountState, type Role, viewAccess } from '../domain/access.js'
import { parseUserId, type UserId } from '../domain/ids.js'
import { USERS_HELD_MAX } from '../domain/limits.js'
import type { DirectoryRecord } from '../domain/record.js'
import { SETTINGS_KIND, viewSettings } from '../domain/settings-record.js'
import { USER_KIND, viewUser } from '../domain/user.js'
import { claimIn, compareClaims, foldUserName, type NameClaim, shownNameOf } from '../domain/user-names.js'

/** Accounts of one name whose password somebody may try at once: only nodes that were cut off from each other made them. */
const HOLDERS_MAX = 4

export interface AccountCatalogComponents {
  readonly directory: Pick<Directory, 'onChange' | 'onOpaque' | 'records' | 'lookUp'>
  readonly log: Logger
}

interface Right {
  readonly role: Role
  readonly state: AccountState
}

/** Names and rights of accounts, in memory: the directory tells what changes. */
export class AccountCatalog implements Startable {
  readonly #components: AccountCatalogComponents
  readonly #claims = new Map<UserId, NameClaim>()
  readonly #byName = new Map<string, Map<UserId, NameClaim>>()
  readonly #rights = new Map<UserId, Right>()
  /** Made of `#claims` when somebody lists them. */
  #sorted: readonly ListedName[] | undefined
  #isOn = false
  #isFull = false
  #unsubscribe = (): void => {}

  constructor(components: AccountCatalogComponents) {
    this.#components = components
  }

  /** @throws `ERR_DIRECTORY_UNAVAILABLE` */
  async start(): Promise<void> {
    const { directory } = this.#components
    const offChange = directory.onChange(changes => {
      for (const { key, after } of changes) this.#note(key.kind, key.id, after)
    })
    const offOpaque = directory.onOpaque(keys => {
      for (const { kind, id } of keys) this.#note(kind, id, undefined)
    })
    this.#unsubscribe = () => {
      offChange()
      offOpaque()
    }
    // what changes meanwhile is newer than what is being read
    for (const kind of [SETTINGS_KIND, ACCESS_KIND, USER_KIND])
      for await (const { id } of directory.records(kind))
        this.#note(kind, id, directory.lookUp({ kind, id }).stored?.record)
  }

  async stop(): Promise<void> {
    this.#unsubscribe()
  }

  /** Whether this node has ever heard of an account: from then on, for ever. */
  get isOn(): boolean {
    return this.#isOn
  }

  get size(): number {
    return this.#claims.size
  }

  /** Accounts that are open and administrators. */
  get admins(): number {
    let count = 0
    for (const [id, { role, state }] of this.#rights) if (role === 'admin' && state === 'open' && this.has(id)) count++
    return count
  }

  has(id: UserId): boolean {
    return this.#claims.has(id)
  }

  isOpen(id: UserId): boolean {
    return this.has(id) && this.#rights.get(id)?.state === 'open'
  }

  /** Accounts of which the state counts as closed. */
  closed(): UserId[] {
    return [...this.#rights].flatMap(([id, { state }]) => (state === 'closed' ? [id] : []))
  }

  /** @returns the name under which people see the account; undefined: there is none */
  nameOf(id: UserId): string | undefined {
    const claim = this.#claims.get(id)
    return claim && shownNameOf(claim, this.#rivals(claim.name))
  }

  /** Whether others claim the name of that account as well. */
  isNameContested(id: UserId): boolean {
    const claim = this.#claims.get(id)
    return claim !== undefined && this.#rivals(claim.name).length > 1
  }

  /** Whether an account other than that one has the name, however it is written. */
  isTaken(name: string, by?: UserId): boolean {
    return this.#rivals(name).some(({ id }) => id !== by)
  }

  /** @returns those whom somebody may mean by a name: the one that is shown so, or all that claim it, the oldest first */
  called(name: string): readonly UserId[] {
    const rivals = [...this.#rivals(claimIn(name))].sort(compareClaims)
    const claimIsMeant = claimIn(name) === name
    const meant = rivals.filter(
      claim => claimIsMeant || foldUserName(shownNameOf(claim, rivals)) === foldUserName(name)
    )
    return meant.slice(0, HOLDERS_MAX).map(({ id }) => id)
  }

  /** @returns accounts in the order of their names, behind that one */
  page(after: UserId | undefined, limit: number): readonly UserId[] {
    this.#sorted ??= [...this.#claims.values()].map(listedName).sort(compareListed)
    const claim = after && this.#claims.get(after)
    const behind = claim && listedName(claim)
    const isBehind = (one: ListedName): boolean => behind === undefined || compareListed(one, behind) > 0
    return this.#sorted
      .filter(isBehind)
      .slice(0, limit)
      .map(({ id }) => id)
  }

  #rivals(name: string): readonly NameClaim[] {
    return [...(this.#byName.get(foldUserName(name))?.values() ?? [])]
  }

  #note(kind: string, idText: string, record: DirectoryRecord | undefined): void {
    if (kind === SETTINGS_KIND) this.#isOn ||= record === undefined || viewSettings(record).isAuthOn
    const id = parseUserId(idText)
    if (id === undefined || id !== idText) return
    if (kind === ACCESS_KIND) this.#noteAccess(id, record)
    if (kind === USER_KIND) this.#noteUser(id, record)
  }

  #noteAccess(id: UserId, record: DirectoryRecord | undefined): void {
    this.#isOn = true
    const access = record && viewAccess(record)
    if (access === undefined) this.#rights.delete(id)
    else if (this.#hasRoom(this.#rights, id)) this.#rights.set(id, { role: access.role, state: access.state })
  }

  #noteUser(id: UserId, record: DirectoryRecord | undefined): void {
    this.#isOn = true
    this.#forget(id)
    const user = record && viewUser(record)
    if (user === undefined || !this.#hasRoom(this.#claims, id)) return
    const claim = { id, name: user.name ?? id, born: user.born }
    this.#claims.set(id, claim)
    const folded = foldUserName(claim.name)
    this.#byName.set(folded, (this.#byName.get(folded) ?? new Map<UserId, NameClaim>()).set(id, claim))
  }

  #forget(id: UserId): void {
    this.#sorted = undefined
    const claim = this.#claims.get(id)
    if (claim === undefined) return
    this.#claims.delete(id)
    const folded = foldUserName(claim.name)
    const rivals = this.#byName.get(folded)
    rivals?.delete(id)
    if (rivals?.size === 0) this.#byName.delete(folded)
  }

  #hasRoom(held: ReadonlyMap<UserId, unknown>, id: UserId): boolean {
    if (held.size < USERS_HELD_MAX || held.has(id)) return true
    if (!this.#isFull)
      this.#components.log.warn({ accounts: USERS_HELD_MAX }, 'more accounts than a node knows by name')
    this.#isFull = true
    return false
  }
}

interface ListedName {
  readonly id: UserId
  readonly folded: string
}

function listedName({ id, name }: NameClaim): ListedName {
  return { id, folded: foldUserName(name) }
}

function compareListed(a: ListedName, b: ListedName): number {
  if (a.folded !== b.folded) return a.folded < b.folded ? -1 : 1
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0
}
