/*
 * The superblock: the first 256 bytes of a volume file, written once. Format 2, all integers little-endian.
 *
 *   offset  bytes  field
 *        0      8  magic 'SHEAFVOL'
 *        8      2  format, 2: of this block and of all needles in the volume; 1: the same without needles of graves
 *       10      2  reserved, 0
 *       12      4  flags: none yet; 0 when written, kept when read
 *       16      8  capacity, bytes
 *       24      8  creation: hybrid logical clock stamp
 *       32      8  epoch of the process that writes the volume, as it is spelled in the volume id
 *       40      4  sequence, from 1
 *       44      4  reserved, 0
 *       48     32  origin: Ed25519 public key of the node that writes the volume
 *       80     64  signature by the origin over bytes [0, 80)
 *      144    108  zeros
 *      252      4  CRC-32 (IEEE) of bytes [0, 252)
 *
 * Valid: magic, format, checksum, reserved fields and zeros as above, capacity < 2⁵³, sequence ≥ 1, signature verified.
 * Magic, format and checksum keep their places in all later formats, so that a newer format is not taken for damage.
 */
import { crc32 } from '@node-rs/crc32'
import { SheafError } from '../core/errors.js'
import { invariant } from '../core/invariant.js'
import type { Hlc } from './hlc.js'
import { actorIdBytes, actorIdFrom, parseVolumeId, type VolumeId, volumeId } from './ids.js'

export const SUPERBLOCK_BYTES = 256

const MAGIC = Buffer.from('SHEAFVOL', 'latin1')
const FORMAT = 2
const FORMAT_MIN = 1
const SIGNED_BYTES = 80
const SIGNATURE_BYTES = 64
const ORIGIN_BYTES = 32
const CHECKSUM_AT = SUPERBLOCK_BYTES - 4

export interface Superblock {
  readonly volume: VolumeId
  /** Bytes that the file may grow to. */
  readonly capacityBytes: number
  readonly createdAt: Hlc
  /** Ed25519 public key of the writing node, 32 bytes. */
  readonly origin: Uint8Array
  readonly flags: number
}

/** @param sign - Ed25519 with the private key of `fields.origin`; returns 64 bytes */
export function encodeSuperblock(fields: Superblock, sign: (bytes: Uint8Array) => Uint8Array): Uint8Array {
  const name = parseVolumeId(fields.volume)
  invariant(name !== undefined, `${fields.volume} is no volume id`)
  invariant(fields.origin.length === ORIGIN_BYTES, 'an Ed25519 public key has 32 bytes')
  const bytes = Buffer.alloc(SUPERBLOCK_BYTES)
  bytes.set(MAGIC, 0)
  bytes.writeUInt16LE(FORMAT, 8)
  bytes.writeUInt32LE(fields.flags, 12)
  bytes.writeBigUInt64LE(BigInt(fields.capacityBytes), 16)
  bytes.writeBigUInt64LE(fields.createdAt, 24)
  bytes.set(actorIdBytes(name.epoch), 32)
  bytes.writeUInt32LE(name.sequence, 40)
  bytes.set(fields.origin, 48)
  const signature = sign(bytes.subarray(0, SIGNED_BYTES))
  invariant(signature.length === SIGNATURE_BYTES, 'an Ed25519 signature has 64 bytes')
  bytes.set(signature, SIGNED_BYTES)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, CHECKSUM_AT)), CHECKSUM_AT)
  return bytes
}

/**
 * @param bytes - the first 256 bytes of the file, or fewer if the file is shorter
 * @param verify - Ed25519
 * @throws `ERR_VOLUME_CORRUPT` unless the superblock is valid; `ERR_FORMAT_TOO_NEW` for an intact one of a later format
 */
export function decodeSuperblock(
  bytes: Uint8Array,
  verify: (publicKey: Uint8Array, bytes: Uint8Array, signature: Uint8Array) => boolean
): Superblock {
  const block = Buffer.from(bytes.subarray(0, SUPERBLOCK_BYTES))
  if (block.length < SUPERBLOCK_BYTES) throw corrupt('the file is shorter than a superblock')
  if (!block.subarray(0, MAGIC.length).equals(MAGIC)) throw corrupt('the magic is missing')
  if (block.readUInt32LE(CHECKSUM_AT) !== crc32(block.subarray(0, CHECKSUM_AT))) throw corrupt('the checksum is wrong')
  const format = block.readUInt16LE(8)
  if (format > FORMAT)
    throw new SheafError(
      'ERR_FORMAT_TOO_NEW',
      `the volume has format ${format}; this version reads up to ${FORMAT}; upgrade`
    )
  const sequence = block.readUInt32LE(40)
  const zeros = block.subarray(SIGNED_BYTES + SIGNATURE_BYTES, CHECKSUM_AT).every(byte => byte === 0)
  if (format < FORMAT_MIN || block.readUInt16LE(10) !== 0 || block.readUInt32LE(44) !== 0 || sequence === 0 || !zeros) {
    throw corrupt('a field has a value that is never written')
  }
  const capacityBytes = Number(block.readBigUInt64LE(16))
  const origin = block.subarray(48, SIGNED_BYTES)
  const signature = block.subarray(SIGNED_BYTES, SIGNED_BYTES + SIGNATURE_BYTES)
  if (!Number.isSafeInteger(capacityBytes)) throw corrupt('the capacity is out of range')
  if (!verify(origin, block.subarray(0, SIGNED_BYTES), signature)) throw corrupt('the signature is not the origin’s')
  return {
    volume: volumeId(actorIdFrom(block.subarray(32, 40)), sequence),
    capacityBytes,
    createdAt: block.readBigUInt64LE(24) as Hlc,
    origin,
    flags: block.readUInt32LE(12)
  }
}

function corrupt(reason: string): SheafError {
  return new SheafError('ERR_VOLUME_CORRUPT', `no valid superblock: ${reason}`)
}
