/*
 * Names of accounts. A name is a claim: nodes that are cut off from each other may both give it away. The account that was
 * born first shows it as it is, the others with a part of their id behind it, until one of them takes another name.
 */

import type { Hlc } from './hlc.js'
import { parsePhotoId, type UserId } from './ids.js'
import { USER_NAME_CHARACTERS_MAX } from './limits.js'
import { foldText } from './text.js'

/** Stands between a name that several claim and a part of the id; no name has it. */
const MARK = '~'
const NAME = /^[\p{L}\p{N}][\p{L}\p{M}\p{N}._@+-]*$/u
/** Who is meant where no account is. */
const RESERVED: ReadonlySet<string> = new Set(['anonymous', 'everyone', 'operator', 'public', 'system', 'others'])
/** Where the random digits of a UUID of version 7 begin that are the least alike. */
const TAIL_AT = 24
const TAIL_CHARACTERS_MIN = 4

export interface NameClaim {
  readonly id: UserId
  readonly name: string
  readonly born: Hlc
}

/**
 * Letters, digits and `.`, `_`, `-`, `@`, `+`, beginning with one of the first two.
 *
 * @returns the name in NFC; undefined if nobody may have it
 */
export function checkedUserName(text: string): string | undefined {
  if (text.length > 4 * USER_NAME_CHARACTERS_MAX) return undefined
  const name = text.normalize('NFC')
  const isName = NAME.test(name) && [...name].length <= USER_NAME_CHARACTERS_MAX
  return isName && parsePhotoId(name) === undefined && !RESERVED.has(foldText(name)) ? name : undefined
}

/** @returns what is equal for names that are taken for one */
export function foldUserName(name: string): string {
  return foldText(name)
}

/** By age, the oldest first. */
export function compareClaims(a: Pick<NameClaim, 'id' | 'born'>, b: Pick<NameClaim, 'id' | 'born'>): number {
  if (a.born !== b.born) return a.born < b.born ? -1 : 1
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0
}

/**
 * @param claims - all accounts whose names fold to the same, in any order; the claim is one of them
 * @returns the name under which the account is shown, different for each of them
 */
export function shownNameOf(claim: NameClaim, claims: readonly NameClaim[]): string {
  const others = claims.filter(({ id }) => id !== claim.id)
  if (others.every(other => compareClaims(claim, other) < 0)) return claim.name
  const tail = claim.id.slice(TAIL_AT)
  for (let length = TAIL_CHARACTERS_MIN; length <= tail.length; length++) {
    const part = tail.slice(0, length)
    if (others.every(({ id }) => !id.startsWith(part, TAIL_AT))) return `${claim.name}${MARK}${part}`
  }
  return `${claim.name}${MARK}${claim.id.replaceAll('-', '')}`
}

/** @returns what stands before the mark: the name that is claimed */
export function claimIn(shown: string): string {
  const at = shown.lastIndexOf(MARK)
  return at === -1 ? shown : shown.slice(0, at)
}
