import type { Clock } from '../core/clock.js'
import { SheafError } from '../core/errors.js'
import { eachInTurns, sortInTurns } from '../core/turn.js'
import type { Directory } from '../directory/directory.js'
import { type LinkTier, unlinkChange, viewFindings } from '../domain/findings.js'
import { Groups } from '../domain/groups.js'
import { type PhotoId, parsePhotoId } from '../domain/ids.js'
import { metaEtag, PHOTO_KIND, viewPhoto } from '../domain/photo.js'
import { ALL_SHARDS, type ShardSet } from '../domain/shards.js'
import { badField } from '../photos/photo-rules.js'
import type { Precondition } from '../photos/photo-types.js'
import { type RecordWriter, requireLive, requireRecord } from '../store/record-writer.js'
import { livePhoto } from './photo-features.js'
import { coverageOf } from './search.js'
import type { DuplicateGroup, DuplicatePage, DuplicateTier, LinkedPhoto } from './similarity-types.js'

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
  readonly sha256: string
  /** Photos that it was marked as no duplicate of. */
  readonly unlinks: ReadonlySet<PhotoId>
}

interface Snapshot {
  readonly digest: string
  readonly createdMs: number
  readonly groups: Promise<readonly DuplicateGroup[]>
}

/** Where a page ended. Cursors encode it. */
interface Position {
  readonly tier: DuplicateTier
  /** The greatest id of the group. */
  readonly id: PhotoId
}

/** Duplicate and similar photos, from the records: exact ones by sha256, others by the links found when they were analyzed. */
export class Duplicates {
  readonly #components: DuplicatesComponents
  #snapshot: Snapshot | undefined

  constructor(components: DuplicatesComponents) {
    this.#components = components
  }

