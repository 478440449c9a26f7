import type { Clock } from '../core/clock.js'
import type { Startable } from '../core/lifecycle.js'
import type { Logger } from '../core/log.js'
import { WorkerLoop } from '../core/worker-loop.js'
import type { Directory } from '../directory/directory.js'
import { granteeOf } from '../domain/acl.js'
import { ALBUM_KIND } from '../domain/album.js'
import type { Person } from '../domain/audience.js'
import { type PhotoId, parseAlbumId, type UserId } from '../domain/ids.js'
import { pairOf } from '../domain/pairs.js'
import { handOverChange } from '../domain/photo.js'
import { isLive } from '../domain/record.js'
import type { AlbumShares } from '../photos/albums/album-shares.js'
import type { Albums } from '../photos/albums/albums.js'
import type { Photos } from '../photos/photos.js'
import type { Viewers } from '../photos/viewers/viewers.js'
import type { RecordWriter } from '../store/record-writer.js'

const IDLE_MS = 3_600_000
/** Photos of one step: about half a second. */
const PHOTOS_OF_A_STEP = 100

/** An account that was closed, and that nobody can open again. */
export interface Closed {
  readonly id: UserId
  /** They go to the trash, or to that account. */
  readonly photos: 'trash' | UserId
  /** Whether nothing but the id is left. */
  readonly isWiped: boolean
}

export interface ClosedAccountsComponents {
  readonly directory: Pick<Directory, 'count' | 'records' | 'state' | 'isIndexBuilding'>
  readonly photos: Pick<Photos, 'as'>
  readonly albums: Pick<Albums, 'as'>
  readonly shares: Pick<AlbumShares, 'list' | 'take' | 'setOwner'>
  readonly viewers: Pick<Viewers, 'of'>
  readonly writer: Pick<RecordWriter, 'edit'>
  /** Those whose time is over. */
  readonly closed: (nowMs: number) => readonly Closed[]
  /** Ends its sessions and keys, hands over or deletes its groups, and leaves nothing of it but its id. */
  readonly wipe: (id: UserId, heir: UserId | undefined) => Promise<void>
  /** Whether an account is open, so that it can get something. */
  readonly isOpen: (id: UserId) => boolean
  /** @returns how many live nodes come before this one for an account. Default: it is alone */
  readonly rank?: ((id: UserId) => number) | undefined
  readonly clock: Clock
  readonly log: Logger
}

/**
 * Clears away what closed accounts have left: their photos go to the trash or to somebody else, they leave all albums, and in the
 * end nothing but the id remains. Each step looks at what there is, so it can be done again, by any node, and also when
 * something comes in later from beyond a cut.
 */
export class ClosedAccounts implements Startable {
  readonly #components: ClosedAccountsComponents
  readonly #loop: WorkerLoop

  constructor(components: ClosedAccountsComponents) {
    this.#components = components
    const { clock, log } = components
    this.#loop = new WorkerLoop({ clock, log }, { name: 'closed accounts', idleMs: IDLE_MS, step: () => this.#step() })
  }

  async start(): Promise<void> {
    await this.#loop.start()
  }

  async stop(): Promise<void> {
    await this.#loop.stop()
  }

  async #step(): Promise<'busy' | 'idle'> {
    const { directory, closed, clock, rank = () => 0 } = this.#components
    // an index that is still being made may not list all
    if (directory.state !== 'open' || directory.isIndexBuilding) return 'idle'
    for (const account of closed(clock.now())) {
      if (rank(account.id) > 0) continue
      if (directory.count(`owner\0${account.id}`) > 0) {
        await this.#clear(account)
        return 'busy'
      }
      if (account.isWiped) continue
      await this.#leaveAlbums(account)
      await this.#components.wipe(account.id, this.#heirOf(account))
      return 'busy'
    }
    return 'idle'
  }

  async #clear(account: Closed): Promise<void> {
    const { photos, viewers, writer } = this.#components
    const seen = photos.as(viewers.of(personOf(account)))
    const heir = this.#heirOf(account)
    const page = await seen.list({ owner: account.id, limit: PHOTOS_OF_A_STEP })
    for (const { photo } of page.photos) {
      if (heir === undefined) {
        await seen.remove(photo.id, { withPartners: true })
        continue
      }
      const ids: readonly PhotoId[] = [...pairOf(photo.record).parts, photo.id]
      for (const id of ids)
        await writer.edit(id, (_, { owner, deleted }) =>
          deleted || owner !== account.id ? undefined : { changes: [handOverChange(heir)] }
        )
    }
  }

  /** @returns undefined: they go to the trash, also where who was to get them is not there any more */
  #heirOf({ photos }: Closed): UserId | undefined {
    return photos !== 'trash' && this.#components.isOpen(photos) ? photos : undefined
  }

  /** Who leaves an album takes with him what he gave in it. What was his own goes the way of his photos. */
  async #leaveAlbums(account: Closed): Promise<void> {
    const { directory, albums, shares, viewers } = this.#components
    const person = personOf(account)
    const heir = this.#heirOf(account)
    const seen = albums.as(viewers.of(person))
    const grantee = granteeOf(account.id)
    for await (const record of directory.records(ALBUM_KIND)) {
      const id = parseAlbumId(record.id)
      if (id === undefined || id !== record.id || !isLive(record)) continue
      const sharing = shares.list(id, person)
      if (sharing.shares.some(share => share.grantee === grantee)) await shares.take(id, grantee, person)
      if (sharing.owner !== account.id) continue
      if (heir === undefined) await seen.remove(id)
      else await shares.setOwner(id, heir, person)
    }
  }
}

function personOf({ id }: Closed): Person {
  return { userId: id, role: 'user' }
}
