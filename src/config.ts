import { basename } from 'node:path'
import { type ArchiveConfig, type ArchiveSources, readArchiveConfig, readArchiveKeys } from './config/archive-config.js'
import { isSecretLine, linesOf, readSecret, type SecretSources } from './config/secret-file.js'
import { CONFIG_FILE, SETTINGS, type Setting, type SettingName, settingNames } from './config/settings.js'
import { SheafError } from './core/errors.js'

type Value<S> = S extends Setting<infer T> ? T : never

type Settings = { readonly [Name in keyof typeof SETTINGS]: Value<(typeof SETTINGS)[Name]> }

/** The settings of a node, validated. */
export interface Config
  extends Omit<
    Settings,
    | 'advertise'
    | 'advertiseHttp'
    | 'clusterKey'
    | 'model'
    | 'models'
    | 'vectorBytes'
    | 'tlsCert'
    | 'tlsKey'
    | 'metrics'
    | 'metricsTokenFile'
    | 'otlp'
    | Extract<SettingName, `archive${string}`>
  > {
  /** Undefined: the address of the interface that routes to the peers. */
  readonly advertise: Settings['advertise'] | undefined
  /** Undefined: the addresses at which it listens, but for loopback. */
  readonly advertiseHttp: Settings['advertiseHttp'] | undefined
  /** `join` was not given. */
  readonly joinIsDefault: boolean
  /** The key, then an older one that is still accepted. Empty: whoever knows the cluster's name may join. */
  readonly clusterKeys: readonly string[]
  /** Undefined: volumes are not archived. */
  readonly archive: ArchiveConfig | undefined
  /** The first seals archive and backups, all of them open. Empty: nothing is sealed. */
  readonly archiveKeyLines: readonly string[]
  /** Undefined: no model, so no similarity. */
  readonly model: string | undefined
  /** Given with `tlsKey` or not at all. Undefined: plain HTTP. */
  readonly tlsCert: string | undefined
  readonly tlsKey: string | undefined
  /** Undefined: a quarter of the memory. */
  readonly vectorBytes: Settings['vectorBytes'] | undefined
  /** Undefined: a folder in the user's cache. */
  readonly models: Settings['models'] | undefined
  /** Undefined: the metrics are served with everything else. */
  readonly metrics: Settings['metrics'] | undefined
  /** Where traces go; undefined: nothing is traced. */
  readonly otlp: Settings['otlp'] | undefined
  /** Undefined: whoever reaches the port may read the metrics. */
  readonly metricsToken: string | undefined
}

export interface ConfigSources {
  /** The command line after `sheaf start`. */
  readonly args: readonly string[]
  readonly environment: Readonly<Record<string, string | undefined>>
  /** The default of `--name`. */
  readonly hostName: string
  /** @throws when the file cannot be read */
  readonly readTextFile: (path: string) => string
}

/** One thing that is wrong, and what would be right. */
export interface ConfigFault {
  /** A flag, an environment variable, or `FILE: key`. */
  readonly where: string
  /** As given; undefined where there is none. */
  readonly value: string | undefined
  /** "must be …", "is not a setting", … */
  readonly problem: string
}

/** A value before it is parsed. */
interface Given {
  readonly where: string
  readonly text: string
}

const P2P_PORT = 4001
/** The alias under which containers on one network find each other. */
const DEFAULT_JOIN = 'sheaf'
const NO_MODEL = 'none'
const CLUSTER_KEY_VARIABLE = 'SHEAF_CLUSTER_KEY'
const CLUSTER_KEY_CHARACTERS_MIN = 16
const METRICS_TOKEN_CHARACTERS_MIN = 16
/** What decides whether others can reach a node, and whether any of them may join. */
const OPENNESS: readonly SettingName[] = ['http', 'join', 'p2p', 'clusterKey', 'openCluster']
/** Accounts that do not count where others reach the node are worse than none: people rely on them. */
const ONLY_LOCAL = 'must be auto or on where --http is not loopback'
const NEEDS_KEY =
  'is reached from other machines, so it needs --cluster-key FILE (sheaf keygen makes a key), ' +
  'or --open-cluster, with which any node may join'

const ALL_SETTINGS: Readonly<Record<SettingName, Setting<unknown>>> = SETTINGS
const SETTING_NAMES = Object.keys(ALL_SETTINGS) as readonly SettingName[]

/**
 * Reads a node's settings: flag, else environment, else configuration file, else default. A value that is overridden is
 * not checked; an empty environment variable counts as not set.
 *
 * @throws {@link SheafError} `ERR_CONFIG` naming every fault at once, as {@link ConfigFault}s in `details.faults`
 */
