import { type Entry, VERSION_FIELD } from '../../src/domain/entry.js'
import type { ActorId, PhotoId } from '../../src/domain/ids.js'
import { viewPhoto } from '../../src/domain/photo.js'
import { CONFLICT_VERSIONS_MAX, conflictVersions, type DirectoryRecord } from '../../src/domain/record.js'
import { textOf } from '../../src/domain/value-fields.js'
import { covers, type Dot } from '../../src/domain/version-vector.js'
import {
  type Fate,
  isDeleted,
  type JudgedWrite,
  judgePhoto,
  mayHaveRank,
  type Rank,
  raises,
  rankOf,
  type ShownPhoto
} from '../checkers/photo-rules.js'

/** What a client did to a photo. */
export interface Write extends JudgedWrite {
  /** Name of the node that was asked. */
  readonly node: string
  readonly saw: ReadonlySet<Write>
  name: string | undefined
  carries: readonly string[]
  rank: Rank
  isRankLeast: boolean
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
    const saw = before === undefined ? new Set<Write>() : this.#seenIn(before)
    const write: Write = {
      number,
      kind,
      node,
      adds,
      removes,
      saw,
      mayHaveSeen: saw,
      name: name ?? (raises(kind) ? photo?.name : undefined),
      carries: raises(kind) ? (photo?.tags ?? []) : [],
      rank: (photo === undefined ? 0 : rankOf(photo)) + Number(raises(kind)),
      isRankLeast: true,
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
    write.isRankLeast = false
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
  judge(seen: Seen, must: (write: Write) => boolean): string[] {
    return judgePhoto(this.writes, shownOf(seen), must)
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

function shownOf({ record, ended }: Seen): ShownPhoto | undefined {
  if (ended !== undefined) return { rank: rankOf({ generation: ended, deleted: true }), version: undefined }
  if (record === undefined) return undefined
  const photo = viewPhoto(record)
  const conflicts = conflictVersions(record)
  const version = {
    name: photo.name,
    tags: photo.tags,
    conflicts:
      conflicts.length < CONFLICT_VERSIONS_MAX ? conflicts.map(each => viewPhoto(record, each).name) : undefined,
    livesFrom: rankOf({ generation: record.buried ?? 0, deleted: false })
  }
  return { rank: rankOf(photo), version }
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

function dotText({ actor, counter }: Dot): string {
  return `${actor}:${counter}`
}

/** Whether an entry of an unknown writer shows that a write of unknown fate was done. */
function isOf(write: Write, entry: Entry): boolean {
  if (entry.field === 'tags') return write.adds.includes(entry.key)
  if (!isVersion(entry) || rankOf(entry) !== write.rank) return false
  return raises(write.kind) || nameOf(entry) === write.name
}
