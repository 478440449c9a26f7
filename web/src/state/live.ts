import { type Signal, signal } from '@preact/signals'
import type { Timers } from '../browser/timers.js'

export const EVENT_NAMES = [
  'photo.uploaded',
  'photo.updated',
  'photo.deleted',
  'member.up',
  'member.down',
  'repair.done'
] as const
export type EventName = (typeof EVENT_NAMES)[number]

export interface LiveEvent {
  readonly name: EventName
  readonly photoId: string | undefined
  readonly nodeId: string | undefined
  /** RFC 3339. */
  readonly at: string
}

/** The part of an EventSource that is used. */
export interface EventStream {
  readonly readyState: number
  addEventListener(name: string, listener: (event: { readonly data?: unknown }) => void): void
  close(): void
}

export interface LiveComponents {
  readonly timers: Timers
  readonly open: () => EventStream
}

const CLOSED = 2
/** A node that restarts is away for a moment: no reason to alarm anybody. */
const LOST_AFTER_MS = 1_500
const AGAIN_MS = 2_000
/** Many uploads are as many events: the page reads anew once for all of them. */
const BURST_MS = 400
const EVENTS_KEPT = 50

/** Follows what happens in the cluster, and notices when the node is gone. */
export class Live {
  /** Whether the node has been out of reach for a while. */
  readonly isLost: Signal<boolean> = signal(false)
  /** Newest first. */
  readonly events: Signal<readonly LiveEvent[]> = signal([])
  readonly #components: LiveComponents
  readonly #listeners = new Set<() => void>()
  #stream: EventStream | undefined
  #cancelAlarm: (() => void) | undefined
  #cancelAgain: (() => void) | undefined
  #cancelBurst: (() => void) | undefined

  constructor(components: LiveComponents) {
    this.#components = components
  }

  /** Called when something may have changed. @returns a function that ends it */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Begins to follow; whoever followed before reads anew. */
  start(): void {
    if (this.#stream !== undefined) return
    const stream = this.#components.open()
    this.#stream = stream
    const isMine = (): boolean => this.#stream === stream
    stream.addEventListener('open', () => {
      if (!isMine()) return
      this.reached(true)
      this.#changed()
    })
    stream.addEventListener('error', () => {
      if (!isMine()) return
      this.reached(false)
      if (stream.readyState === CLOSED) this.#restart()
    })
    stream.addEventListener('reset', () => this.#changed())
    for (const name of EVENT_NAMES) stream.addEventListener(name, ({ data }) => this.#happened(name, String(data)))
  }

  /** A hidden page lets go of its connection: a browser has six for all its tabs. */
  stop(): void {
    this.#stream?.close()
    this.#stream = undefined
    for (const cancel of [this.#cancelAlarm, this.#cancelAgain, this.#cancelBurst]) cancel?.()
    this.#cancelAlarm = undefined
    this.#cancelAgain = undefined
    this.#cancelBurst = undefined
  }

  /** Somebody has asked the node, and got an answer or none. */
  reached(isReached: boolean): void {
    if (isReached) {
      this.#cancelAlarm?.()
      this.#cancelAlarm = undefined
      this.isLost.value = false
    } else
      this.#cancelAlarm ??= this.#components.timers.after(LOST_AFTER_MS, () => {
        this.isLost.value = true
      })
  }

  #restart(): void {
    this.#stream?.close()
    this.#stream = undefined
    this.#cancelAgain?.()
    this.#cancelAgain = this.#components.timers.after(AGAIN_MS, () => this.start())
  }

  #happened(name: EventName, data: string): void {
    try {
      const { photo_id, node_id, at } = JSON.parse(data) as Readonly<Record<string, unknown>>
      const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)
      const event = { name, photoId: text(photo_id), nodeId: text(node_id), at: text(at) ?? '' }
      this.events.value = [event, ...this.events.value].slice(0, EVENTS_KEPT)
    } catch {
      return // not of this interface
    }
    this.#changed()
  }

  #changed(): void {
    this.#cancelBurst ??= this.#components.timers.after(BURST_MS, () => {
      this.#cancelBurst = undefined
      for (const listener of this.#listeners) listener()
    })
  }
}
