/** Serializes tasks of the same key in the order of the calls; tasks of different keys run concurrently. */
export class KeyedLock {
  /** Resolves when the last task of the key has settled. Has a key exactly while one of its tasks runs or waits. */
  readonly #tails = new Map<string, Promise<void>>()

  /**
   * Runs `task` once all earlier tasks of `key` have settled. A task that awaits another task of its own key deadlocks.
   *
   * @returns the result of the task; its failure does not affect later tasks
   */
  run<Result>(key: string, task: () => Promise<Result>): Promise<Result> {
    const before = this.#tails.get(key) ?? Promise.resolve()
    const result = before.then(task)
    const release = (): void => {
      if (this.#tails.get(key) === tail) this.#tails.delete(key)
    }
    const tail = result.then(release, release)
    this.#tails.set(key, tail)
    return result
  }

  /** Number of keys with a task running or waiting. */
  get size(): number {
    return this.#tails.size
  }
}
