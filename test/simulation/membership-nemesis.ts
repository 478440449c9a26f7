import type { SeededRandom } from '../support/seeded-random.js'
import type { SimulatedNetwork } from '../support/simulated-network.js'
import type { Member } from './cluster-member.js'
import type { Workload } from './workload.js'

export interface MembershipNemesisComponents {
  readonly random: SeededRandom
  readonly network: SimulatedNetwork
  readonly workload: Workload
  readonly members: readonly Member[]
  readonly purgeMs: number
  readonly start: (member: Member) => Promise<void>
  /** Lets time pass. */
  readonly pass: (ms: number) => Promise<void>
  /** Waits for a task; time passes only if it waits for that, too. */
  readonly until: <Result>(task: Promise<Result>) => Promise<Result>
  readonly note: (line: string) => void
}

/** Members that leave, are removed, and come back after others have buried what they hold. */
export class MembershipNemesis {
  /** Those who left or were removed, and have not been started again since. */
  readonly departed = new Set<Member>()
  /** Aborts when no more faults begin. */
  readonly ending = new AbortController()
  readonly #components: MembershipNemesisComponents

  constructor(components: MembershipNemesisComponents) {
    this.#components = components
  }

  /** An operator gives a member up, whether or not it is still there. */
  async remove(): Promise<void> {
    const { random, note } = this.#components
    const by = this.#pick(({ node }) => node.running)
    const member = this.#pick(other => other !== by && (!other.node.running || random.chance(0.3)))
    if (by === undefined || member === undefined) return
    note(`${by.name} removes ${member.name}`)
    await this.#remove(by, member)
  }

  leave(): void {
    const { note, workload } = this.#components
    const member = this.#pick(({ node }) => node.running)
    const leaving = member?.services.cluster?.decommission
    if (member === undefined || leaving === undefined) return
    const { services } = member
    note(`${member.name} is asked to leave`)
    leaving.leave(() => {}, this.ending.signal).catch(err => note(`${member.name} does not leave: ${String(err)}`))
    void leaving.left.then(() => {
      if (!member.node.running || member.services !== services) return
      note(`${member.name} has left`)
      this.departed.add(member)
      workload.abandon(member)
      void member.node.stop()
    })
  }

  /** Whether the node takes no writes, because it leaves or tried to. */
  isLeaving({ services }: Member): boolean {
    return services.cluster?.decommission.isUnderWay === true
  }

  /** One member is cut off for so long that the others give it up, and bury what they have deleted meanwhile. */
  async exile(): Promise<void> {
    const { random, members, network, note, pass, purgeMs } = this.#components
    const exiled = random.pick(members)
    const others = members.filter(member => member !== exiled)
    note(`${exiled.name} is exiled`)
    for (const member of members) if (!member.node.running) await this.#components.start(member)
    if (random.chance(0.7)) {
      network.links.heal()
      await pass(2_000) // all know the same
    }
    network.links.partition(
      [exiled.id],
      others.map(({ id }) => id)
    )
    await pass(random.pick([1, 5_000]))
    this.#operate(exiled, 8)
    this.#deleteSome(others)
    const by = others.find(({ node }) => node.running)
    if (by === undefined) return
    await this.#remove(by, exiled)
    await pass(Math.min(purgeMs, 10_000))
    for (let round = 0; round < 3; round++) {
      for (const { node } of others) {
        if (!node.running) continue
        const compacted = node.finish(node.services.maintenance.compact())
        await compacted.catch(err => note(`in exile: ${String(err)}`))
      }
      await pass(2_000)
    }
    this.#operate(exiled, 4)
    if (random.chance(0.5)) network.links.heal()
    await pass(random.pick([1, 3_000]))
  }

  async #remove(by: Member, member: Member): Promise<void> {
    const { until, note } = this.#components
    this.departed.add(member)
    const removed = by.services.cluster?.departures.remove(member.id)
    await until((removed ?? Promise.resolve()).catch(err => note(`${member.name} is not removed: ${String(err)}`)))
  }

  #operate(member: Member, countMax: number): void {
    const { random, workload } = this.#components
    for (let count = random.below(countMax); count > 0; count--) if (member.node.running) void workload.operate(member)
  }

  #deleteSome(members: readonly Member[]): void {
    const { random, workload } = this.#components
    for (const history of workload.histories) {
      const member = random.pick(members)
      if (random.chance(0.5) && member.node.running && workload.isLive(member, history))
        void workload.remove(member, history)
    }
  }

  #pick(accept: (member: Member) => boolean): Member | undefined {
    const { members, random } = this.#components
    const accepted = members.filter(accept)
    return accepted.length === 0 ? undefined : random.pick(accepted)
  }
}
