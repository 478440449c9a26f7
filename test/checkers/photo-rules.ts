/*
 * What may be seen of a photo after what clients did to it: the one place of these rules, for the simulation and for real
 * nodes under faults. Each side says in its own way which writes a write had seen, and what a node shows.
 */

/** `maybe`: nobody was told that it was done, but it may have been, and may yet turn up. `failed`: it had no effect. */
export type Fate = 'under way' | 'acknowledged' | 'maybe' | 'failed'

/** (generation, deleted) as one number, in the same order: even ones live. */
export type Rank = number

/** What a client did to a photo. */
export interface JudgedWrite {
  readonly number: number
  readonly kind: 'birth' | 'edit' | 'delete' | 'undelete' | 'restore'
  readonly adds: readonly string[]
  readonly removes: readonly string[]
  /** Writes that the node had certainly merged when it made this one, so that its client may rely on their being superseded. */
  readonly saw: ReadonlySet<JudgedWrite>
  /** Those and whichever else it may have merged by then. */
  readonly mayHaveSeen: ReadonlySet<JudgedWrite>
  /** What the shown version is called once this is it; undefined when it only changes tags, or takes the name that it finds. */
  readonly name: string | undefined
  /** Tags that a delete or undelete took along, so that they outlive a concurrent remove. */
  readonly carries: readonly string[]
  readonly rank: Rank
  /** Whether the rank is only the least that it may have: others may have raised it before the write was made. */
  readonly isRankLeast: boolean
  readonly fate: Fate
}

/** What a node shows of a photo that it knows. */
export interface ShownPhoto {
  /** Undefined: it is deleted, and in which life is not told. */
  readonly rank: Rank | undefined
  /** Undefined: not told, as of one that is deleted. */
  readonly version: ShownVersion | undefined
}

export interface ShownVersion {
  readonly name: string
  readonly tags: readonly string[]
  /** Names of the conflict versions. Undefined: there may be as many as are kept, so that some may be missing. */
  readonly conflicts: readonly string[] | undefined
  /** Lives below this rank are buried. */
  readonly livesFrom: Rank
}

/**
 * Holds what a node shows of a photo against what clients were told.
 *
 * @param writes - all that were asked for
 * @param shown - undefined: the node does not know the photo
 * @param must - those of the acknowledged writes that the node has to know
 * @returns what is wrong, in words
 */
export function judgePhoto<Write extends JudgedWrite>(
  writes: readonly Write[],
  shown: ShownPhoto | undefined,
  must: (write: Write) => boolean = () => true
): string[] {
  const known = writes.filter(write => write.fate === 'acknowledged' && must(write))
  const possible = writes.filter(({ fate }) => fate !== 'failed')
  if (shown === undefined) return known.length === 0 ? [] : [`it is gone, after ${summary(known)}`]
  const { rank, version } = shown
  if (rank === undefined) return [...judgeDeath(possible, known)]
  const problems = [...judgeRank(rank, possible, known)]
  if (version === undefined) return problems
  return [
    ...problems,
    ...judgeVersion(rank, version, possible, known),
    ...judgeConflicts(version, possible, known),
    ...judgeTags(rank, version, possible, known)
  ]
}

export function rankOf({ generation, deleted }: { readonly generation: number; readonly deleted: boolean }): Rank {
  return generation * 2 + Number(deleted)
}

/** What raises the rank of a photo. */
export function raises(kind: JudgedWrite['kind']): boolean {
  return kind === 'delete' || kind === 'undelete'
}

export function isDeleted(rank: Rank): boolean {
  return rank % 2 === 1
}

/** Whether the write may have left the photo at this rank. */
export function mayHaveRank({ rank, isRankLeast }: JudgedWrite, actual: Rank): boolean {
  return rank === actual || (isRankLeast && actual > rank && isDeleted(actual) === isDeleted(rank))
}

/** A photo is deleted only by a delete, and no longer once an undelete has seen that. */
function* judgeDeath(possible: readonly JudgedWrite[], known: readonly JudgedWrite[]): Generator<string> {
  const least = Math.max(0, ...known.map(({ rank }) => rank))
  const deletes = possible.filter(({ kind, rank, isRankLeast }) => kind === 'delete' && (isRankLeast || rank >= least))
  const undone = deletes.map(end => known.find(({ kind, saw }) => kind === 'undelete' && saw.has(end)))
  if (deletes.length === 0) yield `it is deleted, although ${summary(known)} was acknowledged, and by nobody`
  else if (undone.every(write => write !== undefined))
    yield `it is deleted by ${summary(deletes)}, although ${summary(undone.flatMap(write => write ?? []))} saw that`
}

