import { isIPv4, isIPv6 } from 'node:net'

/** Groups of an IPv6 address that a provider gives one household. */
const GROUPS = 4
const GROUPS_ALL = 8
const ADDRESS_CHARACTERS_MAX = 64

/**
 * Whom limits take for one: of IPv4 an address, of IPv6 the first 64 bits, in which anybody has as many addresses as he
 * likes.
 *
 * @param address - as a socket says it; anything else is a range by itself
 */
export function addressRange(address: string): string {
  const text = (address.split('%')[0] ?? '').toLowerCase()
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(text)?.[1]
  if (mapped !== undefined) return mapped
  if (isIPv4(text) || !isIPv6(text)) return text.slice(0, ADDRESS_CHARACTERS_MAX)
  const [head = '', tail] = text.split('::')
  const left = groupsOf(head)
  const right = tail === undefined ? [] : groupsOf(tail)
  const zeros = tail === undefined ? 0 : GROUPS_ALL - left.length - right.length
  const groups = [...left, ...Array.from({ length: zeros }, () => '0'), ...right]
  return `${groups
    .slice(0, GROUPS)
    .map(group => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`
}

/** An address of IPv4 at the end stands for two groups; they are beyond the first four. */
function groupsOf(part: string): string[] {
  return part === '' ? [] : part.split(':').flatMap(group => (group.includes('.') ? ['0', '0'] : [group]))
}
