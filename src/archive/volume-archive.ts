import { createHash } from 'node:crypto'
import type { Clock } from '../core/clock.js'
import { deadline } from '../core/deadline.js'
import { hasCode, SheafError } from '../core/errors.js'
import { turn } from '../core/turn.js'
import type { VolumeId } from '../domain/ids.js'
import {
  type ArchivedPiece,
  type ArchivedVolume,
  decodeHead,
  encodeHead,
  type HeadName,
  headName,
  headPlace,
  parseHeadName,
  pieceName,
  piecePlace
} from './archived-volume.js'
import type { ObjectStore, StoredObject } from './object-store.js'
import { keyIdOf, type SealingKey, sealedBytes } from './sealed-object.js'

/** Of a piece, unless one needle is larger. */
export const PIECE_BYTES = 8 * 1024 * 1024
const HEAD_BYTES_MAX = 32 * 1024 * 1024
/** Names that are taken into memory at once: some 200 MB. */
const LISTED_MAX = 1_000_000
/** One request; slower ones are given up. */
const REQUEST_MS_MAX = 120_000
/** Between tries of what may succeed when it is tried again. */
const PAUSES_MS = [500, 4_000]
/** A piece that no head names is left alone for so long: its upload may be going on. */
const UPLOAD_MS_MAX = 24 * 3_600_000
const HASHED_PER_TURN_BYTES = 1024 * 1024

export interface VolumeArchiveComponents {
  readonly store: ObjectStore
  readonly clock: Clock
}

export interface VolumeArchiveInit {
  /** The first one seals, all of them open. Empty: nothing is sealed. */
  readonly keys: readonly SealingKey[]
}

/** Volumes in an object store: what is written is read back and hashed before a head names it, what is read is hashed. */
export class VolumeArchive {
  readonly #store: ObjectStore
  readonly #clock: Clock
  readonly #keys: readonly SealingKey[]

  constructor({ store, clock }: VolumeArchiveComponents, { keys }: VolumeArchiveInit) {
    this.#store = store
    this.#clock = clock
    this.#keys = keys
  }

  get isSealed(): boolean {
    return this.#keys.length > 0
  }

  /**
   * @returns all heads
   * @throws `ERR_ARCHIVE_KEY` when one of them is sealed with a key that is not here; what the store throws
   */
  async heads(signal: AbortSignal): Promise<readonly HeadName[]> {
    const heads: HeadName[] = []
    for await (const { name } of this.#list('heads/', signal)) {
      const head = parseHeadName(name)
      if (head === undefined) continue
      this.#keyOf(head)
      heads.push(head)
    }
    return heads
  }

  close(): void {
    this.#store.close()
  }

  /** Whether what the head names is as this node would write it now. */
  isCurrent({ keyId }: HeadName): boolean {
    return this.isSealed === (keyId !== undefined)
  }

  /** @throws `ERR_ARCHIVE_DAMAGED`, also when it is gone; `ERR_ARCHIVE_KEY`; what the store throws */
  async read(head: HeadName, signal: AbortSignal): Promise<ArchivedVolume> {
    const bytes = await this.#get(headName(head), HEAD_BYTES_MAX, signal)
    if (bytes === undefined) throw gone(headName(head))
    const key = this.#keyOf(head)
    return decodeHead(head, key === undefined ? bytes : await key.open(headPlace(head), bytes))
  }

  /** @returns the bytes of the volume in the piece, verified. @throws as {@link read} */
  async piece(volume: ArchivedVolume, piece: ArchivedPiece, signal: AbortSignal): Promise<Uint8Array> {
    const name = pieceName(volume.volume, piece)
    const bytes = await this.#get(name, piece.bytes, signal)
    if (bytes === undefined) throw gone(name)
    if ((await sha256Of(bytes)) !== piece.sha256) throw damaged(name)
    // a head that was sealed with a later key keeps the pieces of before
    const key = volume.keyId === undefined ? undefined : this.#keyFor(keyIdOf(bytes))
    const plain = key === undefined ? bytes : await key.open(piecePlace(volume.volume, piece), bytes)
    if (plain.byteLength !== piece.to - piece.from) throw damaged(name)
    return plain
  }

