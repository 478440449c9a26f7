import type { Command } from 'commander'
import type { Session } from '../shell/session.js'
import { positiveInteger } from './options.js'

/** Metadata of a photo as a node answers it. `--json` also prints the members that are not listed here. */
export interface PhotoMetaJson {
  readonly photo_id: string
  readonly name: string
  readonly content_type: string
  readonly size: number
  readonly sha256: string
  /** RFC 3339, as all times. */
  readonly created_at: string
  /** What a clock on the wall showed, as far as it is known, with its offset where that is. */
  readonly taken_at?: string | null
  readonly taken_at_source?: string | null
  readonly state?: string | null
  readonly image_error?: string | null
  readonly camera?: {
    readonly make?: string | null
    readonly model?: string | null
    readonly lens?: string | null
  } | null
  /** Ids of its parts, which lists leave out. */
  readonly partners?: readonly string[]
  readonly place?: {
    readonly lat: number
    readonly lon: number
    readonly name?: string | null
    readonly region?: string | null
    readonly country?: string | null
  } | null
  readonly width?: number | null
  readonly height?: number | null
  readonly caption?: string | null
  readonly rating?: number | null
  /** Older nodes leave them out. */
  readonly favourite?: boolean
  readonly archived?: boolean
  readonly tags: readonly string[]
  readonly albums: readonly string[]
  readonly attributes?: Readonly<Record<string, string>>
  /** When the file was last changed, RFC 3339. */
  readonly file_time?: string | null
  readonly source?: string | null
  readonly zone?: string | null
  readonly imported_from?: string | null
  readonly copies?: number
  readonly version?: { readonly hlc: string; readonly actor: string }
}

interface PhotoPage {
  readonly photos: readonly PhotoMetaJson[]
  readonly total: number
  /** Older nodes leave it out: theirs is exact. */
  readonly total_exact?: boolean
  readonly next_cursor: string | null
}

export interface PhotoFilter {
  readonly tag?: string
  readonly album?: string
  readonly type?: string
  readonly state?: string
  readonly query?: string
  readonly kind?: string
  readonly camera?: string
  readonly place?: string
  readonly owner?: string
  readonly ratingMin?: number
  readonly favourite?: true
  readonly archived?: true
  readonly sort?: string
  readonly from?: string
  readonly to?: string
}

const PAGE_PHOTOS_MAX = 1_000

export function addFilterOptions(command: Command): Command {
  return command
    .option('--tag <tag>', 'only photos with this tag')
    .option('--album <album>', 'only photos of this album')
    .option('--type <type>', 'only this content type, such as image or image/jpeg')
    .option('--state <state>', 'only images of which so much could be decoded: whole, none, pending, …')
    .option('--query <words>', 'only photos with these words in name or caption')
    .option('--kind <kind>', 'only files of this kind: image, raw, video or other')
    .option('--camera <words>', 'only photos of a camera with these words in its name')
    .option('--place <words>', 'only photos taken where these words are in the names of place, region and country')
    .option('--owner <id>', 'only photos that this account has uploaded, by its id; me: your own')
    .option('--rating-min <n>', 'only photos with this rating or more', positiveInteger)
    .option('--favourite', 'only favourites')
    .option('--archived', 'only what is archived')
    .option('--sort <order>', 'newest first by when they were added (default), or taken')
    .option('--from <time>', 'only from this year, month, day or time on, in that order, such as 2024-07')
    .option('--to <time>', 'only up to the end of this one')
}

export interface CountedPhotos {
  readonly photos: readonly PhotoMetaJson[]
  /** All that the filter lets through, as far as the node has counted. */
  readonly total: number
  readonly isTotalExact: boolean
}

/** Photos that the filter lets through, newest first, page by page. */
export async function* photoPages(
  session: Session,
  filter: PhotoFilter,
  limit = Number.POSITIVE_INFINITY
): AsyncGenerator<CountedPhotos, void, undefined> {
  const { tag, album, type, state, query: q, kind, camera, place, ratingMin: rating_min, ...same } = filter
  const { owner, sort, from, to, favourite, archived } = same
  const marks = { favourite, archived }
  const filters = { tag, album, type, state, q, kind, camera, place, owner, rating_min, ...marks, sort, from, to }
  let left = limit
  let seen = 0
  let cursor: string | undefined
  do {
    const query = { limit: Math.min(left, PAGE_PHOTOS_MAX), cursor, ...filters }
    const page: PhotoPage = await session.client.json('/photos', { query })
    seen += page.photos.length
    left -= page.photos.length
    cursor = page.next_cursor ?? undefined
    const isLast = cursor === undefined
    // what the node has counted may be less than what it has shown
    const total = page.total_exact === false ? Math.max(page.total, seen + Number(!isLast)) : page.total
    yield { photos: page.photos, total, isTotalExact: isLast || page.total_exact !== false }
  } while (cursor !== undefined && left > 0)
}
