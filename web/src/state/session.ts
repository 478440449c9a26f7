import { batch, type Signal, signal } from '@preact/signals'
import type { SessionAnswer } from '../api/client.js'
import type { Timers } from '../browser/timers.js'

/** Another node that has the page, too. */
export interface OtherNode {
  readonly id: string
  readonly name: string
  /** At least one. */
  readonly http: readonly string[]
}

export type User = NonNullable<SessionAnswer['user']>
/** Whether the page may ask for photos: not known yet; yes; not before somebody logs in. */
export type Access = 'asking' | 'in' | 'out'

/** The part of a Storage that is used. */
export interface TextStorage {
  getItem(key: string): string | null
  setItem(key: string, text: string): void
}

export interface SessionComponents {
  /** @throws when the node does not answer */
  readonly ask: () => Promise<SessionAnswer>
  readonly storage: TextStorage
  /** Somebody else is logged in than before: nothing of what the page holds is his. */
  readonly onOther?: () => void
  readonly timers: Pick<Timers, 'now'>
}

const KEY = 'sheaf.nodes'
const NODES_MAX = 32
const HTTP_MAX = 4
const CHARACTERS_MAX = 256
/** It is asked anew no more often. */
const FRESH_MS = 5_000

/** What the page may do here, and where else it is. The latter is kept for when this node is gone, also over a reload. */
export class Session {
  readonly can: Signal<ReadonlySet<string>> = signal(new Set())
  /** For people; empty: not known. */
  readonly name: Signal<string> = signal('')
  readonly others: Signal<readonly OtherNode[]> = signal([])
  readonly access: Signal<Access> = signal('asking')
  /** Who is logged in; undefined: nobody, or nobody has to. */
  readonly user: Signal<User | undefined> = signal(undefined)
  /** Whether nobody is logged in, and links are open in this browser. */
  readonly isGuest: Signal<boolean> = signal(false)
  /** Whether anybody may make an account for himself here. */
  readonly maySignUp: Signal<boolean> = signal(false)
  readonly #components: SessionComponents
  #askedAt = Number.NEGATIVE_INFINITY
  /** Who was logged in last on this page. */
  #lastUser: string | undefined

  constructor(components: SessionComponents) {
    this.#components = components
    const { name, nodes } = keptIn(components.storage)
    this.name.value = name
    this.others.value = nodes
  }

  /** To be called whenever something may have changed. */
  async load(): Promise<void> {
    const { ask, timers } = this.#components
    if (timers.now() - this.#askedAt < FRESH_MS) return
    this.#askedAt = timers.now()
    try {
      this.take(await ask())
    } catch {
      this.#askedAt = Number.NEGATIVE_INFINITY // what was known last stays
      // whatever is asked next says what is wrong
      if (this.access.peek() === 'asking') this.access.value = 'in'
    }
  }

  /** Asks now, however fresh the last answer is. */
  async reload(): Promise<void> {
    this.#askedAt = Number.NEGATIVE_INFINITY
    await this.load()
  }

  take({ user, accounts, can, node, nodes, signup }: SessionAnswer): void {
    const userId = user?.user_id
    if (userId !== undefined && this.#lastUser !== undefined && userId !== this.#lastUser) {
      this.#components.onOther?.()
      return
    }
    this.#lastUser = userId ?? this.#lastUser
    batch(() => {
      this.can.value = new Set(can)
      if (!isSame(this.user.peek(), user ?? undefined)) this.user.value = user ?? undefined
      const isNobody = accounts && user === null
      this.isGuest.value = isNobody && can.length > 0
      this.access.value = isNobody && can.length === 0 ? 'out' : 'in'
      this.name.value = node.name
      this.maySignUp.value = signup === 'open'
      // whom nobody knows is not told where the others are: what was known stays
      if (this.access.peek() === 'in') this.others.value = nodesIn(nodes)
    })
    this.#components.storage.setItem(KEY, JSON.stringify({ name: node.name, nodes: this.others.value }))
  }

  /** The node wants to know who asks. */
  end(): void {
    this.access.value = 'out'
  }
}

/** @returns where the same place is at that node; `here` is the address of this page */
export function samePlaceAt({ http }: OtherNode, here: { readonly protocol: string; readonly hash: string }): string {
  const origin = http.find(it => it.startsWith(`${here.protocol}//`)) ?? http[0] ?? ''
  return `${origin}/${here.hash}`
}

function isSame(a: User | undefined, b: User | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

function keptIn(storage: TextStorage): { readonly name: string; readonly nodes: readonly OtherNode[] } {
  try {
    const { name, nodes } = JSON.parse(storage.getItem(KEY) ?? '{}') as Record<string, unknown>
    return { name: typeof name === 'string' ? name.slice(0, CHARACTERS_MAX) : '', nodes: nodesIn(nodes) }
  } catch {
    return { name: '', nodes: [] }
  }
}

/** Links are made of it, so nothing but origins is taken, wherever it comes from. */
function nodesIn(value: unknown): OtherNode[] {
  if (!Array.isArray(value)) return []
  return value.slice(0, NODES_MAX).flatMap((node: unknown) => {
    const { id, name, http } = Object(node) as Record<string, unknown>
    if (typeof id !== 'string' || typeof name !== 'string' || !Array.isArray(http)) return []
    const origins = http.slice(0, HTTP_MAX).filter(isOrigin)
    return origins.length === 0
      ? []
      : [{ id: id.slice(0, CHARACTERS_MAX), name: name.slice(0, CHARACTERS_MAX), http: origins }]
  })
}

function isOrigin(text: unknown): text is string {
  return typeof text === 'string' && /^https?:\/\//.test(text) && URL.canParse(text) && new URL(text).origin === text
}
