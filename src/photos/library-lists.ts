import type { Clock } from '../core/clock.js'
import { SheafError } from '../core/errors.js'
import { eachInTurns } from '../core/turn.js'
import type { Filters } from '../directory/cursor.js'
import type { Directory } from '../directory/directory.js'
import type { Death } from '../directory/keys.js'
import type { LabelCount, LabelsQuery } from '../directory/labels.js'
import { isTermOf } from '../directory/term-index.js'
import type { Timeline, TimelineBucket } from '../directory/timeline.js'
import { hlcMs } from '../domain/hlc.js'
import { SELECTED_PHOTOS_MAX, STATS_TYPES_MAX } from '../domain/limits.js'
import { PackedIds } from '../domain/packed-ids.js'
import { PHOTO_KIND, viewPhoto } from '../domain/photo.js'
import { ENTRY, type LabelField } from '../domain/terms.js'
import { bareFlags } from '../domain/tile.js'
import { blobOf } from '../store/photo-needles.js'
import type { AlbumCatalog } from './albums/album-catalog.js'
import { type AlbumNames, namesSeen } from './albums/album-names.js'
import { actOfFilters, filtersOf, trashFilters } from './list-filters.js'
import { NOBODY_KNOWN, type OwnerNames, ownerNamed } from './photo-owners.js'
import { badField } from './photo-rules.js'
import type { ListedPhoto, ListFilters, PhotoCopies } from './photo-types.js'
import { ALL_SEEING, type Viewer } from './viewers/viewer.js'

export interface LibraryListsComponents {
  readonly directory: Pick<
    Directory,
    | 'labels'
    | 'count'
    | 'countFor'
    | 'countsOf'
    | 'query'
    | 'allMatches'
    | 'deathsOf'
    | 'timeline'
    | 'timelineBucket'
    | 'language'
    | 'isAskedBy'
  >
  readonly albums: AlbumNames & Pick<AlbumCatalog, 'size' | 'ids'>
  /** Default: nobody is known by name. */
  readonly owners?: OwnerNames
  readonly copies: Pick<PhotoCopies, 'of'>
  readonly clock: Pick<Clock, 'now'>
  /** @returns for how long a delete can still be undone, ms */
  readonly undoLeftMs: (death: Death) => number
}

export interface LabelPage {
  readonly labels: readonly LabelCount[]
  /** Where the next page begins; undefined: this is the last one. */
  readonly nextAfter: string | undefined
}

export interface TrashedPhoto extends ListedPhoto {
  readonly deletedAtMs: number
  /** About when it is gone for good, as far as this node knows. */
  readonly purgeAfterMs: number
  /** Whether its bytes are here, and the delete can still be undone. */
  readonly isRestorable: boolean
}

export interface TrashQuery {
  /** 1…1,000. */
  readonly limit: number
  readonly cursor?: string | undefined
  /** What the trash was emptied of, and is not gone yet. */
  readonly emptied?: boolean | undefined
}

export interface TrashPage {
  readonly photos: readonly TrashedPhoto[]
  readonly total: number
  readonly nextCursor: string | null
}

/** The lists of which all photos can be selected. */
export const SELECTABLE_LISTS = ['photos', 'timeline', 'trash'] as const

export interface SelectedList {
  /** The trash is selected as a whole. */
  readonly list: (typeof SELECTABLE_LISTS)[number]
  readonly filters: ListFilters
}

/** Numbers of photos on this node. */
export interface LibraryStats {
  readonly counts: Readonly<
    Record<'photos' | 'entries' | 'favourites' | 'archived' | 'trash' | 'emptied' | 'albums', number>
  >
  readonly kinds: ReadonlyMap<string, number>
  /** Media types; the first {@link STATS_TYPES_MAX}. */
  readonly types: ReadonlyMap<string, number>
  readonly states: ReadonlyMap<string, number>
  readonly ratings: ReadonlyMap<string, number>
  /** What the time line has, by month, newest first. */
  readonly months: ReadonlyMap<string, number>
}

