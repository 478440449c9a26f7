import { FINISHED, type UploadItem, type UploadState } from './queue.js'

/** What a round of uploads has come to. */
export interface UploadTotals {
  readonly files: number
  readonly finished: number
  readonly done: number
  readonly there: number
  readonly trashed: number
  readonly restored: number
  readonly failed: number
  /** Of all that is to be sent or was, bytes. */
  readonly bytes: number
  readonly sentBytes: number
  /** Over the last seconds; undefined: not known yet. */
  readonly bytesPerS: number | undefined
  /** Until all is sent; undefined: nobody can tell yet. */
  readonly leftS: number | undefined
}

export interface Pace {
  readonly bytesPerS: number | undefined
  /** Since this round began or went on. */
  readonly busyMs: number
}

/** Before, a speed says little. */
const SOUND_MS = 3_000
/** Before, most of what is listed may be there already, which takes no time. */
const SOUND_FILES = 5
const NOT_SENT: ReadonlySet<UploadState> = new Set(['there', 'trashed', 'restored', 'failed'])

export function totalsOf(items: readonly UploadItem[], { bytesPerS, busyMs }: Pace): UploadTotals {
  const count = (state: UploadState): number => items.filter(it => it.state === state).length
  const sent = items.filter(it => !NOT_SENT.has(it.state))
  const bytes = sent.reduce((sum, it) => sum + it.file.size, 0)
  const sentBytes = sent.reduce((sum, it) => sum + Math.min(it.sent, it.file.size), 0)
  const finished = items.filter(it => FINISHED.has(it.state)).length
  const isRead = items.every(({ state }) => state !== 'waiting' && state !== 'hashing')
  const isSound = busyMs >= SOUND_MS && (finished >= SOUND_FILES || isRead)
  return {
    files: items.length,
    finished,
    done: count('done'),
    there: count('there'),
    trashed: count('trashed'),
    restored: count('restored'),
    failed: count('failed'),
    bytes,
    sentBytes,
    bytesPerS,
    leftS: isSound && bytesPerS !== undefined && bytesPerS > 0 ? (bytes - sentBytes) / bytesPerS : undefined
  }
}
