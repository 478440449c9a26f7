import type { TextStorage } from './session.js'

/** A caption that was typed and is not saved yet. */
export interface Draft {
  readonly text: string
  /** The caption that it is to replace. */
  readonly seen: string
  /** The user's id; empty: there are no accounts. */
  readonly by: string
}

const KEY = 'sheaf.drafts'
const DRAFTS_MAX = 20
const CHARACTERS_MAX = 2_000

/** Captions that are not saved yet, in the browser: they are still there when the tab, the browser or the node is gone meanwhile. */
export class Drafts {
  readonly #storage: TextStorage

  constructor(storage: TextStorage) {
    this.#storage = storage
  }

  /**
   * @param id - of the photo
   * @param by - who is here: nobody's but his own
   */
  get(id: string, by: string): Draft | undefined {
    const draft = this.#read().get(id)
    return draft?.by === by ? draft : undefined
  }

  /** Of more than so many the one that was typed into least recently is forgotten. */
  keep(id: string, draft: Draft): void {
    const drafts = this.#read()
    drafts.delete(id)
    drafts.set(id, draft)
    this.#write([...drafts].slice(-DRAFTS_MAX))
  }

  drop(id: string): void {
    const drafts = this.#read()
    if (drafts.delete(id)) this.#write([...drafts])
  }

  /** Other programs write there, too. */
  #read(): Map<string, Draft> {
    const drafts = new Map<string, Draft>()
    try {
      const kept: unknown = JSON.parse(this.#storage.getItem(KEY) ?? '[]')
      if (!Array.isArray(kept)) return drafts
      for (const entry of kept.slice(-DRAFTS_MAX)) {
        const [id, draft] = Array.isArray(entry) ? (entry as unknown[]) : []
        const { text, seen, by } = Object(draft) as Record<string, unknown>
        if (typeof id === 'string' && isText(text) && isText(seen) && isText(by)) drafts.set(id, { text, seen, by })
      }
    } catch {
      // what cannot be read is none
    }
    return drafts
  }

  #write(drafts: readonly (readonly [string, Draft])[]): void {
    try {
      this.#storage.setItem(KEY, JSON.stringify(drafts))
    } catch {
      // a browser without room for it still saves what is typed when the box is left
    }
  }
}

function isText(text: unknown): text is string {
  return typeof text === 'string' && text.length <= CHARACTERS_MAX
}
