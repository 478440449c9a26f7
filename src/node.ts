import { homedir, hostname } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { loneTokenSecret, type TokenKey, tokenKeyOf } from './accounts/token-keys.js'
import { openBackupTarget, requireApart } from './archive/backup-target.js'
import { S3ObjectStore } from './archive/s3-object-store.js'
import { SealingKey } from './archive/sealed-object.js'
import { VolumeArchive } from './archive/volume-archive.js'
import { ClusterStatus } from './cluster/cluster-status.js'
import { Events, type IndexNews } from './cluster/events/events.js'
import { IndexProgress } from './cluster/events/index-progress.js'
import { type Config, isLoopback } from './config.js'
import type { Clock } from './core/clock.js'
import { DataLock } from './core/data-lock.js'
import { type ErrorCode, SheafError, systemErrorCode } from './core/errors.js'
import { exposition } from './core/exposition.js'
import type { FileSystem } from './core/file-system.js'
import { invariant } from './core/invariant.js'
import type { Startable } from './core/lifecycle.js'
import type { Logger, LogLevelSwitch } from './core/log.js'
import { memoryBytes } from './core/memory.js'
import { meteredFileSystem } from './core/metered-file-system.js'
import { MetricsRegistry } from './core/metrics.js'
import { openFilesMax } from './core/open-files.js'
import { newOperatorToken, writeOperatorToken } from './core/operator-token.js'
import type { Random } from './core/random.js'
import type { Tracer } from './core/tracing.js'
import { levelDatabase } from './directory/database.js'
import { RECORD_FORMATS, type RecordFormats } from './domain/formats.js'
import type { NodeId } from './domain/ids.js'
import type { Places } from './domain/places.js'
import { buildHttpApp } from './http/app.js'
import { buildMetricsApp } from './http/metrics-app.js'
import { HttpMeter } from './http/wire/http-meter.js'
import { HttpServer } from './http/wire/server.js'
import { TlsFiles } from './http/wire/tls-files.js'
import { loadIdentity, type NodeIdentity, nodeIdOf, verifySignature } from './identity.js'
import { interfaceAddresses } from './network/addresses/local-addresses.js'
import { deriveSecrets } from './network/libp2p/admission.js'
import { Libp2pTransport } from './network/libp2p/libp2p-transport.js'
import { resolveHost } from './network/membership/join.js'
import { MeteredTransport } from './network/metered-transport.js'
import { ownVersion } from './network/node-version.js'
import type { Transport } from './network/transport.js'
import { describeNode } from './node-metrics.js'
import { NodeServices } from './node-services.js'
import { PlaceTable } from './places/place-table.js'
import { ModelSupply } from './search/model-supply.js'
import { decodingTools } from './similarity/images/decoding-tools.js'
import { ForkedImageProcess } from './similarity/images/forked-image-process.js'
import { QueuedImageAnalyzer } from './similarity/images/queued-image-analyzer.js'
import { HnswIndexes } from './similarity/index/hnsw-indexes.js'
import type { LoadedModel } from './similarity/models/model-spec.js'
import { ModelStore } from './similarity/models/model-store.js'
import { defaultModelsFolder } from './similarity/models/models-folder.js'
import { Ffmpeg } from './similarity/videos/ffmpeg.js'

const DAY_MS = 24 * 3_600_000
/** Of the memory, for vectors, unless the settings say otherwise. */
const VECTOR_SHARE = 0.25
/** As the settings have it: the program of that name on PATH, and none. */
const [DEFAULT_FFMPEG, NO_FFMPEG] = ['ffmpeg', 'off']
/** Where `npm run build` puts what browsers are served; the same from `src` and from `dist`. */
const WEB_FOLDER = fileURLToPath(new URL('../dist/web/', import.meta.url))
const PLACES_FILE = fileURLToPath(new URL('../dist/places.br', import.meta.url))
/** Port of nodes to join that are named without one, if this node's own port was assigned by the system. */
const P2P_PORT = 4001

export interface NodeComponents {
  readonly clock: Clock
  readonly random: Random
  readonly fileSystem: FileSystem
  readonly log: Logger
  /** Absent where it cannot be changed at run time. */
  readonly logLevel?: LogLevelSwitch
}

export interface SheafNodeInit {
  readonly config: Config
  readonly version: string
  /** Neither joins others nor sweeps, compacts or scrubs: its folder is only read. Default: it does. */
  readonly alone?: boolean
  /** Default: those of this version. */
  readonly formats?: RecordFormats
}

