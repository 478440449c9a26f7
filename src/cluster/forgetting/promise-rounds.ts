import type { Clock } from '../../core/clock.js'
import { withDeadline } from '../../core/deadline.js'
import type { Startable } from '../../core/lifecycle.js'
import type { Logger } from '../../core/log.js'
import { WorkerLoop } from '../../core/worker-loop.js'
import type { Directory } from '../../directory/directory.js'
import type { Tombstone } from '../../directory/keys.js'
import { HLC_MAX, HLC_ZERO, type Hlc, type HybridClock, hlcFrom } from '../../domain/hlc.js'
import type { NodeId, PhotoId, VolumeId } from '../../domain/ids.js'
import { type Photo, viewPhoto } from '../../domain/photo.js'
import { rendezvous } from '../../domain/rendezvous.js'
import { encodeMessage } from '../../network/rpc/message.js'
import type { Transport } from '../../network/transport.js'
import type { PendingWrites } from '../../store/pending-writes.js'
import type { RecordWriter } from '../../store/record-writer.js'
import type { VolumeSet } from '../../volumes/volume-set.js'
import type { Departures } from '../members/departures.js'
import type { Horizon } from './horizon.js'
import { heldPhotos } from './needle-census.js'
import { decodeState, encodeState, type KnownVolume, METHOD_STATE, type MemberState } from './promise-messages.js'

const ASK_MS_MAX = 10_000
/** Deletes that one step looks at: what is kept in memory of them. */
const TOMBSTONES_MAX = 50_000
const READ_AT_ONCE = 256
/** What waits to be gossiped when a promise is made is gone by then. */
const GOSSIP_MS = 50

export interface PromiseRoundsComponents {
  /** Sealed. */
  readonly transport: Pick<Transport, 'self' | 'peers' | 'request' | 'handle'>
  readonly horizon: Horizon
  readonly departures: Pick<Departures, 'recordedMembers' | 'unacknowledged' | 'onChange' | 'acknowledgeAll'>
  readonly directory: Pick<Directory, 'formats' | 'state' | 'forgetting' | 'getMany'>
  readonly volumes: Pick<VolumeSet, 'volumes' | 'get'>
  readonly isRetired: (volume: VolumeId) => boolean
  readonly pending: Pick<PendingWrites, 'settled'>
  readonly hybridClock: Pick<HybridClock, 'now'>
  /** Compares directories with a peer. @returns whether all was seen that differed when it was looked at */
  readonly compare: (peer: NodeId, signal: AbortSignal) => Promise<boolean>
  /** Appends those of the tombstones that no needle here holds. */
  readonly secure: (tombstones: readonly Tombstone[]) => Promise<void>
  /** What is known of the volume in which a photo was born. */
  readonly known: (volume: VolumeId) => Promise<KnownVolume>
  /** @returns the node of an Ed25519 public key */
  readonly nodeOf: (origin: Uint8Array) => NodeId
  readonly writer: Pick<RecordWriter, 'renewDelete'>
  /** Runs a task while no volume is compacted. */
  readonly undisturbed: <T>(task: () => Promise<T>) => Promise<T>
  readonly clock: Clock
  readonly log: Logger
}

/** What this node knows of a member: all that it held when it said so is here. */
interface Seen {
  readonly settled: Hlc
  readonly applied: Hlc
  readonly clean: Hlc
}

export interface HorizonStatus {
  /** Deletes up to this stamp are forgotten. */
  readonly horizon: Hlc
  /** Who has promised least while deletes wait to be forgotten; undefined when none do. */
  readonly heldBackBy: NodeId | undefined
  /** Since when, by this node's wall clock, ms. */
  readonly sinceMs: number | undefined
}

interface Asked extends Seen {
  readonly volumes: MemberState['volumes']
}

