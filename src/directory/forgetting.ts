import type { Hlc } from '../domain/hlc.js'
import { bucketOf, leafDigest } from '../domain/merkle.js'
import { tombstoneStamp } from '../domain/tombstone.js'
import { type BatchPlan, type LeafToggle, type Operation, type PlanBase, planNumbered } from './batch-plan.js'
import type { Database } from './database.js'
import {
  horizonRow,
  leafKey,
  recordRowKey,
  type Tombstone,
  tombstoneKey,
  tombstoneOfKey,
  tombstoneRange
} from './keys.js'
import type { OpenRows } from './open-rows.js'
import { readStates } from './record-rows.js'
import type { RecordState } from './stored-record.js'

/** Records that one batch takes out; only those of one stamp are never torn apart. */
const BATCH_RECORDS_MAX = 1_024
const READ_ROWS = 256

/** LevelDB's own option, which its abstraction does not know. */
const SYNCED = { sync: true } as Parameters<Database['put']>[2] & { readonly sync: boolean }

export interface ForgettingComponents {
  /** @throws `ERR_DIRECTORY_UNAVAILABLE` */
  readonly rows: () => OpenRows
  /** Runs a read. */
  readonly read: <T>(work: () => Promise<T>) => Promise<T>
  /** Writes the batch that `plan` comes up with, while nothing else is written. */
  readonly change: (plan: (rows: OpenRows) => Promise<BatchPlan | undefined>) => Promise<void>
  /** Runs a write of a single row, while nothing else is written. */
  readonly put: (row: (rows: OpenRows) => Promise<void>) => Promise<void>
}

/**
 * How tombstones go. First the horizon passes them: they leave the Merkle tree, on all nodes alike, because what is in the
 * tree depends on the records and the horizon alone. Their rows stay, as a guard against needles of the photo that may
 * still be here, until the caller knows that there are none. A tombstone below the horizon that has no row here is
 * dropped when it comes in.
 */
export class Forgetting {
  readonly #components: ForgettingComponents

  constructor(components: ForgettingComponents) {
    this.#components = components
  }

  /** Records deleted up to this stamp are in no tree. */
  get horizon(): Hlc {
    return this.#components.rows().view.horizon
  }

  /** Deleted records by the stamps of their deletes, oldest first, `to` included; also those that the horizon has passed. */
  async *tombstones(to: Hlc): AsyncGenerator<Tombstone> {
    const { rows, read } = this.#components
    const iterator = rows().database.iterator({ ...tombstoneRange(to), values: false })
    try {
      for (;;) {
        const found = await read(async () => (await iterator.nextv(READ_ROWS)).map(([key]) => tombstoneOfKey(key)))
        if (found.length === 0) return
        yield* found
      }
    } finally {
      await iterator.close()
    }
  }

  /** Takes the tombstones up to a stamp out of the tree. A stamp that is not above the horizon changes nothing. */
  async raise(horizon: Hlc): Promise<void> {
    while (this.horizon < horizon) {
      const { passed, to } = await this.#next(horizon)
      await this.#components.change(async ({ database, view }) => {
        if (view.horizon >= to) return undefined
        const states = await readStates(
          database,
          passed.map(({ key }) => key)
        )
        const leaving = states.filter(state => isBetween(state, view.horizon, to)) as RecordState[]
        return planRaise(view, to, leaving)
      })
    }
  }

  /** Removes rows of tombstones that the horizon has passed. The caller knows that no needle of them is here. */
  async forget(tombstones: readonly Tombstone[]): Promise<void> {
    for (let at = 0; at < tombstones.length; at += BATCH_RECORDS_MAX) {
      const some = tombstones.slice(at, at + BATCH_RECORDS_MAX)
      await this.#components.change(async ({ database, view }) => {
        const states = await readStates(
          database,
          some.map(({ key }) => key)
        )
        const gone = some.filter(({ stamp }, i) => {
          const record = states[i]?.record // undone, or deleted anew, since the caller looked
          return stamp <= view.horizon && record !== undefined && tombstoneStamp(record) === stamp
        })
        return gone.length === 0 ? undefined : planForget(view, gone)
      })
    }
  }

  /** Makes all that was applied so far outlive a loss of power without the log. */
  sync(): Promise<void> {
    return this.#components.put(async ({ database, view }) => {
      const { key, value } = horizonRow(view.horizon)
      await database.put(key, value, SYNCED)
    })
  }

  /** @returns tombstones for one batch, and how far it brings the horizon */
  async #next(horizon: Hlc): Promise<{ readonly passed: readonly Tombstone[]; readonly to: Hlc }> {
    const passed: Tombstone[] = []
    for await (const tombstone of this.tombstones(horizon)) {
      if (tombstone.stamp <= this.horizon) continue
      const last = passed.at(-1)
      if (last !== undefined && passed.length >= BATCH_RECORDS_MAX && last.stamp < tombstone.stamp)
        return { passed, to: last.stamp }
      passed.push(tombstone)
    }
    return { passed, to: horizon }
  }
}

function isBetween(state: RecordState | undefined, above: Hlc, to: Hlc): boolean {
  const stamp = state && tombstoneStamp(state.record)
  return stamp !== undefined && stamp > above && stamp <= to
}

/** @param leaving - records as they are stored, deleted after the present horizon and up to the new one */
function planRaise(base: PlanBase, horizon: Hlc, leaving: readonly RecordState[]): BatchPlan {
  const operations: Operation[] = []
  const toggles: LeafToggle[] = []
  for (const { record, bytes } of leaving) {
    const bucket = bucketOf(record)
    toggles.push({ bucket, leaf: leafDigest(record, bytes) })
    operations.push({ type: 'del', key: leafKey(bucket, record) })
  }
  operations.push({ type: 'put', ...horizonRow(horizon) })
  return planNumbered(base, { operations, toggles, horizon })
}

/** Not numbered: should it be lost, the rows are still a guard, and are forgotten again. */
function planForget(base: PlanBase, tombstones: readonly Tombstone[]): BatchPlan {
  const operations: Operation[] = []
  for (const { stamp, key } of tombstones) {
    operations.push({ type: 'del', key: recordRowKey(key) }, { type: 'del', key: tombstoneKey(stamp, key) })
  }
  const { sequence, horizon } = base
  return {
    operations,
    toggles: [],
    sequence,
    horizon,
    applied: new Map(),
    counters: new Map(),
    changes: [],
    opaque: []
  }
}
