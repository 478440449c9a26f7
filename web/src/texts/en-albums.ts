/** What the page says of albums; loaded with them. */
export const words = {
  empty: 'No albums yet.',
  create: 'New album',
  createIn: 'New album in this one',
  created: (name: string): string => `“${name}” is made`,
  inside: 'Albums in this one',
  title: 'Title',
  rename: 'Rename',
  share: 'Share',
  move: 'Move into an album',
  inherits: 'Whoever sees that album sees this one, too',
  nowhere: 'Into none',
  noPlace: 'There is no other album yet.',
  moved: (name: string, path: string): string => `“${name}” is in “${path}” now`,
  movedOut: (name: string): string => `“${name}” is in no other album now`,
  closed: 'not open to whoever sees that',
  delete: 'Delete album',
  deleted: (name: string): string => `Album “${name}” deleted. Its photos are still there.`,
  confirmDelete: (name: string): string => `Delete the album “${name}”? Its photos stay, and so do albums in it.`
}
