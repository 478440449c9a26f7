import { SheafError } from '../../src/core/errors.js'
import { type Logger, silentLog } from '../../src/core/log.js'
import { RECORD_FORMATS } from '../../src/domain/formats.js'
import type { NodeId } from '../../src/domain/ids.js'
import { NEXT_FORMATS } from '../support/next-format.js'
import { SeededRandom } from '../support/seeded-random.js'
import { SimulatedClock, settle } from '../support/simulated-clock.js'
import { GOOD_LINKS } from '../support/simulated-links.js'
import { SimulatedNetwork } from '../support/simulated-network.js'
import { originOf, SimulatedNode } from '../support/simulated-node.js'
import { BurialWatch } from './burial-watch.js'
import { holdsPhoto, type Member, newMember } from './cluster-member.js'
import { differencesOf, remainsOf } from './cluster-state.js'
import { DiskNemesis } from './disk-nemesis.js'
import { cutLinks, degradeLinks } from './link-nemesis.js'
import { MembershipNemesis } from './membership-nemesis.js'
import type { PhotoHistory } from './photo-history.js'
import { SlowNemesis } from './slow-nemesis.js'
import { UpgradeNemesis } from './upgrade-nemesis.js'
import { Workload } from './workload.js'

const VOLUME_BYTES = 200_000
const LARGE_VOLUME_BYTES = 2_000_000
const PHOTO_BYTES_MAX = 30_000
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** Deletes can be undone for so long: short times, so that they are buried while faults go on, and a usual one. */
const PURGE_MS = [2_000, 8_000, 2 * DAY_MS] as const
const PAUSES = { absentMs: 15_000, roundMs: 500 }
/** Until the process of a node that has left is gone. */
const LEAVING_MS = 3_000
/** Until the records of all members are known to all. */
const ACQUAINTANCE_MS = 2_000
/** From the end of all faults to deletes of which nothing but graves is left. */
const BURYING_MS_MAX = 90_000
/** What a peer sends that is no help, bytes a second. */
const NO_HELP_BYTES_PER_SECOND = 2_000
/** From the end of all faults to replicas that agree, ms of simulated time. */
const CONVERGENCE_MS_MAX = 60_000

export interface ClusterSimulationInit {
  readonly seed: number
  readonly nodes: number
  readonly steps: number
  /** Whether nodes are upgraded to the next record format meanwhile. Default: all run the present program. */
  readonly upgrades?: boolean
  /** Whether disks, links and processors also take their time, memory is short, and volumes may be larger. Default: no. */
  readonly slow?: boolean
  /** What each node logs; default: nothing. */
  readonly log?: (name: string) => Logger
}

/** Some nodes under a random workload, with random faults of disks, processes, clocks and the network between them. */
export class ClusterSimulation {
  readonly clock = new SimulatedClock()
  readonly network: SimulatedNetwork
  readonly members: readonly Member[]
  readonly workload: Workload
  readonly #init: ClusterSimulationInit
  readonly #purgeMs: number
  readonly #membership: MembershipNemesis
  readonly #disks: DiskNemesis
  readonly #burials: BurialWatch
  readonly #upgrades: UpgradeNemesis | undefined
  readonly #slow: SlowNemesis | undefined
  readonly #exileAt: number
  readonly #random: SeededRandom

