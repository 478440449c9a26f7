/*
 * Judges what clients saw of one photo, under any interleaving.
 *
 * A history is right if each operation can be given one moment between its call and its answer so that, carried out
 * one after the other in that order, all would have given the answers that clients got (linearizability; Herlihy & Wing
 * 1990). An operation without an answer may have happened at any moment until the process died, or never. The checker
 * keeps every state that the photo may be in and throws as soon as none is left.
 */

export interface PhotoState {
  readonly deleted: boolean
  /** Kept while deleted: an undelete brings it back. */
  readonly caption: string
  /** Sorted. */
  readonly tags: readonly string[]
}

export type Action =
  | { readonly kind: 'edit'; readonly caption: string }
  | { readonly kind: 'tag'; readonly add: readonly string[]; readonly remove: readonly string[] }
  | { readonly kind: 'delete' | 'undelete' | 'look' | 'fetch' }

/** What the client was told: `done`, `gone` (410), `bytes gone` (an undelete too late), `live` (bytes came), or what a look showed. */
export type Verdict = string

export class HistoryError extends Error {
  override readonly name = 'HistoryError'
}

export function shown(caption: string, tags: readonly string[]): Verdict {
  return `caption ${JSON.stringify(caption)} tags ${[...tags].sort().join(' ')}`
}

/** A state that the photo may be in, and the operations that are still out but have taken effect in it. */
interface Possibility {
  readonly state: PhotoState
  readonly taken: ReadonlyMap<number, Verdict>
}

const TRACE_LINES_MAX = 60

/** All that happened to one photo since its upload was acknowledged or its existence was seen. */
export class PhotoHistory {
  #possible: readonly Possibility[]
  readonly #out = new Map<number, Action>()
  readonly #trace: string[] = []
  #operationCount = 0
  readonly #bytesMayGo: () => boolean

  /** @param bytesMayGo - whether an undelete may find the bytes compacted away by now */
  constructor(born: PhotoState, bytesMayGo: () => boolean) {
    this.#possible = [{ state: born, taken: new Map() }]
    this.#bytesMayGo = bytesMayGo
  }

  /** A client has called; the operation may take effect from now on. @returns its number, for the calls below */
  begin(action: Action): number {
    const operation = this.#operationCount++
    this.#out.set(operation, action)
    this.#note(`${operation} begins: ${JSON.stringify(action)}`)
    return operation
  }

  /** The answer came. @throws {@link HistoryError} when nothing that may have happened explains it */
  end(operation: number, verdict: Verdict): void {
    this.#note(`${operation} ends: ${verdict}`)
    this.#keep(this.#explore().filter(({ taken }) => taken.get(operation) === verdict))
    this.#settle(operation)
  }

  /** The operation certainly had no effect (the node refused it or never saw it). @throws {@link HistoryError} */
  refuse(operation: number): void {
    this.#note(`${operation} was refused`)
    this.#keep(this.#possible.filter(({ taken }) => !taken.has(operation)))
    this.#settle(operation)
  }

  /** The process died: what is out has taken effect by now or never will. */
  crash(): void {
    this.#note('crash')
    this.#possible = unique(this.#explore().map(({ state }) => ({ state, taken: new Map() })))
    this.#out.clear()
  }

  /** @throws {@link HistoryError} unless the photo may look so now; afterwards it does */
  observe(action: Action, verdict: Verdict): void {
    this.end(this.begin(action), verdict)
  }

  /** @returns whether the photo may be live (deleted) now */
  maybe(deleted: boolean): boolean {
    return this.#explore().some(({ state }) => state.deleted === deleted)
  }

  get operationsOut(): number {
    return this.#out.size
  }

  /** All possibilities that taking any of the operations that are out leads to, in any order, the present ones included. */
  #explore(): readonly Possibility[] {
    const found = new Map(this.#possible.map(one => [identity(one), one]))
    // a Map's iteration goes on through entries that are added meanwhile
    for (const { state, taken } of found.values()) {
      for (const [operation, action] of this.#out) {
        if (taken.has(operation)) continue
        for (const [verdict, after] of outcomes(state, action, this.#bytesMayGo())) {
          const next = { state: after, taken: new Map(taken).set(operation, verdict) }
          if (!found.has(identity(next))) found.set(identity(next), next)
        }
      }
    }
    return [...found.values()]
  }

  #keep(possible: readonly Possibility[]): void {
    if (possible.length === 0) {
      const states = this.#possible.map(({ state }) => JSON.stringify(state)).join(' or ')
      throw new HistoryError(
        `nothing explains the last line; before it the photo was ${states}\n${this.#trace.join('\n')}`
      )
    }
    this.#possible = possible
  }

  #settle(operation: number): void {
    this.#out.delete(operation)
    this.#possible = unique(
      this.#possible.map(({ state, taken }) => ({
        state,
        taken: new Map([...taken].filter(([other]) => other !== operation))
      }))
    )
  }

  #note(line: string): void {
    this.#trace.push(line)
    if (this.#trace.length > TRACE_LINES_MAX) this.#trace.shift()
  }
}

/** @returns each answer that a correct node may give in `state`, with the state after it */
function outcomes(state: PhotoState, action: Action, bytesMayGo: boolean): readonly (readonly [Verdict, PhotoState])[] {
  switch (action.kind) {
    case 'look':
      return [[state.deleted ? 'gone' : shown(state.caption, state.tags), state]]
    case 'fetch':
      return [[state.deleted ? 'gone' : 'live', state]]
    case 'delete':
      return [['done', { ...state, deleted: true }]]
    case 'undelete':
      return [
        ['done', { ...state, deleted: false }],
        ...(state.deleted && bytesMayGo ? [['bytes gone', state] as const] : [])
      ]
    case 'edit':
      return state.deleted ? [['gone', state]] : [['done', { ...state, caption: action.caption }]]
    case 'tag': {
      if (state.deleted) return [['gone', state]]
      const kept = state.tags.filter(tag => !action.remove.includes(tag) && !action.add.includes(tag))
      return [['done', { ...state, tags: [...kept, ...action.add].sort() }]]
    }
  }
}

function identity({ state, taken }: Possibility): string {
  return JSON.stringify([state, [...taken].sort(([a], [b]) => a - b)])
}

function unique(possible: readonly Possibility[]): readonly Possibility[] {
  return [...new Map(possible.map(one => [identity(one), one])).values()]
}
