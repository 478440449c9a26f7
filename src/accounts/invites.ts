import type { Clock } from '../core/clock.js'
import { SheafError } from '../core/errors.js'
import { KeyedLock } from '../core/keyed-lock.js'
import type { Random } from '../core/random.js'
import type { Directory } from '../directory/directory.js'
import type { Doer } from '../domain/access.js'
import { type InviteId, newPhotoId, type UserId } from '../domain/ids.js'
import {
  createInviteChanges,
  endInviteChanges,
  formatInvite,
  INVITE_KIND,
  INVITE_MS_MAX,
  INVITE_SECRET_BYTES,
  type Invite,
  type InviteRole,
  inviteDigest,
  opensInvite,
  parseInvite,
  viewInvite
} from '../domain/invite.js'
import { INVITE_DAYS_MAX, INVITES_MAX } from '../domain/limits.js'
import type { RecordWriter } from '../store/record-writer.js'
import { badField, labelOf } from './account-rules.js'
import type { RecordLookup } from './record-lookup.js'

const INVITE_MS = 14 * 24 * 3_600_000

export interface InvitesComponents {
  readonly directory: Pick<Directory, 'records' | 'lookUp'>
  readonly lookup: RecordLookup
  readonly writer: Pick<RecordWriter, 'write' | 'admit'>
  readonly clock: Clock
  readonly random: Random
}

export interface InviteWish {
  readonly role: InviteRole
  readonly label?: string | undefined
  /** Default: in 14 days. */
  readonly untilMs?: number | undefined
}

/** An invite without what opens it. */
export type ListedInvite = Omit<Invite, 'sha256' | 'isOver'>

/** Invites: whoever has the text of one may make one account; on each side of a cut, where the nodes are cut off from each other. */
export class Invites {
  readonly #components: InvitesComponents
  readonly #lock = new KeyedLock()

  constructor(components: InvitesComponents) {
    this.#components = components
  }

  /**
   * @returns the invite, and its text, which is nowhere else
   * @throws `ERR_BAD_PARAMETER`, `ERR_TOO_MANY_INVITES`, what the store throws
   */
  async create(wish: InviteWish, by: Doer): Promise<{ readonly invite: ListedInvite; readonly text: string }> {
    const { clock, random, writer } = this.#components
    const createdAtMs = clock.now()
    const { role, untilMs = createdAtMs + INVITE_MS } = wish
    if (!(Number.isSafeInteger(untilMs) && untilMs > createdAtMs && untilMs <= createdAtMs + INVITE_MS_MAX))
      throw badField('expires_at', `an invite ends within ${INVITE_DAYS_MAX} days`)
    writer.admit()
    return this.#lock.run('invites', async () => {
      const all = await this.#all()
      const left = all.filter(invite => invite.untilMs > clock.now())
      if (left.length >= INVITES_MAX) throw new SheafError('ERR_TOO_MANY_INVITES')
      for (const { id, untilMs: endedMs } of all) if (endedMs <= clock.now()) await this.#end(id)
      const id = newPhotoId(clock, random) as string as InviteId
      const secret = random.bytes(INVITE_SECRET_BYTES)
      const invite = { by, sha256: inviteDigest(secret), role, label: labelOf(wish.label), createdAtMs, untilMs }
      const record = await writer.write({ kind: INVITE_KIND, id }, () => createInviteChanges(invite))
      return { invite: listed(viewInvite(record) as Invite), text: formatInvite({ id, secret }) }
    })
  }

  /** Those that somebody may still use, the latest first. @throws `ERR_DIRECTORY_UNAVAILABLE` */
  async list(): Promise<ListedInvite[]> {
    const now = this.#components.clock.now()
    return (await this.#all())
      .filter(({ untilMs }) => untilMs > now)
      .map(listed)
      .sort((a, b) => b.createdAtMs - a.createdAtMs || (a.id < b.id ? 1 : -1))
  }

  /** Takes it back. Taking back again is harmless. @throws `ERR_INVITE_NOT_FOUND`, what the store throws */
  async remove(id: InviteId): Promise<void> {
    const record = this.#components.directory.lookUp({ kind: INVITE_KIND, id }).stored?.record
    if (record === undefined || viewInvite(record) === undefined) throw inviteNotFound()
    await this.#end(id)
  }

  /** @param text - as it was given away @returns what it opens. @throws `ERR_INVITE_NOT_FOUND`, `ERR_DIRECTORY_UNAVAILABLE` */
  async open(text: string): Promise<Invite> {
    const { lookup, clock } = this.#components
    const sent = parseInvite(text)
    if (sent === undefined) throw inviteNotFound()
    const key = { kind: INVITE_KIND, id: sent.id }
    await lookup.fetch(key)
    const record = lookup.here(key)
    const invite = record === undefined || record === 'buried' ? undefined : viewInvite(record)
    if (invite === undefined || invite.isOver || invite.untilMs <= clock.now() || !opensInvite(invite, sent.secret))
      throw inviteNotFound()
    return invite
  }

  /** One account uses it, also of those that ask at the same time. @throws `ERR_INVITE_NOT_FOUND`, what the store throws */
  async use(id: InviteId, user: UserId): Promise<void> {
    await this.#components.writer.write({ kind: INVITE_KIND, id }, before => {
      if (before === undefined || viewInvite(before)?.isOver !== false) throw inviteNotFound()
      return endInviteChanges(before, user)
    })
  }

  async #end(id: InviteId): Promise<void> {
    await this.#components.writer.write({ kind: INVITE_KIND, id }, before =>
      before === undefined ? [] : endInviteChanges(before)
    )
  }

  /** Those that are not over, but for their time. */
  async #all(): Promise<Invite[]> {
    const all: Invite[] = []
    for await (const record of this.#components.directory.records(INVITE_KIND)) {
      const invite = viewInvite(record)
      if (invite?.isOver === false) all.push(invite)
    }
    return all
  }
}

function listed({ sha256: _, isOver: __, ...invite }: Invite): ListedInvite {
  return invite
}

function inviteNotFound(): SheafError {
  return new SheafError('ERR_INVITE_NOT_FOUND')
}
