import type { Clock } from '../../core/clock.js'
import type { NodeId } from '../../domain/ids.js'
import { rendezvous } from '../../domain/rendezvous.js'
import type { MemberView } from '../../network/membership/member-view.js'
import type { Volume } from '../../volumes/volume.js'

/** Who has been away for so long does not compact any more; another does it instead. */
const ABSENT_MS = 24 * 3_600_000

export interface CompactionOwnerComponents {
  readonly self: NodeId
  readonly members: () => readonly MemberView[]
  /** @returns whose public key this is */
  readonly nodeOf: (origin: Uint8Array) => NodeId
  readonly clock: Clock
}

/**
 * Says who compacts a volume: its writer, or when that has left, was removed or has been down for a day, the first of the
 * others in rendezvous order. They need not agree: two who compact the same volume make copies, nothing worse.
 */
export class CompactionOwner {
  readonly #components: CompactionOwnerComponents
  readonly #absentMs: number
  readonly #startedAt: number

  constructor(components: CompactionOwnerComponents, init: { readonly absentMs?: number } = {}) {
    this.#components = components
    this.#absentMs = init.absentMs ?? ABSENT_MS
    this.#startedAt = components.clock.now()
  }

  isOwner({ id, superblock }: Volume): boolean {
    const { self, members, nodeOf } = this.#components
    if (superblock === undefined) return false // with holes it is left alone anyway
    const writer = nodeOf(superblock.origin)
    const views = members()
    const here = views.filter(view => !this.#isAbsent(view)).map(view => view.id)
    if (writer === self || here.includes(writer)) return writer === self
    return rendezvous(id, here)[0] === self
  }

  #isAbsent({ self, state, lastSeenAtMs }: MemberView): boolean {
    if (self) return false
    if (state === 'left') return true
    const since = lastSeenAtMs ?? this.#startedAt
    return state === 'down' && this.#components.clock.now() - since >= this.#absentMs
  }
}
