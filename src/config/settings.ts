import { LOG_LEVELS } from '../core/log.js'
import {
  byteSize,
  decimal,
  hostList,
  httpOrigins,
  httpUrl,
  integer,
  line,
  listenAddress,
  listenList,
  networkList,
  objectPrefix,
  oneOf,
  onOff,
  path,
  peerList,
  peerListenAddress,
  publicAddresses,
  type ValueKind
} from './values.js'

/** One setting of a node. Its flag, environment variable and key in the configuration file are {@link settingNames}. */
export interface Setting<T> {
  readonly kind: ValueKind<T>
  /** Stands for the value in the help; undefined: the flag may stand alone and then means `on`. */
  readonly placeholder: string | undefined
  /** As a user would write it; undefined: not set. */
  readonly default: string | undefined
  /** The default in words, where `default` does not say it. */
  readonly defaultShown?: string
  readonly meaning: string
  /** Only where it differs from the rule. */
  readonly environment?: string
}

export interface SettingNames {
  readonly flag: string
  readonly environment: string
  readonly key: string
}

const MIB = 2 ** 20
/** Needle offsets are kept as 32-bit multiples of 8 bytes. */
const VOLUME_BYTES_MAX = 2 ** 35
const UPLOAD_BYTES_MAX = 2 ** 50
const CACHE_BYTES_MAX = 2 ** 40
const VECTOR_BYTES_MAX = 2 ** 44

