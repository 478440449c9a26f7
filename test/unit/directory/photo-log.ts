import { encodeGraves, type Grave } from '../../../src/domain/graves.js'
import { type Hlc, HybridClock } from '../../../src/domain/hlc.js'
import {
  type ActorId,
  newActorId,
  newCookie,
  newPhotoId,
  type PhotoId,
  type VolumeId,
  volumeId
} from '../../../src/domain/ids.js'
import { needleBytes } from '../../../src/domain/needle.js'
import {
  createChanges,
  deleteChanges,
  editChanges,
  type NewPhoto,
  type PhotoEdit,
  purgeChanges,
  undeleteChanges,
  viewPhoto
} from '../../../src/domain/photo.js'
import {
  type Change,
  changeRecord,
  type DirectoryRecord,
  mergeRecords,
  type RecordKey
} from '../../../src/domain/record.js'
import { encodeRecord, RECORD_FORMAT } from '../../../src/domain/record-codec.js'
import { SUPERBLOCK_BYTES } from '../../../src/domain/superblock.js'
import type { CommitGroup, CommittedNeedle } from '../../../src/volumes/needle-store.js'
import { SeededRandom } from '../../support/seeded-random.js'
import { SimulatedClock } from '../../support/simulated-clock.js'

/** One node that writes records: its knowledge and its writes. */
export class PhotoWriter {
  readonly clock = new SimulatedClock()
  readonly records = new Map<string, DirectoryRecord>()
  readonly #random: SeededRandom
  readonly #actor: ActorId
  readonly #hybridClock: HybridClock

  constructor(seed = 1) {
    this.#random = new SeededRandom(seed)
    this.#actor = newActorId(this.#random)
    this.#hybridClock = new HybridClock({ clock: this.clock })
  }

  newId(): PhotoId {
    return newPhotoId(this.clock, this.#random)
  }

  birth(fields: Partial<NewPhoto> = {}, id: PhotoId = this.newId()): DirectoryRecord {
    this.clock.setWall(this.clock.now() + 1)
    return this.write({ kind: 'photo', id }, [
      ...createChanges({
        size: 1_000,
        sha256: Buffer.from(this.#random.bytes(32)).toString('hex'),
        contentType: 'image/jpeg',
        cookie: newCookie(this.#random),
        logicalVolume: `${this.#actor}-1`,
        chunkBytes: 0,
        name: 'photo.jpg',
        ...fields
      })
    ])
  }

  edit(id: string, edit: PhotoEdit): DirectoryRecord {
    return this.write({ kind: 'photo', id }, editChanges(viewPhoto(this.require(id)), edit))
  }

  delete(id: string): DirectoryRecord {
    return this.write({ kind: 'photo', id }, deleteChanges(this.require(id)))
  }

  /** Empties the trash of it. */
  purge(id: string): DirectoryRecord {
    return this.write({ kind: 'photo', id }, purgeChanges(this.require(id)))
  }

  undelete(id: string): DirectoryRecord {
    return this.write({ kind: 'photo', id }, undeleteChanges(this.require(id)))
  }

  write(key: RecordKey, changes: readonly Change[]): DirectoryRecord {
    const before = this.records.get(key.id)
    const stamper = { actor: this.#actor, hlc: (seen: Iterable<Hlc>) => this.#hybridClock.after(seen) }
    const record = changeRecord(key, before, stamper, changes)
    this.records.set(key.id, record)
    return record
  }

  /** Merges a record that another node wrote. */
  learn(record: DirectoryRecord): void {
    const known = this.records.get(record.id)
    this.records.set(record.id, known === undefined ? record : mergeRecords(known, record))
  }

  require(id: string): DirectoryRecord {
    const record = this.records.get(id)
    if (record === undefined) throw new Error(`nothing is known of ${id}`)
    return record
  }
}

/** @returns the record as a later version of Sheaf might write it: this one knows its key only */
export function laterFormat(record: DirectoryRecord): Uint8Array {
  const bytes = Uint8Array.from(encodeRecord(record))
  bytes[2] = RECORD_FORMAT + 1 // after the map's head and the field's number
  return bytes
}

/** A volume's log of record needles, to be cut into arbitrary commit groups. */
export class RecordLog {
  readonly volume: VolumeId
  readonly needles: CommittedNeedle[] = []
  #end = SUPERBLOCK_BYTES

  constructor(epoch = 1, sequence = 1) {
    this.volume = volumeId(epoch.toString(16).padStart(16, '0') as ActorId, sequence)
  }

  get end(): number {
    return this.#end
  }

  append(...records: readonly DirectoryRecord[]): this {
    for (const record of records) this.appendBytes(encodeRecord(record))
    return this
  }

  appendBytes(record: Uint8Array): this {
    return this.#appendOf('record', record)
  }

  /** Appends one needle that holds the graves of photos. */
  appendGraves(...graves: readonly Grave[]): this {
    return this.#appendOf('graves', encodeGraves('photo', graves))
  }

  #appendOf(kind: 'record' | 'graves', data: Uint8Array): this {
    const location = { volume: this.volume, offset: this.#end, length: data.length }
    this.needles.push({
      kind,
      id: new Uint8Array(16),
      generation: 0,
      alternateKey: 0,
      chunk: 0,
      flags: 0,
      location,
      data
    })
    this.#end += needleBytes(data.length)
    return this
  }

  /** Appends a needle of photo bytes, which the directory ignores. */
  appendData(length: number): this {
    const location = { volume: this.volume, offset: this.#end, length }
    this.needles.push({
      kind: 'data',
      id: new Uint8Array(16),
      generation: 0,
      alternateKey: 0,
      chunk: 0,
      flags: 0,
      location
    })
    this.#end += needleBytes(length)
    return this
  }

  /** Needles [first, last) as one group. */
  group(first = 0, last = this.needles.length): CommitGroup {
    return {
      volume: this.volume,
      from: this.#offset(first),
      to: this.#offset(last),
      needles: this.needles.slice(first, last)
    }
  }

  /** All needles as groups of `size`. */
  groups(size = 1): CommitGroup[] {
    const groups: CommitGroup[] = []
    for (let first = 0; first < this.needles.length; first += size) {
      groups.push(this.group(first, Math.min(first + size, this.needles.length)))
    }
    return groups
  }

  #offset(index: number): number {
    return this.needles[index]?.location.offset ?? this.#end
  }
}