/**
 * How promises are made, one step of each kind a round, and only while there are deletes to forget. A round asks every
 * member what it has settled and applied and what it holds; once all of that is here, too (its volumes copied or known
 * to be retired, its directory compared), this node
 *
 *  1. has applied all that was written up to the least `settled`: so it judges those photos dead and moves none of them;
 *  2. is clean up to the least `applied`, if no needle of a photo deleted until then is left here: what the others held of
 *     them when they applied the delete has been here, and they make no more;
 *  3. raises the horizon to the least `clean`, and forgets what it has passed.
 *
 * A member that is away keeps all three where they are, until it comes back or was removed and all others know it.
 */
export class PromiseRounds implements Startable {
  readonly #components: PromiseRoundsComponents
  readonly #loop: WorkerLoop
  readonly #purgeMs: number
  readonly #asked = new Map<NodeId, Asked>()
  readonly #seen = new Map<NodeId, Seen>()
  #settling: Promise<Hlc> | undefined
  #blocker: { readonly node: NodeId; readonly clean: Hlc; readonly sinceMs: number } | undefined

  /** @param init.purgeMs - how long the bytes of a deleted photo may stay */
  constructor(components: PromiseRoundsComponents, init: { readonly roundMs: number; readonly purgeMs: number }) {
    this.#components = components
    this.#purgeMs = init.purgeMs
    const { transport, clock, log, departures } = components
    transport.handle(METHOD_STATE, () => this.#state())
    this.#loop = new WorkerLoop(
      { clock, log },
      { name: 'horizon', idleMs: init.roundMs, delayMs: init.roundMs, step: signal => this.#step(signal) }
    )
    // what somebody said before all knew who is in says nothing about what came from who is out
    departures.onChange(() => {
      this.#asked.clear()
      this.#seen.clear()
    })
  }

  start(): Promise<void> {
    return this.#loop.start()
  }

  stop(): Promise<void> {
    return this.#loop.stop()
  }

  /** Up to where deletes are forgotten, and who keeps that from going on. */
  get status(): HorizonStatus {
    const { horizon } = this.#components.horizon.promises
    return { horizon, heldBackBy: this.#blocker?.node, sinceMs: this.#blocker?.sinceMs }
  }

  async #step(signal: AbortSignal): Promise<'idle'> {
    const { directory, horizon, departures } = this.#components
    if (directory.state !== 'open') return 'idle'
    await departures.acknowledgeAll()
    const others = this.#others()
    const isBehind = horizon.ahead !== undefined || horizon.promises.clean < horizon.target
    const isWorthIt = others.length > 0 && (await this.#isWorthIt())
    if (isWorthIt && !isBehind) await this.#round(others, signal)
    this.#blockedBy(isWorthIt ? this.#leastPromised(others) : undefined)
    return 'idle'
  }

  async #round(others: readonly NodeId[], signal: AbortSignal): Promise<void> {
    for (const node of others) await this.#ask(node, signal)
    if (this.#components.departures.unacknowledged().length > 0) return
    await this.#promiseApplied(signal)
    await this.#promiseClean(signal)
    await this.#rise(signal)
  }

  #leastPromised(others: readonly NodeId[]): { readonly node: NodeId; readonly clean: Hlc } | undefined {
    const { departures, horizon, transport } = this.#components
    const [departure] = departures.unacknowledged()
    const [missing] = departure?.missing ?? []
    if (missing !== undefined) return { node: missing, clean: HLC_ZERO }
    const [away, here] = [[], []] as [NodeId[], NodeId[]]
    for (const node of others) (transport.peers().includes(node) ? here : away).push(node)
    let least = { node: transport.self, clean: horizon.promises.clean }
    // of several that have promised as little, it is the one that is away that all wait for
    for (const node of [...here, ...away]) {
      const clean = horizon.of(node)?.promise ?? HLC_ZERO
      if (clean <= least.clean) least = { node, clean }
    }
    return least
  }

  #blockedBy(least: { readonly node: NodeId; readonly clean: Hlc } | undefined): void {
    const before = this.#blocker
    if (least === undefined) this.#blocker = undefined
    else if (before === undefined || before.node !== least.node || before.clean !== least.clean)
      this.#blocker = { ...least, sinceMs: this.#components.clock.now() }
  }

