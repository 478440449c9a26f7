import type { Job } from '../../src/admin/jobs.js'
import { SheafError } from '../../src/core/errors.js'
import type { CheckReport } from '../../src/store/verify.js'
import { SeededRandom } from '../support/seeded-random.js'
import { settle } from '../support/simulated-clock.js'
import type { FaultyOperation } from '../support/simulated-disk.js'
import { SimulatedNode } from '../support/simulated-node.js'
import { photosHit } from './photos-hit.js'
import { type Target, Workload } from './workload.js'

const VOLUME_BYTES = 200_000
const PHOTO_BYTES_MAX = 60_000
const DAY_MS = 24 * 3_600_000
/** Deletes can be undone for so long: a short time, so that they are buried while faults go on, and a usual one. */
const PURGE_MS = [60_000, 2 * DAY_MS] as const

export interface NodeSimulationInit {
  readonly seed: number
  readonly steps: number
}

/** One node under a random workload and random faults. */
export class NodeSimulation {
  readonly node: SimulatedNode
  readonly workload: Workload
  readonly #init: NodeSimulationInit
  readonly #random: SeededRandom
  #target: Target | undefined
  /** Something is wrong with the disk or the directory, or was since the last start. */
  #troubled = false
  /** A row of the database is damaged, and nobody may have come across it yet. */
  #damagedRow = false
  #damagedVolume = false
  /** The disk refused to read, and no scrub has looked again since: bytes that are there may count as damaged. */
  #refusedReads = false

  constructor(init: NodeSimulationInit) {
    this.#init = init
    this.#random = new SeededRandom(init.seed)
    this.node = new SimulatedNode({
      seed: init.seed + 1,
      volumeBytes: VOLUME_BYTES,
      purgeMs: PURGE_MS[init.seed % PURGE_MS.length] as number
    })
    this.workload = new Workload({ random: this.#random }, { photoBytesMax: PHOTO_BYTES_MAX, cluster: false })
  }

  /** @throws when an invariant did not hold, with what happened before */
  async run(): Promise<void> {
    await this.#start()
    for (let step = 0; step < this.#init.steps; step++) {
      await this.#step()
      this.#requireSound()
    }
    await this.#finish()
    this.#requireSound()
  }

  async #step(): Promise<void> {
    const { clock } = this.node
    const choice = this.#random.below(100)
    if (choice < 55) await this.#operate()
    else if (choice < 65) await this.#end(this.#random.pick(['kill', 'crash', 'crash', 'stop']))
    else if (choice < 68) {
      this.#note('the directory is lost')
      await this.#end('kill', () => this.#loseDirectory())
    } else if (choice < 76) this.#plantDiskFault()
    else if (choice < 80) await this.#flipBit()
    else if (choice < 83) await this.#damageDirectory()
    else if (choice < 90) this.#beginJob()
    else if (choice < 93) this.#jumpClock()
    else if (choice < 97) await clock.advance(this.#random.below(5_000))
    else await clock.advance(this.#random.below(15 * 60_000))
  }

  /** Some operations at once; most often until they are done. */
  async #operate(): Promise<void> {
    const count = 1 + this.#random.below(5)
    for (let i = 0; i < count; i++) {
      void this.workload.operate(this.#requireTarget())
    }
    if (this.#random.chance(0.2)) await this.#turns(this.#random.below(30))
    else await this.#quiesce()
  }

  async #quiesce(): Promise<void> {
    for (let turns = 0; this.workload.underWay.length > 0; turns++) {
      await settle()
      if (turns % 50 === 49) await this.node.clock.advance(100)
      if (turns > 5_000) return this.#fail(`does not end: ${this.workload.underWay.join(', ')}`)
    }
  }

  async #turns(count: number): Promise<void> {
    for (let turns = 0; turns < count; turns++) await settle()
  }

  /** @param meanwhile - what happens while no process runs */
  async #end(how: 'kill' | 'crash' | 'stop', meanwhile: () => void = () => {}): Promise<void> {
    this.#note(`the process ends: ${how}`)
    if (how === 'stop') {
      await this.#quiesce()
      await this.node.stop()
    } else {
      this.node.die(how)
      this.workload.abandon(this.#requireTarget())
    }
    meanwhile()
    await this.#start()
    if (this.#damagedRow && this.#random.chance(0.5)) await this.#mendDirectory()
    await this.workload.check(this.#requireTarget(), () => true)
  }

  async #start(): Promise<void> {
    this.node.disk.heal()
    this.node.database.heal()
    const services = await this.node.start()
    if (services.local.directory.rebuildReason !== undefined) this.#damagedRow = false
    this.#troubled = false
    this.#target = { name: 'node', services, clock: this.node.clock, troubled: () => this.#isTroubled() }
  }

  #isTroubled(): boolean {
    return this.#troubled || this.#damagedRow || this.#refusedReads
  }

  /** What an operator does about a directory that is damaged, or says so itself. */
  async #mendDirectory(): Promise<void> {
    const { services, clock } = this.node
    const { maintenance } = services
    const { directory } = services.local
    for (let seconds = 0; directory.state !== 'open'; seconds++) {
      await clock.advance(1_000)
      if (seconds > 10) return this.#fail('the directory stays unavailable')
    }
    if ((await directory.verify()).length > 0) await this.#job(maintenance.rebuildDirectory())
    this.#damagedRow = false
  }

  #plantDiskFault(): void {
    const operation = this.#random.pick<FaultyOperation>(['read', 'write', 'sync'])
    const times = 1 + this.#random.below(3)
    this.#note(`the disk will fail to ${operation}, ${times} times`)
    this.node.disk.fail(operation, { times })
    this.#troubled = true
    if (operation === 'read') this.#refusedReads = true
  }

