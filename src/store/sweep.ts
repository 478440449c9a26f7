import type { Clock } from '../core/clock.js'
import type { Logger } from '../core/log.js'
import type { Directory } from '../directory/directory.js'
import type { Death } from '../directory/keys.js'
import { encodeGraves, GRAVES_MAX, type Grave, gravesIdentity } from '../domain/graves.js'
import { COOKIE_BYTES } from '../domain/ids.js'
import type { RecordKey } from '../domain/record.js'
import { GRAVE_GENERATION_MAX } from '../domain/record-codec.js'
import { endedLife, undoPeriodMs } from '../domain/tombstone.js'
import type { NeedleDraft } from '../volumes/needle-store.js'
import type { VolumeSet } from '../volumes/volume-set.js'

const SWEEP_MS_MIN = 1_000
const SWEEP_MS_MAX = 24 * 3_600_000
/** Between two needles of graves: the first sweep after an upgrade may have a million deletes to bury. */
const PAUSE_MS = 50

/** A grave, and of what kind of record. */
export type KeyedGrave = RecordKey & Grave

export interface SweepComponents {
  readonly directory: Pick<Directory, 'state' | 'deaths' | 'getMany'>
  readonly volumes: Pick<VolumeSet, 'append'>
  readonly clock: Clock
  readonly log: Logger
  /** How much time has passed since the node had that age, ms. */
  readonly since: (ageMs: number) => number
  /** How long a delete may be undone, anywhere in the cluster, ms. */
  readonly undoMs: () => number
  /** This node's place among those that could bury the record, from 0: the others wait for the first. */
  readonly rankOf: (key: RecordKey) => number
  /** Why this node must not bury now; undefined: it may. */
  readonly obstacle: () => string | undefined
  /** @returns graves that this node only heard of, and whose needles can go once a needle here holds them */
  readonly takeHeard: () => readonly KeyedGrave[]
}

/**
 * Buries what was deleted for longer than the undo period: the tombstone shrinks to a grave of some twenty bytes, in a needle
 * with others. One node writes it, and not at once: those that heard of the delete a little later, or were off for a while,
 * shall find that their own period is over, too. The rest shrink when they get it; should two write one, no harm is done.
 */
export class Sweep {
  readonly #components: SweepComponents
  #dueAtMs = 0
  #buriedCount = 0

  constructor(components: SweepComponents) {
    this.#components = components
  }

  /** Deletes that this process buried. */
  get buriedCount(): number {
    return this.#buriedCount
  }

  /** Sweeps when that is due; logs what was only heard of each time. */
  async step(signal: AbortSignal): Promise<'idle'> {
    const { clock } = this.#components
    await this.logHeard()
    if (clock.monotonic() < this.#dueAtMs) return 'idle'
    await this.run(signal)
    this.#dueAtMs = clock.monotonic() + this.#intervalMs()
    return 'idle'
  }

  /** @returns how many records were buried. @throws what the store throws */
  async run(signal: AbortSignal): Promise<number> {
    const { directory, log, obstacle } = this.#components
    if (directory.state !== 'open') return 0
    await this.logHeard()
    const reason = obstacle()
    if (reason !== undefined) {
      log.warn({ reason }, 'not burying deletes')
      return 0
    }
    let buried = 0
    let due: KeyedGrave[] = []
    for await (const { kind, id, ...death } of directory.deaths()) {
      const { generation } = death
      if (!this.#isDue({ kind, id }, death)) continue
      due.push({ kind, id, generation })
      if (due.length < GRAVES_MAX) continue
      buried += await this.#bury(due, signal)
      due = []
    }
    buried += await this.#bury(due, signal)
    if (buried > 0) log.info({ buried }, 'deletes were buried')
    return buried
  }

  /** Logs graves that this node only heard of: their needles can go then. */
  async logHeard(): Promise<void> {
    const { directory, takeHeard } = this.#components
    if (directory.state === 'open') await this.#log(takeHeard())
  }

  #isDue(key: RecordKey, death: Death): boolean {
    const { since, undoMs, rankOf } = this.#components
    const overMs = since(death.heardAt) - undoPeriodMs(death, undoMs())
    const waitedMs = overMs - this.#slackMs()
    return waitedMs >= 0 && waitedMs >= rankOf(key) * this.#intervalMs()
  }

  /** So long a node may have been off, or have heard of the delete later, and its own undo period is over, too. */
  #slackMs(): number {
    return Math.max(SWEEP_MS_MIN, this.#components.undoMs() / 4)
  }

  #intervalMs(): number {
    return Math.max(SWEEP_MS_MIN, Math.min(SWEEP_MS_MAX, this.#components.undoMs() / 4))
  }

  /** An undelete that comes in between begins a life that the grave does not end. */
  async #bury(due: readonly KeyedGrave[], signal: AbortSignal): Promise<number> {
    const { directory, clock } = this.#components
    if (due.length === 0) return 0
    signal.throwIfAborted()
    const stored = await directory.getMany(due)
    // one that was undone, and deleted anew perhaps, is not due
    const graves = due.filter(({ generation }, i) => {
      const record = stored[i]?.record
      return record !== undefined && endedLife(record) === generation
    })
    await this.#log(graves)
    this.#buriedCount += graves.length
    if (due.length === GRAVES_MAX) await clock.sleep(PAUSE_MS, signal)
    return graves.length
  }

  /** Appends graves: the directory buries what they name as soon as they are durable. */
  async #log(graves: readonly KeyedGrave[]): Promise<void> {
    for (const draft of gravesDrafts(graves)) await this.#components.volumes.append([draft], 'upkeep')
  }
}

/** @returns needles that hold the graves: one holds those of one kind */
export function* gravesDrafts(graves: readonly KeyedGrave[]): Generator<NeedleDraft> {
  for (const kind of new Set(graves.map(grave => grave.kind))) {
    const ofKind = graves.filter(grave => grave.kind === kind && grave.generation <= GRAVE_GENERATION_MAX)
    for (let at = 0; at < ofKind.length; at += GRAVES_MAX) {
      const data = encodeGraves(kind, ofKind.slice(at, at + GRAVES_MAX))
      yield { header: { ...gravesIdentity(data), flags: 0, cookie: new Uint8Array(COOKIE_BYTES) }, data }
    }
  }
}
