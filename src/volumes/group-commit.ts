import type { SheafError } from '../core/errors.js'
import type { File } from '../core/file-system.js'
import type { VolumeId } from '../domain/ids.js'
import {
  blockChecksums,
  chainDigest,
  encodeFooter,
  encodeHeader,
  NEEDLE_HEADER_BYTES,
  needleBytes
} from '../domain/needle.js'
import { writeFailed, writeWhole } from './durable-write.js'
import type { CommitGroup, CommittedNeedle, NeedleDraft, NeedleLocation } from './needle-store.js'

/** One `writev` takes at most this much; each needle is three parts. */
const WRITE_BYTES_MAX = 16 * 1024 * 1024
const WRITE_NEEDLES_MAX = 300

export interface GroupCommitComponents {
  readonly file: File
  /** Called once per group, in log order, never twice at a time; appends resolve after it. */
  readonly commit: (group: DurableGroup) => Promise<void>
  /** Called once, when a write or sync failed: the volume takes no more appends. */
  readonly failed: (error: SheafError) => void
}

export interface GroupCommitInit {
  readonly volume: VolumeId
  readonly seed: number
  /** Where the first needle goes, and the chained digest up to there. */
  readonly end: number
  readonly chain: Uint8Array
}

/** A group whose bytes are durable, with the head that they make. */
export interface DurableGroup extends CommitGroup {
  readonly chain: Uint8Array
}

interface Append {
  readonly drafts: readonly NeedleDraft[]
  readonly byteCount: number
  readonly locations: NeedleLocation[]
  readonly footers: Uint8Array[]
  readonly resolve: (locations: NeedleLocation[]) => void
  readonly reject: (error: unknown) => void
}

/**
 * The append side of an active volume. Three stages run at once, each taking all that the one before it has finished:
 * write (one `writev`), sync (one `fdatasync` for everything written before it began), commit (one directory batch).
 *
 * A failed or short write or sync ends it for good: after a failed `fdatasync` the kernel may call lost pages clean, so
 * nothing is retried (Rebello et al., "Can Applications Recover from fsync Failures?", ATC 2020).
 */
export class GroupCommit {
  readonly #components: GroupCommitComponents
  readonly #volume: VolumeId
  readonly #seed: number
  #queued: Append[] = []
  #written: Append[] = []
  #durable: Append[] = []
  /** Where the next append goes, everything queued counted. */
  #end: number
  /** Where the next write goes. */
  #writeEnd: number
  /** Everything before it is durable. */
  #durableEnd: number
  /** Everything before it is durable and committed. */
  #committedEnd: number
  #chain: Uint8Array
  #writing: Promise<void> | undefined
  #syncing: Promise<void> | undefined
  #committing: Promise<void> | undefined
  #failure: SheafError | undefined

  constructor(components: GroupCommitComponents, init: GroupCommitInit) {
    this.#components = components
    this.#volume = init.volume
    this.#seed = init.seed
    this.#end = this.#writeEnd = this.#durableEnd = this.#committedEnd = init.end
    this.#chain = init.chain
  }

  /** Where the next needle will stand. */
  get end(): number {
    return this.#end
  }

  /** @throws the failure of the write or sync that would have made the needles durable, or of the commit */
  append(drafts: readonly NeedleDraft[]): Promise<NeedleLocation[]> {
    const failure = this.#failure
    if (failure !== undefined) return Promise.reject(failure)
    return new Promise((resolve, reject) => {
      const byteCount = drafts.reduce((sum, draft) => sum + needleBytes(draft.data.byteLength), 0)
      this.#end += byteCount
      this.#queued.push({ drafts, byteCount, locations: [], footers: [], resolve, reject })
      this.#writing ??= this.#write()
    })
  }

