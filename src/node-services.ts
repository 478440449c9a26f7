import { Accounts, type AccountsComponents, type AccountsInit } from './accounts/accounts.js'
import { Adoptions } from './admin/adoptions.js'
import { Archiving, type ArchivingInit } from './admin/archiving.js'
import { Backup } from './admin/backup.js'
import { Batches } from './admin/batches.js'
import { ClosedAccounts } from './admin/closed-accounts.js'
import { Jobs } from './admin/jobs.js'
import { LaidOutItems } from './admin/laid-out-items.js'
import { Maintenance } from './admin/maintenance.js'
import type { VolumeArchive } from './archive/volume-archive.js'
import { Cluster, type ClusterComponents, type ClusterInit } from './cluster/cluster.js'
import type { Clock } from './core/clock.js'
import { SheafError } from './core/errors.js'
import type { FileSystem } from './core/file-system.js'
import type { Startable } from './core/lifecycle.js'
import type { Logger } from './core/log.js'
import type { Random } from './core/random.js'
import type { GroupGrantee } from './domain/acl.js'
import type { PhotoId, UserId } from './domain/ids.js'
import { PHOTO_KIND } from './domain/photo.js'
import type { Settings } from './domain/settings-record.js'
import { NO_QUOTA } from './domain/user.js'
import type { Transport } from './network/transport.js'
import { AlbumCatalog } from './photos/albums/album-catalog.js'
import { AlbumPlaces } from './photos/albums/album-places.js'
import { AlbumShares } from './photos/albums/album-shares.js'
import { Albums } from './photos/albums/albums.js'
import { LibraryLists } from './photos/library-lists.js'
import { Pairing } from './photos/pairing.js'
import { PhotoCache, type PhotoCacheInit } from './photos/photo-cache.js'
import { PhotoReader, untakenBudget } from './photos/photo-reader.js'
import { copiesOn, Photos, type PhotosInit } from './photos/photos.js'
import { Quotas } from './photos/quotas.js'
import { UploadSpool, type UploadSpoolInit } from './photos/upload-spool.js'
import { KnownAlbums } from './photos/viewers/known-albums.js'
import { Viewers } from './photos/viewers/viewers.js'
import { Similarity } from './search/similarity.js'
import type { ImageAnalyzer } from './similarity/images/image-analyzer.js'
import type { VectorIndexes } from './similarity/index/vector-index.js'
import type { Ffmpeg } from './similarity/videos/ffmpeg.js'
import { LocalStore, type LocalStoreComponents, type LocalStoreInit } from './store/local-store.js'

const CHUNK_BYTES_MAX = 8 * 1024 * 1024
/** The chunk size is chosen so that a volume holds at least this many chunks. */
const CHUNKS_PER_VOLUME_MIN = 8
const NO_CACHE: PhotoCacheInit = { bytesMax: 0, ttlMs: 1 }
const BEYOND = 'the cluster has a later record format than this program reads; upgrade this node'

export interface NodeServicesComponents
  extends Pick<LocalStoreComponents, 'database' | 'places' | 'sign' | 'verifySignature' | 'metrics' | 'tracer'> {
  readonly fileSystem: FileSystem
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  /** Image analysis and vector search; without it photos are not analyzed. */
  readonly similarity?: {
    readonly analyzer: ImageAnalyzer
    readonly ffmpeg?: Ffmpeg | undefined
    readonly indexes: VectorIndexes
  }
  /** Accounts; without it nobody can have one. */
  readonly accounts?: {
    readonly tokenKeys: AccountsComponents['tokenKeys']
    readonly init: AccountsInit & {
      /** Any host that reaches this node could write itself an account: there is no cluster key. */
      readonly isOpen: boolean
    }
  }
  /** Opens where a backup is to be; without it there are none. @throws for a malformed target */
  readonly openBackup?: (target: string) => VolumeArchive
  /** Where volumes are archived; without it they are not. */
  readonly archive?: VolumeArchive
  /** Connects to other nodes; without it the node runs alone. */
  readonly network?: {
    readonly transport: Transport
    readonly resolve: ClusterComponents['resolve']
    readonly nodeOf: ClusterComponents['nodeOf']
    readonly http?: NonNullable<ClusterComponents['http']>
    readonly init: ClusterInit
  }
}