  constructor(init: ClusterSimulationInit) {
    this.#init = init
    this.#random = new SeededRandom(init.seed)
    this.#purgeMs = PURGE_MS[init.seed % PURGE_MS.length] as number
    this.#exileAt = this.#random.below(init.steps * 2)
    this.network = new SimulatedNetwork({ clock: this.clock, random: this.#random })
    this.workload = new Workload({ random: this.#random }, { photoBytesMax: PHOTO_BYTES_MAX, cluster: true })
    const names = Array.from({ length: init.nodes }, (_, i) => `n${i}` as NodeId)
    this.members = names.map((name, i) => this.#newMember(name, i, names))
    this.#burials = new BurialWatch({ workload: this.workload, clock: this.clock }, { undoMs: this.#purgeMs })
    const note = (line: string): void => this.#note(line)
    const shared = { random: this.#random, workload: this.workload, members: this.members, note }
    this.#disks = new DiskNemesis(shared)
    this.#membership = new MembershipNemesis({
      ...shared,
      network: this.network,
      purgeMs: this.#purgeMs,
      start: member => this.#start(member),
      pass: ms => this.#pass(ms),
      until: task => this.#until(task)
    })
    if (init.slow === true) this.#slow = new SlowNemesis({ ...shared, links: this.network.links })
    if (init.upgrades === true)
      this.#upgrades = new UpgradeNemesis({
        seed: init.seed,
        workload: this.workload,
        members: this.members,
        departed: this.#membership.departed,
        start: member => this.#start(member),
        until: task => this.#until(task),
        pass: ms => this.#pass(ms),
        note,
        fail: problem => this.#fail(problem)
      })
  }

  /** @throws when an invariant did not hold, with what happened before */
  async run(): Promise<void> {
    for (const member of this.members) await this.#start(member)
    if (this.#upgrades !== undefined) await this.#pass(ACQUAINTANCE_MS)
    for (let step = 0; step < this.#init.steps; step++) {
      if (step === this.#exileAt) await this.#membership.exile()
      await this.#upgrades?.step()
      this.#slow?.step()
      await this.#step()
      this.#upgrades?.check()
      this.#requireSound()
    }
    await this.#finish()
    this.#requireSound()
  }

  #newMember(id: NodeId, i: number, join: readonly NodeId[]): Member {
    const node = new SimulatedNode({
      formats: () => (member.program === 'next' ? NEXT_FORMATS : RECORD_FORMATS),
      seed: this.#init.seed * 16 + i,
      clock: this.clock,
      memory: () => member.memory,
      volumeBytes: this.#init.slow === true && this.#init.seed % 4 === 0 ? LARGE_VOLUME_BYTES : VOLUME_BYTES,
      purgeMs: this.#purgeMs,
      origin: originOf(id),
      member: { network: this.network, id, join, pauses: PAUSES },
      log: this.#init.log?.(id) ?? silentLog
    })
    const member = newMember(id, node)
    return member
  }

  async #step(): Promise<void> {
    const choice = this.#random.below(100)
    if (choice < 46) return this.#operate()
    if (choice < 48) await this.#membership.remove()
    else if (choice < 49) this.#membership.leave()
    else if (choice < 51) await this.#pass(this.#random.below(15_000))
    else if (choice < 60) this.#cutLinks()
    else if (choice < 65) this.#healLinks()
    else if (choice < 71) this.#end()
    else if (choice < 77) await this.#restart()
    else if (choice < 79) this.#disks.replaceDisk()
    else if (choice < 81) this.#disks.backUp()
    else if (choice < 84) await this.#until(this.#disks.flipBit())
    else if (choice < 87) this.#disks.plantFault()
    else if (choice < 90) this.#beginJob()
    else if (choice < 93) this.#skewClock()
    else if (choice < 96) this.#degradeLinks()
    else await this.#pass(this.#random.below(5_000))
  }

  // --- clients ---

  async #operate(): Promise<void> {
    const running = this.members.filter(({ node }) => node.running)
    if (running.length === 0) return
    for (let count = 1 + this.#random.below(6); count > 0; count--) {
      void this.workload.operate(this.#random.pick(running))
    }
    await this.#pass(this.#random.pick([1, 20, 300]))
  }

  async #quiesce(): Promise<void> {
    for (let waitedMs = 0; this.workload.underWay.length > 0; waitedMs += 100) {
      await this.#pass(100)
      if (waitedMs > 30_000) return this.#fail(`does not end: ${this.workload.underWay.join(', ')}`)
    }
  }

  /** Lets time pass. */
  async #pass(ms: number): Promise<void> {
    for (let turns = 0; turns < 10; turns++) await settle()
    await this.clock.advance(ms)
  }

  // --- nemeses ---