  /**
   * Groups of photos, strictest tier first, within a tier by newest photo.
   *
   * @param tier - return only groups of this tier
   * @throws `ERR_BAD_CURSOR`
   */
  async list(tier: DuplicateTier | undefined, cursor: string | undefined): Promise<DuplicatePage> {
    const after = cursor === undefined ? undefined : decodePosition(cursor)
    const groups = (await this.#groups()).filter(group => tier === undefined || group.tier === tier)
    const rest = after === undefined ? groups : groups.filter(group => comparePositions(positionOf(group), after) > 0)
    const page = rest.slice(0, GROUPS_PER_PAGE)
    const last = page.at(-1)
    return {
      groups: page,
      coverage: coverageOf(tier === 'exact' ? ALL_SHARDS : this.#components.covered()),
      nextCursor: last === undefined || rest.length <= page.length ? null : encodePosition(positionOf(last))
    }
  }

  /** Live photos that look like this one, best first, without those marked as not duplicates. */
  async linked(id: PhotoId): Promise<readonly LinkedPhoto[]> {
    const { directory } = this.#components
    const stored = directory.getSync({ kind: PHOTO_KIND, id })
    if (stored === undefined) return []
    const own = viewFindings(stored.record)
    const links = new Map(own.links)
    const { records } = await directory.query({ terms: [`link\0${id}`], words: [], limit: LINKED_MAX })
    for (const record of records) {
      const link = viewFindings(record).links.get(id)
      const other = record.id as PhotoId
      if (link !== undefined && link.score > (links.get(other)?.score ?? -1)) links.set(other, link)
    }
    const others = await this.#live([...links.keys()])
    return [...links]
      .flatMap(([photoId, link]) => {
        const findings = others.get(photoId)
        const isLinked = findings !== undefined && !own.unlinks.has(photoId) && !findings.unlinks.has(id)
        return isLinked ? [{ photoId, ...link }] : []
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
    requireLive(viewPhoto(requireRecord(directory, other)))
    await writer.edit(id, (before, photo) => {
      requireLive(photo)
      condition?.({ etag: metaEtag(before) })
      return viewFindings(photo.record).unlinks.has(other) ? undefined : { changes: [unlinkChange(other)] }
    })
    this.#snapshot = undefined
  }

  // --- groups ---

  #groups(): Promise<readonly DuplicateGroup[]> {
    const { directory, clock } = this.#components
    const digest = directory.digest()
    const now = clock.monotonic()
    const current = this.#snapshot
    if (current !== undefined && (current.digest === digest || now < current.createdMs + SNAPSHOT_MS))
      return current.groups
    const snapshot = { digest, createdMs: now, groups: this.#find() }
    this.#snapshot = snapshot
    snapshot.groups.catch(() => {
      if (this.#snapshot === snapshot) this.#snapshot = undefined
    })
    return snapshot.groups
  }

  async #find(): Promise<readonly DuplicateGroup[]> {
    const graph = await this.#graph()
    const groups = [...(await this.#exact()), ...(await groupsOf(graph, 'near')), ...(await groupsOf(graph, 'similar'))]
    return sortInTurns(groups, (a, b) => comparePositions(positionOf(a), positionOf(b)))
  }

  async #exact(): Promise<DuplicateGroup[]> {
    const groups: DuplicateGroup[] = []
    for await (const { ids } of this.#components.directory.repeated(SHA256)) {
      const found = await this.#live(ids)
      for (const group of groupsOfSame(found)) groups.push({ tier: 'exact', photoIds: group.sort(), score: 1 })
    }
    return groups
  }

  async #graph(): Promise<LinkGraph> {
    const { directory } = this.#components
    const found: Edge[] = []
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
        for (const [b, { tier, score }] of viewFindings(record).links) found.push({ a, b, tier, score })
      }
      cursor = page.nextCursor ?? undefined
    } while (cursor !== undefined && found.length < LINKS_MAX)
    const ids = new Set<PhotoId>()
    await eachInTurns(found, ({ a, b }) => ids.add(a).add(b))
    const photos = await this.#live([...ids])
    const edges: Edge[] = []
    await eachInTurns(found, edge => {
      const [one, other] = [photos.get(edge.a), photos.get(edge.b)]
      if (one !== undefined && other !== undefined && !areUnlinked(edge.a, one, edge.b, other)) edges.push(edge)
    })
    return { edges, photos }
  }

  /** @returns sha256 and unlinks of the live photos among these, in the order of the ids */
  async #live(ids: readonly PhotoId[]): Promise<Map<PhotoId, LivePhoto>> {
    const live = new Map<PhotoId, LivePhoto>()
    for (let at = 0; at < ids.length; at += PAGE) {
      const part = ids.slice(at, at + PAGE)
      const stored = await this.#components.directory.getMany(part.map(id => ({ kind: PHOTO_KIND, id })))
      for (const found of stored) {
        const photo = livePhoto(found?.record)
        if (photo === undefined) continue
        live.set(photo.id, { sha256: photo.sha256, unlinks: viewFindings(photo.record).unlinks })
      }
    }
    return live
  }
}

function areUnlinked(a: PhotoId, { unlinks }: LivePhoto, b: PhotoId, other: LivePhoto): boolean {
  return unlinks.has(b) || other.unlinks.has(a)
}

/**
 * Groups among photos of the same bytes: connected by any pair that was not marked as no duplicates. A photo is compared with
 * the first of a group, and with others of it only where it was marked, so time grows with photos and marks and not with pairs.
 */
export function groupsOfSame(photos: ReadonlyMap<PhotoId, LivePhoto>): PhotoId[][] {
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

/**
 * Groups connected by links of this tier or a stricter one.
 *
 * @returns groups that a stricter tier does not already contain
 */
async function groupsOf({ edges, photos }: LinkGraph, tier: LinkTier): Promise<DuplicateGroup[]> {
  const isLink = (edge: Edge): boolean => tier === 'similar' || edge.tier === 'near'
  const connected = new Groups<PhotoId>()
  await eachInTurns(edges, edge => {
    if (isLink(edge)) connected.connect(edge.a, edge.b)
  })
  const scores = new Map<PhotoId, number>()
  const newGroups = new Set<PhotoId>()
  await eachInTurns(edges, edge => {
    if (!isLink(edge)) return
    const { a, b, tier: own, score } = edge
    const group = connected.groupOf(a)
    scores.set(group, Math.min(score, scores.get(group) ?? 1))
    if (own === tier && (tier === 'similar' || photos.get(a)?.sha256 !== photos.get(b)?.sha256)) newGroups.add(group)
  })
  const members = new Map<PhotoId, PhotoId[]>()
  await eachInTurns(photos.keys(), id => {
    const group = connected.groupOf(id)
    if (!newGroups.has(group)) return
    const known = members.get(group)
    if (known === undefined) members.set(group, [id])
    else known.push(id)
  })
  const groups: DuplicateGroup[] = []
  await eachInTurns(members, ([group, ids]) => {
    groups.push({ tier, photoIds: ids.sort(), score: scores.get(group) ?? 0 })
  })
  return groups
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
