import type { ArchiveStatus } from '../../admin/archiving.js'
import type { Job } from '../../admin/jobs.js'
import type { LaidOutCount, LaidOutItem } from '../../admin/laid-out-items.js'
import type { NodeStatus, VolumeReport } from '../../admin/maintenance.js'
import type { ReplicationStatus } from '../../cluster/cluster.js'
import type { ClusterMember } from '../../cluster/cluster-status.js'
import type { ClusterEvent } from '../../cluster/events/events.js'
import type { Progress } from '../../core/progress.js'
import type { Order } from '../../directory/index-keys.js'
import type { Timeline, TimelineBucket } from '../../directory/timeline.js'
import type { Album } from '../../domain/album.js'
import { takenAtText } from '../../domain/date-text.js'
import { neutralName } from '../../domain/file-name.js'
import { viewLooks } from '../../domain/findings.js'
import { formatHlc, hlcMs } from '../../domain/hlc.js'
import { pairOf } from '../../domain/pairs.js'
import { type Photo, placeOfPhoto } from '../../domain/photo.js'
import { cameraOf, type Place } from '../../domain/photo-facts.js'
import { isVisual } from '../../domain/photo-kind.js'
import type { PlaceNames, Places } from '../../domain/places.js'
import { SIZE_NAMES, sizeState } from '../../domain/size-states.js'
import { traitsOf } from '../../domain/traits.js'
import type { ListedAlbum } from '../../photos/albums/albums.js'
import type { MergeReport } from '../../photos/duplicate-merge.js'
import type { LibraryStats, TrashedPhoto } from '../../photos/library-lists.js'
import type { CacheStats } from '../../photos/photo-cache.js'
import type {
  BatchOutcome,
  KnownPhoto,
  ListedPhoto,
  PhotoConflict,
  PhotoPage,
  UploadReceipt
} from '../../photos/photo-types.js'
import type { SimilarityStatus } from '../../search/similarity-types.js'

/*
 * JSON of answers: snake_case, times in RFC 3339 UTC, null for unknown values. The matching schemas are in `schemas/`; a test
 * checks real answers against them.
 */

export function receiptJson(receipt: UploadReceipt): object {
  return {
    photo_id: receipt.photoId,
    logical_volume: receipt.logicalVolume,
    cookie: receipt.cookie,
    size: receipt.size,
    sha256: receipt.sha256,
    content_type: receipt.contentType,
    copies: receipt.copies
  }
}

/** The record's fields; equal on all nodes that merged the same writes. The cookie is only in the upload receipt. */
export function photoJson(listed: Omit<ListedPhoto, 'copies'>): object {
  const json = wholePhotoJson(listed)
  if (listed.isBare !== true) return json
  const shown = Object.fromEntries(Object.entries(json).filter(([key]) => OF_THE_PICTURE.has(key)))
  return { ...shown, ...WITHOUT_FACTS, name: neutralName(listed.photo.id) }
}

/** What whoever sees only the picture is told of it. */
const OF_THE_PICTURE: ReadonlySet<string> = new Set([
  'photo_id',
  'content_type',
  'size',
  'sha256',
  'width',
  'height',
  'aspect',
  'state',
  'image_error',
  'sizes',
  'thumbhash',
  'created_at',
  'partners',
  'part_of',
  'generation',
  'logical_volume',
  'variants',
  'version'
])
const WITHOUT_FACTS = {
  taken_at: null,
  taken_at_source: null,
  taken_at_precision: null,
  taken_at_zone_source: null,
  place: null,
  file_time: null,
  source: null,
  zone: null,
  imported_from: null,
  traits: [],
  tags: [],
  albums: [],
  album_ids: [],
  caption: null,
  rating: null,
  favourite: false,
  archived: false,
  attributes: {},
  owner: null
}