  #cutLinks(): void {
    const ids = this.members.map(({ id }) => id)
    this.#note(`links are cut: ${cutLinks(this.#random, this.network.links, ids)}`)
  }

  #healLinks(): void {
    this.#note('links are mended')
    this.network.links.heal()
  }

  #degradeLinks(): void {
    this.#note(degradeLinks(this.#random, this.network.links))
  }

  #end(): void {
    const member = this.#pick(({ node }) => node.running)
    if (member === undefined) return
    const how = this.#random.pick(['kill', 'crash'] as const)
    this.#note(`${member.name} ends: ${how}`)
    member.node.die(how)
    if (how === 'crash') this.#disks.loseMemory(member)
    this.workload.abandon(member)
  }

  async #restart(): Promise<void> {
    const member = this.#pick(({ node }) => !node.running)
    if (member !== undefined) await this.#start(member)
  }

  async #start(member: Member): Promise<void> {
    member.node.disk.heal()
    member.node.database.heal()
    member.node.processor.rest()
    member.faulty = false
    this.#slow?.equip(member)
    this.#membership.departed.delete(member)
    this.#note(`${member.name} starts`)
    await this.#until(member.node.start())
    this.#burials.follow(member)
    const damaged = this.#disks.damagedAt(member)
    await this.workload.check(member, (write, { id }) => {
      return write.node === member.name && !member.forgotten.has(write) && (id === undefined || !damaged.has(id))
    })
  }

  #beginJob(): void {
    const member = this.#pick(({ node }) => node.running)
    if (member === undefined) return
    const kind = this.#random.pick(['scrub', 'verify', 'compact'] as const)
    this.#note(`${member.name}: job ${kind}`)
    member.services.maintenance[kind]()
  }

  #skewClock(): void {
    const member = this.#random.pick(this.members)
    const skewMs = this.#random.pick([0, -HOUR_MS, HOUR_MS, -1_000, 90_000, Date.UTC(2099, 0, 1) - this.clock.now()])
    this.#note(`the clock of ${member.name} is ${skewMs} ms ahead`)
    member.node.wall.skewMs = skewMs
  }

  // --- judging ---

  async #finish(): Promise<void> {
    this.#note('everything heals')
    this.network.links.heal()
    this.network.links.quality = { ...GOOD_LINKS, publishLoss: this.#random.pick([0, 1]) }
    this.#membership.ending.abort(new Error('everything heals'))
    await this.#pass(LEAVING_MS)
    for (const member of this.members) {
      member.node.disk.heal()
      member.node.database.heal()
      member.node.processor.rest()
      if (!member.node.running) await this.#start(member)
    }
    await this.#quiesce()
    await this.#upgrades?.finish()
    const late = this.#random.pick(this.members)
    for (const member of this.members) {
      // damage that nobody has met is found by a start at the latest, and a clock is only ahead once
      const isOut =
        this.#membership.departed.has(member) ||
        member.services.cluster?.isRemoved ||
        this.#membership.isLeaving(member)
      if (!this.#disks.isDamaged(member) && member !== late && !isOut) continue
      await this.#until(member.node.stop())
      if (member === late) member.node.wall.skewMs = -HOUR_MS
      await this.#start(member)
    }
    await this.#converge()
    for (const member of this.members) member.faulty = false
    if (this.#upgrades !== undefined) {
      await this.#upgrades.judge()
      await this.#converge()
    }
    this.#editAll(late)
    await this.#quiesce()
    for (const member of this.members) await member.node.finish(member.services.maintenance.scrub())
    // what a retired volume alone still holds is moved, and then gets to those who never had that volume
    for (const member of this.members) await member.node.finish(member.services.maintenance.compact())
    await this.#converge()
    for (const member of this.members) {
      await this.workload.check(member, write => !write.lost)
      for (const history of this.workload.histories) {
        if (this.workload.recordOf(member, history) === undefined) continue
        await this.#until(this.workload.read(member, history, true))
        this.#requireLocal(member, history)
      }
      await this.#until(this.workload.list(member))
    }
    if (this.#slow !== undefined) await this.#refill()
    await this.#bury()
    for (const defect of this.network.defects) this.#fail(`a handler threw ${String(defect)}`)
    for (const member of this.members) await this.#until(member.node.stop())
  }

  /** A node whose disk is lost has everything again as soon as ever, though one of its peers sends next to nothing. */
  async #refill(): Promise<void> {
    const member = this.#random.pick(this.members)
    const slow = this.#random.pick(this.members.filter(other => other !== member))
    await this.#until(member.node.stop())
    this.#disks.loseDisk(member)
    this.#note(`${slow.name} is no help to ${member.name}`)
    this.network.links.thin(slow.id, member.id, NO_HELP_BYTES_PER_SECOND)
    await this.#start(member)
    await this.#converge()
    this.network.links.heal()
    await this.#converge()
  }

  /** Time passes: of deletes only graves are left, everywhere, and nothing of what they ended comes back, from the log neither. */
  async #bury(): Promise<void> {
    if (this.#purgeMs > DAY_MS) return
    for (const member of this.members) member.node.wall.skewMs = 0
    for (const history of this.workload.histories.slice(0, 3)) {
      const member = this.#random.pick(this.members)
      if (this.workload.isLive(member, history)) void this.workload.remove(member, history)
    }
    await this.#quiesce()
    await this.#pass(this.#purgeMs)
    const start = this.clock.monotonic()
    let left = await remainsOf(this.members)
    while (left.length > 0 && this.clock.monotonic() - start < BURYING_MS_MAX) {
      for (const { node, services } of this.members) {
        // a clock that was set wrong makes a node that was away look as if it had kept up: an operator has looked
        if (services.local.laidOut.isAlarming) await services.local.laidOut.release(() => true)
        await node.finish(services.maintenance.compact())
      }
      await this.#pass(3_000)
      left = await remainsOf(this.members)
    }
    // a hole may hide what was deleted, and its volume is not compacted
    const isSound = this.members.every(({ services }) =>
      services.local.volumes.volumes().every(({ holes }) => holes.length === 0)
    )
    if (left.length > 0 && isSound) this.#fail(`more than graves is left: ${left.join('; ')}`)
    await this.#converge()
    const member = this.#random.pick(this.members)
    this.#note(`${member.name} makes its directory anew`)
    await member.node.finish(member.services.maintenance.rebuildDirectory())
    await this.#converge()
    for (const each of this.members) await this.workload.check(each, write => !write.lost)
  }

  /**
   * Edits every photo once more: that saw all that was written before, so none of it may beat it.
   *
   * @param late - a node whose clock is behind: it makes half of the edits
   */
  #editAll(late: Member): void {
    for (const history of this.workload.histories) {
      const member = this.#random.pick([late, this.#random.pick(this.members)])
      if (history.id !== undefined) void this.workload.edit(member, history, true)
    }
  }

  /** Waits until all replicas agree. */
  async #converge(): Promise<void> {
    const start = this.clock.monotonic()
    for (;;) {
      const differences = await differencesOf(this.members, this.#disks.damagedVolumes)
      if (differences.length === 0) return
      if (this.clock.monotonic() - start > CONVERGENCE_MS_MAX) {
        this.#fail(`no convergence after ${CONVERGENCE_MS_MAX} ms: ${differences.join('; ')}`)
        return this.#requireSound()
      }
      await this.#pass(1_000)
    }
  }

  /** After convergence every node has all bytes on its own disk. */
  #requireLocal(member: Member, history: PhotoHistory): void {
    const { id } = history
    if (id === undefined || this.workload.damaged.has(id)) return
    if (!holdsPhoto(member, history, this.workload)) this.#fail(`${member.name} does not hold the bytes of ${id}`)
  }

  // --- helpers ---

  #pick(accept: (member: Member) => boolean): Member | undefined {
    const members = this.members.filter(accept)
    return members.length === 0 ? undefined : this.#random.pick(members)
  }

  /** Waits for a task; time passes only if it waits for that, too. */
  async #until<Result>(task: Promise<Result>): Promise<Result> {
    let done = false
    const end = (): void => {
      done = true
    }
    task.then(end, end)
    for (let turns = 0; !done; turns++) {
      await settle()
      if (turns >= 50) await this.clock.advance(1)
    }
    return task
  }

  #note(line: string): void {
    this.workload.note(`${(this.clock.monotonic() / 1000).toFixed(3)} ${line}`)
  }

  #fail(problem: string): void {
    this.workload.violations.push(problem)
  }

  #requireSound(): void {
    const { violations, trace } = this.workload
    if (violations.length === 0) return
    const story = process.env.SIM_TRACE === undefined ? trace.slice(-30) : trace
    throw new SheafError('ERR_INTERNAL', `seed ${this.#init.seed}: ${violations.join('\n')}\n\n${story.join('\n')}`)
  }
}
