import { type Signal, signal } from '@preact/signals'
import { type Answer, type Api, ApiError } from '../api/client.js'
import { changeNamed } from './edits.js'

export const TIERS = ['exact', 'near', 'similar'] as const
export type Tier = (typeof TIERS)[number]
export type DuplicatePhoto = Answer<'/v1/photos/lookup', 'post'>['photos'][number]
type Listed = Answer<'/duplicates'>
type Resolved = Answer<'/duplicates/resolve', 'post'>
type Counts = Listed['tiers']
type DuplicatesApi = Pick<Api, 'get' | 'post'>

/** As many as a node takes in one request. */
const LOOKUP_MAX = 1_000
const UNDELETE_MAX = 10_000
/** As many as a node tells apart in one request. */
export const TOLD_APART_MAX = 100

export interface DuplicateGroup {
  /** The same as long as its first photo is in it. */
  readonly key: string
  readonly tier: Tier
  /** Of all its photos. */
  readonly size: number
  /** The lowest score of its links. */
  readonly score: number
  /** The one to keep, if nobody says otherwise, then the others, oldest first; at most 1,000. */
  readonly photos: readonly DuplicatePhoto[]
}

/** What a node did with photos of which one was kept, so that it can be undone. */
export interface Merged {
  readonly keep: string
  readonly gained: Resolved['merged']
  readonly deleted: readonly string[]
  readonly failed: number
}

/** What two photos can differ in. */
export const FACTS = ['name', 'taken', 'pixels', 'size', 'type', 'added', 'source'] as const
export type Fact = (typeof FACTS)[number]

/** The photo that has most: files beside it, pixels, bytes, a date of its own; of equals the one that came first. */
export function bestOf(photos: readonly DuplicatePhoto[]): DuplicatePhoto | undefined {
  const worth = ({ partners, width, height, size, taken_at }: DuplicatePhoto): number[] => [
    partners.length,
    (width ?? 0) * (height ?? 0),
    size,
    taken_at === null ? 0 : 1
  ]
  return photos.reduce<DuplicatePhoto | undefined>((best, photo) => {
    if (best === undefined) return photo
    const [one, other] = [worth(best), worth(photo)]
    const at = one.findIndex((value, i) => value !== other[i])
    if (at < 0) return photo.photo_id < best.photo_id ? photo : best
    return (other[at] as number) > (one[at] as number) ? photo : best
  }, undefined)
}

/** @returns what is not the same for all */
export function differences(photos: readonly DuplicatePhoto[]): ReadonlySet<Fact> {
  const [first] = photos
  const isOther = (fact: Fact): boolean =>
    first !== undefined && photos.some(photo => factOf(photo, fact) !== factOf(first, fact))
  return new Set(FACTS.filter(isOther))
}

function factOf(photo: DuplicatePhoto, fact: Fact): unknown {
  switch (fact) {
    case 'name':
      return photo.name
    case 'taken':
      return photo.taken_at
    case 'pixels':
      return `${photo.width}×${photo.height}`
    case 'size':
      return photo.size
    case 'type':
      return photo.content_type
    case 'added':
      return photo.created_at.slice(0, 10)
    case 'source':
      return photo.source
  }
}

/** @throws {@link ApiError} when nothing was done */
export async function mergePhotos(api: DuplicatesApi, keep: string, remove: readonly string[]): Promise<Merged> {
  const { merged, results } = await api.post('/duplicates/resolve', { keep, remove: remove.slice(0, LOOKUP_MAX) })
  return {
    keep,
    gained: merged,
    deleted: results.filter(({ status }) => status === 'deleted').map(({ photo_id }) => photo_id),
    failed: results.filter(({ status }) => status === 'failed').length
  }
}

/**
 * Brings back what was deleted, and takes from those that were kept what they had gained; not from one whose others are not all back.
 *
 * @returns how many are back
 */
