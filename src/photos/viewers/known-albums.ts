import { LRUCache } from 'lru-cache'
import type { Clock } from '../../core/clock.js'
import { hasCode } from '../../core/errors.js'
import type { Directory } from '../../directory/directory.js'
import { aclKey, viewAcl } from '../../domain/acl.js'
import { ALBUM_KIND, viewAlbum } from '../../domain/album.js'
import { type Place, placesAbove, viewPlace, writtenOwner } from '../../domain/album-tree.js'
import { type AlbumAudience, albumAudience, type OwnAudience } from '../../domain/audience.js'
import type { AlbumId } from '../../domain/ids.js'
import { ALBUMS_HELD_MAX } from '../../domain/limits.js'
import type { Settings } from '../../domain/settings-record.js'

export interface KnownAlbumsComponents {
  readonly directory: Pick<Directory, 'lookUp'>
  /** Whose that is which nobody with an account has made. */
  readonly unowned: () => Settings['unowned']
  readonly clock: Pick<Clock, 'now'>
}

/** Who may do what with an album, as far as this node knows. */
export interface AlbumAccess {
  readonly audience: AlbumAudience
  /** When the first of what was given ends, ms since the Unix epoch. */
  readonly endsAtMs: number
}

/** What an album's own records say. */
interface KnownAlbum {
  readonly audience: OwnAudience
  readonly place: Place | undefined
  readonly isDeleted: boolean
  readonly endsAtMs: number
}

/** An album of which this node has no record that it can read: what it cannot read opens nothing. */
const UNKNOWN = {
  audience: undefined,
  place: undefined,
  isDeleted: true,
  endsAtMs: Number.POSITIVE_INFINITY
} as const

/** To whom albums are open, and in which other ones they stand, as their records say: kept until whoever holds it says that one has changed. */
export class KnownAlbums {
  readonly #components: KnownAlbumsComponents
  readonly #albums = new LRUCache<AlbumId, KnownAlbum | typeof UNKNOWN>({ max: ALBUMS_HELD_MAX })
  /** As the settings say; undefined: they were not asked since they changed. */
  #unowned: Settings['unowned'] | undefined

  constructor(components: KnownAlbumsComponents) {
    this.#components = components
  }

  get unowned(): Settings['unowned'] {
    this.#unowned ??= this.#components.unowned()
    return this.#unowned
  }

  /** The album, or its acl, has changed. */
  forget(id: AlbumId): void {
    this.#albums.delete(id)
  }

  /** The settings have changed. */
  clear(): void {
    this.#albums.clear()
    this.#unowned = undefined
  }

  /** @returns undefined for one that is not known, or deleted. @throws `ERR_DIRECTORY_UNAVAILABLE` */
  live(id: AlbumId): AlbumAccess | undefined {
    return this.#own(id).isDeleted ? undefined : this.get(id)
  }

  /** @returns of a deleted one as well; undefined for one that is not known. @throws `ERR_DIRECTORY_UNAVAILABLE` */
  get(id: AlbumId): AlbumAccess | undefined {
    const own = this.#own(id)
    if (own.audience === undefined || own.place === undefined) return own.audience && own
    const above: OwnAudience[] = []
    let { endsAtMs } = own
    for (const { parent, inherits } of this.placesAbove(id)) {
      const album = this.#own(parent)
      if (!inherits || album.audience === undefined) break
      above.push(album.audience)
      endsAtMs = Math.min(endsAtMs, album.endsAtMs)
    }
    return { audience: { ...own.audience, above }, endsAtMs }
  }

  /** @returns in which album it stands, in which that, and so on; those are live. @throws `ERR_DIRECTORY_UNAVAILABLE` */
  placesAbove(id: AlbumId): readonly Place[] {
    return placesAbove(id, album => {
      const { place } = this.#own(album)
      return place === undefined || this.#own(place.parent).isDeleted ? undefined : place
    })
  }

  #own(id: AlbumId): KnownAlbum | typeof UNKNOWN {
    const known = this.#albums.get(id)
    if (known !== undefined && this.#components.clock.now() < known.endsAtMs) return known
    const album = this.#readOrNone(id)
    this.#albums.set(id, album)
    return album
  }

  #readOrNone(id: AlbumId): KnownAlbum | typeof UNKNOWN {
    try {
      return this.#read(id) ?? UNKNOWN
    } catch (err) {
      if (hasCode(err, 'ERR_FORMAT_TOO_NEW')) return UNKNOWN
      throw err
    }
  }

  /** @throws `ERR_DIRECTORY_UNAVAILABLE`, `ERR_FORMAT_TOO_NEW` */
  #read(id: AlbumId): KnownAlbum | undefined {
    const { clock, directory } = this.#components
    const record = directory.lookUp({ kind: ALBUM_KIND, id }).stored?.record
    const album = record && viewAlbum(record)
    if (album === undefined) return undefined
    const nowMs = clock.now()
    const shared = directory.lookUp(aclKey(id)).stored?.record
    const acl = viewAcl(shared)
    const ends = [...acl.grants.values()].map(({ untilMs = nowMs }) => untilMs).filter(untilMs => untilMs > nowMs)
    return {
      audience: albumAudience(album.maker, acl, this.unowned, nowMs),
      place: viewPlace(shared, writtenOwner(acl, album.maker)),
      isDeleted: album.deleted,
      endsAtMs: Math.min(...ends)
    }
  }
}
