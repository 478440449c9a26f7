import type { ApiError } from '../api/client.js'
import type { Link, LinkEnd } from '../state/links.js'
import { photos, t } from './en.js'
import { wordsFor } from './problems.js'

/** What the page says of links to whoever makes them; loaded with it. */
export const words = {
  links: 'Links',
  hint: 'Whoever has the address of a link needs no account.',
  hintOfOwn:
    'Whoever has the address of one needs no account. New ones: Share above an album, or Link for selected photos.',
  none: 'No links.',
  of: ({ album_id: album }: Pick<Link, 'album_id'>): string => (album === null ? 'of selected photos' : 'of an album'),
  unnamed: 'Link',
  by: (name: string | null): string => `by ${name ?? 'somebody this machine has not heard of yet'}`,
  until: (at: string): string => `until ${at}`,
  endless: 'without end',
  roles: { viewer: 'shows the photos', contributor: 'guests add photos' },
  hasPassword: 'with a password',
  noDownload: 'no originals',
  noMetadata: 'no dates and places',
  ended: 'This link has ended.',
  isVoid: 'This link opens nothing: whoever made it may not share this any more, or has no open account.',
  withdraw: 'Withdraw',
  actOn: (act: string, label: string): string => `${act}: ${label}`,
  confirm: 'Whoever has the address sees nothing any more. This cannot be taken back.',
  withdrawForGood: 'Withdraw for good',
  withdrawn: (label: string): string => `Withdrawn: ${label}`,

  make: 'New link',
  label: 'Whom it is for',
  labelHint: 'For your list; guests do not see it.',
  end: 'It counts',
  ends: {
    '1': 'for one day',
    '7': 'for 7 days',
    '30': 'for 30 days',
    day: 'until a day',
    never: 'until it is withdrawn'
  } satisfies Readonly<Record<LinkEnd, string>>,
  lastDay: 'Last day of the link',
  password: 'Password of the link',
  passwordHint: 'Empty: none. At least 8 characters. Tell it by another way than the address.',
  gives: 'What guests can do',
  metadata: 'See dates, places, names and tags',
  download: 'Download originals',
  downloadNeeds: 'An original tells date and place: there are none without them.',
  upload: 'Add photos to the album',
  create: 'Make the link',

  address: 'Address of the link',
  once: 'Copy it now: it is not shown again.',
  onlyHere:
    'This address works on this machine only. Put its name or IP address in the place of what is before the colon.',
  copy: 'Copy',
  copied: 'Copied',
  byHand: 'It is selected: copy it.',
  done: 'Done',

  ofPhotos: (n: number): string => `Link to ${photos(n)}`,
  tooMany: (max: number): string => `A link shows at most ${photos(max)}. Make an album of more.`
}

const PROBLEMS: Readonly<Record<string, string>> = {
  ERR_FORBIDDEN: 'You may not share this any more. Its owner can do it.',
  ERR_BAD_PARAMETER:
    'This is not taken: the password has fewer than 8 characters or too many, or the last day is over by the clock of this machine.',
  ERR_PHOTO_NOT_FOUND:
    'Links show photos of your own. One of these belongs to somebody else, or is not there any more.',
  ERR_LINK_NOT_FOUND: 'This link was withdrawn already.'
}

/** @returns why there is no such link, for a person */
export function refusal({ code, detail }: Pick<ApiError, 'code' | 'detail'>): string {
  return PROBLEMS[code] ?? wordsFor(code, detail)
}

/** @returns what a link is called in a list */
export function labelOf({ label }: Pick<Link, 'label'>): string {
  return label ?? words.unnamed
}

/** @returns what a link gives, to whom, and until when, each in some words */
export function factsOf(link: Omit<Link, 'link_id' | 'album_id' | 'label' | 'created_at' | 'in_force'>): string[] {
  const { role, expires_at: end, has_password: hasPassword, download, metadata, by } = link
  return [
    words.roles[role],
    end === null ? words.endless : words.until(t.moment(end)),
    ...(hasPassword ? [words.hasPassword] : []),
    ...(metadata ? (download ? [] : [words.noDownload]) : [words.noMetadata, words.noDownload]),
    words.by(by.name)
  ]
}