export async function undoMerges(api: DuplicatesApi, merges: readonly Merged[]): Promise<number> {
  const back = new Set<string>()
  const deleted = merges.flatMap(merged => merged.deleted)
  for (let i = 0; i < deleted.length; i += UNDELETE_MAX) {
    for (const id of await changeNamed(api, { undelete: deleted.slice(i, i + UNDELETE_MAX) })) back.add(id)
  }
  for (const { keep, gained, deleted: others } of merges) {
    const less = lessOf(gained)
    if (others.every(id => back.has(id)) && Object.keys(less).length > 0)
      await api.post('/v1/photos/batch', { ids: [keep], ...less })
  }
  return back.size
}

/** @returns the edit that takes it away */
function lessOf({ tags, albums, rating, caption, favourite, unarchived }: Resolved['merged']): object {
  return {
    ...(tags.length > 0 && { tags: { remove: tags } }),
    ...(albums.length > 0 && { albums: { remove: albums.map(({ album_id, name }) => album_id ?? name) } }),
    ...(rating !== null && { rating: null }),
    ...(caption !== null && { caption: null }),
    ...(favourite && { favourite: false }),
    ...(unarchived && { archived: true })
  }
}

/** @param isDistinct - false: they may be duplicates again */
export async function tellApart(
  api: DuplicatesApi,
  ids: readonly string[],
  others: readonly string[],
  isDistinct: boolean
): Promise<void> {
  await api.post('/duplicates/distinct', { ids: [...ids], others: [...others], distinct: isDistinct })
}

/** The groups of a tier, as many as were asked for so far. */
export class Duplicates {
  /** undefined: not known yet. */
  readonly groups: Signal<readonly DuplicateGroup[] | undefined> = signal(undefined)
  readonly counts: Signal<Counts | undefined> = signal(undefined)
  /** How much of the index was there to find them with, 0 to 1. */
  readonly fraction: Signal<number> = signal(1)
  readonly hasMore: Signal<boolean> = signal(false)
  readonly error: Signal<ApiError | undefined> = signal(undefined)
  readonly #api: DuplicatesApi
  #tier: Tier = 'exact'
  #cursor: string | null = null
  #read = new AbortController()

  constructor(api: DuplicatesApi) {
    this.#api = api
  }

  /**
   * Reads the first groups.
   *
   * @param tier - undefined: the strictest of which there is something
   * @returns which tier that was; undefined: another one was asked for meanwhile, or it could not be read
   */
  async load(tier?: Tier): Promise<Tier | undefined> {
    this.#read.abort()
    const read = new AbortController()
    this.#read = read
    this.groups.value = undefined
    this.error.value = undefined
    try {
      const first = tier ?? 'exact'
      const page = await this.#page(first, undefined, read.signal)
      const found = tier ?? TIERS.find(it => page.listed.tiers[it].groups > 0) ?? first
      const { listed, groups } = found === first ? page : await this.#page(found, undefined, read.signal)
      if (read.signal.aborted) return undefined
      this.#show(found, listed, groups)
      return found
    } catch (error) {
      this.#fail(error, read.signal)
      return undefined
    }
  }

