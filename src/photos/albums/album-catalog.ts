import { hasCode } from '../../core/errors.js'
import type { Startable } from '../../core/lifecycle.js'
import type { Logger } from '../../core/log.js'
import type { Directory } from '../../directory/directory.js'
import { ALBUM_KIND, viewAlbum } from '../../domain/album.js'
import { type AlbumId, parseAlbumId } from '../../domain/ids.js'
import { ALBUMS_HELD_MAX } from '../../domain/limits.js'
import type { DirectoryRecord } from '../../domain/record.js'
import { foldText } from '../../domain/text.js'
import type { AlbumNames, PhotoAlbums } from './album-names.js'

export interface AlbumCatalogComponents {
  readonly directory: Pick<Directory, 'onChange' | 'onOpaque' | 'records' | 'lookUp'>
  readonly log: Logger
}

/** An album that is not deleted. */
export interface CatalogAlbum {
  readonly id: AlbumId
  readonly title: string
}

interface Held extends CatalogAlbum {
  readonly folded: string
  /** What the album is sorted by, as labels are in the index: the bytes of the folded title. */
  readonly order: Buffer
}

/** A place in the order of albums: by folded title, then by id; labels, which have none, come first. */
export interface AlbumPosition {
  readonly order: Buffer
  readonly id: string
}

/** The titles of albums, in memory: the directory tells what changes, so no list has to read their records. */
export class AlbumCatalog implements AlbumNames, Startable {
  readonly #components: AlbumCatalogComponents
  readonly #albums = new Map<AlbumId, Held>()
  readonly #byTitle = new Map<string, Set<AlbumId>>()
  /** Deleted ones that somebody asked for. */
  readonly #gone = new Set<AlbumId>()
  /** Made of `#albums` when somebody lists them. */
  #sorted: readonly Held[] | undefined
  #isFull = false
  #unsubscribe = (): void => {}

  constructor(components: AlbumCatalogComponents) {
    this.#components = components
  }

  /** @throws `ERR_DIRECTORY_UNAVAILABLE` */
  async start(): Promise<void> {
    const { directory } = this.#components
    const offChange = directory.onChange(changes => {
      for (const { key, after } of changes) if (key.kind === ALBUM_KIND) this.#note(key.id, after)
    })
    const offOpaque = directory.onOpaque(keys => {
      for (const { kind, id } of keys) if (kind === ALBUM_KIND) this.#note(id, undefined)
    })
    this.#unsubscribe = () => {
      offChange()
      offOpaque()
    }
    // what changes meanwhile is newer than what is being read
    for await (const { kind, id } of directory.records(ALBUM_KIND))
      this.#note(id, directory.lookUp({ kind, id }).stored?.record)
  }

  async stop(): Promise<void> {
    this.#unsubscribe()
  }

  /** Albums that are not deleted. */
  get size(): number {
    return this.#albums.size
  }

  ids(): Iterable<AlbumId> {
    return this.#albums.keys()
  }

  get(id: AlbumId): CatalogAlbum | undefined {
    return this.#albums.get(id)
  }

  /** @returns the albums with that title, however it is written, sorted */
  withTitle(title: string): readonly AlbumId[] {
    return [...(this.#byTitle.get(foldText(title.trim())) ?? [])].sort()
  }

  /** Whether a label of a photo says in which album it is, deleted ones included; any other one is an album by itself. */
  isId(label: string): boolean {
    const id = parseAlbumId(label)
    return id !== undefined && (this.#albums.has(id) || this.#isGone(id))
  }

  namesOf(labels: readonly string[]): PhotoAlbums {
    const titles = new Set<string>()
    const ids = new Set<AlbumId>()
    for (const label of labels) {
      const id = parseAlbumId(label)
      const album = id && this.#albums.get(id)
      if (album !== undefined) {
        titles.add(album.title)
        ids.add(album.id)
      } else if (id === undefined || !this.#isGone(id)) titles.add(label)
    }
    return { titles: [...titles].sort(), ids: [...ids].sort() }
  }

  /**
   * @param isSeen - whether it is listed
   * @returns those that begin with the prefix and stand behind a place, in order
   */
  page(
    prefix: string,
    after: AlbumPosition | undefined,
    limit: number,
    isSeen: (id: AlbumId) => boolean
  ): readonly (CatalogAlbum & AlbumPosition)[] {
    const start = foldText(prefix.trim())
    this.#sorted ??= [...this.#albums.values()].sort(comparePositions)
    const page: Held[] = []
    for (const album of this.#sorted) {
      if (page.length === limit) break
      if (!album.folded.startsWith(start) || (after !== undefined && comparePositions(album, after) <= 0)) continue
      if (isSeen(album.id)) page.push(album)
    }
    return page
  }

  #note(idText: string, record: DirectoryRecord | undefined): void {
    const id = parseAlbumId(idText)
    if (id === undefined) return
    this.#forget(id)
    const album = record && viewAlbum(record)
    if (album === undefined || album.deleted) return
    if (this.#albums.size >= ALBUMS_HELD_MAX) {
      if (!this.#isFull)
        this.#components.log.warn({ albums: ALBUMS_HELD_MAX }, 'more albums than are shown; delete some')
      this.#isFull = true
      return
    }
    const { title } = album
    const folded = foldText(title)
    this.#albums.set(id, { id, title, folded, order: Buffer.from(folded) })
    this.#byTitle.set(folded, (this.#byTitle.get(folded) ?? new Set()).add(id))
  }

  #forget(id: AlbumId): void {
    this.#sorted = undefined
    this.#gone.delete(id)
    const album = this.#albums.get(id)
    if (album === undefined) return
    this.#albums.delete(id)
    const namesakes = this.#byTitle.get(album.folded)
    namesakes?.delete(id)
    if (namesakes?.size === 0) this.#byTitle.delete(album.folded)
  }

  /** @throws `ERR_DIRECTORY_UNAVAILABLE` */
  #isGone(id: AlbumId): boolean {
    if (this.#gone.has(id)) return true
    if (!this.#isKnown(id)) return false
    if (this.#gone.size < ALBUMS_HELD_MAX) this.#gone.add(id)
    return true
  }

  #isKnown(id: AlbumId): boolean {
    try {
      const { stored, grave } = this.#components.directory.lookUp({ kind: ALBUM_KIND, id })
      return stored !== undefined || grave !== undefined
    } catch (err) {
      if (hasCode(err, 'ERR_FORMAT_TOO_NEW')) return true // an album that this version cannot show
      throw err
    }
  }
}

/** @returns where an album of that title stands, or, without an id, a label */
export function positionOf(title: string, id = ''): AlbumPosition {
  return { order: Buffer.from(foldText(title.trim())), id }
}

export function comparePositions(a: AlbumPosition, b: AlbumPosition): number {
  return Buffer.compare(a.order, b.order) || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
}
