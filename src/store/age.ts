import type { Clock } from '../core/clock.js'
import type { Startable } from '../core/lifecycle.js'
import type { Logger } from '../core/log.js'
import { WorkerLoop } from '../core/worker-loop.js'
import type { Directory } from '../directory/directory.js'
import type { Value } from '../domain/cbor.js'
import { CborReader } from '../domain/cbor-reader.js'
import { encodeValue } from '../domain/cbor-writer.js'
import type { NodeId } from '../domain/ids.js'

const SAVE_EVERY_MS = 60_000
/** When the two clocks went apart by more than this, it is not known how much time has passed. */
const DISAGREEMENT_MS_MAX = 60_000
const STATE_BYTES = 24
/** Peers of which a state says how old they were. */
const PEERS_MAX = 16
/** Beats do not come at once: less than this is no time that was missed. */
const MISSED_MS_MIN = 10_000
const NEVER = -(2n ** 63n)
/** Of absences that a state tells; one more is not counted. */
const ABSENCES_MAX = 64
/** Beside the ages of peers in a state, whose names are longer. */
const ABSENCES_KEY = 'absences'

/** How old a peer was, and this node, at the same time. */
interface Anchor {
  readonly theirMs: number
  readonly ownMs: number
  readonly wallMs: number
}

/** Time that this node missed, and that was counted later, at once. */
interface Absence {
  /** This node's age when a peer was last heard of before, and when the time was counted: it was missed in between. */
  readonly fromMs: number
  readonly toMs: number
  readonly ms: number
}

export interface AgeComponents {
  readonly clock: Clock
  readonly directory: Pick<Directory, 'state' | 'loadAge' | 'saveAge'>
  readonly log: Logger
  /** How long a delete may be undone, ms. Default: for ever. */
  readonly undoMs?: () => number
}

/**
 * For how long this node has run, all its processes together, ms. Whether a delete may still be undone is decided by this
 * and not by dates, so no clock that was set wrong, here or elsewhere, shortens an undo period: time that cannot be told
 * counts as none. What passed while this node was off, or suspended, counts as far as a peer has grown older meanwhile, and
 * no more than by the wall clock. It stands in the directory beside what was noted at an age. If that is lost, both begin
 * anew.
 */
export class Age implements Startable {
  readonly #components: AgeComponents
  readonly #loop: WorkerLoop
  #ageMs = 0
  #saved: Buffer = Buffer.alloc(0)
  #monotonicMs: number
  #wallMs: number
  #roundAt: number | undefined
  /** The latest of each peer that was heard of; at first as the process before left them. */
  readonly #anchors = new Map<NodeId, Anchor>()
  /** In order. What is older than an undo period makes no difference any more. */
  #absences: Absence[] = []

  constructor(components: AgeComponents) {
    const { clock, log } = components
    this.#components = components
    this.#monotonicMs = clock.monotonic()
    this.#wallMs = clock.now()
    this.#loop = new WorkerLoop({ clock, log }, { name: 'age', idleMs: SAVE_EVERY_MS, step: () => this.#step() })
  }

