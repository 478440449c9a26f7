/*
 * What a backup of a node has beside its volumes: the document `nodes/NODE-ID` (sealed like all others where there is a key).
 * It is JSON: {"format": 1, "node_id", "taken_at": ms since the Unix epoch, "ends": {VOLUME: END}, "files": {NAME: base64}}.
 * It is written last; `ends` are those of the volumes that the backup has up to there.
 */
import { SheafError } from '../core/errors.js'
import { parseVolumeId, type VolumeId } from '../domain/ids.js'
import { parseObject } from './archived-volume.js'
import type { VolumeArchive } from './volume-archive.js'

export const IDENTITY_FILE = 'identity.key'
/** Files of the data folder that nothing else brings back. What is missing here is made again from the volumes. */
export const BACKED_UP_FILES: readonly string[] = [IDENTITY_FILE, 'laid-out', 'promises.json', 'similarity.json']

const FORMAT = 1
const FOLDER = 'nodes/'
const BACKUP_NAME = /^nodes\/[A-Za-z0-9]{1,128}$/

export interface NodeBackup {
  readonly nodeId: string
  readonly takenAtMs: number
  readonly ends: ReadonlyMap<VolumeId, number>
  /** By name, one of {@link BACKED_UP_FILES}. */
  readonly files: ReadonlyMap<string, Uint8Array>
}

/** @returns names of the backups in the archive; what file managers leave in folders is none */
export async function backupNames(archive: VolumeArchive, signal: AbortSignal): Promise<string[]> {
  return (await archive.documents(FOLDER, signal)).filter(name => BACKUP_NAME.test(name))
}

export function backupName(nodeId: string): string {
  return `${FOLDER}${nodeId}`
}

export function encodeBackup({ nodeId, takenAtMs, ends, files }: NodeBackup): Uint8Array {
  const base64 = Array.from(files, ([name, bytes]) => [name, Buffer.from(bytes).toString('base64')])
  const document = {
    format: FORMAT,
    node_id: nodeId,
    taken_at: takenAtMs,
    ends: Object.fromEntries(ends),
    files: Object.fromEntries(base64)
  }
  return Buffer.from(JSON.stringify(document))
}

/** @throws `ERR_ARCHIVE_DAMAGED`, `ERR_FORMAT_TOO_NEW` */
export function decodeBackup(bytes: Uint8Array): NodeBackup {
  const { format, node_id, taken_at, ends, files } = parseObject(bytes)
  if (typeof format === 'number' && format > FORMAT)
    throw new SheafError('ERR_FORMAT_TOO_NEW', 'a newer version of Sheaf made this backup; upgrade')
  const isNode = typeof node_id === 'string' && BACKUP_NAME.test(backupName(node_id))
  if (format !== FORMAT || !isNode || !Number.isSafeInteger(taken_at)) throw damaged()
  const decodedEnds = Object.entries(ends ?? {}).map(([volume, end]): [VolumeId, number] => {
    if (parseVolumeId(volume) === undefined || !Number.isSafeInteger(end)) throw damaged()
    return [volume as VolumeId, end as number]
  })
  const decodedFiles = Object.entries(files ?? {}).map(([name, base64]): [string, Uint8Array] => {
    if (!BACKED_UP_FILES.includes(name) || typeof base64 !== 'string') throw damaged()
    return [name, Buffer.from(base64, 'base64')]
  })
  return { nodeId: node_id, takenAtMs: taken_at as number, ends: new Map(decodedEnds), files: new Map(decodedFiles) }
}

function damaged(): SheafError {
  return new SheafError('ERR_ARCHIVE_DAMAGED', 'the list of what the backup has is damaged')
}
