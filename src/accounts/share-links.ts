import type { Clock } from '../core/clock.js'
import { SheafError } from '../core/errors.js'
import { KeyedLock } from '../core/keyed-lock.js'
import type { Random } from '../core/random.js'
import type { Directory } from '../directory/directory.js'
import type { OpenedLink } from '../domain/audience.js'
import type { AlbumId, LinkId, PhotoId, UserId } from '../domain/ids.js'
import { LINKED_PHOTOS_MAX, LINKS_MAX } from '../domain/limits.js'
import {
  createShareLinkChanges,
  formatLinkSecret,
  isSecretOf,
  LINK_KIND,
  LINK_SECRET_BYTES,
  type LinkRole,
  linkDigest,
  linkIdOf,
  parseLinkSecret,
  revokeShareLinkChanges,
  type ShareLink,
  setOf,
  termsChange,
  viewShareLink
} from '../domain/share-link.js'
import { TIME_MS_MAX } from '../domain/value-fields.js'
import type { RecordWriter } from '../store/record-writer.js'
import { badField, checkPassword, labelOf } from './account-rules.js'
import type { OwnedRecords } from './owned-records.js'
import type { Passwords } from './passwords.js'
import type { RecordLookup } from './record-lookup.js'
import type { FailureLimit, Tries } from './tries.js'

const LINK_MS = 30 * 24 * 3_600_000

export interface ShareLinksComponents {
  readonly directory: Pick<Directory, 'lookUp'>
  readonly lookup: RecordLookup
  readonly writer: Pick<RecordWriter, 'write' | 'admit'>
  readonly ofMakers: OwnedRecords
  readonly ofAlbums: OwnedRecords
  readonly passwords: Passwords
  readonly tries: Tries
  readonly failures: FailureLimit
  readonly clock: Clock
  readonly random: Random
}

/** Somebody who makes links, and what he may do. */
export interface LinkMaker {
  readonly userId: UserId
  readonly address: string
  /** @throws what says why that one may not share the album */
  readonly requireSharer: (album: AlbumId) => void
  /** @returns why it failed, of each photo that it failed for */
  readonly label: (
    photos: readonly PhotoId[],
    labels: { readonly add?: string[]; readonly remove?: string[] }
  ) => Promise<SheafError[]>
  /** @returns photos that have the label */
  readonly labelled: (label: string) => Promise<readonly PhotoId[]>
}

/** What is to be said of a link; what is undefined stays as it is, or has its default. */
export interface LinkEdit {
  /** Default: viewer. */
  readonly role?: LinkRole | undefined
  /** Default: originals can be had. */
  readonly download?: boolean | undefined
  /** Default: all is told of the photos. */
  readonly metadata?: boolean | undefined
  /** Null: none. Default: none. */
  readonly password?: string | null | undefined
  /** Null: it does not end. Default: in 30 days. */
  readonly untilMs?: number | null | undefined
  readonly label?: string | null | undefined
}

/** What a link is of: an album, or photos of whoever makes it. */
export interface LinkWish extends LinkEdit {
  readonly album?: AlbumId | undefined
  readonly photos?: readonly PhotoId[] | undefined
}

/** Links: whoever has the address of one sees an album, or some photos, without an account. */
export class ShareLinks {
  readonly #components: ShareLinksComponents
  readonly #lock = new KeyedLock()

  constructor(components: ShareLinksComponents) {
    this.#components = components
  }

