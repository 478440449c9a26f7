/*
 * A sealed object: what an archive or a backup holds of something when a key file was given. Format 1, integers big-endian.
 *
 *   offset  bytes  field
 *        0      8  magic 'SHEAFSEA'
 *        8      2  format, 1
 *       10      2  reserved, 0
 *       12      4  bytes of plain text in each chunk but the last, 65,536
 *       16      8  key id: HKDF of the key with the info 'sheaf archive key id 1'
 *       24     16  salt: the first bytes of HMAC-SHA-256 over SHA-256 of the object's place and of the plain text, with the
 *                  key that HKDF makes with the info 'sheaf archive salt 1'
 *       40      …  chunks: cipher text, then its tag of 16 bytes. The last one is shorter than the others, or as long; it may
 *                  be empty only where it is the only one
 *
 * The key is HKDF-SHA-256 of a line of the key file, with the info 'sheaf archive key 1'. Each object has its own key, HKDF of
 * the key with the salt and the info 'sheaf archive object 1'. Chunks are AES-256-GCM; the nonce is seven zero bytes, the
 * number of the chunk (4 bytes, from 0), and 1 for the last chunk, else 0: chunks cannot be left out, doubled, put into another
 * order or cut off. Bytes [0, 40) and the place (UTF-8) are authenticated with each of them: an object cannot stand for
 * another. The place is the object's name without digests. The same plain text at the same place gives the same bytes.
 *
 * See Hoang, Reyhanitabar, Rogaway, Vizár 2015, "Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance" (STREAM).
 */
import { createCipheriv, createDecipheriv, createHmac, hash, hkdfSync } from 'node:crypto'
import { SheafError } from '../core/errors.js'
import { turn } from '../core/turn.js'

const MAGIC = Buffer.from('SHEAFSEA', 'latin1')
const FORMAT = 1
const CHUNK_BYTES = 65_536
const TAG_BYTES = 16
const KEY_BYTES = 32
const KEY_ID_BYTES = 8
const KEY_ID_AT = 16
const SALT_BYTES = 16
const HEADER_BYTES = 40
const NONCE_BYTES = 12
/** Chunks that are worked on before the event loop has its turn. */
const CHUNKS_PER_TURN = 16

/** @returns bytes of a sealed object with so many bytes of plain text */
export function sealedBytes(plainByteCount: number): number {
  return HEADER_BYTES + plainByteCount + TAG_BYTES * Math.max(1, Math.ceil(plainByteCount / CHUNK_BYTES))
}

/** @returns id of the key that the object says it was sealed with. @throws `ERR_ARCHIVE_DAMAGED`, `ERR_FORMAT_TOO_NEW` */
export function keyIdOf(sealed: Uint8Array): string {
  const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength)
  plainBytes(bytes)
  return bytes.toString('hex', KEY_ID_AT, KEY_ID_AT + KEY_ID_BYTES)
}

/** Seals objects with the key that one line of a key file names, and opens them. */
export class SealingKey {
  /** 16 hex digits. */
  readonly id: string
  readonly #key: Buffer

