import { hash } from 'node:crypto'
import type { Server } from 'node:http'
import { join } from 'node:path'
import { MemoryLevel } from 'memory-level'
import { Accounts } from '../../src/accounts/accounts.js'
import { tokenKeyOf } from '../../src/accounts/token-keys.js'
import { Adoptions } from '../../src/admin/adoptions.js'
import { Batches, type BatchesInit } from '../../src/admin/batches.js'
import { Jobs } from '../../src/admin/jobs.js'
import { LaidOutItems } from '../../src/admin/laid-out-items.js'
import type { VolumeReport } from '../../src/admin/maintenance.js'
import { ClusterStatus } from '../../src/cluster/cluster-status.js'
import { Events } from '../../src/cluster/events/events.js'
import { systemClock } from '../../src/core/clock.js'
import { SheafError } from '../../src/core/errors.js'
import { exposition } from '../../src/core/exposition.js'
import type { DiskSpace } from '../../src/core/file-system.js'
import { type Logger, type LogLevelSwitch, silentLog } from '../../src/core/log.js'
import { MetricsRegistry } from '../../src/core/metrics.js'
import { nodeFileSystem } from '../../src/core/node-file-system.js'
import { systemRandom } from '../../src/core/random.js'
import { Directory } from '../../src/directory/directory.js'
import type { GroupGrantee } from '../../src/domain/acl.js'
import { encodeFeatures, modelIdOf } from '../../src/domain/features.js'
import { featuresChange } from '../../src/domain/findings.js'
import { type Hlc, HybridClock } from '../../src/domain/hlc.js'
import { type NodeId, newActorId, type PhotoId, type UserId } from '../../src/domain/ids.js'
import type { Signup } from '../../src/domain/invite.js'
import { PHOTO_KIND } from '../../src/domain/photo.js'
import type { Settings } from '../../src/domain/settings-record.js'
import { buildHttpApp } from '../../src/http/app.js'
import type { HttpComponents } from '../../src/http/native/components.js'
import { HttpMeter } from '../../src/http/wire/http-meter.js'
import { HttpServer } from '../../src/http/wire/server.js'
import type { HttpTimeouts } from '../../src/http/wire/timeouts.js'
import { AlbumCatalog } from '../../src/photos/albums/album-catalog.js'
import { AlbumPlaces } from '../../src/photos/albums/album-places.js'
import { AlbumShares } from '../../src/photos/albums/album-shares.js'
import { Albums } from '../../src/photos/albums/albums.js'
import { LibraryLists } from '../../src/photos/library-lists.js'
import { PhotoCache } from '../../src/photos/photo-cache.js'
import { PhotoReader } from '../../src/photos/photo-reader.js'
import { copiesOn, Photos } from '../../src/photos/photos.js'
import { Quotas } from '../../src/photos/quotas.js'
import { UploadSpool } from '../../src/photos/upload-spool.js'
import { KnownAlbums } from '../../src/photos/viewers/known-albums.js'
import type { Viewer } from '../../src/photos/viewers/viewer.js'
import { Viewers } from '../../src/photos/viewers/viewers.js'
import { Similarity } from '../../src/search/similarity.js'
import { LaidOut } from '../../src/store/laid-out.js'
import { dataDraft } from '../../src/store/photo-needles.js'
import { RecordWriter } from '../../src/store/record-writer.js'
import { ExactVectorIndexes } from './exact-vector-indexes.js'
import { HttpClient } from './http-client.js'
import { MemoryNeedleStore } from './memory-needle-store.js'
import { REPOSITORY } from './node-process.js'
import { SimulatedDisk } from './simulated-disk.js'
import { SimulatedFileSystem } from './simulated-file-system.js'
import { VectorAnalyzer } from './vector-analyzer.js'

/** Of every node that a test starts in its own process. */
export const OPERATOR_TOKEN = '0123456789abcdef'.repeat(4)
const UNDO_MS = 30 * 24 * 3_600_000

export interface HttpFixtureInit {
  readonly chunkBytes?: number
  readonly maxUploadBytes?: number
  readonly requireCookie?: boolean
  readonly timeouts?: Partial<HttpTimeouts>
  readonly allowHosts?: readonly string[]
  readonly trustProxies?: readonly string[]
  readonly stopMsMax?: number
  /** Wraps the services, e.g. to make one fail. */
  readonly photos?: (photos: Photos) => HttpComponents['photos']
  readonly log?: Logger
  /** Default: what `npm run build` has put together. */
  readonly webFile?: HttpComponents['webFile']
  /** Default: a lone node. */
  readonly cluster?: HttpComponents['cluster']
  /** What a scrape has to show. */
  readonly metricsToken?: string
  /** Default: there is none. */
  readonly archiving?: HttpComponents['archiving']
  readonly backup?: HttpComponents['backup']
  /** Anybody could join the cluster, so nobody can have an account. */
  readonly openCluster?: boolean
  /** Who may make an account for himself. */
  readonly signup?: Signup
  readonly legacyApi?: boolean
  /** How many photos are changed before there is a job. */
  readonly batches?: Partial<BatchesInit>
  /** The node has kept up with others, so that it is an alarm when graves end what lives here. */
  readonly keptUp?: boolean
}