  async more(): Promise<void> {
    const { signal } = this.#read
    if (this.#cursor === null) return
    try {
      const { listed, groups } = await this.#page(this.#tier, this.#cursor, signal)
      if (!signal.aborted) this.#show(this.#tier, listed, [...(this.groups.peek() ?? []), ...groups])
    } catch (error) {
      this.#fail(error, signal)
    }
  }

  stop(): void {
    this.#read.abort()
  }

  /** Takes a group out of the list, or what is left of it in its place. */
  replace(group: DuplicateGroup, rest: DuplicateGroup | undefined): void {
    const groups = this.groups.peek() ?? []
    const left = groups.flatMap(it => (it.key !== group.key ? [it] : rest === undefined ? [] : [rest]))
    this.groups.value = left
    this.#count(group.tier, rest === undefined ? -1 : 0, (rest?.size ?? 0) - group.size)
  }

  /** Puts a group back where it was. @param at - its index then @param rest - as in {@link replace} */
  putBack(group: DuplicateGroup, at: number, rest: DuplicateGroup | undefined): void {
    const groups = (this.groups.peek() ?? []).filter(({ key }) => key !== rest?.key)
    this.groups.value = groups.toSpliced(at, 0, group)
    this.#count(group.tier, rest === undefined ? 1 : 0, group.size - (rest?.size ?? 0))
  }

  /**
   * Keeps the best photo of every group of equal bytes.
   *
   * @param onDone - called after each
   * @param signal - ends it between two groups
   * @throws {@link ApiError}
   */
  async mergeExact(onDone: (merged: Merged) => void, signal: AbortSignal): Promise<void> {
    // what did not fit into one request is found in the next round
    for (let isAgain = true; isAgain; ) {
      isAgain = false
      let cursor: string | undefined
      do {
        const { listed, groups } = await this.#page('exact', cursor, signal)
        for (const { photos, size } of groups) {
          const [keep, ...others] = photos
          if (signal.aborted) return
          if (keep === undefined || others.length === 0) continue
          const merged = await mergePhotos(
            this.#api,
            keep.photo_id,
            others.map(({ photo_id }) => photo_id)
          )
          onDone(merged)
          if (size > photos.length && merged.deleted.length > 0) isAgain = true
        }
        cursor = listed.next_cursor ?? undefined
      } while (cursor !== undefined && !signal.aborted)
    }
  }

  #show(tier: Tier, listed: Listed, groups: readonly DuplicateGroup[]): void {
    this.#tier = tier
    this.#cursor = listed.next_cursor
    this.counts.value = listed.tiers
    this.fraction.value = listed.coverage.fraction
    this.hasMore.value = listed.next_cursor !== null
    this.groups.value = groups
  }

  #fail(error: unknown, signal: AbortSignal): void {
    if (signal.aborted) return
    if (!(error instanceof ApiError)) throw error
    this.error.value = error
  }

  #count(tier: Tier, groups: number, photos: number): void {
    const counts = this.counts.peek()
    if (counts === undefined) return
    const before = counts[tier]
    this.counts.value = { ...counts, [tier]: { groups: before.groups + groups, photos: before.photos + photos } }
  }

  async #page(
    tier: Tier,
    cursor: string | undefined,
    signal: AbortSignal
  ): Promise<{ readonly listed: Listed; readonly groups: readonly DuplicateGroup[] }> {
    const listed = await this.#api.get('/duplicates', {
      query: { tier, ...(cursor !== undefined && { cursor }) },
      signal
    })
    const ids = listed.groups.flatMap(({ photo_ids }) => photo_ids)
    const photos = new Map<string, DuplicatePhoto>()
    for (let i = 0; i < ids.length; i += LOOKUP_MAX) {
      const found = await this.#api.post('/v1/photos/lookup', { ids: ids.slice(i, i + LOOKUP_MAX) }, { signal })
      for (const photo of found.photos) photos.set(photo.photo_id, photo)
    }
    const groups = listed.groups.flatMap(({ photo_ids, size, score }) => {
      const there = photo_ids.flatMap(id => photos.get(id) ?? [])
      return there.length < 2 ? [] : [groupOf(tier, there, size - (photo_ids.length - there.length), score)]
    })
    return { listed, groups }
  }
}

/** @param photos - at least two, oldest first */
export function groupOf(tier: Tier, photos: readonly DuplicatePhoto[], size: number, score: number): DuplicateGroup {
  const best = bestOf(photos)
  const ordered = [...photos].sort((a, b) => Number(b === best) - Number(a === best))
  return { key: `${tier} ${photos[0]?.photo_id}`, tier, size, score, photos: ordered }
}
