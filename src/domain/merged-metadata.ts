import type { Mark, Photo, PhotoEdit } from './photo.js'
import { foldText } from './text.js'

/** What people say of a photo, by what can be merged into another one. */
export const MERGEABLE = ['albums', 'tags', 'rating', 'caption', 'marks'] as const
export type Mergeable = (typeof MERGEABLE)[number]

/** What people say of a photo. */
export type Said = Pick<Photo, 'albums' | 'tags' | 'rating' | 'caption' | 'marks'>

/** What a photo has after a merge that it had not before, so that the same can be taken away again. */
export interface Gained {
  readonly albums: readonly string[]
  readonly tags: readonly string[]
  readonly rating: number | undefined
  readonly caption: string | undefined
  readonly favourite: boolean
  /** It was archived, and is not any more. */
  readonly unarchived: boolean
}

export const NOTHING_GAINED: Gained = {
  albums: [],
  tags: [],
  rating: undefined,
  caption: undefined,
  favourite: false,
  unarchived: false
}

/**
 * What a photo that is kept gains from others that go. It keeps whatever it has: labels are added to its own; a rating and a
 * caption only where it has none, the greatest rating, and the caption of the first that has one. It becomes a favourite if
 * one of them is, and stays archived only if all of them are: what the time line showed, it goes on to show.
 *
 *   gainedFrom(k, [])                      = nothing
 *   gainedFrom(k + gainedFrom(k, o), o)    = nothing
 *
 * @param others - in the order in which captions count
 */
export function gainedFrom(kept: Said, others: readonly Said[], what: ReadonlySet<Mergeable>): Gained {
  const ratings = others.flatMap(({ rating }) => rating ?? [])
  const hasMarks = what.has('marks')
  const [favourite, archived] = [marked('favourite'), marked('archived')]
  return {
    albums: what.has('albums') ? newLabels(kept.albums, others, 'albums') : [],
    tags: what.has('tags') ? newLabels(kept.tags, others, 'tags') : [],
    rating: what.has('rating') && kept.rating === undefined && ratings.length > 0 ? Math.max(...ratings) : undefined,
    caption: what.has('caption') && isBlank(kept) ? others.find(other => !isBlank(other))?.caption : undefined,
    favourite: hasMarks && !favourite(kept) && others.some(favourite),
    unarchived: hasMarks && archived(kept) && !others.every(archived)
  }
}

/** @returns the edit that gives a photo what it gains */
export function editOf({ albums, tags, rating, caption, favourite, unarchived }: Gained): PhotoEdit {
  return {
    ...(albums.length > 0 && { albums: { add: albums } }),
    ...(tags.length > 0 && { tags: { add: tags } }),
    ...(rating !== undefined && { rating }),
    ...(caption !== undefined && { caption }),
    ...(favourite && { favourite: true }),
    ...(unarchived && { archived: false })
  }
}

/** What was gained first, and then. */
export function bothGained(first: Gained, then: Gained): Gained {
  return {
    albums: [...first.albums, ...then.albums],
    tags: [...first.tags, ...then.tags],
    rating: then.rating ?? first.rating,
    caption: then.caption ?? first.caption,
    favourite: first.favourite || then.favourite,
    unarchived: first.unarchived || then.unarchived
  }
}

/** Whether people say the same of both. */
export function saysTheSame(a: Said, b: Said): boolean {
  const isSame = (one: Iterable<string>, other: Iterable<string>): boolean =>
    [...one].sort().join('\0') === [...other].sort().join('\0')
  return (
    a.rating === b.rating &&
    a.caption === b.caption &&
    isSame(a.albums, b.albums) &&
    isSame(a.tags, b.tags) &&
    isSame(a.marks, b.marks)
  )
}

/** Labels that differ only in how they are written are one. */
function newLabels(own: readonly string[], others: readonly Said[], field: 'albums' | 'tags'): string[] {
  const known = new Set(own.map(foldText))
  return others
    .flatMap(other => other[field])
    .filter(label => {
      const isNew = !known.has(foldText(label))
      known.add(foldText(label))
      return isNew
    })
}

function marked(mark: Mark): (said: Said) => boolean {
  return ({ marks }) => marks.has(mark)
}

function isBlank({ caption }: Said): boolean {
  return caption === undefined || caption === ''
}