  #others(): NodeId[] {
    const { departures, transport } = this.#components
    return departures.recordedMembers().filter(node => node !== transport.self)
  }

  /** Whether there is a delete whose needles should be gone by now. */
  async #isWorthIt(): Promise<boolean> {
    const due = hlcFrom(this.#components.clock.now() - this.#purgeMs)
    for await (const _ of this.#components.directory.forgetting.tombstones(due)) return true
    return false
  }

  // --- asking and answering ---

  async #state(): Promise<Uint8Array> {
    const { horizon, volumes, isRetired } = this.#components
    const settled = await this.#settle()
    const held = volumes.volumes().filter(({ id }) => !isRetired(id))
    return encodeState({
      settled,
      applied: horizon.promises.applied,
      volumes: held.map(({ id, end, holes }) => ({ volume: id, end, holes }))
    })
  }

  /** @returns a stamp up to which this node will write nothing more. Durable: a clock that is set back must not matter */
  #settle(): Promise<Hlc> {
    this.#settling ??= this.#settleNow().finally(() => {
      this.#settling = undefined
    })
    return this.#settling
  }

  async #settleNow(): Promise<Hlc> {
    const { hybridClock, pending, horizon } = this.#components
    const now = hybridClock.now()
    await pending.settled()
    // what a failed write left on the disk may turn up when it is next read
    if (!this.#isSound()) return horizon.promises.settled
    await horizon.promise({ settled: now })
    return horizon.promises.settled
  }

  #isSound(): boolean {
    const { volumes, isRetired } = this.#components
    // nobody fills the holes of a retired volume any more: what they hide stays hidden
    return volumes
      .volumes()
      .every(({ id, state, holes }) => state !== 'failed' && (holes.length === 0 || isRetired(id)))
  }

  /** Asks a member, unless what it said last is still to be caught up with. */
  async #ask(node: NodeId, signal: AbortSignal): Promise<void> {
    const { transport, clock, log, horizon, compare } = this.#components
    try {
      let asked = this.#asked.get(node)
      if (asked === undefined) {
        if (!transport.peers().includes(node)) return
        const body = await withDeadline(clock, ASK_MS_MAX, signal, limit =>
          transport.request(node, METHOD_STATE, encodeMessage({}), limit)
        )
        const clean = horizon.of(node)?.promise
        const { settled, applied, volumes } = decodeState(body)
        if (clean === undefined || !(await compare(node, signal))) return
        asked = { settled, applied, clean, volumes }
        this.#asked.set(node, asked)
      }
      if (!this.#holds(asked.volumes)) return
      this.#asked.delete(node)
      this.#seen.set(node, asked)
    } catch (err) {
      if (signal.aborted) throw err
      log.debug({ err, peer: node }, 'a member did not say what it has promised')
    }
  }

  /** Whether all that a member held is here, or was retired. */
  #holds(held: MemberState['volumes']): boolean {
    const { volumes, isRetired } = this.#components
    return held.every(({ volume: id, end }) => {
      const volume = volumes.get(id)
      return isRetired(id) || (volume !== undefined && volume.end >= end)
    })
  }

  /** @returns the least of all other members'; zero while one was not seen */
  #least(of: keyof Seen): Hlc {
    return this.#others().reduce<Hlc>((least, node) => {
      const stamp = this.#seen.get(node)?.[of] ?? HLC_ZERO
      return stamp < least ? stamp : least
    }, HLC_MAX)
  }

  // --- promising ---

  async #promiseApplied(signal: AbortSignal): Promise<void> {
    const { horizon, secure, undisturbed, pending } = this.#components
    const settled = await this.#settle()
    const least = this.#least('settled')
    const applied = settled < least ? settled : least
    if (applied <= horizon.promises.applied) return
    await undisturbed(async () => {
      await pending.settled()
      const { found, to } = await this.#tombstones(applied, signal)
      const news = found.filter(({ stamp }) => stamp > horizon.promises.applied)
      await this.#renewUnproven(news)
      await secure(news)
      if (this.#isSound()) await horizon.promise({ applied: to })
    })
  }

  /**
   * Of some deleted photos the birth never came in with its writer's log, only by gossip, and the writer was removed. When
   * it comes back it cannot know them from photos that are news: so these deletes are never forgotten. One node, the same
   * in everybody's ranking, writes them anew each time that they are due.
   */
  async #renewUnproven(tombstones: readonly Tombstone[]): Promise<void> {
    const { directory, departures, transport, writer } = this.#components
    const lastBirths = new Map<VolumeId, Hlc>()
    for (let at = 0; at < tombstones.length; at += READ_AT_ONCE) {
      const keys = tombstones.slice(at, at + READ_AT_ONCE).map(({ key }) => key)
      for (const stored of await directory.getMany(keys)) {
        const photo = stored && viewPhoto(stored.record)
        if (photo === undefined || rendezvous(photo.id, departures.recordedMembers())[0] !== transport.self) continue
        if (await this.isUnproven(photo, lastBirths)) await writer.renewDelete(photo.id)
      }
    }
  }

  /**
   * Whether a photo is known here although its birth never came in with its writer's log, and no member can bring that.
   *
   * @param lastBirths - of volumes that were looked at before
   */
  async isUnproven(photo: Photo, lastBirths = new Map<VolumeId, Hlc>()): Promise<boolean> {
    const born = photo.logicalVolume as VolumeId
    const lastBirth = lastBirths.get(born) ?? (await this.#lastBirth(born))
    lastBirths.set(born, lastBirth)
    return lastBirth < photo.createdAt
  }

  /** @returns up to which stamp the births in a volume came in with it; of a member's own volume, in a round, those are all */
  async #lastBirth(born: VolumeId): Promise<Hlc> {
    const { volumes, departures, nodeOf, known } = this.#components
    const origin = volumes.get(born)?.superblock?.origin
    if (origin !== undefined && departures.recordedMembers().includes(nodeOf(origin))) return HLC_MAX
    return (await known(born)).lastBirth
  }

  async #promiseClean(signal: AbortSignal): Promise<void> {
    const { horizon, undisturbed, pending, directory, clock } = this.#components
    const least = this.#least('applied')
    const own = horizon.promises.applied
    const wanted = own < least ? own : least
    if (wanted <= horizon.promises.clean) return
    await undisturbed(async () => {
      await pending.settled()
      await clock.sleep(GOSSIP_MS, signal)
      if (!this.#isSound()) return
      const { found, to } = await this.#tombstones(wanted, signal)
      const held = await heldPhotos(this.#components, found, signal)
      const first = found.find(({ key }) => held.has(key.id as PhotoId))
      const clean = first === undefined ? to : ((first.stamp - 1n) as Hlc)
      if (clean <= horizon.promises.clean || !this.#isSound()) return
      await directory.forgetting.sync() // a loss of power must not bring back what was alive before
      await horizon.promise({ clean })
    })
  }

  async #rise(signal: AbortSignal): Promise<void> {
    const { horizon, directory, undisturbed } = this.#components
    const least = this.#least('clean')
    const { clean } = horizon.promises
    await horizon.rise(clean < least ? clean : least)
    await undisturbed(async () => {
      const { found } = await this.#tombstones(horizon.promises.horizon, signal)
      const held = await heldPhotos(this.#components, found, signal)
      await directory.forgetting.forget(found.filter(({ key }) => !held.has(key.id as PhotoId)))
    })
  }

  /** @returns deletes up to a stamp, and up to where these are all */
  async #tombstones(to: Hlc, signal: AbortSignal): Promise<{ readonly found: readonly Tombstone[]; readonly to: Hlc }> {
    const found: Tombstone[] = []
    for await (const tombstone of this.#components.directory.forgetting.tombstones(to)) {
      signal.throwIfAborted()
      if (found.length === TOMBSTONES_MAX) return { found, to: (tombstone.stamp - 1n) as Hlc }
      found.push(tombstone)
    }
    return { found, to }
  }
}