  /**
   * Stores bytes of a volume and reads them back.
   *
   * @param bytes - whole needles, verified; `from` is their place in the volume
   * @throws `ERR_ARCHIVE_DAMAGED` when other bytes come back; what the store throws
   */
  async putPiece(volume: VolumeId, from: number, bytes: Uint8Array, signal: AbortSignal): Promise<ArchivedPiece> {
    const place = { from, to: from + bytes.byteLength }
    const [key] = this.#keys
    const stored = key === undefined ? bytes : await key.seal(piecePlace(volume, place), bytes)
    const piece = { ...place, bytes: stored.byteLength, sha256: await sha256Of(stored) }
    await this.#putVerified(pieceName(volume, piece), stored, piece.sha256, signal)
    return piece
  }

  /**
   * Writes the head of a volume whose pieces are stored, then removes those that it replaces, with their pieces.
   *
   * @param heads - those that are known of the volume
   */
  async putHead(
    volume: Omit<ArchivedVolume, 'keyId'>,
    heads: readonly HeadName[],
    signal: AbortSignal
  ): Promise<HeadName> {
    const [key] = this.#keys
    const head: ArchivedVolume = { ...volume, keyId: key?.id }
    const plain = encodeHead(head)
    if (sealedBytes(plain.byteLength) > HEAD_BYTES_MAX)
      throw new SheafError('ERR_ARCHIVE_REFUSED', `volume ${volume.volume} has too many pieces for the archive`)
    const bytes = key === undefined ? plain : await key.seal(headPlace(head), plain)
    const name = headName(head)
    await this.#putVerified(name, bytes, await sha256Of(bytes), signal)
    for (const other of heads) {
      const isOlder = other.end <= head.end && headName(other) !== name
      if (other.volume === volume.volume && isOlder) await this.#replace(other, head, signal)
    }
    return head
  }

