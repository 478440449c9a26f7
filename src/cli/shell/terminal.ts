import { once } from 'node:events'
import type { Writable } from 'node:stream'

/** Standard output or error: a stream that may be a terminal. */
export type Output = Writable & { readonly isTTY?: boolean; readonly columns?: number }

const CLEAR_LINE = '\r\x1b[K'

/** The user's side of a command: results on stdout, everything else on stderr, and at most one live line at the bottom. */
export class Terminal {
  readonly #stdout: Output
  readonly #stderr: Output
  readonly #signal: AbortSignal
  #live = ''

  /** @param signal - ends the wait for a slow reader of stdout */
  constructor(stdout: Output, stderr: Output, signal: AbortSignal) {
    this.#stdout = stdout
    this.#stderr = stderr
    this.#signal = signal
  }

  get stdoutIsTerminal(): boolean {
    return this.#stdout.isTTY === true
  }

  /** A live line can be shown. */
  get interactive(): boolean {
    return this.#stderr.isTTY === true
  }

  /** Characters in a line. */
  get columns(): number {
    return this.#stderr.columns || 80 // 0: a terminal that was not told its size
  }

  /** Writes a line of the result. Waits while the reader is slow. */
  async print(line: string): Promise<void> {
    await this.write(Buffer.from(`${line}\n`))
  }

  /** Writes bytes of the result as they are. */
  async write(bytes: Uint8Array): Promise<void> {
    this.#clearLive()
    if (!this.#stdout.write(bytes)) await once(this.#stdout, 'drain', { signal: this.#signal })
    this.#drawLive()
  }

  /** Writes a line to stderr, for the person who watches. */
  note(line: string): void {
    this.#clearLive()
    this.#stderr.write(`${line}\n`)
    this.#drawLive()
  }

  /** Asks on stderr: the line stays open for the answer. */
  prompt(text: string): void {
    this.#clearLive()
    this.#stderr.write(text)
  }

  /** Shows, replaces or (with an empty text) removes the live line. */
  live(line: string): void {
    if (!this.interactive) return
    this.#clearLive()
    this.#live = line
    this.#drawLive()
  }

  #clearLive(): void {
    if (this.#live !== '') this.#stderr.write(CLEAR_LINE)
  }

  #drawLive(): void {
    if (this.#live !== '') this.#stderr.write(this.#live.slice(0, this.columns - 1))
  }
}
