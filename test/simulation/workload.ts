import { createCipheriv } from 'node:crypto'
import type { Clock } from '../../src/core/clock.js'
import { type ErrorCode, hasCode, SheafError } from '../../src/core/errors.js'
import type { PhotoId } from '../../src/domain/ids.js'
import { PHOTO_KIND, type Photo, viewPhoto } from '../../src/domain/photo.js'
import { conflictVersions, type DirectoryRecord } from '../../src/domain/record.js'
import type { NodeServices } from '../../src/node-services.js'
import { blobOf, dataIdentity, needleCount } from '../../src/store/photo-needles.js'
import { rankOf } from '../checkers/photo-rules.js'
import type { SeededRandom } from '../support/seeded-random.js'
import { PhotoHistory, type Seen, type Write, type WriteInit } from './photo-history.js'

/** A running node that clients talk to. */
export interface Target {
  readonly name: string
  readonly services: NodeServices
  readonly clock: Clock
  /** Whether something is wrong with the node now, so that its disk or directory may refuse. */
  readonly troubled: () => boolean
  /** Whether it has so little memory that it may refuse uploads. Default: it has enough. */
  readonly crowded?: () => boolean
}

/** Errors that say that nothing was done. */
const REFUSALS: readonly ErrorCode[] = [
  'ERR_PHOTO_NOT_FOUND',
  'ERR_PHOTO_DELETED',
  'ERR_BYTES_GONE',
  'ERR_NO_SUCH_CONFLICT',
  'ERR_LEAVING',
  'ERR_OVERLOADED'
]
/** Errors that a node in trouble may answer with; whether the write was done is unknown then. */
const TROUBLES: readonly ErrorCode[] = [
  'ERR_DISK_FULL',
  'ERR_DISK_WRITE',
  'ERR_DISK_READ',
  'ERR_DIRECTORY_UNAVAILABLE',
  'ERR_BYTES_UNREACHABLE',
  'ERR_NEEDLE_CORRUPT',
  'ERR_STOPPING',
  'ERR_FORMAT_TOO_NEW'
]

/** What a slow client sends at a time, and how long it then waits at most. */
const SLOW_PIECE_BYTES = 20_000
const SLOW_MS_MAX = 200

interface UnderWay {
  readonly target: Target
  readonly write?: Write
  readonly history?: PhotoHistory
}

export interface WorkloadInit {
  /** Sizes of photos, bytes: the greatest of several draws below this. */
  readonly photoBytesMax: number
  /** Whether there are others: a node that has a photo's record may lack its bytes for now. */
  readonly cluster: boolean
}

/** Clients that do random things to photos, remember what they were told, and hold what they see against it. */
export class Workload {
  readonly histories: PhotoHistory[] = []
  /** What was wrong, in words; a run with any has failed. */
  readonly violations: string[] = []
  readonly trace: string[] = []
  /** Photos that a planted fault may have hit. */
  readonly damaged = new Set<PhotoId>()
  readonly #random: SeededRandom
  readonly #init: WorkloadInit
  readonly #underWay = new Set<UnderWay>()
  #operations = 0

  constructor(components: { readonly random: SeededRandom }, init: WorkloadInit) {
    this.#random = components.random.fork()
    this.#init = init
  }

