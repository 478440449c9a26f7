import type { Clock } from '../../core/clock.js'
import type { Startable } from '../../core/lifecycle.js'
import type { Directory } from '../../directory/directory.js'
import type { Events, IndexNews } from './events.js'

/** Followers hear of it no more often. */
const LOOK_MS = 1_000

export interface IndexProgressComponents {
  readonly directory: Pick<Directory, 'state' | 'onChange'>
  readonly events: Pick<Events, 'noteIndex'>
  readonly clock: Clock
  /** How far it is now, of a directory that is open; costs next to nothing. */
  readonly status: () => IndexNews
}

/** Tells followers how far this node's index is, while it goes on; where nothing changes and nothing is left to do, it rests. */
export class IndexProgress implements Startable {
  readonly #components: IndexProgressComponents
  #told: IndexNews | undefined
  #cancelLook: (() => void) | undefined
  #unsubscribe: (() => void) | undefined

  constructor(components: IndexProgressComponents) {
    this.#components = components
  }

  async start(): Promise<void> {
    this.#unsubscribe ??= this.#components.directory.onChange(() => this.#lookSoon())
    this.#lookSoon()
  }

  async stop(): Promise<void> {
    this.#unsubscribe?.()
    this.#cancelLook?.()
    this.#unsubscribe = undefined
    this.#cancelLook = undefined
  }

  #lookSoon(): void {
    this.#cancelLook ??= this.#components.clock.schedule(LOOK_MS, () => this.#look())
  }

  #look(): void {
    const { directory, events, status } = this.#components
    this.#cancelLook = undefined
    // while it is being rebuilt, it counts nothing
    if (directory.state !== 'open') {
      this.#lookSoon()
      return
    }
    const { vectors, pending } = status()
    const told = this.#told
    this.#told = { vectors, pending }
    const isNews = told !== undefined && (vectors !== told.vectors || pending !== told.pending)
    if (isNews) events.noteIndex(this.#told)
    // vectors come from peers without a change of the directory
    if (pending > 0) this.#lookSoon()
  }
}