  /**
   * @returns the link, and its secret, which is nowhere else
   * @throws `ERR_BAD_PARAMETER`, `ERR_TOO_MANY_LINKS`, what `requireSharer` throws, why a photo cannot be given, what the store throws
   */
  async create(
    { album, photos, ...wish }: LinkWish,
    maker: LinkMaker
  ): Promise<{ readonly link: ShareLink; readonly secret: string }> {
    const { writer, clock, random } = this.#components
    if ((album === undefined) === (photos === undefined)) throw badField('album', 'a link is of an album, or of photos')
    if (photos !== undefined && (photos.length === 0 || photos.length > LINKED_PHOTOS_MAX))
      throw badField('photos', `a link is of 1 to ${LINKED_PHOTOS_MAX} photos; make an album for more`)
    const { role = 'viewer', download = true, metadata = true } = wish
    checkRole(role, album)
    const untilMs = this.#checkEnd(wish.untilMs === undefined ? clock.now() + LINK_MS : wish.untilMs)
    if (album !== undefined) maker.requireSharer(album)
    writer.admit()
    const phc = wish.password == null ? undefined : await this.#hashed(wish.password, maker.address)
    return this.#lock.run(maker.userId, async () => {
      if (this.list(maker.userId).length >= LINKS_MAX) throw new SheafError('ERR_TOO_MANY_LINKS')
      const secret = random.bytes(LINK_SECRET_BYTES)
      const id = linkIdOf(secret)
      const by = maker.userId
      const terms = { role, download, metadata, untilMs, phc, label: labelOf(wish.label ?? undefined) }
      const record = await writer.write({ kind: LINK_KIND, id }, () => {
        if (album !== undefined) maker.requireSharer(album)
        return createShareLinkChanges({ sha256: linkDigest(secret), album, by, createdAtMs: clock.now(), ...terms })
      })
      if (photos !== undefined) await this.#labelAll(id, photos, maker)
      return { link: viewShareLink(record) as ShareLink, secret: formatLinkSecret(secret) }
    })
  }

  /** Those that an account has made and not withdrawn, the latest first; such as count no more as well. */
  list(maker: UserId): ShareLink[] {
    return this.#viewed(this.#components.ofMakers.of(maker))
  }

  /** Those of an album, whoever has made them. */
  listOf(album: AlbumId): ShareLink[] {
    return this.#viewed(this.#components.ofAlbums.of(album))
  }

  /**
   * Whoever has made it changes what it gives. A new password closes it to those who have opened it with the one before.
   *
   * @throws `ERR_LINK_NOT_FOUND`, `ERR_BAD_PARAMETER`, what `requireSharer` and the store throw
   */
  async edit(id: LinkId, edit: LinkEdit, maker: LinkMaker): Promise<ShareLink> {
    const { writer } = this.#components
    this.#requireOwn(id, maker)
    if (edit.untilMs != null) this.#checkEnd(edit.untilMs)
    const phc = edit.password == null ? undefined : await this.#hashed(edit.password, maker.address)
    writer.admit()
    const record = await writer.write({ kind: LINK_KIND, id }, () => {
      const before = this.#requireOwn(id, maker)
      const { role = before.role, download = before.download, metadata = before.metadata } = edit
      checkRole(role, before.album)
      if (before.album !== undefined) maker.requireSharer(before.album)
      return [
        termsChange({
          role,
          download,
          metadata,
          untilMs: edit.untilMs === undefined ? before.untilMs : (edit.untilMs ?? undefined),
          phc: edit.password === undefined ? before.phc : phc,
          label: edit.label === undefined ? before.label : labelOf(edit.label ?? undefined)
        })
      ]
    })
    return viewShareLink(record) as ShareLink
  }

  /**
   * Withdraws it for good: who has made it can, and who may share the album.
   *
   * @throws `ERR_LINK_NOT_FOUND`, what the store throws
   */
  async remove(id: LinkId, maker: LinkMaker): Promise<void> {
    const link = this.get(id)
    if (link === undefined || !mayRemove(link, maker)) throw linkNotFound()
    await this.#revoke(id)
    if (link.album !== undefined || link.by !== maker.userId) return
    await maker.label(await maker.labelled(setOf(id)), { remove: [setOf(id)] })
  }

  /** Withdraws all that an account has made. @throws what the store throws */
  async removeAll(maker: UserId): Promise<void> {
    for (const { id } of this.list(maker)) await this.#revoke(id)
  }

  /** @returns a link as its record here has it; withdrawn ones as well. @throws `ERR_DIRECTORY_UNAVAILABLE` */
  get(id: LinkId): ShareLink | undefined {
    const record = this.#components.directory.lookUp({ kind: LINK_KIND, id }).stored?.record
    return record && viewShareLink(record)
  }

  /**
   * @param text - the secret, as it stands in the address
   * @param isInForce - whether a link counts now
   * @param known - what the browser has opened
   * @param address - of the client
   * @throws `ERR_LINK_NOT_FOUND`: it does not count, or never was one; `ERR_LINK_PASSWORD`, `ERR_TOO_MANY_TRIES`, `ERR_OVERLOADED`,
   *   `ERR_DIRECTORY_UNAVAILABLE`
   */
  async open(
    text: string,
    password: string | undefined,
    { isInForce, known, address }: Opening
  ): Promise<{ readonly link: ShareLink; readonly cookie: string }> {
    const { lookup, failures } = this.#components
    failures.check(address)
    const secret = parseLinkSecret(text)
    const id = secret && linkIdOf(secret)
    if (id !== undefined) await lookup.fetch({ kind: LINK_KIND, id })
    const link = id && this.get(id)
    if (secret === undefined || link === undefined || !isSecretOf(link, secret) || !isInForce(link)) {
      failures.note(address)
      throw linkNotFound()
    }
    const isOpened = known.some(opened => opened.id === link.id && opened.proof === link.proof)
    if (link.phc !== undefined && !isOpened) await this.#requirePassword(link, link.phc, password, address)
    return { link, cookie: `${text}.${link.proof}` }
  }

  /** @param cookie - as {@link open} made it. @returns what it has opened, in force or not; undefined: nothing that is known here */
  opened(cookie: string): OpenedLink | undefined {
    const at = cookie.indexOf('.')
    const secret = parseLinkSecret(cookie.slice(0, at))
    if (at === -1 || secret === undefined) return undefined
    const link = this.get(linkIdOf(secret))
    return link !== undefined && isSecretOf(link, secret) ? { id: link.id, proof: cookie.slice(at + 1) } : undefined
  }

  async #requirePassword({ id }: ShareLink, phc: string, password: string | undefined, address: string): Promise<void> {
    const { tries, passwords } = this.#components
    if (password === undefined) throw new SheafError('ERR_LINK_PASSWORD')
    // no account has such a name
    const attempt = { name: `link:${id}`, address }
    tries.begin(attempt)
    if (!(await passwords.verify(phc, password, address)))
      throw new SheafError('ERR_LINK_PASSWORD', 'this is not the password of the link; ask whoever has sent it')
    tries.succeeded(attempt)
  }

  /** @throws why a photo cannot be given: then nothing is left of the link */
  async #labelAll(id: LinkId, photos: readonly PhotoId[], maker: LinkMaker): Promise<void> {
    const [failure] = await maker.label(photos, { add: [setOf(id)] })
    if (failure === undefined) return
    await maker.label(await maker.labelled(setOf(id)), { remove: [setOf(id)] })
    await this.#revoke(id)
    throw failure
  }

  async #revoke(id: LinkId): Promise<void> {
    await this.#components.writer.write({ kind: LINK_KIND, id }, before =>
      before === undefined ? [] : revokeShareLinkChanges(before)
    )
  }

  #viewed(ids: readonly string[]): ShareLink[] {
    return ids
      .flatMap(id => this.get(id as LinkId) ?? [])
      .sort((a, b) => b.createdAtMs - a.createdAtMs || (a.id < b.id ? 1 : -1))
  }

  #requireOwn(id: LinkId, { userId }: LinkMaker): ShareLink {
    const link = this.get(id)
    if (link === undefined || link.isRevoked || link.by !== userId) throw linkNotFound()
    return link
  }

  #hashed(password: string, address: string): Promise<string> {
    return this.#components.passwords.hash(checkPassword(password), address)
  }

  #checkEnd(untilMs: number | null): number | undefined {
    if (untilMs === null) return undefined
    if (Number.isSafeInteger(untilMs) && untilMs > this.#components.clock.now() && untilMs <= TIME_MS_MAX)
      return untilMs
    throw badField('expires_at', 'a link ends in the future, or, with null, not at all')
  }
}

/** Who opens a link, and by what it is judged. */
export interface Opening {
  readonly isInForce: (link: ShareLink) => boolean
  readonly known: readonly OpenedLink[]
  readonly address: string
}

/** Withdrawing again is harmless. */
function mayRemove({ by, album }: ShareLink, maker: LinkMaker): boolean {
  if (by === maker.userId) return true
  if (album === undefined) return false
  try {
    maker.requireSharer(album)
    return true
  } catch (err) {
    if (err instanceof SheafError && err.code !== 'ERR_DIRECTORY_UNAVAILABLE') return false
    throw err
  }
}

function checkRole(role: LinkRole, album: AlbumId | undefined): void {
  if (role === 'contributor' && album === undefined)
    throw badField('role', 'photos can be added to an album only: make a link of one')
}

function linkNotFound(): SheafError {
  return new SheafError('ERR_LINK_NOT_FOUND')
}
