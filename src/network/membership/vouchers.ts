import type { NodeId } from '../../domain/ids.js'

/** Of one peer: a heartbeat names a quarter of it at most, and a peer that names others each time fills no memory. */
const WORDS_MAX = 1_024

export interface VouchersInit {
  /** A member becomes reachable through others by a word that is no older than this, ms. */
  readonly freshMs: number
  /** It stays so while the last word is no older than this, ms; more than `freshMs`. */
  readonly validMs: number
}

/**
 * Through which peers members can be reached that are not connected to this node, from the peers' heartbeats. A peer vouches
 * only for whom it hears itself, so a way has one node between its ends. Pure: the caller passes the time, as to
 * `FailureDetector`.
 */
export class Vouchers {
  readonly #init: VouchersInit
  /** When each peer last said that it hears a member. */
  readonly #words = new Map<NodeId, Map<NodeId, number>>()
  readonly #via = new Set<NodeId>()

  constructor(init: VouchersInit) {
    this.#init = init
  }

  /** The members that can be reached only so. */
  get via(): ReadonlySet<NodeId> {
    return this.#via
  }

  /** @param reaches - whom the peer hears itself, as its heartbeat says */
  note(voucher: NodeId, reaches: readonly NodeId[], nowMs: number): void {
    const words = this.#words.get(voucher) ?? new Map<NodeId, number>()
    this.#words.set(voucher, words)
    for (const [member, atMs] of words) if (nowMs - atMs > this.#init.validMs) words.delete(member)
    for (const member of reaches) if (words.size < WORDS_MAX || words.has(member)) words.set(member, nowMs)
  }

  /** @returns the peers whose words on the member are valid, the latest first */
  of(member: NodeId, nowMs: number): NodeId[] {
    const words = Array.from(this.#words, ([voucher, said]) => ({
      voucher,
      atMs: said.get(member) ?? Number.NEGATIVE_INFINITY
    }))
    return words
      .filter(({ atMs }) => nowMs - atMs <= this.#init.validMs)
      .sort((a, b) => b.atMs - a.atMs)
      .map(({ voucher }) => voucher)
  }

  /**
   * Judges anew.
   *
   * @param candidates - the members that this node does not hear itself; no others are reached through peers
   * @returns the members that came into reach, or went out of it, by this call
   */
  judge(candidates: readonly NodeId[], nowMs: number): NodeId[] {
    const { freshMs, validMs } = this.#init
    for (const [voucher, words] of this.#words) {
      if (nowMs - Math.max(...words.values()) > validMs) this.#words.delete(voucher)
    }
    const ageMs = (member: NodeId): number =>
      nowMs -
      Math.max(
        Number.NEGATIVE_INFINITY,
        ...[...this.#words.values()].map(words => words.get(member) ?? Number.NEGATIVE_INFINITY)
      )
    const reached = new Set(candidates.filter(member => ageMs(member) <= (this.#via.has(member) ? validMs : freshMs)))
    const changed = [...new Set([...this.#via, ...reached])].filter(
      member => this.#via.has(member) !== reached.has(member)
    )
    for (const member of changed) if (!this.#via.delete(member)) this.#via.add(member)
    return changed
  }
}