export function loadConfig(sources: ConfigSources): Config {
  const faults: ConfigFault[] = []
  const fromFlags = readFlags(sources.args, faults)
  const fromEnvironment = (variable: string): Given | undefined => {
    const text = sources.environment[variable]
    return text === undefined || text === '' ? undefined : { where: variable, text }
  }
  const file = fromFlags.get(CONFIG_FILE.names.flag) ?? fromEnvironment(CONFIG_FILE.names.environment)
  const fromFile = file === undefined ? new Map<string, Given>() : readFile(file, sources.readTextFile, faults)

  const given = new Map<SettingName, Given>()
  const values = new Map<SettingName, unknown>()
  for (const name of SETTING_NAMES) {
    const { flag, environment, key } = settingNames(name)
    const said = fromFlags.get(flag) ?? fromEnvironment(environment) ?? fromFile?.get(key)
    if (said === undefined) continue
    given.set(name, said)
    const value = ALL_SETTINGS[name].kind.parse(said.text)
    if (value === undefined) faults.push(fault(said, `must be ${ALL_SETTINGS[name].kind.allowed}`))
    else values.set(name, value)
  }
  const noteFault: SecretSources['fault'] = (where, value, problem) => void faults.push({ where, value, problem })
  const secrets = { ...sources, fault: noteFault }
  const clusterKeys = readClusterKeys(values.get('clusterKey') as string | undefined, secrets)
  const metricsToken = readMetricsToken(values.get('metricsTokenFile') as string | undefined, secrets)
  checkTls(given, faults)

  const get = <Name extends keyof Settings>(name: Name, fallback?: Settings[Name]): Settings[Name] => {
    const setting: Setting<unknown> = SETTINGS[name]
    const value = values.get(name) ?? (setting.default === undefined ? fallback : setting.kind.parse(setting.default))
    return value as Settings[Name]
  }
  const archiveSources: ArchiveSources = {
    ...secrets,
    get: name => values.get(name) as string | undefined,
    clusterName: get('clusterName'),
    region: get('archiveRegion')
  }
  const archive = readArchiveConfig(archiveSources)
  const archiveKeyLines = readArchiveKeys(archiveSources)
  const http = get('http')
  const isLocal = http.every(({ host }) => host === undefined || isLoopback(host))
  const auth = given.get('auth')
  if (auth !== undefined && values.get('auth') === 'off' && !isLocal) faults.push(fault(auth, ONLY_LOCAL))
  const alone = isLocal && !values.has('join')
  const p2p = get('p2p', { host: alone ? '127.0.0.1' : '0.0.0.0', port: P2P_PORT })
  const reachable = !isLoopback(p2p.host)
  const isOpen = clusterKeys?.length === 0 && !get('openCluster')
  const isKnown = fromFile !== undefined && OPENNESS.every(name => values.has(name) || !given.has(name))
  if (reachable && isOpen && isKnown) {
    const text = `${p2p.host.includes(':') ? `[${p2p.host}]` : p2p.host}:${p2p.port}`
    faults.push(fault(given.get('p2p') ?? { where: '--p2p, by default', text }, NEEDS_KEY))
  }
  if (faults.length > 0 || clusterKeys === undefined) throw configError(faults)
  const model = get('model')
  return {
    data: get('data'),
    http,
    tlsCert: values.get('tlsCert') as Config['tlsCert'],
    tlsKey: values.get('tlsKey') as Config['tlsKey'],
    p2p,
    advertise: values.get('advertise') as Config['advertise'],
    advertiseHttp: values.get('advertiseHttp') as Config['advertiseHttp'],
    join: get('join', reachable ? [DEFAULT_JOIN] : []),
    joinIsDefault: !values.has('join'),
    mdns: get('mdns', reachable),
    auth: get('auth'),
    signup: get('signup'),
    legacyApi: get('legacyApi'),
    clusterName: get('clusterName'),
    clusterKeys,
    openCluster: get('openCluster'),
    allowHost: get('allowHost', []),
    trustProxy: get('trustProxy', []),
    name: get('name', sources.hostName),
    minCopies: get('minCopies'),
    requireCookie: get('requireCookie'),
    volumeBytes: get('volumeBytes'),
    purgeDays: get('purgeDays'),
    maxUploadBytes: get('maxUploadBytes'),
    cacheBytes: get('cacheBytes'),
    cacheTtl: get('cacheTtl'),
    heic: get('heic'),
    ffmpeg: get('ffmpeg'),
    places: get('places'),
    vectorBytes: values.get('vectorBytes') as Config['vectorBytes'],
    archive,
    archiveKeyLines,
    model: model === NO_MODEL ? undefined : model,
    models: values.get('models') as Config['models'],
    metrics: values.get('metrics') as Config['metrics'],
    metricsToken,
    otlp: values.get('otlp') as Config['otlp'],
    otlpRatio: get('otlpRatio'),
    logLevel: get('logLevel')
  }
}

/** @returns undefined where no file is named */
function readMetricsToken(path: string | undefined, secrets: SecretSources): string | undefined {
  if (path === undefined) return undefined
  const where = settingNames('metricsTokenFile').flag
  const token = readSecret(where, path, secrets)?.trim()
  if (token === undefined || (token.length >= METRICS_TOKEN_CHARACTERS_MIN && /^[\x21-\x7e]+$/.test(token)))
    return token
  const problem = `must hold one line of at least ${METRICS_TOKEN_CHARACTERS_MIN} characters of ASCII without spaces; \`openssl rand -hex 32\` makes one`
  secrets.fault(where, path, problem)
  return undefined
}

