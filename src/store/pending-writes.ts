/**
 * Writes that have read the directory and are not in the log yet. A node that promises not to write something any more
 * first waits until they have settled.
 */
export class PendingWrites {
  readonly #running = new Set<Promise<unknown>>()

  async run<Result>(write: () => Promise<Result>): Promise<Result> {
    const result = write()
    const settled = result.then(nothing, nothing).finally(() => this.#running.delete(settled))
    this.#running.add(settled)
    return await result
  }

  /** Waits for all writes that are running now, but not for those that begin meanwhile. */
  async settled(): Promise<void> {
    await Promise.all(this.#running)
  }
}

function nothing(): void {}
