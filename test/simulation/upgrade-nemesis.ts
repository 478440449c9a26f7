import { hasNextField, NEXT_FORMATS } from '../support/next-format.js'
import { SeededRandom } from '../support/seeded-random.js'
import type { Member } from './cluster-member.js'
import type { PhotoHistory } from './photo-history.js'
import type { Workload } from './workload.js'

/** From the last upgrade to the rise. */
const RISE_MS_MAX = 70_000

export interface UpgradeNemesisComponents {
  readonly seed: number
  readonly workload: Workload
  readonly members: readonly Member[]
  /** Those who are no members now. */
  readonly departed: ReadonlySet<Member>
  readonly start: (member: Member) => Promise<void>
  /** Lets time pass. */
  readonly pass: (ms: number) => Promise<void>
  readonly until: <Result>(task: Promise<Result>) => Promise<Result>
  readonly note: (line: string) => void
  readonly fail: (problem: string) => void
}

/** Members are upgraded to the next record format one by one, and some are taken back. */
export class UpgradeNemesis {
  readonly #components: UpgradeNemesisComponents
  /** Of its own, so that the same seed without upgrades does the same as ever. */
  readonly #random: SeededRandom
  readonly #everNext = new Set<Member>()
  readonly #everOut = new Set<Member>()
  readonly #photosBefore = new Set<PhotoHistory>()
  #hasRisen = false

  constructor(components: UpgradeNemesisComponents) {
    this.#components = components
    this.#random = new SeededRandom(components.seed + 1)
  }

  async step(): Promise<void> {
    const choice = this.#random.below(100)
    if (choice < 14) await this.#change('next')
    else if (choice < 20) await this.#change('present')
  }

  /** Holds what nodes have of the next format against who can have agreed to it. */
  check(): void {
    const { members, departed, workload, fail } = this.#components
    for (const member of departed) this.#everOut.add(member)
    const running = members.filter(({ node }) => node.running)
    const risenAt = running.find(({ services }) => (services.cluster?.format.current ?? 0) >= NEXT_FORMATS.max)
    if (risenAt !== undefined && !this.#hasRisen) {
      this.#hasRisen = true
      this.#components.note(`the cluster's format has risen at ${risenAt.name}`)
    }
    const behind = members.find(member => !this.#everNext.has(member) && !this.#everOut.has(member))
    if (this.#hasRisen && behind !== undefined) fail(`the format has risen although ${behind.name} does not read it`)
    for (const member of running) member.outdated = member.program === 'present' && this.#hasRisen
    for (const history of workload.histories) {
      if (!this.#hasRisen) this.#photosBefore.add(history)
      if (this.#photosBefore.has(history) && running.some(member => this.#isNext(member, history)))
        fail(`${history.id} has the next format, but was born before the cluster had`)
    }
  }

  /** Upgrades whoever is left. */
  async finish(): Promise<void> {
    for (const member of this.#components.members) await this.#run(member, 'next')
  }

  /** Once all have converged: the format has risen everywhere, and new photos have it. */
  async judge(): Promise<void> {
    const { members, workload, until, pass, fail } = this.#components
    const isLow = ({ services }: Member): boolean => services.cluster?.format.current !== NEXT_FORMATS.max
    for (let waitedMs = 0; members.some(isLow) && waitedMs < RISE_MS_MAX; waitedMs += 1_000) await pass(1_000)
    for (const member of members) {
      if (isLow(member)) fail(`at ${member.name} the cluster's format has not risen in the end`)
      await until(workload.upload(member))
      const history = workload.histories.at(-1)
      if (history === undefined || !this.#isNext(member, history))
        fail(`a new photo of ${member.name} has an old format`)
    }
  }

  async #change(program: Member['program']): Promise<void> {
    const members = this.#components.members.filter(member => member.program !== program)
    if (members.length > 0) await this.#run(this.#random.pick(members), program)
  }

  async #run(member: Member, program: Member['program']): Promise<void> {
    const { note, start, workload, until } = this.#components
    if (member.program === program) return
    note(`${member.name} gets the ${program} program`)
    if (workload.underWay.length === 0) await until(member.node.stop())
    else if (member.node.running) {
      member.node.die('kill')
      workload.abandon(member)
    }
    member.program = program
    member.outdated = program === 'present' && this.#hasRisen
    if (program === 'next') this.#everNext.add(member)
    await start(member)
  }

  #isNext(member: Member, history: PhotoHistory): boolean {
    const record = this.#components.workload.recordOf(member, history)
    return record !== undefined && record !== 'unavailable' && hasNextField(record)
  }
}
