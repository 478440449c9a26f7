import { SheafError } from '../../core/errors.js'
import type { Startable } from '../../core/lifecycle.js'
import type { Logger } from '../../core/log.js'
import type { NodeId } from '../../domain/ids.js'
import type { Departure, MemberRecord } from '../../network/membership/member-view.js'
import type { MemberRecords } from './member-records.js'

export interface DeparturesComponents {
  readonly self: NodeId
  readonly records: MemberRecords
  readonly log: Logger
}

/** Who is a member, and who no longer is. */
export class Departures implements Startable {
  readonly #components: DeparturesComponents
  readonly #records = new Map<NodeId, MemberRecord>()
  readonly #listeners = new Set<(member: MemberRecord) => void>()
  #unsubscribe: (() => void) | undefined

  constructor(components: DeparturesComponents) {
    this.#components = components
  }

  async start(): Promise<void> {
    const { records } = this.#components
    this.#unsubscribe = records.onChange(member => this.#noteRecord(member))
    for (const member of await records.load()) this.#noteRecord(member)
  }

  async stop(): Promise<void> {
    this.#unsubscribe?.()
  }

  /** Calls the listener when a node is a new member, has left, was removed or was readmitted. */
  onChange(listener: (member: MemberRecord) => void): void {
    this.#listeners.add(listener)
  }

  /** @returns undefined for a member, and for a node that never was one */
  departureOf(node: NodeId): Departure | undefined {
    return this.#records.get(node)?.departure
  }

  /** @returns whether it has a record in the directory, and has neither left nor been removed */
  isMember(node: NodeId): boolean {
    const record = this.#records.get(node)
    return record !== undefined && record.departure === undefined
  }

  /** @returns the members that have a record in the directory, perhaps this node, too */
  recordedMembers(): NodeId[] {
    return [...this.#records.values()].flatMap(({ id, departure }) => (departure === undefined ? [id] : []))
  }

  /** @throws `ERR_NO_SUCH_MEMBER`; `ERR_BAD_REQUEST` for this node itself; what the store throws */
  async remove(node: NodeId): Promise<void> {
    const { self } = this.#components
    if (node === self) throw new SheafError('ERR_BAD_REQUEST', 'a node cannot remove itself; use sheaf leave')
    const record = this.#records.get(node)
    if (record === undefined) throw new SheafError('ERR_NO_SUCH_MEMBER')
    if (record.departure === undefined) await this.#depart(node, 'removed')
  }

  /** Records that this node has left. @throws what the store throws */
  leave(): Promise<void> {
    return this.#depart(this.#components.self, 'left')
  }

  async #depart(node: NodeId, how: Departure['how']): Promise<void> {
    const { records, log } = this.#components
    await records.depart(node, how)
    log.warn({ member: node, how }, 'recorded that a node is no longer a member')
  }

  #noteRecord(member: MemberRecord): void {
    const before = this.#records.get(member.id)
    this.#records.set(member.id, member)
    if ((before?.departure === undefined) === (member.departure === undefined) && before !== undefined) return
    for (const listener of this.#listeners) listener(member)
  }
}
