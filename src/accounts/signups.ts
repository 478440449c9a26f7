import { SheafError } from '../core/errors.js'
import type { Doer } from '../domain/access.js'
import type { Signup } from '../domain/invite.js'
import type { AccountCatalog } from './account-catalog.js'
import type { Invites } from './invites.js'
import type { SignupLimit } from './tries.js'
import type { ListedUser, Users } from './users.js'

export interface SignupsComponents {
  readonly catalog: Pick<AccountCatalog, 'isOn' | 'has'>
  readonly users: Pick<Users, 'create' | 'get'>
  readonly invites: Pick<Invites, 'open' | 'use'>
  readonly limit: SignupLimit
}

export interface SignupWish {
  readonly name: string
  readonly password: string
  readonly display?: string | undefined
  /** Undefined: that of nobody, which is enough where sign-up is open. */
  readonly invite?: string | undefined
}

/** People make accounts for themselves, as far as this node is told to let them. */
export class Signups {
  readonly #components: SignupsComponents
  /** Who may. */
  readonly mode: Signup

  constructor(components: SignupsComponents, init: { readonly signup?: Signup | undefined }) {
    this.#components = components
    this.mode = init.signup ?? 'off'
  }

  /**
   * The first account is not made so: whoever comes first is not therefore an administrator.
   *
   * @throws `ERR_NO_ACCOUNTS`, `ERR_SIGNUP_CLOSED`, `ERR_INVITE_NOT_FOUND`, `ERR_TOO_MANY_TRIES`, what `Users.create` throws
   */
  async signUp({ invite: text, ...account }: SignupWish, address: string): Promise<ListedUser> {
    const { catalog, users, invites, limit } = this.#components
    if (!catalog.isOn) throw new SheafError('ERR_NO_ACCOUNTS')
    if (this.mode === 'off') throw new SheafError('ERR_SIGNUP_CLOSED')
    if (this.mode === 'invite' && text === undefined)
      throw new SheafError('ERR_SIGNUP_CLOSED', 'this needs an invite; ask an administrator for one')
    limit.take(address)
    if (text === undefined) return users.create({ ...account, role: 'user' }, 'self', address)
    const { id, by, role } = await invites.open(text)
    if (!this.#mayInvite(by)) throw new SheafError('ERR_INVITE_NOT_FOUND')
    return users.create({ ...account, role }, by, address, user => invites.use(id, user))
  }

  /** What somebody has given as an administrator is worth as much as his role is now. */
  #mayInvite(by: Doer): boolean {
    const { catalog, users } = this.#components
    if (by === 'operator') return true
    if (!catalog.has(by)) return false
    const { role, state } = users.get(by)
    return role === 'admin' && state === 'open'
  }
}
