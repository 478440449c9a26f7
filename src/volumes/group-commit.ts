import type { SheafError } from '../core/errors.js'
import type { File } from '../core/file-system.js'
import { carried, type Span, type Tracer, traced } from '../core/tracing.js'
import type { VolumeId } from '../domain/ids.js'
import {
  blockChecksums,
  chainDigest,
  encodeFooter,
  encodeHeader,
  isOfDirectory,
  NEEDLE_HEADER_BYTES,
  needleBytes
} from '../domain/needle.js'
import { writeError } from './durable-write.js'
import type { CommittedNeedle, DurableGroup, NeedleDraft, NeedleLocation } from './needle-store.js'
import { WriteStages } from './write-stages.js'

/** Bounds on one `writev`; a larger append is written alone. A needle has three parts, so 300 stay below IOV_MAX, 1024. */
const WRITE_BYTES_MAX = 16 * 1024 * 1024
const WRITE_NEEDLES_MAX = 300

export interface GroupCommitComponents {
  readonly file: File
  /** Default: nothing is traced. */
  readonly tracer?: Tracer | undefined
  /** Called once per group, in log order and without overlap; appends resolve after it. */
  readonly commit: (group: DurableGroup) => Promise<void>
  /** Called once, when a write or sync has failed: the volume accepts no more appends. */
  readonly failed: (error: SheafError) => void
}

export interface GroupCommitInit {
  readonly volume: VolumeId
  readonly seed: number
  /** Offset of the first needle, and the chained digest up to there. */
  readonly end: number
  readonly chain: Uint8Array
}

interface Append {
  readonly drafts: readonly NeedleDraft[]
  readonly byteCount: number
  readonly locations: NeedleLocation[]
  readonly footers: Uint8Array[]
  /** From the append to its commit; undefined: nobody traces it. */
  readonly span: Span | undefined
  readonly resolve: (locations: NeedleLocation[]) => void
  readonly reject: (error: unknown) => void
}

/** The append side of an active volume: {@link WriteStages} whose commit stage is one directory batch per group. */
export class GroupCommit {
  readonly #components: GroupCommitComponents
  readonly #volume: VolumeId
  readonly #seed: number
  readonly #stages: WriteStages<Append>
  /** Offset of the next append, after everything queued. */
  #end: number
  /** Everything before it is durable and committed. */
  #committedEnd: number
  #chain: Uint8Array
  #failure: SheafError | undefined

  constructor(components: GroupCommitComponents, init: GroupCommitInit) {
    this.#components = components
    this.#volume = init.volume
    this.#seed = init.seed
    this.#end = this.#committedEnd = init.end
    this.#chain = init.chain
    this.#stages = new WriteStages(
      {
        file: components.file,
        layOut: (queued, position) => this.#layOut(queued, position),
        commit: appends => this.#commit(appends),
        failed: (cause, lost) => this.#fail(cause, lost)
      },
      init.end
    )
  }

  /** Offset of the next needle to be appended. */
  get end(): number {
    return this.#end
  }

  /** Resolves when the needles are durable and committed. @throws the failure of the write, sync or commit */
  append(drafts: readonly NeedleDraft[]): Promise<NeedleLocation[]> {
    return new Promise((resolve, reject) => {
      const byteCount = drafts.reduce((sum, draft) => sum + needleBytes(draft.data.byteLength), 0)
      if (this.#failure === undefined) this.#end += byteCount
      const { tracer } = this.#components
      // what nobody asked for, such as upkeep, has no span
      const span =
        tracer?.current() === undefined ? undefined : tracer.begin('append', { attributes: { bytes: byteCount } })
      this.#stages.push({ drafts, byteCount, locations: [], footers: [], span, resolve, reject })
    })
  }

  /** Waits until everything appended so far has settled. */
  drain(): Promise<void> {
    return this.#stages.drain()
  }

  /** Takes as many queued appends as fit into one write and encodes their needles. */
  #layOut(queued: Append[], position: number): { items: Append[]; parts: Uint8Array[] } {
    const parts: Uint8Array[] = []
    let byteCount = 0
    let taken = 0
    for (const append of queued) {
      const needleCount = parts.length / 3 + append.drafts.length
      const full = byteCount + append.byteCount > WRITE_BYTES_MAX || needleCount > WRITE_NEEDLES_MAX
      if (taken > 0 && full) break
      for (const draft of append.drafts) {
        const offset = position + byteCount
        const length = draft.data.byteLength
        const header = encodeHeader({ ...draft.header, length }, this.#seed, offset, this.#stages.durableEnd)
        const footer = encodeFooter(header, blockChecksums(draft.header, draft.data), this.#seed, offset)
        parts.push(header, draft.data, footer)
        append.locations.push({ volume: this.#volume, offset, length })
        append.footers.push(footer)
        byteCount += NEEDLE_HEADER_BYTES + length + footer.byteLength
      }
      taken++
    }
    return { items: queued.splice(0, taken), parts }
  }

  async #commit(appends: readonly Append[]): Promise<void> {
    const group = this.#groupOf(appends)
    try {
      await this.#tracedCommit(group, appends)
      for (const append of appends) {
        append.span?.end()
        append.resolve(append.locations)
      }
    } catch (error) {
      for (const append of appends) {
        append.span?.end(error)
        append.reject(error)
      }
    }
  }

  #tracedCommit(group: DurableGroup, appends: readonly Append[]): Promise<void> {
    const { tracer, commit } = this.#components
    if (tracer === undefined) return commit(group)
    const places = appends.flatMap(({ span }) => span?.traceParent ?? [])
    // The stages run on from one append to the next: without this, another's span would still be the current one.
    if (places.length === 0) return tracer.run(undefined, () => commit(group))
    const init = () => ({ ...carried(places), attributes: { needles: group.needles.length } })
    return traced(tracer, 'commit', init, () => commit(group))
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
          ...(isOfDirectory(header.kind) && { data })
        })
      }
      this.#committedEnd += byteCount
    }
    return { volume: this.#volume, from, to: this.#committedEnd, needles, chain: this.#chain }
  }

  #fail(cause: unknown, lost: readonly Append[]): void {
    if (this.#failure === undefined) {
      this.#failure = writeError(cause, this.#volume)
      this.#components.failed(this.#failure)
    }
    for (const append of lost) {
      append.span?.end(this.#failure)
      append.reject(this.#failure)
    }
  }
}
