import type { Volume } from './volume.js'

/** What was counted of a part of a volume. */
export interface Tally {
  rows: number
  liveBytes: number
  deadBytes: number
  /** Bytes that compaction kept then, by the age at which this node heard of their delete, rounded up. */
  readonly gracedBytes: Map<number, number>
  oldestHeardAt: number | undefined
  holdsLaidOut: boolean
  /** Whether a needle waits for its grave to be written: soon it is dead. */
  holdsHeard: boolean
  /** Whether of a needle it is not known whether it is needed: the next process may know. */
  holdsUnknown: boolean
  /** Where the last needle of a buried photo begins; 0: there is none. */
  buriedAt: number
  /** When it was begun, monotonic ms. */
  readonly countedAt: number
  /** The same, ms since the Unix epoch. */
  readonly countedWallAt: number
}

/** The needles that begin in [from, to). */
export interface Part {
  readonly from: number
  /** Infinite: it has room for more. */
  to: number
  isStale: boolean
  /** Undefined until it was counted once. */
  tally: Tally | undefined
}

/** What was counted of a volume. */
export interface Count {
  /** In the order of the volume. */
  readonly parts: Part[]
  /** How long the volume was. */
  end: number
  /** The holes that it had: a repair brings needles anywhere. */
  readonly holes: Volume['holes']
  running: Promise<void> | undefined
}

/** What of a {@link Count} the next process can go on from. */
export type Counted = Pick<Count, 'end'> & { readonly parts: readonly Part[] }

export function uncounted(from: number, to: number): Part {
  return { from, to, isStale: true, tally: undefined }
}
