import type { Entry } from '../../src/domain/entry.js'
import type { PhotoId } from '../../src/domain/ids.js'
import { type Photo, viewPhoto } from '../../src/domain/photo.js'
import { CONFLICT_VERSIONS_MAX, conflictVersions, type DirectoryRecord } from '../../src/domain/record.js'
import { covers, type Dot } from '../../src/domain/version-vector.js'

/** `maybe`: nobody was told that it was done, but it may have been, and may yet turn up. `failed`: it had no effect. */
export type Fate = 'under way' | 'acknowledged' | 'maybe' | 'failed'

/** (generation, deleted) as one number, in the same order. */
type Rank = number

/** What a client did to a photo. */
export interface Write {
  readonly number: number
  readonly kind: 'birth' | 'edit' | 'delete' | 'undelete' | 'restore'
  /** What the shown version is called once this is it; undefined when it only changes tags. */
  readonly name: string | undefined
  readonly adds: readonly string[]
  readonly removes: readonly string[]
  /** Tags that a delete or undelete took along, so that they outlive a concurrent remove. */
  readonly carries: readonly string[]
  readonly rank: Rank
  /** Writes that the node had merged when it made this one, and that its client therefore may rely on being superseded. */
  readonly saw: ReadonlySet<Write>
  fate: Fate
  /** The dots that the write made, once they are known. */
  dots: readonly Dot[]
}

export type WriteInit = Pick<Write, 'kind'> & Partial<Pick<Write, 'name' | 'adds' | 'removes'>>

/** What clients did to one photo, and what may therefore be seen of it. */
export class PhotoHistory {
  readonly bytes: Uint8Array
  readonly writes: Write[] = []
  /** Unknown while nobody was told. */
  id: PhotoId | undefined
  /** A fault has hit its needles: it may be lost or unreadable, but never wrong. */
  damaged = false

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  /** @param before - the photo on the node that makes the write, when it begins */
  begin(
    number: number,
    { kind, name, adds = [], removes = [] }: WriteInit,
    before: DirectoryRecord | undefined
  ): Write {
    const photo = before && viewPhoto(before)
    const rank = photo === undefined ? 0 : rankOf(photo)
    const write: Write = {
      number,
      kind,
      name: name ?? (raises(kind) ? photo?.name : undefined),
      adds,
      removes,
      carries: raises(kind) ? (photo?.tags ?? []) : [],
      rank: rank + Number(raises(kind)),
      saw: before === undefined ? new Set() : this.#seenIn(before),
      fate: 'under way',
      dots: []
    }
    this.writes.push(write)
    return write
  }

  /** @param after - the photo on the node that made the write, once it was acknowledged */
  acknowledge(write: Write, before: DirectoryRecord | undefined, after: DirectoryRecord): void {
    write.fate = 'acknowledged'
    write.dots = after.entries.map(({ dot }) => dot).filter(dot => before === undefined || !covers(before.context, dot))
  }

  /** @returns whether some write that may have happened makes the photo `deleted`, or not */
  mayBe(deleted: boolean): boolean {
    return this.#possible().some(write => isDeleted(write.rank) === deleted)
  }

  /**
   * Holds what a node shows against what clients were told.
   *
   * @param must - the writes that the node has to know
   * @returns what is wrong, in words
   */
  judge(record: DirectoryRecord | undefined, must: (write: Write) => boolean): string[] {
    const known = this.writes.filter(write => write.fate === 'acknowledged' && must(write))
    if (record === undefined) return known.length === 0 ? [] : [`it is gone, after ${summary(known)}`]
    const photo = viewPhoto(record)
    return [
      ...this.#judgeRank(photo, known),
      ...this.#judgeVersion(photo, known),
      ...this.#judgeConflicts(photo, known),
      ...this.#judgeTags(photo, known)
    ]
  }

  /** Deletes and undeletes are never undone by anything but the next. */
  *#judgeRank(photo: Photo, known: readonly Write[]): Generator<string> {
    const rank = rankOf(photo)
    const least = Math.max(0, ...known.map(write => write.rank))
    if (rank < least)
      yield `it is at rank ${rank}, although ${summary(known.filter(write => write.rank > rank))} was acknowledged`
    if (!this.#possible().some(write => write.rank === rank)) yield `it is at rank ${rank}, which nobody wrote`
  }

