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
import { hasCode, SheafError } from '../core/errors.js'
import { parseVolumeId, type VolumeId } from '../domain/ids.js'
import { CHAIN_DIGEST_BYTES, NEEDLE_DATA_BYTES_MAX, VOLUME_BYTES_MAX } from '../domain/needle.js'
import { decodeSuperblock, SUPERBLOCK_BYTES } from '../domain/superblock.js'
import { sealedBytes } from './sealed-object.js'

const FORMAT = 1
const HEAD_NAME = /^heads\/([0-9a-f-]+)\/(\d{1,15})-([0-9a-f]{32})(?:-([0-9a-f]{16}))?$/
const SHA256 = /^[0-9a-f]{64}$/
/** Bytes of a volume in one piece, which is read into memory: above any needle, whose checksums add some thousandths. */
const PIECE_BYTES_MAX = 2 * NEEDLE_DATA_BYTES_MAX

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
  if (format !== FORMAT || !isSame || !isSuperblockOf(name.volume, first) || !Array.isArray(pieces)) throw damaged(name)
  let at = SUPERBLOCK_BYTES
  const decoded = pieces.map((piece): ArchivedPiece => {
    const { from, to, bytes: byteCount, sha256 } = (piece ?? {}) as Record<string, unknown>
    const plain = from === at && Number.isSafeInteger(to) ? (to as number) - at : 0
    const isSize = plain > 0 && plain <= PIECE_BYTES_MAX && [plain, sealedBytes(plain)].includes(byteCount as number)
    if (!isSize || typeof sha256 !== 'string' || !SHA256.test(sha256)) throw damaged(name)
    at += plain
    return { from: at - plain, to: at, bytes: byteCount as number, sha256 }
  })
  if (at !== name.end || at > VOLUME_BYTES_MAX) throw damaged(name)
  return { ...name, superblock: first, pieces: decoded }
}

/** @returns whether the bytes are an intact superblock of the volume, or one of a later format; the signature is not looked at */
export function isSuperblockOf(volume: VolumeId, bytes: Uint8Array): boolean {
  try {
    return bytes.byteLength === SUPERBLOCK_BYTES && decodeSuperblock(bytes, () => true).volume === volume
  } catch (err) {
    if (!hasCode(err, 'ERR_VOLUME_CORRUPT') && !hasCode(err, 'ERR_FORMAT_TOO_NEW')) throw err
    return hasCode(err, 'ERR_FORMAT_TOO_NEW')
  }
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