function wholePhotoJson({ photo, albums, owner }: Omit<ListedPhoto, 'copies'>): object {
  return {
    photo_id: photo.id,
    name: photo.name,
    content_type: photo.contentType,
    size: photo.size,
    sha256: photo.sha256,
    width: photo.width ?? null,
    height: photo.height ?? null,
    aspect: aspectOf(photo),
    taken_at: photo.takenAt === undefined ? null : takenAtText(photo.takenAt),
    taken_at_source: photo.takenAt?.source ?? null,
    taken_at_precision: photo.takenAt?.precision ?? null,
    taken_at_zone_source: photo.takenAt?.zoneSource ?? null,
    place: placeJson(photo),
    file_time: timeOrNull(photo.file.ms),
    source: photo.file.source ?? null,
    zone: photo.file.zone ?? null,
    imported_from: photo.file.importedFrom ?? null,
    ...lookJson(photo),
    created_at: timeJson(hlcMs(photo.createdAt)),
    ...pairJson(photo),
    traits: traitsOf(photo),
    tags: photo.tags,
    albums: albums.titles,
    album_ids: albums.ids,
    caption: photo.caption ?? null,
    rating: photo.rating ?? null,
    favourite: photo.marks.has('favourite'),
    archived: photo.marks.has('archived'),
    attributes: Object.fromEntries(photo.attributes),
    owner: owner === undefined ? null : { user_id: owner.id, name: owner.name ?? null },
    generation: photo.generation,
    logical_volume: photo.logicalVolume,
    variants: Object.fromEntries(
      Array.from(photo.variants, ([alt, { size, sha256, contentType }]) => [
        alt,
        { size, sha256, content_type: contentType }
      ])
    ),
    version: {
      hlc: formatHlc(photo.version.hlc),
      vector_clock: Object.fromEntries(photo.context),
      actor: photo.version.actor
    }
  }
}

function pairJson({ record }: Photo): object {
  const { of, parts } = pairOf(record)
  return { partners: parts, part_of: of ?? null }
}

/** How much there is to see, and why not more. */
function lookJson(photo: Photo): object {
  const { image } = viewLooks(photo.record)
  return {
    state: isVisual(photo.contentType) ? (image?.state ?? 'pending') : null,
    image_error: image?.error ?? null,
    sizes: Object.fromEntries(SIZE_NAMES.map(alt => [alt, sizeState(photo, alt)])),
    thumbhash: base64(image?.thumbhash)
  }
}

function base64(bytes: Uint8Array | undefined): string | null {
  if (bytes === undefined || bytes.length === 0) return null
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}

/** Width by height, in thousandths. */
function aspectOf({ width, height }: Photo): number | null {
  return width === undefined || height === undefined ? null : Math.round((1_000 * width) / height) / 1_000
}

/** With what and where a picture was taken. */
export function circumstancesJson(
  { photo, isBare }: Pick<ListedPhoto, 'photo' | 'isBare'>,
  places: Places | undefined
): object {
  if (isBare === true) return { camera: null, place: null }
  const place = placeOfPhoto(photo)
  return {
    camera: snakeCase(cameraOf(photo.record) ?? null),
    place: place === undefined ? null : { ...placeJson(photo), ...namesJson(places?.near(place)) }
  }
}

function namesJson(names: PlaceNames | undefined): object {
  return { name: names?.name ?? null, region: names?.region ?? null, country: names?.countries[0] ?? null }
}

/** Where a photo was taken, and who says so. */
function placeJson(photo: Photo): object | null {
  const place = placeOfPhoto(photo)
  if (place === undefined) return null
  const bySource = photo.file.place === undefined ? 'file' : 'import'
  return { ...pointJson(place), source: photo.setPlace === undefined ? bySource : 'user' }
}

function pointJson({ latitude, longitude, altitude }: Place): object {
  return { lat: latitude, lon: longitude, alt: altitude ?? null }
}

export function metaJson({ copies, ...photo }: ListedPhoto): object {
  return { ...photoJson(photo), copies }
}

export function trashedJson({ deletedAtMs, purgeAfterMs, isRestorable, ...listed }: TrashedPhoto): object {
  const [deleted_at, purge_after] = [deletedAtMs, purgeAfterMs].map(timeJson)
  return { ...metaJson(listed), deleted_at, purge_after, restorable: isRestorable }
}

export function albumJson({ name, album, count, cover, span, place }: ListedAlbum): object {
  const local = (ms: number | undefined): string | null => (ms === undefined ? null : timeJson(ms).slice(0, -1))
  return {
    album_id: album?.id ?? null,
    name,
    caption: album?.caption ?? null,
    count,
    cover: cover ?? null,
    from: local(span?.fromMs),
    to: local(span?.toMs),
    created_at: timeOrNull(album?.createdAtMs),
    parent: place?.parent ?? null,
    inherits: place?.inherits ?? false,
    conflicts: album?.conflicts ?? 0
  }
}

export function statsJson({ counts, kinds, types, states, ratings, months }: LibraryStats): object {
  const object = (map: ReadonlyMap<string, number>): object => Object.fromEntries(map)
  return {
    ...(snakeCase(counts) as object),
    kinds: object(kinds),
    types: object(types),
    states: object(states),
    ratings: object(ratings),
    months: object(months)
  }
}