  /** A write that saw another is never beaten by it. */
  *#judgeVersion(photo: Photo, known: readonly Write[]): Generator<string> {
    const rank = rankOf(photo)
    const candidates = this.#possible().filter(write => write.name === photo.name && write.rank === rank)
    if (candidates.length === 0) yield `its name is ${photo.name}, which nobody wrote at rank ${rank}`
    const beaten = candidates.map(shown =>
      known.find(write => write.name !== undefined && write.rank >= rank && write.saw.has(shown))
    )
    if (candidates.length > 0 && beaten.every(write => write !== undefined))
      yield `it shows ${summary(candidates)}, although ${summary(beaten.flatMap(write => write ?? []))} saw that`
  }

  /** A version that nobody saw is shown, or is among the conflicts. */
  *#judgeConflicts(photo: Photo, known: readonly Write[]): Generator<string> {
    const conflicts = conflictVersions(photo.record)
    if (conflicts.length >= CONFLICT_VERSIONS_MAX) return
    const names = new Set([photo.name, ...conflicts.map(version => viewPhoto(photo.record, version).name)])
    for (const write of known) {
      const own = write.kind === 'birth' || (write.kind === 'edit' && write.name !== undefined)
      if (own && !names.has(write.name as string) && !this.#possible().some(other => other.saw.has(write)))
        yield `${summary([write])} is neither shown nor a conflict, and nobody has superseded it`
    }
  }

  /** Tags are an observed-remove set; what a delete or undelete has not seen is out of force after it. */
  *#judgeTags(photo: Photo, known: readonly Write[]): Generator<string> {
    const rank = rankOf(photo)
    const possible = this.#possible()
    for (const tag of photo.tags) {
      const adds = possible.filter(write => write.adds.includes(tag) || write.carries.includes(tag))
      const removed = (add: Write): boolean => known.some(write => write.removes.includes(tag) && write.saw.has(add))
      if (adds.every(removed))
        yield `it has the tag ${tag}, which ${adds.length === 0 ? 'nobody gave it' : 'was removed'}`
    }
    for (const add of known) {
      for (const tag of add.adds) {
        if (photo.tags.includes(tag)) continue
        const removed = possible.some(write => write.removes.includes(tag) && write.saw.has(add))
        const outOfForce = possible.some(write => write.rank > add.rank && write.rank <= rank && !write.saw.has(add))
        if (!removed && !outOfForce) yield `it lacks the tag ${tag} of ${summary([add])}`
      }
    }
  }

  #possible(): Write[] {
    return this.writes.filter(write => write.fate !== 'failed')
  }

  /** What a node with this record has merged, and what those who wrote that had. */
  #seenIn(record: DirectoryRecord): Set<Write> {
    const seen = new Set<Write>()
    const known = new Set(this.writes.flatMap(({ dots }) => dots.map(textOf)))
    const strange = record.entries.filter(({ dot }) => !known.has(textOf(dot)))
    for (const write of this.#possible()) {
      const merged =
        write.fate === 'acknowledged'
          ? write.dots.length > 0 && write.dots.every(dot => covers(record.context, dot))
          : strange.some(entry => isOf(write, entry, record))
      if (!merged) continue
      seen.add(write)
      for (const earlier of write.saw) seen.add(earlier)
    }
    return seen
  }
}

export function rankOf({ generation, deleted }: Pick<Photo, 'generation' | 'deleted'>): Rank {
  return generation * 2 + Number(deleted)
}

function isDeleted(rank: Rank): boolean {
  return rank % 2 === 1
}

/** What raises the rank of a photo. */
function raises(kind: Write['kind']): boolean {
  return kind === 'delete' || kind === 'undelete'
}

function textOf({ actor, counter }: Dot): string {
  return `${actor}:${counter}`
}

/** Whether an entry of an unknown writer shows that a write of unknown fate was done. */
function isOf(write: Write, entry: Entry, record: DirectoryRecord): boolean {
  if (entry.field === 'tags') return write.adds.includes(entry.key)
  if (entry.field !== 'version' || rankOf(entry) !== write.rank) return false
  return raises(write.kind) || viewPhoto(record, entry).name === write.name
}

function summary(writes: readonly Write[]): string {
  return writes
    .map(({ kind, number, name }) => `${kind} #${number}${name === undefined ? '' : ` (${name})`}`)
    .join(', ')
}