/** A real HTTP server on loopback over the real services, with needles and directory in memory. */
export interface HttpFixture {
  readonly url: string
  readonly port: number
  readonly client: HttpClient
  readonly store: MemoryNeedleStore
  readonly directory: Directory
  readonly photos: Photos
  /** There are none at first, so requests need none. */
  readonly accounts: Accounts
  readonly jobs: Jobs
  readonly events: Events
  readonly similarity: Similarity
  /** Sees what `vectorImage` makes, once a model is in use. */
  readonly analyzer: VectorAnalyzer
  readonly writer: RecordWriter
  /** What graves have ended. A new node keeps nothing of it: this one is none. */
  readonly laidOut: LaidOut
  /** What the server counts. */
  readonly metrics: MetricsRegistry
  /** Graves of another node come in. */
  bury(from: string, ...ids: readonly string[]): Promise<void>
  /** Writes what the backlog writes when the analyzer's model has seen a photo as this vector. */
  see(id: string, vector: readonly number[]): Promise<void>
  readonly server: HttpServer
  /** Node's own server, for its events: `request`, `clientError`. */
  readonly nodeServer: Server
  /** Open connections, the client's own kept-alive ones included. */
  connectionCount(): Promise<number>
  /** Set to make the node unready. */
  unready: SheafError | undefined
  readonly logLevel: LogLevelSwitch
  close(): Promise<void>
}

