import type { ApiError } from '../api/client.js'
import type { Share } from '../state/shares.js'
import { wordsFor } from './problems.js'

/** What the page says of sharing albums; loaded with it. */
export const words = {
  title: (album: string): string => `Share “${album}”`,
  owner: 'Owner',
  isYours: 'It belongs to you.',
  isOf: (name: string): string => `It belongs to ${name}.`,
  isOfEveryone: 'It belongs to everyone who has an account. Say whose it is: that one can share it.',
  handOver: 'Hand over',
  handOverHint: 'Whoever gets the album may do all with it, and you may do nothing more.',
  newOwner: 'Name of the new owner',
  handedOver: (album: string, name: string): string => `“${album}” belongs to ${name} now`,

  people: 'Who has access',
  nobody: 'Nobody else.',
  all: { everyone: 'Everyone who has an account', public: 'Everyone, also without an account' },
  group: (name: string): string => `Group “${name}”`,
  noGroup: 'A group that is deleted',
  unknown: 'Somebody this machine has not heard of yet',
  you: 'you',
  by: (names: readonly string[]): string => `given by ${names.join(', ')}`,
  until: (day: string): string => `until ${day}`,
  ended: (day: string): string => `ended ${day}`,
  roleOf: (name: string): string => `Role of ${name}`,
  roles: { viewer: 'Viewer', contributor: 'Contributor', manager: 'Manager' },
  does: { viewer: 'sees it', contributor: 'also adds photos', manager: 'also changes and shares it' },
  contested: 'Machines that were cut off from each other gave it different roles. The least counts.',
  isVoid: 'This does not count: whoever gave it may not give it any more, or the group is deleted.',
  isOver: 'This has ended. Choose another last day.',
  again: 'Give it again',
  end: 'Until',
  lastDay: 'Last day',
  noEnd: 'Empty: it does not end.',
  take: 'Remove',
  actOn: (act: string, name: string): string => `${act}: ${name}`,

  give: 'Give access',
  whom: 'To whom',
  person: 'One person',
  name: 'Name of the account',
  role: 'Role',
  share: 'Share',
  given: (name: string): string => `Shared with ${name}`,
  changed: (name: string): string => `Changed: ${name}`,
  taken: (name: string): string => `Not shared any more: ${name}`,
  mayNotAnyMore: 'You may not share this album any more: somebody has given you another role.',
  isOwner: 'The album belongs to that account, which may do all with it already.'
}

const PROBLEMS: Readonly<Record<string, string>> = {
  ERR_USER_NOT_FOUND: 'Nobody has an account with that name, or it is disabled.',
  ERR_GROUP_NOT_FOUND: 'That group is deleted, or you are not in it any more.',
  ERR_FORBIDDEN:
    'You are no manager of this album any more, or only as long as that account is one. Its owner can do this.',
  ERR_BAD_PARAMETER:
    'This is not taken: the last day is over by the clock of this machine, or the album is shared with 1,000 accounts already.'
}

/** @returns why the album is not shared so, for a person */
export function refusal({ code, detail }: Pick<ApiError, 'code' | 'detail'>): string {
  return PROBLEMS[code] ?? wordsFor(code, detail)
}

/** @returns who was given it, for a person */
export function nameOf({ principal, user, group }: Pick<Share, 'principal' | 'user' | 'group'>): string {
  if (user !== null) return user.name ?? words.unknown
  if (group !== null) return group.name === null ? words.noGroup : words.group(group.name)
  return principal === 'public' ? words.all.public : words.all.everyone
}
