/** One kind of value: how it is written and what is allowed. Parsing never throws; undefined means "not allowed". */
export interface ValueKind<T> {
  /** Completes "must be …". */
  readonly allowed: string
  /** Values stand between commas, and a flag given several times adds to them. */
  readonly list?: boolean
  /** The values to choose from, where they are few. */
  readonly words?: readonly string[]
  parse(text: string): T | undefined
}

/** Where a server listens. `port` 0 picks a free one. */
export interface Address {
  /** A host name or IP address; IPv6 without brackets. */
  readonly host: string
  readonly port: number
}

const KI = 1024
const SIZE_UNITS: ReadonlyMap<string, number> = new Map([
  ['', 1],
  ['K', 1e3],
  ['M', 1e6],
  ['G', 1e9],
  ['T', 1e12],
  ['KI', KI],
  ['MI', KI ** 2],
  ['GI', KI ** 3],
  ['TI', KI ** 4]
])

/** @returns whole bytes of `1000000000`, `1G`, `512Mi`, `1.5 GB` or `64KiB` (K = 1000, Ki = 1024; any case), or undefined */
export function parseBytes(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([KMGT]?I?)B?$/.exec(text.trim().toUpperCase())
  const unit = SIZE_UNITS.get(match?.[2] ?? '?')
  if (match === null || unit === undefined) return undefined
  const bytes = Number(match[1]) * unit
  return Number.isSafeInteger(bytes) ? bytes : undefined
}

/** A size in bytes, `min`…`max` inclusive; `minText` and `maxText` are how the limits are shown. */
export function byteSize(min: number, minText: string, max: number, maxText: string): ValueKind<number> {
  return {
    allowed: `a size from ${minText} to ${maxText}: whole bytes, or a number with K, M, G, T (1000) or Ki, Mi, Gi, Ti (1024)`,
    parse: text => within(parseBytes(text), min, max)
  }
}

export function integer(min: number, max: number): ValueKind<number> {
  return {
    allowed: `a whole number from ${min} to ${max}`,
    parse: text => (/^\d+$/.test(text) ? within(Number(text), min, max) : undefined)
  }
}

/** A number that may have a fraction. */
export function decimal(min: number, max: number): ValueKind<number> {
  return {
    allowed: `a number from ${min} to ${max}`,
    parse: text => (/^\d+(\.\d+)?$/.test(text) ? within(Number(text), min, max) : undefined)
  }
}

export const path: ValueKind<string> = {
  allowed: 'a path',
  parse: text => (text.trim() === '' || text.includes('\0') ? undefined : text)
}

/** Text for people: 1 to `charactersMax` characters on one line. */
export function line(charactersMax: number): ValueKind<string> {
  return {
    allowed: `1 to ${charactersMax} characters on one line`,
    parse: text => {
      const trimmed = text.trim()
      const fits = trimmed !== '' && trimmed.length <= charactersMax && !/\p{Cc}/u.test(trimmed)
      return fits ? trimmed : undefined
    }
  }
}

export function oneOf<const T extends string>(words: readonly T[]): ValueKind<T> {
  return {
    allowed: `one of ${words.join(', ')}`,
    words,
    parse: text => words.find(word => word === text.toLowerCase())
  }
}

export const httpUrl: ValueKind<string> = {
  allowed: 'a URL that begins with http:// or https://, without a query',
  parse: text => {
    const url = URL.canParse(text.trim()) ? new URL(text.trim()) : undefined
    const fits = url !== undefined && /^https?:$/.test(url.protocol) && url.username + url.search + url.hash === ''
    return fits ? url.href.replace(/\/+$/, '') : undefined
  }
}

const OBJECT_PREFIX = /^[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+)*$/

/** The beginning of names in an object store, without a slash at its ends. */
export const objectPrefix: ValueKind<string> = {
  allowed: 'up to 200 letters, digits, dots, dashes, underscores, and slashes between them',
  parse: text => (text.length <= 200 && OBJECT_PREFIX.test(text) ? text : undefined)
}

const SWITCH_WORDS: ReadonlyMap<string, boolean> = new Map([
  ['on', true],
  ['true', true],
  ['yes', true],
  ['1', true],
  ['off', false],
  ['false', false],
  ['no', false],
  ['0', false]
])

export const onOff: ValueKind<boolean> = {
  allowed: 'on or off',
  words: ['on', 'off'],
  parse: text => SWITCH_WORDS.get(text.toLowerCase())
}

const HOST_NAME = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*\.?$/i
const IPV6_IN_BRACKETS = /^\[([0-9a-f:.]+(?:%[a-z0-9]+)?)\]$/i

function parseHost(text: string): string | undefined {
  const ipv6 = IPV6_IN_BRACKETS.exec(text)?.[1]
  if (ipv6 !== undefined) return ipv6.includes(':') ? ipv6 : undefined
  return HOST_NAME.test(text) ? text : undefined
}

function parseAddress(text: string, portMin: number): Address | undefined {
  const match = /^(.+):(\d{1,5})$/.exec(text.trim())
  const host = parseHost(match?.[1] ?? '')
  const port = within(Number(match?.[2]), portMin, 65_535)
  return host === undefined || port === undefined ? undefined : { host, port }
}

export const listenAddress: ValueKind<Address> = {
  allowed: 'HOST:PORT with a port from 0 to 65535, such as 127.0.0.1:8000, 0.0.0.0:0 or [::1]:8000',
  parse: text => parseAddress(text, 0)
}

export const hostMaybePort: ValueKind<{ readonly host: string; readonly port?: number }> = {
  allowed: 'HOST or HOST:PORT with a port from 1 to 65535',
  parse: text => {
    const host = parseHost(text.trim())
    return host === undefined ? parseAddress(text, 1) : { host }
  }
}

/** Host names or IP addresses, without ports. */
export const hostList: ValueKind<readonly string[]> = {
  allowed: 'host names or IP addresses without ports, separated by commas',
  list: true,
  parse: text => parseList(text, item => parseHost(item)?.toLowerCase())
}

const MULTIADDR = /^\/(ip4|ip6|dns|dns4|dns6|dnsaddr)\/[^\s/]+(\/[^\s/]+)*$/

export const peerList: ValueKind<readonly string[]> = {
  allowed: 'DNS names, HOST:PORT or multiaddrs (/ip4/…/tcp/…), separated by commas',
  list: true,
  parse: text =>
    parseList(text, item => (MULTIADDR.test(item) || hostMaybePort.parse(item) !== undefined ? item : undefined))
}

/** @returns the parsed items, or undefined when there is none or one of them is not allowed */
function parseList(text: string, parseItem: (item: string) => string | undefined): readonly string[] | undefined {
  const items = text.split(',').map(item => parseItem(item.trim()))
  return items.every(item => item !== undefined) ? items : undefined
}

function within(value: number | undefined, min: number, max: number): number | undefined {
  return value !== undefined && value >= min && value <= max ? value : undefined
}
