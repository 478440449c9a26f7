import type { Clock } from '../core/clock.js'
import type { Startable } from '../core/lifecycle.js'
import type { Logger } from '../core/log.js'
import type { Random } from '../core/random.js'
import type { Directory } from '../directory/directory.js'
import type { Doer } from '../domain/access.js'
import { API_KEY_KIND, viewApiKey } from '../domain/api-key.js'
import type { AlbumId, UserId } from '../domain/ids.js'
import type { Signup } from '../domain/invite.js'
import type { RecordKey } from '../domain/record.js'
import { SESSION_KIND, viewSession } from '../domain/session-record.js'
import {
  editSettingsChanges,
  SETTINGS_KEY,
  type Settings,
  type SettingsEdit,
  viewSettings
} from '../domain/settings-record.js'
import { LINK_KIND, type ShareLink, viewShareLink } from '../domain/share-link.js'
import type { RecordWriter } from '../store/record-writer.js'
import { AccountCatalog } from './account-catalog.js'
import { ApiKeys } from './api-keys.js'
import { GroupCatalog } from './group-catalog.js'
import { Groups } from './groups.js'
import { Invites } from './invites.js'
import { OwnedRecords } from './owned-records.js'
import { type HashingCost, Passwords } from './passwords.js'
import { type Authenticated, Principals } from './principals.js'
import { RecordLookup } from './record-lookup.js'
import { Sessions } from './sessions.js'
import { ShareLinks } from './share-links.js'
import { Signups } from './signups.js'
import type { TokenKey } from './token-keys.js'
import { Tokens } from './tokens.js'
import { FailureLimit, SignupLimit, Tries } from './tries.js'
import { Users } from './users.js'

export interface AccountsComponents {
  readonly directory: Pick<Directory, 'onChange' | 'onOpaque' | 'records' | 'lookUp' | 'isOpaque' | 'usageOf'>
  readonly writer: Pick<RecordWriter, 'write' | 'admit'>
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  /** The first one signs. */
  readonly tokenKeys: readonly [TokenKey, ...TokenKey[]]
  /** Merges what the peers know of a record into the directory; without it the node is alone. @returns whether all answered */
  readonly fetchRecord?: ((key: RecordKey) => Promise<boolean>) | undefined
  /** Since when some member has not been heard, ms since the Unix epoch; undefined: all are. Default: all are. */
  readonly cutSinceMs?: (() => number | undefined) | undefined
  /** Whether this node knows another member and has no cluster key. Default: it does not. */
  readonly isOpenCluster?: (() => boolean) | undefined
}

export interface AccountsInit {
  /** The name of the cluster. */
  readonly cluster: string
  /** What `--auth` says: `auto` is on from the first account that this node hears of. */
  readonly auth: 'auto' | 'on' | 'off'
  /** Who may make an account for himself at this node. Default: nobody. */
  readonly signup?: Signup | undefined
  /** Names this node in the sessions that begin here. */
  readonly node?: string | undefined
  /** Lowered in tests only. */
  readonly hashingCost?: HashingCost | undefined
}

/** Who people are on this cluster: accounts, log-ins, API keys, and whom a request is from. */
export class Accounts implements Startable {
  readonly users: Users
  readonly groups: Groups
  readonly sessions: Sessions
  readonly apiKeys: ApiKeys
  readonly invites: Invites
  readonly signups: Signups
  readonly links: ShareLinks
  readonly tokens: Tokens
  readonly #components: AccountsComponents
  readonly #auth: AccountsInit['auth']
  readonly #catalog: AccountCatalog
  readonly #groupCatalog: GroupCatalog
  readonly #principals: Principals
  readonly #owned: readonly OwnedRecords[]

