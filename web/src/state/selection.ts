/** What is chosen in a bucket: all, whoever is in it, or these photos. */
export type Chosen = 'all' | ReadonlySet<string>
/** By key of the bucket. What is not in it has nothing chosen; a set is never empty. */
export type Selection = ReadonlyMap<string, Chosen>

export interface SelectableBucket {
  readonly key: string
  readonly count: number
  /** Newest first; undefined: not known yet. */
  readonly ids: readonly string[] | undefined
}

/** A photo's place in the order of the page. */
export interface Place {
  /** Index of the bucket. */
  readonly bucket: number
  /** In the bucket. */
  readonly index: number
}

export const NOTHING: Selection = new Map()

export function isChosen(selection: Selection, key: string, id: string): boolean {
  const chosen = selection.get(key)
  return chosen === 'all' || chosen?.has(id) === true
}

/** @param ids - all of the bucket, to take one out of `all` */
export function toggled(selection: Selection, bucket: SelectableBucket, id: string): Selection {
  const chosen = selection.get(bucket.key)
  const ids = new Set(chosen === 'all' ? bucket.ids : chosen)
  if (!ids.delete(id)) ids.add(id)
  return withChosen(selection, bucket, ids)
}

/**
 * Adds all from one photo to another, both included and in either order. Buckets between them are chosen as a whole, so they
 * need not be known.
 */
export function withRange(
  selection: Selection,
  buckets: readonly SelectableBucket[],
  from: Place,
  to: Place
): Selection {
  const [first, last] = isBefore(from, to) ? [from, to] : [to, from]
  let result = selection
  for (let i = first.bucket; i <= last.bucket; i++) {
    const bucket = buckets[i]
    if (bucket === undefined) break
    const start = i === first.bucket ? first.index : 0
    const end = i === last.bucket ? last.index + 1 : bucket.count
    if (start === 0 && end >= bucket.count) {
      result = new Map(result).set(bucket.key, 'all')
      continue
    }
    const before = result.get(bucket.key)
    if (before === 'all' || bucket.ids === undefined) continue
    result = withChosen(result, bucket, new Set([...(before ?? []), ...bucket.ids.slice(start, end)]))
  }
  return result
}

export function everything(buckets: readonly SelectableBucket[]): Selection {
  return new Map(buckets.map(({ key }) => [key, 'all']))
}

/** Whether all is chosen, some of which is not known yet. */
export function isEverythingUnseen(selection: Selection, buckets: readonly SelectableBucket[]): boolean {
  const isAll = buckets.every(({ key }) => selection.get(key) === 'all')
  return isAll && buckets.some(({ ids }) => ids === undefined)
}

export function chosenCount(selection: Selection, buckets: readonly SelectableBucket[]): number {
  let count = 0
  for (const { key, count: all } of buckets) {
    const chosen = selection.get(key)
    if (chosen !== undefined) count += chosen === 'all' ? all : chosen.size
  }
  return count
}

/** Drops what is no longer there. @param buckets - as they are now */
export function stillThere(selection: Selection, buckets: readonly SelectableBucket[]): Selection {
  const result = new Map<string, Chosen>()
  for (const { key, ids } of buckets) {
    const chosen = selection.get(key)
    if (chosen === undefined) continue
    if (chosen === 'all' || ids === undefined) result.set(key, chosen)
    else {
      const left = ids.filter(id => chosen.has(id))
      if (left.length > 0) result.set(key, new Set(left))
    }
  }
  return result
}

function withChosen(selection: Selection, { key, count }: SelectableBucket, ids: ReadonlySet<string>): Selection {
  const result = new Map(selection)
  if (ids.size === 0) result.delete(key)
  else result.set(key, ids.size >= count ? 'all' : ids)
  return result
}

function isBefore(a: Place, b: Place): boolean {
  return a.bucket !== b.bucket ? a.bucket < b.bucket : a.index <= b.index
}
