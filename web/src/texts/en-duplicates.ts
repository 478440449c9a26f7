import { count, files, photos, t } from './en.js'

/** What the page of duplicates says; loaded with it. */
export const words = {
  hint: 'Photos that are there more than once. What you have said of a copy, its albums, tags, stars and caption, goes to the one that stays; then the copy goes to the trash.',
  tiers: 'How alike',
  tier: { exact: 'Identical', near: 'Near copies', similar: 'Similar' },
  about: {
    exact: 'The same file, byte by byte.',
    near: 'The same picture, in another size or format, or edited.',
    similar: 'Other pictures that look alike, such as those of a series.'
  },
  none: {
    exact: 'No two photos are the same file.',
    near: 'No near copies found.',
    similar: 'No similar photos found.'
  },
  group: {
    exact: (n: number): string => `${t.number(n)} identical photos`,
    near: (n: number): string => `${t.number(n)} near copies`,
    similar: (n: number): string => `${t.number(n)} similar photos`
  },
  alike: (score: number): string => `${t.percent(Math.floor(score * 100) / 100)} alike`,
  partial: (fraction: number): string =>
    `${t.percent(fraction)} of the index of pictures is in reach: there may be more copies than these.`,
  noModel:
    'Only identical photos are found: for others, a model has to look at them, which is not there yet. Sheaf downloads it by itself unless it was started with --model none.',
  pending: (n: number): string => `${photos(n)} still to be looked at: more copies may be found.`,
  all: (groups: number, copies: number): string => `${photos(groups)} with ${count(copies, 'copy', 'copies')}`,
  allHint: (copies: number): string =>
    `Keeps one of each, gives it all that was said of its copies, and moves ${count(copies, 'copy', 'copies')} to the trash. They are the same bytes, so no picture is lost.`,
  keepOneOfEach: 'Keep one of each',
  stop: 'Stop',
  progress: (done: number, total: number): string => `${t.number(done)} of ${t.number(total)}`,
  merge: (n: number): string => `Keep one, delete ${t.number(n)}`,
  keepAll: 'Keep all',
  keepThis: 'Keep this',
  kept: 'Stays',
  notThis: 'No duplicate',
  ofPhoto: (action: string, name: string): string => `${action}: ${name}`,
  moreCopies: (n: number): string => `and ${t.number(n)} more`,
  tooMany: (max: number): string => `At most ${photos(max)} can be told apart at once.`,
  facts: {
    name: 'Name',
    taken: 'Taken',
    pixels: 'Pixels',
    size: 'Size',
    type: 'Format',
    added: 'Added',
    source: 'Folder'
  },
  differs: 'differs',
  said: 'Said of it',
  archived: 'Archived',
  beside: (n: number): string => `${files(n)} beside it`,
  merged: (n: number): string => `${count(n, 'copy', 'copies')} moved to the trash`,
  keptAll: 'All are kept, and are no duplicates any more',
  apart: 'Is no duplicate any more',
  undone: 'Undone'
}