/** What all uploads share; each bound has its default. */
export type UploadBounds = Pick<PhotosInit, 'uploadsInFlightBytesMax' | 'readBackBytesMax'> &
  Omit<UploadSpoolInit, 'folder'>

export interface NodeServicesInit extends LocalStoreInit {
  readonly maxUploadBytes: number
  readonly minCopies: number
  readonly requireCookie: boolean
  /** For bytes that other nodes sent. Default: they are not kept. */
  readonly cache?: PhotoCacheInit
  /** Tightened in tests only. */
  readonly uploads?: UploadBounds
  /** Names the node in its backups; default: none. */
  readonly nodeId?: string
  /** Shortened in tests only. */
  readonly archivePauses?: ArchivingInit['pauses']
}

/** The services of one node, wired together: local store, cluster, photos, search, jobs and maintenance. */
export class NodeServices implements Startable {
  readonly local: LocalStore
  /** Undefined when the node runs alone. */
  readonly cluster: Cluster | undefined
  readonly photos: Photos
  readonly lists: LibraryLists
  readonly albums: Albums
  readonly shares: AlbumShares
  readonly viewers: Viewers
  /** Undefined where nobody can have an account. */
  readonly accounts: Accounts | undefined
  readonly #isOpen: boolean
  /** Undefined when photos are not analyzed. */
  readonly similarity: Similarity | undefined
  readonly laidOut: LaidOutItems
  readonly jobs: Jobs
  readonly batches: Batches
  readonly adoptions: Adoptions
  /** Undefined where there is no archive. */
  readonly archiving: Archiving | undefined
  /** Undefined where there are no backups. */
  readonly backup: Backup | undefined
  readonly maintenance: Maintenance
  readonly #spool: UploadSpool
  readonly #pairing: Pairing
  readonly #closedAccounts: ClosedAccounts
  readonly #albumCatalog: AlbumCatalog
  #started = false

