import type { Clock } from '../../core/clock.js'
import { SheafError } from '../../core/errors.js'
import type { Logger } from '../../core/log.js'
import type { VolumeId } from '../../domain/ids.js'
import type { Volume } from '../../volumes/volume.js'
import type { ScanPace } from '../../volumes/volume-scan.js'
import type { VolumeSet } from '../../volumes/volume-set.js'

/**
 * Of the disk, for all peers together. Sixteen times the scrub's: a peer waits for the answer. A volume of the default size
 * takes 16 s, so that the peer's next question, after it has passed over this node for 30 s, finds the result.
 */
const BYTES_PER_SECOND_MAX = 64_000_000
/** Shorter pauses are saved up. */
const PAUSE_MS_MIN = 10
/** How long a result holds: bytes that were intact then are not read again for a peer that doubts them. */
const VERIFIED_MS = 10 * 60_000

/** A part of a volume that was read and checked, [from, end) in bytes: what is damaged there is a known hole. */
interface Verified {
  readonly from: number
  readonly end: number
  /** Monotonic ms. */
  readonly at: number
}

interface Verification {
  /** Where peers found damage. */
  readonly places: number[]
  readonly done: Promise<void>
}

export interface VolumeVerifierComponents {
  readonly volumes: Pick<VolumeSet, 'get'>
  readonly clock: Clock
  readonly log: Logger
}

export interface VolumeVerifierInit {
  /** Ends what runs, with its reason. */
  readonly signal: AbortSignal
}

/**
 * Verifies volumes of this node that peers doubt: from the doubted place to the end, so that all of its holes are known at
 * once. One volume at a time, at a limited rate, and not again what was verified within ten minutes.
 */
export class VolumeVerifier {
  readonly #components: VolumeVerifierComponents
  readonly #signal: AbortSignal
  readonly #verified = new Map<VolumeId, Verified>()
  /** That have not begun. */
  readonly #waiting = new Map<VolumeId, Verification>()
  #running: (Omit<Verified, 'at'> & { readonly volume: Volume; readonly done: Promise<void> }) | undefined
  /** Settles when the last that was asked for has ended; never rejects. */
  #last: Promise<void> = Promise.resolve()

  constructor(components: VolumeVerifierComponents, { signal }: VolumeVerifierInit) {
    this.#components = components
    this.#signal = signal
  }

  /** Waits for the verification that the signal has ended. */
  stop(): Promise<void> {
    return this.#last
  }

  /**
   * Resolves when the volume's holes are known from `place` on.
   *
   * @param place - from the end of the superblock to the end of the volume
   * @throws `ERR_NO_SUCH_VOLUME` when the volume is removed meanwhile; the signal's reason; an error of the disk but `EIO`
   */
  async verify(volume: Volume, place: number): Promise<void> {
    this.#signal.throwIfAborted()
    if (this.#isKnown(volume, place)) return
    const running = this.#running
    if (running?.volume === volume && running.from <= place && place < running.end) return running.done
    const waiting = this.#waiting.get(volume.id) ?? this.#enqueue(volume)
    waiting.places.push(place)
    return waiting.done
  }

  #enqueue(volume: Volume): Verification {
    const places: number[] = []
    const done: Promise<void> = this.#last.then(() => {
      this.#waiting.delete(volume.id)
      return this.#run(volume, places, () => done)
    })
    this.#last = done.catch(() => {}) // whoever asked is told
    const verification = { places, done }
    this.#waiting.set(volume.id, verification)
    return verification
  }

  async #run(volume: Volume, places: readonly number[], done: () => Promise<void>): Promise<void> {
    const unknown = places.filter(place => !this.#isKnown(volume, place))
    if (unknown.length === 0) return
    this.#requireWanted(volume)
    const { end } = volume
    const from = await volume.boundaryBefore(Math.min(...unknown))
    this.#running = { volume, from, end, done: done() }
    try {
      await this.#verify(volume, from)
    } finally {
      this.#running = undefined
    }
    this.#remember(volume, { from, end, at: this.#components.clock.monotonic() })
  }

  async #verify(volume: Volume, from: number): Promise<void> {
    const { log } = this.#components
    let found = false
    for await (const event of volume.verify(from, 0, this.#pace(volume, from))) {
      if (event.kind !== 'hole') continue
      found = true
      const fields = { volume: volume.id, from: event.from, to: event.to }
      log.error(fields, 'this volume has damage; marked it as a hole to be repaired from peers')
    }
    if (found) await volume.flushIndex()
  }

  /** Holds a scan to the rate, and ends it with the node or the volume. */
  #pace(volume: Volume, from: number): ScanPace {
    const { clock } = this.#components
    const beganMs = clock.monotonic()
    return async position => {
      const aheadMs = ((position - from) / BYTES_PER_SECOND_MAX) * 1000 - (clock.monotonic() - beganMs)
      if (aheadMs >= PAUSE_MS_MIN) await clock.sleep(aheadMs, this.#signal)
      this.#requireWanted(volume)
    }
  }

  /** @throws when the node stops or the volume was removed */
  #requireWanted(volume: Volume): void {
    this.#signal.throwIfAborted()
    if (this.#components.volumes.get(volume.id) !== volume) throw new SheafError('ERR_NO_SUCH_VOLUME')
  }

  #isKnown(volume: Volume, place: number): boolean {
    if (volume.inHole(place)) return true
    const verified = this.#verified.get(volume.id)
    return verified !== undefined && this.#holds(verified) && verified.from <= place && place < verified.end
  }

  #remember({ id }: Volume, verified: Verified): void {
    for (const [other, past] of this.#verified) if (!this.#holds(past)) this.#verified.delete(other)
    this.#verified.set(id, verified)
  }

  #holds({ at }: Verified): boolean {
    return this.#components.clock.monotonic() - at < VERIFIED_MS
  }
}