/** Deletes and undeletes are never undone by anything but the next. */
function* judgeRank(rank: Rank, possible: readonly JudgedWrite[], known: readonly JudgedWrite[]): Generator<string> {
  const greater = known.filter(write => write.rank > rank)
  if (greater.length > 0) yield `it is at rank ${rank}, although ${summary(greater)} was acknowledged`
  if (!possible.some(write => mayHaveRank(write, rank))) yield `it is at rank ${rank}, which nobody wrote`
}

/** A write that saw another is never beaten by it. */
function* judgeVersion(
  rank: Rank,
  { name }: ShownVersion,
  possible: readonly JudgedWrite[],
  known: readonly JudgedWrite[]
): Generator<string> {
  const candidates = possible.filter(write => mayHaveRank(write, rank) && mayBeCalled(write, name))
  if (candidates.length === 0) yield `its name is ${name}, which nobody wrote at rank ${rank}`
  const beaten = candidates.map(shown =>
    known.find(write => write.name !== undefined && write.rank >= rank && write.saw.has(shown))
  )
  if (candidates.length > 0 && beaten.every(write => write !== undefined))
    yield `it shows ${summary(candidates)}, although ${summary(beaten.flatMap(write => write ?? []))} saw that`
}

/** A version that nobody saw is shown, or is among the conflicts, unless its life is over and was buried. */
function* judgeConflicts(
  { name, conflicts, livesFrom }: ShownVersion,
  possible: readonly JudgedWrite[],
  known: readonly JudgedWrite[]
): Generator<string> {
  if (conflicts === undefined) return
  const names = new Set([name, ...conflicts])
  for (const write of known) {
    const own = write.kind === 'birth' || (write.kind === 'edit' && write.name !== undefined)
    if (write.rank < livesFrom) continue
    if (own && !names.has(write.name as string) && !possible.some(other => other.mayHaveSeen.has(write)))
      yield `${summary([write])} is neither shown nor a conflict, and nobody has superseded it`
  }
}

/** Tags are an observed-remove set; what a delete or undelete has not seen is out of force after it. */
function* judgeTags(
  rank: Rank,
  { tags }: ShownVersion,
  possible: readonly JudgedWrite[],
  known: readonly JudgedWrite[]
): Generator<string> {
  for (const tag of tags) {
    const adds = possible.filter(write => write.adds.includes(tag) || write.carries.includes(tag))
    const removed = (add: JudgedWrite): boolean =>
      known.some(write => write.removes.includes(tag) && write.saw.has(add))
    if (adds.every(removed))
      yield `it has the tag ${tag}, which ${adds.length === 0 ? 'nobody gave it' : 'was removed'}`
  }
  for (const add of known) {
    for (const tag of add.adds) {
      if (tags.includes(tag)) continue
      // a tag that is there is not added anew: it is then as good as the adds of before (D56)
      const found = foundBy(add, tag, possible)
      const removed = possible.some(
        write =>
          write.removes.includes(tag) &&
          (write.mayHaveSeen.has(add) || (!add.saw.has(write) && found.some(before => write.mayHaveSeen.has(before))))
      )
      const outOfForce = possible.some(write => write.rank <= rank && mayExceed(write, add.rank) && !write.saw.has(add))
      if (!removed && !outOfForce) yield `it lacks the tag ${tag} of ${summary([add])}`
    }
  }
}

/** @returns adds of the tag that may have been in force when the write added it again */
function foundBy(add: JudgedWrite, tag: string, possible: readonly JudgedWrite[]): readonly JudgedWrite[] {
  const removes = possible.filter(write => write.removes.includes(tag) && add.saw.has(write))
  return possible.filter(
    before =>
      add.mayHaveSeen.has(before) &&
      (before.adds.includes(tag) || before.carries.includes(tag)) &&
      !removes.some(remove => remove.saw.has(before))
  )
}

function mayExceed({ kind, rank, isRankLeast }: JudgedWrite, other: Rank): boolean {
  return rank > other || (isRankLeast && raises(kind))
}

/** A delete or undelete takes the name that it finds. */
function mayBeCalled({ kind, name, fate }: JudgedWrite, actual: string): boolean {
  const takesWhatItFinds = raises(kind) || kind === 'restore'
  return name === actual || (takesWhatItFinds && (name === undefined || fate !== 'acknowledged'))
}

function summary(writes: readonly JudgedWrite[]): string {
  return writes
    .map(({ kind, number, name }) => `${kind} #${number}${name === undefined ? '' : ` (${name})`}`)
    .join(', ')
}
