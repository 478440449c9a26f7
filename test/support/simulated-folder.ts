import type { SeededRandom } from './seeded-random.js'
import { SimulatedFile } from './simulated-file.js'

export type Entry = SimulatedFile | SimulatedFolder

/** Names that one operation sets or, with undefined, removes: all of them or none. */
type Change = readonly (readonly [name: string, entry: Entry | undefined])[]

/** A folder's entries as they are seen, and as the last sync of the folder left them on the disk. */
export class SimulatedFolder {
  #entries = new Map<string, Entry>()
  #durable = new Map<string, Entry>()
  #pending: Change[] = []

  get(name: string): Entry | undefined {
    return this.#entries.get(name)
  }

  names(): string[] {
    return [...this.#entries.keys()].sort()
  }

  entries(): Entry[] {
    return [...this.#entries.values()]
  }

  change(change: Change): void {
    apply(this.#entries, change)
    this.#pending.push(change)
  }

  sync(): void {
    this.#durable = new Map(this.#entries)
    this.#pending = []
  }

  /** Loss of power, here and below: each change since the last sync survives or not; without `random` none does. */
  crash(random: SeededRandom | undefined): void {
    for (const change of this.#pending) {
      if (random?.chance(0.5)) apply(this.#durable, change)
    }
    this.#entries = new Map(this.#durable)
    this.#pending = []
    for (const entry of this.#entries.values()) entry.crash(random)
  }

  /** @param copies - entries copied so far: one that stands in several places is one in the copy as well */
  clone(copies = new Map<Entry, Entry>()): SimulatedFolder {
    const copy = new SimulatedFolder()
    copies.set(this, copy)
    const cloned = (entry: Entry): Entry => {
      const known = copies.get(entry)
      if (known !== undefined) return known
      const fresh = entry instanceof SimulatedFile ? entry.clone() : entry.clone(copies)
      copies.set(entry, fresh)
      return fresh
    }
    copy.#entries = new Map([...this.#entries].map(([name, entry]) => [name, cloned(entry)]))
    copy.#durable = new Map([...this.#durable].map(([name, entry]) => [name, cloned(entry)]))
    copy.#pending = this.#pending.map(change => change.map(([name, entry]) => [name, entry && cloned(entry)] as const))
    return copy
  }
}

function apply(entries: Map<string, Entry>, change: Change): void {
  for (const [name, entry] of change) {
    if (entry === undefined) entries.delete(name)
    else entries.set(name, entry)
  }
}