  async #replace(old: HeadName, { volume, pieces }: ArchivedVolume, signal: AbortSignal): Promise<void> {
    const kept = new Set(pieces.map(piece => pieceName(volume, piece)))
    const before = await this.read(old, signal).catch(err => {
      if (!hasCode(err, 'ERR_ARCHIVE_DAMAGED')) throw err
      return { pieces: [] } // what it named is swept, in a day
    })
    await this.#remove(headName(old), signal)
    const names = before.pieces.map(piece => pieceName(volume, piece))
    for (const name of names) if (!kept.has(name)) await this.#remove(name, signal)
  }

  /** Removes a head, so that the volume counts as archived no more; its pieces stay. */
  removeHead(head: HeadName, signal: AbortSignal): Promise<void> {
    return this.#remove(headName(head), signal)
  }

  /** Removes everything of a volume, heads first. */
  async remove(volume: VolumeId, signal: AbortSignal): Promise<void> {
    for (const folder of ['heads', 'pieces']) {
      for await (const { name } of this.#list(`${folder}/${volume}/`, signal)) await this.#remove(name, signal)
    }
  }

  /**
   * Stores something small beside the volumes, in the place of what was there.
   *
   * @param name - in lower case, with slashes
   */
  async putDocument(name: string, plain: Uint8Array, signal: AbortSignal): Promise<void> {
    const [key] = this.#keys
    const bytes = key === undefined ? plain : await key.seal(name, plain)
    const stored = key === undefined ? name : `${name}.${key.id}`
    await this.#putVerified(stored, bytes, await sha256Of(bytes), signal)
    for await (const object of this.#list(name, signal))
      if (object.name !== stored && documentName(object.name) === name) await this.#remove(object.name, signal)
  }

  /** @returns names of what was stored with {@link putDocument} and begins with the prefix */
  async documents(prefix: string, signal: AbortSignal): Promise<readonly string[]> {
    const names: string[] = []
    for await (const { name } of this.#list(prefix, signal)) names.push(documentName(name))
    return [...new Set(names)].sort()
  }

  /** @returns undefined when there is none. @throws as {@link read} */
  async document(name: string, signal: AbortSignal): Promise<Uint8Array | undefined> {
    for await (const object of this.#list(name, signal)) {
      if (documentName(object.name) !== name) continue
      const keyId = object.name === name ? undefined : object.name.slice(name.length + 1)
      const key = this.#keyFor(keyId)
      const bytes = await this.#get(object.name, HEAD_BYTES_MAX, signal)
      if (bytes !== undefined) return key === undefined ? bytes : key.open(name, bytes)
    }
    return undefined
  }

  /**
   * Removes pieces of the volume that no head names; none of a volume whose head is not listed, as a store may list late.
   *
   * @param ageMsMin - and that are as much older than the newest; default: a day, as an upload may be going on
   */
  async sweep(volume: VolumeId, signal: AbortSignal, ageMsMin = UPLOAD_MS_MAX): Promise<void> {
    const named = new Set<string>()
    for await (const { name } of this.#list(`heads/${volume}/`, signal)) {
      const head = parseHeadName(name)
      if (head === undefined) continue
      for (const piece of (await this.read(head, signal)).pieces) named.add(pieceName(volume, piece))
    }
    if (named.size === 0) return
    const pieces: StoredObject[] = []
    for await (const object of this.#list(`pieces/${volume}/`, signal)) pieces.push(object)
    const newestMs = pieces.reduce((newest, { modifiedMs }) => Math.max(newest, modifiedMs), 0)
    for (const { name, modifiedMs } of pieces)
      if (!named.has(name) && newestMs - modifiedMs >= ageMsMin) await this.#remove(name, signal)
  }

  /** @returns undefined when it is not sealed. @throws `ERR_ARCHIVE_KEY` */
  #keyOf({ keyId }: HeadName): SealingKey | undefined {
    return this.#keyFor(keyId)
  }

  #keyFor(keyId: string | undefined): SealingKey | undefined {
    const key = this.#keys.find(({ id }) => id === keyId)
    if (key !== undefined || keyId === undefined) return key
    const wayOut = this.isSealed
      ? 'its key is not in the file of --archive-key; add the older key as a second line'
      : 'give --archive-key FILE, with the key that it was made with'
    throw new SheafError('ERR_ARCHIVE_KEY', `the archive is encrypted: ${wayOut}`)
  }

  async #putVerified(name: string, bytes: Uint8Array, sha256: string, signal: AbortSignal): Promise<void> {
    await this.#again(signal, async deadlineSignal => {
      await this.#store.put(name, bytes, deadlineSignal)
    })
    const back = await this.#get(name, bytes.byteLength, signal)
    if (back !== undefined && (await sha256Of(back)) === sha256) return
    await this.#remove(name, signal)
    throw new SheafError(
      'ERR_ARCHIVE_DAMAGED',
      `the archive did not give back what it was given as ${name}; the object was removed again; check the store`
    )
  }

  #get(name: string, byteCountMax: number, signal: AbortSignal): Promise<Uint8Array | undefined> {
    return this.#again(signal, inTime => this.#store.get(name, byteCountMax, inTime))
  }

  #remove(name: string, signal: AbortSignal): Promise<void> {
    return this.#again(signal, inTime => this.#store.remove(name, inTime))
  }

  /** @returns the whole listing, so that what is listed can be changed meanwhile */
  async *#list(prefix: string, signal: AbortSignal): AsyncGenerator<StoredObject> {
    yield* await this.#again(signal, async inTime => {
      const objects: StoredObject[] = []
      for await (const object of this.#store.list(prefix, inTime)) {
        if (objects.push(object) > LISTED_MAX)
          throw new SheafError('ERR_ARCHIVE_REFUSED', `the archive has more than ${LISTED_MAX} objects in ${prefix}`)
      }
      return objects
    })
  }

  /** Runs a request under a deadline, and again when the store is away or sent less than it has. */
  async #again<Result>(signal: AbortSignal, task: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
    const late = (): SheafError =>
      new SheafError('ERR_ARCHIVE_UNREACHABLE', `the archive did not answer within ${REQUEST_MS_MAX / 1_000} s`)
    for (let tries = 0; ; tries++) {
      const { signal: inTime, cancel } = deadline(this.#clock, REQUEST_MS_MAX, signal, late)
      try {
        return await task(inTime)
      } catch (err) {
        signal.throwIfAborted()
        if (!hasCode(err, 'ERR_ARCHIVE_UNREACHABLE') || tries >= PAUSES_MS.length) throw err
      } finally {
        cancel()
      }
      await this.#clock.sleep(PAUSES_MS[tries] as number, signal)
    }
  }
}

/** @returns the name without the id of a key */
function documentName(stored: string): string {
  return stored.replace(/\.[0-9a-f]{16}$/, '')
}

async function sha256Of(bytes: Uint8Array): Promise<string> {
  const sha256 = createHash('sha256')
  for (let at = 0; at < bytes.byteLength; at += HASHED_PER_TURN_BYTES) {
    sha256.update(bytes.subarray(at, at + HASHED_PER_TURN_BYTES))
    if (at > 0) await turn()
  }
  return sha256.digest('hex')
}

function gone(name: string): SheafError {
  return new SheafError('ERR_ARCHIVE_DAMAGED', `the object ${name} is gone`)
}

function damaged(name: string): SheafError {
  return new SheafError('ERR_ARCHIVE_DAMAGED', `the object ${name} has other bytes than its name says`)
}
