import type { Clock } from '../core/clock.js'
import { SheafError } from '../core/errors.js'
import type { Filters } from '../directory/cursor.js'
import type { Directory } from '../directory/directory.js'
import type { LabelCount, LabelsQuery } from '../directory/labels.js'
import type { Timeline, TimelineBucket } from '../directory/timeline.js'
import { hlcMs } from '../domain/hlc.js'
import { PHOTO_KIND, viewPhoto } from '../domain/photo.js'
import type { LabelField } from '../domain/terms.js'
import { blobOf } from '../store/photo-needles.js'
import type { AlbumNames } from './albums/album-names.js'
import { filtersOf } from './list-filters.js'
import type { ListedPhoto, ListFilters, PhotoCopies } from './photo-types.js'

export interface LibraryListsComponents {
  readonly directory: Pick<
    Directory,
    'labels' | 'query' | 'deathsOf' | 'timeline' | 'timelineBucket' | 'language' | 'isAskedBy'
  >
  readonly albums: AlbumNames
  readonly copies: Pick<PhotoCopies, 'of'>
  readonly clock: Pick<Clock, 'now'>
  /** @returns for how long a delete can still be undone that this node heard of at that age, ms */
  readonly undoLeftMs: (heardAt: number) => number
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

export interface TrashPage {
  readonly photos: readonly TrashedPhoto[]
  readonly total: number
  readonly nextCursor: string | null
}

const NO_TIMELINE: Timeline = { total: 0, revision: 'none', buckets: [] }

/** What there is in the library beside single photos: tags, the time line, the trash. */
export class LibraryLists {
  readonly #components: LibraryListsComponents

  constructor(components: LibraryListsComponents) {
    this.#components = components
  }

  async labels(field: LabelField, query: LabelsQuery): Promise<LabelPage> {
    const labels = await this.#components.directory.labels(field, { ...query, limit: query.limit + 1 })
    const page = labels.slice(0, query.limit)
    return { labels: page, nextAfter: labels.length > page.length ? page.at(-1)?.name : undefined }
  }

  /**
   * Where in time photos and videos are; by when they were taken unless the query says else.
   *
   * @throws `ERR_BAD_PARAMETER`, `ERR_INDEX_BUILDING`, the signal's reason
   */
  async timeline(query: ListFilters, signal?: AbortSignal): Promise<Timeline> {
    const filters = this.#filtersOf(query)
    return filters === undefined ? NO_TIMELINE : this.#components.directory.timeline(filters, signal)
  }

  /** @throws as `timeline`; `ERR_NO_SUCH_BUCKET` */
  async timelineBucket(query: ListFilters, key: string, signal?: AbortSignal): Promise<TimelineBucket> {
    const filters = this.#filtersOf(query)
    if (filters === undefined) throw new SheafError('ERR_NO_SUCH_BUCKET')
    return this.#components.directory.timelineBucket(filters, key, signal)
  }

  #filtersOf(query: ListFilters): Filters | undefined {
    const { directory, albums } = this.#components
    return filtersOf({ sort: 'taken', ...query }, directory, albums)
  }

  /**
   * Photos that are deleted and not yet gone for good, those deleted last first.
   *
   * @throws `ERR_BAD_CURSOR`, `ERR_INDEX_BUILDING`, the signal's reason
   */
  async trash(limit: number, cursor: string | undefined, signal?: AbortSignal): Promise<TrashPage> {
    const { directory, albums, clock, copies, undoLeftMs } = this.#components
    const query = { terms: ['trash'], words: [], limit, ...(cursor !== undefined && { cursor }) }
    const { records, total, nextCursor } = await directory.query(query, signal)
    const deaths = await directory.deathsOf(records.map(({ id }) => ({ kind: PHOTO_KIND, id })))
    const photos = records.map((record, i): TrashedPhoto => {
      const photo = viewPhoto(record)
      const blob = blobOf(photo, 'orig')
      const held = blob === undefined ? 0 : copies.of(blob)
      const heardAt = deaths[i]?.heardAt
      const leftMs = heardAt === undefined ? 0 : Math.max(0, undoLeftMs(heardAt))
      return {
        photo,
        albums: albums.namesOf(photo.albums),
        copies: held,
        deletedAtMs: hlcMs(photo.version.hlc),
        purgeAfterMs: clock.now() + leftMs,
        isRestorable: held > 0 && leftMs > 0
      }
    })
    return { photos, total, nextCursor }
  }
}
