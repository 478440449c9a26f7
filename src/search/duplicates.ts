import type { Clock } from '../core/clock.js'
import { type ErrorCode, SheafError } from '../core/errors.js'
import { eachInTurns, sortInTurns } from '../core/turn.js'
import type { Directory } from '../directory/directory.js'
import { type PhotoAudience, photoAudience } from '../domain/audience.js'
import { type Findings, type LinkTier, unlinkChange, unlinkUndoChange, viewFindings } from '../domain/findings.js'
import { groupsAround } from '../domain/groups.js'
import { type PhotoId, parsePhotoId } from '../domain/ids.js'
import { type Appearance, areNear, linkTier } from '../domain/likeness.js'
import { DISTINCT_IDS_MAX } from '../domain/limits.js'
import { pairOf } from '../domain/pairs.js'
import { metaEtag, PHOTO_KIND, viewPhoto } from '../domain/photo.js'
import type { DirectoryRecord } from '../domain/record.js'
import { ALL_SHARDS, type ShardSet } from '../domain/shards.js'
import { badField } from '../photos/photo-rules.js'
import type { BatchOutcome, Precondition } from '../photos/photo-types.js'
import { ALL_SEEING, requireMay, type Viewer } from '../photos/viewers/viewer.js'
import { type RecordWriter, requireLive, requireRecord } from '../store/record-writer.js'
import { appearanceOf } from './appearance.js'
import { livePhoto } from './photo-features.js'
import { coverageOf } from './search.js'
import type { DuplicateCount, DuplicateGroup, DuplicatePage, DuplicateTier, LinkedPhoto } from './similarity-types.js'

const TIERS = ['exact', 'near', 'similar'] as const
const GROUPS_PER_PAGE = 100
/** How long one snapshot of the groups is served although photos change, so that its pages fit together. */
const SNAPSHOT_MS = 10_000
/** Links that are read, at most: a bound on memory. */
const LINKS_MAX = 500_000
/** Records that are read in a turn: a few milliseconds. */
const PAGE = 128
const LINKED_MAX = 100
const SHA256 = 'sha256\0'

export interface DuplicatesComponents {
  readonly directory: Pick<Directory, 'getSync' | 'lookUp' | 'getMany' | 'query' | 'repeated' | 'digest'>
  readonly writer: Pick<RecordWriter, 'edit'>
  /** Fetches the record of a photo that is unknown here. @throws `ERR_PHOTO_NOT_FOUND` */
  readonly ensureRecord: (id: PhotoId) => Promise<void>
  /** Shards for which some live node has all vectors. */
  readonly covered: () => ShardSet
  readonly clock: Clock
}

interface Edge {
  readonly a: PhotoId
  readonly b: PhotoId
  readonly tier: LinkTier
  readonly score: number
}

/** The links of all live photos. */
interface LinkGraph {
  readonly edges: readonly Edge[]
  readonly photos: ReadonlyMap<PhotoId, LivePhoto>
}

interface LivePhoto {
  readonly audience: PhotoAudience
  readonly sha256: string
  /** Photos that it was marked as no duplicate of. */
  readonly unlinks: ReadonlySet<PhotoId>
  readonly appearance: Appearance
}

interface Found {
  readonly groups: readonly DuplicateGroup[]
  readonly counts: DuplicatePage['counts']
}

/** The groups of all photos, and whose these are. */
interface FoundOfAll extends Found {
  readonly audiences: ReadonlyMap<PhotoId, PhotoAudience>
}

interface Snapshot {
  readonly digest: string
  readonly createdMs: number
  readonly found: Promise<FoundOfAll>
}

/** Where a page ended. Cursors encode it. */
interface Position {
  readonly tier: DuplicateTier
  /** The greatest id of the group. */
  readonly id: PhotoId
}

/**
 * Duplicate and similar photos, from the records: exact ones by sha256, others by the links found when they were analyzed. What a
 * link says is judged when it is read: older versions judged otherwise, and a head may have been read since.
 */
export class Duplicates {
  readonly #components: DuplicatesComponents
  readonly #viewer: Viewer
  /** Shared by all viewers. */
  readonly #latest: { snapshot?: Snapshot | undefined }

  constructor(components: DuplicatesComponents, viewer = ALL_SEEING, latest: { snapshot?: Snapshot | undefined } = {}) {
    this.#components = components
    this.#viewer = viewer
    this.#latest = latest
  }