  /** @param line - of the key file, as random as a key */
  constructor(line: string) {
    this.#key = derive(Buffer.from(line, 'utf8'), '', 'sheaf archive key 1', KEY_BYTES)
    this.id = derive(this.#key, '', 'sheaf archive key id 1', KEY_ID_BYTES).toString('hex')
  }

  async seal(place: string, plain: Uint8Array): Promise<Uint8Array> {
    const salt = this.#salt(place, plain)
    const sealed = Buffer.allocUnsafeSlow(sealedBytes(plain.byteLength))
    sealed.set(MAGIC, 0)
    sealed.writeUInt16BE(FORMAT, 8)
    sealed.writeUInt16BE(0, 10)
    sealed.writeUInt32BE(CHUNK_BYTES, 12)
    sealed.write(this.id, KEY_ID_AT, 'hex')
    sealed.set(salt, 24)
    const { key, authenticated } = this.#ofObject(place, sealed)
    let at = HEADER_BYTES
    for (const { number, from, to, isLast } of chunksOf(plain.byteLength)) {
      const cipher = createCipheriv('aes-256-gcm', key, nonceOf(number, isLast)).setAAD(authenticated)
      at += cipher.update(plain.subarray(from, to)).copy(sealed, at)
      at += cipher.final().copy(sealed, at)
      at += cipher.getAuthTag().copy(sealed, at)
      if (number % CHUNKS_PER_TURN === CHUNKS_PER_TURN - 1) await turn()
    }
    return sealed
  }

  /** @throws `ERR_ARCHIVE_DAMAGED` unless it was sealed with this key, for this place, and is whole */
  async open(place: string, sealed: Uint8Array): Promise<Uint8Array> {
    const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength)
    const plain = Buffer.allocUnsafeSlow(plainBytes(bytes))
    const { key, authenticated } = this.#ofObject(place, bytes)
    let at = HEADER_BYTES
    for (const { number, from, to, isLast } of chunksOf(plain.byteLength)) {
      const tagAt = at + to - from
      try {
        const decipher = createDecipheriv('aes-256-gcm', key, nonceOf(number, isLast)).setAAD(authenticated)
        decipher.setAuthTag(bytes.subarray(tagAt, tagAt + TAG_BYTES))
        decipher.update(bytes.subarray(at, tagAt)).copy(plain, from)
        decipher.final()
      } catch (cause) {
        throw damaged('a sealed object is damaged, or stands in the place of another', cause)
      }
      at = tagAt + TAG_BYTES
      if (number % CHUNKS_PER_TURN === CHUNKS_PER_TURN - 1) await turn()
    }
    return plain
  }

  #salt(place: string, plain: Uint8Array): Buffer {
    const hmac = createHmac('sha256', derive(this.#key, '', 'sheaf archive salt 1', KEY_BYTES))
    hmac.update(hash('sha256', place, 'buffer')).update(hash('sha256', plain, 'buffer'))
    return hmac.digest().subarray(0, SALT_BYTES)
  }

  #ofObject(place: string, sealed: Buffer): { readonly key: Buffer; readonly authenticated: Buffer } {
    const header = sealed.subarray(0, HEADER_BYTES)
    return {
      key: derive(this.#key, header.subarray(24), 'sheaf archive object 1', KEY_BYTES),
      authenticated: Buffer.concat([header, Buffer.from(place, 'utf8')])
    }
  }
}

function* chunksOf(byteCount: number): Generator<{ number: number; from: number; to: number; isLast: boolean }> {
  const count = Math.max(1, Math.ceil(byteCount / CHUNK_BYTES))
  for (let number = 0; number < count; number++) {
    const from = number * CHUNK_BYTES
    yield { number, from, to: Math.min(byteCount, from + CHUNK_BYTES), isLast: number === count - 1 }
  }
}

function nonceOf(chunk: number, isLast: boolean): Buffer {
  const nonce = Buffer.alloc(NONCE_BYTES)
  nonce.writeUInt32BE(chunk, 7)
  nonce.writeUInt8(isLast ? 1 : 0, 11)
  return nonce
}

/** @throws `ERR_ARCHIVE_DAMAGED` unless the header and the length are possible */
function plainBytes(sealed: Buffer): number {
  if (sealed.byteLength < HEADER_BYTES + TAG_BYTES || !sealed.subarray(0, MAGIC.length).equals(MAGIC))
    throw damaged('this is no sealed object')
  if (sealed.readUInt16BE(8) !== FORMAT || sealed.readUInt32BE(12) !== CHUNK_BYTES)
    throw new SheafError('ERR_FORMAT_TOO_NEW', 'a newer version of Sheaf sealed this object; upgrade this node')
  const content = sealed.byteLength - HEADER_BYTES
  const chunks = Math.ceil(content / (CHUNK_BYTES + TAG_BYTES))
  const byteCount = content - chunks * TAG_BYTES
  if (byteCount < 0 || sealedBytes(byteCount) !== sealed.byteLength) throw damaged('a sealed object has been cut')
  return byteCount
}

function derive(key: Uint8Array, salt: string | Uint8Array, info: string, byteCount: number): Buffer {
  return Buffer.from(hkdfSync('sha256', key, salt, info, byteCount))
}

function damaged(message: string, cause?: unknown): SheafError {
  return new SheafError('ERR_ARCHIVE_DAMAGED', message, { cause })
}