/** How to reach a node that serves. */
export interface ReadyInfo {
  /** A URL that clients on this machine can use, or `unix:PATH`. */
  readonly http: string
  /** Multiaddrs that other nodes can dial. */
  readonly p2p: readonly string[]
  readonly nodeId: string
  /** The address of a port for metrics alone. */
  readonly metrics?: string
}

/** One node: wires the services to every adapter (disk, network, HTTP, models). */
export class SheafNode implements Startable {
  readonly #config: Config
  readonly #version: string
  readonly #alone: boolean
  readonly #formats: RecordFormats
  readonly #components: NodeComponents
  readonly #metrics: MetricsRegistry
  readonly #meter: HttpMeter
  /** Undefined: plain HTTP. */
  readonly #tls: TlsFiles | undefined
  /** Parts that have been started, in that order. */
  readonly #started: Startable[] = []
  #ready: ReadyInfo | undefined
  #operatorToken: string | undefined
  #server: HttpServer | undefined
  #places: Places | undefined
  #left: Promise<void> = new Promise(() => {})
  /** The models on this machine; undefined when the node is to do without. */
  #models: ModelStore | undefined

  constructor(components: NodeComponents, init: SheafNodeInit) {
    this.#metrics = new MetricsRegistry(components)
    const syncSeconds = this.#metrics.histogram('sheaf_sync_duration_seconds')
    const fileSystem = meteredFileSystem(components.fileSystem, { clock: components.clock, syncSeconds })
    this.#components = { ...components, fileSystem }
    this.#meter = new HttpMeter({ metrics: this.#metrics, clock: components.clock })
    this.#config = init.config
    this.#version = init.version
    this.#alone = init.alone === true
    this.#formats = init.formats ?? RECORD_FORMATS
    const { tlsCert: certFile, tlsKey: keyFile } = init.config
    if (certFile !== undefined && keyFile !== undefined) this.#tls = new TlsFiles(components, { certFile, keyFile })
  }

