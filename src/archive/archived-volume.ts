/*
 * Volumes as objects, in an archive and in a backup. Names are ASCII; below the prefix that the operator chose:
 *
 *   pieces/VOLUME/FROM-TO-SHA256       bytes [FROM, TO) of the volume file: whole needles; SHA-256 of the object, hex
 *   heads/VOLUME/END-DIGEST            which pieces make the volume up to END; DIGEST is its chained digest there, hex
 *   heads/VOLUME/END-DIGEST-KEYID      the same, sealed with the key of that id; so are its pieces, or with an older key
 *
 * A head is JSON: {"format": 1, "volume", "end", "digest", "superblock": base64 of its 256 bytes, "pieces": [{"from", "to",
 * "bytes", "sha256"}]}, `bytes` and `sha256` of the object as it is stored. The pieces follow each other without a gap from
 * 256 to `end`. A head is written once each of its pieces has been read back; what no head names is left from an upload that
 * ended early.
 */
import { SheafError } from '../core/errors.js'
import { parseVolumeId, type VolumeId } from '../domain/ids.js'
import { CHAIN_DIGEST_BYTES, VOLUME_BYTES_MAX } from '../domain/needle.js'
import { SUPERBLOCK_BYTES } from '../domain/superblock.js'

const FORMAT = 1
const HEAD_NAME = /^heads\/([0-9a-f-]+)\/(\d{1,15})-([0-9a-f]{32})(?:-([0-9a-f]{16}))?$/
const SHA256 = /^[0-9a-f]{64}$/

/** What the name of a head says. */
export interface HeadName {
  readonly volume: VolumeId
  /** The volume is archived up to here. */
  readonly end: number
  /** Chained digest of the volume up to `end`, hex: equal digests mean equal bytes. */
  readonly digest: string
  /** Undefined: it is not sealed. */
  readonly keyId: string | undefined
}

export interface ArchivedPiece {
  /** Offsets in the volume. */
  readonly from: number
  readonly to: number
  /** Of the object. */
  readonly bytes: number
  /** Of the object, hex. */
  readonly sha256: string
}

export interface ArchivedVolume extends HeadName {
  readonly superblock: Uint8Array
  /** In order. */
  readonly pieces: readonly ArchivedPiece[]
}

export function headPlace({ volume, end, digest }: HeadName): string {
  return `heads/${volume}/${end}-${digest}`
}

export function headName(head: HeadName): string {
  return head.keyId === undefined ? headPlace(head) : `${headPlace(head)}-${head.keyId}`
}

export function piecePlace(volume: VolumeId, { from, to }: Pick<ArchivedPiece, 'from' | 'to'>): string {
  return `pieces/${volume}/${from}-${to}`
}

export function pieceName(volume: VolumeId, piece: ArchivedPiece): string {
  return `${piecePlace(volume, piece)}-${piece.sha256}`
}

/** @returns undefined for a name that no head has */
export function parseHeadName(name: string): HeadName | undefined {
  const [, volume = '', end, digest = '', keyId] = HEAD_NAME.exec(name) ?? []
  return parseVolumeId(volume) === undefined
    ? undefined
    : { volume: volume as VolumeId, end: Number(end), digest, keyId }
}

export function encodeHead({ volume, end, digest, superblock, pieces }: ArchivedVolume): Uint8Array {
  const base64 = Buffer.from(superblock).toString('base64')
  return Buffer.from(JSON.stringify({ format: FORMAT, volume, end, digest, superblock: base64, pieces }))
}

/** @throws `ERR_ARCHIVE_DAMAGED` unless it is what the name says; `ERR_FORMAT_TOO_NEW` */
export function decodeHead(name: HeadName, bytes: Uint8Array): ArchivedVolume {
  const { format, volume, end, digest, superblock, pieces } = parseObject(bytes)
  if (typeof format === 'number' && format > FORMAT)
    throw new SheafError('ERR_FORMAT_TOO_NEW', 'a newer version of Sheaf wrote this archive; upgrade this node')
  const first = typeof superblock === 'string' ? Buffer.from(superblock, 'base64') : Buffer.alloc(0)
  const isSame = volume === name.volume && end === name.end && digest === name.digest
  if (format !== FORMAT || !isSame || first.byteLength !== SUPERBLOCK_BYTES || !Array.isArray(pieces))
    throw damaged(name)
  let at = SUPERBLOCK_BYTES
  const decoded = pieces.map((piece): ArchivedPiece => {
    const { from, to, bytes: byteCount, sha256 } = (piece ?? {}) as Record<string, unknown>
    const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) > 0
    const fits = from === at && isSize(to) && to > at && to <= name.end && isSize(byteCount)
    if (!fits || typeof sha256 !== 'string' || !SHA256.test(sha256)) throw damaged(name)
    at = to
    return { from: from, to, bytes: byteCount, sha256 }
  })
  if (at !== name.end || at > VOLUME_BYTES_MAX) throw damaged(name)
  return { ...name, superblock: first, pieces: decoded }
}

/** @returns the chained digest that the head says, as bytes */
export function chainOf({ digest }: Pick<HeadName, 'digest'>): Uint8Array {
  return Buffer.from(digest, 'hex').subarray(0, CHAIN_DIGEST_BYTES)
}

/** @returns of each volume the head with the greatest end */
export function furthest(heads: readonly HeadName[]): Map<VolumeId, HeadName> {
  const best = new Map<VolumeId, HeadName>()
  for (const head of heads) if (head.end > (best.get(head.volume)?.end ?? 0)) best.set(head.volume, head)
  return best
}

/** @returns the fields of a JSON object; none of anything else, so that the caller finds what is missing */
export function parseObject(bytes: Uint8Array): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'))
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  } catch {
    // what is missing is found by the caller
  }
  return {}
}

function damaged(name: HeadName): SheafError {
  return new SheafError('ERR_ARCHIVE_DAMAGED', `the object ${headName(name)} is damaged`)
}
