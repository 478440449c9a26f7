import type { Timers } from '../src/browser/timers.js'

/** Time that passes when a test says so. */
export class ManualTimers implements Timers {
  #now = 0
  readonly #due = new Map<number, { readonly at: number; readonly run: () => void }>()
  #nextId = 1

  now(): number {
    return this.#now
  }

  after(ms: number, run: () => void): () => void {
    const id = this.#nextId++
    this.#due.set(id, { at: this.#now + ms, run })
    return () => this.#due.delete(id)
  }

  pass(ms: number): void {
    const end = this.#now + ms
    for (;;) {
      const next = [...this.#due].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at)[0]
      if (next === undefined) break
      const [id, { at, run }] = next
      this.#due.delete(id)
      this.#now = at
      run()
    }
    this.#now = end
  }
}