export function timelineJson({ total, revision, buckets }: Timeline): object {
  return {
    total,
    revision,
    buckets: buckets.map(({ key, from, to, count, revision: of }) => ({ key, from, to, count, revision: of }))
  }
}

/** Columns, since a thousand objects would be four times as many bytes. */
export function bucketJson({ revision, tiles }: TimelineBucket, order: Order): object {
  return {
    revision,
    photo_ids: tiles.map(({ id }) => id),
    aspects: tiles.map(({ aspect }) => aspect ?? null),
    [order === 'taken' ? 'taken_s' : 'added_s']: tiles.map(({ ms }) => Math.floor(ms / 1_000)),
    flags: tiles.map(({ flags }) => flags),
    hashes: tiles.map(({ thumbhash }) => base64(thumbhash))
  }
}

export function pageJson({ photos, total, isTotalExact, nextCursor }: PhotoPage): object {
  return { photos: photos.map(metaJson), total, total_exact: isTotalExact, next_cursor: nextCursor }
}

export function knownJson(known: ReadonlyMap<string, KnownPhoto>): object {
  return Object.fromEntries(Array.from(known, ([sha256, { photoId, state }]) => [sha256, { photo_id: photoId, state }]))
}

function versionJson({ hlc, actor }: PhotoConflict['version']): object {
  return { hlc: formatHlc(hlc), actor }
}

export function albumConflictJson({ title, caption, cover, deleted, version }: Album, n: number): object {
  return {
    n,
    name: title,
    caption: caption ?? null,
    cover: cover ?? null,
    deleted,
    version: versionJson(version)
  }
}

export function conflictJson(conflict: PhotoConflict): object {
  return {
    n: conflict.n,
    name: conflict.name,
    caption: conflict.caption ?? null,
    rating: conflict.rating ?? null,
    taken_at: conflict.takenAt === undefined ? null : takenAtText(conflict.takenAt),
    place: conflict.place === undefined ? null : pointJson(conflict.place),
    deleted: conflict.deleted,
    version: versionJson(conflict.version)
  }
}

/** What a batch did with a photo. */
export type BatchDone = 'deleted' | 'restored' | 'updated' | 'emptied' | 'exhumed' | 'added' | 'removed' | 'remembered'

export function batchJson(done: BatchDone, outcomes: readonly BatchOutcome[]): object {
  return { results: outcomesJson(done, outcomes) }
}

export function outcomesJson(done: BatchDone, outcomes: readonly BatchOutcome[]): object[] {
  return outcomes.map(({ photoId, error }) =>
    error === undefined ? { photo_id: photoId, status: done } : { photo_id: photoId, status: 'failed', code: error }
  )
}

export function mergeJson({ gained, albums, outcomes }: MergeReport): object {
  return {
    merged: {
      tags: gained.tags,
      albums: albums.map(({ id, name }) => ({ album_id: id ?? null, name })),
      rating: gained.rating ?? null,
      caption: gained.caption ?? null,
      favourite: gained.favourite,
      unarchived: gained.unarchived
    },
    results: outcomes.map(({ photoId, state, error }) => ({
      photo_id: photoId,
      status: state === 'was-deleted' ? 'was_deleted' : state,
      ...(error !== undefined && { code: error })
    }))
  }
}

export function volumeJson(report: VolumeReport): object {
  return {
    logical_volume: report.volume,
    state: report.state,
    head: { length: report.head.bytes, digest: report.head.digest },
    size_bytes: report.bytes,
    capacity_bytes: report.capacityBytes,
    needles: report.needles,
    live_bytes: report.liveBytes,
    dead_bytes: report.deadBytes,
    holes: report.holes.map(({ from, to, reason }) => ({ from, to, reason })),
    copies: report.copies
  }
}

export function statusJson(node: { readonly nodeId: string; readonly version: string }, status: NodeStatus): object {
  return {
    node_id: node.nodeId,
    version: node.version,
    photos: status.photos,
    bytes: status.bytes,
    volumes: status.volumes,
    directory_digest: status.directoryDigest,
    newer_format_records: status.opaqueRecords,
    damaged_bytes: status.damagedBytes,
    disk: { free_bytes: status.disk.freeBytes, total_bytes: status.disk.totalBytes },
    ...(status.similarity !== undefined && similarityJson(status.similarity)),
    ...(status.replication !== undefined && replicationJson(status.replication))
  }
}

