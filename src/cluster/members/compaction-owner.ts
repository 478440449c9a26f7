import type { Clock } from '../../core/clock.js'
import type { NodeId } from '../../domain/ids.js'
import { rendezvous } from '../../domain/rendezvous.js'
import type { MemberView } from '../../network/membership/member-view.js'
import type { Volume } from '../../volumes/volume.js'

/** Another member compacts the volumes of a writer that has been down for this long. */
const ABSENT_MS = 24 * 3_600_000

export interface CompactionOwnerComponents {
  readonly self: NodeId
  readonly members: () => readonly MemberView[]
  /** @returns whose public key this is */
  readonly nodeOf: (origin: Uint8Array) => NodeId
  readonly clock: Clock
}

/**
 * Decides which member compacts a volume: its writer, or, when that has left, was removed or has been down for a day, the
 * first of the others in rendezvous order. Members need not agree: two that compact the same volume only make extra copies.
 */
export class CompactionOwner {
  readonly #components: CompactionOwnerComponents
  readonly #absentMs: number
  readonly #startedAt: number

  /** @param init.absentMs - how long a writer has to be down; default one day */
  constructor(components: CompactionOwnerComponents, init: { readonly absentMs?: number } = {}) {
    this.#components = components
    this.#absentMs = init.absentMs ?? ABSENT_MS
    this.#startedAt = components.clock.now()
  }

  /** @returns whether this node compacts a volume, by the members of now */
  ownership(): (volume: Volume) => boolean {
    const { self, members, nodeOf } = this.#components
    const present = members()
      .filter(view => !this.#isAbsent(view))
      .map(view => view.id)
    return ({ id, superblock }) => {
      if (superblock === undefined) return false // damaged, and volumes with holes are not compacted anyway
      const writer = nodeOf(superblock.origin)
      if (writer === self || present.includes(writer)) return writer === self
      return rendezvous(id, present)[0] === self
    }
  }

  #isAbsent({ self, state, lastSeenAtMs }: MemberView): boolean {
    if (self) return false
    if (state === 'left') return true
    const since = lastSeenAtMs ?? this.#startedAt
    return state === 'down' && this.#components.clock.now() - since >= this.#absentMs
  }
}