export async function startHttp(init: HttpFixtureInit = {}): Promise<HttpFixture> {
  const log = init.log ?? silentLog
  const epoch = newActorId(systemRandom)
  const hybridClock = new HybridClock({ clock: systemClock })
  const level = new MemoryLevel<Uint8Array, Uint8Array>({
    keyEncoding: 'view',
    valueEncoding: 'view',
    storeEncoding: 'view'
  })
  const database = {
    open: async () => {
      await level.open()
      return level
    },
    remove: () => level.clear()
  }
  const age = (): number => Math.floor(systemClock.monotonic())
  const laidOut: LaidOut = new LaidOut(
    {
      fileSystem: new SimulatedFileSystem(new SimulatedDisk({ folders: ['/laid'] })),
      clock: systemClock,
      log,
      age,
      since: ageMs => age() - ageMs,
      roundAt: () => (init.keptUp === true ? age() : undefined),
      undoMs: () => UNDO_MS,
      photos: () => directory.count('all'),
      isOwn: () => false,
      nameOf: from => from
    },
    '/laid/out'
  )
  const observe = (stamp: Hlc): void => hybridClock.observe(stamp)
  const directory: Directory = new Directory({ database, log, observe, age, guard: laidOut })
  directory.onChange(changes => {
    for (const { after } of changes) if (after !== undefined) laidOut.noteShown(after) // as the local store does
  })
  await directory.start()
  directory.complete()
  const store = new MemoryNeedleStore({ epoch, onCommit: group => directory.apply(group) })
  const maxUploadBytes = init.maxUploadBytes ?? 2 ** 40
  const actor = () => epoch
  const writer = new RecordWriter({ store, directory, hybridClock, random: systemRandom, actor })
  const reader = new PhotoReader({ store, log })
  const cache = new PhotoCache({ store, clock: systemClock }, { bytesMax: 0, ttlMs: 1 })
  const catalog = new AlbumCatalog({ directory, log })
  await catalog.start()
  const owners = { nameOf: (id: UserId) => accounts.users.nameOf(id) }
  const photos = Photos.create(
    {
      store,
      directory,
      clock: systemClock,
      random: systemRandom,
      writer,
      reader,
      cache,
      spool: await uploadSpool(),
      albums: catalog,
      owners,
      quotas: new Quotas({ directory, quotaOf: id => accounts.users.quotaOf(id) }),
      actor,
      log,
      logicalVolume: () => store.volume,
      laidOut
    },
    { chunkBytes: init.chunkBytes ?? 8 * 1024 * 1024, maxUploadBytes, requireCookie: init.requireCookie ?? false }
  )
  const accounts: Accounts = new Accounts(
    {
      directory,
      writer,
      clock: systemClock,
      random: systemRandom,
      log,
      tokenKeys: [tokenKeyOf(systemRandom.bytes(32))],
      isOpenCluster: () => init.openCluster === true
    },
    {
      cluster: 'sheaf',
      auth: 'auto',
      signup: init.signup,
      node: 'box',
      hashingCost: { memoryKiB: 8, passes: 1, lanes: 1 }
    }
  )
  await accounts.start()
  const groupsOf = (id: UserId): readonly GroupGrantee[] => accounts.groups.of(id)
  const unowned = (): Settings['unowned'] => accounts.settings.unowned
  const isOpen = (id: UserId): boolean => accounts.users.isOpen(id)
  const { links } = accounts
  const known = new KnownAlbums({ directory, clock: systemClock, unowned })
  const viewers = new Viewers({ directory, albums: known, clock: systemClock, log, groupsOf, links, isOpen })
  await viewers.start()
  const jobs = new Jobs({ clock: systemClock, random: systemRandom, log })
  const events = new Events({ directory, clock: systemClock, random: systemRandom })
  await events.start()
  jobs.onChange(job => events.noteJob(job))
  const analyzer = new VectorAnalyzer('0123456789abcdef'.repeat(4))
  const similarity = new Similarity(
    {
      directory,
      reader,
      writer,
      viewers,
      analyzer,
      onNeedles: () => () => {},
      indexes: new ExactVectorIndexes(),
      isReplicating: () => false,
      fileSystem: new SimulatedFileSystem(new SimulatedDisk({ folders: ['/data'] })),
      clock: systemClock,
      random: systemRandom,
      log
    },
    { folder: '/data' }
  )
  await similarity.start()
  const metrics = new MetricsRegistry({ log })
  const lists = new LibraryLists({
    directory,
    albums: catalog,
    owners,
    clock: systemClock,
    copies: copiesOn(reader),
    undoLeftMs: () => 86_400_000
  })
  const fixture = { unready: undefined as SheafError | undefined, logLevel: { level: 'info' } as LogLevelSwitch }
  const app = await buildHttpApp(
    {
      photos: init.photos?.(photos) ?? photos,
      albums: new Albums({
        directory,
        writer,
        catalog,
        places: new AlbumPlaces({ directory, writer, catalog, known }),
        photos,
        clock: systemClock,
        random: systemRandom
      }),
      shares: new AlbumShares({
        directory,
        writer,
        clock: systemClock,
        known,
        unowned,
        isOpen: id => accounts.users.isOpen(id),
        groupsOf,
        isGroup: id => accounts.groups.nameOf(id) !== undefined
      }),
      accounts,
      viewers,
      lists,
      maintenance: maintenanceOf(jobs, directory, store),
      similarity,
      laidOut: new LaidOutItems({ laidOut, clock: systemClock }),
      cluster: init.cluster ?? aloneStatus(),
      ...(init.archiving && { archiving: init.archiving }),
      ...(init.backup && { backup: init.backup }),
      jobs,
      batches: new Batches(
        { jobs, find: (list, viewer, signal) => lists.as(viewer).selected(list, signal) },
        init.batches
      ),
      adoptions: new Adoptions({ directory, writer, jobs }),
      events,
      clock: systemClock,
      random: systemRandom,
      log,
      meter: new HttpMeter({ metrics, clock: systemClock }),
      scrape: async () => exposition(await metrics.collect()),
      logLevel: fixture.logLevel,
      unready: () => fixture.unready,
      webFile: init.webFile ?? (path => nodeFileSystem.readFile(join(REPOSITORY, 'dist', 'web', path)))
    },
    {
      nodeId: '12D3KooWTest',
      version: '0.0.0',
      hostName: 'box.example',
      operatorToken: OPERATOR_TOKEN,
      maxUploadBytes,
      metricsToken: init.metricsToken,
      legacyApi: init.legacyApi,
      ...(init.allowHosts === undefined ? {} : { allowHosts: init.allowHosts }),
      ...(init.trustProxies === undefined ? {} : { trustProxies: init.trustProxies }),
      ...(init.timeouts === undefined ? {} : { timeouts: init.timeouts })
    }
  )
  const server = new HttpServer(
    { app, clock: systemClock, log },
    { listen: [{ host: '127.0.0.1', port: 0 }], stopMsMax: init.stopMsMax ?? 2_000 }
  )
  await server.start()
  const nodeServer = server.servers[0] as Server
  const port = server.address()?.port ?? 0
  const url = `http://127.0.0.1:${port}`
  const client = new HttpClient(url, { operatorToken: OPERATOR_TOKEN })
  const close = async (): Promise<void> => {
    client.close()
    await events.stop()
    await server.stop()
    await similarity.stop()
    await jobs.stop()
    await accounts.stop()
    await directory.stop()
  }
  const see = async (id: string, vector: readonly number[]): Promise<void> => {
    await writer.edit(id as PhotoId, (_, photo) => {
      const bytes = encodeFeatures(analyzer.featuresOf(vector))
      const sha256 = hash('sha256', bytes, 'hex')
      const { generation } = photo
      const name = { id: photo.id, generation, part: 'features', sha256 } as const
      return {
        changes: [featuresChange(modelIdOf(analyzer.digest), { sha256, size: bytes.length })],
        needles: [dataDraft(photo, name, 0, false, bytes)]
      }
    })
  }
  const bury = async (from: string, ...ids: readonly string[]): Promise<void> => {
    const graves = ids.map(id => ({ kind: PHOTO_KIND, id, generation: 0 }))
    await directory.mergeGraves(graves, from as NodeId)
  }
  const connectionCount = (): Promise<number> =>
    new Promise((resolve, reject) => nodeServer.getConnections((err, count) => (err ? reject(err) : resolve(count))))
  return Object.assign(fixture, {
    url,
    port,
    client,
    store,
    directory,
    photos,
    accounts,
    jobs,
    events,
    similarity,
    analyzer,
    writer,
    laidOut,
    metrics,
    bury,
    see,
    server,
    nodeServer,
    connectionCount,
    close
  })
}