  /** Begins a random operation on a node. @returns never rejects; settles when the outcome is known, or never if it was abandoned */
  operate(target: Target): Promise<void> {
    const free = this.histories.filter(history => history.id !== undefined && !this.#isBusy(history, target))
    if (free.length === 0 || this.#random.chance(free.length < 4 ? 0.5 : 0.2)) return this.upload(target)
    const history = this.#random.pick(free.slice(this.#random.pick([-2, -12])))
    const record = this.recordOf(target, history)
    if (record === 'unavailable') return Promise.resolve()
    const photo = record && viewPhoto(record)
    if (photo === undefined || this.#random.chance(0.25)) return this.read(target, history)
    if (photo.deleted) return this.#random.chance(0.5) ? this.undelete(target, history) : this.read(target, history)
    const choice = this.#random.fraction()
    if (choice < 0.25) return this.remove(target, history)
    if (choice < 0.35 && conflictVersions(photo.record).length > 0) return this.restore(target, history)
    if (choice < 0.45) return this.list(target)
    return this.edit(target, history)
  }

  /** @param byteCount - default: random */
  upload(target: Target, byteCount?: number): Promise<void> {
    const number = ++this.#operations
    const history = new PhotoHistory(noise(number, byteCount ?? this.#photoBytes()))
    this.histories.push(history)
    const name = `u${number}`
    const tags = this.#random.chance(0.5) ? [`t${number}`] : []
    const { bytes } = history
    const options = {
      filename: name,
      tags,
      ...(this.#random.chance(0.5) && { declaredBytes: bytes.byteLength }),
      ...(this.#init.cluster && this.#random.chance(0.15) && { minCopies: 2 })
    }
    return this.#write(target, history, { kind: 'birth', name, adds: tags }, async (_, write) => {
      const { photoId, copies } = await target.services.photos
        .upload(this.#body(target, bytes), options)
        .catch(keptWithFewCopies)
      history.id = photoId
      write.copies = copies
    })
  }

  /** In pieces of any size, now and then slowly. */
  async *#body({ clock }: Target, bytes: Uint8Array): AsyncGenerator<Uint8Array> {
    const isSlow = this.#random.chance(0.2)
    for (let at = 0; at < bytes.byteLength; ) {
      const size = 1 + this.#random.below(isSlow ? SLOW_PIECE_BYTES : bytes.byteLength)
      if (isSlow) await clock.sleep(this.#random.below(SLOW_MS_MAX))
      yield Uint8Array.from(bytes.subarray(at, at + size))
      at += size
    }
  }

  /** @param renames - whether there is a new version, or only other tags; default: either */
  edit(target: Target, history: PhotoHistory, renames = this.#random.chance(0.6)): Promise<void> {
    const number = this.#operations + 1
    const photo = this.#photoOf(target, history)
    const name = renames ? `e${number}` : undefined
    const adds = name === undefined || this.#random.chance(0.4) ? [`t${number}`] : []
    const removable = photo?.tags ?? []
    const removes = removable.length > 0 && this.#random.chance(0.4) ? [this.#random.pick(removable)] : []
    const patch = { ...(name !== undefined && { name }), tags: { add: adds, remove: removes } }
    return this.#write(target, history, { kind: 'edit', name, adds, removes }, id =>
      target.services.photos.patch(id, patch)
    )
  }

  remove(target: Target, history: PhotoHistory): Promise<void> {
    return this.#write(target, history, { kind: 'delete' }, id => target.services.photos.remove(id))
  }

  undelete(target: Target, history: PhotoHistory): Promise<void> {
    return this.#write(target, history, { kind: 'undelete' }, id => target.services.photos.undelete(id))
  }

  restore(target: Target, history: PhotoHistory): Promise<void> {
    const photo = this.#photoOf(target, history)
    const conflicts = photo === undefined ? [] : conflictVersions(photo.record)
    if (photo === undefined || conflicts.length === 0) return Promise.resolve()
    const i = this.#random.below(conflicts.length)
    const { name } = viewPhoto(photo.record, conflicts[i])
    return this.#write(target, history, { kind: 'restore', name }, id => target.services.photos.restore(id, i + 1))
  }

  /** Reads a random range, or all. */
  async read(target: Target, history: PhotoHistory, whole = this.#random.chance(0.3)): Promise<void> {
    const { id, bytes } = history
    if (id === undefined) return
    const number = ++this.#operations
    const start = whole ? 0 : this.#random.below(bytes.byteLength)
    const end = whole ? bytes.byteLength : start + 1 + this.#random.below(bytes.byteLength - start)
    const before = this.recordOf(target, history)
    const underWay = { target, history }
    this.#underWay.add(underWay)
    try {
      const content = await target.services.photos.open(id, 'orig')
      const parts: Uint8Array[] = []
      for await (const part of content.stream(start, end)) parts.push(Buffer.from(part))
      if (!this.#underWay.has(underWay)) return
      if (Buffer.compare(Buffer.concat(parts), bytes.subarray(start, end)) !== 0)
        this.#violation(target, `read #${number} of ${id} [${start}, ${end}) gave other bytes`)
    } catch (err) {
      if (!this.#underWay.has(underWay)) return
      this.#judgeReadError(target, history, before, err)
    } finally {
      this.#underWay.delete(underWay)
    }
  }

  /** Pages through all live photos, and holds the answer against the directory's records. */
  async list(target: Target): Promise<void> {
    const number = ++this.#operations
    const busy = new Set([...this.#underWay].map(({ history }) => history?.id))
    const live = (): Set<PhotoId> => {
      const ids = this.histories.flatMap(history => {
        const photo = this.#photoOf(target, history)
        return photo === undefined || photo.deleted || busy.has(photo.id) ? [] : [photo.id]
      })
      return new Set(ids)
    }
    const before = live()
    const seen = new Set<PhotoId>()
    const underWay = { target }
    this.#underWay.add(underWay)
    try {
      let cursor: string | null = ''
      while (cursor !== null) {
        const page = await target.services.photos.list({ limit: 7, ...(cursor !== '' && { cursor }) })
        for (const { photo } of page.photos) {
          if (seen.has(photo.id)) this.#violation(target, `list #${number} names ${photo.id} twice`)
          seen.add(photo.id)
        }
        cursor = page.nextCursor
      }
    } catch (err) {
      if (this.#underWay.has(underWay) && !isTrouble(err)) this.#violation(target, `list #${number}: ${describe(err)}`)
      return
    } finally {
      this.#underWay.delete(underWay)
    }
    const after = live()
    for (const id of before) {
      if (after.has(id) && !seen.has(id)) this.#violation(target, `list #${number} lacks ${id}`)
    }
  }

  /** What has no outcome yet. */
  get underWay(): string[] {
    return [...this.#underWay].map(({ target, write, history }) => {
      return `${target.name}: ${write === undefined ? 'a look' : `${write.kind} #${write.number}`} at ${history?.id}`
    })
  }

  /** The processes of the node are gone: what it had under way may have been done. */
  abandon(target: Target): void {
    for (const underWay of this.#underWay) {
      if (underWay.target.name !== target.name) continue
      this.#underWay.delete(underWay)
      if (underWay.write !== undefined) underWay.write.fate = 'maybe'
    }
  }

  /**
   * Holds everything that a node shows against what clients were told.
   *
   * @param must - the writes that the node has to know
   */
  async check(target: Target, must: (write: Write, history: PhotoHistory) => boolean): Promise<void> {
    try {
      await this.#adopt(target)
    } catch (err) {
      if (!target.troubled() || !isTrouble(err)) this.#violation(target, `a look at all photos: ${describe(err)}`)
      return
    }
    for (const history of this.histories) {
      const seen = this.seenAt(target, history)
      if (seen === 'unavailable') {
        if (!target.troubled()) this.#violation(target, 'the directory is unavailable')
        return
      }
      const excused = history.id !== undefined && this.damaged.has(history.id)
      for (const problem of history.judge(seen, write => !excused && must(write, history)))
        this.#violation(target, `photo ${history.id}: ${problem}`)
    }
  }

  /** @returns undefined also for a photo of which only the grave is left */
  recordOf(target: Target, history: PhotoHistory): DirectoryRecord | undefined | 'unavailable' {
    const seen = this.seenAt(target, history)
    return seen === 'unavailable' ? seen : seen.record
  }

  /** What the node has of the photo. */
  seenAt(target: Target, { id }: PhotoHistory): Seen | 'unavailable' {
    if (id === undefined) return {}
    try {
      const { stored, grave } = target.services.local.directory.lookUp({ kind: PHOTO_KIND, id })
      return { record: stored?.record, ended: grave?.generation }
    } catch (err) {
      if (!isTrouble(err)) this.#violation(target, `the record of ${id}: ${describe(err)}`)
      return 'unavailable'
    }
  }

  isLive(target: Target, history: PhotoHistory): boolean {
    return this.#photoOf(target, history)?.deleted === false
  }

  note(line: string): void {
    this.trace.push(line)
  }

  #photoOf(target: Target, history: PhotoHistory): Photo | undefined {
    const record = this.recordOf(target, history)
    return record === undefined || record === 'unavailable' ? undefined : viewPhoto(record)
  }

  #isBusy(history: PhotoHistory, target: Target): boolean {
    return [...this.#underWay].some(other => other.history === history && other.target.name === target.name)
  }

  async #write(
    target: Target,
    history: PhotoHistory,
    init: WriteInit,
    task: (id: PhotoId, write: Write) => Promise<unknown>
  ): Promise<void> {
    const number = ++this.#operations
    const before = this.recordOf(target, history)
    if (before === 'unavailable') return
    const write = history.begin(number, target.name, init, before, target.clock.monotonic())
    const actor = target.services.local.volumes.epoch
    const underWay = { target, write, history }
    this.#underWay.add(underWay)
    const title = `${target.name}: ${init.kind} #${number}${init.name === undefined ? '' : ` ${init.name}`}`
    this.note(`${title} of ${history.id ?? 'a new photo'} begins`)
    const troubled = target.troubled()
    try {
      await task(history.id as PhotoId, write)
      if (!this.#underWay.has(underWay)) return
      const after = this.seenAt(target, history)
      if (after === 'unavailable') write.fate = 'maybe'
      else if (after.ended !== undefined)
        write.fate = before === undefined ? 'failed' : 'maybe' // it was buried already, or is by now
      else if (after.record === undefined) this.#violation(target, `${title} was acknowledged and is not there`)
      else {
        history.acknowledge(write, [actor, target.services.local.volumes.epoch], before, after.record)
        if (write.kind === 'undelete') this.#requireBytes(target, write, after.record)
      }
      this.note(`${title} of ${history.id} is acknowledged`)
    } catch (err) {
      if (!this.#underWay.has(underWay)) return
      const refused = err instanceof SheafError && REFUSALS.includes(err.code)
      write.fate = refused ? 'failed' : 'maybe'
      this.note(`${title} of ${history.id}: ${describe(err)}`)
      const excused = troubled || target.troubled() || (history.id !== undefined && this.damaged.has(history.id))
      const crowded = hasCode(err, 'ERR_OVERLOADED') && write.kind === 'birth' && target.crowded?.() === true
      if (
        !crowded &&
        !(isTrouble(err) && excused) &&
        !(refused && this.#isDue(err, history, before, this.seenAt(target, history)))
      )
        this.#violation(target, `${title}: ${describe(err)}`)
    } finally {
      this.#underWay.delete(underWay)
    }
  }

  /** An undelete has written the bytes again; those of the life before, which stand in, go once a grave meets them. */
  #requireBytes(target: Target, write: Write, record: DirectoryRecord): void {
    const photo = viewPhoto(record)
    const blob = blobOf(photo, 'orig')
    if (blob === undefined || rankOf(photo) !== write.rank) return // others have gone on meanwhile
    const { volumes } = target.services.local
    for (let chunk = 0; chunk < needleCount(blob); chunk++) {
      if (volumes.locate(dataIdentity(blob, chunk)).length === 0)
        this.#violation(target, `undelete #${write.number} was acknowledged without its bytes`)
    }
  }

  /** Whether a refusal is right, given the photo before and after. */
  #isDue(
    err: SheafError,
    history: PhotoHistory,
    before: DirectoryRecord | undefined | 'unavailable',
    after: Seen | 'unavailable'
  ): boolean {
    const records = [before, after === 'unavailable' ? after : after.record]
    const photos = records.map(record =>
      record === undefined || record === 'unavailable' ? undefined : viewPhoto(record)
    )
    const isBuried = after !== 'unavailable' && after.ended !== undefined
    if (err.code === 'ERR_OVERLOADED') return false // only uploads are refused for want of memory
    if (isBuried) return err.code === 'ERR_PHOTO_DELETED' || err.code === 'ERR_BYTES_GONE'
    if (err.code === 'ERR_PHOTO_NOT_FOUND') return photos.some(photo => photo === undefined)
    if (err.code === 'ERR_NO_SUCH_CONFLICT' || err.code === 'ERR_LEAVING') return true
    // of a photo that was unknown here, any state may have come first, and a later one right behind it
    const wasDeleted = history.writes.some(({ kind, fate }) => kind === 'delete' && fate !== 'failed')
    if (before === undefined && wasDeleted && err.code === 'ERR_PHOTO_DELETED') return true
    return photos.some(photo => photo?.deleted) // 410, and the bytes of a deleted photo may be gone
  }

  #judgeReadError(
    target: Target,
    history: PhotoHistory,
    before: DirectoryRecord | undefined | 'unavailable',
    err: unknown
  ): void {
    const due =
      err instanceof SheafError &&
      REFUSALS.includes(err.code) &&
      this.#isDue(err, history, before, this.seenAt(target, history))
    const lags = this.#init.cluster && err instanceof SheafError && err.code === 'ERR_BYTES_UNREACHABLE'
    const excused = target.troubled() || (history.id !== undefined && this.damaged.has(history.id))
    if (!due && !lags && !(excused && isTrouble(err)))
      this.#violation(target, `reading ${history.id}: ${describe(err)}`)
  }

  /** Finds photos whose upload nobody was told of. */
  async #adopt(target: Target): Promise<void> {
    const known = new Set(this.histories.map(({ id }) => id))
    for await (const record of target.services.local.directory.records(PHOTO_KIND)) {
      if (known.has(record.id as PhotoId)) continue
      const photo = viewPhoto(record)
      const names = [photo, ...conflictVersions(record).map(version => viewPhoto(record, version))].map(
        ({ name }) => name
      )
      const history = this.histories.find(
        ({ id, writes: [birth] }) => id === undefined && birth?.fate !== 'failed' && names.includes(birth?.name ?? '')
      )
      if (history === undefined) {
        this.#violation(target, `photo ${record.id} (${photo.name}, rank ${rankOf(photo)}) comes from nowhere`)
        continue
      }
      history.id = photo.id
      if (history.orphaned) this.damaged.add(photo.id)
      this.note(`${target.name}: the upload of ${photo.name} turns up as ${photo.id}`)
    }
  }

  #photoBytes(): number {
    const { photoBytesMax } = this.#init
    return 1 + Math.floor(this.#random.fraction() ** 3 * photoBytesMax)
  }

  #violation(target: Target, problem: string): void {
    this.violations.push(`${target.name}: ${problem}`)
    this.note(`VIOLATION ${target.name}: ${problem}`)
  }
}

function isTrouble(err: unknown): boolean {
  return err instanceof SheafError && TROUBLES.includes(err.code)
}

function describe(err: unknown): string {
  if (err instanceof SheafError) return `${err.code}: ${err.message}`
  return err instanceof Error ? (err.stack ?? err.message) : String(err)
}

/** Too few copies were made in time, but the photo is kept. */
function keptWithFewCopies(err: unknown): { readonly photoId: PhotoId; readonly copies: number } {
  if (!hasCode(err, 'ERR_TOO_FEW_COPIES')) throw err
  return { photoId: err.details.photo_id as PhotoId, copies: Number(err.details.copies) }
}

/** Bytes that differ from those of every other number everywhere, and hardly take any time. */
function noise(number: number, byteCount: number): Uint8Array {
  const key = Buffer.alloc(16)
  key.writeUInt32LE(number)
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(byteCount))
}