  /** Damage below the surface: of a volume, where it hits a needle, or of the files beside it, where it must not matter. */
  async #flipBit(): Promise<void> {
    const { disk, services } = this.node
    const volumes = services.local.volumes.volumes()
    if (volumes.length === 0 || this.#refusedReads) return // what it hits must be known
    const volume = this.#random.pick(volumes)
    if (this.#random.chance(0.3)) {
      const size = disk.find(volume.indexPath) === undefined ? 0 : disk.file(volume.indexPath).size
      if (size === 0) return
      this.#note(`a bit of ${volume.indexPath} flips`)
      disk.flipBit(volume.indexPath, this.#random.below(size), this.#random.below(8))
      return
    }
    const { size } = disk.file(volume.path)
    const position = this.#random.below(size)
    this.#note(`a bit of ${volume.path} flips at ${position}`)
    for (const id of await photosHit(volume, position, size)) this.workload.damaged.add(id)
    disk.flipBit(volume.path, position, this.#random.below(8))
    this.#damagedVolume = true
    this.#troubled = true
  }

  async #damageDirectory(): Promise<void> {
    this.#troubled = true
    if (this.#random.chance(0.5)) {
      this.#note('a bit of the directory flips')
      this.#damagedRow = true
      await this.node.database.flipBit()
      return
    }
    this.#note('the directory will fail to write')
    this.node.database.failBatches(1 + this.#random.below(2))
  }

  #beginJob(): void {
    const { maintenance } = this.node.services
    const kind = this.#random.pick(['compact', 'scrub', 'verify', 'rebuildDirectory'] as const)
    this.#note(`job: ${kind}`)
    if (kind === 'rebuildDirectory') this.#troubled = true // it answers nothing meanwhile
    maintenance[kind]()
  }

  #jumpClock(): void {
    const spanMs = this.#random.pick([1_000, 3_600_000, 3 * DAY_MS])
    const jumpMs = Math.round((this.#random.fraction() - 0.5) * 2 * spanMs)
    this.#note(`the clock jumps by ${jumpMs} ms`)
    this.node.wall.skewMs += jumpMs
  }

  /** Heals everything, and looks at everything. */
  async #finish(): Promise<void> {
    await this.#quiesce()
    await this.#end('crash')
    await this.#mendDirectory()
    const { services } = this.node
    await this.#job(services.maintenance.scrub())
    this.#refusedReads = false
    for (const history of this.workload.histories) await this.workload.read(this.#requireTarget(), history, true)
    const digest = services.local.directory.digest()
    if (!this.#damagedVolume) {
      const report = await this.#job<CheckReport>(services.maintenance.verify())
      for (const { problem } of report.faults) this.#fail(`verify: ${problem}`)
    }
    await this.#end('kill', () => this.#loseDirectory())
    if (!this.#damagedVolume && this.node.services.local.directory.digest() !== digest)
      this.#fail('the directory from volumes alone is another')
    await this.#job(this.node.services.maintenance.compact())
    await this.workload.check(this.#requireTarget(), () => true)
    for (const history of this.workload.histories) await this.workload.read(this.#requireTarget(), history, true)
    await this.workload.list(this.#requireTarget())
    await this.#writeToNoDirectory()
    if (!this.#damagedVolume) await this.#recoverFromFullDisk()
    await this.node.stop()
  }

  /** While the directory refuses all writes, the log takes no more than what waited when it failed. */
  async #writeToNoDirectory(): Promise<void> {
    const { database, clock, services } = this.node
    const { volumes, directory } = services.local
    const before = volumes.volumes().length
    this.#note('the directory refuses all writes')
    this.#troubled = true
    database.failBatches(Number.POSITIVE_INFINITY)
    for (let count = 0; count < 10; count++) {
      void this.workload.upload(this.#requireTarget(), 100)
      await this.#quiesce()
    }
    const made = volumes.volumes().length - before
    if (made > 2) this.#fail(`${made} volumes were made for what the directory refused`)
    database.heal()
    for (let seconds = 0; directory.state !== 'open' && seconds < 300; seconds++) await clock.advance(1_000)
    await this.workload.check(this.#requireTarget(), () => true)
  }

  /** Somebody else takes all the space. Deletes must still work, and give it back. */
  async #recoverFromFullDisk(): Promise<void> {
    const { disk, services } = this.node
    const usedBytes = disk.capacityBytes - disk.freeBytes
    disk.capacityBytes = usedBytes
    for (const history of this.workload.histories) {
      if (this.workload.isLive(this.#requireTarget(), history))
        await this.workload.remove(this.#requireTarget(), history)
    }
    await this.#job(services.maintenance.compact(true))
    await this.workload.check(this.#requireTarget(), () => true)
    if (disk.freeBytes < usedBytes / 2)
      this.#fail(`a full disk of ${usedBytes} bytes has ${disk.freeBytes} free after all was deleted`)
  }

  #loseDirectory(): void {
    this.node.loseDirectory()
    this.#damagedRow = false
  }

  #job<Result>(job: Job): Promise<Result> {
    return this.node.finish<Result>(job)
  }

  #requireTarget(): Target {
    if (this.#target === undefined) throw new Error('the node was not started')
    return this.#target
  }

  #note(line: string): void {
    this.workload.note(line)
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
