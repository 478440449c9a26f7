import { type Entry, VERSION_FIELD } from '../../src/domain/entry.js'
import type { ActorId, PhotoId } from '../../src/domain/ids.js'
import { type Photo, viewPhoto } from '../../src/domain/photo.js'
import { CONFLICT_VERSIONS_MAX, conflictVersions, type DirectoryRecord } from '../../src/domain/record.js'
import { textOf } from '../../src/domain/value-fields.js'
import { covers, type Dot } from '../../src/domain/version-vector.js'

/** `maybe`: nobody was told that it was done, but it may have been, and may yet turn up. `failed`: it had no effect. */
export type Fate = 'under way' | 'acknowledged' | 'maybe' | 'failed'

/** (generation, deleted) as one number, in the same order. */
type Rank = number

/** What a client did to a photo. */
export interface Write {
  readonly number: number
  readonly kind: 'birth' | 'edit' | 'delete' | 'undelete' | 'restore'
  /** Name of the node that was asked. */
  readonly node: string
  readonly adds: readonly string[]
  readonly removes: readonly string[]
  /** Writes that the node had merged when it made this one, and that its client therefore may rely on being superseded. */
  readonly saw: ReadonlySet<Write>
  /** What the shown version is called once this is it; undefined when it only changes tags. */
  name: string | undefined
  /** Tags that a delete or undelete took along, so that they outlive a concurrent remove. */
  carries: readonly string[]
  rank: Rank
  fate: Fate
  /** The dots that the write made, once they are known. */
  dots: readonly Dot[]
  /** Disks that had it durably when it was acknowledged, less those that may have been among the replaced. */
  copies: number
  /** No disk that had it is left. */
  lost: boolean
  /** When the client asked for it, true time, ms. */
  readonly beganMs: number
}

/** What a node has of a photo: its record, or the last life that its grave ended; or nothing. */
export interface Seen {
  readonly record?: DirectoryRecord | undefined
  readonly ended?: number | undefined
}

export type WriteInit = Pick<Write, 'kind'> & Partial<Pick<Write, 'name' | 'adds' | 'removes'>>

/** What clients did to one photo, and what may therefore be seen of it. */
export class PhotoHistory {
  readonly bytes: Uint8Array
  readonly writes: Write[] = []
  /** Unknown while nobody was told. */
  id: PhotoId | undefined
  /** The disk that its upload may have gone to was replaced before anybody was told of it. */
  orphaned = false

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  /** @param before - the photo on the node that makes the write, when it begins */
  begin(number: number, node: string, init: WriteInit, before: DirectoryRecord | undefined, beganMs: number): Write {
    const { kind, name, adds = [], removes = [] } = init
    const photo = before && viewPhoto(before)
    const write: Write = {
      number,
      kind,
      node,
      adds,
      removes,
      saw: before === undefined ? new Set() : this.#seenIn(before),
      name: name ?? (raises(kind) ? photo?.name : undefined),
      carries: raises(kind) ? (photo?.tags ?? []) : [],
      rank: (photo === undefined ? 0 : rankOf(photo)) + Number(raises(kind)),
      fate: 'under way',
      dots: [],
      copies: 1,
      lost: false,
      beganMs
    }
    this.writes.push(write)
    return write
  }

  /**
   * The write was acknowledged. What others wrote since it began may have reached the node before it was made.
   *
   * @param actors - under which the node may have made it
   * @param after - the photo on the node now
   */
  acknowledge(
    write: Write,
    actors: readonly ActorId[],
    before: DirectoryRecord | undefined,
    after: DirectoryRecord
  ): void {
    // a slow upload may have been stamped under an epoch that is gone again
    const born = after.entries.find(entry => write.kind === 'birth' && isVersion(entry) && nameOf(entry) === write.name)
    const isOwn = ({ actor }: Dot): boolean =>
      actors.some(own => actor === own || actor.startsWith(own)) || actor === born?.dot.actor
    const own = after.entries.filter(({ dot }) => isOwn(dot) && (before === undefined || !covers(before.context, dot)))
    write.fate = 'acknowledged'
    write.dots = own.map(({ dot }) => dot)
    const version = versionOf(write, own)
    if (version !== undefined) {
      write.name = nameOf(version)
      write.rank = rankOf(version)
    } else if (own[0] !== undefined) write.rank = rankOf(own[0])
    if (raises(write.kind)) write.carries = own.filter(({ field }) => field === 'tags').map(({ key }) => key)
  }

