import { type Signal, signal } from '@preact/signals'
import type { Timers } from '../browser/timers.js'

/** Of what is on the page, something may be otherwise. */
const CHANGES = [
  'photo.uploaded',
  'photo.updated',
  'photo.deleted',
  'photos.changed',
  'member.up',
  'member.down',
  'repair.done',
  'reset'
] as const

const PROGRESS = ['job', 'index'] as const
type Progress = (typeof PROGRESS)[number]

/** The part of an EventSource that is used. */
export interface EventStream {
  readonly readyState: number
  addEventListener(name: string, listener: () => void): void
  close(): void
}

export interface LiveComponents {
  readonly timers: Timers
  readonly open: () => EventStream
  /** @returns whether the node answers anything at all: it may have too many followers */
  readonly answers: () => Promise<boolean>
  /** The node does not let it follow; default: it is tried again, and that is all. */
  readonly onRefused?: () => void
}

const CLOSED = 2
/** A node that restarts is away for a moment: no reason to alarm anybody. */
const LOST_AFTER_MS = 1_000
const AGAIN_MS = 2_000
/** Many uploads are as many events: the page reads anew once for all of them. */
const BURST_MS = 400

/** Follows what happens in the cluster, and notices when the node is gone. */
export class Live {
  /** Whether the node has been out of reach for a while. */
  readonly isLost: Signal<boolean> = signal(false)
  readonly #components: LiveComponents
  readonly #listeners = new Set<() => void>()
  readonly #progressListeners = new Map<Progress, Set<() => void>>()
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

  /** Called when a job of the node, or its index, has gone on. @returns a function that ends it */
  onProgress(of: Progress, listener: () => void): () => void {
    const listeners = this.#progressListeners.get(of) ?? new Set()
    this.#progressListeners.set(of, listeners.add(listener))
    return () => listeners.delete(listener)
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
      if (stream.readyState !== CLOSED) return
      this.#restart()
      this.#components.onRefused?.()
    })
    for (const name of CHANGES) stream.addEventListener(name, () => this.#changed())
    for (const of of PROGRESS)
      stream.addEventListener(`${of}.progress`, () => {
        for (const listener of this.#progressListeners.get(of) ?? []) listener()
      })
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
    } else this.#cancelAlarm ??= this.#components.timers.after(LOST_AFTER_MS, () => void this.#alarm())
  }

  async #alarm(): Promise<void> {
    const mine = this.#cancelAlarm
    const answers = await this.#components.answers()
    if (this.#cancelAlarm !== mine) return // an answer has come meanwhile
    this.#cancelAlarm = undefined
    this.isLost.value = !answers
  }

  #restart(): void {
    this.#stream?.close()
    this.#stream = undefined
    this.#cancelAgain?.()
    this.#cancelAgain = this.#components.timers.after(AGAIN_MS, () => this.start())
  }

  #changed(): void {
    this.#cancelBurst ??= this.#components.timers.after(BURST_MS, () => {
      this.#cancelBurst = undefined
      for (const listener of this.#listeners) listener()
    })
  }
}