function similarityJson({ model, vectors, pending, shardsLeftOut, tools }: SimilarityStatus): object {
  return {
    model: model?.name ?? null,
    model_id: model?.id ?? null,
    index: { vectors, pending, shards_left_out: shardsLeftOut },
    tools
  }
}

function replicationJson({ repair, oldestUnreplicatedMs }: ReplicationStatus): object {
  return {
    repair: { backlog_bytes: repair.backlogBytes, bytes_per_s: repair.bytesPerSecond, eta_s: repair.etaS ?? null },
    oldest_unreplicated_s: oldestUnreplicatedMs === undefined ? null : Math.round(oldestUnreplicatedMs / 1000)
  }
}

export function memberJson(member: ClusterMember): object {
  const { lastSeenAtMs, joinedAtMs, disk } = member
  return {
    id: member.id,
    name: member.name,
    addresses: member.addresses,
    self: member.self,
    state: member.state,
    last_seen: timeOrNull(lastSeenAtMs),
    joined_at: timeOrNull(joinedAtMs),
    lag_bytes: member.lagBytes ?? null,
    disk:
      disk === undefined
        ? null
        : { free_bytes: disk.freeBytes, total_bytes: disk.totalBytes, full: disk.isFull ?? false },
    version: member.version ?? null,
    record_formats: member.formats === undefined ? null : [member.formats.min, member.formats.max],
    clock_skew_ms: member.clockSkewMs ?? null,
    purged_to: timeOrNull(member.purgedToMs),
    http: member.http ?? [],
    started_at: timeOrNull(member.startedAtMs),
    photos: member.photos ?? null,
    directory_digest: member.directoryDigest ?? null,
    bytes_per_s: member.bytesPerS ?? null,
    eta_s: member.etaS ?? null
  }
}

export function laidOutJson(item: LaidOutItem): object {
  return {
    kind: item.kind,
    photo_id: item.id,
    generation: item.generation,
    from: item.from ?? null,
    died_at: timeJson(item.diedAtMs),
    until: timeOrNull(item.untilMs),
    was_deleted: item.wasDeleted,
    name: item.name
  }
}

export function laidOutCountJson({ from, count, untilMs }: LaidOutCount): object {
  return { from: from ?? null, count, until: timeOrNull(untilMs) }
}

export function cacheStatsJson({ items, bytes, bytesMax, ttlMs, hits, misses }: CacheStats): object {
  return { items, bytes, max_bytes: bytesMax, ttl_s: Math.floor(ttlMs / 1_000), hits, misses }
}

export function archiveStatusJson(status: ArchiveStatus): object {
  return {
    state: status.state,
    error: status.error ?? null,
    encrypted: status.isSealed,
    volumes: status.volumes,
    archived_volumes: status.archivedVolumes,
    behind_bytes: status.behindBytes,
    behind_s: Math.floor(status.behindMs / 1_000),
    seen_at: timeOrNull(status.seenAtMs)
  }
}

export function jobJson(job: Job): object {
  return { ...jobStateJson(job), result: snakeCase(job.result ?? null) }
}

export function jobStateJson(job: Job): object {
  return {
    job_id: job.id,
    kind: job.kind,
    state: job.state,
    progress: progressJson(job.progress),
    stoppable: job.isStoppable,
    created_at: timeJson(job.createdAtMs),
    finished_at: timeOrNull(job.finishedAtMs),
    error: job.error ?? null
  }
}

function progressJson(progress: Progress | undefined): object | null {
  return progress === undefined ? null : { ...progress, total: progress.total ?? null }
}

/** What it is about, and when this node learned of it. */
export function eventJson(event: ClusterEvent): object {
  const at = timeJson(event.atMs)
  if ('photoId' in event) return { photo_id: event.photoId, at }
  if ('nodeId' in event) return { node_id: event.nodeId, at }
  if ('index' in event) return { indexed: event.index.vectors, pending: event.index.pending, at }
  const { id, kind, state, progress } = event.job
  return { job_id: id, kind, state, progress: progressJson(progress), at }
}

export function timeJson(ms: number): string {
  return new Date(ms).toISOString()
}

export function timeOrNull(ms: number | undefined): string | null {
  return ms === undefined ? null : timeJson(ms)
}

/** Converts the keys of plain data to snake_case, and undefined to null. */
function snakeCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snakeCase)
  if (typeof value !== 'object' || value === null) return value ?? null
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`),
      snakeCase(inner)
    ])
  )
}