  /**
   * Holds what a node shows against what clients were told.
   *
   * @param must - the writes that the node has to know
   * @returns what is wrong, in words
   */
  judge({ record, ended }: Seen, must: (write: Write) => boolean): string[] {
    const known = this.writes.filter(write => write.fate === 'acknowledged' && must(write))
    if (ended !== undefined) return [...this.#judgeRank(rankOf({ generation: ended, deleted: true }), known)]
    if (record === undefined) return known.length === 0 ? [] : [`it is gone, after ${summary(known)}`]
    const photo = viewPhoto(record)
    return [
      ...this.#judgeRank(rankOf(photo), known),
      ...this.#judgeVersion(photo, known),
      ...this.#judgeConflicts(photo, known),
      ...this.#judgeTags(photo, known)
    ]
  }

  /** Deletes and undeletes are never undone by anything but the next. */
  *#judgeRank(rank: Rank, known: readonly Write[]): Generator<string> {
    const least = Math.max(0, ...known.map(write => write.rank))
    if (rank < least)
      yield `it is at rank ${rank}, although ${summary(known.filter(write => write.rank > rank))} was acknowledged`
    if (!this.#possible().some(write => mayHaveRank(write, rank))) yield `it is at rank ${rank}, which nobody wrote`
  }

  /** A write that saw another is never beaten by it. */
  *#judgeVersion(photo: Photo, known: readonly Write[]): Generator<string> {
    const rank = rankOf(photo)
    const candidates = this.#possible().filter(write => mayHaveRank(write, rank) && mayBeCalled(write, photo.name))
    if (candidates.length === 0) yield `its name is ${photo.name}, which nobody wrote at rank ${rank}`
    const beaten = candidates.map(shown =>
      known.find(write => write.name !== undefined && write.rank >= rank && write.saw.has(shown))
    )
    if (candidates.length > 0 && beaten.every(write => write !== undefined))
      yield `it shows ${summary(candidates)}, although ${summary(beaten.flatMap(write => write ?? []))} saw that`
  }

  /** A version that nobody saw is shown, or is among the conflicts, unless its life is over and was buried. */
  *#judgeConflicts(photo: Photo, known: readonly Write[]): Generator<string> {
    const conflicts = conflictVersions(photo.record)
    if (conflicts.length >= CONFLICT_VERSIONS_MAX) return
    const names = new Set([photo.name, ...conflicts.map(version => viewPhoto(photo.record, version).name)])
    for (const write of known) {
      const own = write.kind === 'birth' || (write.kind === 'edit' && write.name !== undefined)
      if (write.rank < rankOf({ generation: photo.record.buried ?? 0, deleted: false })) continue
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

  /** @returns deletes that may have ended a life, acknowledged or not */
  deletesOf(generation: number): Write[] {
    const rank = rankOf({ generation, deleted: true })
    return this.#possible().filter(write => write.kind === 'delete' && mayHaveRank(write, rank))
  }

  /** @returns whether a node with this record is certain to have merged the write */
  hasSeen(record: DirectoryRecord, write: Write): boolean {
    return this.#seenIn(record).has(write)
  }

  #possible(): Write[] {
    return this.writes.filter(write => write.fate !== 'failed')
  }

  /** What a node with this record has merged, and what those who wrote that had. */
  #seenIn(record: DirectoryRecord): Set<Write> {
    const seen = new Set<Write>()
    const known = new Set(this.writes.flatMap(({ dots }) => dots.map(dotText)))
    const strange = record.entries.filter(({ dot }) => !known.has(dotText(dot)))
    for (const write of this.#possible()) {
      const merged =
        write.fate === 'acknowledged'
          ? write.dots.length > 0 && write.dots.every(dot => covers(record.context, dot))
          : strange.some(entry => isOf(write, entry))
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

function isVersion({ field }: Entry): boolean {
  return field === VERSION_FIELD
}

function nameOf({ value }: Entry): string | undefined {
  return textOf(value, 'name')
}

/** @returns the version that the write made, of those that its node made while it was under way */
function versionOf({ kind, name }: Write, own: readonly Entry[]): Entry | undefined {
  const versions = own.filter(isVersion)
  const fitting = versions.find(version =>
    raises(kind) ? isDeleted(rankOf(version)) === (kind === 'delete') : nameOf(version) === name
  )
  return fitting ?? versions[0]
}

/** What raises the rank of a photo. */
function raises(kind: Write['kind']): boolean {
  return kind === 'delete' || kind === 'undelete'
}

/** What others wrote meanwhile may have raised the rank of a write of unknown fate. */
function mayHaveRank({ rank, fate }: Write, actual: Rank): boolean {
  return rank === actual || (fate !== 'acknowledged' && actual > rank && isDeleted(actual) === isDeleted(rank))
}

/** A delete or undelete takes the name that it finds. */
function mayBeCalled({ kind, name, fate }: Write, actual: string): boolean {
  return name === actual || (fate !== 'acknowledged' && (raises(kind) || kind === 'restore'))
}

function dotText({ actor, counter }: Dot): string {
  return `${actor}:${counter}`
}

/** Whether an entry of an unknown writer shows that a write of unknown fate was done. */
function isOf(write: Write, entry: Entry): boolean {
  if (entry.field === 'tags') return write.adds.includes(entry.key)
  if (!isVersion(entry) || rankOf(entry) !== write.rank) return false
  return raises(write.kind) || nameOf(entry) === write.name
}

function summary(writes: readonly Write[]): string {
  return writes
    .map(({ kind, number, name }) => `${kind} #${number}${name === undefined ? '' : ` (${name})`}`)
    .join(', ')
}