  /** Available only while the node serves. */
  get ready(): ReadyInfo {
    invariant(this.#ready !== undefined, 'the node serves')
    return this.#ready
  }

  /** For the one who operates it. Available only while the node serves. */
  get operatorToken(): string {
    invariant(this.#operatorToken !== undefined, 'the node serves')
    return this.#operatorToken
  }

  /** Resolves when this node has left its cluster permanently: its process should then end. Valid once the node serves. */
  get left(): Promise<void> {
    return this.#left
  }

  /** The model that this node is to use. Its files are looked at; nothing is waited for. @returns undefined: none is wanted */
  async model(): Promise<{ readonly name: string; readonly isHere: boolean } | undefined> {
    const { model: name } = this.#config
    if (name === undefined || this.#models === undefined) return undefined
    const models = await this.#models.list().catch(() => []) // what is wrong with them, the log says
    return { name, isHere: models.some(model => model.name === name && model.state === 'ready') }
  }

  /**
   * Locks the data folder, brings the directory up to date with the log, then serves. If a step fails, everything is
   * stopped again.
   *
   * @throws `ERR_DATA_LOCKED`, `ERR_IDENTITY_CORRUPT`, `ERR_FORMAT_TOO_NEW`, `ERR_DISK_WRITE`, `ERR_ADDRESS_IN_USE`,
   * `ERR_CONFIG`
   */
  async start(): Promise<void> {
    const folder = resolve(this.#config.data)
    try {
      if (this.#tls !== undefined) await this.#startPart(this.#tls)
      await this.#startPart(new DataLock({ folder }))
      const identity = await loadIdentity(this.#components, folder)
      this.#components.log.info({ nodeId: identity.nodeId, version: this.#version, folder }, 'starting')
      const tracer = await this.#startTracer(identity.nodeId)
      const transport = this.#alone ? undefined : this.#createTransport(identity)
      this.#places = await this.#readPlaces()
      const ffmpeg = transport && (await this.#findFfmpeg())
      const tokenKeys = transport && (await this.#tokenKeys(folder))
      const services = this.#createServices(folder, identity, { transport, tracer, ffmpeg, tokenKeys })
      this.#describe(services, identity.nodeId, transport)
      await this.#startPart(services)
      this.#left = services.cluster?.decommission.left ?? this.#left
      const { clock, random } = this.#components
      const events = new Events({ directory: services.local.directory, clock, random })
      services.cluster?.onEvent((type, member) => events.note(type, member))
      services.jobs.onChange(job => events.noteJob(job))
      const operatorToken = this.#alone ? newOperatorToken(random) : await writeOperatorToken(this.#components, folder)
      this.#operatorToken = operatorToken
      const server = await this.#createServer(services, events, identity.nodeId as NodeId, { operatorToken, tracer })
      await this.#startPart(server)
      this.#server = server
      const metricsServer = await this.#createMetricsServer()
      if (metricsServer !== undefined) await this.#startPart(metricsServer)
      const supply = this.#createModelSupply(services)
      if (supply !== undefined) await this.#startPart(supply)
      // Started last and so stopped first: the server cannot stop while clients follow the events.
      await this.#startPart(events)
      const { similarity } = services
      if (similarity !== undefined) {
        const status = (): IndexNews => similarity.status()
        await this.#startPart(new IndexProgress({ directory: services.local.directory, events, clock, status }))
      }
      const [http] = server.urls()
      invariant(http !== undefined, 'the server listens')
      const [metrics] = metricsServer?.urls() ?? []
      this.#ready = {
        http,
        p2p: transport?.addresses() ?? [],
        nodeId: identity.nodeId,
        ...(metrics !== undefined && { metrics: `${metrics}/metrics` })
      }
    } catch (err) {
      await this.stop().catch(stopErr =>
        this.#components.log.error({ err: stopErr }, 'could not stop cleanly after the start failed')
      )
      const bySystem = !(err instanceof SheafError) && systemErrorCode(err) !== undefined
      throw bySystem ? folderError(folder, err) : err
    }
    this.#components.log.info({ ...this.#ready }, 'ready')
  }

  /** Stops accepting requests, waits for running ones, and closes the data folder so that the next start is fast. */
  async stop(): Promise<void> {
    this.#ready = undefined
    for (let part = this.#started.pop(); part !== undefined; part = this.#started.pop()) await part.stop()
  }

  async #startPart(part: Startable): Promise<void> {
    // Registered first: a part that fails to start may already hold resources, and stopping an unstarted part is harmless.
    this.#started.push(part)
    await part.start()
  }

  /** Its libraries are loaded only when somebody wants traces. @returns undefined: nobody does */
  async #startTracer(nodeId: string): Promise<Tracer | undefined> {
    const { otlp: endpoint, otlpRatio: ratio, name } = this.#config
    if (endpoint === undefined || this.#alone) return undefined
    const { OtlpTracer } = await import('./telemetry/otlp-tracer.js')
    const tracer = new OtlpTracer(this.#components, { endpoint, ratio, nodeId, name, version: this.#version })
    await this.#startPart(tracer)
    return tracer
  }

  #createTransport({ privateKey }: NodeIdentity): Libp2pTransport {
    const { p2p, advertise, mdns, clusterName, clusterKeys } = this.#config
    return new Libp2pTransport(this.#components, {
      privateKey,
      listen: p2p,
      advertise,
      mdns,
      clusterName,
      clusterKeys: clusterKeys.map(key => Buffer.from(key)),
      version: ownVersion(this.#version, this.#formats)
    })
  }

  /** What signs sessions: every node of a cluster has the same keys, and a node that has no key of a cluster its own. */
  async #tokenKeys(folder: string): Promise<readonly [TokenKey, ...TokenKey[]]> {
    const { clusterName, clusterKeys } = this.#config
    if (clusterKeys.length === 0) return [tokenKeyOf(await loneTokenSecret(this.#components, folder))]
    const { secrets } = await deriveSecrets(
      clusterName,
      clusterKeys.map(key => Buffer.from(key))
    )
    const [first, ...others] = secrets.map(tokenKeyOf)
    invariant(first !== undefined, 'a cluster key has a secret')
    return [first, ...others]
  }

  /** @returns undefined when the node is configured without a model */
  #createModelSupply({ similarity }: NodeServices): ModelSupply | undefined {
    const { clock, log } = this.#components
    const { model: name, models } = this.#config
    if (name === undefined || similarity === undefined) return undefined
    const { env: environment, platform } = process
    const folder = models ?? defaultModelsFolder({ environment, platform, home: homedir() })
    const store = new ModelStore({ ...this.#components, environment, fetch }, { folder })
    this.#models = store
    const lastServing = () => similarity.models.lastServing()
    const use = (model: LoadedModel, previous?: LoadedModel) => similarity.useModel(model, previous)
    return new ModelSupply({ store, lastServing, use, clock, log }, { name })
  }

  /** @returns undefined when the node is configured without one */
  #createArchive(): VolumeArchive | undefined {
    const { archive, archiveKeyLines } = this.#config
    if (archive === undefined || this.#alone) return undefined
    const { clock } = this.#components
    const store = new S3ObjectStore({ now: () => clock.now() }, archive)
    return new VolumeArchive({ store, clock }, { keys: archiveKeyLines.map(line => new SealingKey(line)) })
  }

  /** @returns undefined when it is not there, or not wanted: other nodes make pictures of videos then */
  async #findFfmpeg(): Promise<Ffmpeg | undefined> {
    const { ffmpeg: program } = this.#config
    const { log } = this.#components
    if (program === NO_FFMPEG) return undefined
    try {
      return await Ffmpeg.find(program)
    } catch (err) {
      const message = 'no ffmpeg, so no pictures of videos are made here'
      if (program === DEFAULT_FFMPEG) log.debug({ err }, message)
      else log.warn({ err }, message)
      return undefined
    }
  }

  #createServices(
    folder: string,
    identity: NodeIdentity,
    parts: {
      readonly transport: Libp2pTransport | undefined
      readonly tracer: Tracer | undefined
      readonly ffmpeg: Ffmpeg | undefined
      readonly tokenKeys: readonly [TokenKey, ...TokenKey[]] | undefined
    }
  ): NodeServices {
    const {
      name,
      join: joinAt,
      joinIsDefault,
      p2p,
      volumeBytes,
      purgeDays,
      maxUploadBytes,
      minCopies,
      requireCookie,
      cacheBytes,
      cacheTtl,
      vectorBytes,
      heic
    } = this.#config
    const { clock, random, log, fileSystem } = this.#components
    const archive = this.#createArchive()
    const { archive: s3, archiveKeyLines: keyLines } = this.#config
    const metrics = this.#metrics
    const { transport: libp2p, tracer, ffmpeg, tokenKeys } = parts
    const { auth, signup, clusterName, clusterKeys } = this.#config
    const isOpen = clusterKeys.length === 0 && !isLoopback(p2p.host)
    const tools = decodingTools({ heic, ffmpeg: ffmpeg !== undefined })
    const transport: Transport | undefined = libp2p && new MeteredTransport(libp2p, { metrics, clock })
    return new NodeServices(
      {
        ...this.#components,
        metrics,
        tracer,
        places: this.#places && { table: this.#places, isWanted: this.#config.places },
        ...(archive !== undefined && { archive }),
        ...(tokenKeys !== undefined && {
          accounts: { tokenKeys, init: { cluster: clusterName, auth, signup, node: name, isOpen } }
        }),
        openBackup: target => {
          requireApart(target, { folder, archive: s3 })
          return openBackupTarget(target, this.#components, { s3, keyLines })
        },
        database: levelDatabase(join(folder, 'directory'), this.#components.fileSystem),
        sign: bytes => identity.sign(bytes),
        verifySignature,
        ...(transport && {
          similarity: {
            analyzer: new QueuedImageAnalyzer({
              clock,
              log,
              tools,
              startProcess: () => ForkedImageProcess.start({ clock, log, tools })
            }),
            ffmpeg,
            indexes: new HnswIndexes(
              { fileSystem, random, log },
              { folder: join(folder, 'similarity'), bytesMax: vectorBytes ?? memoryBytes() * VECTOR_SHARE }
            )
          },
          network: {
            transport,
            resolve: resolveHost,
            nodeOf: origin => nodeIdOf(origin) as NodeId,
            http: () => this.#config.advertiseHttp ?? this.#server?.publicOrigins(interfaceAddresses) ?? [],
            init: {
              name,
              version: this.#version,
              join: joinAt,
              joinIsDefault,
              defaultPort: p2p.port === 0 ? P2P_PORT : p2p.port
            }
          }
        })
      },
      {
        folder,
        nodeId: identity.nodeId,
        origin: identity.publicKey,
        volumeBytes,
        purgeMs: purgeDays * DAY_MS,
        formats: this.#formats,
        maxUploadBytes,
        minCopies,
        requireCookie,
        cache: { bytesMax: cacheBytes, ttlMs: cacheTtl * 1_000 },
        upkeep: transport !== undefined
      }
    )
  }

  /** @returns undefined where the build has left it out: then photos are not found by names of places */
  async #readPlaces(): Promise<Places | undefined> {
    const packed = await this.#components.fileSystem.readFile(PLACES_FILE)
    if (packed !== undefined) return PlaceTable.unpack(packed)
    this.#components.log.warn({ file: PLACES_FILE }, 'there is no table of places, so photos are not found by them')
    return undefined
  }

  async #createServer(
    services: NodeServices,
    events: Events,
    nodeId: NodeId,
    { operatorToken, tracer }: { readonly operatorToken: string; readonly tracer: Tracer | undefined }
  ): Promise<HttpServer> {
    const { clock, random, log, logLevel, fileSystem } = this.#components
    const { photos, lists, maintenance, laidOut, jobs, batches, similarity, archiving, backup } = services
    const {
      http,
      allowHost,
      trustProxy,
      legacyApi,
      maxUploadBytes,
      name,
      metrics: metricsAt,
      metricsToken
    } = this.#config
    const ownHosts = http.flatMap(({ host }) => (host === undefined ? [] : [host]))
    const cluster = new ClusterStatus(
      {
        clock,
        space: () => services.local.space(),
        purgedToMs: () => services.local.purgedToMs(),
        ...(services.cluster && {
          membership: services.cluster.membership,
          lagBytes: member => services.cluster?.lagBytes(member),
          departures: services.cluster.departures,
          format: services.cluster.format
        })
      },
      { nodeId, name, version: this.#version }
    )
    const app = await buildHttpApp(
      {
        photos,
        lists,
        albums: services.albums,
        shares: services.shares,
        viewers: services.viewers,
        ...(services.accounts !== undefined && { accounts: services.accounts }),
        maintenance,
        laidOut,
        cluster,
        jobs,
        batches,
        events,
        clock,
        random,
        log,
        ...(logLevel !== undefined && { logLevel }),
        meter: this.#meter,
        tracer,
        ...(metricsAt === undefined && { scrape: () => this.#scrape() }),
        ...(this.#places !== undefined && this.#config.places && { places: this.#places }),
        webFile: path => fileSystem.readFile(join(WEB_FOLDER, path)),
        unready: () => services.unready(),
        ...(similarity !== undefined && { similarity }),
        ...(archiving !== undefined && { archiving }),
        ...(backup !== undefined && { backup })
      },
      {
        nodeId,
        version: this.#version,
        hostName: hostname(),
        allowHosts: [...allowHost, ...ownHosts],
        trustProxies: trustProxy,
        legacyApi,
        operatorToken,
        maxUploadBytes,
        openFilesMax: await openFilesMax(fileSystem),
        metricsToken
      }
    )
    return new HttpServer({ app, clock, log, ...(this.#tls !== undefined && { tls: this.#tls }) }, { listen: http })
  }

  #describe(services: NodeServices, nodeId: string, transport: Libp2pTransport | undefined): void {
    const { clock } = this.#components
    const refusals = () => transport?.refusals ?? new Map<ErrorCode, number>()
    const space = () => services.local.space()
    const certificateEndsAtMs = () => this.#tls?.endsAtMs
    const components = { metrics: this.#metrics, services, clock, refusals, space, certificateEndsAtMs }
    describeNode(components, { nodeId, version: this.#version })
  }

  /** @returns undefined where the metrics are served with everything else */
  async #createMetricsServer(): Promise<HttpServer | undefined> {
    const { metrics: address, metricsToken: token } = this.#config
    if (address === undefined) return undefined
    const { clock, random, log } = this.#components
    const onProblem = (code: ErrorCode): void => this.#meter.problem(code)
    const app = await buildMetricsApp({ scrape: () => this.#scrape(), onProblem, clock, random, log }, { token })
    const tls = this.#tls
    return new HttpServer({ app, clock, log, ...(tls && { tls }) }, { listen: [address], flag: '--metrics' })
  }

  async #scrape(): Promise<string> {
    return exposition(await this.#metrics.collect())
  }
}

function folderError(folder: string, cause: unknown): SheafError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new SheafError('ERR_DISK_WRITE', `the data folder ${folder} cannot be used (${reason}); see --data`, { cause })
}
