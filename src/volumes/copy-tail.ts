import type { SheafError } from '../core/errors.js'
import { writeError } from './durable-write.js'
import type { ParsedNeedles } from './needle-parser.js'
import type { DurableGroup } from './needle-store.js'
import type { Volume } from './volume.js'
import { WriteStages } from './write-stages.js'

/** Bound on one `writev`; a larger portion is written alone. */
const WRITE_BYTES_MAX = 16 * 1024 * 1024

interface Portion {
  readonly byteCount: number
  readonly bytes: Uint8Array
  readonly group: DurableGroup
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

export interface CopyTailComponents {
  /** Takes over a durable group; calls are in order and do not overlap. */
  readonly commit: (group: DurableGroup) => Promise<void>
  /** Called once, when a write or sync has failed: the tail takes nothing more. */
  readonly failed: () => void
}

/** The growing end of a copy: writes, syncs and commits verified needles while more arrive. */
export class CopyTail {
  readonly #volume: Volume
  readonly #stages: WriteStages<Portion>
  #end: number
  #chain: Uint8Array
  #failure: SheafError | undefined
  readonly #failed: () => void

  constructor(volume: Volume, { commit, failed }: CopyTailComponents) {
    this.#volume = volume
    this.#failed = failed
    this.#end = volume.end
    this.#chain = volume.chain
    this.#stages = new WriteStages(
      {
        file: volume.file,
        layOut: queued => layOut(queued),
        commit: portions => commitInTurn(portions, commit),
        failed: (cause, lost) => this.#fail(cause, lost)
      },
      volume.end
    )
  }

  /** Where the next portion begins. */
  get end(): number {
    return this.#end
  }

  /** Chained digest up to `end`. */
  get chain(): Uint8Array {
    return this.#chain
  }

  /** No writes are pending: `end` and `chain` equal the volume's. */
  get idle(): boolean {
    return this.#stages.idle
  }

  /**
   * Resolves when the needles are durable and committed.
   *
   * @param bytes - of the needles; must not change until the promise settles
   * @throws the failure of a write or sync, or of the commit
   */
  append(bytes: Uint8Array, { needles, chain }: ParsedNeedles): Promise<void> {
    const from = this.#end
    this.#end += bytes.byteLength
    this.#chain = chain
    const group = { volume: this.#volume.id, from, to: this.#end, needles, chain }
    return new Promise((resolve, reject) => {
      this.#stages.push({ byteCount: bytes.byteLength, bytes, group, resolve, reject })
    })
  }

  drain(): Promise<void> {
    return this.#stages.drain()
  }

  #fail(cause: unknown, lost: readonly Portion[]): void {
    if (this.#failure === undefined) this.#failed()
    this.#failure ??= writeError(cause, this.#volume.id)
    for (const portion of lost) portion.reject(this.#failure)
  }
}

function layOut(queued: Portion[]): { items: Portion[]; parts: Uint8Array[] } {
  let byteCount = 0
  let taken = 0
  for (const portion of queued) {
    byteCount += portion.byteCount
    if (taken > 0 && byteCount > WRITE_BYTES_MAX) break
    taken++
  }
  const items = queued.splice(0, taken)
  return { items, parts: items.map(({ bytes }) => bytes) }
}

async function commitInTurn(
  portions: readonly Portion[],
  commit: (group: DurableGroup) => Promise<void>
): Promise<void> {
  for (const { group, resolve, reject } of portions) await commit(group).then(resolve, reject)
}
