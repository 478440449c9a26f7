import { type ReadonlySignal, type Signal, signal } from '@preact/signals'
import type { Api } from '../api/client.js'
import type { Timers } from '../browser/timers.js'
import type { PickedFile } from './dropped-files.js'
import { Hasher } from './hasher.js'
import { type Present, type UploadItem, UploadQueue } from './queue.js'
import { sendFile } from './send.js'

export interface UploadsComponents {
  readonly api: Api
  readonly timers: Timers
  /** Whether the node is out of reach. */
  readonly isLost: ReadonlySignal<boolean>
}

export interface UploadTotals {
  readonly files: number
  readonly finished: number
  readonly done: number
  readonly there: number
  readonly failed: number
  /** Of all that is to be sent or was, bytes. */
  readonly bytes: number
  readonly sentBytes: number
  /** Over the last seconds; undefined: not known yet. */
  readonly bytesPerS: number | undefined
}

/** The list is drawn anew so often at most. */
const DRAW_MS = 100
/** Speed is told over so long. */
const SPEED_MS = 5_000

/** The uploads of this page: the queue, with the browser behind it. */
export class Uploads {
  readonly items: Signal<readonly UploadItem<PickedFile>[]> = signal([])
  readonly totals: Signal<UploadTotals> = signal(totalsOf([], undefined))
  readonly isPaused: Signal<boolean> = signal(false)
  readonly isBusy: Signal<boolean> = signal(false)
  /** Files of photos that were uploaded by this page, so that they can be shown at once. By id. */
  readonly previews = new Map<string, File>()
  readonly #queue: UploadQueue<PickedFile>
  readonly #timers: Timers
  readonly #hasher = new Hasher()
  #cancelDraw: (() => void) | undefined
  #samples: { readonly at: number; readonly bytes: number }[] = []

  constructor({ api, timers, isLost }: UploadsComponents) {
    this.#timers = timers
    this.#queue = new UploadQueue<PickedFile>({
      hash: (file, signal) => this.#hasher.hash(file.blob, signal),
      exists: async digests => {
        const { sha256 } = await api.post('/v1/photos/exists', { sha256: [...digests] })
        return new Map(Object.entries(sha256).map(([digest, it]): [string, Present] => [digest, presentOf(it)]))
      },
      send: sendFile,
      wait: (ms, signal) => this.#wait(ms, signal),
      newKey: randomKey,
      onChange: () => this.#changed()
    })
    // a node that is back is not kept waiting for
    isLost.subscribe(isGone => {
      if (!isGone) for (const wake of this.#sleepers) wake()
    })
    window.addEventListener('beforeunload', event => {
      if (this.#queue.isBusy) event.preventDefault()
    })
  }

  add(files: readonly PickedFile[]): void {
    if (files.length > 0) this.#queue.add(files)
  }

  pause(): void {
    this.#queue.pause()
  }

  resume(): void {
    this.#queue.resume()
  }

  retry(): void {
    this.#queue.retry()
  }

  clear(): void {
    this.#queue.clear()
  }

  readonly #sleepers = new Set<() => void>()

  #wait(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      const wake = (): void => {
        cancel()
        signal.removeEventListener('abort', wake)
        this.#sleepers.delete(wake)
        resolve()
      }
      const cancel = this.#timers.after(ms, wake)
      signal.addEventListener('abort', wake)
      this.#sleepers.add(wake)
    })
  }

  #changed(): void {
    this.#cancelDraw ??= this.#timers.after(DRAW_MS, () => {
      this.#cancelDraw = undefined
      const { items, isPaused, isBusy } = this.#queue
      for (const { state, photoId, file } of items)
        if (state === 'done' && photoId !== undefined && file.blob.type.startsWith('image/'))
          this.previews.set(photoId, file.blob)
      this.items.value = items
      this.totals.value = totalsOf(items, isBusy && !isPaused ? this.#speed(items) : undefined)
      this.isPaused.value = isPaused
      this.isBusy.value = isBusy
    })
  }

  #speed(items: readonly UploadItem[]): number | undefined {
    const at = this.#timers.now()
    this.#samples.push({ at, bytes: items.reduce((sum, it) => sum + it.sent, 0) })
    this.#samples = this.#samples.filter(it => it.at > at - SPEED_MS)
    const first = this.#samples[0]
    const last = this.#samples.at(-1)
    if (first === undefined || last === undefined || last.at - first.at < 500 || last.bytes < first.bytes)
      return undefined
    return ((last.bytes - first.bytes) / (last.at - first.at)) * 1_000
  }
}

function presentOf({ photo_id, state }: { readonly photo_id: string; readonly state: 'live' | 'trashed' }): Present {
  return { photoId: photo_id, state }
}

function totalsOf(items: readonly UploadItem[], bytesPerS: number | undefined): UploadTotals {
  const count = (...states: readonly UploadItem['state'][]): number =>
    items.filter(it => states.includes(it.state)).length
  const sent = items.filter(it => it.state !== 'there' && it.state !== 'trashed' && it.state !== 'failed')
  return {
    files: items.length,
    finished: count('done', 'there', 'trashed', 'failed'),
    done: count('done'),
    there: count('there', 'trashed'),
    failed: count('failed'),
    bytes: sent.reduce((sum, it) => sum + it.file.size, 0),
    sentBytes: sent.reduce((sum, it) => sum + Math.min(it.sent, it.file.size), 0),
    bytesPerS
  }
}

/** Not `randomUUID`: a page that came by plain HTTP from another machine lacks it. */
function randomKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return `page-${Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')}`
}
