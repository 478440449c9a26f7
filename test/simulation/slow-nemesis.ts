import type { NodeId } from '../../src/domain/ids.js'
import type { SeededRandom } from '../support/seeded-random.js'
import type { Slowness } from '../support/simulated-disk.js'
import type { SimulatedLinks } from '../support/simulated-links.js'
import type { MemoryBudgets } from '../support/simulated-node.js'
import type { Member } from './cluster-member.js'

/** A disk that spins, one that is worn out, one that stands still for seconds when it is synced, one that does so always. */
const SLOW_DISKS: readonly Slowness[] = [
  { read: 10, write: 5, sync: 30 },
  { read: 100, write: 50, sync: 500 },
  { read: 1, write: 1, sync: 6_000 },
  { read: 2_000, write: 2_000, sync: 4_000 }
]
/** What a piece of work costs a busy processor, ms: a message that comes in, a batch of the directory. */
const WORK_MS = [5, 50, 400] as const
/** Less than one chunk of a photo for all uploads, one file beside it; as much, and some may wait; queues for a record or two. */
const TIGHT: readonly MemoryBudgets[] = [
  { uploads: { uploadsInFlightBytesMax: 0, readBackBytesMax: 1, filesMax: 1, waitersMax: 0 } },
  {
    uploads: { uploadsInFlightBytesMax: 10_000, readBackBytesMax: 5_000, filesMax: 2, waitersMax: 2 },
    queues: { queueBytesMax: 2_000, inboxBytesMax: 2_000, pushedBytesMax: 1 },
    cache: { bytesMax: 40_000, ttlMs: 5_000 }
  },
  { queues: { queueBytesMax: 0, inboxBytesMax: 0, pushedBytesMax: 0 }, cache: { bytesMax: 200_000, ttlMs: 60_000 } }
]
const BYTES_PER_SECOND = [2_000, 20_000, 200_000] as const

export interface SlowNemesisComponents {
  readonly random: SeededRandom
  readonly links: SimulatedLinks
  readonly members: readonly Member[]
  readonly note: (line: string) => void
}

/** Disks and processors that take their time, little memory, links that carry little, directories that fail for a while, and much compaction meanwhile. */
export class SlowNemesis {
  readonly #components: SlowNemesisComponents

  constructor(components: SlowNemesisComponents) {
    this.#components = components
  }

  step(): void {
    const choice = this.#components.random.below(100)
    if (choice < 12) this.#slowDisk()
    else if (choice < 18) this.#thinLink()
    else if (choice < 22) this.#failDirectory()
    else if (choice < 40) this.#compact()
    else if (choice < 48) this.#busyProcessor()
  }

  /** A member that starts may find little memory. */
  equip(member: Member): void {
    const { random, note } = this.#components
    const tight = random.pick([undefined, undefined, undefined, ...TIGHT])
    member.memory = tight ?? {}
    if (tight !== undefined) note(`${member.name} has little memory: ${JSON.stringify(tight)}`)
  }

  #slowDisk(): void {
    const { random, note } = this.#components
    const member = this.#running()
    if (member === undefined) return
    const slowness = random.pick([undefined, ...SLOW_DISKS])
    note(`the disk of ${member.name} takes ${JSON.stringify(slowness) ?? 'no time'}`)
    member.node.disk.slowness = slowness
  }

  #busyProcessor(): void {
    const { random, note } = this.#components
    const member = this.#running()
    if (member === undefined) return
    const costMs = random.pick([0, ...WORK_MS])
    note(`${member.name} takes ${costMs} ms to think`)
    member.node.processor.costMs = costMs
  }

  #thinLink(): void {
    const { random, links, members, note } = this.#components
    const ids = members.map(({ id }) => id)
    const from = random.pick(ids)
    const bytesPerSecond = random.pick(BYTES_PER_SECOND)
    const others: readonly NodeId[] = random.pick([ids, [random.pick(ids)]]).filter(id => id !== from)
    note(`${from} sends ${bytesPerSecond} bytes/s at most to ${others}`)
    for (const to of others) links.thin(from, to, bytesPerSecond)
  }

  #failDirectory(): void {
    const { random, note } = this.#components
    const member = this.#running()
    if (member === undefined) return
    const times = 1 + random.below(3)
    note(`${member.name}: the directory will fail, ${times} times`)
    member.node.database.failBatches(times)
    member.faulty = true
  }

  /** While copies are made of what it takes away. */
  #compact(): void {
    const { note } = this.#components
    const member = this.#running()
    if (member === undefined) return
    note(`${member.name} compacts`)
    member.services.maintenance.compact(true)
  }

  #running(): Member | undefined {
    const running = this.#components.members.filter(({ node }) => node.running)
    return running.length === 0 ? undefined : this.#components.random.pick(running)
  }
}
