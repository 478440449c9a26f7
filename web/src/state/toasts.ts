import { type Signal, signal } from '@preact/signals'
import type { Timers } from '../browser/timers.js'

export interface Toast {
  readonly id: number
  readonly text: string
  readonly action: { readonly label: string; readonly run: () => void } | undefined
}

/** Time enough to read it and to reach for the button. */
const SHOWN_MS = 8_000

/** Short notes of what was done, one at a time. */
export class Toasts {
  readonly current: Signal<Toast | undefined> = signal(undefined)
  readonly #timers: Timers
  #cancel: (() => void) | undefined
  #count = 0

  constructor(timers: Timers) {
    this.#timers = timers
  }

  say(text: string, action?: Toast['action']): void {
    this.#cancel?.()
    this.#count++
    this.current.value = { id: this.#count, text, action }
    this.#cancel = this.#timers.after(SHOWN_MS, () => this.dismiss())
  }

  /** Does what the note offers. */
  act(): void {
    const { action } = this.current.peek() ?? {}
    this.dismiss()
    action?.run()
  }

  dismiss(): void {
    this.#cancel?.()
    this.current.value = undefined
  }
}
