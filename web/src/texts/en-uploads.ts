import { duration, files, size, t } from './en.js'

/** What the list of uploads says; loaded with it. */
export const words = {
  title: 'Uploads',
  waiting: 'waiting',
  hashing: 'reading',
  checking: 'waiting',
  sending: 'sending',
  done: 'uploaded',
  there: 'is there already',
  trashed: 'is in the trash',
  restored: 'restored',
  restore: 'Restore',
  inTrash: (n: number): string =>
    n === 1
      ? '1 is in the trash, so it was not uploaded.'
      : `${t.number(n)} are in the trash, so they were not uploaded.`,
  failed: 'failed',
  paused: 'Paused',
  pause: 'Pause',
  resume: 'Go on',
  retry: 'Try the failed ones again',
  clear: 'Close the list',
  hide: 'Fold the list',
  show: 'Unfold the list',
  progress: (done: number, total: number): string => `${t.number(done)} of ${files(total)}`,
  speed: (bytesPerS: number): string => `${size(bytesPerS)}/s`,
  left: (seconds: number): string => `${duration(seconds)} left`,
  summary: (n: Readonly<Record<'done' | 'there' | 'trashed' | 'restored' | 'failed', number>>): string =>
    [
      `${t.number(n.done)} uploaded`,
      ...(n.there > 0 ? [`${t.number(n.there)} there already`] : []),
      ...(n.restored > 0 ? [`${t.number(n.restored)} restored`] : []),
      ...(n.trashed > 0 ? [`${t.number(n.trashed)} in the trash`] : []),
      ...(n.failed > 0 ? [`${t.number(n.failed)} refused`] : [])
    ].join(', '),
  empty: 'the file is empty',
  junk: 'programs leave such files in folders',
  noMedia: 'neither a photo nor a film',
  unreadable: 'the browser cannot read the file; it may have been moved or changed',
  progressLabel: 'Progress of the uploads'
}