  /** Waits until everything appended so far has settled. */
  async drain(): Promise<void> {
    while (this.#writing !== undefined || this.#syncing !== undefined || this.#committing !== undefined) {
      await (this.#writing ?? this.#syncing ?? this.#committing)
    }
  }

  async #write(): Promise<void> {
    await new Promise(resolve => setImmediate(resolve)) // lets the appends of one turn of the event loop share a write
    while (this.#queued.length > 0 && this.#failure === undefined) {
      const { appends, parts, byteCount } = this.#takeWrite()
      const position = this.#writeEnd
      this.#writeEnd += byteCount
      try {
        await writeWhole(this.#components.file, parts, position)
      } catch (error) {
        this.#fail(error, appends)
        break
      }
      this.#written.push(...appends)
      if (this.#failure !== undefined)
        this.#fail(this.#failure, []) // a sync failed meanwhile
      else this.#syncing ??= this.#sync()
    }
    this.#writing = undefined
  }

  async #sync(): Promise<void> {
    while (this.#written.length > 0 && this.#failure === undefined) {
      const covered = this.#written
      this.#written = []
      try {
        await this.#components.file.sync()
      } catch (error) {
        this.#fail(error, covered)
        break
      }
      this.#durable.push(...covered)
      for (const { byteCount } of covered) this.#durableEnd += byteCount
      this.#committing ??= this.#commit()
    }
    this.#syncing = undefined
  }

  async #commit(): Promise<void> {
    while (this.#durable.length > 0) {
      const appends = this.#durable
      this.#durable = []
      const group = this.#groupOf(appends)
      try {
        await this.#components.commit(group)
        for (const append of appends) append.resolve(append.locations)
      } catch (error) {
        for (const append of appends) append.reject(error)
      }
    }
    this.#committing = undefined
  }

  /** Lays out as many queued appends as one write takes. */
  #takeWrite(): { appends: Append[]; parts: Uint8Array[]; byteCount: number } {
    const parts: Uint8Array[] = []
    let byteCount = 0
    let taken = 0
    for (const append of this.#queued) {
      const needleCount = parts.length / 3 + append.drafts.length
      const full = byteCount + append.byteCount > WRITE_BYTES_MAX || needleCount > WRITE_NEEDLES_MAX
      if (taken > 0 && full) break
      for (const draft of append.drafts) {
        const offset = this.#writeEnd + byteCount
        const length = draft.data.byteLength
        const header = encodeHeader({ ...draft.header, length }, this.#seed, offset, this.#durableEnd)
        const footer = encodeFooter(header, blockChecksums(draft.header, draft.data), this.#seed, offset)
        parts.push(header, draft.data, footer)
        append.locations.push({ volume: this.#volume, offset, length })
        append.footers.push(footer)
        byteCount += NEEDLE_HEADER_BYTES + length + footer.byteLength
      }
      taken++
    }
    return { appends: this.#queued.splice(0, taken), parts, byteCount }
  }

  #groupOf(appends: readonly Append[]): DurableGroup {
    const needles: CommittedNeedle[] = []
    const from = this.#committedEnd
    for (const { drafts, locations, footers, byteCount } of appends) {
      for (const [i, { header, data }] of drafts.entries()) {
        this.#chain = chainDigest(this.#chain, footers[i] as Uint8Array)
        needles.push({
          kind: header.kind,
          id: header.id,
          generation: header.generation,
          alternateKey: header.alternateKey,
          chunk: header.chunk,
          flags: header.flags,
          location: locations[i] as NeedleLocation,
          ...(header.kind === 'record' && { record: data })
        })
      }
      this.#committedEnd += byteCount
    }
    return { volume: this.#volume, from, to: this.#committedEnd, needles, chain: this.#chain }
  }

  #fail(cause: unknown, inFlight: readonly Append[]): void {
    if (this.#failure === undefined) {
      this.#failure = writeFailed(cause, this.#volume)
      this.#components.failed(this.#failure)
    }
    const lost = [...inFlight, ...this.#written, ...this.#queued]
    this.#written = []
    this.#queued = []
    for (const append of lost) append.reject(this.#failure)
  }
}