  constructor(components: NodeServicesComponents, init: NodeServicesInit) {
    const { fileSystem, clock, random, log, network } = components
    const { folder, volumeBytes, purgeMs, maxUploadBytes, minCopies, requireCookie } = init
    // The cluster depends on the local store; these callbacks give the store what only the cluster knows.
    const local = new LocalStore(
      {
        ...components,
        admit: () => this.cluster?.decommission.admit(),
        clusterFormat: () => this.cluster?.format.current ?? this.local.directory.formats.min,
        undoMs: () => this.cluster?.roll.undoPeriodMs() ?? purgeMs,
        burialRank: key => this.cluster?.burialRank(key) ?? 0,
        burialObstacle: () => this.cluster?.burialObstacle(),
        ...(network && { nodeOf: network.nodeOf }),
        compactionOwnership: () =>
          this.cluster?.compactionOwner.ownership() ?? (volume => this.local.volumes.isOwn(volume))
      },
      init
    )
    this.local = local
    const { volumes, directory, writer, verdicts, inspector, compactor, sweep, scrubber } = local
    const space = () => local.space()
    const cluster =
      network &&
      new Cluster(
        {
          ...network,
          tracer: components.tracer,
          hybridClock: local.hybridClock,
          volumes,
          copies: local.copies,
          reserve: local.reserve,
          directory,
          past: local.past,
          writer,
          verdicts,
          clock,
          random,
          log,
          space,
          indexes: () => this.similarity?.models.heartbeatIndexes() ?? [],
          tools: () => this.similarity?.tools ?? [],
          purgedToMs: () => local.purgedToMs(),
          ageMs: () => local.age.now(),
          onPeerAge: (peer, ageMs) => local.age.notePeer(peer, ageMs),
          onRound: () => {
            local.age.noteRound()
            local.laidOut.settleIn()
          },
          hasCompared: () => local.age.roundAt !== undefined
        },
        network.init,
        { purgeMs }
      )
    this.cluster = cluster
    // What clients read is worth keeping; what is read once to be analyzed is not.
    const untaken = untakenBudget()
    const cache = new PhotoCache({ store: volumes, clock, untaken }, init.cache ?? NO_CACHE)
    const reader = new PhotoReader({ store: volumes, log, remote: cluster?.reads })
    const cachedReader = new PhotoReader({ store: volumes, log, remote: cluster?.reads, cache, untaken })
    const fetchRecord = cluster && ((id: PhotoId) => cluster.records.fetch({ kind: PHOTO_KIND, id }))
    this.#spool = new UploadSpool({ fileSystem, clock, reserve: local.reserve }, { ...init.uploads, folder })
    const catalog = new AlbumCatalog({ directory, log })
    this.#albumCatalog = catalog
    const owners = { nameOf: (id: UserId) => this.accounts?.users.nameOf(id) }
    const quotas = new Quotas({ directory, quotaOf: id => this.accounts?.users.quotaOf(id) ?? NO_QUOTA })
    this.photos = Photos.create(
      {
        store: volumes,
        directory,
        actor: () => volumes.epoch,
        clock,
        random,
        log,
        writer,
        reader: cachedReader,
        cache,
        spool: this.#spool,
        albums: catalog,
        owners,
        quotas,
        logicalVolume: () => volumes.logicalVolume,
        laidOut: local.laidOut,
        ...(cluster !== undefined && { copies: cluster.durableCopies }),
        ...(fetchRecord !== undefined && { fetchRecord })
      },
      { ...init.uploads, chunkBytes: chunkBytesFor(volumeBytes), maxUploadBytes, minCopies, requireCookie }
    )
    const unowned = (): Settings['unowned'] => this.accounts?.settings.unowned ?? 'everyone'
    const known = new KnownAlbums({ directory, unowned, clock })
    this.albums = new Albums({
      directory,
      writer,
      catalog,
      places: new AlbumPlaces({ directory, writer, catalog, known }),
      photos: this.photos,
      laidOut: local.laidOut,
      clock,
      random
    })
    this.#isOpen = components.accounts?.init.isOpen === true
    this.accounts =
      components.accounts &&
      new Accounts(
        {
          directory,
          writer,
          clock,
          random,
          log,
          tokenKeys: components.accounts.tokenKeys,
          isOpenCluster: () => this.#isOpen,
          ...(cluster && {
            fetchRecord: key => cluster.records.fetch(key),
            cutSinceMs: () => cluster.cutSinceMs()
          })
        },
        components.accounts.init
      )
    const groupsOf = (id: UserId): readonly GroupGrantee[] => this.accounts?.groups.of(id) ?? []
    this.viewers = new Viewers({
      directory,
      albums: known,
      clock,
      log,
      groupsOf,
      links: this.accounts?.links,
      isOpen: id => this.accounts?.users.isOpen(id) === true
    })
    this.shares = new AlbumShares({
      directory,
      writer,
      clock,
      known,
      unowned,
      isOpen: id => this.accounts?.users.isOpen(id) === true,
      groupsOf,
      isGroup: id => this.accounts?.groups.nameOf(id) !== undefined
    })
    this.lists = new LibraryLists({
      directory,
      albums: catalog,
      owners,
      clock,
      copies: cluster?.durableCopies ?? copiesOn(reader),
      undoLeftMs: death => local.laidOut.undoLeftMs(death)
    })
    const similarity =
      components.similarity &&
      new Similarity(
        {
          ...components.similarity,
          directory,
          reader,
          writer,
          viewers: this.viewers,
          fileSystem,
          onNeedles: listener => volumes.onGrowth(listener),
          isReplicating: () => (cluster?.shipping.progress().backlogBytes ?? 0) > 0,
          membership: cluster?.membership,
          transport: cluster?.transport,
          tracer: components.tracer,
          fetchRecord,
          clock,
          random,
          log
        },
        { folder }
      )
    this.similarity = similarity
    this.#pairing = new Pairing({
      directory,
      writer,
      clock,
      log,
      ...(cluster && { rank: term => cluster.rankFor(term) })
    })
    this.#closedAccounts = new ClosedAccounts({
      directory,
      photos: this.photos,
      albums: this.albums,
      shares: this.shares,
      viewers: this.viewers,
      writer,
      closed: nowMs => this.accounts?.users.closedFor(nowMs) ?? [],
      wipe: async (id, heir) => this.accounts?.wipe(id, heir),
      isOpen: id => this.accounts?.users.isOpen(id) === true,
      clock,
      log,
      ...(cluster && { rank: id => cluster.rankFor(`closed ${id}`) })
    })
    this.laidOut = new LaidOutItems({ laidOut: local.laidOut, clock })
    this.jobs = new Jobs({ clock, random, log })
    this.batches = new Batches({
      jobs: this.jobs,
      find: (list, viewer, signal) => this.lists.as(viewer).selected(list, signal)
    })
    this.adoptions = new Adoptions({ directory, writer, jobs: this.jobs })
    this.archiving =
      components.archive &&
      new Archiving(
        {
          archive: components.archive,
          volumes,
          copies: local.copies,
          jobs: this.jobs,
          clock,
          log,
          isRetired: volume => verdicts.isRetired(volume),
          rankOf: volume => cluster?.archiveRank(volume) ?? 0,
          heldByPeers: volume => cluster?.heldByPeers(volume) ?? 0
        },
        { purgeMs, ...(init.archivePauses && { pauses: init.archivePauses }) }
      )
    this.backup =
      components.openBackup &&
      new Backup(
        {
          volumes,
          jobs: this.jobs,
          fileSystem,
          clock,
          log,
          isRetired: volume => verdicts.isRetired(volume),
          open: components.openBackup
        },
        { folder, nodeId: init.nodeId ?? '' }
      )
    this.maintenance = new Maintenance({
      jobs: this.jobs,
      directory,
      volumes,
      inspector,
      compactor,
      sweep,
      scrubber,
      cluster,
      ...(similarity !== undefined && { similarity: () => similarity.status() }),
      secureRecords: signal => verdicts.secureRecords(signal),
      refill: prepare => local.refill(prepare),
      space
    })
  }

  async start(): Promise<void> {
    await this.local.start()
    await this.#spool.start()
    await this.#albumCatalog.start()
    await this.accounts?.start()
    await this.viewers.start()
    if (this.#isOpen && this.accounts?.haveBeen === true) throw new SheafError('ERR_CLUSTER_KEY_NEEDED')
    await this.cluster?.start()
    await this.similarity?.start()
    await this.#pairing.start()
    await this.#closedAccounts.start()
    await this.archiving?.start()
    this.#started = true
  }

  async stop(): Promise<void> {
    this.#started = false
    await this.jobs.stop()
    await this.archiving?.stop()
    await this.#closedAccounts.stop()
    await this.#pairing.stop()
    await this.similarity?.stop()
    await this.cluster?.stop()
    await this.viewers.stop()
    await this.accounts?.stop()
    await this.#albumCatalog.stop()
    await this.local.stop()
  }

  /** @returns the reason why the node cannot serve now; undefined if it can */
  unready(): SheafError | undefined {
    const { state, formats } = this.local.directory
    if (this.cluster?.format.isBeyond === true) {
      const details = { cluster_format: this.cluster.format.current, formats: [formats.min, formats.max] }
      return new SheafError('ERR_FORMAT_TOO_NEW', BEYOND, { details })
    }
    if (this.#started && state === 'open') return undefined
    return new SheafError('ERR_DIRECTORY_UNAVAILABLE', undefined, { details: { state } })
  }
}

function chunkBytesFor(volumeBytes: number): number {
  return Math.min(CHUNK_BYTES_MAX, 2 ** Math.floor(Math.log2(volumeBytes / CHUNKS_PER_VOLUME_MIN)))
}
