import { t } from './en.js'

/** What the page says of groups of people; loaded with accounts. */
export const words = {
  groups: 'Groups',
  hint: 'An album can be shared with a group as with one person: whoever comes into it sees all that the group sees.',
  none: 'You are in no group.',
  create: 'Make a group',
  name: 'Name of the group',
  created: (name: string): string => `“${name}” is made`,
  renamed: (name: string): string => `It is called “${name}” now`,
  people: (count: number): string => (count === 1 ? '1 person' : `${count} people`),
  show: 'People',
  of: (act: string, name: string): string => `${act}: ${name}`,
  roles: { none: '', member: 'Member', manager: 'Also says who is in it', owner: 'Owner' },
  roleOf: (name: string): string => `Role of ${name}`,
  unknown: 'Somebody this machine has not heard of yet',
  add: 'Add',
  whom: 'Name of an account',
  added: (name: string): string => `${name} is in it`,
  changed: (name: string): string => `Changed: ${name}`,
  take: 'Remove',
  taken: (name: string): string => `${name} is not in it any more`,
  leave: 'Leave the group',
  left: (name: string): string => `You are not in “${name}” any more`,
  rename: 'Rename',
  delete: 'Delete the group',
  deleteSure: (name: string): string =>
    `Delete “${name}” for ever? Nobody sees an album any more that he sees by this group.`,
  deleted: (name: string): string => `“${name}” is deleted`,
  cancel: t.cancel
}