/** Long work that does nothing, and fails where a test wants to see that. */
function maintenanceOf(jobs: Jobs, directory: Directory, store: MemoryNeedleStore): HttpComponents['maintenance'] {
  const check = async (): Promise<object> => ({ needles: store.needles.length, bytes: 0, faults: [] })
  const report = async (): Promise<VolumeReport> => ({
    volume: store.volume,
    state: 'active',
    capacityBytes: 1_000_000_000,
    bytes: 256,
    head: { bytes: 256, digest: '00'.repeat(16) },
    needles: store.needles.length,
    liveBytes: 0,
    deadBytes: 0,
    holes: [{ from: 8, to: 16, reason: 'corrupt', foundAt: 0 }],
    copies: 1
  })
  return {
    verify: () => jobs.start('verify', check),
    verifyAllPeers: () => jobs.start('verify-all-peers', check),
    repair: () => jobs.start('repair', async () => ({ repairedBytes: 0, faults: [] })),
    scrub: () => jobs.start('scrub', check),
    compact: isNow =>
      jobs.start(isNow === true ? 'compact-now' : 'compact', async progress => {
        progress({ done: 1, total: undefined, unit: 'volumes' })
        return { volumes: 1, movedBytes: 0, freedBytes: 42 }
      }),
    leave: () => jobs.start('leave', async () => ({ acknowledgedBy: 0 })),
    rebuildDirectory: () =>
      jobs.start('rebuild-directory', async () => {
        throw new SheafError('ERR_DISK_READ', 'planted')
      }),
    status: async () => ({
      photos: directory.count('all'),
      bytes: 256,
      volumes: 1,
      directoryDigest: directory.digest(),
      opaqueRecords: 0,
      damagedBytes: 8,
      replication: undefined,
      disk: { freeBytes: 1_000_000, totalBytes: 2_000_000 }
    }),
    volumes: async () => [await report()],
    volumeStats: async id => (id === store.volume ? await report() : undefined)
  }
}

function aloneStatus(): ClusterStatus {
  const space = async (): Promise<DiskSpace> => ({ freeBytes: 1_000_000, totalBytes: 2_000_000 })
  return new ClusterStatus(
    { clock: systemClock, space, purgedToMs: () => Date.UTC(2026, 10, 20) },
    { nodeId: '12D3KooWTest' as NodeId, name: 'box', version: '0.0.0' }
  )
}

/** The services with some methods replaced. */
export function wrapped(photos: Photos, methods: Partial<Photos>): Photos {
  return new Proxy(photos, {
    get: (target, name) => {
      if (name === 'as') return (viewer: Viewer) => wrapped(target.as(viewer), methods)
      if (name in methods) return methods[name as keyof typeof methods]
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    }
  })
}

async function uploadSpool(): Promise<UploadSpool> {
  const fileSystem = new SimulatedFileSystem(new SimulatedDisk({ folders: ['/data'] }))
  const spool = new UploadSpool(
    { fileSystem, clock: systemClock, reserve: { admit: async () => {} } },
    { folder: '/data' }
  )
  await spool.start()
  return spool
}
