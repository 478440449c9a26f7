import { count, photos, t } from './en.js'

/** What the trash says; loaded with it. */
export const words = {
  empty: 'The trash is empty.',
  hint: (days: number): string =>
    `Deleted photos are kept here for ${count(days, 'day', 'days')}, then they are gone from every machine. Until then only a blur of them is shown.`,
  restore: 'Restore',
  select: 'Select',
  selectAll: 'Select all',
  restoreSelected: (n: number): string => (n === 0 ? 'Restore selected' : `Restore selected (${t.number(n)})`),
  taken: (time: string): string => `taken ${time}`,
  added: (time: string): string => `added ${time}`,
  deleted: (time: string): string => `deleted ${t.day(time)}`,
  until: (time: string): string => `can be restored until ${t.day(time)}`,
  gone: 'cannot be restored any more',
  emptyIt: 'Empty the trash',
  emptyHint: 'All of it goes from every machine, a day from now.',
  emptied: (n: number): string => `${photos(n)} let go`
}
