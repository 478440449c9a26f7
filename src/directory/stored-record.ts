import { hasCode } from '../core/errors.js'
import { type DirectoryRecord, shownVersion } from '../domain/record.js'
import { decodeRecord, FORMAT_LAST } from '../domain/record-codec.js'
import type { NeedleLocation } from '../volumes/needle-store.js'
import { DamageError } from './damage.js'
import { openSealed, type Row, recordKeyFrom, sealedRow, VOLUME_ID_BYTES, volumeIdBytes, volumeIdFrom } from './keys.js'

/** A merged record as the rows hold it. */
export interface RecordState {
  readonly record: DirectoryRecord
  /** Its canonical encoding. */
  readonly bytes: Uint8Array
  /** The newest record needle that holds exactly this state; undefined if no single needle does. */
  readonly home: NeedleLocation | undefined
  /** Of a grave only, which has no home: whether a needle here holds it. */
  readonly isLogged?: boolean
}

export const HOME_BYTES = VOLUME_ID_BYTES + 12
const NO_HOME = new Uint8Array(HOME_BYTES)

export function recordRow(key: Uint8Array, state: RecordState): Row {
  return sealedRow(key, state.home === undefined ? NO_HOME : homeBytes(state.home), state.bytes)
}

/** Inverse of `recordRow`. @throws {@link DamageError} */
export function recordStateOf(key: Uint8Array, value: Uint8Array): RecordState {
  const payload = openSealed(key, value)
  if (payload.length <= HOME_BYTES) throw new DamageError('a record row is too short')
  const bytes = payload.subarray(HOME_BYTES)
  const record = decode(bytes)
  const { kind, id } = recordKeyFrom(key)
  if (record.kind !== kind || record.id !== id) throw new DamageError('a record is stored under the wrong key')
  return { record, bytes, home: homeFrom(payload) }
}

function decode(bytes: Uint8Array): DirectoryRecord {
  try {
    const record = decodeRecord(bytes, FORMAT_LAST) // open-rows.ts sees to it that there is no row of a later format
    shownVersion(record) // earlier builds took such from peers
    return record
  } catch (err) {
    if (hasCode(err, 'ERR_RECORD_MALFORMED')) throw new DamageError('a record row cannot be decoded', { cause: err })
    throw err
  }
}

/** @returns 24 bytes */
export function homeBytes(home: NeedleLocation): Uint8Array {
  const bytes = Buffer.allocUnsafe(HOME_BYTES)
  bytes.set(volumeIdBytes(home.volume))
  bytes.writeBigUInt64BE(BigInt(home.offset), VOLUME_ID_BYTES)
  bytes.writeUInt32BE(home.length, VOLUME_ID_BYTES + 8)
  return bytes
}

/** @returns undefined where the bytes say that there is none */
export function homeFrom(payload: Buffer): NeedleLocation | undefined {
  // Sequences count from 1, so no volume is all zeros.
  if (payload.readUInt32BE(8) === 0) return undefined
  return {
    volume: volumeIdFrom(payload),
    offset: Number(payload.readBigUInt64BE(VOLUME_ID_BYTES)),
    length: payload.readUInt32BE(VOLUME_ID_BYTES + 8)
  }
}