const MONTH_LENGTH = 'yyyy-mm'.length
const NO_TIMELINE: Timeline = { total: 0, revision: 'none', buckets: [] }

/** What there is in the library beside single photos: tags, the time line, the trash. */
export class LibraryLists {
  readonly #components: LibraryListsComponents
  readonly #viewer: Viewer
  readonly #albums: AlbumNames

  constructor(components: LibraryListsComponents, viewer = ALL_SEEING) {
    const { albums } = components
    this.#components = components
    this.#viewer = viewer
    this.#albums = viewer === ALL_SEEING ? albums : namesSeen(albums, id => viewer.mayWithAlbum('see', id))
  }

  /** @returns the same lists, of what somebody sees */
  as(viewer: Viewer): LibraryLists {
    return viewer === this.#viewer ? this : new LibraryLists(this.#components, viewer)
  }

  async labels(field: LabelField, query: LabelsQuery): Promise<LabelPage> {
    const audiences = await this.#viewer.audiences('facts')
    const labels = await this.#components.directory.labels(field, { ...query, audiences, limit: query.limit + 1 })
    const page = labels.slice(0, query.limit)
    return { labels: page, nextAfter: labels.length > page.length ? page.at(-1)?.name : undefined }
  }

  /**
   * Where in time photos and videos are; by when they were taken unless the query says else.
   *
   * @throws `ERR_BAD_PARAMETER`, `ERR_INDEX_BUILDING`, the signal's reason
   */
  async timeline(query: ListFilters, signal?: AbortSignal): Promise<Timeline> {
    const filters = await this.#timelineFiltersOf(query)
    return filters === undefined ? NO_TIMELINE : this.#components.directory.timeline(filters, signal)
  }

