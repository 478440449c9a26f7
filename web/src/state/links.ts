import type { Answer } from '../api/client.js'
import { endOfDay } from './shares.js'

/** By what somebody without an account sees an album, or some photos. */
export type Link = Answer<'/v1/links'>['links'][number]

/** What a form for a new link has, as it was typed; boxes that are not ticked are not there. */
export type LinkForm = Readonly<Record<string, string>>

/** What is asked for: what a link gives, and until when. */
export interface LinkTerms {
  readonly role: Link['role']
  readonly download: boolean
  readonly metadata: boolean
  /** RFC 3339; null: it does not end. */
  readonly expires_at: string | null
  readonly label?: string
  readonly password?: string
}

/** How long a link counts: days, up to a day that is chosen, or until it is withdrawn. */
export const LINK_ENDS = ['1', '7', '30', 'day', 'never'] as const
export type LinkEnd = (typeof LINK_ENDS)[number]
export const LINK_END_DEFAULT: LinkEnd = '30'
/** As many as a node takes. */
export const LINKED_PHOTOS_MAX = 500

const DAY_MS = 86_400_000

/** @param day - the last one, where one is chosen @returns RFC 3339; null: never */
export function endOfLink(end: LinkEnd, day: string, nowMs: number): string | null {
  switch (end) {
    case 'never':
      return null
    case 'day':
      return endOfDay(day)
    default:
      return new Date(nowMs + Number(end) * DAY_MS).toISOString()
  }
}

/** An original tells all that is known of a photo: whoever is not to know it gets none. */
export function termsOf(form: LinkForm, nowMs: number): LinkTerms {
  const { end = LINK_END_DEFAULT, day = '', label = '', password = '' } = form
  const metadata = form.metadata !== undefined
  return {
    role: form.upload === undefined ? 'viewer' : 'contributor',
    download: metadata && form.download !== undefined,
    metadata,
    expires_at: endOfLink(end as LinkEnd, day, nowMs),
    ...(label !== '' && { label }),
    ...(password !== '' && { password })
  }
}