  constructor(components: AccountsComponents, init: AccountsInit) {
    const { clock, tokenKeys, isOpenCluster = () => false } = components
    this.#components = components
    this.#auth = init.auth
    this.#catalog = new AccountCatalog(components)
    this.tokens = new Tokens({ keys: tokenKeys, clock }, init)
    const lookup = new RecordLookup(components)
    const passwords = new Passwords(components, init.hashingCost && { cost: init.hashingCost })
    const ofSessions = new OwnedRecords(components, {
      kind: SESSION_KIND,
      ownerIn: record => {
        const session = viewSession(record)
        return session?.isEnded === false ? session.userId : undefined
      }
    })
    const ofKeys = new OwnedRecords(components, {
      kind: API_KEY_KIND,
      ownerIn: record => {
        const key = viewApiKey(record)
        return key?.isDeleted === false ? key.userId : undefined
      }
    })
    const linksOf = (ownerIn: (link: ShareLink) => UserId | AlbumId | undefined): OwnedRecords =>
      new OwnedRecords(components, {
        kind: LINK_KIND,
        ownerIn: record => {
          const link = viewShareLink(record)
          return link?.isRevoked === false ? ownerIn(link) : undefined
        }
      })
    const ofMakers = linksOf(({ by }) => by)
    const ofAlbums = linksOf(({ album }) => album)
    this.#owned = [ofSessions, ofKeys, ofMakers, ofAlbums]
    const shared = { ...components, lookup, catalog: this.#catalog, tokens: this.tokens, passwords }
    this.#principals = new Principals(shared)
    this.users = new Users({ ...shared, isOpenCluster })
    this.#groupCatalog = new GroupCatalog(components)
    const isOpen = (id: UserId): boolean => this.#catalog.isOpen(id)
    this.groups = new Groups({ ...components, catalog: this.#groupCatalog, isOpen })
    const tries = new Tries({ clock })
    this.sessions = new Sessions({ ...shared, owned: ofSessions, tries, principals: this.#principals }, init)
    this.apiKeys = new ApiKeys({ ...shared, owned: ofKeys })
    this.invites = new Invites(shared)
    this.links = new ShareLinks({ ...shared, ofMakers, ofAlbums, tries, failures: new FailureLimit({ clock }) })
    const limit = new SignupLimit({ clock })
    this.signups = new Signups({ catalog: this.#catalog, users: this.users, invites: this.invites, limit }, init)
  }

  /** @throws `ERR_DIRECTORY_UNAVAILABLE` */
  async start(): Promise<void> {
    for (const part of [this.#catalog, this.#groupCatalog, this.#principals, ...this.#owned]) await part.start()
  }

  async stop(): Promise<void> {
    for (const part of [...this.#owned, this.#principals, this.#groupCatalog, this.#catalog]) await part.stop()
  }

  /** Whether requests need an account. */
  get isRequired(): boolean {
    return this.#auth === 'auto' ? this.#catalog.isOn : this.#auth === 'on'
  }

  /** Whether this node has ever heard of an account. */
  get haveBeen(): boolean {
    return this.#catalog.isOn
  }

  /** Open accounts of administrators. */
  get admins(): number {
    return this.#catalog.admins
  }

  /** As {@link Principals.remembered}. */
  remembered(text: string): Authenticated | undefined {
    return this.#principals.remembered(text)
  }

  /** As {@link Principals.authenticate}. */
  authenticate(text: string, address: string): Promise<Authenticated> {
    return this.#principals.authenticate(text, address)
  }

  /** Leaves nothing of a closed account but its id. @param heir - gets its groups; undefined: they are deleted. @throws what the store throws */
  async wipe(id: UserId, heir: UserId | undefined): Promise<void> {
    await this.groups.leaveAll(id, heir)
    await this.sessions.endOthers(id)
    for (const key of this.apiKeys.list(id)) await this.apiKeys.remove(id, key.id)
    await this.links.removeAll(id)
    await this.users.wipe(id)
  }

  /** @throws `ERR_DIRECTORY_UNAVAILABLE` */
  get settings(): Settings {
    return viewSettings(this.#components.directory.lookUp(SETTINGS_KEY).stored?.record)
  }

  /** @throws what the store throws */
  async setSettings(edit: SettingsEdit, by: Doer): Promise<Settings> {
    const { writer } = this.#components
    writer.admit()
    return viewSettings(await writer.write(SETTINGS_KEY, before => editSettingsChanges(before, edit, by)))
  }
}
