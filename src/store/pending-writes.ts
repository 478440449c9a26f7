/**
 * Writes that have looked at the directory and are not in the log yet. Whoever says what this node will never write any
 * more waits until those that were under way have ended.
 */
export class PendingWrites {
  readonly #running = new Set<Promise<unknown>>()

  async run<Result>(write: () => Promise<Result>): Promise<Result> {
    const result = write()
    const settled = result.then(nothing, nothing).finally(() => this.#running.delete(settled))
    this.#running.add(settled)
    return await result
  }

  /** Waits for all writes that are under way now; those that begin meanwhile are not waited for. */
  async settled(): Promise<void> {
    await Promise.all(this.#running)
  }
}

function nothing(): void {}
