import { type ReadonlySignal, type Signal, signal } from '@preact/signals'
import { type Api, endsSession } from '../api/client.js'
import type { Timers } from '../browser/timers.js'
import { restorePhotos } from '../state/edits.js'
import type { PickedFile } from './dropped-files.js'
import { Hasher } from './hasher.js'
import { type Present, type UploadItem, UploadQueue } from './queue.js'
import { sendFile } from './send.js'
import { type Pace, totalsOf, type UploadTotals } from './totals.js'

export interface UploadsComponents {
  readonly api: Api
  readonly timers: Timers
  /** Whether the node is out of reach. */
  readonly isLost: ReadonlySignal<boolean>
  /** The node wants to know who sends. */
  readonly onSessionEnd: () => void
}

/** The list is drawn anew so often at most. */
const DRAW_MS = 100
/** Speed is told over so long. */
const SPEED_MS = 5_000
const IDLE: Pace = { bytesPerS: undefined, busyMs: 0 }

/** The uploads of this page: the queue, with the browser behind it. */
export class Uploads {
  readonly items: Signal<readonly UploadItem<PickedFile>[]> = signal([])
  readonly totals: Signal<UploadTotals> = signal(totalsOf([], IDLE))
  readonly isPaused: Signal<boolean> = signal(false)
  readonly isBusy: Signal<boolean> = signal(false)
  /** Files of photos that were uploaded by this page, so that they can be shown at once. By id. */
  readonly previews = new Map<string, File>()
  /** Album that what is added is put into. */
  into: string | undefined
  readonly #queue: UploadQueue<PickedFile>
  readonly #timers: Timers
  readonly #hasher = new Hasher()
  #isHeld = false
  #isGivenUp = false
  #cancelDraw: (() => void) | undefined
  #busySince: number | undefined
  #samples: { readonly at: number; readonly bytes: number }[] = []

  constructor({ api, timers, isLost, onSessionEnd }: UploadsComponents) {
    this.#timers = timers
    this.#queue = new UploadQueue<PickedFile>({
      hash: (file, signal) => this.#hasher.hash(file.blob, signal),
      exists: async digests => {
        const { sha256 } = await api.post('/v1/photos/exists', { sha256: [...digests] })
        return new Map(Object.entries(sha256).map(([digest, it]): [string, Present] => [digest, presentOf(it)]))
      },
      send: async (file, options) => {
        const sent = await sendFile(file, options)
        if ('error' in sent && endsSession(sent.error)) onSessionEnd()
        return sent
      },
      restore: async ids => (await restorePhotos(api, ids)).done,
      wait: (ms, signal) => this.#wait(ms, signal),
      newKey: randomKey,
      onChange: () => this.#changed()
    })
    // a node that is back is not kept waiting for
    isLost.subscribe(isGone => {
      if (!isGone) for (const wake of this.#sleepers) wake()
    })
    window.addEventListener('beforeunload', event => {
      if (this.#queue.isBusy && !this.#isGivenUp) event.preventDefault()
    })
  }

  add(files: readonly PickedFile[]): void {
    const { into } = this
    if (files.length > 0) this.#queue.add(into === undefined ? files : files.map(file => ({ ...file, album: into })))
  }

  pause(): void {
    this.#queue.pause()
  }

  resume(): void {
    this.#queue.resume()
  }

  /** Nothing is sent before {@link release}; a pause that a person wants stays one. */
  hold(): void {
    if (this.#isHeld || this.#queue.isPaused) return
    this.#isHeld = true
    this.#queue.pause()
  }

  release(): void {
    if (!this.#isHeld) return
    this.#isHeld = false
    this.#queue.resume()
  }

  /** What is still to be sent never is, and nobody is asked whether to leave the page. */
  giveUp(): void {
    this.#isGivenUp = true
    this.#queue.pause()
  }

  retry(): void {
    this.#queue.retry()
  }

  /** Takes out of the trash what was found there. @throws {@link ApiError} */
  async restore(): Promise<void> {
    await this.#queue.restore()
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
      this.totals.value = totalsOf(items, this.#pace(items, isBusy && !isPaused))
      this.isPaused.value = isPaused
      this.isBusy.value = isBusy
    })
  }

  #pace(items: readonly UploadItem[], isSending: boolean): Pace {
    if (!isSending) {
      this.#busySince = undefined
      this.#samples = []
      return IDLE
    }
    const now = this.#timers.now()
    this.#busySince ??= now
    return { bytesPerS: this.#speed(items, now), busyMs: now - this.#busySince }
  }

  #speed(items: readonly UploadItem[], at: number): number | undefined {
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

/** Not `randomUUID`: a page that came by plain HTTP from another machine lacks it. */
function randomKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return `page-${Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')}`
}