/** In the order in which people read them. */
export const SETTINGS = {
  data: setting({
    kind: path,
    placeholder: 'DIR',
    default: './data',
    meaning: 'what the node keeps; locked while it runs'
  }),
  http: setting({
    kind: listenList,
    placeholder: 'HOST:PORT',
    default: '127.0.0.1:8000',
    meaning: 'where to serve HTTP, or unix:PATH; may be given again; port 0 picks one'
  }),
  advertiseHttp: setting({
    kind: httpOrigins,
    placeholder: 'URL',
    default: undefined,
    defaultShown: 'where it listens',
    meaning: 'where browsers find this node'
  }),
  tlsCert: setting({
    kind: path,
    placeholder: 'FILE',
    default: undefined,
    defaultShown: 'none',
    meaning: 'certificate with its chain, PEM: serve HTTPS instead; read again when it changes'
  }),
  tlsKey: setting({
    kind: path,
    placeholder: 'FILE',
    default: undefined,
    defaultShown: 'none',
    meaning: 'its private key, PEM'
  }),
  allowHost: setting({
    kind: hostList,
    placeholder: 'NAMES',
    default: undefined,
    defaultShown: 'none',
    meaning:
      'names by which browsers may reach this node, as behind a proxy; IP addresses, names without a dot and the host name always work'
  }),
  trustProxy: setting({
    kind: networkList,
    placeholder: 'CIDR,…',
    default: undefined,
    defaultShown: 'none',
    meaning: 'proxies whose X-Forwarded-For, -Host and -Proto are believed: IP addresses, CIDRs, or unix'
  }),
  name: setting({
    kind: line(255),
    placeholder: 'TEXT',
    default: undefined,
    defaultShown: 'host name',
    meaning: 'name for people, need not be unique'
  }),
  minCopies: setting({
    kind: integer(1, 1_000),
    placeholder: 'N',
    default: '1',
    meaning: 'durable copies before an upload is acknowledged'
  }),
  requireCookie: setting({
    kind: onOff,
    placeholder: undefined,
    default: 'off',
    meaning: "reads need the photo's cookie"
  }),
  volumeBytes: setting({
    kind: byteSize(MIB, '1Mi', VOLUME_BYTES_MAX, '32Gi'),
    placeholder: 'N',
    default: '1000000000',
    meaning: 'volume capacity; rollover at 95 %'
  }),
  purgeDays: setting({
    kind: decimal(0, 36_500),
    placeholder: 'N',
    default: '30',
    meaning: "days a deleted photo's bytes may stay on disk"
  }),
  maxUploadBytes: setting({
    kind: byteSize(1, '1', UPLOAD_BYTES_MAX, '1024Ti'),
    placeholder: 'N',
    default: '5Ti',
    meaning: 'larger uploads get 413 before they are read'
  }),
  cacheBytes: setting({
    kind: byteSize(0, '0', CACHE_BYTES_MAX, '1Ti'),
    placeholder: 'N',
    default: '64Mi',
    meaning: 'memory for bytes that other nodes sent; 0: none'
  }),
  cacheTtl: setting({
    kind: integer(1, 31_536_000),
    placeholder: 'SECONDS',
    default: '3600',
    meaning: 'how long such bytes are kept at most'
  }),
  vectorBytes: setting({
    kind: byteSize(0, '0', VECTOR_BYTES_MAX, '16Ti'),
    placeholder: 'N',
    default: undefined,
    defaultShown: 'a quarter of the memory',
    meaning: 'memory for vectors of photos; beyond it, this node searches fewer'
  }),
  p2p: setting({
    kind: peerListenAddress,
    placeholder: 'HOST:PORT',
    default: undefined,
    defaultShown: '`0.0.0.0:4001`; `127.0.0.1:4001` when `--http` is loopback and `--join` is not given',
    meaning: 'where peers connect, by TCP; port 0 picks one'
  }),
  advertise: setting({
    kind: publicAddresses,
    placeholder: 'HOST[:PORT]',
    default: undefined,
    defaultShown: 'the address that routes to the peers',
    meaning: 'address to tell peers, or several by commas'
  }),
  join: setting({
    kind: peerList,
    placeholder: 'A,B,…',
    default: undefined,
    defaultShown: '`sheaf` when p2p is not loopback, else none',
    meaning: 'peers to find, tried forever: DNS names (all their addresses), HOST:PORT or multiaddrs'
  }),
  mdns: setting({
    kind: onOff,
    placeholder: 'on|off',
    default: undefined,
    defaultShown: 'on; off when p2p is loopback',
    meaning: 'find peers on the local network'
  }),
  auth: setting({
    kind: oneOf(['auto', 'on', 'off']),
    placeholder: 'auto|on|off',
    default: 'auto',
    defaultShown: 'auto: once there is one',
    meaning: 'requests need an account'
  }),
  signup: setting({
    kind: oneOf(['off', 'invite', 'open']),
    placeholder: 'off|invite|open',
    default: 'off',
    meaning: 'who may make an account for himself'
  }),
  legacyApi: setting({
    kind: onOff,
    placeholder: undefined,
    default: 'off',
    meaning: 'also answers /api/users, /api/folders and /api/images'
  }),
  clusterName: setting({
    kind: line(255),
    placeholder: 'TEXT',
    default: 'sheaf',
    meaning: 'only nodes of one name and key form a cluster'
  }),
  clusterKey: setting({
    kind: path,
    placeholder: 'FILE',
    default: undefined,
    defaultShown: 'none',
    meaning:
      'only nodes that hold the key may join; a second line is an older key, still accepted; the key itself may stand in SHEAF_CLUSTER_KEY',
    environment: 'SHEAF_CLUSTER_KEY_FILE'
  }),
  openCluster: setting({
    kind: onOff,
    placeholder: undefined,
    default: 'off',
    meaning: 'any node may join when there is no key'
  }),
  archiveBucket: setting({
    kind: line(255),
    placeholder: 'NAME',
    default: undefined,
    defaultShown: 'none: no archive',
    meaning: 'bucket of an S3 object store to which volumes are copied'
  }),
  archiveEndpoint: setting({
    kind: httpUrl,
    placeholder: 'URL',
    default: undefined,
    defaultShown: "Amazon's",
    meaning: 'the object store, such as http://10.0.0.9:9000'
  }),
  archiveRegion: setting({
    kind: line(64),
    placeholder: 'NAME',
    default: 'us-east-1',
    meaning: 'region of the bucket'
  }),
  archivePrefix: setting({
    kind: objectPrefix,
    placeholder: 'TEXT',
    default: undefined,
    defaultShown: "the cluster's name",
    meaning: 'begins the names of all objects; one cluster, one prefix'
  }),
  archiveCredentials: setting({
    kind: path,
    placeholder: 'FILE',
    default: undefined,
    defaultShown: 'none',
    meaning:
      'access key id and, on a second line, the secret; or SHEAF_ARCHIVE_ACCESS_KEY_ID and SHEAF_ARCHIVE_SECRET_ACCESS_KEY',
    environment: 'SHEAF_ARCHIVE_CREDENTIALS_FILE'
  }),
  archiveKey: setting({
    kind: path,
    placeholder: 'FILE',
    default: undefined,
    defaultShown: 'none: not encrypted',
    meaning:
      'encrypts the archive; further lines are older keys, still accepted; or the key itself in SHEAF_ARCHIVE_KEY',
    environment: 'SHEAF_ARCHIVE_KEY_FILE'
  }),
  model: setting({
    kind: line(255),
    placeholder: 'NAME|none',
    default: 'mobilenet',
    meaning: 'model that looks at photos, pulled when it is not there; none: no search by content'
  }),
  heic: setting({
    kind: onOff,
    placeholder: 'on|off',
    default: 'on',
    meaning: 'decode HEIC where libheif-js is installed'
  }),
  ffmpeg: setting({
    kind: path,
    placeholder: 'PATH|off',
    default: 'ffmpeg',
    meaning: 'makes pictures of videos: a path or a name'
  }),
  places: setting({
    kind: onOff,
    placeholder: 'on|off',
    default: 'on',
    meaning: 'find photos by names of places; off: 10 MB less memory'
  }),
  models: setting({
    kind: path,
    placeholder: 'DIR',
    default: undefined,
    defaultShown: "in the user's cache",
    meaning: 'pulled models, shared by nodes'
  }),
  metrics: setting({
    kind: listenAddress,
    placeholder: 'HOST:PORT',
    default: undefined,
    defaultShown: 'with `--http`',
    meaning: 'where to serve metrics, and nothing else; port 0 picks one'
  }),
  metricsTokenFile: setting({
    kind: path,
    placeholder: 'FILE',
    default: undefined,
    defaultShown: 'none',
    meaning: 'holds a token, 16 characters or more; metrics then need it as Bearer'
  }),
  otlp: setting({
    kind: httpUrl,
    placeholder: 'URL',
    default: undefined,
    defaultShown: 'none',
    meaning: 'collector of OpenTelemetry traces, such as http://localhost:4318',
    environment: 'OTEL_EXPORTER_OTLP_ENDPOINT'
  }),
  otlpRatio: setting({
    kind: decimal(0, 1),
    placeholder: 'N',
    default: '1',
    meaning: 'share of the traces begun here that are recorded',
    environment: 'OTEL_TRACES_SAMPLER_ARG'
  }),
  logLevel: setting({
    kind: oneOf(LOG_LEVELS),
    placeholder: 'L',
    default: 'info',
    meaning: 'trace, debug, info, warn, error, fatal or silent; JSON lines unless on a terminal'
  })
} as const

/** Names the file that may hold the other settings, and cannot itself be set in it. */
export const CONFIG_FILE = {
  kind: path,
  placeholder: 'FILE',
  default: undefined,
  defaultShown: 'none',
  meaning: 'JSON file of settings, with keys such as min_copies',
  names: { flag: '--config', environment: 'SHEAF_CONFIG' }
} as const

export type SettingName = keyof typeof SETTINGS

/** `minCopies` is `--min-copies`, `SHEAF_MIN_COPIES` and `min_copies`. */
export function settingNames(name: SettingName): SettingNames {
  const key = name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)
  const all: Record<SettingName, Setting<unknown>> = SETTINGS
  return {
    flag: `--${key.replaceAll('_', '-')}`,
    environment: all[name].environment ?? `SHEAF_${key.toUpperCase()}`,
    key
  }
}

function setting<T>(one: Setting<T>): Setting<T> {
  return one
}
