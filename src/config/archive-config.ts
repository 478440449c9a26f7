import { isSecretLine, linesOf, readSecret, type SecretSources } from './secret-file.js'
import type { SettingName } from './settings.js'

/** Where volumes are archived. */
export interface ArchiveConfig {
  readonly bucket: string
  /** Undefined: Amazon's. */
  readonly endpoint: string | undefined
  readonly region: string
  readonly prefix: string
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string }
}

export interface ArchiveSources extends SecretSources {
  readonly environment: Readonly<Record<string, string | undefined>>
  /** @returns what was given for the setting, parsed */
  readonly get: (name: SettingName) => string | undefined
  readonly clusterName: string
  readonly region: string
}

const KEY_CHARACTERS_MIN = 32
const KEY_LINES_MAX = 4
const CREDENTIAL = /^[\x21-\x7e]{1,256}$/
const CREDENTIALS_WANTED =
  'must hold the access key id and, on a second line, the secret access key; or set SHEAF_ARCHIVE_ACCESS_KEY_ID and SHEAF_ARCHIVE_SECRET_ACCESS_KEY'

/** @returns undefined when no bucket is given, so that there is no archive */
export function readArchiveConfig(sources: ArchiveSources): ArchiveConfig | undefined {
  const { get, fault, clusterName, region } = sources
  const bucket = get('archiveBucket')
  const endpoint = get('archiveEndpoint')
  if (bucket === undefined) {
    const isSetUp = (['archiveEndpoint', 'archiveCredentials'] as const).some(name => get(name) !== undefined)
    if (isSetUp) fault('--archive-bucket', undefined, 'is needed where an archive is set up')
    return undefined
  }
  const prefix = get('archivePrefix') ?? clusterName.replace(/[^A-Za-z0-9._-]/g, '_')
  return { bucket, endpoint, region, prefix, credentials: readCredentials(sources) }
}

function readCredentials({ environment, ...sources }: ArchiveSources): ArchiveConfig['credentials'] {
  const path = sources.get('archiveCredentials')
  const lines =
    path === undefined
      ? [environment.SHEAF_ARCHIVE_ACCESS_KEY_ID ?? '', environment.SHEAF_ARCHIVE_SECRET_ACCESS_KEY ?? '']
      : readLines('--archive-credentials', path, sources)
  const [accessKeyId = '', secretAccessKey = ''] = lines ?? []
  const fits = lines?.length === 2 && CREDENTIAL.test(accessKeyId) && CREDENTIAL.test(secretAccessKey)
  if (lines !== undefined && !fits) sources.fault('--archive-credentials', path, CREDENTIALS_WANTED)
  return { accessKeyId, secretAccessKey }
}

/** @returns lines of the key file: the first seals, all of them open. Empty: nothing is sealed */
export function readArchiveKeys({ environment, ...sources }: ArchiveSources): readonly string[] {
  const path = sources.get('archiveKey')
  const variable = environment.SHEAF_ARCHIVE_KEY ?? ''
  if (path === undefined && variable === '') return []
  const lines = path === undefined ? linesOf(variable) : readLines('--archive-key', path, sources)
  if (lines === undefined) return []
  if (
    lines.length < 1 ||
    lines.length > KEY_LINES_MAX ||
    !lines.every(line => isSecretLine(line, KEY_CHARACTERS_MIN))
  ) {
    const problem = `must hold 1 to ${KEY_LINES_MAX} lines of text, each of at least ${KEY_CHARACTERS_MIN} random characters; see sheaf keygen`
    sources.fault(path === undefined ? 'SHEAF_ARCHIVE_KEY' : '--archive-key', path, problem)
  }
  return lines
}

/** @returns undefined after noting that the file cannot be read */
function readLines(where: string, path: string, sources: SecretSources): string[] | undefined {
  const text = readSecret(where, path, sources)
  return text === undefined ? undefined : linesOf(text)
}
