import { type ErrorCode, SheafError } from '../core/errors.js'
import { KeyedLock } from '../core/keyed-lock.js'
import type { AlbumId, PhotoId } from '../domain/ids.js'
import { MERGED_PHOTOS_MAX } from '../domain/limits.js'
import {
  bothGained,
  type Gained,
  gainedFrom,
  MERGEABLE,
  type Mergeable,
  NOTHING_GAINED,
  type Said,
  saysTheSame
} from '../domain/merged-metadata.js'
import type { AlbumNames } from './albums/album-names.js'
import { badField } from './photo-rules.js'

/** How often what somebody says of a photo meanwhile is merged as well, before that photo is left alone. */
const ROUNDS_MAX = 3
const AT_ONCE = 64
/** One after the other: two that keep different photos of the same would leave none. */
const ONE_AT_A_TIME = 'merge'

export interface MergeRequest {
  readonly keep: PhotoId
  /** At most 1,000, in the order in which their captions count. */
  readonly remove: readonly PhotoId[]
  /** Default: everything. */
  readonly merge?: readonly Mergeable[] | undefined
}

export interface MergeOutcome {
  readonly photoId: PhotoId
  /** `was-deleted`: by somebody else, or by the same request before; nothing of it was merged. */
  readonly state: 'deleted' | 'was-deleted' | 'failed'
  /** Of what failed: it is as it was. */
  readonly error: ErrorCode | undefined
}

export interface MergeReport {
  /** What the photo that is kept has now that it had not. */
  readonly gained: Gained
  /** Those of its new albums; without an id where one is only a label. */
  readonly albums: readonly { readonly id: AlbumId | undefined; readonly name: string }[]
  /** In the order of the request, without duplicates. */
  readonly outcomes: readonly MergeOutcome[]
}

/** What a merge does with photos, for somebody. */
export interface MergeActs {
  readonly albums: Pick<AlbumNames, 'namesOf'>
  /** @returns what is said of a photo that lives. @throws `ERR_PHOTO_NOT_FOUND`, `ERR_PHOTO_DELETED` */
  readonly said: (id: PhotoId) => Promise<Said>
  /** Gives a photo what `gainOf` says it lacks, in one step. @throws `ERR_PHOTO_DELETED`, as an edit */
  readonly give: (id: PhotoId, gainOf: (said: Said) => Gained) => Promise<void>
  /** Deletes a photo in the step in which `allow` has not thrown. @throws what it throws, as a delete */
  readonly remove: (id: PhotoId, allow: (said: Said) => void) => Promise<void>
}

/**
 * Keeps one of several photos: merges what people say of the others into it, and only then deletes those. What was said of one
 * of them between the two is merged as well. Doing it again does nothing.
 */
export class DuplicateMerge {
  readonly #lock = new KeyedLock()

  /**
   * @throws `ERR_BAD_PARAMETER`; `ERR_PHOTO_NOT_FOUND` and `ERR_PHOTO_DELETED` of the one to keep, and what an edit of it throws:
   * then nothing was deleted
   */
  async run({ keep, remove, merge = MERGEABLE }: MergeRequest, acts: MergeActs): Promise<MergeReport> {
    if (remove.length > MERGED_PHOTOS_MAX)
      throw badField('remove', `at most ${MERGED_PHOTOS_MAX} photos can be merged at once`)
    if (remove.includes(keep)) throw badField('remove', 'remove must not name the photo that is kept')
    return this.#lock.run(ONE_AT_A_TIME, () => merged(keep, [...new Set(remove)], new Set(merge), acts))
  }
}

async function merged(
  keep: PhotoId,
  remove: readonly PhotoId[],
  what: ReadonlySet<Mergeable>,
  acts: MergeActs
): Promise<MergeReport> {
  const { said, give } = acts
  await said(keep)
  const outcomes = new Map<PhotoId, MergeOutcome>()
  let gained = NOTHING_GAINED
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const left = remove.filter(id => !outcomes.has(id))
    if (left.length === 0) break
    const read = new Map<PhotoId, Said>()
    await someAtOnce(left, async id => {
      await said(id).then(
        it => read.set(id, it),
        err => outcomes.set(id, outcomeOf(id, err))
      )
    })
    await give(keep, before => {
      const sources = left.flatMap(id => read.get(id) ?? [])
      const more = gainedFrom(before, sources, what)
      gained = bothGained(gained, more)
      return more
    })
    await removeAll(read, outcomes, acts)
  }
  const albums = gained.albums.map(label => {
    const { ids, titles } = acts.albums.namesOf([label])
    return { id: ids[0], name: titles[0] ?? label }
  })
  return {
    gained,
    albums,
    outcomes: remove.map(photoId => outcomes.get(photoId) ?? failed(photoId, 'ERR_PRECONDITION_FAILED'))
  }
}

/** Leaves those without an outcome of which people say something else by now. */
async function removeAll(
  merged: ReadonlyMap<PhotoId, Said>,
  outcomes: Map<PhotoId, MergeOutcome>,
  { remove }: MergeActs
): Promise<void> {
  await someAtOnce(merged, async ([photoId, before]) => {
    let isOutdated = false
    const allow = (now: Said): void => {
      isOutdated = !saysTheSame(before, now)
      if (isOutdated) throw new SheafError('ERR_PRECONDITION_FAILED')
    }
    const outcome = await remove(photoId, allow).then(
      (): MergeOutcome => ({ photoId, state: 'deleted', error: undefined }),
      (err: unknown) => outcomeOf(photoId, err)
    )
    if (!isOutdated) outcomes.set(photoId, outcome)
  })
}

async function someAtOnce<Item>(items: Iterable<Item>, work: (item: Item) => Promise<void>): Promise<void> {
  const left = items[Symbol.iterator]() as IterableIterator<Item>
  const next = async (): Promise<void> => {
    for (const item of left) await work(item)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, next))
}

/** @throws the error itself unless it is an operating error */
function outcomeOf(photoId: PhotoId, err: unknown): MergeOutcome {
  if (!(err instanceof SheafError)) throw err
  if (err.code === 'ERR_PHOTO_DELETED') return { photoId, state: 'was-deleted', error: undefined }
  return failed(photoId, err.code)
}

function failed(photoId: PhotoId, error: ErrorCode): MergeOutcome {
  return { photoId, state: 'failed', error }
}
