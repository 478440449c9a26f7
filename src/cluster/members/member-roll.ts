import type { Startable } from '../../core/lifecycle.js'
import type { FormatRange } from '../../domain/formats.js'
import type { NodeId } from '../../domain/ids.js'
import type { MemberRecord } from '../../network/membership/member-view.js'
import type { MemberRecords } from './member-records.js'

const DAY_MS = 24 * 3_600_000
/** Of a member that did not say. */
const UNKNOWN_PURGE_DAYS = 30

export interface MemberRollComponents {
  readonly self: NodeId
  readonly records: Pick<MemberRecords, 'load' | 'onChange'>
  /** How long this node's deleted photos can be had back, ms. */
  readonly purgeMs: number
}

/** What the records of all members say, present or absent: for rules that hold in the whole cluster. */
export class MemberRoll implements Startable {
  readonly #components: MemberRollComponents
  readonly #records = new Map<NodeId, MemberRecord>()
  #unsubscribe: (() => void) | undefined

  constructor(components: MemberRollComponents) {
    this.#components = components
  }

  /** To be called once the directory is complete. */
  async start(): Promise<void> {
    const { records } = this.#components
    this.#unsubscribe = records.onChange(member => this.#records.set(member.id, member))
    for (const member of await records.load()) this.#records.set(member.id, member)
  }

  async stop(): Promise<void> {
    this.#unsubscribe?.()
  }

  /** @returns the record formats that a recorded member says it reads */
  formatsOf(node: NodeId): FormatRange | undefined {
    return this.#records.get(node)?.formats
  }

  /** @returns the recorded members without this node and without those that left or were removed */
  others(): MemberRecord[] {
    const { self } = this.#components
    return [...this.#records.values()].filter(({ id, departure }) => id !== self && departure === undefined)
  }

  /** Whether there were other members, which all have left or were removed. */
  isLast(): boolean {
    const { self } = this.#components
    const others = [...this.#records.values()].filter(({ id }) => id !== self)
    return others.length > 0 && others.every(({ departure }) => departure !== undefined)
  }

  /** How long a delete can be undone anywhere in the cluster, ms. */
  undoPeriodMs(): number {
    return undoPeriodMs(this.others(), this.#components.purgeMs)
  }
}

/**
 * @param others - all members but this node, absent ones included
 * @param ownMs - of this node
 * @returns the longest time for which some member lets a delete be undone, ms
 */
export function undoPeriodMs(others: readonly Pick<MemberRecord, 'purgeDays'>[], ownMs: number): number {
  return Math.max(ownMs, ...others.map(({ purgeDays = UNKNOWN_PURGE_DAYS }) => purgeDays * DAY_MS))
}
