/** Runs tasks of one key one after the other, in the order of the calls; tasks of different keys at the same time. */
export class KeyedLock {
  /** When the last task of a key settles. A key is here exactly while a task of its runs or waits. */
  readonly #tails = new Map<string, Promise<void>>()

  /**
   * Runs `task` when all earlier ones of `key` have settled. A task that waits for another of its own key waits for ever.
   *
   * @returns what the task returns; rejects as it rejects, which does not hinder the ones behind it
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

  /** Keys that have a task running or waiting. */
  get size(): number {
    return this.#tails.size
  }
}
