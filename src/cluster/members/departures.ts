import { SheafError } from '../../core/errors.js'
import type { Startable } from '../../core/lifecycle.js'
import type { Logger } from '../../core/log.js'
import type { NodeId, VolumeId } from '../../domain/ids.js'
import type { Departure, MemberRecord } from '../../network/membership/member-view.js'
import type { VolumeSet } from '../../volumes/volume-set.js'
import type { MemberRecords, VolumeEnds } from './member-records.js'

export interface DeparturesComponents {
  readonly self: NodeId
  readonly records: MemberRecords
  readonly volumes: Pick<VolumeSet, 'volumes'>
  /** @returns whose public key this is */
  readonly nodeOf: (origin: Uint8Array) => NodeId
  readonly log: Logger
}

/**
 * Departed nodes, and which members have acknowledged each departure. A member that has acknowledged accepts nothing more
 * from the node; once every member has, the node no longer holds back forgetting.
 */
export class Departures implements Startable {
  readonly #components: DeparturesComponents
  readonly #records = new Map<NodeId, MemberRecord>()
  readonly #listeners = new Set<(member: MemberRecord) => void>()
  #acknowledging: Promise<void> = Promise.resolve()
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
    await this.#acknowledging
  }

  /** Calls the listener when a node is a new member, has left, was removed or was readmitted. */
  onChange(listener: (member: MemberRecord) => void): void {
    this.#listeners.add(listener)
  }

  /** @returns undefined for a member, and for a node that never was one */
  departureOf(node: NodeId): Departure | undefined {
    return this.#records.get(node)?.departure
  }

  /** @returns the members that have a record in the directory, perhaps this node, too */
  recordedMembers(): NodeId[] {
    return [...this.#records.values()].flatMap(({ id, departure }) => (departure === undefined ? [id] : []))
  }

  /** @returns departed nodes whose departure some members have not acknowledged: they still hold back forgetting */
  unacknowledged(): { readonly node: NodeId; readonly missing: readonly NodeId[] }[] {
    const members = this.recordedMembers()
    return [...this.#records.values()].flatMap(({ id, departure }) => {
      const missing = departure === undefined ? [] : members.filter(node => !departure.acknowledged.has(node))
      return missing.length === 0 ? [] : [{ node: id, missing }]
    })
  }

  /** @returns the greatest end of the volume that a member held when it acknowledged its writer's departure; else 0 */
  recordedEnd(volume: VolumeId): number {
    let end = 0
    for (const { departure } of this.#records.values()) {
      for (const heads of departure?.acknowledged.values() ?? []) end = Math.max(end, heads.get(volume) ?? 0)
    }
    return end
  }

  /** Acknowledges all departures that this node has not acknowledged yet. @throws what the store throws */
  async acknowledgeAll(): Promise<void> {
    const { records, self } = this.#components
    if (this.departureOf(self) !== undefined) return
    for (const { id, departure } of [...this.#records.values()]) {
      if (departure === undefined || id === self || departure.acknowledged.has(self)) continue
      await records.acknowledge(id, self, this.headsOf(id))
    }
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

  /** @returns up to where this node holds the volumes that `node` wrote */
  headsOf(node: NodeId): VolumeEnds {
    const { volumes, nodeOf } = this.#components
    const written = volumes.volumes().filter(({ superblock }) => superblock && nodeOf(superblock.origin) === node)
    return new Map(written.map(({ id, end }) => [id, end]))
  }

  async #depart(node: NodeId, how: Departure['how']): Promise<void> {
    const { records, self, log } = this.#components
    await records.depart(node, how, self, this.headsOf(node))
    log.warn({ member: node, how }, 'recorded that a node is no longer a member')
  }

  #noteRecord(member: MemberRecord): void {
    const { self } = this.#components
    const before = this.#records.get(member.id)
    this.#records.set(member.id, member)
    if (member.departure !== undefined && member.id !== self && !member.departure.acknowledged.has(self)) {
      this.#acknowledging = this.#acknowledging.then(() => this.#acknowledge())
    }
    if ((before?.departure === undefined) === (member.departure === undefined) && before !== undefined) return
    for (const listener of this.#listeners) listener(member)
  }

  /** This node accepts nothing from a departed node as soon as it knows; acknowledging tells the others. */
  async #acknowledge(): Promise<void> {
    try {
      await this.acknowledgeAll()
    } catch (err) {
      this.#components.log.warn({ err }, 'could not acknowledge the departure of a member; trying again later')
    }
  }
}
