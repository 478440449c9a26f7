import type { Clock } from '../../core/clock.js'

/** One for each {@link CatchUpRate.look}: looks come every two seconds, so rates cover the last ten. */
const SAMPLES = 5

interface Sample {
  /** Monotonic. */
  readonly atMs: number
  /** Received until then. */
  readonly bytes: number
}

/** How fast bytes come in: over the last seconds, without those in which nothing was asked for yet. */
export class CatchUpRate {
  readonly #clock: Pick<Clock, 'monotonic'>
  readonly #receivedBytes: () => number
  /** Oldest first. */
  #samples: Sample[] = []
  /** Since when bytes are asked for without a break. */
  #begun: Sample | undefined

  /** @param components.receivedBytes - in all, so far */
  constructor(components: { readonly clock: Pick<Clock, 'monotonic'>; readonly receivedBytes: () => number }) {
    this.#clock = components.clock
    this.#receivedBytes = components.receivedBytes
  }

  /** To be called before bytes are asked for. */
  begin(): void {
    this.#begun ??= this.#sample()
  }

  /** To be called every two seconds. @param isAsking - whether bytes are being asked for */
  look(isAsking: boolean): void {
    this.#samples = [...this.#samples.slice(1 - SAMPLES), this.#sample()]
    if (!isAsking) this.#begun = undefined
  }

  /** Bytes a second. */
  get bytesPerSecond(): number {
    const [oldest] = this.#samples
    const begun = this.#begun
    const first = oldest === undefined || (begun !== undefined && begun.atMs > oldest.atMs) ? begun : oldest
    const elapsedMs = first === undefined ? 0 : this.#clock.monotonic() - first.atMs
    return first === undefined || elapsedMs === 0 ? 0 : ((this.#receivedBytes() - first.bytes) / elapsedMs) * 1_000
  }

  #sample(): Sample {
    return { atMs: this.#clock.monotonic(), bytes: this.#receivedBytes() }
  }
}
