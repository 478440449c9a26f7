import type { Accounts } from '../../accounts/accounts.js'
import type { Adoptions } from '../../admin/adoptions.js'
import type { Archiving } from '../../admin/archiving.js'
import type { Backup } from '../../admin/backup.js'
import type { Batches } from '../../admin/batches.js'
import type { Jobs } from '../../admin/jobs.js'
import type { LaidOutItems } from '../../admin/laid-out-items.js'
import type { Maintenance } from '../../admin/maintenance.js'
import type { ClusterStatus } from '../../cluster/cluster-status.js'
import type { Events } from '../../cluster/events/events.js'
import type { Clock } from '../../core/clock.js'
import type { SheafError } from '../../core/errors.js'
import type { Logger, LogLevelSwitch } from '../../core/log.js'
import type { Random } from '../../core/random.js'
import type { Tracer } from '../../core/tracing.js'
import type { Places } from '../../domain/places.js'
import type { AlbumShares } from '../../photos/albums/album-shares.js'
import type { Albums } from '../../photos/albums/albums.js'
import type { LibraryLists } from '../../photos/library-lists.js'
import type { Photos } from '../../photos/photos.js'
import type { Viewers } from '../../photos/viewers/viewers.js'
import type { Similarity } from '../../search/similarity.js'
import type { ReadWebFile } from '../web/page-files.js'
import type { HttpMeter } from '../wire/http-meter.js'
import type { HttpTimeouts } from '../wire/timeouts.js'

/** What the HTTP API uses. Picks, so that tests can pass literals. */
export interface HttpComponents {
  readonly photos: Pick<
    Photos,
    | 'as'
    | 'upload'
    | 'addSize'
    | 'open'
    | 'openHot'
    | 'openMotion'
    | 'cacheStats'
    | 'meta'
    | 'patch'
    | 'remove'
    | 'undelete'
    | 'conflicts'
    | 'restore'
    | 'list'
    | 'batchDelete'
    | 'batchEdit'
    | 'batchUndelete'
    | 'batchPurge'
    | 'emptyTrash'
    | 'known'
    | 'lookUp'
    | 'mergeDuplicates'
    | 'exhume'
    | 'dump'
  >
  readonly maintenance: Pick<
    Maintenance,
    | 'verify'
    | 'verifyAllPeers'
    | 'repair'
    | 'scrub'
    | 'compact'
    | 'rebuildDirectory'
    | 'leave'
    | 'status'
    | 'volumes'
    | 'volumeStats'
  >
  readonly lists: Pick<LibraryLists, 'as' | 'labels' | 'trash' | 'stats' | 'timeline' | 'timelineBucket'>
  /** Absent where nobody can have one: on a node that only reads a folder. */
  readonly accounts?: Pick<
    Accounts,
    | 'isRequired'
    | 'haveBeen'
    | 'admins'
    | 'authenticate'
    | 'remembered'
    | 'users'
    | 'groups'
    | 'sessions'
    | 'apiKeys'
    | 'tokens'
    | 'invites'
    | 'signups'
    | 'links'
  >
  readonly albums: Pick<
    Albums,
    | 'as'
    | 'list'
    | 'titles'
    | 'get'
    | 'create'
    | 'edit'
    | 'move'
    | 'remove'
    | 'undelete'
    | 'exhume'
    | 'conflicts'
    | 'restore'
    | 'change'
    | 'makeReal'
  >
  /** What each person sees. */
  readonly viewers: Pick<Viewers, 'of' | 'linksInForce' | 'isInForce'>
  readonly shares: Pick<AlbumShares, 'list' | 'give' | 'take' | 'setOwner'>
  readonly laidOut: Pick<LaidOutItems, 'list' | 'counts' | 'release' | 'isAlbum'>
  /** Absent where photos are not analyzed. */
  readonly similarity?: {
    readonly search: Pick<Similarity['search'], 'as' | 'byImage' | 'byText' | 'byPhoto'>
    readonly duplicates: Pick<Similarity['duplicates'], 'as' | 'list' | 'linked' | 'unlink' | 'tellApart' | 'forget'>
  }
  readonly cluster: Pick<ClusterStatus, 'members' | 'recordFormat' | 'remove'>
  readonly jobs: Pick<Jobs, 'get' | 'list' | 'cancel'>
  /** Changes all photos of a list. */
  readonly batches: Pick<Batches, 'run'>
  /** Gives somebody photos that belong to nobody. */
  readonly adoptions: Pick<Adoptions, 'start'>
  /** Names of places. Absent: they are shown by numbers only. */
  readonly places?: Places
  /** Absent where a node cannot be backed up. */
  readonly backup?: Pick<Backup, 'start'>
  /** Absent where there is no archive. */
  readonly archiving?: Pick<Archiving, 'status' | 'verify' | 'restore'>
  readonly events: Pick<Events, 'follow' | 'recent'>
  readonly clock: Clock
  readonly random: Pick<Random, 'bytes'>
  readonly log: Logger
  /** Absent where it cannot be changed. */
  readonly logLevel?: LogLevelSwitch
  /** Reads what browsers are served. Absent: there are no pages. */
  readonly webFile?: ReadWebFile
  /** Counts and times requests. Default: nothing does. */
  readonly meter?: HttpMeter
  /** Traces requests, but for hot reads and what watches a node. Default: nothing does. */
  readonly tracer?: Tracer | undefined
  /** The text of `GET /metrics`; absent where another port serves it. */
  readonly scrape?: () => Promise<string>
  /** Why the node cannot serve now (the log is still being replayed, the disk fails); undefined when it can. */
  readonly unready: () => SheafError | undefined
}

export interface HttpInit {
  readonly nodeId: string
  /** Sheaf's version. */
  readonly version: string
  /** The machine's own name, which browsers may use in `Host`. */
  readonly hostName: string
  /** Further host names, without port, under which browsers may reach this node, e.g. a reverse proxy's. */
  readonly allowHosts?: readonly string[]
  /** Proxies whose X-Forwarded-For, -Host and -Proto are believed: IP addresses, CIDRs or `unix`. */
  readonly trustProxies?: readonly string[]
  /** What only the operator may do needs it. */
  readonly operatorToken: string
  /** Larger uploads are refused before they are read. */
  readonly maxUploadBytes: number
  /** The paths of older designs are there as well. Default: they are not. */
  readonly legacyApi?: boolean | undefined
  /** Files and sockets that the process may have open; default: more than enough. */
  readonly openFilesMax?: number | undefined
  /** What a scrape of the metrics has to show. Default: nothing. */
  readonly metricsToken?: string | undefined
  /** For tests. */
  readonly timeouts?: Partial<HttpTimeouts>
}