  /** @throws as `timeline`; `ERR_NO_SUCH_BUCKET` */
  async timelineBucket(query: ListFilters, key: string, signal?: AbortSignal): Promise<TimelineBucket> {
    const filters = await this.#timelineFiltersOf(query)
    if (filters === undefined) throw new SheafError('ERR_NO_SUCH_BUCKET')
    const bucket = await this.#components.directory.timelineBucket(filters, key, signal)
    if (await this.#tellsFacts(filters)) return bucket
    return { ...bucket, tiles: bucket.tiles.map(tile => ({ ...tile, flags: bareFlags(tile.flags) })) }
  }

  /**
   * All that a list has now, on all its pages.
   *
   * @throws `ERR_BAD_PARAMETER`, also for more than a million, `ERR_INDEX_BUILDING`, the signal's reason
   */
  async selected({ list, filters: query }: SelectedList, signal?: AbortSignal): Promise<PackedIds> {
    const { directory } = this.#components
    const inTimeline = list === 'timeline'
    const filters =
      list === 'trash'
        ? trashFilters('trash', this.#viewer.trashOwners())
        : await (inTimeline ? this.#filtersOf(query) : this.#listFiltersOf(query))
    if (filters === undefined) return new PackedIds()
    const ids = await directory.allMatches(filters, { inTimeline, max: SELECTED_PHOTOS_MAX, signal })
    if (ids.size > SELECTED_PHOTOS_MAX)
      throw badField('select', `these are more than ${SELECTED_PHOTOS_MAX} photos: select fewer, by year for example`)
    return ids
  }

  async #listFiltersOf(query: ListFilters): Promise<Filters | undefined> {
    const filters = filtersOf(query, this.#components.directory, this.#albums)
    return filters && { ...filters, audiences: await this.#viewer.audiences('facts') }
  }

  #filtersOf(query: ListFilters): Promise<Filters | undefined> {
    return this.#listFiltersOf({ sort: 'taken', ...query })
  }

  async #timelineFiltersOf(query: ListFilters): Promise<Filters | undefined> {
    const filters = await this.#filtersOf(query)
    return filters && { ...filters, audiences: await this.#viewer.audiences(actOfFilters({ sort: 'taken', ...query })) }
  }

  /** Whether whoever looks knows the facts of all that these let through. Of photos of which he sees only the picture no flag tells more. */
  async #tellsFacts({ audiences }: Filters): Promise<boolean> {
    if (audiences === undefined) return true
    const facts = await this.#viewer.audiences('facts')
    return facts === undefined || facts.texts.length === audiences.texts.length
  }

  /** Costs what a time line of everything does. @throws `ERR_INDEX_BUILDING`, the signal's reason */
  async stats(signal?: AbortSignal): Promise<LibraryStats> {
    const { directory } = this.#components
    const audiences = await this.#viewer.audiences()
    const facts = await this.#viewer.audiences('facts')
    if (!isTermOf(directory.language, 'emptied')) throw new SheafError('ERR_INDEX_BUILDING')
    const { buckets } = await this.timeline({}, signal)
    const months = new Map<string, number>()
    for (const { from, count } of buckets) {
      const month = from.slice(0, MONTH_LENGTH)
      months.set(month, (months.get(month) ?? 0) + count)
    }
    const countsOf = (name: string, seen = audiences): Promise<ReadonlyMap<string, number>> =>
      directory.countsOf(name, STATS_TYPES_MAX, seen)
    const countOf = async (term: string, seen = audiences): Promise<number> =>
      seen === undefined ? directory.count(term) : directory.countFor(term, seen)
    // of a type its first part is counted, too
    const isWhole = ([type]: readonly [string, number]): boolean => type.includes('/')
    return {
      counts: {
        photos: await countOf('all'),
        entries: await countOf(ENTRY),
        favourites: await countOf('favourite', facts),
        archived: await countOf('archived', facts),
        trash: this.#countTrash('trash'),
        emptied: this.#countTrash('emptied'),
        albums: await this.#countAlbums()
      },
      kinds: await countsOf('kind'),
      types: new Map([...(await countsOf('type'))].filter(isWhole)),
      states: await countsOf('state'),
      ratings: await countsOf('rating', facts),
      months
    }
  }

  /**
   * Photos that are deleted and not yet gone for good, those deleted last first.
   *
   * @throws `ERR_BAD_CURSOR`, `ERR_INDEX_BUILDING`, the signal's reason
   */
  async trash({ limit, cursor, emptied = false }: TrashQuery, signal?: AbortSignal): Promise<TrashPage> {
    const { directory, owners = NOBODY_KNOWN, clock, copies, undoLeftMs } = this.#components
    const list = emptied ? 'emptied' : 'trash'
    const filters = trashFilters(list, this.#viewer.trashOwners())
    const query = { ...filters, limit, ...(cursor !== undefined && { cursor }) }
    const { records, nextCursor } = await directory.query(query, signal)
    const deaths = await directory.deathsOf(records.map(({ id }) => ({ kind: PHOTO_KIND, id })))
    const photos = records.map((record, i): TrashedPhoto => {
      const photo = viewPhoto(record)
      const blob = blobOf(photo, 'orig')
      const held = blob === undefined ? 0 : copies.of(blob)
      const death = deaths[i]
      const leftMs = death === undefined ? 0 : Math.max(0, undoLeftMs(death))
      return {
        photo,
        albums: this.#albums.namesOf(photo.albums),
        owner: ownerNamed(owners, photo.owner),
        copies: held,
        deletedAtMs: hlcMs(photo.version.hlc),
        purgeAfterMs: clock.now() + leftMs,
        isRestorable: held > 0 && leftMs > 0
      }
    })
    return { photos, total: this.#countTrash(list), nextCursor }
  }

  #countTrash(list: 'trash' | 'emptied'): number {
    const { directory } = this.#components
    const { terms, anyOf = [] } = trashFilters(list, this.#viewer.trashOwners())
    return [...terms, ...anyOf.flat()].reduce((sum, term) => sum + directory.count(term), 0)
  }

  async #countAlbums(): Promise<number> {
    const { albums } = this.#components
    if (this.#viewer === ALL_SEEING) return albums.size
    let count = 0
    await eachInTurns(albums.ids(), id => {
      if (this.#viewer.mayWithAlbum('see', id)) count++
    })
    return count
  }
}