  /** @returns the same, of what somebody sees */
  as(viewer: Viewer): Duplicates {
    return viewer === this.#viewer ? this : new Duplicates(this.#components, viewer, this.#latest)
  }

  /**
   * Groups of photos, strictest tier first, within a tier by newest photo. Which there are is up to 10 s old; what was deleted
   * since is left out of them.
   *
   * @param tier - return only groups of this tier
   * @throws `ERR_BAD_CURSOR`
   */
  async list(tier: DuplicateTier | undefined, cursor: string | undefined): Promise<DuplicatePage> {
    const after = cursor === undefined ? undefined : decodePosition(cursor)
    const all = await this.#found()
    const found = this.#viewer === ALL_SEEING ? all : await seenBy(this.#viewer, all)
    const groups = found.groups.filter(group => tier === undefined || group.tier === tier)
    const rest = after === undefined ? groups : groups.filter(group => comparePositions(positionOf(group), after) > 0)
    const page = rest.slice(0, GROUPS_PER_PAGE)
    const last = page.at(-1)
    return {
      groups: await this.#stillThere(page),
      counts: found.counts,
      coverage: coverageOf(tier === 'exact' ? ALL_SHARDS : this.#components.covered()),
      nextCursor: last === undefined || rest.length <= page.length ? null : encodePosition(positionOf(last))
    }
  }

  /** Live photos that look like this one, best first, without those marked as not duplicates. */
  async linked(id: PhotoId): Promise<readonly LinkedPhoto[]> {
    const { directory } = this.#components
    const stored = directory.getSync({ kind: PHOTO_KIND, id })
    if (stored === undefined) return []
    const findings = viewFindings(stored.record)
    const own = { unlinks: unlinksOf(stored.record, findings), appearance: appearanceOf(stored.record, findings) }
    const links = new Map(findings.links)
    const { records } = await directory.query({ terms: [`link\0${id}`], words: [], limit: LINKED_MAX })
    for (const record of records) {
      const link = viewFindings(record).links.get(id)
      const other = record.id as PhotoId
      if (link !== undefined && link.score > (links.get(other)?.score ?? -1)) links.set(other, link)
    }
    const others = await this.#live([...links.keys()])
    return [...links]
      .flatMap(([photoId, { score }]) => {
        const other = others.get(photoId)
        if (other === undefined || !this.#viewer.may('see', other.audience)) return []
        const tier = !areUnlinked(id, own, photoId, other) && linkTier(score, own.appearance, other.appearance)
        return tier ? [{ photoId, tier, score }] : []
      })
      .sort((a, b) => b.score - a.score || (a.photoId < b.photoId ? -1 : 1))
      .slice(0, LINKED_MAX)
  }

  /**
   * Marks two photos as not duplicates of each other.
   *
   * @param condition - on the metadata of the first
   * @throws `ERR_BAD_PARAMETER`, `ERR_PHOTO_NOT_FOUND`, `ERR_PHOTO_DELETED`, what `condition` throws
   */
  async unlink(id: PhotoId, other: PhotoId, condition?: Precondition): Promise<void> {
    const { directory, writer, ensureRecord } = this.#components
    if (id === other) throw badField('photo_id', 'photo_id must name another photo than the path')
    await ensureRecord(id)
    await ensureRecord(other)
    const otherPhoto = viewPhoto(requireRecord(directory, other))
    requireMay(this.#viewer, 'see', otherPhoto)
    requireLive(otherPhoto)
    await writer.edit(id, (before, photo) => {
      requireMay(this.#viewer, 'edit', photo)
      requireLive(photo)
      condition?.({ etag: metaEtag(before) })
      return viewFindings(photo.record).unlinks.has(other) ? undefined : { changes: [unlinkChange(other)] }
    })
    this.#latest.snapshot = undefined
  }

  /**
   * Says of each of the photos that it is no duplicate of each of the others, or takes that back.
   *
   * @param others - as many at most; default: the same photos
   * @returns the outcome for each photo that is named
   * @throws `ERR_BAD_PARAMETER`; errors of single photos are in their outcomes
   */
  async tellApart(
    ids: readonly PhotoId[],
    others: readonly PhotoId[] = ids,
    isDistinct = true
  ): Promise<readonly BatchOutcome[]> {
    if (Math.max(ids.length, others.length) > DISTINCT_IDS_MAX)
      throw badField('ids', `at most ${DISTINCT_IDS_MAX} photos can be told apart at once`)
    const named = [...new Set([...ids, ...others])]
    const errors = new Map<PhotoId, ErrorCode>()
    const note = (id: PhotoId) => (err: unknown) => {
      if (!(err instanceof SheafError)) throw err
      errors.set(id, err.code)
    }
    await Promise.all(named.map(id => this.#requireLive(id).catch(note(id))))
    const marks = marksBetween(ids, others, id => !errors.has(id), isDistinct)
    await Promise.all(Array.from(marks, ([id, apart]) => this.#mark(id, apart, isDistinct).catch(note(id))))
    this.#latest.snapshot = undefined
    return named.map(photoId => ({ photoId, error: errors.get(photoId) }))
  }

  /** Somebody has changed photos here who wants to see that in the next list, as after an undo. */
  forget(): void {
    this.#latest.snapshot = undefined
  }

  async #requireLive(id: PhotoId): Promise<void> {
    const { directory, ensureRecord } = this.#components
    await ensureRecord(id)
    const photo = viewPhoto(requireRecord(directory, id))
    requireMay(this.#viewer, 'see', photo)
    requireLive(photo)
  }

  async #mark(id: PhotoId, others: ReadonlySet<PhotoId>, isDistinct: boolean): Promise<void> {
    await this.#components.writer.edit(id, (_, photo) => {
      requireMay(this.#viewer, 'edit', photo)
      requireLive(photo)
      const { unlinks } = viewFindings(photo.record)
      const changed = [...others].filter(other => unlinks.has(other) !== isDistinct)
      return { changes: changed.map(isDistinct ? unlinkChange : unlinkUndoChange) }
    })
  }

  // --- groups ---

  #found(): Promise<FoundOfAll> {
    const { directory, clock } = this.#components
    const digest = directory.digest()
    const now = clock.monotonic()
    const current = this.#latest.snapshot
    if (current !== undefined && (current.digest === digest || now < current.createdMs + SNAPSHOT_MS))
      return current.found
    const snapshot = { digest, createdMs: now, found: this.#find() }
    this.#latest.snapshot = snapshot
    snapshot.found.catch(() => {
      if (this.#latest.snapshot === snapshot) this.#latest.snapshot = undefined
    })
    return snapshot.found
  }

  /** @returns the groups without photos that were deleted since they were found, or are not seen any more */
  async #stillThere(groups: readonly DuplicateGroup[]): Promise<DuplicateGroup[]> {
    const live = await this.#live(groups.flatMap(({ photoIds }) => photoIds))
    const isThere = (id: PhotoId): boolean => {
      const photo = live.get(id)
      return photo !== undefined && this.#viewer.may('see', photo.audience)
    }
    return groups
      .map(group => ({ ...group, photoIds: group.photoIds.filter(isThere) }))
      .filter(({ photoIds }) => photoIds.length > 1)
  }

  async #find(): Promise<FoundOfAll> {
    const graph = await this.#graph()
    const near = await nearGroups(graph)
    const similar = await similarGroups(graph)
    const copies = await groupNumbers(near)
    const audiences = new Map<PhotoId, PhotoAudience>()
    const groups = [
      ...(await this.#exact(audiences)),
      ...(await duplicateGroups('near', near, graph, id => graph.photos.get(id)?.sha256)),
      ...(await duplicateGroups('similar', similar, graph, id => copies.get(id) ?? id))
    ]
    await eachInTurns(graph.photos, ([id, { audience }]) => audiences.set(id, audience))
    const sorted = await sortInTurns(groups, (a, b) => comparePositions(positionOf(a), positionOf(b)))
    return { groups: sorted, counts: await countsOf(sorted), audiences }
  }

  async #exact(audiences: Map<PhotoId, PhotoAudience>): Promise<DuplicateGroup[]> {
    const groups: DuplicateGroup[] = []
    for await (const { ids } of this.#components.directory.repeated(SHA256)) {
      const found = await this.#live(ids)
      for (const [id, { audience }] of found) audiences.set(id, audience)
      for (const group of groupsOfSame(found)) groups.push({ tier: 'exact', photoIds: group.sort(), score: 1 })
    }
    return groups
  }

  async #graph(): Promise<LinkGraph> {
    const { directory } = this.#components
    const found: Omit<Edge, 'tier'>[] = []
    let cursor: string | undefined
    do {
      const page = await directory.query({
        terms: ['linked'],
        words: [],
        limit: PAGE,
        ...(cursor !== undefined && { cursor })
      })
      for (const record of page.records) {
        const a = record.id as PhotoId
        for (const [b, { score }] of viewFindings(record).links) found.push({ a, b, score })
      }
      cursor = page.nextCursor ?? undefined
    } while (cursor !== undefined && found.length < LINKS_MAX)
    const ids = new Set<PhotoId>()
    await eachInTurns(found, ({ a, b }) => ids.add(a).add(b))
    const photos = await this.#live([...ids])
    const edges: Edge[] = []
    await eachInTurns(found, edge => {
      const [one, other] = [photos.get(edge.a), photos.get(edge.b)]
      if (one === undefined || other === undefined || areUnlinked(edge.a, one, edge.b, other)) return
      const tier = linkTier(edge.score, one.appearance, other.appearance)
      if (tier !== undefined) edges.push({ ...edge, tier })
    })
    return { edges, photos }
  }

  /** @returns the live photos among these, in the order of the ids */
  async #live(ids: readonly PhotoId[]): Promise<Map<PhotoId, LivePhoto>> {
    const live = new Map<PhotoId, LivePhoto>()
    for (let at = 0; at < ids.length; at += PAGE) {
      const part = ids.slice(at, at + PAGE)
      const stored = await this.#components.directory.getMany(part.map(id => ({ kind: PHOTO_KIND, id })))
      for (const found of stored) {
        const photo = livePhoto(found?.record)
        if (photo === undefined) continue
        const findings = viewFindings(photo.record)
        const appearance = appearanceOf(photo.record, findings)
        live.set(photo.id, {
          audience: photoAudience(photo),
          sha256: photo.sha256,
          unlinks: unlinksOf(photo.record, findings),
          appearance
        })
      }
    }
    return live
  }
}

/** @returns the groups as somebody sees them: without what is not open to him, and of what is left two at least */
async function seenBy(viewer: Viewer, { groups, audiences }: FoundOfAll): Promise<Found> {
  const seen: DuplicateGroup[] = []
  const isSeen = (id: PhotoId): boolean => {
    const audience = audiences.get(id)
    return audience !== undefined && viewer.may('see', audience)
  }
  await eachInTurns(groups, group => {
    const photoIds = group.photoIds.filter(isSeen)
    if (photoIds.length > 1) seen.push({ ...group, photoIds })
  })
  const sorted = await sortInTurns(seen, (a, b) => comparePositions(positionOf(a), positionOf(b)))
  return { groups: sorted, counts: await countsOf(sorted) }
}

async function countsOf(groups: readonly DuplicateGroup[]): Promise<Found['counts']> {
  const none: DuplicateCount = { groups: 0, photos: 0 }
  const counts = { exact: none, near: none, similar: none }
  await eachInTurns(groups, ({ tier, photoIds }) => {
    const { groups: before, photos } = counts[tier]
    counts[tier] = { groups: before + 1, photos: photos + photoIds.length }
  })
  return counts
}

/**
 * @param isThere - whether something can be said of it
 * @param isDistinct - said once of a pair, in the record of the lesser id; taken back in both, wherever it was said
 * @returns by photo, what its record is to say that it is no duplicate of, or no longer
 */
function marksBetween(
  ids: readonly PhotoId[],
  others: readonly PhotoId[],
  isThere: (id: PhotoId) => boolean,
  isDistinct: boolean
): Map<PhotoId, Set<PhotoId>> {
  const marks = new Map<PhotoId, Set<PhotoId>>()
  const note = (id: PhotoId, other: PhotoId): void => void marks.set(id, (marks.get(id) ?? new Set()).add(other))
  for (const a of ids.filter(isThere)) {
    for (const b of others.filter(isThere)) {
      if (a === b) continue
      const [lesser, greater] = a < b ? [a, b] : [b, a]
      note(lesser, greater)
      if (!isDistinct) note(greater, lesser)
    }
  }
  return marks
}

type Marked = Pick<LivePhoto, 'unlinks'>

/** @returns what the photo is no duplicate of: what somebody says, and what belongs to it */
function unlinksOf(record: DirectoryRecord, { unlinks }: Findings): ReadonlySet<PhotoId> {
  const { of, parts } = pairOf(record)
  return of === undefined && parts.length === 0 ? unlinks : new Set([...unlinks, ...parts, ...(of ? [of] : [])])
}

function areUnlinked(a: PhotoId, { unlinks }: Marked, b: PhotoId, other: Marked): boolean {
  return unlinks.has(b) || other.unlinks.has(a)
}

/**
 * Groups among photos of the same bytes: connected by any pair that was not marked as no duplicates. A photo is compared with
 * the first of a group, and with others of it only where it was marked, so time grows with photos and marks and not with pairs.
 */
export function groupsOfSame(photos: ReadonlyMap<PhotoId, Marked>): PhotoId[][] {
  const groups: PhotoId[][] = []
  let left = [...photos]
  for (let first = left.pop(); first !== undefined; first = left.pop()) {
    const group = [first]
    for (const [id, photo] of group) {
      const apart: typeof left = []
      for (const other of left) (areUnlinked(id, photo, ...other) ? apart : group).push(other)
      left = apart
    }
    if (group.length > 1) groups.push(group.map(([id]) => id))
  }
  return groups
}

/** Groups of photos that are all near copies of one of them. Those found through other copies count: a record has few links. */
async function nearGroups({ edges, photos }: LinkGraph): Promise<PhotoId[][]> {
  const near: Edge[] = []
  await eachInTurns(edges, edge => {
    if (edge.tier === 'near') near.push(edge)
  })
  return groupsAround(near, (center, other) => {
    const [a, b] = [photos.get(center), photos.get(other)]
    return (
      a !== undefined && b !== undefined && !areUnlinked(center, a, other, b) && areNear(a.appearance, b.appearance)
    )
  })
}

/** Groups of photos that are all linked to one of them, by links of either tier. */
function similarGroups({ edges }: LinkGraph): Promise<PhotoId[][]> {
  return groupsAround(edges, (center, _, member) => member === center)
}

/**
 * @param strictly - equal for photos that are together in a group of a stricter tier
 * @returns groups that no group of a stricter tier contains
 */
async function duplicateGroups(
  tier: LinkTier,
  groups: readonly (readonly PhotoId[])[],
  { edges }: LinkGraph,
  strictly: (id: PhotoId) => unknown
): Promise<DuplicateGroup[]> {
  const numbers = await groupNumbers(groups)
  const scores = groups.map(() => 1)
  const isNew = groups.map(() => false)
  await eachInTurns(edges, ({ a, b, tier: own, score }) => {
    const number = numbers.get(a)
    if (number === undefined || number !== numbers.get(b) || (tier === 'near' && own !== 'near')) return
    scores[number] = Math.min(score, scores[number] ?? 1)
  })
  await eachInTurns(numbers, ([id, number]) => {
    const [center] = groups[number] ?? []
    if (center !== undefined && strictly(id) !== strictly(center)) isNew[number] = true
  })
  const found: DuplicateGroup[] = []
  await eachInTurns(groups.entries(), ([number, ids]) => {
    if (isNew[number]) found.push({ tier, photoIds: ids.toSorted(), score: scores[number] ?? 0 })
  })
  return found
}

/** @returns for each photo in a group, which one */
async function groupNumbers(groups: readonly (readonly PhotoId[])[]): Promise<Map<PhotoId, number>> {
  const numbers = new Map<PhotoId, number>()
  const places = function* (): Generator<readonly [PhotoId, number]> {
    for (const [number, ids] of groups.entries()) for (const id of ids) yield [id, number]
  }
  await eachInTurns(places(), ([id, number]) => numbers.set(id, number))
  return numbers
}

function positionOf({ tier, photoIds }: DuplicateGroup): Position {
  return { tier, id: photoIds.at(-1) as PhotoId }
}

function comparePositions(a: Position, b: Position): number {
  const byTier = TIERS.indexOf(a.tier) - TIERS.indexOf(b.tier)
  if (byTier !== 0 || a.id === b.id) return byTier
  return a.id > b.id ? -1 : 1
}

function encodePosition({ tier, id }: Position): string {
  return Buffer.from(`${tier} ${id}`).toString('base64url')
}

/** @throws `ERR_BAD_CURSOR` */
function decodePosition(cursor: string): Position {
  const [name, text = '', ...more] = Buffer.from(cursor, 'base64url').toString().split(' ')
  const tier = TIERS.find(known => known === name)
  const id = parsePhotoId(text)
  const genuine = tier !== undefined && id !== undefined && more.length === 0 && encodePosition({ tier, id }) === cursor
  if (!genuine) throw new SheafError('ERR_BAD_CURSOR')
  return { tier, id }
}