  /** The age now, ms: whole, and never less than before. */
  now(): number {
    const { clock } = this.#components
    const [monotonicMs, wallMs] = [clock.monotonic(), clock.now()]
    const passedMs = Math.floor(monotonicMs - this.#monotonicMs)
    if (passedMs <= 0) return this.#ageMs
    const apartMs = Math.abs(wallMs - this.#wallMs - passedMs)
    if (apartMs <= DISAGREEMENT_MS_MAX) this.#ageMs += passedMs
    else this.#noteAbsence(wallMs - this.#wallMs)
    this.#monotonicMs += passedMs
    this.#wallMs = wallMs
    return this.#ageMs
  }

  /**
   * How much time has passed since this node had that age, at least, ms. Time that it missed and counted later does not
   * count for what it heard of in between, as that may have come after it.
   */
  since(ageMs: number): number {
    let passedMs = this.now() - ageMs
    for (const { fromMs, toMs, ms } of this.#absences) if (fromMs <= ageMs && ageMs <= toMs) passedMs -= ms
    return passedMs
  }

  /**
   * The age at which this node's directory was last compared with a peer's as a whole; undefined if it never was. Earlier by
   * what may have passed since then without counting, and so perhaps negative: that the node has not kept up with the others
   * is believed even of a clock that was set wrong.
   */
  get roundAt(): number | undefined {
    return this.#roundAt
  }

  noteRound(): void {
    this.#roundAt = this.now()
  }

  /** To be called with what a peer tells of its own age. */
  notePeer(peer: NodeId, theirMs: number): void {
    const anchor = this.#anchors.get(peer)
    const ownMs = this.now()
    if (anchor !== undefined) {
      const measuredMs = Math.min(theirMs - anchor.theirMs, this.#wallMs - anchor.wallMs)
      const missedMs = Math.floor(measuredMs - (ownMs - anchor.ownMs))
      if (missedMs >= MISSED_MS_MIN) this.#noteMissed({ fromMs: anchor.ownMs, toMs: ownMs, ms: missedMs })
    } else if (this.#anchors.size === PEERS_MAX) return
    this.#anchors.set(peer, { theirMs, ownMs: this.#ageMs, wallMs: this.#wallMs })
  }

  #noteMissed(absence: Absence): void {
    const { undoMs = () => Number.POSITIVE_INFINITY } = this.#components
    const oldestMs = this.#ageMs - undoMs()
    this.#absences = this.#absences.filter(({ toMs }) => toMs > oldestMs)
    if (this.#absences.length === ABSENCES_MAX) return
    this.#absences.push(absence)
    this.#ageMs += absence.ms
    if (this.#roundAt !== undefined) this.#roundAt += absence.ms // counted as an absence before
  }

  /** Takes up what the process before saved. Call it once the directory is open, before anything is noted at an age. */
  async load(): Promise<void> {
    const state = await this.#components.directory.loadAge()
    if (state === undefined || state.length < STATE_BYTES) return
    const bytes = Buffer.from(state)
    this.#saved = bytes
    this.#ageMs += Number(bytes.readBigUInt64BE())
    const wallMs = Number(bytes.readBigUInt64BE(16))
    const ages = bytes.length > STATE_BYTES ? new CborReader(bytes.subarray(STATE_BYTES)).map() : new Map()
    this.#absences = absencesIn(ages.get(ABSENCES_KEY))
    for (const [peer, theirMs] of ages) {
      if (typeof theirMs === 'number') this.#anchors.set(peer as NodeId, { theirMs, ownMs: this.#ageMs, wallMs })
    }
    const roundAt = bytes.readBigInt64BE(8)
    if (this.#roundAt !== undefined || roundAt === NEVER) return
    this.#roundAt = Number(roundAt)
    this.#noteAbsence(this.#wallMs - wallMs)
  }

  /** Time has passed, by the wall clock alone. */
  #noteAbsence(ms: number): void {
    if (this.#roundAt !== undefined) this.#roundAt -= Math.max(0, ms)
  }

  start(): Promise<void> {
    return this.#loop.start()
  }

  async stop(): Promise<void> {
    await this.#loop.stop()
    if (this.#components.directory.state === 'open') await this.#save()
  }

  async #step(): Promise<'idle'> {
    if (this.#components.directory.state === 'open') await this.#save()
    return 'idle'
  }

  async #save(): Promise<void> {
    const bytes = Buffer.alloc(STATE_BYTES)
    bytes.writeBigUInt64BE(BigInt(this.now()))
    bytes.writeBigInt64BE(this.#roundAt === undefined ? NEVER : BigInt(this.#roundAt), 8)
    bytes.writeBigUInt64BE(BigInt(this.#wallMs), 16)
    const ages = Array.from(
      this.#anchors,
      ([peer, { theirMs, ownMs }]) => [peer, theirMs + this.#ageMs - ownMs] as const
    )
    const absences = this.#absences.flatMap(({ fromMs, toMs, ms }) => [fromMs, toMs, ms])
    const fields = new Map<string, Value>(absences.length === 0 ? ages : [...ages, [ABSENCES_KEY, absences]])
    const state = Buffer.concat([bytes, encodeValue(fields)])
    if (state.equals(this.#saved)) return
    await this.#components.directory.saveAge(state)
    this.#saved = state
  }
}

/** @param value - three numbers for each; what is not so counts as none */
function absencesIn(value: Value | undefined): Absence[] {
  const numbers = Array.isArray(value) ? value.filter(each => typeof each === 'number') : []
  const absences: Absence[] = []
  for (let at = 0; at + 3 <= numbers.length && absences.length < ABSENCES_MAX; at += 3) {
    const [fromMs = 0, toMs = 0, ms = 0] = numbers.slice(at, at + 3)
    absences.push({ fromMs, toMs, ms })
  }
  return absences
}
