import type { Clock } from '../../core/clock.js'
import { count, humanBytes, humanSeconds } from './human.js'
import type { Terminal } from './terminal.js'

const REDRAW_MS = 100
const BAR_CELLS = 20
/** Narrower than this, the bar is half as long. */
const WIDE_COLUMNS = 90

/** Shows in the terminal's live line how many bytes and files have been sent; without a terminal, does nothing. */
export class ProgressBar {
  readonly #clock: Clock
  readonly #terminal: Terminal
  readonly #startedMs: number
  #drawnMs = Number.NEGATIVE_INFINITY
  #bytesTotal: number
  #filesTotal: number
  #bytes = 0
  #files = 0

  constructor(
    components: { readonly clock: Clock; readonly terminal: Terminal },
    init: { readonly bytesTotal: number; readonly filesTotal: number }
  ) {
    this.#clock = components.clock
    this.#terminal = components.terminal
    this.#startedMs = components.clock.monotonic()
    this.#bytesTotal = init.bytesTotal
    this.#filesTotal = init.filesTotal
  }

  /** @param byteCount - may be negative: a file is sent again from its start */
  addBytes(byteCount: number): void {
    this.#bytes += byteCount
    this.#draw()
  }

  /** Counts a file as done, sent or not, and takes the `bytesNotSent` that will never be sent off the total. */
  endFile(bytesNotSent: number): void {
    this.#files++
    this.#bytesTotal -= bytesNotSent
    this.#draw()
  }

  finish(): void {
    this.#terminal.live('')
  }

  /** @returns the line as it would be drawn now */
  line(): string {
    const seconds = (this.#clock.monotonic() - this.#startedMs) / 1_000
    const share = this.#bytesTotal <= 0 ? 1 : Math.min(1, Math.max(0, this.#bytes / this.#bytesTotal))
    const cells = this.#terminal.columns < WIDE_COLUMNS ? BAR_CELLS / 2 : BAR_CELLS
    const full = Math.round(share * cells)
    const parts = [
      `${String(Math.floor(share * 100)).padStart(3)} % ${'█'.repeat(full)}${'░'.repeat(cells - full)}`,
      `${humanBytes(this.#bytes)} of ${humanBytes(this.#bytesTotal)}`,
      `${this.#files} of ${count(this.#filesTotal, 'file')}`
    ]
    if (seconds >= 1 && this.#bytes > 0) {
      const rate = this.#bytes / seconds
      parts.push(`${humanBytes(rate)}/s`, `${humanSeconds((this.#bytesTotal - this.#bytes) / rate)} left`)
    }
    return parts.join('  ')
  }

  #draw(): void {
    const nowMs = this.#clock.monotonic()
    if (!this.#terminal.interactive || nowMs - this.#drawnMs < REDRAW_MS) return
    this.#drawnMs = nowMs
    this.#terminal.live(this.line())
  }
}