/** A certificate is of no use without its key, nor a key without its certificate. */
function checkTls(given: ReadonlyMap<SettingName, Given>, faults: ConfigFault[]): void {
  const [cert, key] = [given.get('tlsCert'), given.get('tlsKey')]
  const alone = cert ?? key
  if (alone === undefined || (cert !== undefined && key !== undefined)) return
  const { flag, environment } = settingNames(cert === undefined ? 'tlsCert' : 'tlsKey')
  faults.push(fault(alone, `needs ${flag} (${environment}), too: HTTPS takes both`))
}

/** From the file, a key a line, or from the environment. @returns undefined for a fault */
function readClusterKeys(
  path: string | undefined,
  secrets: SecretSources & Pick<ConfigSources, 'environment'>
): readonly string[] | undefined {
  const { environment } = settingNames('clusterKey')
  const variable = secrets.environment[CLUSTER_KEY_VARIABLE] ?? ''
  if (path === undefined && variable === '') return []
  const text = path === undefined ? variable : readSecret(`--cluster-key (${environment})`, path, secrets)
  if (text === undefined) return undefined
  const keys = linesOf(text)
  if (keys.length < 1 || keys.length > 2 || !keys.every(key => isSecretLine(key, CLUSTER_KEY_CHARACTERS_MIN))) {
    const problem =
      `must hold one or two lines of text, each of at least ${CLUSTER_KEY_CHARACTERS_MIN} characters; ` +
      'sheaf keygen makes a key'
    secrets.fault(path === undefined ? CLUSTER_KEY_VARIABLE : '--cluster-key', path, problem)
    return undefined
  }
  return keys
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.')
}

/** `--flag value` and `--flag=value`; the last one counts, lists add up. */
function readFlags(args: readonly string[], faults: ConfigFault[]): Map<string, Given> {
  const settings = new Map<string, Setting<unknown>>([[CONFIG_FILE.names.flag, CONFIG_FILE]])
  for (const name of SETTING_NAMES) settings.set(settingNames(name).flag, ALL_SETTINGS[name])
  const given = new Map<string, Given>()
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] as string
    const [flag, inline] = splitOnce(arg, '=')
    const setting = settings.get(flag)
    const next = args[i + 1]
    const nextIsValue = inline === undefined && next !== undefined && !next.startsWith('--')
    if (setting === undefined) {
      const isFlag = arg.startsWith('-')
      faults.push({
        where: flag,
        value: inline,
        problem: isFlag ? 'is not a flag of `sheaf start`' : 'is not expected here'
      })
      if (isFlag && nextIsValue) i++
      continue
    }
    let text = inline
    if (text === undefined && setting.placeholder === undefined) text = 'on'
    if (text === undefined && nextIsValue) {
      text = next
      i++
    }
    if (text === undefined) {
      faults.push({ where: flag, value: undefined, problem: `needs a value: ${setting.kind.allowed}` })
      continue
    }
    const before = setting.kind.list === true ? given.get(flag) : undefined
    given.set(flag, { where: flag, text: before === undefined ? text : `${before.text},${text}` })
  }
  return given
}

/** @returns undefined for a file that cannot be read */
function readFile(
  file: Given,
  readTextFile: ConfigSources['readTextFile'],
  faults: ConfigFault[]
): Map<string, Given> | undefined {
  const given = new Map<string, Given>()
  let content: unknown
  try {
    content = JSON.parse(readTextFile(file.text))
  } catch (err) {
    faults.push(fault(file, `cannot be read: ${err instanceof Error ? err.message : String(err)}`))
    return undefined
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    faults.push(fault(file, 'must hold one JSON object'))
    return undefined
  }
  const settings = new Map(SETTING_NAMES.map(name => [settingNames(name).key, ALL_SETTINGS[name]]))
  for (const [key, value] of Object.entries(content)) {
    const where = `${basename(file.text)}: ${key}`
    const setting = settings.get(key)
    const text = asText(value, setting?.kind.list === true)
    if (setting === undefined) faults.push({ where, value: JSON.stringify(value), problem: 'is not a setting' })
    else if (text === undefined)
      faults.push({ where, value: JSON.stringify(value), problem: `must be ${setting.kind.allowed}` })
    else given.set(key, { where, text })
  }
  return given
}

/** @returns a JSON value as one would write it in a flag; undefined for null, objects, and arrays where no list is meant */
function asText(value: unknown, list: boolean): string | undefined {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return String(value)
  const isList = list && Array.isArray(value) && value.every(item => typeof item === 'string')
  return isList ? value.join(',') : undefined
}

function fault(given: Given, problem: string): ConfigFault {
  return { where: given.where, value: given.text, problem }
}

function configError(faults: readonly ConfigFault[]): SheafError {
  const lines = faults.map(({ where, value, problem }) => {
    return `  ${where}${value === undefined ? '' : ` ${JSON.stringify(value)}`} ${problem}`
  })
  return new SheafError('ERR_CONFIG', `the configuration is wrong\n${lines.join('\n')}`, { details: { faults } })
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator)
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)]
}
